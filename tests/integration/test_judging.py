"""Runs dropped into the inbox: what becomes of good, broken, repeated, packed and hostile ones."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import meanwhile
from faultset import catalog, pipeline, simulator
from faultset.errors import SetupError
from faultset.inbox import claims, filing, landing, mirror, verdicts
from faultset.inbox.verdicts import Verdict
from faultset.limits import Limits
from faultset.pipeline import claiming, judges, judging, judging_worker
from faultset.settings import Settings
from faultset.storage.bucket import Bucket

pytestmark = pytest.mark.integration

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
KEPT = ("report.html", "os-faults.yaml", "scripts")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("inbox", "catalog"):
        (tmp_path / name).mkdir()
    return Settings(
        catalog=str(tmp_path / "catalog"),
        datasets=str(tmp_path / "datasets"),
        inbox=str(tmp_path / "inbox"),
        inbox_settle_s=0,
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "run"
    simulator.simulate("glance-api-restart", folder, seed=3, iterations=120, metric_seconds=300)
    return folder


def part_of(sample: Path, inbox: Path, name: str, *kept: str) -> Path:
    target = inbox / name
    target.mkdir()
    for entry in kept or KEPT:
        source = sample / entry
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target / entry)
    return target


def judged(settings: Settings) -> dict[str, Verdict]:
    """Take and judge all that lies in the inbox, in this process."""
    taken = claiming.take(settings)
    assert taken.growing == {}
    found = [judging.judge(arrival, settings) for arrival in taken.arrivals]
    return {one.name: one for one in found if one}


def test_a_good_run_becomes_an_experiment_of_the_catalog(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "Glance run 1")
    verdict = judged(settings)["Glance run 1"]
    assert (verdict.accepted, verdict.slug) == (True, "glance-run-1")
    experiment = catalog.read_experiment(settings.catalog, "glance-run-1")
    assert experiment.approval.policy == "always"
    assert len(experiment.runs[0].hook_scripts) == 2
    place = Path(settings.inbox) / "accepted" / verdict.content_sha256
    assert (place / "verdict" / "index.html").is_file()
    assert (place / "verdict" / (verdict.data_docs or "")).is_file()
    assert {row["effect"] for row in verdict.recognised["injections"]} == {"full"}
    assert claims.open_claims(Path(settings.inbox)) == []


@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_an_archive_is_the_run_that_it_holds(settings: Settings, sample: Path, tmp_path: Path, form: str) -> None:
    folder = part_of(sample, tmp_path, "plain")
    shutil.make_archive(str(Path(settings.inbox) / "packed"), form, tmp_path, "plain")
    folder.rename(Path(settings.inbox) / "plain")
    found = judged(settings)
    packed = next(one for name, one in found.items() if name.startswith("packed."))
    assert packed.accepted
    assert packed.content_sha256 == found["plain"].content_sha256
    assert [found["plain"].same_as, packed.same_as].count(None) == 1


def test_a_run_brings_its_telemetry_and_its_own_entry(settings: Settings, sample: Path) -> None:
    target = Path(settings.inbox) / "whole"
    shutil.copytree(sample, target)
    verdict = judged(settings)["whole"]
    assert verdict.accepted
    experiment = catalog.read_experiment(settings.catalog, "whole")
    assert {source.kind for source in experiment.telemetry} == {"metrics", "logs", "traces"}
    assert experiment.title.startswith("Restart of glance_api")


def published(settings: Settings, slug: str) -> str:
    built = pipeline.build(slug, settings)
    return pipeline.publish_by_hand(built, settings, reason="a test").version


def described(sample: Path, inbox: Path, name: str, title: str) -> None:
    """Drop a run with the metrics of one node and an entry of its own."""
    target = part_of(sample, inbox, name)
    shutil.copytree(sample / "metrics", target / "metrics", ignore=lambda _, names: sorted(names)[1:])
    entry = (
        f"title: {title}\ncluster: os-faults.yaml\nruns: [{{report: report.html}}]\n"
        "telemetry: [{kind: metrics, files: metrics/*, time_zone: UTC}]\n"
    )
    (target / "experiment.yaml").write_text(entry)


def worked_on(settings: Settings) -> list[int]:
    """Return how many files were labeled, and how often telemetry was analysed, for the experiment ``run``."""
    return [len(list((Path(settings.work) / cache / "run").iterdir())) for cache in (".labeled", ".analysed")]


def test_a_run_whose_title_was_mended_is_a_patch_of_itself(settings: Settings, sample: Path) -> None:
    versions = []
    for title in ("Mistakn", "Mistaken"):
        described(sample, Path(settings.inbox), "run", title)
        mended = judged(settings)["run"]
        assert (mended.accepted, mended.slug) == (True, "run")
        # Once: what the judge labeled and analysed is taken over, and a title is no part of it.
        assert worked_on(settings) == [1, 1]
        built = pipeline.build("run", settings)
        versions.append(pipeline.publish_by_hand(built, settings, reason="a test").version)
    assert versions == ["1.0.0", "1.0.1"]
    assert worked_on(settings) == [1, 1]
    differs = pipeline.diff(settings, "run", *versions)
    assert (differs["summary"], differs["words"]) == ("", ["No record differs.", "The title differs."])
    said = (Path(settings.datasets) / "run/1.0.1/manifest.json").read_text()
    assert "metrics/" in said
    assert mended.content_sha256[:16] not in said  # names follow from the run's own, never from its content


def test_telemetry_of_an_unknown_zone_is_left_out_and_said_so(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "run", *KEPT, "metrics", "traces")
    verdict = judged(settings)["run"]
    assert verdict.accepted
    [said] = [remark for remark in verdict.remarks if "which zone" in remark.what]
    assert (said.severity, said.count) == ("warning", len(said.where))
    assert all(name.startswith("metrics/") and name in verdict.offer for name in said.where)
    assert {source.kind for source in catalog.read_experiment(settings.catalog, "run").telemetry} == {"traces"}


def without_cluster(sample: Path, inbox: Path, name: str) -> None:
    part_of(sample, inbox, name, "report.html")


def cut_off(sample: Path, inbox: Path, name: str) -> None:
    report = part_of(sample, inbox, name) / "report.html"
    report.write_bytes(report.read_bytes()[: report.stat().st_size // 2])


def of_another_cluster(sample: Path, inbox: Path, name: str) -> None:
    cluster = part_of(sample, inbox, name) / "os-faults.yaml"
    cluster.write_text(cluster.read_text().replace("ctl", "elsewhere").replace("cmp", "other"))


def trends(sample: Path, inbox: Path, name: str) -> None:
    head = '<!doctype html>\n<meta name="generator" content="Rally version 1.5.1">\n'
    page = f"{head}<title>Rally Task Trends</title>\n<script>\n$scope.data = [];\n</script></html>\n"
    (part_of(sample, inbox, name) / "report.html").write_text(page)


def two_clusters(sample: Path, inbox: Path, name: str) -> None:
    folder = part_of(sample, inbox, name)
    shutil.copy(folder / "os-faults.yaml", folder / "second.yaml")


def with_a_link(sample: Path, inbox: Path, name: str) -> None:
    (part_of(sample, inbox, name) / "passwd").symlink_to("/etc/passwd")


def broken_archive(sample: Path, inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(b"PK\x03\x04 and then nothing")


def nothing(sample: Path, inbox: Path, name: str) -> None:
    (inbox / name).mkdir()


REJECTED = {
    "no os-faults file": (without_cluster, "there is no os-faults file"),
    "cut off": (cut_off, "cut off"),
    "another cluster's": (of_another_cluster, "cluster"),
    "trends": (trends, "trends"),
    "two clusters": (two_clusters, "2 cluster files"),
    "a link": (with_a_link, "a link"),
    "broken.zip": (broken_archive, ""),
    "nothing": (nothing, "there is no report of a run in it"),
}


def test_each_kind_of_bad_run_gets_its_own_clear_verdict(settings: Settings, sample: Path) -> None:
    for name, (make, _) in REJECTED.items():
        make(sample, Path(settings.inbox), name)
    found = judged(settings)
    assert set(found) == set(REJECTED)
    for name, (_, said) in REJECTED.items():
        verdict = found[name]
        assert not verdict.accepted, name
        assert said in verdict.reason, (name, verdict.reason)
        first = verdict.remarks[0]
        assert first.severity == "critical"
        assert first.remedy
        for text in (first.what, *first.where, first.remedy):
            assert settings.inbox not in text
        dropped = Path(settings.inbox) / "quarantine" / verdict.content_sha256 / "dropped" / verdict.arrival
        assert os.path.lexists(dropped / name)
    assert len({verdict.reason for verdict in found.values()}) == len(found)
    assert list(Path(settings.catalog).iterdir()) == []


def test_the_same_content_gets_its_old_verdict_and_a_mended_run_a_new_one(settings: Settings, sample: Path) -> None:
    inbox = Path(settings.inbox)
    without_cluster(sample, inbox, "run")
    first = judged(settings)["run"]
    without_cluster(sample, inbox, "run")
    again = judged(settings)["run"]
    assert (again.accepted, again.same_as) == (False, first.arrival)
    part_of(sample, inbox, "run")
    mended = judged(settings)["run"]
    assert (mended.accepted, mended.same_as) == (True, None)
    assert len(filing.recorded(inbox)) == 3


def test_other_rules_judge_the_same_content_anew(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "run")
    assert judged(settings)["run"].accepted
    part_of(sample, Path(settings.inbox), "run")
    verdict = judged(dataclasses.replace(settings, limits=Limits(iterations=5)))["run"]
    assert (verdict.accepted, verdict.same_as) == (False, None)
    assert "iterations" in verdict.reason


# --- many, in a process of their own --------------------------------------------------------------------------------


def all_of(settings: Settings, **keywords: float) -> Iterator[str]:
    yield from judges.judge_all(claiming.take(settings).arrivals, settings, **keywords)


def test_a_run_that_takes_too_long_is_rejected_and_the_others_are_not(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "good")
    without_cluster(sample, Path(settings.inbox), "bad")
    done = list(all_of(settings, deadline_s=0.01))
    assert len(done) == 2
    found = {one.name: one for one in filing.recorded(Path(settings.inbox))}
    assert "took more than" in found["good"].reason
    assert not found["good"].accepted


def test_many_judges_at_once_give_one_verdict_each(settings: Settings, sample: Path) -> None:
    inbox = Path(settings.inbox)
    for number in range(6):
        without_cluster(sample, inbox, f"run-{number}")
        (inbox / f"run-{number}" / "note").write_text(str(number))
    arrivals = claiming.take(settings).arrivals
    threads = [threading.Thread(target=lambda: list(judges.judge_all(arrivals, settings))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.name for one in filing.recorded(inbox)) == [f"run-{number}" for number in range(6)]


def test_a_judge_that_is_killed_loses_nothing(settings: Settings, sample: Path) -> None:
    inbox = Path(settings.inbox)
    for number in range(4):
        part_of(sample, inbox, f"run-{number}")
        (inbox / f"run-{number}" / "note").write_text(str(number))
    arrivals = claiming.take(settings).arrivals
    script = (
        "import json, sys\nfrom faultset.pipeline import judging\nfrom faultset.settings import Settings\n"
        "settings, arrivals = json.loads(sys.argv[1])\n"
        "for arrival in arrivals:\n    judging.judge(arrival, Settings(**settings))\n"
    )
    asked = '[{"catalog": "%s", "datasets": "%s", "inbox": "%s"}, ["%s"]]'
    text = asked % (settings.catalog, settings.datasets, settings.inbox, '", "'.join(arrivals))
    process = subprocess.Popen([sys.executable, "-c", script, text])
    while not any((inbox / ".claimed").glob("*/work/datasets")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = claiming.take(settings).arrivals
    assert again
    assert set(again) | {one.arrival for one in filing.recorded(inbox)} == set(arrivals)
    for arrival in again:
        judging.judge(arrival, settings)
    assert sorted(one.arrival for one in filing.recorded(inbox)) == sorted(arrivals)
    assert all(one.accepted for one in filing.recorded(inbox))


def test_trouble_with_the_catalog_keeps_the_claim(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "run")
    shutil.rmtree(settings.catalog)
    Path(settings.catalog).write_text("a file where a folder is needed")
    [arrival] = claiming.take(settings).arrivals
    with pytest.raises(SetupError):
        judging.judge(arrival, settings)
    Path(settings.catalog).unlink()
    verdict = judging.judge(arrival, settings)
    assert verdict is not None
    assert verdict.accepted
    assert catalog.list_slugs(settings.catalog) == ["run"]


# --- real files -----------------------------------------------------------------------------------------------------

MSOD = {
    "nova": ("j_boot_delete_report.html", "j_boot_delete_output.json"),
    "glance": ("j_image_output.html", "j_image_output.json"),
    "neutron": ("j_network_report.html", "j_network_output.json"),
}


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/real")
@pytest.mark.parametrize("name", sorted(MSOD))
def test_a_real_run_is_accepted_with_its_findings(settings: Settings, name: str) -> None:
    folder = Path(settings.inbox) / name
    folder.mkdir()
    for file in (*MSOD[name], "os-faults-latest.yaml"):
        shutil.copy(REAL / "msod" / file, folder)
    for script in (REAL / "hook_scripts" / name).iterdir():
        shutil.copy(script, folder)
    verdict = judged(settings)[name]
    assert verdict.accepted
    effects = [row["effect"] for row in verdict.recognised["injections"]]
    assert effects == {"nova": ["partial"] * 2, "glance": ["full"] * 3, "neutron": ["full"] * 3}[name]
    if name == "nova":
        assert any("wally113" in remark.what and remark.severity == "warning" for remark in verdict.remarks)
    everything = b"".join(path.read_bytes() for path in Path(settings.inbox).rglob("verdict/**/*") if path.is_file())
    assert b"CANARY" not in everything


def test_verdicts_survive_their_json(settings: Settings, sample: Path) -> None:
    part_of(sample, Path(settings.inbox), "run")
    verdict = judged(settings)["run"]
    assert verdicts.Verdict.decode(verdict.encode()) == verdict


# --- an inbox in a bucket -------------------------------------------------------------------------------------------


def dropped_into(bucket: str, sample: Path, name: str, *kept: str, marker: bool = True) -> None:
    store = Bucket.at(f"s3://{bucket}/inbox")
    for entry in kept or KEPT:
        source = sample / entry
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            store.put_file(path, f"{name}/{path.relative_to(sample).as_posix()}")
    if marker:
        store.create(f"{name}/_COMPLETE", b"")


def test_an_inbox_in_a_bucket_is_judged_like_a_folder(tmp_path: Path, sample: Path, new_bucket: str) -> None:
    settings = Settings(
        catalog=f"s3://{new_bucket}/catalog",
        datasets=str(tmp_path / "datasets"),
        inbox=f"s3://{new_bucket}/inbox",
        inbox_settle_s=600,
    )
    dropped_into(new_bucket, sample, "good")
    dropped_into(new_bucket, sample, "bad", "report.html")
    dropped_into(new_bucket, sample, "growing", marker=False)
    taken = claiming.take(settings)
    assert list(taken.growing) == ["growing"]
    assert len(taken.arrivals) == 2
    assert claiming.take(settings).arrivals == taken.arrivals
    assert list(judges.judge_all(taken.arrivals, settings)) == list(taken.arrivals)
    keys = {entry.key for entry in Bucket.at(f"s3://{new_bucket}/inbox").list("")}
    found = {one.name: one for one in filing.recorded(settings.inbox_folder)}
    assert {name: one.accepted for name, one in found.items()} == {"good": True, "bad": False}
    for one in found.values():
        place = "accepted" if one.accepted else "quarantine"
        assert f"{place}/{one.content_sha256}/verdict/index.html" in keys
        assert f"verdicts/{one.arrival}.json" in keys
    left = {key.partition("/")[0] for key in keys}
    assert left == {"accepted", "quarantine", "verdicts", "taken", "growing"}
    assert catalog.list_slugs(settings.catalog) == ["good"]


@pytest.mark.parametrize("crash_at", ["fetch", "copy", "delete"])
def test_a_run_in_a_bucket_is_brought_once_also_after_a_crash(
    tmp_path: Path, sample: Path, new_bucket: str, crash_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, inbox = f"s3://{new_bucket}/inbox", tmp_path / "inbox"
    dropped_into(new_bucket, sample, "run")

    class CrashError(BaseException):
        pass

    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, crash_at, crash)
        with pytest.raises(CrashError):
            mirror.bring(uri, inbox, 0, time.time())
    for _ in range(2):
        assert mirror.bring(uri, inbox, 0, time.time()) == {}
    assert [drop.name for drop in landing.look(inbox, 600, time.time())] == ["run"]
    assert mirror.look(uri, 0, time.time()) == []


def test_a_run_that_changes_in_the_bucket_while_it_is_fetched_is_left_for_the_next_look(
    tmp_path: Path, new_bucket: str
) -> None:
    bucket, inbox = Bucket.at(f"s3://{new_bucket}"), tmp_path / "inbox"
    bucket.create("run/report.html", b"half of")
    with meanwhile.after(mirror._groups, lambda: bucket.put_file(Path(__file__), "run/report.html")):
        mirror.bring(f"s3://{new_bucket}", inbox, 0, time.time() + 10)
    assert landing.look(inbox, 600, time.time()) == []
    mirror.bring(f"s3://{new_bucket}", inbox, 0, time.time() + 10)
    assert (inbox / "run" / "report.html").read_bytes() == Path(__file__).read_bytes()


def test_a_verdict_that_makes_way_for_another_while_it_is_sent_is_sent_by_the_next_look(
    settings: Settings, sample: Path, new_bucket: str
) -> None:
    inbox = Path(settings.inbox)
    part_of(sample, inbox, "run", "report.html")
    verdict = judged(settings)["run"]
    lies = filing.place_of(inbox, verdict) / "verdict"

    def judge_anew() -> None:
        lies.rename(lies.with_name("former"))
        filing.write(dataclasses.replace(verdict, arrival="later"), lies)

    with meanwhile.after(Bucket.put_file, judge_anew):
        mirror.send(f"s3://{new_bucket}", inbox)
    sent = Bucket.at(f"s3://{new_bucket}")
    assert list(sent.list("verdicts")) == []
    mirror.send(f"s3://{new_bucket}", inbox)
    assert [entry.key for entry in sent.list("verdicts")] == [f"verdicts/{verdict.arrival}.json"]


def test_a_run_that_kills_its_reader_is_rejected(
    settings: Settings, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part_of(sample, Path(settings.inbox), "run")
    [arrival] = claiming.take(settings).arrivals
    with monkeypatch.context() as patched:
        patched.setattr(judging, "judge", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        assert judging_worker._judge_in_child(arrival, settings, 60) is None
    [verdict] = filing.recorded(settings.inbox_folder)
    assert not verdict.accepted
    assert "SIGKILL" in verdict.reason
