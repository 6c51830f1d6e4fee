"""What all commands share: the options each of them takes, and how an answer is printed."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from faultset.errors import AnswerIsNo, SetupError, printable
from faultset.moments import iso
from faultset.settings import Settings, in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    Progress = Callable[[int, int, str], None]

# Rich takes 80 columns where standard output is no terminal, which cuts ids that a reader of the file wants whole.
_WIDTH_OF_FILES = 200


@dataclass
class Call:
    """What the shared options said.

    Attributes:
        json: print one JSON document instead of tables.
        debug: show tracebacks.
        catalog: overrides ``FAULTSET_CATALOG``.
        datasets: overrides ``FAULTSET_DATASETS``.
    """

    json: bool = False
    debug: bool = False
    catalog: str | None = None
    datasets: str | None = None

    @property
    def settings(self) -> Settings:
        """The environment's settings with what the options override."""
        found = Settings.from_environment()
        return dataclasses.replace(
            found,
            catalog=found.catalog if self.catalog is None else self.catalog,
            datasets=found.datasets if self.datasets is None else self.datasets,
        )


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes:
        document: what ``--json`` prints: mappings, lists, texts, numbers, times, dataclasses.
        show: prints the same for people.
        exit_code: 0, or what says that the answer is no.
    """

    document: Mapping[str, Any]
    show: Callable[[Console, Mapping[str, Any]], None]
    exit_code: int = 0

    def print(self, *, as_json: bool) -> None:
        """Print the answer on standard output."""
        if as_json:
            click.echo(json.dumps(plain(self.document), indent=2, allow_nan=False))
            return
        out = console(sys.stdout)
        with out.capture() as shown:  # rich would end the process itself where nobody reads
            self.show(out, self.document)
        sys.stdout.write(shown.get())

    @classmethod
    def yes_or_no(
        cls, yes: bool, document: Mapping[str, Any], show: Callable[[Console, Mapping[str, Any]], None]
    ) -> Answer:
        """Return an answer whose exit code says ``yes`` or no."""
        return cls(document, show, 0 if yes else AnswerIsNo.exit_code)


class AnsweringCommand(click.Command):
    """A command that returns an ``Answer``, takes the shared options and keeps standard output for the answer alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())

    def invoke(self, ctx: click.Context) -> Answer:
        """Run and return the answer."""
        call = ctx.ensure_object(Call)
        # Whatever a library prints is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr), in_force(call.settings):
            try:
                answer: Answer = super().invoke(ctx)
            except ModuleNotFoundError as error:
                raise _missing(ctx.command_path, error) from error
        return answer


def _missing(command: str, error: ModuleNotFoundError) -> SetupError:
    """Return what to install; whoever only reads datasets has no more than reading needs."""
    package = (error.name or "a package").partition(".")[0]
    outward = dict.fromkeys(("httpx", "httpx2", "huggingface_hub"), "outward")
    extra = {"airflow": "airflow", "openlineage": "lineage", **outward}.get(package, "build")
    return SetupError(command, f"it needs {package}, which is not installed", f"run pip install 'faultset[{extra}]'")


def shared_options() -> list[click.Parameter]:
    """Return the options that each command takes, and the program itself before the command."""
    texts = {
        "--json": "Print one JSON document on standard output and nothing else.",
        "--debug": "Show the traceback of an error.",
        "--catalog": "Folder of the experiments, instead of FAULTSET_CATALOG.",
        "--datasets": "Folder of the dataset versions, instead of FAULTSET_DATASETS.",
    }
    return [
        click.Option(
            [name],
            help=text,
            expose_value=False,
            callback=_remember,
            **({"is_flag": True} if name in ("--json", "--debug") else {"metavar": "FOLDER"}),
        )
        for name, text in texts.items()
    ]


def _remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name:
        setattr(ctx.find_object(Call), parameter.name, value)


def plain(value: Any) -> Any:
    """Return ``value`` as what JSON knows; numbers that are not finite become null, times ISO 8601 with ``Z``."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.datetime):
        return iso(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def console(file: TextIO) -> Console:
    """Return a console that takes no text as markup."""
    from rich.console import Console  # noqa: PLC0415 (only where tables are shown)

    width = None if file.isatty() else _WIDTH_OF_FILES
    return Console(file=file, highlight=False, markup=False, emoji=False, width=width)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Give a callable ``(done, total, what)`` that draws a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _what: None
        return
    from rich.markup import escape  # noqa: PLC0415 (only where somebody looks)
    from rich.progress import Progress as Bars  # noqa: PLC0415

    with Bars(console=console(sys.stderr), transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=escape(printable(what, 60)))

        yield show
