"""Catalogs, inputs and datasets in a bucket: the same as in folders, down to the fingerprint."""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import faultset
import releases
from faultset import catalog, pipeline, simulator
from faultset.errors import InputError, SetupError
from faultset.release.commit import publish
from faultset.settings import Settings
from faultset.sources.kit import fetched, files
from faultset.storage.bucket import Bucket
from faultset_cli import run
from s3 import S3, Link, link_to

pytestmark = pytest.mark.integration

SLUG = "glance"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of one experiment, in a folder."""
    root = tmp_path_factory.mktemp("simulated")
    simulator.simulate("glance-api-restart", root / SLUG, seed=1, iterations=60)
    return root


def upload(folder: Path, bucket: Bucket) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            bucket.put_file(path, path.relative_to(folder).as_posix())


@pytest.fixture(scope="module")
def in_bucket(simulated: Path, s3_server: S3) -> Bucket:
    """The same catalog in a bucket."""
    bucket = Bucket.at(f"s3://{s3_server.new_bucket()}/experiments")
    upload(simulated, bucket)
    return bucket


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the datasets and of the work, as the environment names it."""
    monkeypatch.setenv("FAULTSET_DATASETS", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


@pytest.fixture
def link(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A counting link to the storage, which the environment leads over."""
    with link_to(s3_server) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL", link.endpoint)
        yield link


# --- catalog and inputs -----------------------------------------------------------------------------------------------


def test_a_build_has_one_fingerprint_wherever_and_however_its_inputs_lie(
    simulated: Path, in_bucket: Bucket, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    disk = pipeline.build(SLUG, Settings(str(simulated), str(work / "disk")))
    assert disk.validation is not None
    bucket = pipeline.build(SLUG, Settings(in_bucket.uri, str(work / "bucket")))
    assert (bucket.fingerprint, bucket.injections, bucket.targets) == (disk.fingerprint, disk.injections, disk.targets)
    assert content(work / "bucket", bucket) == content(work / "disk", disk)

    moved = tmp_path / "another folder"
    shutil.copytree(simulated, moved)
    declared = moved / SLUG / "experiment.yaml"
    entry = yaml.safe_load(declared.read_text())
    entry["telemetry"].reverse()
    entry["runs"][0]["hook_scripts"].reverse()
    declared.write_text(yaml.safe_dump(dict(reversed(entry.items())), sort_keys=False))
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    time.tzset()
    try:
        again = pipeline.build(SLUG, Settings(str(moved), str(work / "moved")))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert again.fingerprint == disk.fingerprint
    assert content(work / "moved", again) == content(work / "disk", disk)


def content(root: Path, built: pipeline.Built) -> dict[str, bytes]:
    """Everything that a candidate's tables and telemetry hold."""
    folder = root / ".candidates" / SLUG / built.fingerprint
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}
    assert len(found) > 6
    return found


def test_the_root_that_an_option_names_is_that_of_inputs_that_are_fetched_too(
    in_bucket: Bucket, work: Path, tmp_path: Path
):
    """Trap: readers ask the environment, so that copies of inputs went to the root that the option replaces."""
    named = tmp_path / "named"
    done = run("inspect", f"{in_bucket.uri}/{SLUG}/report.html", "--datasets", str(named), "--json")
    assert done.exit_code == 0, done.stderr
    assert list((named / fetched.FOLDER).iterdir())
    assert not (work / fetched.FOLDER).exists()
    assert os.environ["FAULTSET_DATASETS"] == str(work)


def test_a_catalog_in_a_bucket_is_listed_and_its_files_are_found(in_bucket: Bucket, work: Path):
    assert catalog.list_slugs(in_bucket.uri + "/") == [SLUG]
    experiment = catalog.read_experiment(in_bucket.uri, SLUG)
    assert catalog.resolve(experiment, "report.html") == f"{in_bucket.uri}/{SLUG}/report.html"
    assert catalog.resolve(experiment, "../shared/os-faults.yaml") == f"{in_bucket.uri}/shared/os-faults.yaml"
    metrics = catalog.telemetry_files(experiment, experiment.telemetry[0])
    assert metrics
    assert all(uri.startswith(f"{in_bucket.uri}/{SLUG}/metrics/") for uri in metrics)
    with pytest.raises(InputError, match="this leads out of the bucket"):
        catalog.resolve(experiment, "../../../report.html")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cluster": "os-fault.yaml"}, r"experiment.yaml:\d+: cluster names .*did you mean os-faults.yaml"),
        ({"runs": [{"report": "s3://no-such-bucket/x"}]}, "s3://no-such-bucket/x: this bucket does not exist"),
        ({"telemetry": [{"kind": "logs", "files": "lags/*", "time_zone": "UTC"}]}, "no file fits telemetry"),
    ],
)
def test_what_is_missing_in_a_bucket_is_named(simulated: Path, new_bucket: str, work: Path, change, said: str):
    bucket = Bucket.at(f"s3://{new_bucket}/experiments")
    upload(simulated, bucket)
    entry = yaml.safe_load((simulated / SLUG / "experiment.yaml").read_text()) | change
    bucket.delete([f"{SLUG}/experiment.yaml"])
    bucket.create(f"{SLUG}/experiment.yaml", yaml.safe_dump(entry).encode())
    with pytest.raises((InputError, SetupError), match=said):
        catalog.read_experiment(bucket.uri, SLUG)


def test_no_experiment_is_there_and_the_nearest_is_named(in_bucket: Bucket, work: Path):
    with pytest.raises(InputError, match=r"no experiment .glanse. in the catalog \(did you mean glance"):
        catalog.read_experiment(in_bucket.uri, "glanse")


def test_the_name_of_a_connection_is_recorded_nowhere(in_bucket: Bucket, work: Path):
    reference = f"{in_bucket.uri}/{SLUG}/report.html".replace("s3://", "s3://lab@")
    assert catalog.public_name(reference) == f"{in_bucket.uri}/{SLUG}/report.html"


def test_a_new_experiment_is_written_into_a_bucket_once(
    simulated: Path, in_bucket: Bucket, new_bucket: str, work: Path
):
    root = f"s3://{new_bucket}/catalog"
    report, cluster = f"{in_bucket.uri}/{SLUG}/report.html", str(simulated / SLUG / "os-faults.yaml")
    assert catalog.new_experiment(root, "nova", report, cluster) == f"{root}/nova/experiment.yaml"
    experiment = catalog.read_experiment(root, "nova")
    assert (experiment.runs[0].report, experiment.cluster) == (report, cluster)
    with pytest.raises(InputError, match="the experiment is there already"):
        catalog.new_experiment(root, "nova", report, cluster)


def test_an_object_is_fetched_once_for_each_of_its_states(new_bucket: str, work: Path, link: Link):
    bucket = Bucket.at(f"s3://{new_bucket}/x")
    uri = bucket.uri_of("data.csv")
    bucket.create("data.csv", b"old" * 1000)
    for _ in range(3):
        assert files.sha256_of(uri)[0] == 3000
    assert [one.method for one in link.asked].count("GET") == 1
    bucket.replace("data.csv", b"new" * 1000, bucket.head("data.csv")[1])
    assert files.read_bytes(uri) == b"new" * 1000
    assert [one.method for one in link.asked].count("GET") == 2


def test_a_missing_object_is_wrong_input_and_a_lost_storage_is_the_environments_error(
    new_bucket: str, work: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(InputError, match=f"s3://{new_bucket}/report.html: does not exist"):
        files.read_bytes(f"s3://{new_bucket}/report.html")
    with pytest.raises(InputError, match="this is a bucket, not a file in it"):
        files.read_bytes(f"s3://{new_bucket}/")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SetupError, match="the storage does not answer"):
        files.read_bytes(f"s3://{new_bucket}/report.html")


def test_what_is_too_large_is_refused_before_it_is_fetched(new_bucket: str, work: Path, link: Link):
    bucket = Bucket.at(f"s3://{new_bucket}")
    bucket.create("large", b"x" * 5000)
    with pytest.raises(InputError, match="more than the limit of 1,000"):
        files.read_bytes(bucket.uri_of("large"), limit=1000)
    assert link.answered < 5000


def test_fetched_inputs_make_room_for_others_but_not_while_they_are_in_use(
    new_bucket: str, work: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FAULTSET_INPUTS_GB", "0")
    bucket = Bucket.at(f"s3://{new_bucket}")
    for name in ("a", "b", "c"):
        bucket.create(name, name.encode())
    first = fetched.local_copy(bucket.uri_of("a"))
    second = fetched.local_copy(bucket.uri_of("b"))
    assert (first.read_bytes(), second.read_bytes()) == (b"a", b"b")
    two_hours_ago = time.time() - 7200
    os.utime(first, (two_hours_ago, two_hours_ago))
    third = fetched.local_copy(bucket.uri_of("c"))
    assert sorted(first.parent.iterdir()) == sorted([second, third])


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(simulated: Path, s3_server: S3, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The root of published datasets in a folder, and the URI of the same in a bucket."""
    root = tmp_path_factory.mktemp("published")
    simulator.simulate("glance-api-restart", root / "experiments" / SLUG, seed=1, metric_seconds=400_000)
    settings = Settings(str(root / "experiments"), str(root / "datasets"))
    pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="a test")
    bucket = Bucket.at(f"s3://{s3_server.new_bucket()}/datasets")
    for path in sorted((root / "datasets" / SLUG).rglob("*")):
        if path.is_file():
            bucket.put_file(path, path.relative_to(root / "datasets").as_posix())
    return root / "datasets", bucket.uri


def test_a_dataset_in_a_bucket_reads_as_one_in_a_folder(published: tuple[Path, str]):
    local, remote = (faultset.open(SLUG, root=root) for root in published)
    assert remote.version == local.version == "1.0.0"
    assert remote.path == f"{published[1]}/{SLUG}/1.0.0"
    assert remote.manifest == local.manifest
    for table in ("workloads", "triggers", "injections", "targets", "iterations", "impacts", "impact_tests"):
        assert list(getattr(remote, table)) == list(getattr(local, table))
        assert getattr(remote, table).arrow().equals(getattr(local, table).arrow())
    for kind in ("metrics", "logs", "traces"):
        assert getattr(remote, kind).arrow().equals(getattr(local, kind).arrow())
    assert faultset.open(SLUG, version="1.0.0", root=published[1]).manifest == local.manifest


def test_a_narrow_question_fetches_few_of_the_stored_bytes(published: tuple[Path, str], link: Link):
    ds = faultset.open(SLUG, root=published[1])
    injection = ds.injections[0]
    stored = sum(file.size for file in ds.metrics.files)
    link.asked.clear()
    rows = ds.metrics(nodes=["ctl01"], columns=["mem.used"], during=injection, margin="1min")
    assert len(rows) > 60
    print(f"{link.answered:,} bytes in {len(link.asked)} requests of {stored:,} stored")
    assert link.answered < 0.3 * stored


def test_a_bucket_without_the_dataset_or_the_version_says_what_there_is(published: tuple[Path, str]):
    with pytest.raises(InputError, match="there is no dataset of this name"):
        faultset.open("nova", root=published[1])
    with pytest.raises(InputError, match=r"there are 1\.0\.0"):
        faultset.open(SLUG, version="9.9.9", root=published[1])


def test_a_version_that_is_not_whole_yet_is_not_seen(published: tuple[Path, str]):
    bucket = Bucket.at(published[1])
    bucket.create(f"{SLUG}/2.0.0/metrics/half.parquet", b"PAR1")
    assert faultset.open(SLUG, root=published[1]).version == "1.0.0"
    with pytest.raises(InputError, match=r"no such version; there are 1\.0\.0"):
        faultset.open(SLUG, version="2.0.0", root=published[1])
    bucket.delete([f"{SLUG}/2.0.0/metrics/half.parquet"])


def test_a_manifest_that_is_not_the_published_one_is_refused(published: tuple[Path, str], new_bucket: str):
    bucket = Bucket.at(f"s3://{new_bucket}")
    for path in (published[0] / SLUG).rglob("*.json"):
        bucket.put_file(path, path.relative_to(published[0]).as_posix())
    key = f"{SLUG}/1.0.0/manifest.json"
    data, etag = bucket.get(key)
    bucket.replace(key, data.replace(b"glance", b"glanse"), etag)
    with pytest.raises(InputError, match="this is not the manifest that was published"):
        faultset.open(SLUG, root=bucket.uri)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_version_that_was_withdrawn_is_read_with_a_warning(kind: str, new_bucket: str, tmp_path: Path):
    root = tmp_path / "datasets" if kind == "folder" else f"s3://{new_bucket}/datasets"
    settings = Settings(str(tmp_path), str(root), str(tmp_path / "work"))
    for mark in ("first", "second"):
        content = releases.rows()
        content["injections"] = [releases.injection(250, effect_reason=mark)]
        publish(
            releases.candidate(Path(settings.work), mark, content),
            settings.datasets,
            created_at=releases.NOW,
            work=settings.work,
        )
    older, newer = (record["version"] for record in pipeline.versions(settings, releases.SLUG))
    pipeline.withdraw(releases.SLUG, older, settings, reason="the clock was wrong")
    with pytest.warns(UserWarning, match=f"{older} was withdrawn: the clock was wrong"):
        assert faultset.open(releases.SLUG, version=older, root=root).version == older
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert faultset.open(releases.SLUG, root=root).version == newer


def test_a_storage_that_is_lost_while_reading_is_one_clear_line(published: tuple[Path, str], link: Link):
    ds = faultset.open(SLUG, root=published[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        link.refuse = lambda _method: 503
        with pytest.raises(SetupError, match="the storage fails for now"):
            ds.metrics(columns=["mem.used"])
    with pytest.raises(SetupError, match="the storage fails for now"):
        _ = ds.injections


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_command_line_takes_addresses_in_buckets(
    simulated: Path, in_bucket: Bucket, work: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FAULTSET_CATALOG", in_bucket.uri)
    there, here = f"{in_bucket.uri}/{SLUG}", simulated / SLUG
    cluster = ("--cluster", f"{there}/os-faults.yaml", "--json")
    shown = run("inspect", f"{there}/report.html", "--results", f"{there}/results.json", *cluster)
    assert shown.exit_code == 0
    known = run("inspect", str(here / "report.html"), "--results", str(here / "results.json"), *cluster)
    started = [[row["started_at"] for row in json.loads(one.stdout)["injections"]] for one in (shown, known)]
    assert started[0] == started[1] != []
    made = run("new", "nova", "--report", f"{there}/report.html", "--cluster", f"{there}/os-faults.yaml", "--json")
    assert json.loads(made.stdout) == {"slug": "nova", "path": f"{in_bucket.uri}/nova/experiment.yaml"}
    in_bucket.delete(["nova/experiment.yaml"])
    lost = run("validate", SLUG, "--catalog", "s3://no-such-bucket/experiments")
    assert (lost.exit_code, lost.stdout) == (3, "")
    assert lost.stderr.startswith("error: s3://no-such-bucket/experiments/glance/experiment.yaml: this bucket does not")
