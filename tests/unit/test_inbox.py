"""The inbox: what is taken for whole, who gets it, what its files are, and where it ends up."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
import yaml

import meanwhile
from faultset.catalog import read_experiment, resolve
from faultset.errors import InputError, SetupError
from faultset.inbox import claims, content, entries, filing, landing, proposal, roles, verdicts
from faultset.inbox.roles import Recognised
from faultset.storage import bytes_of, folders

LATER = 1000.0


def dropped(inbox: Path, name: str = "run", **files: str) -> Path:
    folder = inbox / name
    folder.mkdir(parents=True)
    for file, text in (files or {"a": "1"}).items():
        (folder / file).write_text(text)
    return folder


def now() -> float:
    return time.time()


# --- landing --------------------------------------------------------------------------------------------------------


def test_a_run_that_changed_just_now_is_left_alone(tmp_path: Path) -> None:
    dropped(tmp_path)
    [drop] = landing.look(tmp_path, 30, now())
    assert (drop.whole, drop.name) == (False, "run")
    assert "s ago" in drop.why


def test_a_run_that_did_not_change_for_a_while_is_whole(tmp_path: Path) -> None:
    dropped(tmp_path)
    [drop] = landing.look(tmp_path, 30, now() + LATER)
    assert drop.whole


def test_a_marker_makes_a_run_whole_at_once(tmp_path: Path) -> None:
    dropped(tmp_path, **{"a": "1", landing.MARKER: ""})
    [drop] = landing.look(tmp_path, 30, now())
    assert drop.whole


def test_an_archive_has_its_marker_beside_it(tmp_path: Path) -> None:
    (tmp_path / "run.zip").write_bytes(b"PK")
    (tmp_path / f"run.zip.{landing.MARKER}").touch()
    [drop] = landing.look(tmp_path, 30, now())
    assert (drop.name, drop.whole) == ("run.zip", True)


def test_copying_with_old_times_does_not_make_a_run_old(tmp_path: Path) -> None:
    folder = dropped(tmp_path)
    os.utime(folder / "a", (1, 1))
    os.utime(folder, (1, 1))
    [drop] = landing.look(tmp_path, 30, now())
    assert not drop.whole


@pytest.mark.parametrize("name", [".hidden", "x.part", "x.tmp", "accepted", "quarantine", "verdicts", "by-hand"])
def test_hidden_unfinished_and_own_names_are_passed_over(tmp_path: Path, name: str) -> None:
    dropped(tmp_path, name)
    assert landing.look(tmp_path, 0, now() + LATER) == []


def test_a_file_that_a_tool_is_still_copying_holds_the_run_back(tmp_path: Path) -> None:
    dropped(tmp_path, **{"a": "1", "metrics.csv.part": "1"})
    [drop] = landing.look(tmp_path, 0, now() + LATER)
    assert not drop.whole
    assert "metrics.csv.part" in drop.why


def test_a_link_in_the_inbox_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    assert landing.look(tmp_path, 0, now() + LATER) == []


def test_an_inbox_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert landing.look(tmp_path / "none", 0, now()) == []


# --- claims ---------------------------------------------------------------------------------------------------------


def whole(inbox: Path) -> landing.Drop:
    [drop] = landing.look(inbox, 0, now() + LATER)
    return drop


def test_a_claim_takes_the_run_out_of_the_inbox(tmp_path: Path) -> None:
    dropped(tmp_path)
    taken = claims.claim(tmp_path, whole(tmp_path), 0, now())
    assert taken is not None
    assert (taken.payload / "a").read_text() == "1"
    assert landing.look(tmp_path, 0, now() + LATER) == []
    assert claims.open_claims(tmp_path) == [taken.arrival]
    assert claims.read_claim(tmp_path, taken.arrival) == taken


def test_a_run_that_grew_since_it_was_looked_at_goes_back(tmp_path: Path) -> None:
    folder = dropped(tmp_path)
    drop = whole(tmp_path)
    (folder / "b").write_text("more")
    assert claims.claim(tmp_path, drop, 0, now()) is None
    assert (tmp_path / "run" / "b").read_text() == "more"
    assert claims.open_claims(tmp_path) == []


def test_only_one_of_two_gets_a_run(tmp_path: Path) -> None:
    dropped(tmp_path)
    drop = whole(tmp_path)
    assert claims.claim(tmp_path, drop, 0, now()) is not None
    assert claims.claim(tmp_path, drop, 0, now()) is None
    assert len(claims.open_claims(tmp_path)) == 1


def test_a_claim_is_held_by_one_process_and_free_again_when_that_dies(tmp_path: Path) -> None:
    dropped(tmp_path)
    taken = claims.claim(tmp_path, whole(tmp_path), 0, now())
    assert taken is not None
    fork = multiprocessing.get_context("fork")
    holds, dies = fork.Event(), fork.Event()

    def other() -> None:
        with claims.held(taken) as is_mine:
            assert is_mine
            holds.set()
            dies.wait(10)
            os._exit(9)

    process = fork.Process(target=other)
    process.start()
    assert holds.wait(10)
    with claims.held(taken) as is_mine:
        assert not is_mine
    dies.set()
    process.join(10)
    with claims.held(taken) as is_mine:
        assert is_mine


def test_a_claim_that_is_filed_while_the_claims_are_looked_at_is_open_no_more(tmp_path: Path) -> None:
    taken = []
    for name in ("one", "two", "three"):
        dropped(tmp_path, name)
        taken += [claims.claim(tmp_path, drop, 0, now()) for drop in landing.look(tmp_path, 0, now() + LATER)]
    first, second, third = (claim for claim in taken if claim is not None)
    with meanwhile.after(folders.names, lambda: claims.drop_claim(second)):
        assert claims.open_claims(tmp_path) == sorted([first.arrival, third.arrival])


def test_a_claim_whose_maker_died_is_swept_once_nobody_can_be_at_it(tmp_path: Path) -> None:
    left = tmp_path / landing.CLAIMED / "left"
    (left / "payload").mkdir(parents=True)
    assert claims.open_claims(tmp_path) == []
    assert left.is_dir()  # its maker may be about to move a run there


# --- roles ----------------------------------------------------------------------------------------------------------

SAMPLES = {
    "report": '<!doctype html>\n<meta name="generator" content="Rally version 1.5.1">',
    "results": '{"info": {"rally_version": "1"}, "tasks": [{"subtasks": []}]}',
    "traces": '{"info": {"name": "total"}, "children": [{"info": {}}]}',
    "cluster": "cloud_management: {driver: universal}\nnode_discover: {driver: node_list, args: []}\n",
    "hook_script": "#!/bin/sh\necho\n",
    "metrics": "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15\n",
    "logs": "Hostname,log_level,Timestamp,@timestamp,Payload,programname\n",
    "reviewed_impacts": "node,kpi,start,end\n",
    "experiment": "title: x\ncluster: c.yaml\nruns: [{report: r.html}]\n",
    "task_file": '{"Dummy.dummy": [{"runner": {"type": "constant"}}]}',
    "unknown": "hello\n",
}


@pytest.mark.parametrize("role", sorted(SAMPLES))
def test_a_role_is_told_by_content_not_by_name(tmp_path: Path, role: str) -> None:
    path = tmp_path / "data.bin"
    path.write_text(SAMPLES[role])
    told, why = roles.role_of(path)
    assert (told, bool(why)) == (role, True)


def test_keys_inside_of_texts_and_deeper_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text('{"note": "\\"tasks\\": 1", "deep": {"tasks": 1, "children": []}}')
    assert roles.role_of(path)[0] == "unknown"


def test_the_marker_and_links_have_no_role(tmp_path: Path) -> None:
    (tmp_path / landing.MARKER).touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    assert [one.path for one in roles.recognise(tmp_path)] == ["a.sh"]


# --- proposals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Nova restart_2.tar.gz", "nova-restart-2"),
        ("../../etc", "etc"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("ÄÖ", "run"),
        ("x" * 300, "x" * 80),
    ],
)
def test_any_name_becomes_a_name_of_an_experiment(name: str, slug: str) -> None:
    assert proposal.slug_of(name) == slug


BROUGHT = {"title": "x", "cluster": "c.yaml", "runs": [{"report": "r.html"}]}


def brought(run: Path, **keys: object) -> proposal.Proposal:
    run.mkdir(exist_ok=True)
    (run / "experiment.yaml").write_text(yaml.safe_dump({**BROUGHT, **keys}))
    return proposal.brought(run, "run", "experiment.yaml")


@pytest.mark.parametrize(
    "keys",
    [
        {"cluster": "/etc/passwd"},
        {"cluster": "../secret.yaml"},
        {"inputs": ".."},
        {"inputs": "/etc"},
        {"cluster": "s3://bucket/c.yaml"},
        {"runs": [{"report": "file:///etc/passwd"}]},
        {"runs": [{"report": "r.html", "hook_scripts": ["a/../../b.sh"]}]},
        {"telemetry": [{"kind": "metrics", "files": "/var/**", "time_zone": "UTC"}]},
        {"reviewed_impacts": "..\\x.csv"},
    ],
)
def test_an_entry_that_a_run_brings_names_files_of_the_run_alone(tmp_path: Path, keys: dict[str, object]) -> None:
    with pytest.raises(InputError, match="leads out of the run"):
        brought(tmp_path / "run", **keys)


def test_an_entry_that_a_run_brings_may_say_where_its_files_lie(tmp_path: Path) -> None:
    entry = brought(tmp_path / "run", inputs="data").entry
    assert (entry["cluster"], entry["runs"]) == ("data/c.yaml", [{"report": "data/r.html"}])
    assert "inputs" not in entry


def test_whoever_drops_a_run_does_not_decide_who_approves_it(tmp_path: Path) -> None:
    assert brought(tmp_path / "run").entry["approval"] == "always"


# --- content and entries --------------------------------------------------------------------------------------------


def test_the_same_files_have_the_same_number_wherever_they_came_from(tmp_path: Path) -> None:
    one = content.tree_of(dropped(tmp_path / "x", a="1", b="2"), tmp_path / "one")
    two = content.tree_of(dropped(tmp_path / "y", b="2", a="1"), tmp_path / "two")
    other = content.tree_of(dropped(tmp_path / "z", a="1", b="3"), tmp_path / "other")
    assert content.content_sha256(one) == content.content_sha256(two) != content.content_sha256(other)


def test_a_file_that_goes_while_the_run_is_copied_is_no_part_of_it(tmp_path: Path) -> None:
    folder = dropped(tmp_path, a="1", b="2")

    def clear() -> None:
        for path in folder.iterdir():
            path.unlink()

    with meanwhile.after(content._refuse_special, clear):
        tree = content.tree_of(folder, tmp_path / "tree")
    assert list(tree.iterdir()) == []
    with pytest.raises(SetupError, match="not there"):
        content.tree_of(tmp_path / "none", tmp_path / "other")


def test_a_tree_holds_copies(tmp_path: Path) -> None:
    folder = dropped(tmp_path)
    tree = content.tree_of(folder, tmp_path / "tree")
    (folder / "a").write_text("changed later")
    assert (tree / "a").read_text() == "1"


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo], ids=["link", "pipe"])
def test_a_run_with_a_link_or_a_pipe_is_refused(tmp_path: Path, make) -> None:
    folder = dropped(tmp_path)
    make(folder / "odd")
    with pytest.raises(InputError, match="odd"):
        content.tree_of(folder, tmp_path / "tree")


ENTRY = {"title": "x", "cluster": "c.yaml", "runs": [{"report": "r.html"}], "approval": "always"}
DIGEST = "ab" * 32


def installed(catalog: Path, tree: Path, digest: str = DIGEST, name: str = "run") -> str:
    slug = entries.choose_slug(str(catalog), "run", name, digest)
    entries.install(str(catalog), slug, ENTRY, tree, name=name, content_sha256=digest)
    return slug


def tree(folder: Path, text: str = "r") -> Path:
    folder.mkdir()
    (folder / "r.html").write_text(text)
    (folder / "c.yaml").write_text("c")
    return folder


def test_an_accepted_run_lies_in_the_catalog_under_its_content(tmp_path: Path) -> None:
    assert installed(tmp_path / "catalog", tree(tmp_path / "tree")) == "run"
    entry = yaml.safe_load((tmp_path / "catalog/run/experiment.yaml").read_text())
    assert entry["runs"] == [{"report": "r.html"}]  # a name in a dataset is the run's own, whatever its content
    assert (tmp_path / "catalog/run" / entry["inputs"] / entry["cluster"]).read_text() == "c"
    assert entry["inputs"] == DIGEST[:16]


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    installed(tmp_path / "catalog", tree(tmp_path / "tree"))
    before = sorted(path.name for path in (tmp_path / "catalog/run").iterdir())
    installed(tmp_path / "catalog", tmp_path / "gone")
    assert sorted(path.name for path in (tmp_path / "catalog/run").iterdir()) == before


def test_the_next_content_of_an_entry_that_the_inbox_made_takes_its_place(tmp_path: Path) -> None:
    installed(tmp_path / "catalog", tree(tmp_path / "one"))
    assert installed(tmp_path / "catalog", tree(tmp_path / "two", "new"), "cd" * 32) == "run"
    entry = yaml.safe_load((tmp_path / "catalog/run/experiment.yaml").read_text())
    assert (tmp_path / "catalog/run" / entry["inputs"] / entry["runs"][0]["report"]).read_text() == "new"


def test_another_run_whose_name_looks_alike_takes_nobodys_place(tmp_path: Path) -> None:
    installed(tmp_path / "catalog", tree(tmp_path / "one"))
    assert installed(tmp_path / "catalog", tree(tmp_path / "two", "new"), "cd" * 32, "run.zip") == "run-cdcdcdcd"


def test_an_accepted_run_can_go_to_a_catalog_in_a_bucket(tmp_path: Path, new_bucket) -> None:
    catalog = f"s3://{new_bucket}/catalog"
    for _ in range(2):
        slug = entries.choose_slug(catalog, "run", "run", DIGEST)
        here = tree(tmp_path / f"tree{_}")
        entries.install(catalog, slug, ENTRY, here, name="run", content_sha256=DIGEST)
    assert slug == "run"
    read = read_experiment(catalog, "run")
    assert resolve(read, read.runs[0].report) == f"{catalog}/run/{DIGEST[:16]}/r.html"


def test_what_an_operator_wrote_is_never_changed(tmp_path: Path) -> None:
    own = tmp_path / "catalog/run/experiment.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("title: mine\n")
    assert installed(tmp_path / "catalog", tree(tmp_path / "tree")) == "run-abababab"
    assert own.read_text() == "title: mine\n"


def test_an_entry_that_an_operator_edited_is_the_operators(tmp_path: Path) -> None:
    installed(tmp_path / "catalog", tree(tmp_path / "one"))
    own = tmp_path / "catalog/run/experiment.yaml"
    own.write_text(own.read_text() + "description: mine\n")
    assert installed(tmp_path / "catalog", tree(tmp_path / "two"), "cd" * 32) == "run-cdcdcdcd"


# --- filing ---------------------------------------------------------------------------------------------------------


def verdict_of(claim: claims.Claim, **values: object) -> verdicts.Verdict:
    verdict = verdicts.Verdict(
        arrival=claim.arrival,
        name=claim.name,
        arrived_at=claim.arrived_at,
        judged_at="2026-01-01T00:00:00Z",
        accepted=False,
        reason="no",
        content_sha256=DIGEST,
        judged_by="x",
        slug=None,
        remarks=(verdicts.Remark("critical", "no", ("a",), "because", "mend it"),),
        files=({"path": "a", "role": "unknown", "why": "x"},),
        recognised={},
        data_docs=None,
    )
    return dataclasses.replace(verdict, **values)  # type: ignore[arg-type]


def judged(inbox: Path, **values: object) -> tuple[claims.Claim, verdicts.Verdict]:
    dropped(inbox)
    claim = claims.claim(inbox, whole(inbox), 0, now())
    assert claim is not None
    verdict = verdict_of(claim, **values)
    filing.write(verdict, claim.work)
    claims.keep_verdict(claim, claim.work)
    return claim, verdict


def test_a_rejected_run_lies_beside_its_verdict(tmp_path: Path) -> None:
    claim, verdict = judged(tmp_path)
    place = filing.file(tmp_path, claim, verdict)
    assert place == tmp_path / "quarantine" / DIGEST
    assert verdicts.read(place / "verdict") == verdict
    assert (place / "dropped" / claim.arrival / "run" / "a").read_text() == "1"
    assert filing.recorded(tmp_path) == [verdict]
    assert claims.open_claims(tmp_path) == []


def test_a_verdict_that_is_cleared_away_while_all_are_read_is_left_out(tmp_path: Path) -> None:
    _, verdict = judged(tmp_path)
    for arrival in ("1", "2", "3"):
        filing.record(tmp_path, dataclasses.replace(verdict, arrival=arrival))
    with meanwhile.after(bytes_of, (tmp_path / "verdicts" / "2.json").unlink):
        assert [one.arrival for one in filing.recorded(tmp_path)] == ["1", "3"]


def test_the_same_content_again_gets_its_old_verdict_and_is_kept_too(tmp_path: Path) -> None:
    claim, verdict = judged(tmp_path)
    filing.file(tmp_path, claim, verdict)
    old = filing.known(tmp_path, DIGEST, "x")
    assert old == verdict
    assert filing.known(tmp_path, DIGEST, "another version") is None
    second, _ = judged(tmp_path)
    repeated = filing.again(old, second)
    place = filing.file(tmp_path, second, repeated)
    assert [one.same_as for one in filing.recorded(tmp_path)] == [None, claim.arrival]
    assert sorted(path.name for path in (place / "dropped").iterdir()) == sorted([claim.arrival, second.arrival])
    assert verdicts.read(place / "verdict") == verdict


def test_filing_goes_on_where_a_crash_ended_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, verdict = judged(tmp_path)
    steps = []

    class CrashError(BaseException):
        pass

    def counting(step: int, real):
        def run(*arguments, **keywords):
            steps.append(step)
            if len(steps) == crash_at:
                raise CrashError
            return real(*arguments, **keywords)

        return run

    real_rename, real_replace = Path.rename, Path.replace
    for crash_at in range(1, 6):
        steps.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", counting(crash_at, real_rename))
            patched.setattr(Path, "replace", counting(crash_at, real_replace))
            try:
                filing.file(tmp_path, claim, verdict)
            except CrashError:
                continue
            break
    assert crash_at > 2
    assert filing.recorded(tmp_path) == [verdict]
    assert json.loads((tmp_path / "quarantine" / DIGEST / "verdict" / "verdict.json").read_text())["reason"] == "no"
    assert claims.open_claims(tmp_path) == []


def test_roles_of_role_keeps_order() -> None:
    found = [Recognised("b", "metrics", ""), Recognised("a", "metrics", ""), Recognised("c", "logs", "")]
    assert roles.of_role(found, "metrics") == ["b", "a"]
