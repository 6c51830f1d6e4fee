"""JMeter's results (JTL as CSV) as load: each sample is an iteration.

``timeStamp`` is the sample's start in milliseconds, as ``jmeter.properties`` has it since 2.0; ``elapsed`` is in
milliseconds too.
"""

from __future__ import annotations

from collections.abc import Iterator

from faultset.errors import InputError
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, no_secrets
from faultset.sources.load.samples import Sample, load_run, message, number, table_rows

_REMEDY = "give the JTL that `jmeter -n -t PLAN -l results.jtl` writes as CSV, with its header"
_COLUMNS = {"timeStamp", "elapsed", "success"}


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is a JTL."""
    if set(head.first_line.split(",")) >= _COLUMNS:
        return Recognition("run", "it has the columns of JMeter's results")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return the load that a JTL records.

    Raises:
        InputError: it cannot be read, or holds no sample.
    """
    if beside is not None:
        raise InputError(beside, "JMeter's results have no file beside them", "leave results: out")
    threads = 0

    def samples() -> Iterator[Sample]:
        nonlocal threads
        for row in table_rows(uri):
            at, took = number(row["timeStamp"]), number(row["elapsed"])
            if at is None or took is None:
                continue
            threads = max(threads, int(number(row.get("allThreads")) or 0))
            error = None
            if row["success"].strip().lower() != "true":
                why = row.get("failureMessage") or row.get("responseMessage") or "it failed"
                error = message(row.get("responseCode") or "failed", why)
            yield Sample(at / 1000, took / 1000, error=error)

    found = list(samples())
    return load_run(uri, SOURCE.name, found, concurrency=threads or None, remedy=_REMEDY)


SOURCE = Source("jmeter", "results of JMeter", "load", recognise, read, no_secrets)
