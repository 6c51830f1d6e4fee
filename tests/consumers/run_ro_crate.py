"""Validates a folder with roc-validator as a Workflow Run RO-Crate, and its workflow with the parser of CWL.

The validator asks the web for the context of RO-Crate 1.1, which is given to its cache instead: that of the package
rocrate, which is of 1.2, with Bioschemas' types where 1.1 has them.
"""

import json
import sys
import tempfile
from importlib import util
from pathlib import Path

import requests
from cwl_utils.parser import load_document_by_uri
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def main(folder, cache):
    session = HttpRequester.initialize_cache(cache_path=f"{cache}/http", offline=True).session
    source = Path(util.find_spec("rocrate").submodule_search_locations[0]) / "data/ro-crate.jsonld"
    for headers in ({}, {"Accept": "application/ld+json"}):
        response = requests.Response()
        response.status_code, response.url = 200, CONTEXT
        response._content = source.read_bytes().replace(b"bioschemas.org/terms/", b"bioschemas.org/")
        response.raw = HTTPResponse(body=b"", status=200, preload_content=False, request_url=CONTEXT)
        response.headers["Content-Type"] = "application/ld+json"
        response.request = requests.Request("GET", CONTEXT, headers=headers).prepare()
        session.cache.save_response(response)
    found = {}
    for severity in (Severity.REQUIRED, Severity.RECOMMENDED):
        settings = ValidationSettings(
            rocrate_uri=str(folder),
            profile_identifier="workflow-run-crate",
            requirement_severity=severity,
            offline=True,
            cache_path=f"{cache}/http",
        )
        issues = services.validate(settings).get_issues(severity)
        found[severity.name] = sorted({f"{issue.check.identifier}: {issue.message}" for issue in issues})
    workflow = load_document_by_uri(str(folder / "workflow.cwl"))
    print(json.dumps({"issues": found, "steps": [step.id.rpartition("#")[2] for step in workflow.steps]}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        main(Path(sys.argv[1]), empty)
