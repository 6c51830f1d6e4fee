"""The command line, run in this process with its streams caught."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from faultset.cli import main


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Done:
    """Call ``faultset`` as its entry point does."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            code = main(list(arguments))
        except SystemExit as exit_:
            code = exit_.code
    return Done(int(code or 0), stdout.getvalue(), stderr.getvalue())
