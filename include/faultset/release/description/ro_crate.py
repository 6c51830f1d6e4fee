"""``ro-crate-metadata.json``: a Workflow Run RO-Crate, and ``workflow.cwl``, the workflow that it says was run.

The workflow is abstract: it names the steps, what goes in and what comes out, as the DAG that ran them does. Inputs are
not in the crate; each is named with its hash.
"""

from __future__ import annotations

import mimetypes
from typing import Any
from urllib.parse import quote

from faultset.errors import printable
from faultset.release.description.about import DATA, KEYWORDS, About, Creator
from faultset.release.manifest import CARD, WORKFLOW, FileEntry
from faultset.version import __version__

_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#cwl"
_TOOL, _RUN = "#faultset", "#run"
_STEPS = (
    ("extract", "inputs", "evidence", "Reads reports, cluster, scripts and telemetry into records; drops secrets."),
    ("decide", "evidence", "truth", "Decides what was injected, where, from when to when and with which effect."),
    ("label", "truth", "labeled", "Lays the injections' windows onto the rows of telemetry and looks for impacts."),
    ("validate", "labeled", "validated", "Checks expectations; a finding that is critical stops here."),
    ("publish", "validated", "version", "Compares with the version before, numbers and writes the version."),
)  # fmt: skip


def workflow() -> str:
    """Return ``workflow.cwl``; the same for every version."""
    steps = "\n".join(_step(*step) for step in _STEPS)
    return f"""\
cwlVersion: v1.2
class: Workflow
label: From the files of an experiment to a version of its dataset
inputs:
  inputs: File[]
outputs:
  version:
    type: Directory
    outputSource: publish/version
steps:
{steps}
"""


def _step(name: str, takes: str, gives: str, words: str) -> str:
    source = takes if takes == "inputs" else f"{_maker_of(takes)}/{takes}"
    kinds = {"inputs": "File[]"}
    return f"""\
  {name}:
    label: "{words}"
    in:
      {takes}: {source}
    out: [{gives}]
    run:
      class: Operation
      inputs:
        {takes}: {kinds.get(takes, "Directory")}
      outputs:
        {gives}: Directory"""


def _maker_of(what: str) -> str:
    return next(name for name, _, gives, _ in _STEPS if gives == what)


def document(known: About) -> dict[str, Any]:
    """Return the document."""
    parts = [*(_part(file) for file in known.files), _card()]
    inputs = [_input(number, file.role, file.uri, file.sha256) for number, file in enumerate(known.manifest.inputs, 1)]
    creators = [_creator(number, creator) for number, creator in enumerate(known.creators, 1)]
    return {
        "@context": f"{_CRATE}/context",
        "@graph": [
            _descriptor(),
            _root(known, parts, creators),
            _main(),
            {"@id": _LANGUAGE, "@type": "ComputerLanguage", "name": "Common Workflow Language", "alternateName": "CWL"}
            | {"identifier": {"@id": "https://w3id.org/cwl/v1.2/"}, "url": {"@id": "https://www.commonwl.org/"}},
            _run(known, parts, inputs, creators),
            {"@id": _TOOL, "@type": "SoftwareApplication", "name": "Faultset", "softwareVersion": __version__},
            *(
                {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
                for address, (name, version) in _PROFILES.items()
            ),
            *creators,
            *inputs,
            *parts,
        ],
    }


def _descriptor() -> dict[str, Any]:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": _CRATE}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}],
    }


def _root(known: About, parts: list[dict[str, Any]], creators: list[dict[str, Any]]) -> dict[str, Any]:
    license_ = known.license
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": known.title,
        "description": known.description,
        "datePublished": known.published_on,
        "version": known.manifest.version,
        "identifier": known.manifest.fingerprint,
        "license": {"@id": license_.url} if license_ and license_.url else license_.name if license_ else "none stated",
        "keywords": ", ".join(KEYWORDS),
        **({"author": _one_or_many([{"@id": creator["@id"]} for creator in creators])} if creators else {}),
        "conformsTo": [{"@id": address} for address in _PROFILES],
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": _RUN},
        "hasPart": [{"@id": WORKFLOW}, *({"@id": part["@id"]} for part in parts)],
    }


def _one_or_many(found: list[dict[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    return found[0] if len(found) == 1 else found


def _main() -> dict[str, Any]:
    return {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "From the files of an experiment to a version of its dataset",
        "description": " ".join(f"{name}: {words}" for name, _, _, words in _STEPS),
        "programmingLanguage": {"@id": _LANGUAGE},
        "encodingFormat": "application/x-yaml",
        "license": "Apache-2.0",
        "version": __version__,
    }


def _run(
    known: About, parts: list[dict[str, Any]], inputs: list[dict[str, Any]], creators: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"Building and publishing of {known.manifest.slug} {known.manifest.version}",
        "description": f"Recipe {known.manifest.recipe or 'unknown'}; the same inputs give the same fingerprint.",
        "instrument": {"@id": WORKFLOW},
        "agent": {"@id": creators[0]["@id"] if creators else _TOOL},
        "endTime": f"{known.manifest.created_at[:23]}+00:00",
        "object": [{"@id": one["@id"]} for one in inputs],
        "result": [{"@id": part["@id"]} for part in parts],
    }


def _part(file: FileEntry) -> dict[str, Any]:
    return {
        "@id": quote(file.path),
        "@type": "File",
        "name": printable(file.path),
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
        "encodingFormat": DATA if file.path.endswith(".parquet") else mimetypes.guess_type(file.path)[0] or "",
    }


def _card() -> dict[str, Any]:
    return {
        "@id": CARD,
        "@type": "File",
        "name": "Dataset card",
        "about": {"@id": "./"},
        "encodingFormat": "text/markdown",
    }


def _input(number: int, role: str, uri: str, sha256: str) -> dict[str, Any]:
    return {
        "@id": f"#input-{number}",
        "@type": "PropertyValue",
        "name": printable(role),
        "value": printable(uri),
        "description": "An input, which is not part of this crate.",
        "identifier": f"sha256:{sha256}",
    }


def _creator(number: int, creator: Creator) -> dict[str, Any]:
    if creator.url:
        return {"@id": creator.url, "@type": "Person", "name": creator.name}
    return {"@id": f"#creator-{number}", "@type": "Organization", "name": creator.name}
