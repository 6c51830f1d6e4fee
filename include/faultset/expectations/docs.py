"""The reference page of the rules, written from the catalogue itself."""

from __future__ import annotations

from faultset.expectations.catalogue import RULES, VIEWS
from faultset.expectations.ways import Expectation, Rule

_HEAD = """\
# Expectations

What `faultset validate` checks, with Great Expectations, before a dataset is written. This page is made from
`catalogue.py` and `telemetry_rules.py` in `include/faultset/expectations/`; a test holds the two equal, and
`tools/run python -m faultset.expectations.docs > docs/reference/expectations.md` writes it anew.

Truth tables, inputs, impacts and what is known of each labeled file of telemetry are turned into views, small tables
with one row a fact. A rule looks at one column of a view, or at one row as a whole. A breach is a finding:

- **critical** stops the dataset;
- **warning** is recorded with the dataset and deserves a look;
- **info** is recorded with the dataset; it happens in sound runs too.

An experiment can set an expectation otherwise, with a reason: another severity, and another threshold where the table
names one ([how](../how-to/relax-an-expectation.md)). A critical one whose breach makes labels wrong or lets a secret
out cannot be relaxed.

What is unknown breaks no rule, unless the rule asks for just that. Findings and the results of Great Expectations are
kept in `validation/results.json` of a dataset version, its Data Docs in `validation/data_docs/index.html`. In the
latter, the characters ``< > & " ' ` $ { } \\`` that come from the inputs are replaced by harmless look-alikes, since
Great Expectations does not escape them. The run time that Data Docs show is the last moment of the experiment itself,
so that the same inputs give the same pages. The pages hold no script and fetch nothing when they are opened.
"""


def catalogue_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *(_section(view, meaning) for view, meaning in VIEWS.items())])


def _section(view: str, meaning: str) -> str:
    rows = "\n".join(_row(rule) for rule in RULES if rule.view == view)
    return (
        f"## {view}\n\n{meaning[0].upper()}{meaning[1:]}.\n\n"
        "| rule | severity | can be relaxed | what must hold | checked by | what to do |\n"
        f"|---|---|---|---|---|---|\n{rows}\n"
    )


def _row(rule: Rule) -> str:
    said = (rule.severity, _relaxing(rule), rule.meaning, _check(rule.expectation), _remedy(rule))
    return f"| `{rule.id}` | {' | '.join(said)} |"


def _relaxing(rule: Rule) -> str:
    if not rule.can_be_relaxed:
        return "no"
    return f"severity, `{rule.threshold[0]}` ({rule.threshold[1]:g})" if rule.threshold else "severity"


def _check(expectation: Expectation) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.arguments.items())
    return f"`{expectation.name}({arguments})`{_condition(expectation)}"


def _condition(expectation: Expectation) -> str:
    if expectation.only_where is None:
        return ""
    column, values = expectation.only_where
    return f", where {column} is {' or '.join(str(value) for value in values)}"


def _remedy(rule: Rule) -> str:
    return f"{rule.remedy[0].upper()}{rule.remedy[1:]}."


if __name__ == "__main__":
    print(catalogue_page(), end="")  # noqa: T201 (the page itself is asked for)
