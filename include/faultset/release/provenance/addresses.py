"""The chain of what an address names, and what is there where it names nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from faultset import tables
from faultset.errors import InputError, printable
from faultset.records.evidence import InputFile
from faultset.release.manifest import Manifest
from faultset.release.provenance.chain import Chain, Content, Step
from faultset.release.provenance.injections import at_injection
from faultset.release.provenance.nodes import at_node
from faultset.release.provenance.rows import ROW_ADDRESS, at_row, names_of

_SHORT = re.compile(r"(?:#(?P<number>[1-9]\d{0,5})\s+)?(?P<end>\S+)")
_NEAR = 5
_READ = (tables.WORKLOADS, tables.TRIGGERS, tables.INJECTIONS, tables.TARGETS, tables.IMPACTS, tables.IMPACT_TESTS)


def needed(manifest: Manifest, address: str) -> tuple[str, ...]:
    """Return the files of a version that ``explain`` reads for ``address``."""
    match = ROW_ADDRESS.fullmatch(address)
    asked = [entry["path"] for entry in manifest.telemetry if match and match["file"] in names_of(entry)]
    wanted = [*(f"{table.name}.parquet" for table in _READ), *asked]
    return tuple(file.path for file in manifest.files if file.path in wanted)


def explain(content: Content, address: str) -> Chain:
    """Return the chain of what ``address`` names.

    Args:
        content: the version.
        address: an injection's id, whole or as ``inspect`` shows it (``#1 hook0.iteration40``), or only its end where
            no other has it; ``INJECTION/NODE/COMPONENT`` (the component's key, the container's name, or ``-``
            for the node itself); ``INJECTION/NODE/KPI``, moved or only tested; or ``FILE:SOURCE_ROW``, the
            file as the catalog or as the dataset names it, its rows counted from 0.

    Raises:
        InputError: there is nothing of this name; names the nearest ones. Or a table is damaged.
    """
    whole = _whole_address(content, address)
    found = at_injection(content, whole) or at_node(content, whole) or at_row(content, address)
    if found is None:
        raise _unknown(content, address)
    kind, steps, inputs = found
    named = address if kind == "telemetry" else whole
    return Chain(
        content.manifest.slug, content.manifest.version, named, kind, (*steps, _version(content)), _unique(inputs)
    )


def _whole_address(content: Content, address: str) -> str:
    """Return an address with the whole id of the injection that it names shortly; as it is where that is no one's."""
    short, slash, rest = address.partition("/")
    match = _SHORT.fullmatch(short)
    if match is None:
        return address
    number, end = match["number"], match["end"]
    workloads = [row.workload_id for row in content.workloads]
    of = workloads if number is None else workloads[int(number) - 1 : int(number)]
    fitting = [row.injection_id for row in content.injections if any(row.injection_id == f"{one}.{end}" for one in of)]
    return f"{fitting[0]}{slash}{rest}" if len(fitting) == 1 else address


def _version(content: Content) -> Step:
    manifest = content.manifest
    return Step(
        "Version",
        (
            ("dataset", manifest.slug),
            ("version", manifest.version),
            ("manifest_sha256", content.manifest_sha256),
            ("fingerprint", manifest.fingerprint),
            ("created_at", manifest.created_at),
            ("recipe", manifest.recipe),
            ("tools", manifest.tools),
        ),
    )


def _unique(files: Iterable[InputFile]) -> tuple[InputFile, ...]:
    return tuple(dict.fromkeys(sorted(files, key=lambda file: (file.role, file.uri))))


def _unknown(content: Content, address: str) -> InputError:
    known = [row.injection_id for row in content.injections]
    known += [
        f"{row.injection_id}/{row.node}/{row.component or row.container or row.pod or '-'}" for row in content.targets
    ]
    known += [f"{row.injection_id}/{row.node}/{row.kpi}" for row in content.impacts]
    known += [f"{entry['source']}:0" for entry in content.manifest.telemetry]
    near = difflib.get_close_matches(address, known, n=_NEAR, cutoff=0.5) or known[:_NEAR]
    return InputError(
        printable(address),
        f"{content.manifest.slug} {content.manifest.version} has nothing of this name",
        f"name an INJECTION, INJECTION/NODE/COMPONENT, INJECTION/NODE/KPI or FILE:SOURCE_ROW, such as "
        f"{', '.join(dict.fromkeys(near))}",
    )
