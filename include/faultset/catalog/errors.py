"""What is wrong with an ``experiment.yaml``, in one line: where, what, and what is expected there."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from faultset.catalog.model import (
    Approval,
    Correction,
    Creator,
    ExpectationSetting,
    ExperimentFile,
    Labels,
    RunDeclaration,
    Telemetry,
    described,
)
from faultset.errors import InputError, nearest
from faultset.sources.kit import yaml_tree

Loc = tuple[int | str, ...]
_MODELS: dict[int | str, type[BaseModel]] = {"runs": RunDeclaration, "telemetry": Telemetry, "creators": Creator}
_MODELS.update(corrections=Correction, expectations=ExpectationSetting)
_MAPPINGS: dict[int | str, type[BaseModel]] = {"labels": Labels, "approval": Approval}
# An unknown key is most often a mistyped one, which explains the missing key beside it; an item that is not valid
# makes pydantic call its list too short.
_RANK = {"extra_forbidden": 0, "invalid_key": 0, "missing": 1, "too_short": 3}


def first_error(error: ValidationError, tree: yaml_tree.YamlNode, where: str) -> InputError:
    """Return the first thing that is wrong; a mistyped key comes before what follows from it."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda item: (_RANK.get(item["type"], 2), line_of(tree, item["loc"])))
    problem, remedy = _explain(first)
    return InputError(f"{where}:{line_of(tree, first['loc'])}", problem, remedy)


def line_of(tree: yaml_tree.YamlNode, loc: Loc) -> int:
    """Return the line of the key or item at ``loc``; of what should hold it where it is not there."""
    node, line = tree, tree.line
    for part in loc:
        if isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            line = node.line
            continue
        found = next(((key, value) for key, value in node.entries if key.text == part), None)
        if found is None:
            break
        line, node = found[0].line, found[1]
    return line


def _explain(error: Any) -> tuple[str, str]:
    loc: Loc = error["loc"]
    model = _model(loc)
    if error["type"] in ("extra_forbidden", "invalid_key"):
        return (
            f'unknown key "{loc[-1]}"{_inside(loc)}{nearest(str(loc[-1]), model.model_fields)}',
            f"the keys expected here are {', '.join(model.model_fields)}",
        )
    if error["type"] == "missing":
        return f'key "{loc[-1]}" is missing{_inside(loc)}', f"add {loc[-1]}: {expected(loc)}"
    if not loc:
        return f"the file holds {described(error['input'])}, no mapping", f"expected {_keys(model)}"
    value = error["input"]
    if error["type"] == "value_error":
        problem = f"{dotted(loc)}: {error['ctx']['error']}"
    elif error["type"] == "literal_error" and isinstance(value, str):
        allowed = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        problem = f'{dotted(loc)} is "{value}"{nearest(value, allowed)}'
    else:
        problem = f"{dotted(loc)} is {described(value)}"
    return problem, f"expected {expected(loc)}"


def _model(loc: Loc) -> type[BaseModel]:
    if len(loc) > 1 and loc[0] in _MAPPINGS:
        return _MAPPINGS[loc[0]]
    return _MODELS.get(loc[0], ExperimentFile) if len(loc) > 2 else ExperimentFile


def expected(loc: Loc) -> str:
    """Return what belongs at ``loc``: a key of the file, an item of a list, or a key of such an item."""
    model = _model(loc)
    if len(loc) == 2 and loc[0] in _MODELS:
        return _keys(_MODELS[loc[0]])
    depth = 0 if model is ExperimentFile else 1 if loc[0] in _MAPPINGS else 2
    field = model.model_fields.get(str(loc[depth]))
    return field.description or "" if field else _keys(model)


def _keys(model: type[BaseModel]) -> str:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return f"a mapping with at least {', '.join(required)}"


def _inside(loc: Loc) -> str:
    return f" in {dotted(loc[:-1])}" if len(loc) > 1 else ""


def dotted(loc: Loc) -> str:
    """Return ``("runs", 0, "report")`` as ``runs[0].report``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")
