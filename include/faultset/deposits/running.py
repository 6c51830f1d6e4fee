"""One version into one archive: looked up, locked, sent, noted and cited."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faultset import release
from faultset.deposits import plan
from faultset.deposits.access import access_to
from faultset.deposits.http import Patience
from faultset.deposits.job import Job, Tell
from faultset.deposits.notes import Note
from faultset.deposits.plan import Content
from faultset.errors import AnswerIsNo, InputError
from faultset.pipeline import undoing
from faultset.release.history import VersionRecord
from faultset.release.manifest import decode
from faultset.settings import Archive, Settings
from faultset.slug import check_slug
from faultset.storage import MANIFEST, explain_os_errors, open_root

LOCKS = ".deposits"


def _untold(_done: int, _total: int, _what: str) -> None:
    pass


def deposit(slug: str, version: str | None, to: Archive, settings: Settings, tell: Tell = _untold) -> Note:
    """Bring a version to an archive, or find it there, and return where it is.

    Safe to repeat, to kill at any moment and to run twice at once: what is there is found by looking, there is one
    record or tag, and nothing is visible before it is whole.

    Args:
        slug: the dataset.
        version: X.Y.Z; the latest where it is None.
        to: which archive.
        settings: where things are.
        tell: called with bytes done, bytes in all and what is done now.

    Raises:
        InputError: there is no such version, or the archive rejects what is said of it.
        AnswerIsNo: it may not be deposited, or something else lies there under its name.
        SetupError: there is no token, or the archive does not accept it, or does not answer for long.
    """
    store = open_root(settings.datasets, settings.work)
    found, chosen = _content(slug, version, settings)
    answer = plan.may_deposit(found, chosen.withdrawn)
    if not answer.yes:
        remedy = "add license and creators to its experiment.yaml, which makes a new version"
        raise AnswerIsNo(found.name, answer.why, "deposit another version" if chosen.withdrawn is not None else remedy)
    access, patience = access_to(to), Patience.from_environment()
    with _locked(slug, settings), store.local(slug, chosen.version, [file.path for file in found.files], {}) as folder:
        job = _depositor(to)(access=access, version=found, folder=folder, store=store, patience=patience, tell=tell)
        made = job.run()
    # Somebody may rely on it from now on, so that it is never pruned.
    citation = f"https://doi.org/{made.doi}" if made.doi else made.url
    undoing.cite(slug, made.version, settings, citation=citation or access.url, by="faultset deposit")
    return made


def _depositor(to: Archive) -> type[Job]:
    """Return the class that knows an archive; each loads a library of its own."""
    if to == "zenodo":
        from faultset.deposits.invenio import Deposit  # noqa: PLC0415

        return Deposit
    from faultset.deposits.huggingface import Deposit as ToHub  # noqa: PLC0415

    return ToHub


def _content(slug: str, version: str | None, settings: Settings) -> tuple[Content, VersionRecord]:
    records = release.versions(settings.datasets, check_slug(slug))
    chosen = [one for one in records if (one.latest if version is None else one.version == version)]
    if not chosen:
        which = f"{slug} {version}" if version else slug
        raise InputError(which, "there is no such version", f"see faultset versions {slug}")
    store, name = open_root(settings.datasets), f"{slug}/{chosen[0].version}/{MANIFEST}"
    data = store.read(name) or b""
    others = [(one.version, one.manifest_sha256) for one in reversed(records) if one is not chosen[0]]
    known = tuple((number, digest) for number, digest in others if digest)
    return plan.content(decode(data, store.uri_of(name)), data, known), chosen[0]


@contextmanager
def _locked(slug: str, settings: Settings) -> Iterator[None]:
    """Wait until nobody else deposits this dataset; the lock is the kernel's, and goes when its process does."""
    path = Path(settings.work) / LOCKS / f"{slug}.lock"
    with explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with explain_os_errors(path):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
