"""The few operations on the root folder that need care."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from faultset import storage
from faultset.errors import InputError, SetupError
from faultset.storage import LostRaceError, open_root


def staged(root: Path, name: str = "made") -> Path:
    folder = root / ".candidates" / name
    (folder / "inner").mkdir(parents=True)
    (folder / "file").write_text("content")
    (folder / "inner" / "file").write_text("content")
    found = open_root(root).stage(folder)
    assert found is not None
    assert not folder.exists()
    return found


@pytest.mark.parametrize("root", ["s3://bucket/datasets", "S3://bucket", "gs://bucket", "https://host/x"])
def test_object_storage_is_refused_in_one_line_that_names_no_secret(root: str) -> None:
    with pytest.raises(SetupError, match="object storage is not supported by this version; point") as caught:
        open_root(root.replace("://", "://key:secret@"))
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("slug", ["", ".", "..", "a/b", "index.json", ".staging", "-x", "a\x00b", "ä", "x" * 201])
def test_a_name_that_could_leave_the_root_is_no_dataset(slug: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name of a dataset"):
        open_root(tmp_path).folders(slug)


def test_a_root_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    root = open_root(tmp_path / "none")
    assert (root.slugs(), root.folders("x"), root.read("index.json"), root.leftovers()) == ([], [], None, [])


def test_a_folder_is_shown_in_one_step_with_its_pointer(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    folder = staged(tmp_path)
    assert root.folders("set") == []
    path = root.commit(folder, "set", "1.0.0", beside=[], pointer=b"1.0.0")
    assert path == tmp_path / "set" / "1.0.0"
    assert (path / "inner" / "file").read_text() == "content"
    assert (root.folders("set"), root.read("set/latest.json"), root.leftovers()) == (["1.0.0"], b"1.0.0", [])


def test_publishing_copies_no_byte(tmp_path: Path) -> None:
    folder = staged(tmp_path)
    number = (folder / "file").stat().st_ino
    path = open_root(tmp_path).commit(folder, "set", "1.0.0", beside=[], pointer=b"")
    assert (path / "file").stat().st_ino == number


def test_a_folder_never_replaces_another(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    root.commit(staged(tmp_path), "set", "1.0.0", beside=[], pointer=b"first")
    second = staged(tmp_path)
    with pytest.raises(LostRaceError):
        root.commit(second, "set", "1.0.0", beside=["1.0.0"], pointer=b"second")
    assert root.read("set/latest.json") == b"first"
    assert root.leftovers() == [second]


def test_a_number_chosen_before_another_version_came_is_not_used(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    root.commit(staged(tmp_path), "set", "2.0.0", beside=[], pointer=b"first")
    with pytest.raises(LostRaceError):
        root.commit(staged(tmp_path), "set", "1.1.0", beside=[], pointer=b"second")
    with pytest.raises(LostRaceError):
        root.point("set", beside=[], pointer=b"third")
    assert (root.folders("set"), root.read("set/latest.json")) == (["2.0.0"], b"first")


def test_of_two_that_want_one_folder_one_gets_it(tmp_path: Path) -> None:
    staged(tmp_path)
    assert open_root(tmp_path).stage(tmp_path / ".candidates" / "made") is None


def test_a_staged_folder_gets_its_place_back_unless_a_newer_one_took_it(tmp_path: Path) -> None:
    root, folder = open_root(tmp_path), tmp_path / ".candidates" / "made"
    sealed = staged(tmp_path)
    storage.seal(sealed)
    root.unstage(sealed, folder)
    (folder / "file").write_text("can be written again")
    older = root.stage(folder)
    assert older is not None
    folder.mkdir()
    (folder / "file").write_text("newer")
    root.unstage(older, folder)
    assert (folder / "file").read_text() == "newer"
    assert root.leftovers() == []


def test_a_sealed_folder_is_read_only_and_can_be_removed_by_a_person(tmp_path: Path) -> None:
    folder = staged(tmp_path)
    storage.seal(folder)
    for name in storage.files(folder):
        assert not (folder / name).stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    assert folder.stat().st_mode & stat.S_IWUSR
    assert (folder / "inner").stat().st_mode & stat.S_IWUSR


def test_files_are_listed_in_order_and_links_are_files(tmp_path: Path) -> None:
    folder = staged(tmp_path)
    (folder / "linked").symlink_to("/")
    (folder / "dangling").symlink_to("nowhere")
    assert storage.files(folder) == ["dangling", "file", "inner/file", "linked"]


def test_replacing_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    for text in (b"one", b"two"):
        root.replace("index.json", text)
    assert root.read("index.json") == b"two"
    assert root.leftovers() == []


def test_a_file_in_the_place_of_the_root_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    root = open_root(tmp_path / "root")
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        root.slugs()
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        root.replace("index.json", b"")


def test_a_file_in_the_place_of_a_version_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.0.0").write_text("")
    with pytest.raises(SetupError, match="a file stands where a folder is needed"):
        open_root(tmp_path).commit(staged(tmp_path), "set", "1.0.0", beside=[], pointer=b"")


def test_a_read_only_file_system_is_one_clear_line() -> None:
    with pytest.raises(SetupError) as caught:
        open_root("/proc/self/fdinfo").replace("index.json", b"")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_missing_permission_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(SetupError, match="permission is missing"):
            open_root(tmp_path).replace("index.json", b"")
    finally:
        tmp_path.chmod(0o755)


def test_a_lock_is_held_by_one_and_goes_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LOCK_WAIT_S", 0.0)
    root = open_root(tmp_path)
    with root.index_locked(), pytest.raises(SetupError, match="another process has held it"), root.index_locked():
        pytest.fail("two hold one lock")
    with root.index_locked():
        pass
