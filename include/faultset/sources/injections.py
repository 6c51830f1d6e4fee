"""What a source of injections is, and all that are read: the one place that knows which tools there are.

A source recognises its own files by what stands in them, reads them into workloads, planned hooks and firings, and
says which secrets they hold. A new one is a module with a ``SOURCE`` and a line here; ``docs/how-to/add-a-source.md``
walks through it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from faultset.errors import InputError
from faultset.records.evidence import RunEvidence
from faultset.sources.kit.documents import Head, head_of

# A run is declared by its first file; ``beside`` is one that says more of the same run and makes none by itself.
Part = Literal["run", "beside"]


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a source says of a file that is its own.

    Attributes:
        part: whether the file makes a run, or only says more of one.
        why: what told, in one line.
    """

    part: Part
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """A tool that injects faults or puts load beside them, as far as its files are concerned.

    Attributes:
        name: of the tool, as tables say it; also the runner's name of what it ran.
        title: of its files, for people.
        kind: whether it injects, or only puts load on the system.
        recognise: tells from a file's first bytes whether it is one of its own.
        read: reads a run from its file and the one declared beside it, if any.
        secrets: yields the secrets that a file holds, for the last look at what was built.
        names_targets: whether its files say what was acted on; else a cluster file has to.
        same_run: whether a file says more of the run that another one makes; a tool without such files has none.
    """

    name: str
    title: str
    kind: Literal["injections", "load"]
    recognise: Callable[[Head], Recognition | None]
    read: Callable[[str, str | None], RunEvidence]
    secrets: Callable[[str], Iterator[str]]
    names_targets: bool = True
    same_run: Callable[[str, str], bool] = lambda _run, _beside: False


# Modules below this package, each with its SOURCE, in the order in which they are asked. A new tool is a line here.
MODULES = (
    "rally.source",
    "chaostoolkit.journal",
    "chaos_mesh.objects",
    "krkn.telemetry",
    "litmus.results",
    "aws_fis.experiment",
    "chaosblade.status",
    "load.k6",
    "load.locust",
    "load.jmeter",
)


@functools.cache
def sources() -> tuple[Source, ...]:
    """Return all sources; their modules are imported on the first call, since some take time."""
    return tuple(import_module(f"faultset.sources.{name}").SOURCE for name in MODULES)


def recognised(head: Head) -> tuple[Source, Recognition] | None:
    """Return the source whose file begins so, and what told; None where it is no source's."""
    for source in sources():
        told = source.recognise(head)
        if told is not None:
            return source, told
    return None


def source_of(uri: str) -> Source:
    """Return the source of the file at ``uri``; where none knows it, the first, whose reader says what it is instead.

    Raises:
        InputError: it cannot be read.
    """
    found = recognised(head_of(uri))
    return found[0] if found else sources()[0]


def read_run(run: str, beside: str | None = None) -> RunEvidence:
    """Return what the file of a run says, with what is declared beside it.

    Raises:
        InputError: a file cannot be read, is none of a tool that is known, or both are of different tools.
    """
    source = source_of(run)
    if beside is not None:
        other = source_of(beside)
        if other.name != source.name:
            raise InputError(
                beside,
                f"is {other.title}, and what it was declared beside is {source.title}",
                "declare each as a run of its own",
            )
    return source.read(run, beside)


def secrets_of(uri: str) -> Iterator[str]:
    """Yield the secrets that a file of a run holds.

    Raises:
        InputError: it cannot be read any more.
    """
    yield from source_of(uri).secrets(uri)
