"""Versions in public archives: whole, once, and byte for byte, however the archives misbehave."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import releases
from archives import depositors
from archives.hub import NAMESPACE, Blob, Hub
from archives.invenio import Invenio
from archives.places import environment_of, unpacked
from archives.server import TOKEN, StandIn, at_random
from faultset import deposits, pipeline, release
from faultset.cli import main
from faultset.deposits import notes
from faultset.deposits.notes import Note
from faultset.errors import AnswerIsNo, FaultsetError, InputError, SetupError
from faultset.release.verify import verify
from faultset.settings import Archive, Settings
from faultset.storage import open_root
from releases import SLUG

pytestmark = pytest.mark.integration

REPO = f"{NAMESPACE}/{SLUG}"
BOTH = pytest.mark.parametrize("to", ["zenodo", "huggingface"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one version."""
    publish(tmp_path, "a")
    return tmp_path


@pytest.fixture
def archive(to: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The archive that a test is about."""
    with (Invenio() if to == "zenodo" else Hub()).running() as made:
        lead_to(made, monkeypatch)
        yield made


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Invenio]:
    with Invenio().running() as made:
        lead_to(made, monkeypatch)
        assert isinstance(made, Invenio)
        yield made


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(part_bytes=4000).running() as made:
        lead_to(made, monkeypatch)
        assert isinstance(made, Hub)
        yield made


def lead_to(archive: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(archive).items():
        monkeypatch.setenv(name, value)


def publish(root: Path, mark: str, *, files: int = 2, **changed: Any) -> str:
    made = releases.candidate(root, mark, **changed)
    for number in range(files):
        releases.write_telemetry(made.folder, f"metrics/n{number}.parquet", releases.telemetry_rows(100 + number))
    return releases.publish(made, root, created_at=releases.NOW).version


def deposit(root: Path, to: Archive, version: str | None = None) -> Note:
    return deposits.deposit(SLUG, version, to, Settings(catalog=str(root), datasets=str(root)))


def files_of(root: Path, version: str = "1.0.0") -> dict[str, bytes]:
    folder = root / SLUG / version
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def downloaded(archive: StandIn, note: Note) -> dict[str, bytes]:
    """What somebody has who downloads a version and unpacks its archives."""
    if isinstance(archive, Invenio):
        return unpacked(archive.downloaded(note.id))
    assert isinstance(archive, Hub)
    return archive.downloaded(REPO, f"v{note.version}")


def changes(archive: StandIn) -> list[str]:
    return [request for request in archive.requests if not request.startswith("GET") and "/create" not in request]


# --- what is there afterwards ---------------------------------------------------------------------------------------


@BOTH
def test_what_is_downloaded_is_the_version_and_verifies(
    root: Path, tmp_path_factory: pytest.TempPathFactory, to: Archive, archive: StandIn
) -> None:
    note = deposit(root, to)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for path, data in downloaded(archive, note).items():
        (elsewhere / SLUG / "1.0.0" / path).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / SLUG / "1.0.0" / path).write_bytes(data)
    assert verify(elsewhere, SLUG, "1.0.0") == ()
    assert files_of(elsewhere) == files_of(root)


@BOTH
def test_a_second_deposit_finds_the_first_and_changes_nothing(root: Path, to: Archive, archive: StandIn) -> None:
    first = deposit(root, to)
    done = len(changes(archive))
    assert deposit(root, to) == first
    assert len(changes(archive)) == done


@BOTH
def test_where_a_version_is_stands_beside_it_and_keeps_it_from_being_pruned(
    root: Path, to: Archive, archive: StandIn
) -> None:
    note = deposit(root, to)
    assert notes.read(open_root(root), SLUG) == (note,)
    [record] = release.versions(root, SLUG)
    assert record.cited == (f"https://doi.org/{note.doi}" if to == "zenodo" else note.url,)
    assert verify(root) == ()


@BOTH
def test_without_its_notes_a_deposit_is_found_where_it_lies(root: Path, to: Archive, archive: StandIn) -> None:
    first = deposit(root, to)
    (root / SLUG / "deposits.json").unlink()
    done = len(changes(archive))
    assert deposit(root, to).id == first.id
    assert len(changes(archive)) == done


def test_the_next_version_is_a_new_doi_under_the_same_concept(root: Path, zenodo: Invenio) -> None:
    first = deposit(root, "zenodo")
    assert publish(root, "b", files=3) != "1.0.0"
    second = deposit(root, "zenodo")
    assert second.doi != first.doi
    assert second.concept_doi == first.concept_doi is not None
    assert downloaded(zenodo, second) == files_of(root, second.version)
    assert downloaded(zenodo, first) == files_of(root)
    assert len(zenodo.registered) == 2


def test_the_next_version_is_found_to_belong_to_the_first_also_without_notes(root: Path, zenodo: Invenio) -> None:
    first = deposit(root, "zenodo")
    (root / SLUG / "deposits.json").unlink()
    publish(root, "b", files=3)
    assert deposit(root, "zenodo").concept_doi == first.concept_doi


def test_a_commit_holds_one_version_and_each_tag_stays(root: Path, hub: Hub) -> None:
    first = deposit(root, "huggingface")
    second_number = publish(root, "b", files=1)
    second = deposit(root, "huggingface")
    assert downloaded(hub, second) == files_of(root, second_number)
    assert downloaded(hub, first) == files_of(root)
    assert [commit.title for commit in hub.repositories[REPO].commits[1:]] == [
        "Version 1.0.0",
        f"Version {second_number}",
    ]


@BOTH
def test_an_older_version_does_not_follow_a_newer_one(root: Path, to: Archive, archive: StandIn) -> None:
    newer = publish(root, "b", files=3)
    deposit(root, to)
    done = len(changes(archive))
    with pytest.raises(AnswerIsNo, match=f"{newer} is there already"):
        deposit(root, to, "1.0.0")
    assert len(changes(archive)) == done


def test_any_number_of_files_fits_in_a_record(tmp_path: Path, zenodo: Invenio) -> None:
    publish(tmp_path, "a", files=150)
    note = deposit(tmp_path, "zenodo")
    assert len(zenodo.downloaded(note.id)) < 30
    assert downloaded(zenodo, note) == files_of(tmp_path)


def test_large_files_are_sent_in_parts(root: Path, hub: Hub) -> None:
    assert max(map(len, files_of(root).values())) > hub.part_bytes
    assert downloaded(hub, deposit(root, "huggingface")) == files_of(root)
    assert any(request.endswith("/complete") for request in hub.requests)


@BOTH
def test_a_large_version_takes_little_memory(
    tmp_path: Path, to: Archive, archive: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = releases.candidate(tmp_path, "a")
    (made.folder / "metrics").mkdir()
    (made.folder / "metrics" / "large.bin").write_bytes(bytes(64 << 20))
    releases.publish(made, tmp_path, created_at=releases.NOW)
    if isinstance(archive, Hub):
        archive.part_bytes = 16 << 20
    environment = environment_of(archive) | {"FAULTSET_DEPOSIT_TIMEOUT_SECONDS": "60"}
    with depositors.depositor() as depositor:
        answer = depositor.run(slug=SLUG, to=to, root=str(tmp_path), environment=environment)
    assert answer["grown_kib"] < 32 << 10, answer


# --- what is refused before anything is sent ------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("changed", "said"), [({"license": None}, "it has no license"), ({"creators": ()}, "it names no creators")]
)
def test_without_license_or_creators_nothing_is_sent(
    tmp_path: Path, to: Archive, archive: StandIn, changed: dict[str, Any], said: str
) -> None:
    publish(tmp_path, "a", **changed)
    with pytest.raises(AnswerIsNo, match=said):
        deposit(tmp_path, to)
    assert archive.requests == []


@BOTH
def test_a_withdrawn_version_is_not_deposited(root: Path, to: Archive, archive: StandIn) -> None:
    publish(root, "b", files=3)
    pipeline.withdraw(SLUG, "1.0.0", Settings(str(root), str(root)), reason="a wrong clock")
    with pytest.raises(AnswerIsNo, match="it was withdrawn: a wrong clock"):
        deposit(root, to, "1.0.0")
    assert archive.requests == []


@BOTH
def test_a_damaged_version_is_not_deposited(root: Path, to: Archive, archive: StandIn) -> None:
    path = root / SLUG / "1.0.0" / "metrics" / "n1.parquet"
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(AnswerIsNo, match="its bytes are not those that were published"):
        deposit(root, to)
    assert not any(request.startswith(("PUT", "POST /api/records")) for request in archive.requests)


@BOTH
def test_an_unknown_version_is_one_line(root: Path, to: Archive, archive: StandIn) -> None:
    with pytest.raises(InputError, match="there is no such version"):
        deposit(root, to, "9.9.9")


# --- archives as they are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_an_invenio_that_misbehaves_ends_with_one_record(root: Path, zenodo: Invenio, seed: int) -> None:
    zenodo.plan, zenodo.index_lag = at_random(seed, 0.15), 3
    note = deposit(root, "zenodo")
    assert [entry.id for entry in zenodo.published()] == [note.id]
    assert zenodo.registered == {note.doi: note.id}
    assert downloaded(zenodo, note) == files_of(root)


@pytest.mark.parametrize("seed", range(3))
def test_a_hub_that_misbehaves_ends_with_one_commit_and_tag(root: Path, hub: Hub, seed: int) -> None:
    hub.plan = at_random(seed, 0.1)
    note = deposit(root, "huggingface")
    assert len(hub.commits_of(REPO, note.manifest_sha256)) == 1
    assert hub.repositories[REPO].tags == {"v1.0.0": note.id}
    assert downloaded(hub, note) == files_of(root)


def test_drafts_that_the_dead_left_are_discarded(root: Path, zenodo: Invenio) -> None:
    # The answer to the first draft is lost, and searching does not find it for a while.
    zenodo.index_lag = 12
    zenodo.plan = lambda number: "lost" if number == 3 else None
    note = deposit(root, "zenodo")
    assert zenodo.requests[2] == "POST /api/records"
    assert sum(request == "POST /api/records" for request in zenodo.requests) == 2
    assert zenodo.drafts() == []
    assert zenodo.registered == zenodo.reserved == {note.doi: note.id}


def test_of_two_drafts_the_one_that_was_noted_first_is_published(root: Path, zenodo: Invenio) -> None:
    """As where two writers do not share a lock: another one notes its draft while this one makes its own."""
    create = zenodo.create

    def meanwhile(request: Any) -> Any:
        other, own = create(request), create(request)
        digest = release.versions(root, SLUG)[0].manifest_sha256 or ""
        notes.claim(
            open_root(root), SLUG, Note("zenodo", zenodo.url, "1.0.0", digest, other.document["id"], state="draft")
        )
        return own

    zenodo.replaced["POST /api/records"] = meanwhile
    note = deposit(root, "zenodo")
    assert note.id == "1002"
    assert [entry.id for entry in zenodo.entries.values()] == [note.id]


@BOTH
def test_two_writers_at_once_make_one(root: Path, to: Archive, archive: StandIn) -> None:
    asked = {"slug": SLUG, "to": to, "root": str(root), "environment": environment_of(archive)}
    with depositors.depositor() as one, depositors.depositor() as other:
        for writer in (one, other):
            writer.start(**asked)
        for writer in (one, other):
            writer.go()
        first, second = one.finish(), other.finish()
    assert first["note"] == second["note"]
    if isinstance(archive, Invenio):
        assert len(archive.entries) == len(archive.registered) == 1
    else:
        assert isinstance(archive, Hub)
        assert len(archive.repositories[REPO].commits) == 2


@BOTH
def test_a_token_that_expires_is_one_line_and_what_was_sent_is_not_sent_again(
    root: Path, to: Archive, archive: StandIn
) -> None:
    archive.expires_after = 20
    with pytest.raises(SetupError, match="it does not accept the token") as error:
        deposit(root, to)
    assert TOKEN not in str(error.value)
    sent = {
        request for request in archive.requests[:19] if request.startswith("PUT") and not request.endswith("/draft")
    }
    assert sent
    archive.expires_after, before = None, len(archive.requests)
    assert downloaded(archive, deposit(root, to)) == files_of(root)
    # The last file may have been under way.
    assert len(sent & set(archive.requests[before:])) <= 1


def test_metadata_that_are_rejected_are_one_line_before_any_file_is_sent(tmp_path: Path, zenodo: Invenio) -> None:
    publish(tmp_path, "a", license="ODbL-1.0")
    with pytest.raises(InputError, match=r"it rejects the version: metadata\.rights\.0: Invalid value odbl-1\.0"):
        deposit(tmp_path, "zenodo")
    assert not any("/files" in request for request in zenodo.requests)


@BOTH
def test_an_archive_that_is_down_is_one_line(
    root: Path, to: Archive, archive: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTSET_DEPOSIT_RETRY_SECONDS", "0.2")
    archive.plan = lambda _: "500"
    with pytest.raises(SetupError, match=r"it cannot now \(status 500\)"):
        deposit(root, to)


def test_signed_addresses_of_large_files_reach_no_log(root: Path, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    deposit(root, "huggingface")
    assert any("/storage/" in request for request in hub.requests)
    assert "/storage/" not in caplog.text


def test_what_others_put_under_a_tag_is_never_moved(root: Path, hub: Hub) -> None:
    note = deposit(root, "huggingface")
    [commit] = hub.commits_of(REPO, note.manifest_sha256)
    commit.files["README.md"] = Blob(b"# another\n", large=False)
    with pytest.raises(AnswerIsNo, match=r"tag v1\.0\.0 of .* differs from it in 1 file, such as README\.md"):
        deposit(root, "huggingface")


def test_a_record_that_lost_a_file_is_said_to_be_damaged(root: Path, zenodo: Invenio) -> None:
    note = deposit(root, "zenodo")
    del zenodo.entries[note.id].files["metrics.zip"]
    with pytest.raises(AnswerIsNo, match=r"differs from it in 1 file, such as metrics\.zip"):
        deposit(root, "zenodo")


def test_a_record_that_the_archive_removed_is_not_made_anew(root: Path, zenodo: Invenio) -> None:
    del zenodo.entries[deposit(root, "zenodo").id]
    with pytest.raises(AnswerIsNo, match="which held it, is not there any more"):
        deposit(root, "zenodo")
    assert zenodo.entries == {}


# --- who may write ---------------------------------------------------------------------------------------------------


def test_tokens_are_neither_shown_nor_pickled_nor_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    made = deposits.of_environment("zenodo", {"FAULTSET_ZENODO_TOKEN": TOKEN})
    assert (made.url, made.token) == ("https://zenodo.org", TOKEN)
    assert TOKEN not in repr(made)
    with pytest.raises(TypeError):
        pickle.dumps(made)
    with pytest.raises(InputError, match="no address that a token may be sent to"):
        deposits.of_environment("zenodo", {"FAULTSET_ZENODO_TOKEN": TOKEN, "FAULTSET_ZENODO_URL": "http://zenodo.lab"})


def test_a_token_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert deposits.of_environment("zenodo", {"FAULTSET_ZENODO_TOKEN_FILE": str(tmp_path / "token")}).token == TOKEN


@pytest.mark.parametrize(
    ("to", "environment", "said"),
    [
        ("zenodo", {}, "there is no token"),
        ("zenodo", {"FAULTSET_ZENODO_TOKEN_FILE": "/nowhere"}, "FAULTSET_ZENODO_TOKEN_FILE|/nowhere"),
        ("huggingface", {"HF_TOKEN": TOKEN}, "nobody says whose repositories"),
        ("zenodo", {"FAULTSET_ZENODO_TOKEN": "two words"}, "this is no token"),
        ("zenodo", {"FAULTSET_ZENODO_TOKEN": TOKEN, "FAULTSET_DEPOSIT_VISIBILITY": "some"}, "this is no visibility"),
    ],
)
def test_what_is_missing_to_write_there_is_one_line(to: Archive, environment: dict[str, str], said: str) -> None:
    with pytest.raises(FaultsetError, match=said):
        deposits.of_environment(to, environment)


# --- looking for what is due, and the command -------------------------------------------------------------------------


@pytest.fixture
def catalog(root: Path) -> Callable[[str], Settings]:
    def declare(text: str, **settings: Any) -> Settings:
        (root / "catalog" / SLUG).mkdir(parents=True, exist_ok=True)
        entry = f"title: t\nruns: [{{report: r.html}}]\n{text}\n"
        (root / "catalog" / SLUG / "experiment.yaml").write_text(entry)
        return Settings(catalog=str(root / "catalog"), datasets=str(root), **settings)

    return declare


def test_a_version_is_due_where_its_experiment_or_the_settings_want_it_until_it_is_there(
    root: Path, zenodo: Invenio, catalog: Callable[..., Settings]
) -> None:
    assert list(deposits.due(catalog(""))) == []
    assert list(deposits.due(catalog("deposit: []", deposit_to=("zenodo",)))) == []
    wanted = [deposits.Due(SLUG, "1.0.0", "zenodo", None)]
    assert list(deposits.due(catalog("", deposit_to=("zenodo",)))) == wanted
    settings = catalog("deposit: [zenodo]")
    assert list(deposits.due(settings)) == wanted
    deposit(root, "zenodo")
    assert list(deposits.due(settings)) == []
    newer = publish(root, "b", files=3)
    assert [one.version for one in deposits.due(settings)] == [newer]
    deposit(root, "zenodo")
    pipeline.rollback(SLUG, "1.0.0", settings, reason="r")
    assert list(deposits.due(settings)) == []


def test_what_is_due_and_cannot_be_deposited_is_named(
    tmp_path: Path, zenodo: Invenio, catalog: Callable[..., Settings]
) -> None:
    shutil.rmtree(tmp_path / SLUG)
    publish(tmp_path, "c", license=None)
    [one] = deposits.due(catalog("deposit: [zenodo]"))
    assert one.why_not == "it has no license, and a deposit needs one"


def test_the_command_says_where_a_version_is(root: Path, zenodo: Invenio, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deposit", SLUG, "--to", "zenodo", "--datasets", str(root)]) == 0
    said = capsys.readouterr()
    assert f"{SLUG} 1.0.0 is in zenodo: {zenodo.url}/records/1002, DOI 10.5072/zenodo.1002" in said.out
    zenodo.token = "another"
    assert main(["deposit", SLUG, "--to", "zenodo", "--datasets", str(root)]) == 3
    assert main(["deposit", SLUG, "7.0.0", "--to", "zenodo", "--datasets", str(root)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert TOKEN not in said.err
    assert [line.startswith("error: ") for line in said.err.splitlines()] == [True, True]
