"""Taking back: rollback, withdrawal, citation, retention."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import releases
from faultset import release
from faultset.errors import AnswerIsNo, InputError
from faultset.release import decisions as decided
from faultset.release import retention, undo
from faultset.release.commit import Published
from faultset.release.decisions import Decision
from faultset.release.number import Number, parse
from faultset.release.retention import Policy
from faultset.release.undo import Author
from faultset.release.verify import verify
from releases import NOW, SLUG, published

AUTHOR = Author("A. Person", NOW)
REASON = "the labels are one hour late"


def number(text: str) -> Number:
    found = parse(text)
    assert found is not None
    return found


def numbers(*texts: str) -> list[Number]:
    return [number(text) for text in texts]


def decision(kind: Any, version: str, newest: str = "9.0.0", reason: str = REASON) -> Decision:
    return Decision(kind, number(version), number(newest), "A. Person", "2026-01-02T03:04:05.000000Z", reason)


# --- which version is the latest: a pure function -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "made", "latest", "why"),
    [
        ([], [], None, "there is no version that was not withdrawn"),
        (["1.0.0", "1.10.0", "1.9.0"], [], "1.10.0", "it is the newest version"),
        (["1.0.0", "2.0.0"], [("rollback", "1.0.0", "2.0.0")], "1.0.0", f"rollback of 1.0.0 by A. Person: {REASON}"),
        (["1.0.0", "2.0.0", "2.0.1"], [("rollback", "1.0.0", "2.0.0")], "2.0.1", "it is the newest version"),
        (["1.0.0", "2.0.0"], [("withdraw", "2.0.0", "2.0.0")], "1.0.0", f"withdraw of 2.0.0 by A. Person: {REASON}"),
        (["1.0.0", "2.0.0"], [("withdraw", "1.0.0", "2.0.0")], "2.0.0", "it is the newest version"),
        # What was rolled back from does not come back when the target is withdrawn, too.
        (
            ["1.0.0", "2.0.0", "3.0.0"],
            [("rollback", "2.0.0", "3.0.0"), ("withdraw", "2.0.0", "3.0.0")],
            "1.0.0",
            f"withdraw of 2.0.0 by A. Person: {REASON}",
        ),
        # Withdrawing what came after a rollback leads back to the rollback's target.
        (
            ["1.0.0", "2.0.0", "3.0.0", "4.0.0"],
            [("rollback", "2.0.0", "3.0.0"), ("withdraw", "4.0.0", "4.0.0")],
            "2.0.0",
            f"withdraw of 4.0.0 by A. Person: {REASON}",
        ),
        (
            ["1.0.0", "2.0.0"],
            [("rollback", "1.0.0", "2.0.0"), ("rollback", "2.0.0", "2.0.0")],
            "2.0.0",
            "it is the newest version",
        ),
        (["1.0.0"], [("rollback", "1.0.0", "2.0.0")], "1.0.0", "it is the newest version"),
        (
            ["2.0.0", "3.0.0"],
            [("rollback", "1.0.0", "3.0.0")],
            None,
            "every version up to the one rolled back to was withdrawn",
        ),
        (["1.0.0", "2.0.0"], [("cite", "1.0.0", "2.0.0")], "2.0.0", "it is the newest version"),
    ],
)
def test_the_latest_version_follows_from_versions_and_decisions(
    versions: list[str], made: list[tuple[str, str, str]], latest: str | None, why: str
) -> None:
    found = decided.latest(numbers(*versions), [decision(*one) for one in made])
    assert (found.number and str(found.number), found.why) == (latest, why)


_KINDS = st.sampled_from(["rollback", "withdraw", "cite", "publish"])


@given(st.lists(st.tuples(_KINDS, st.integers(0, 12)), max_size=25))
def test_whatever_is_decided_the_latest_was_never_withdrawn_and_never_moves_by_itself(
    steps: list[tuple[str, int]],
) -> None:
    versions, made = numbers("1.0.0"), []
    for kind, which in steps:
        before = decided.latest(versions, made).number
        if kind == "publish":
            versions.append(max(versions).after("major"))
            assert decided.latest(versions, made).number == versions[-1]
            continue
        one = decision(kind, str(versions[which % len(versions)]), str(max(versions)))
        if kind == "rollback" and decided.may_roll_back(one.version, versions, made).yes:
            made.append(one)
            assert decided.latest(versions, made).number == one.version
        elif kind == "withdraw" and decided.may_withdraw(one, versions, made).yes:
            made.append(one)
            after = decided.latest(versions, made).number
            assert after is not None
            assert before is not None
            assert after == before or (before == one.version and after < before)
        elif kind == "cite":
            made.append(one)
            assert decided.latest(versions, made).number == before
        assert decided.latest(versions, made).number not in decided.withdrawn(made)


def test_a_decision_survives_being_written_down() -> None:
    one = decision("withdraw", "1.2.3")
    assert Decision.from_dict(one.as_dict()) == one
    with pytest.raises(ValueError, match="no decision"):
        Decision.from_dict(one.as_dict() | {"kind": "explode"})


# --- on a dataset ---------------------------------------------------------------------------------------------------


def content(*values: float) -> dict[str, list[Any]]:
    rows = releases.rows()
    rows["injections"] += [releases.injection(value) for value in values]
    return rows


@pytest.fixture(params=["disk", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Two versions, 1.0.0 (made from a) and 1.1.0 (made from b)."""
    where = str(tmp_path)
    if request.param == "bucket":
        where = f"s3://{request.getfixturevalue('new_bucket')}/sets"
    put(where, tmp_path, "a")
    put(where, tmp_path, "b", content(500))
    return where


def put(root: str, work: Path, mark: str, rows: dict[str, list[Any]] | None = None) -> Published:
    made = releases.candidate(work, mark, rows)
    done = releases.publish(made, root, created_at=NOW, work=work)
    shutil.rmtree(made.folder, ignore_errors=True)
    return done


def latest(root: str) -> str:
    (found,) = [record.version for record in release.versions(root) if record.latest]
    return found


def pointer(root: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(undo.open_root(root).read(f"{SLUG}/latest.json") or b"")
    return found


def test_a_rollback_moves_the_pointer_and_says_who_when_and_why(root: str) -> None:
    done = undo.rollback(root, SLUG, "1.0.0", f"  {REASON} ", AUTHOR)
    assert (done.version, done.latest, done.why) == ("1.0.0", "1.0.0", f"rollback of 1.0.0 by A. Person: {REASON}")
    assert latest(root) == "1.0.0"
    assert pointer(root)["moved"] == {
        "kind": "rollback",
        "version": "1.0.0",
        "newest": "1.1.0",
        "by": "A. Person",
        "at": "2026-01-02T03:04:05.000000Z",
        "reason": REASON,
    }
    assert verify(root) == ()


def test_after_a_rollback_the_same_inputs_neither_move_the_pointer_nor_make_a_version(
    root: str, tmp_path: Path
) -> None:
    undo.rollback(root, SLUG, "1.0.0", REASON, AUTHOR)
    again = put(root, tmp_path, "b", content(500))
    assert (again.version, again.new, again.changes) == ("1.1.0", False, "taken back; 1.0.0 is the latest")
    assert not put(root, tmp_path, "a").new
    assert (latest(root), len(release.versions(root))) == ("1.0.0", 2)
    held = release.held(root, SLUG, again_fingerprint(root, "1.1.0"))
    assert held is not None
    assert str(held.number) == "1.1.0"


def again_fingerprint(root: str, version: str) -> str:
    (found,) = [record.fingerprint for record in release.versions(root) if record.version == version]
    assert found is not None
    return found


def test_after_a_rollback_a_new_candidate_is_compared_with_the_latest_and_numbered_above_all(
    root: str, tmp_path: Path
) -> None:
    undo.rollback(root, SLUG, "1.0.0", REASON, AUTHOR)
    done = put(root, tmp_path, "c", content(750))
    # Only rows were added to 1.0.0; but those of 1.1.0, which somebody may have, are gone.
    assert (done.version, done.changes) == ("2.0.0", "major: injections +1")
    manifest = json.loads(undo.open_root(root).read(f"{SLUG}/2.0.0/manifest.json") or b"")
    assert manifest["previous"]["version"] == "1.0.0"
    assert latest(root) == "2.0.0"
    assert "moved" not in pointer(root)
    assert verify(root) == ()


def test_one_can_roll_forward_again(root: str) -> None:
    undo.rollback(root, SLUG, "1.0.0", REASON, AUTHOR)
    assert undo.rollback(root, SLUG, "1.1.0", "it was right after all", AUTHOR).latest == "1.1.0"
    assert set(pointer(root)) == {"version", "manifest_sha256"}


def test_a_withdrawn_version_stays_and_is_never_the_latest_again(root: str, tmp_path: Path) -> None:
    before = undo.open_root(root).files(SLUG, "1.1.0")
    assert undo.withdraw(root, SLUG, "1.1.0", REASON, AUTHOR).latest == "1.0.0"
    assert [(record.version, record.latest, record.withdrawn) for record in release.versions(root)] == [
        ("1.0.0", True, None),
        ("1.1.0", False, REASON),
    ]
    assert undo.open_root(root).files(SLUG, "1.1.0") == before
    assert release.withdrawal(root, SLUG, "1.1.0") == REASON
    assert release.withdrawal(root, SLUG, "1.0.0") is None
    with pytest.raises(AnswerIsNo, match="it was withdrawn, and is never the latest again"):
        undo.rollback(root, SLUG, "1.1.0", REASON, AUTHOR)
    assert not put(root, tmp_path, "b", content(500)).new
    assert latest(root) == "1.0.0"
    (dataset,) = json.loads(undo.open_root(root).read("index.json") or b"")["datasets"]
    assert [entry.get("withdrawn") for entry in dataset["versions"]] == [None, REASON]
    assert verify(root) == ()


def test_what_would_leave_no_latest_version_is_refused(root: str) -> None:
    undo.withdraw(root, SLUG, "1.1.0", REASON, AUTHOR)
    with pytest.raises(AnswerIsNo, match="nothing would be the latest then"):
        undo.withdraw(root, SLUG, "1.0.0", REASON, AUTHOR)
    with pytest.raises(AnswerIsNo, match="it was withdrawn before"):
        undo.withdraw(root, SLUG, "1.1.0", REASON, AUTHOR)


def test_a_wrong_call_is_named(root: str) -> None:
    with pytest.raises(AnswerIsNo, match="it is the latest already"):
        undo.rollback(root, SLUG, "1.1.0", REASON, AUTHOR)
    with pytest.raises(InputError, match=r"there is no such version; there are 1\.0\.0, 1\.1\.0"):
        undo.rollback(root, SLUG, "../1.0.0", REASON, AUTHOR)
    with pytest.raises(InputError, match="there is no reason"):
        undo.withdraw(root, SLUG, "1.0.0", " ", AUTHOR)
    with pytest.raises(InputError, match="no name for an experiment or its dataset"):
        undo.cite(root, "../x", "1.0.0", "doi", AUTHOR)
    with pytest.raises(InputError, match="there is no dataset of this name"):
        undo.cite(root, "other", "1.0.0", "doi", AUTHOR)


def test_a_citation_is_recorded_once(root: str) -> None:
    for _ in range(2):
        undo.cite(root, SLUG, "1.0.0", "10.5281/zenodo.1", AUTHOR)
    undo.cite(root, SLUG, "1.0.0", "10.5281/zenodo.2", AUTHOR)
    assert release.versions(root)[0].cited == ("10.5281/zenodo.1", "10.5281/zenodo.2")
    assert verify(root) == ()


def test_a_damaged_log_is_found_and_named(root: str) -> None:
    undo.cite(root, SLUG, "1.0.0", "10.5281/zenodo.1", AUTHOR)
    store = undo.open_root(root)
    name = f"{SLUG}/.log/{store.listing(SLUG).entries:08}.json"
    store.update(name, lambda data: (data or b"").replace(b"zenodo.1", b"zenodo.9"))
    assert ("log", f"{SLUG}/.log") in [(damage.kind, damage.path) for damage in verify(root)]
    with pytest.raises(InputError, match="this entry of the dataset's log is damaged"):
        undo.rollback(root, SLUG, "1.0.0", REASON, AUTHOR)


def test_a_pointer_with_a_decision_that_nobody_made_is_found_and_mended(root: str) -> None:
    undo.rollback(root, SLUG, "1.0.0", REASON, AUTHOR)
    store = undo.open_root(root)
    store.update(f"{SLUG}/latest.json", lambda data: (data or b"").replace(b"A. Person", b"B. Person"))
    (damage,) = verify(root)
    assert (damage.kind, damage.problem) == ("pointer", "it names a decision that nobody made")
    assert release.mend(root) == [f"{SLUG}/latest.json: written anew"]
    assert verify(root) == ()
    assert release.mend(root) == []


def test_a_rollback_away_from_a_damaged_version(tmp_path: Path) -> None:
    published(tmp_path, "a")
    path = published(tmp_path, "b", content(500)).path / "manifest.json"
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert undo.rollback(tmp_path, SLUG, "1.0.0", "1.1.0 is damaged", AUTHOR).latest == "1.0.0"
    assert latest(str(tmp_path)) == "1.0.0"


# --- retention ------------------------------------------------------------------------------------------------------


def test_a_policy_keeps_the_latest_the_newer_the_cited_and_what_it_names() -> None:
    now = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    days = {"1.0.0": 30, "2.0.0": 20, "3.0.0": 10, "4.0.0": None, "5.0.0": 5, "6.0.0": 1, "7.0.0": 0}
    made = {number(v): None if d is None else now - dt.timedelta(days=d) for v, d in days.items()}
    said = [decision("cite", "1.0.0", reason="10.5281/zenodo.1"), decision("rollback", "6.0.0", "7.0.0")]
    found = retention.keep(made, said, Policy(3, dt.timedelta(days=7)), now)
    assert {str(version): (answer.yes, answer.why) for version, answer in found.items()} == {
        "1.0.0": (True, "it is cited: 10.5281/zenodo.1"),
        "2.0.0": (False, "it is neither the latest, nor cited, nor new enough for the policy"),
        "3.0.0": (False, "it is neither the latest, nor cited, nor new enough for the policy"),
        "4.0.0": (True, "its manifest cannot be read"),
        "5.0.0": (True, "it is one of the newest 3"),
        "6.0.0": (True, "it is the latest"),
        "7.0.0": (True, "it is newer than the latest"),
    }
    young = retention.keep(made, said, Policy(1, dt.timedelta(days=15)), now)
    assert young[number("3.0.0")].why == "it is younger than 15 days"


def test_what_a_policy_does_not_keep_is_removed_and_its_number_never_used_again(root: str, tmp_path: Path) -> None:
    put(root, tmp_path, "c", content(500, 750))
    undo.cite(root, SLUG, "1.0.0", "10.5281/zenodo.1", AUTHOR)
    planned = undo.plan(root, SLUG, Policy(1), NOW)
    assert len(release.versions(root)) == 3
    assert undo.prune(root, SLUG, Policy(1), AUTHOR) == planned
    assert [(one.version, one.kept) for one in planned] == [("1.0.0", True), ("1.1.0", False), ("1.2.0", True)]
    assert [record.version for record in release.versions(root)] == ["1.0.0", "1.2.0"]
    assert undo.open_root(root).files(SLUG, "1.1.0") == {} if "://" in root else not Path(root, SLUG, "1.1.0").exists()
    (dataset,) = json.loads(undo.open_root(root).read("index.json") or b"")["datasets"]
    assert [entry["version"] for entry in dataset["versions"]] == ["1.0.0", "1.2.0"]
    assert (verify(root), release.leftovers(root)) == ((), [])
    assert undo.prune(root, SLUG, Policy(1), AUTHOR) == [one for one in planned if one.kept]


def test_nothing_is_removed_that_somebody_cited_meanwhile(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, asked = undo.plan, []

    def first_plan_then_cite(*arguments: Any) -> list[undo.Retained]:
        found = plan(*arguments)
        if not asked:
            asked.append(found)
            undo.cite(root, SLUG, "1.0.0", "10.5281/zenodo.1", AUTHOR)
        return found

    monkeypatch.setattr(undo, "plan", first_plan_then_cite)
    undo.prune(root, SLUG, Policy(1), AUTHOR)
    assert [record.version for record in release.versions(root)] == ["1.0.0", "1.1.0"]
