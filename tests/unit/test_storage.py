"""The few operations on the root of the datasets that need care, on a disk and in a bucket."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from faultset import storage
from faultset.errors import InputError, SetupError
from faultset.release import history
from faultset.storage import Entry, Listing, LostRaceError, State, Store, disk, log, open_root, s3
from faultset.storage.bucket import Bucket

EMPTY = Listing(frozenset(), 0)
STATE = State("1.0.0", ({"kind": "cite", "version": "1.0.0"},))


def candidate(folder: Path, *, content: str = "content") -> Path:
    made = folder / ".candidates" / "made"
    (made / "inner").mkdir(parents=True)
    (made / "file").write_text(content)
    (made / "inner" / "file").write_text(content)
    (made / "manifest.json").write_text("{}")
    return made


def publish(root: Store, work: Path, version: str, given: Listing, *, content: str = "content") -> None:
    with root.staging.taken(candidate(work, content=content)) as staged:
        assert staged is not None
        with root.draft(staged, ["file", "inner/file"]) as draft:
            draft.commit("set", version, given=given, state=STATE)


@pytest.fixture(params=["disk", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return open_root(tmp_path)
    return open_root(f"s3://{request.getfixturevalue('new_bucket')}/sets", tmp_path)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["gs://bucket/datasets", "abfs://bucket", "https://host/x"])
def test_other_storages_are_refused_in_one_line_that_names_no_secret(where: str) -> None:
    with pytest.raises(SetupError, match="this storage is not supported; point") as caught:
        open_root(where.replace("://", "://key:secret@"))
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("slug", ["", ".", "..", "a/b", "index.json", ".staging", "-x", "a\x00b", "ä", "x" * 201])
def test_a_name_that_could_leave_the_root_is_no_dataset(slug: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name for an experiment or its dataset"):
        open_root(tmp_path).listing(slug)


# --- what both promise ----------------------------------------------------------------------------------------------


def test_a_root_that_does_not_exist_yet_is_empty(root: Store) -> None:
    assert (root.slugs(), root.listing("x"), root.read("index.json"), root.leftovers()) == ([], EMPTY, None, [])


def test_a_folder_is_shown_whole_and_is_gone_from_where_it_was(root: Store, tmp_path: Path) -> None:
    publish(root, tmp_path, "1.0.0", EMPTY)
    assert root.listing("set").folders == {"1.0.0"}
    assert root.files("set", "1.0.0") == {"file": 7, "inner/file": 7, "manifest.json": 2}
    assert root.read("set/1.0.0/inner/file") == b"content"
    assert root.leftovers(abandoned_s=0.0) == []
    assert root.slugs() == ["set"]
    assert not (tmp_path / ".candidates" / "made").exists()


def test_what_was_chosen_before_another_version_came_is_not_done(root: Store, tmp_path: Path) -> None:
    publish(root, tmp_path, "2.0.0", EMPTY)
    with pytest.raises(LostRaceError):
        publish(root, tmp_path, "1.1.0", EMPTY)
    with pytest.raises(LostRaceError):
        root.append("set", STATE, given=EMPTY)
    assert root.listing("set").folders == {"2.0.0"}


def test_what_was_chosen_before_another_decision_is_not_done(root: Store, tmp_path: Path) -> None:
    publish(root, tmp_path, "1.0.0", EMPTY)
    given = root.listing("set")
    root.append("set", STATE, given=given)
    with pytest.raises(LostRaceError):
        root.append("set", STATE, given=given)
    with pytest.raises(LostRaceError):
        publish(root, tmp_path, "2.0.0", given)
    assert root.listing("set") == Listing(frozenset(["1.0.0"]), given.entries + 1)
    assert log.decode(root.read(log.name("set", given.entries + 1)) or b"", "").state == STATE


def test_an_update_sees_what_is_there_and_writes_only_what_differs(root: Store) -> None:
    seen: list[bytes | None] = []

    def change(before: bytes | None) -> bytes | None:
        seen.append(before)
        return b"two" if before else b"one"

    for _ in range(3):
        root.update("index.json", change)
    assert root.read("index.json") == b"two"
    assert set(seen) == {None, b"one", b"two"}
    root.update("other.json", lambda _before: None)
    assert root.read("other.json") is None
    assert root.leftovers(abandoned_s=0.0) == []


def test_a_removed_version_is_gone(root: Store, tmp_path: Path) -> None:
    publish(root, tmp_path, "1.0.0", EMPTY)
    root.remove("set", "1.0.0")
    root.remove("set", "1.0.0")
    assert root.listing("set").folders == frozenset()
    assert root.leftovers(abandoned_s=0.0) == []


def test_a_version_can_be_had_as_a_local_folder(root: Store, tmp_path: Path) -> None:
    publish(root, tmp_path, "1.0.0", EMPTY)
    same = tmp_path / "same"
    same.write_text("content")
    with root.local("set", "1.0.0", ["file", "inner/file"], {"file": same}) as folder:
        assert [(folder / name).read_text() for name in ("file", "inner/file")] == ["content", "content"]
    assert root.leftovers(abandoned_s=0.0) == []
    assert root.sha256("set/1.0.0/file") == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def test_of_two_that_want_one_folder_one_gets_it(root: Store, tmp_path: Path) -> None:
    folder = candidate(tmp_path)
    with root.staging.taken(folder) as first, root.staging.taken(folder) as second:
        assert first is not None
        assert second is None


def test_a_staged_folder_gets_its_place_back_unless_a_newer_one_took_it(root: Store, tmp_path: Path) -> None:
    folder = candidate(tmp_path)
    with root.staging.taken(folder) as staged:
        assert staged is not None
        storage.seal(staged)
        root.staging.give_back(staged, folder)
    (folder / "file").write_text("can be written again")
    with root.staging.taken(folder) as older:
        assert older is not None
        folder.mkdir()
        (folder / "file").write_text("newer")
        root.staging.give_back(older, folder)
    assert (folder / "file").read_text() == "newer"
    assert root.leftovers() == []


def test_what_a_living_process_has_is_not_swept(root: Store, tmp_path: Path) -> None:
    with root.staging.taken(candidate(tmp_path)) as staged, root.staging.scratch() as scratch:
        assert staged is not None
        (scratch / "file").write_text("")
        assert root.sweep() == []
        assert (staged / "file").exists()
        assert (scratch / "file").exists()
    assert len(root.sweep()) == 1
    assert not staged.exists()


# --- a log ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_what_was_written_or_known_to_be_damaged() -> None:
    entry = Entry(STATE, log.Commit("1.0.0", "token", 2))
    data = entry.encode()
    assert log.decode(data, "here") == entry
    for damaged in (data.replace(b"1.0.0", b"1.0.1", 1), data[:-5], b"", b"[1]", b'{"sha256": 1}'):
        with pytest.raises(InputError, match="here: this entry of the dataset's log is damaged"):
            log.decode(damaged, "here")


def test_two_entries_that_say_the_same_are_told_apart() -> None:
    assert Entry(STATE).encode() != Entry(STATE).encode()


# --- a disk ---------------------------------------------------------------------------------------------------------


def test_publishing_copies_no_byte(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    with root.staging.taken(candidate(tmp_path)) as staged:
        assert staged is not None
        number = (staged / "file").stat().st_ino
        with root.draft(staged, []) as draft:
            draft.commit("set", "1.0.0", given=EMPTY, state=STATE)
    assert (tmp_path / "set" / "1.0.0" / "file").stat().st_ino == number


def test_a_sealed_folder_is_read_only_and_can_be_removed_by_a_person(tmp_path: Path) -> None:
    folder = candidate(tmp_path)
    storage.seal(folder)
    for name in storage.files(folder):
        assert not (folder / name).stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    assert folder.stat().st_mode & stat.S_IWUSR
    assert (folder / "inner").stat().st_mode & stat.S_IWUSR


def test_files_are_listed_in_order_and_links_are_files(tmp_path: Path) -> None:
    folder = candidate(tmp_path)
    (folder / "linked").symlink_to("/")
    (folder / "dangling").symlink_to("nowhere")
    assert storage.files(folder) == ["dangling", "file", "inner/file", "linked", "manifest.json"]


def test_a_file_in_the_place_of_the_root_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    root = open_root(tmp_path / "root")
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        root.slugs()
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        root.update("index.json", lambda _before: b"")


def test_a_file_in_the_place_of_a_version_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.0.0").write_text("")
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        publish(open_root(tmp_path), tmp_path, "1.0.0", EMPTY)


def test_a_read_only_file_system_is_one_clear_line() -> None:
    with pytest.raises(SetupError) as caught:
        open_root("/proc/self/fdinfo").update("index.json", lambda _before: b"")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_missing_permission_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(SetupError, match="permission is missing"):
            open_root(tmp_path).update("index.json", lambda _before: b"")
    finally:
        tmp_path.chmod(0o755)


def test_a_lock_is_held_by_one_and_goes_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOCK_WAIT_S", 0.0)
    root = open_root(tmp_path)

    with disk.DatasetRoot(tmp_path)._locked("."), pytest.raises(SetupError, match="another process has held it"):
        root.update("index.json", lambda _before: b"")
    root.update("index.json", lambda _before: b"free again")
    assert root.read("index.json") == b"free again"


# --- a bucket -------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(new_bucket: str, tmp_path: Path) -> s3.BucketRoot:
    return s3.BucketRoot(Bucket.at(f"s3://{new_bucket}/sets"), tmp_path)


def decided(
    bucket: s3.BucketRoot, tmp_path: Path, version: str = "1.0.0", given: Listing = EMPTY, state: State = STATE
) -> log.Commit:
    """An upload that became a version by an entry of the log, and was not shown yet."""
    folder = candidate(tmp_path / version)
    with bucket.draft(folder, ["file"]) as draft:
        draft.send(["manifest.json", "inner/file"], "1")
        commit = log.Commit(version, draft.token, 1)
        draft.decided = True
        bucket.decide("set", commit, state, given=given)
    return commit


class Overtaken(s3.BucketRoot):
    """A root in which, while one completes a version, another writer decides on the next and is killed."""

    def finish(self, slug: str, listing: Listing) -> bool:
        done = super().finish(slug, listing)
        if done and listing.entries < 3:
            number = f"{listing.entries + 1}.0.0"
            assert self.work
            decided(self, self.work, number, self.listing(slug), State(number))
        return done


def test_what_others_decide_while_one_completes_a_version_is_completed_too(new_bucket: str, tmp_path: Path) -> None:
    bucket = Overtaken(Bucket.at(f"s3://{new_bucket}/sets"), tmp_path)
    decided(bucket, tmp_path, "1.0.0", EMPTY, State("1.0.0"))
    known = history.complete(bucket, "set")
    assert [str(number) for number in known.numbers] == ["1.0.0", "2.0.0", "3.0.0"]
    assert (known.listing.entries, str(known.remembered)) == (3, "3.0.0")


def test_a_version_that_was_decided_is_completed_by_whoever_comes_next(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    decided(bucket, tmp_path)
    assert bucket.listing("set") == Listing(frozenset(), 1)
    bucket.finish("set", bucket.listing("set"))
    bucket.finish("set", bucket.listing("set"))
    assert bucket.listing("set") == Listing(frozenset(["1.0.0"]), 1)
    assert set(bucket.files("set", "1.0.0")) == {"file", "inner/file", "manifest.json"}


def test_descriptions_of_other_attempts_are_left_out(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    commit = decided(bucket, tmp_path)
    (tmp_path / "older").write_text("older")
    bucket.bucket.put_file(tmp_path / "older", f".staging/{commit.token}/2/other")
    bucket.finish("set", bucket.listing("set"))
    assert set(bucket.files("set", "1.0.0")) == {"file", "inner/file", "manifest.json"}


def test_one_who_comes_too_late_shows_nothing(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    commit = decided(bucket, tmp_path)
    bucket.finish("set", bucket.listing("set"))
    bucket.drop_upload(commit.token)
    bucket.remove("set", "1.0.0")
    assert not bucket.show("set", commit)
    assert bucket.files("set", "1.0.0") == {}


def test_an_upload_without_its_manifest_makes_no_version(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    commit = decided(bucket, tmp_path)
    bucket.bucket.delete([f".staging/{commit.token}/1/manifest.json"])
    bucket.finish("set", bucket.listing("set"))
    assert bucket.listing("set") == Listing(frozenset(), 1)
    publish(bucket, tmp_path / "other", "1.0.1", bucket.listing("set"))
    assert bucket.listing("set") == Listing(frozenset(["1.0.1"]), 2)


def test_what_failed_before_it_was_decided_leaves_no_upload(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    with bucket.draft(candidate(tmp_path), ["file"]):
        assert list(bucket.bucket.list(".staging"))
    assert list(bucket.bucket.list(".staging")) == []


def test_in_a_bucket_age_tells_what_is_left_over(bucket: s3.BucketRoot, tmp_path: Path) -> None:
    bucket.bucket.create(".staging/token/content/file", b"")
    bucket.bucket.create("set/9.0.0/file", b"")
    publish(bucket, tmp_path, "1.0.0", EMPTY)
    assert bucket.leftovers() == []
    assert bucket.leftovers(abandoned_s=-5.0) == [".staging/token", "set/9.0.0"]
    assert bucket.sweep(abandoned_s=-5.0) == [".staging/token", "set/9.0.0"]
    assert bucket.leftovers(abandoned_s=-5.0) == []
    assert bucket.listing("set").folders == {"1.0.0"}


def test_a_bucket_without_a_folder_for_work_cannot_be_written(new_bucket: str) -> None:
    with pytest.raises(SetupError, match="no folder for work beside this bucket is known; set FAULTSET_WORK"):
        _ = open_root(f"s3://{new_bucket}").staging


def test_whoever_is_never_first_gives_up_in_time(bucket: s3.BucketRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PATIENCE_S", 0.3)
    started = time.monotonic()

    def change(before: bytes | None) -> bytes:
        bucket.bucket.delete(["index.json"])
        bucket.bucket.create("index.json", os.urandom(8))
        return (before or b"") + b"."

    with pytest.raises(SetupError, match="other writers were always faster"):
        bucket.update("index.json", change)
    assert time.monotonic() - started < 20
