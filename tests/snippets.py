"""The fenced blocks of a page of the documentation, and what they print.

A block of ``python`` is run; a block of ``text`` right after it is what it prints. A block of ``console`` holds
commands (``$ ``, further lines of one ``> ``), each with what it prints. Run as a program, this writes what the blocks
of a page print into that page: ``python tests/snippets.py docs/how-to/read-a-dataset.md``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?|```console\n(?P<session>.*?)```\n", re.DOTALL
)
_COMMAND = re.compile(r"^\$ (?P<command>.*(?:\n> .*)*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_NUMBER = re.compile(r"-?\b(?:\d[\d,]*\.?\d*(?:e[+-]\d+)?|nan|NaN|[0-9a-f]{64})\b")


@dataclass(frozen=True)
class Snippet:
    """Code of a page, or a command for the shell, and the output shown with it ("" where none is)."""

    code: str
    output: str
    is_command: bool = False


def snippets(page: Path) -> list[Snippet]:
    found = []
    for match in _BLOCK.finditer(page.read_text("utf-8")):
        if match["session"] is None:
            found.append(Snippet(match["code"], match["output"] or ""))
        else:
            found += [Snippet(one["command"], one["output"], True) for one in _COMMAND.finditer(match["session"])]
    return found


def printed(page: Path) -> list[str]:
    """Run the snippets of a page in order, those of Python in one namespace, and return what each prints."""
    names: dict[str, object] = {"__name__": "snippets"}
    return [_said(snippet, names, f"{page.name}, snippet {number}") for number, snippet in enumerate(snippets(page), 1)]


def _said(snippet: Snippet, names: dict[str, object], where: str) -> str:
    if snippet.is_command:
        return _answer(snippet.code, where)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(snippet.code, where, "exec"), names)  # noqa: S102 (our own pages)
    return out.getvalue()


def _answer(command: str, where: str) -> str:
    """Return what a command prints on standard output, with the working folder's name left out."""
    ours = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    asked = ["bash", "-c", command.replace("\n> ", "\n")]
    run = subprocess.run(asked, env=ours, capture_output=True, text=True, check=False)
    if run.returncode:
        raise AssertionError(f"{where}: {command}: exit {run.returncode}: {run.stderr}")
    return run.stdout.replace(f"{Path.cwd()}/", "")


def shape(text: str) -> list[str]:
    """Return the words of an output, every number the same: labels may become better without another page."""
    return _NUMBER.sub("#", text).split()


def rewrite(page: Path) -> None:
    """Write what the snippets print into the page."""
    outputs = iter(printed(page))

    def lines() -> str:
        return "\n".join(line.rstrip() for line in next(outputs).splitlines())

    def command(match: re.Match[str]) -> str:
        output = lines()
        return f"$ {match['command']}\n" + (f"{output}\n" if output else "")

    def block(match: re.Match[str]) -> str:
        if match["session"] is not None:
            return f"```console\n{_COMMAND.sub(command, match['session'])}```\n"
        output = lines()
        return f"```python\n{match['code']}```\n" + (f"\n```text\n{output}\n```\n" if output else "")

    page.write_text(_BLOCK.sub(block, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print("\n".join(printed(Path(sys.argv[2]))))
    else:
        rewrite(Path(sys.argv[1]).absolute())
