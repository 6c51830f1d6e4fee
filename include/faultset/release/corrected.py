"""What was corrected, for the card: declared corrections of known errors in a source, each with its reason."""

from __future__ import annotations

from faultset.release import markdown
from faultset.release.manifest import Manifest
from faultset.truth import corrections


def section(manifest: Manifest) -> list[str]:
    """Return the lines of the card's section on corrections; none where nothing was corrected."""
    declared = manifest.experiment.get("corrections", ())
    if not declared:
        return []
    rows = ((one["what"], corrections.statement(one), one["reason"]) for one in declared)
    return [
        "## Corrections",
        "",
        "The sources hold errors that are known. They were not edited: what was read from them was corrected as the "
        "experimenter declares it. The findings say of injections what they were before; `time_source` is `corrected` "
        "there.",
        "",
        *markdown.table(("what", "correction", "reason"), rows),
    ]
