"""A bucket that cannot be used is one clear line with exit code 3: nothing half-visible, no secret, no endless wait.

What a disk answers (full, read-only, not permitted) stands in test_publishing.py.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import releases
from faultset import release
from faultset.errors import SetupError
from faultset.release import undo
from faultset.release.commit import publish
from faultset.release.verify import verify
from releases import NOW, SLUG
from s3 import KEY_ID, S3, SECRET, guarded_server, link_to

pytestmark = pytest.mark.integration


def refused(root: str, work: Path) -> str:
    """Return the line of the error that publishing ends with; the candidate has to be given back."""
    made = releases.candidate(work, "refused")
    files = sorted(path.name for path in made.folder.rglob("*"))
    with pytest.raises(SetupError) as caught:
        publish(made, root, created_at=NOW, work=work)
    assert sorted(path.name for path in made.folder.rglob("*")) == files
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.exit_code == 3
    assert not [secret for secret in (SECRET, KEY_ID, "wrong-secret") if secret in line]
    return line


def test_a_lost_bucket(s3_server: S3, tmp_path: Path) -> None:
    assert "s3://no-such-bucket-here" in refused("s3://no-such-bucket-here/sets", tmp_path)


def test_an_endpoint_where_nobody_answers(s3_server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FAULTSET_S3_RETRY_SECONDS", "2")
    started = time.monotonic()
    refused("s3://bucket/sets", tmp_path)
    assert time.monotonic() - started < 30


def test_a_wrong_credential_and_one_without_permission(
    s3_server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guarded_server() as guarded:
        monkeypatch.setenv("AWS_ENDPOINT_URL", guarded.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", guarded.user_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
        wrong = refused("s3://guarded/sets", tmp_path / "wrong")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guarded.user_secret)
        forbidden = refused("s3://guarded/sets", tmp_path / "forbidden")
    assert guarded.user_secret not in wrong + forbidden
    assert guarded.user_key_id not in wrong + forbidden


@pytest.mark.parametrize("carried_out", [5, 15, 25, 35, 45, 52])
def test_a_bucket_that_fails_in_the_middle(
    s3_server: S3, new_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carried_out: int
) -> None:
    """Afterwards the old or the new state, and the next publish needs no help."""
    root = f"s3://{new_bucket}/sets"
    publish(releases.candidate(tmp_path, "first"), root, created_at=NOW, work=tmp_path)
    content: dict[str, list[Any]] = releases.rows() | {"injections": [releases.injection(500)]}
    with link_to(s3_server) as link, monkeypatch.context() as patch:
        link.refuse = lambda _method: 500 if len(link.asked) >= carried_out else 0
        patch.setenv("AWS_ENDPOINT_URL", link.endpoint)
        patch.setenv("FAULTSET_S3_RETRIES", "1")
        made = releases.candidate(tmp_path, "second", content)
        with pytest.raises(SetupError) as caught:
            publish(made, root, created_at=NOW, work=tmp_path)
        assert "\n" not in str(caught.value)
    before = [record.version for record in release.versions(root)]
    assert before in (["1.0.0"], ["1.0.0", "2.0.0"])
    assert verify(root) == ()
    again = made if made.folder.exists() else releases.candidate(tmp_path, "again", content)
    publish(again, root, created_at=NOW, work=tmp_path)
    assert [record.version for record in release.versions(root)][:2] == ["1.0.0", "2.0.0"]
    assert verify(root) == ()
    assert release.mend(root, tmp_path, abandoned_s=0.0) is not None
    assert release.leftovers(root, tmp_path) == []


def test_reading_and_taking_back_where_the_bucket_is_lost(s3_server: S3) -> None:
    root = "s3://no-such-bucket-here/sets"
    for ask in (
        lambda: release.versions(root),
        lambda: verify(root),
        lambda: undo.rollback(root, SLUG, "1.0.0", "why", undo.Author("A. Person", NOW)),
        lambda: release.mend(root),
    ):
        with pytest.raises(SetupError, match="no-such-bucket-here"):
            ask()
