"""The one identity of the tool: what counts as another tool, and what does not."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultset
from faultset import recipe

PACKAGE = Path(faultset.__file__).parent
# What code that decides may import without its being part of the recipe, and why.
CARRIES = {
    "bucket": "brings bytes, whose hashes are in the fingerprint",
    "catalog": "what it reads of an entry is in the fingerprint by value",
    "expectations": "says what is wrong with a dataset, not what stands in it",
    "figures": "pictures are no records",
    "limits": "an input is refused, or read as a whole",
    "pipeline/candidates": "where candidates lie",
    "pipeline/progress": "tells how far a step is",
    "recipe": "is the question itself",
    "release/fingerprint": "hashes",
    "settings": "where things are",
    "severity": "how much a finding weighs",
    "storage": "where things are kept",
}


def imports_of(module: str) -> Iterator[str]:
    """Yield what a module imports of this package, such as ``truth/effect``."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "faultset":
            origin = PACKAGE.parent / (node.module or "").replace(".", "/")
            for name in node.names:
                path = origin / name.name
                found = path if path.with_suffix(".py").is_file() or path.is_dir() else origin
                yield found.relative_to(PACKAGE).as_posix()


def is_among(module: str, parts: tuple[str, ...]) -> bool:
    return any(module == part or module.startswith(f"{part}/") for part in parts)


def test_whatever_code_that_decides_imports_decides_too_or_only_carries() -> None:
    left_out = {
        (module, imported)
        for module in recipe.modules(recipe.DATASET)
        for imported in imports_of(module)
        if imported != "." and not is_among(imported, (*recipe.DATASET, *CARRIES))
    }
    assert not left_out


def test_the_rooms_where_labels_are_decided_are_part_of_it() -> None:
    rooms = {module.partition("/")[0] for module in recipe.modules(recipe.DATASET)}
    assert {"sources", "truth", "labels", "tables"} <= rooms


def test_all_that_decides_is_python_so_that_nothing_is_missed() -> None:
    rooms = [PACKAGE / part for part in recipe.DATASET if (PACKAGE / part).is_dir()]
    found = {path.suffix for room in rooms for path in room.rglob("*") if path.is_file()}
    assert found <= {".py", ".pyc"}


def test_pages_and_the_command_line_are_no_part_of_it() -> None:
    modules = {*recipe.modules(recipe.DATASET), *recipe.modules(recipe.VERDICT)}
    assert not [name for name in modules if name.startswith(("cli/", "pages/", "figures/", "simulator/"))]
    assert not modules & {"inbox/page", "expectations/pages", "expectations/site", "release/card", "release/changes"}


CODE = '''
"""What it is for."""

LIMIT = 3.0  # seconds


def is_long(seconds: float) -> bool:
    """Return whether it is."""
    return seconds > LIMIT
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it is for", "What else it is for"),
        ('"""What it is for."""\n', ""),
        ("# seconds", "# a limit of seconds"),
        ("Return whether it is", "Say whether it is"),
        ("return seconds > LIMIT", "return (\n        seconds > LIMIT\n    )"),
        ("3.0", "3.00"),
        ("\n", "\r\n"),
    ],
)
def test_words_and_layout_are_no_other_code(old: str, new: str) -> None:
    assert CODE.replace(old, new) != CODE
    assert recipe.code_sha256(CODE.replace(old, new).encode()) == recipe.code_sha256(CODE.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.0", "3.5"),
        ("3.0", "3"),
        ("seconds > LIMIT", "seconds >= LIMIT"),
        ("seconds > LIMIT", "LIMIT > LIMIT"),
        ("-> bool", "-> object"),
    ],
)
def test_a_constant_or_a_comparison_is_other_code(old: str, new: str) -> None:
    assert recipe.code_sha256(CODE.replace(old, new).encode()) != recipe.code_sha256(CODE.encode())


def test_a_text_that_is_used_is_code() -> None:
    assert recipe.code_sha256(b"def f():\n    return 'a'") != recipe.code_sha256(b"def f():\n    return 'b'")


# What Pythons write differently in a syntax tree: f-strings, what is absent, constants, characters that are new.
MANY_FORMS = r"""
import os.path as p
from . import x
@p.d
class C(p.B, metaclass=type):
    y: "int" = 1
    def f(self, a, /, b=None, *c, d: int = -0.0, **e) -> None: return
    async def g(self):
        async with x as y, p: yield
        raise ValueError(f"{y!r:>{x}} {{}} {x=} {y:%H:%M}" "tail") from None
match x:
    case {"a": [1, *_], **rest} if rest: del x[1:2, ::3]
    case C(y=None) | True: pass
try: z = [i for i in (1, 2j, b"\0", ..., 1e400) if not i]
except* OSError as error: print(lambda *, q=1: q, "é\U0001fae8\ud800", u"", sep="")
else: global w
while True: break
"""


def test_the_same_code_has_the_same_digest_on_every_python() -> None:
    known = "26f760c439dd9ff0ac73966a1f4da6c0bf6a74d736443a6006c430219e1ee1fd"
    assert recipe.code_sha256(MANY_FORMS.encode()) == known


def in_a_new_process(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from faultset import recipe\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
    )
    return done.stdout.strip()


BOTH = "print(recipe.digest(), recipe.verdict_digest())"
NEVER_ASKED = "recipe.code_sha256 = None\n"  # whoever calls it fails


def test_what_a_module_does_is_found_once_and_kept_beside_the_bytecode(tmp_path: Path) -> None:
    first = in_a_new_process(BOTH, PYTHONPYCACHEPREFIX=str(tmp_path))
    assert first == f"{recipe.digest()} {recipe.verdict_digest()}"
    assert in_a_new_process(NEVER_ASKED + BOTH, PYTHONPYCACHEPREFIX=str(tmp_path)) == first
    assert len(list(tmp_path.rglob("recipe*.json*"))) == 2


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 1}'])
def test_what_was_kept_and_cannot_be_read_is_found_again(tmp_path: Path, content: str) -> None:
    whole = in_a_new_process(BOTH, PYTHONPYCACHEPREFIX=str(tmp_path))
    for kept in tmp_path.rglob("recipe*.json"):
        kept.write_text(content)
    assert in_a_new_process(BOTH, PYTHONPYCACHEPREFIX=str(tmp_path)) == whole
    assert in_a_new_process(NEVER_ASKED + BOTH, PYTHONPYCACHEPREFIX=str(tmp_path)) == whole


def test_a_module_of_another_content_is_looked_at_again(tmp_path: Path) -> None:
    before = in_a_new_process(BOTH, PYTHONPYCACHEPREFIX=str(tmp_path))
    other = f"recipe._PACKAGE = type(recipe._PACKAGE)({str(tmp_path / 'faultset')!r})\n"
    shutil.copytree(PACKAGE, tmp_path / "faultset", ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "faultset/impacts/rarity.py"
    changed.write_text(changed.read_text() + "\nALSO = 1\n")
    after = in_a_new_process(other + BOTH, PYTHONPYCACHEPREFIX=str(tmp_path))
    assert after.split()[0] != before.split()[0]
    assert after.split()[1] == before.split()[1]


def test_nothing_is_kept_where_python_is_told_to_write_nothing(tmp_path: Path) -> None:
    in_a_new_process(BOTH, PYTHONPYCACHEPREFIX=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    assert not list(tmp_path.rglob("*"))
