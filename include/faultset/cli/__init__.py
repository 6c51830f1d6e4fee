"""The command line: ``main`` runs a command and turns whatever happens into output, one error line and an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from faultset.cli.call import Answer, Call
from faultset.cli.commands import faultset
from faultset.errors import FaultsetError, InputError, SetupError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a shell reports for a program that ended by SIGINT and by SIGPIPE.
INTERRUPTED = 130
NOBODY_READS = 141
# Imports and syntax trees make hundreds of thousands of objects that stay; by Python's default of 700 new ones, looking
# through them for circles costs a tenth of a publish.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (default: those of the process) name and return the exit code."""
    gc.set_threshold(max(gc.get_threshold()[0], _OBJECTS_BETWEEN_COLLECTIONS), *gc.get_threshold()[1:])
    call = Call()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name from a report is not worth failing on a narrow encoding
    try:
        answer = faultset.main(arguments, prog_name="faultset", standalone_mode=False, obj=call)
        if isinstance(answer, Answer):  # otherwise help or the version was asked for, and printed
            answer.print(as_json=call.json)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _failed(call, "interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # click ends the process where nobody reads its help
        _discard_stdout()
        return NOBODY_READS
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return InputError.exit_code
    except Exception as error:  # noqa: BLE001 (the border: nothing but one line and an exit code may leave)
        known = _explained(error)
        return _failed(call, str(known), known.exit_code)
    return answer.exit_code if isinstance(answer, Answer) else 0


def _explained(error: Exception) -> FaultsetError:
    if isinstance(error, FaultsetError):
        return error
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "faultset"
        return InputError(command, error.format_message().rstrip("."), f"see {command} --help")
    if isinstance(error, OSError) and error.strerror:
        where = error.filename if isinstance(error.filename, str) else "the system"
        return SetupError(where, error.strerror, "check the path, its permissions and the free space")
    said = printable(str(error), 120)
    return SetupError(
        "internal", f"{type(error).__name__}{': ' if said else ''}{said}", "run again with --debug and report it"
    )


def _failed(call: Call, line: str, code: int) -> int:
    if call.debug:
        traceback.print_exc()
    click.echo(f"error: {line}", err=True)
    return code


def _discard_stdout() -> None:
    # Python flushes standard output once more when it ends, which would complain on a closed pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
