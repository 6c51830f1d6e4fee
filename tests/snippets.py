"""The fenced blocks of a page of the documentation, and what they print.

A block of ``python`` is run; a block of ``text`` right after it is what it prints. Run as a program, this writes what
the blocks of a page print into that page: ``python tests/snippets.py docs/how-to/read-a-dataset.md``.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)
_NUMBER = re.compile(r"-?\b(?:\d[\d,]*\.?\d*(?:e[+-]\d+)?|nan|NaN)\b")


@dataclass(frozen=True)
class Snippet:
    """Code of a page, and the output shown below it ("" where none is)."""

    code: str
    output: str


def snippets(page: Path) -> list[Snippet]:
    return [Snippet(match["code"], match["output"] or "") for match in _BLOCK.finditer(page.read_text("utf-8"))]


def printed(page: Path) -> list[str]:
    """Run the snippets of a page in order, in one namespace, and return what each prints."""
    names: dict[str, object] = {"__name__": "snippets"}
    outputs = []
    for number, snippet in enumerate(snippets(page), 1):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(snippet.code, f"{page.name}, snippet {number}", "exec"), names)  # noqa: S102 (our own pages)
        outputs.append(out.getvalue())
    return outputs


def shape(text: str) -> list[str]:
    """Return the words of an output, every number the same: labels may become better without another page."""
    return _NUMBER.sub("#", text).split()


def rewrite(page: Path) -> None:
    """Write what the snippets print into the page."""
    outputs = iter(printed(page))

    def block(match: re.Match[str]) -> str:
        output = "\n".join(line.rstrip() for line in next(outputs).splitlines())
        return f"```python\n{match['code']}```\n" + (f"\n```text\n{output}\n```\n" if output else "")

    page.write_text(_BLOCK.sub(block, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print("\n".join(printed(Path(sys.argv[2]))))
    else:
        rewrite(Path(sys.argv[1]).absolute())
