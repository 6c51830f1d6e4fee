"""A bucket: what it stores comes back, conditions hold, and whatever goes wrong is one clear line."""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultset.errors import InputError, SetupError
from faultset.storage.bucket import Bucket, ChangedError, NotThereError
from faultset.storage.credentials import Credentials, credentials
from s3 import KEY_ID, S3, SECRET, Guarded, guarded_server, link_to


@pytest.fixture
def bucket(new_bucket: str) -> Bucket:
    return Bucket.at(f"s3://{new_bucket}/some/prefix/")


def test_what_was_written_comes_back_with_its_e_tag(bucket: Bucket) -> None:
    assert bucket.get("a/b.json") is None
    assert bucket.head("a/b.json") is None
    assert bucket.create("a/b.json", b"one")
    data, etag = bucket.get("a/b.json")
    assert data == b"one"
    assert bucket.head("a/b.json") == (3, etag)
    assert bucket.replace("a/b.json", b"two!", etag)
    data, newer = bucket.get("a/b.json")
    assert data == b"two!"
    assert newer != etag


def test_keys_are_relative_to_the_prefix(bucket: Bucket, s3_server: S3) -> None:
    bucket.create("a.txt", b"1")
    found = s3_server.client().list_objects_v2(Bucket=bucket.name)["Contents"]
    assert [one["Key"] for one in found] == ["some/prefix/a.txt"]
    assert [one.key for one in bucket.list("")] == ["a.txt"]
    assert bucket.uri_of("a.txt") == f"s3://{bucket.name}/some/prefix/a.txt"


def test_create_writes_nothing_where_something_else_is(bucket: Bucket) -> None:
    assert bucket.create("key", b"first")
    assert not bucket.create("key", b"second")
    assert bucket.get("key")[0] == b"first"


def test_replace_writes_nothing_where_the_object_changed_or_went(bucket: Bucket) -> None:
    bucket.create("key", b"first")
    etag = bucket.head("key")[1]
    assert bucket.replace("key", b"second", etag)
    assert not bucket.replace("key", b"third", etag)
    bucket.delete(["key"])
    assert not bucket.replace("key", b"fourth", etag)
    assert bucket.get("key") is None


def test_of_many_writers_one_creates_and_one_replaces(bucket: Bucket) -> None:
    def race(write) -> int:
        won, ready = [], threading.Barrier(8)

        def run(number: int) -> None:
            ready.wait()
            if write(f"writer {number}".encode()):
                won.append(number)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(won)

    for round_ in range(5):
        key = f"key {round_}"
        assert race(lambda data, key=key: bucket.create(key, data)) == 1
        etag = bucket.head(key)[1]
        assert race(lambda data, key=key, etag=etag: bucket.replace(key, data + b"!", etag)) == 1


@pytest.mark.parametrize("size", [0, 1, 8 * 1024 * 1024, 20 * 1024 * 1024 + 7])
def test_files_of_any_size_go_there_and_back(bucket: Bucket, tmp_path: Path, size: int) -> None:
    (tmp_path / "up").write_bytes(os.urandom(size))
    bucket.put_file(tmp_path / "up", "file")
    bucket.fetch("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()
    assert b"".join(bucket.stream("file")) == (tmp_path / "up").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["down", "up"]


def test_copy_happens_in_the_storage_and_says_whether_there_was_something(bucket: Bucket) -> None:
    bucket.create("a", b"data")
    assert bucket.copy("a", "b/c")
    assert bucket.get("b/c")[0] == b"data"
    assert not bucket.copy("gone", "d")
    assert bucket.get("d") is None


def test_delete_takes_missing_ones_and_more_than_one_request_can(bucket: Bucket) -> None:
    bucket.create("a", b"1")
    bucket.create("b", b"2")
    bucket.delete(["a", *(f"missing/{number}" for number in range(1100))])
    bucket.delete([])
    assert [one.key for one in bucket.list("")] == ["b"]


def test_listing_goes_by_whole_folders_and_in_order(bucket: Bucket) -> None:
    for key in ("x/2", "x/1", "x/deep/3", "xy/4", "z"):
        bucket.create(key, key.encode())
    assert [one.key for one in bucket.list("x")] == ["x/1", "x/2", "x/deep/3"]
    assert [one.key for one in bucket.list("")] == ["x/1", "x/2", "x/deep/3", "xy/4", "z"]
    assert bucket.folders("") == ["x", "xy"]
    assert bucket.folders("x/") == ["deep"]
    assert bucket.folders("none") == []
    assert list(bucket.list("none")) == []
    entry = next(bucket.list("x"))
    assert (entry.size, entry.etag) == bucket.head("x/1")
    assert entry.modified.tzinfo is not None


def test_names_of_any_letters_are_kept(bucket: Bucket) -> None:
    for key in ("ü b%20+~c#d?&.csv", "a=b/c:d", "…"):
        assert bucket.create(key, b"1")
        assert bucket.get(key)[0] == b"1"
    assert {one.key for one in bucket.list("")} == {"ü b%20+~c#d?&.csv", "a=b/c:d", "…"}


@pytest.mark.parametrize("key", ["", "/", "../x", "a/../b", "a//b", "./a", "/a", "a/"])
def test_keys_that_lead_elsewhere_are_refused(bucket: Bucket, key: str) -> None:
    with pytest.raises(InputError, match="no address of an object"):
        bucket.create(key, b"1")


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///key", "s3://b b/x", "s3://a:b@bucket/x", "s3://a:b/c@bucket", "gs://bucket", "bucket"]
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(InputError) as error:
        Bucket.at(uri)
    assert "a:b" not in str(error.value)


# --- what goes wrong ------------------------------------------------------------------------------------------------

_CALLS = {
    "get": lambda bucket, _path: bucket.get("k"),
    "head": lambda bucket, _path: bucket.head("k"),
    "create": lambda bucket, _path: bucket.create("k", b"1"),
    "replace": lambda bucket, _path: bucket.replace("k", b"1", '"0"'),
    "put_file": lambda bucket, path: bucket.put_file(path, "k"),
    "fetch": lambda bucket, path: bucket.fetch("k", path),
    "stream": lambda bucket, _path: list(bucket.stream("k")),
    "copy": lambda bucket, _path: bucket.copy("k", "l"),
    "delete": lambda bucket, _path: bucket.delete(["k"]),
    "list": lambda bucket, _path: list(bucket.list("")),
    "folders": lambda bucket, _path: bucket.folders(""),
}


@pytest.fixture(params=_CALLS)
def call(request: pytest.FixtureRequest, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"1")
    return lambda bucket: _CALLS[request.param](bucket, tmp_path / "file")


def test_a_lost_bucket_is_one_clear_line(s3_server: S3, call) -> None:
    with pytest.raises(SetupError, match="this bucket does not exist"):
        call(Bucket.at("s3://never-made/x"))


def test_a_storage_that_does_not_answer_is_one_clear_line(call, monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    with pytest.raises(SetupError, match="the storage does not answer"):
        call(Bucket.at("s3://bucket/x"))


def test_a_storage_that_fails_for_long_is_one_clear_line(
    s3_server: S3,
    call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with link_to(s3_server) as link:
        link.refuse = lambda _method: 503
        _environment(monkeypatch, AWS_ENDPOINT_URL=link.endpoint)
        with pytest.raises(SetupError, match="the storage fails for now"):
            call(Bucket.at(f"s3://{s3_server.new_bucket()}/x"))
    assert len(link.asked) >= 3


def test_what_fails_for_a_moment_is_tried_again(
    s3_server: S3,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with link_to(s3_server) as link:
        link.refuse = lambda _method: 503 if len(link.asked) % 2 == 0 else 0
        _environment(monkeypatch, AWS_ENDPOINT_URL=link.endpoint)
        assert bucket.create("key", b"1")
        assert bucket.get("key")[0] == b"1"
        assert [one.key for one in bucket.list("")] == ["key"]


def test_a_write_whose_answer_was_lost_is_ours(
    s3_server: S3,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with link_to(s3_server) as link:
        _environment(monkeypatch, AWS_ENDPOINT_URL=link.endpoint)
        for write in (
            lambda: bucket.create("key", b"token 1"),
            lambda: bucket.replace("key", b"token 2", bucket.head("key")[1]),
        ):
            lost = iter([True])
            link.lose = lambda method, lost=lost: method == "PUT" and next(lost, False)
            assert write()
            assert next(lost, None) is None, "an answer was lost"
        assert bucket.get("key")[0] == b"token 2"


def test_a_write_that_never_gets_an_answer_is_looked_for(
    s3_server: S3,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with link_to(s3_server) as link:
        _environment(monkeypatch, AWS_ENDPOINT_URL=link.endpoint)
        link.lose = lambda method: method == "PUT"
        assert bucket.create("key", b"token 1")
        link.refuse = lambda method: 500 if method == "PUT" else 0
        with pytest.raises(SetupError, match="the storage fails for now"):
            bucket.create("other", b"token 2")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with guarded_server() as found:
        yield found


@pytest.mark.parametrize("key_id", ["AKIDUNKNOWN", "the visitor's"])
def test_wrong_credentials_are_one_clear_line_without_them(
    guarded: Guarded, call, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = guarded.user_key_id if key_id == "the visitor's" else key_id
    _environment(monkeypatch, AWS_ENDPOINT_URL=guarded.endpoint, AWS_ACCESS_KEY_ID=key_id)
    with pytest.raises(SetupError, match=r"does not accept the credentials|access is refused") as error:
        call(Bucket.at("s3://guarded/x"))
    _nothing_secret(error.value, key_id, SECRET, guarded.endpoint)


def test_missing_permission_is_one_clear_line(guarded: Guarded, call, monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(
        monkeypatch,
        AWS_ENDPOINT_URL=guarded.endpoint,
        AWS_ACCESS_KEY_ID=guarded.user_key_id,
        AWS_SECRET_ACCESS_KEY=guarded.user_secret,
    )
    with pytest.raises(SetupError, match=r"permission is missing|access is refused") as error:
        call(Bucket.at("s3://guarded/x"))
    _nothing_secret(error.value, guarded.user_key_id, guarded.user_secret, guarded.endpoint)


def _nothing_secret(error: BaseException | None, *secrets: str) -> None:
    """Neither the error nor anything that a log would show beside it holds a secret."""
    shown = "".join(traceback.format_exception(error))
    for secret in (*secrets, "Signature", "X-Amz"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_ENDPOINT_URL", "no address", "AWS_ENDPOINT_URL"),
        ("AWS_ALLOW_HTTP", "false", "http, which is not allowed"),
        ("FAULTSET_S3_RETRIES", "many", "is no whole number"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(
    bucket: Bucket, name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=said):
        bucket.get("key")


def test_what_is_not_there_cannot_be_fetched(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match=f"s3://{bucket.name}/some/prefix/none: it is not there"):
        bucket.fetch("none", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_asked_for_by_its_e_tag_is_fetched_or_none_is(bucket: Bucket, tmp_path: Path) -> None:
    bucket.create("key", b"old")
    etag = bucket.head("key")[1]
    bucket.fetch("key", tmp_path / "old", etag)
    bucket.replace("key", b"new", etag)
    with pytest.raises(ChangedError, match="it was changed meanwhile"):
        bucket.fetch("key", tmp_path / "new", etag)
    assert [one.name for one in tmp_path.iterdir()] == ["old"]


def test_a_local_file_that_cannot_be_read_is_one_clear_line(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file"):
        bucket.put_file(tmp_path / "none", "key")
    bucket.create("key", b"1")
    with pytest.raises(SetupError, match="No such file"):
        bucket.fetch("key", tmp_path / "no folder" / "file")


# --- credentials ----------------------------------------------------------------------------------------------------


def test_credentials_are_used_where_the_uri_names_their_connection(
    new_bucket: str,
    s3_server: S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Credentials(access_key_id=KEY_ID, secret_access_key=SECRET, endpoint=s3_server.endpoint)
    for name in s3_server.environment:
        monkeypatch.delenv(name)
    bucket = Bucket.at(f"s3://lab@{new_bucket}/x")
    with credentials({"lab": found}.get):
        assert bucket.create("key", b"1")
        assert bucket.uri == f"s3://{new_bucket}/x"
    with pytest.raises(SetupError, match="s3://lab@: this connection is not known here"):
        bucket.get("key")
    with credentials({"": found}.get):
        assert Bucket.at(f"s3://{new_bucket}/x").get("key")[0] == b"1"
        with pytest.raises(SetupError, match="this connection is not known here"):
            bucket.get("key")


def test_no_secret_is_shown_or_pickled() -> None:
    found = Credentials(access_key_id=KEY_ID, secret_access_key=SECRET, session_token="token", endpoint="http://host")
    assert repr(found) == "Credentials()"
    with pytest.raises(TypeError):
        pickle.dumps(found)
    with credentials({"lab": found}.get):
        bucket = Bucket.at("s3://lab@bucket/x")
        assert SECRET.encode() not in pickle.dumps(bucket)
        assert repr(bucket) == "Bucket(name='bucket', prefix='x')"


def _environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    values = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "FAULTSET_S3_RETRIES": "2"} | values
    for name, value in values.items():
        monkeypatch.setenv(name, value)
