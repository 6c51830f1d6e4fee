"""The one identity of this tool: a digest over the code that decides what a dataset says, and over nothing else.

Another recipe makes another dataset of the same inputs: it has another fingerprint, and files that were labeled by a
former one are not reused. Docstrings, comments and layout are no part of it, nor are pages, cards, pictures,
expectations or the command line. The same code has the same digest on every Python that the tool runs on.

What a module does is found once for each content that it has, and kept where Python keeps what it compiles.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import sys
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

# Packages and modules, below this one. A test holds that all they import is here too, or among what only carries.
DATASET = (
    "errors",  # how a text of a report may be printed
    "fault_span",
    "impacts",
    "labels",
    "moments",
    "pipeline/analysis",
    "pipeline/build_folder",
    "pipeline/building",
    "pipeline/correcting",
    "pipeline/events",
    "pipeline/exposure",
    "pipeline/gathering",
    "pipeline/labeled_files",
    "pipeline/series",
    "pipeline/telemetry",
    "records",
    "release/parquet",
    "sources",
    "tables",
    "truth",
)
# What else a verdict on a dropped run depends on.
VERDICT = (
    "catalog",
    "expectations",
    "inbox/content",
    "inbox/landing",
    "inbox/proposal",
    "inbox/roles",
    "pipeline/judging",
    "pipeline/weighing",
    "severity",
)
_PAGES = ("expectations/docs", "expectations/pages", "expectations/site")
# Their major versions: numbers and times are read and computed by them. Others only find or pack what is there.
LIBRARIES = ("numpy", "polars", "scipy")

_PACKAGE = Path(__file__).parent
# How a node is written, not what it does.
_NOTATION = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


@functools.cache
def digest() -> str:
    """Return the hex sha256 of what decides what a dataset says; half a second the first time after an installation."""
    libraries = (f"{name} {metadata.version(name).partition('.')[0]}\n" for name in LIBRARIES)
    return hashlib.sha256("".join((*libraries, *_described(DATASET, "dataset"))).encode()).hexdigest()


@functools.cache
def verdict_digest() -> str:
    """Return the hex sha256 of what decides about a dropped run beside ``digest``."""
    return hashlib.sha256("".join(_described(VERDICT, "verdict")).encode()).hexdigest()


def modules(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the modules of packages and modules, sorted, such as ``truth/effect``; pages among them are left out."""
    found = set()
    for part in parts:
        paths = [_PACKAGE / f"{part}.py", *(_PACKAGE / part).rglob("*.py")]
        found |= {path.relative_to(_PACKAGE).with_suffix("").as_posix() for path in paths if path.is_file()}
    return tuple(sorted(found.difference(_PAGES)))


def _described(parts: tuple[str, ...], name: str) -> Iterator[str]:
    sources = {module: (_PACKAGE / f"{module}.py").read_bytes() for module in modules(parts)}
    kept = _kept(name)
    known = _read(kept)
    found = {}
    for module, source in sources.items():
        content = hashlib.sha256(source).hexdigest()
        found[content] = known.get(content) or code_sha256(source)
        yield f"{module} {found[content]}\n"
    if found != known:
        _keep(found, kept)


def _kept(name: str) -> Path:
    """Return the file beside this module's bytecode; another version of this module has another."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return Path(importlib.util.cache_from_source(__file__)).with_suffix(f".{name}-{own}.json")


def _read(kept: Path) -> dict[str, str]:
    """Return sha256 of a module's content -> of what it does, as far as that was found before."""
    with contextlib.suppress(OSError, ValueError):  # what is cut off or foreign is as if there were nothing
        known = json.loads(kept.read_bytes())
        if isinstance(known, dict) and all(isinstance(one, str) and len(one) == 64 for one in known.values()):
            return known
    return {}


def _keep(found: dict[str, str], kept: Path) -> None:
    """Keep it, unless nothing is to be written or can be: an installation may be another user's."""
    if sys.dont_write_bytecode:
        return
    with contextlib.suppress(OSError):
        kept.parent.mkdir(exist_ok=True)
        draft = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
        draft.write_text(json.dumps(found))
        draft.replace(kept)


def code_sha256(source: bytes) -> str:
    """Return the hex sha256 of what a module does: of its syntax tree, without texts that stand for themselves.

    ``ast.dump`` is no help: each Python has its own way to write what a node lacks.

    Raises:
        SyntaxError: it is no Python.
    """
    written: list[str] = []
    _write(ast.parse(source), written)
    return hashlib.sha256("\0".join(written).encode()).hexdigest()


def _write(part: object, written: list[str]) -> None:
    """Append a syntax tree as names and values; what a node lacks is not mentioned."""
    if isinstance(part, ast.AST):
        written += (type(part).__name__, "(")
        for name, value in ast.iter_fields(part):
            if name not in _NOTATION and value != [] and (value is not None or name == "value"):
                written.append(name)
                _write(_said(value) if isinstance(part, ast.JoinedStr) else value, written)
        written.append(")")
    elif isinstance(part, list):
        for item in part:
            if not _is_docstring(item):
                _write(item, written)
        written.append(";")
    else:
        written.append(ascii(part))


def _is_docstring(item: object) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


def _said(parts: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string without the empty text that Python 3.12 finds after ``{width}`` in a format."""
    return [part for part in parts if not (isinstance(part, ast.Constant) and part.value == "")]
