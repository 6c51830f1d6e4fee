"""Any flipped, missing or added byte is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meanwhile
import releases
from faultset import release
from faultset.errors import InputError
from faultset.release import history, undo
from faultset.release import verify as verification
from faultset.release.retention import Policy
from faultset.release.verify import Damage, verify
from releases import SLUG, published


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two versions: 1.0.0 and 1.1.0."""
    content = releases.rows()
    content["injections"].append(releases.injection(500))
    published(tmp_path, "a")
    published(tmp_path, "b", content)
    return tmp_path


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def kinds(damages: tuple[Damage, ...]) -> list[tuple[str, str]]:
    return [(damage.kind, damage.path) for damage in damages]


def test_what_was_published_is_intact(root: Path) -> None:
    assert verify(root) == verify(root, SLUG) == verify(root, SLUG, "1.0.0") == ()
    assert release.pointer_damage(root) == ()


def test_a_version_that_is_published_while_the_names_are_compared_is_no_damage(root: Path) -> None:
    content = releases.rows()
    content["injections"].append(releases.injection(750))
    with meanwhile.after(history.read_history, lambda: published(root, "c", content)):
        assert verify(root, SLUG) == ()
    assert release.latest_manifest(root, SLUG)["version"] == "2.0.0"
    with meanwhile.after(history.read_history, lambda: published(root, "d")):
        assert release.pointer_damage(root) == ()


def test_a_version_that_is_pruned_while_it_is_hashed_is_no_damage(root: Path) -> None:
    author = undo.Author("A. Person", releases.NOW)
    with meanwhile.after(verification._look, lambda: undo.prune(root, SLUG, Policy(1), author)):
        assert verify(root) == ()
    assert [record.version for record in release.versions(root)] == ["1.1.0"]


def test_a_file_that_is_missing_in_a_version_that_is_there_is_damage_all_the_same(root: Path) -> None:
    path = root / SLUG / "1.0.0" / "injections.parquet"
    with meanwhile.after(verification._look, path.unlink):
        assert kinds(verify(root)) == [("missing", f"{SLUG}/1.0.0/injections.parquet")]


def test_an_empty_root_is_intact(tmp_path: Path) -> None:
    assert verify(tmp_path) == verify(tmp_path / "none") == ()


def test_each_file_is_hashed_again(root: Path) -> None:
    folder = root / SLUG / "1.0.0"
    for name in sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()):
        data = (folder / name).read_bytes()
        overwrite(folder / name, data[:-1] + bytes([data[-1] ^ 1]))
        kind = "manifest" if name == "manifest.json" else "changed"
        assert (kind, f"{SLUG}/1.0.0/{name}") in kinds(verify(root)), name
        overwrite(folder / name, data)
    assert verify(root) == ()


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verified")
    published(root, "a")
    return root


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_found(shared_root: Path, data: st.DataObject) -> None:
    folder = shared_root / SLUG
    path = data.draw(st.sampled_from(sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")))
    intact = path.read_bytes()
    place = data.draw(st.integers(0, len(intact) - 1))
    flipped = intact[:place] + bytes([intact[place] ^ (1 << data.draw(st.integers(0, 7)))]) + intact[place + 1 :]
    # White space of the pointer carries nothing: the same words are the same pointer.
    said = path.name != "latest.json" or _words(flipped) != _words(intact)
    try:
        overwrite(path, flipped)
        assert bool(verify(shared_root)) == said
    finally:
        overwrite(path, intact)


def _words(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


def test_a_missing_file_is_found(root: Path) -> None:
    (root / SLUG / "1.0.0" / "targets.parquet").unlink()
    assert kinds(verify(root)) == [("missing", f"{SLUG}/1.0.0/targets.parquet")]
    assert verify(root, SLUG, "1.1.0") == ()


def test_an_added_file_is_found(root: Path) -> None:
    (root / SLUG / "1.1.0" / "validation" / "notes.txt").write_text("")
    assert kinds(verify(root)) == [("added", f"{SLUG}/1.1.0/validation/notes.txt")]


def test_a_link_in_the_place_of_a_file_is_found(root: Path) -> None:
    path = root / SLUG / "1.0.0" / "README.md"
    path.rename(root / "elsewhere")
    path.symlink_to(root / "elsewhere")
    assert kinds(verify(root)) == [("changed", f"{SLUG}/1.0.0/README.md")]


def remove_manifest(root: Path) -> None:
    (root / SLUG / "1.0.0" / "manifest.json").unlink()


def reword_manifest(root: Path) -> None:
    path = root / SLUG / "1.0.0" / "manifest.json"
    overwrite(path, path.read_bytes().replace(b"CC-BY-4.0", b"CC-BY-9.9"))


def manifest_that_leaves_the_folder(root: Path) -> None:
    path = root / SLUG / "1.0.0" / "manifest.json"
    overwrite(path, path.read_bytes().replace(b'"README.md"', b'"../../../etc/passwd"'))


def point_to_nothing(root: Path) -> None:
    (root / SLUG / "latest.json").write_text(json.dumps({"version": "9.0.0", "manifest_sha256": "00"}))


def point_with_another_hash(root: Path) -> None:
    (root / SLUG / "latest.json").write_text(json.dumps({"version": "1.1.0", "manifest_sha256": "00"}))


def garble_pointer(root: Path) -> None:
    (root / SLUG / "latest.json").write_bytes(b"\xff\xfe")


def remove_pointer(root: Path) -> None:
    (root / SLUG / "latest.json").unlink()


def garble_index(root: Path) -> None:
    (root / "index.json").write_text("[1]")


def remove_index(root: Path) -> None:
    (root / "index.json").unlink()


def empty_index(root: Path) -> None:
    (root / "index.json").write_text('{"datasets": []}')


def reword_index(root: Path) -> None:
    path = root / "index.json"
    path.write_bytes(path.read_bytes().replace(b"Restart", b"Restore", 1))


def remove_older_version(root: Path) -> None:
    shutil.rmtree(root / SLUG / "1.0.0")


def remove_all(root: Path) -> None:
    shutil.rmtree(root / SLUG)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (remove_manifest, "manifest"),
        (reword_manifest, "manifest"),
        (manifest_that_leaves_the_folder, "manifest"),
        (point_to_nothing, "pointer"),
        (point_with_another_hash, "pointer"),
        (garble_pointer, "pointer"),
        (remove_pointer, "pointer"),
        (garble_index, "index"),
        (remove_index, "index"),
        (empty_index, "index"),
        (reword_index, "index"),
        (remove_older_version, "index"),
        (remove_all, "index"),
    ],
)
def test_damaged_names_are_found(root: Path, damage: Callable[[Path], None], kind: str) -> None:
    damage(root)
    assert {found for found, _ in kinds(verify(root))} == {kind}
    assert {found for found, _ in kinds(release.pointer_damage(root))} == {kind}


def test_a_manifest_that_was_changed_is_not_taken_for_the_true_one_later(root: Path) -> None:
    reword_manifest(root)
    content = releases.rows()
    content["injections"] += [releases.injection(500), releases.injection(750)]
    published(root, "c", content)
    assert ("manifest", f"{SLUG}/1.0.0/manifest.json") in kinds(verify(root))


def test_damage_says_what_to_do(root: Path) -> None:
    (root / SLUG / "1.0.0" / "targets.parquet").unlink()
    (damage,) = verify(root)
    assert str(damage) == (
        f"{SLUG}/1.0.0/targets.parquet: it is missing; restore it from a copy; a version's content never changes"
    )


def test_an_unknown_dataset_or_version_is_an_error_not_a_yes(root: Path) -> None:
    with pytest.raises(InputError, match="there is no dataset"):
        verify(root, "nova")
    with pytest.raises(InputError, match="there is no such version"):
        verify(root, SLUG, "1.0.1")


def test_each_version_is_told(root: Path) -> None:
    told: list[tuple[int, int, str]] = []
    verify(root, progress=lambda *step: told.append(step))
    assert told == [(0, 2, f"{SLUG} 1.0.0: hashing"), (1, 2, f"{SLUG} 1.1.0: hashing")]
