"""From a candidate to a version or a rejection, with the product alone: what is proposed, and what an answer does."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

import meanwhile
from faultset import pipeline, simulator
from faultset.errors import AnswerIsNo, InputError
from faultset.pipeline import candidates
from faultset.pipeline.approving import Proposal
from faultset.pipeline.build_folder import Build
from faultset.settings import Settings
from faultset.storage import folders

pytestmark = pytest.mark.integration

SLUG = "nova"
HOSTILE = "<script>alert(1)</script> [a](javascript:b) ![c](//d) {{ 7 * 7 }} {% raw %} | `e` # f"
AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with one small experiment, and its first candidate."""
    root = tmp_path_factory.mktemp("origin")
    simulator.simulate("nova-compute-restart", root / "catalog" / SLUG, seed=1, iterations=30)
    declare(root, telemetry=None, reviewed_impacts=None)
    pipeline.build(SLUG, settings_of(root))
    return root


@pytest.fixture
def place(origin: Path, tmp_path: Path) -> Path:
    shutil.copytree(origin, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def settings(place: Path) -> Settings:
    return settings_of(place)


def settings_of(root: Path) -> Settings:
    return Settings(str(root / "catalog"), str(root / "datasets"))


def declare(root: Path, **keys: Any) -> None:
    """Set keys of the experiment; None removes one."""
    path = root / "catalog" / SLUG / "experiment.yaml"
    entry = {**yaml.safe_load(path.read_text()), **keys}
    path.write_text(yaml.safe_dump({key: value for key, value in entry.items() if value is not None}))


def proposed(settings: Settings) -> Proposal:
    made = pipeline.propose(SLUG, settings)
    assert made is not None
    return made


def publish(settings: Settings) -> str:
    made = proposed(settings)
    return pipeline.publish_proposal(made, pipeline.not_asked(made), settings).version


def rebuilt_with_another_service(place: Path, settings: Settings) -> None:
    """Publish the first version, then build a candidate in which labels of it differ."""
    publish(settings)
    declare(place, components={"nova_compute": "another"})
    pipeline.build(SLUG, settings)


def answered(made: Proposal, outcome: Any, reason: str | None = None) -> Any:
    return pipeline.answered(made, outcome=outcome, by="ann", at=AT, reason=reason)


def manifest(settings: Settings, version: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((Path(settings.datasets) / SLUG / version / "manifest.json").read_text())
    return document


# --- proposing ------------------------------------------------------------------------------------------------------


def test_a_first_version_needs_nobody_and_its_manifest_says_why(settings: Settings) -> None:
    made = proposed(settings)
    assert (made.against, made.number, made.needs_person) == (None, "1.0.0", False)
    assert publish(settings) == "1.0.0"
    decision = manifest(settings, "1.0.0")["decision"]
    assert (decision["policy"], decision["outcome"], decision["by"]) == ("on_change_of_labels", "not_needed", None)
    assert "no earlier version" in decision["reason"]
    assert pipeline.propose(SLUG, settings) is None


def test_a_clock_that_is_an_hour_off_needs_a_person_until_somebody_approved_it(tmp_path: Path) -> None:
    """Trap: with a wrong zone every label is wrong, and in a first version there is nothing that it differs from."""
    simulator.simulate(
        "nova-compute-restart", tmp_path / "catalog" / SLUG, seed=22, iterations=60, shift_hours={"metrics": 1.0}
    )
    settings = settings_of(tmp_path)
    pipeline.build(SLUG, settings)
    made = proposed(settings)
    assert made.needs_person
    assert "its telemetry may not be of this run" in made.why
    assert "1 h ahead" in made.why
    pipeline.publish_proposal(made, answered(made, "approved", "the recorder stood so"), settings)
    declare(tmp_path, title="Another title")
    pipeline.build(SLUG, settings)
    assert not proposed(settings).needs_person


def test_changed_labels_need_a_person_who_is_told_what_changes(place: Path, settings: Settings) -> None:
    rebuilt_with_another_service(place, settings)
    made = proposed(settings)
    assert (made.against, made.change, made.number, made.needs_person) == ("1.0.0", "major", "2.0.0", True)
    assert "targets: " in made.why
    page = pipeline.page(made, settings)
    assert "## Injections" in page
    assert "2.0.0 (major)" in page
    beside = next(Path(settings.work).glob(f".candidates/{SLUG}/*.proposal.json"))
    document = json.loads(beside.read_text())
    assert document["difference"]["change"] == "major"
    assert document["difference"]["injections"]
    assert {"findings_new", "findings_gone", "figures", "rows"} <= document.keys()


def test_the_policy_is_that_of_the_catalog_now_and_no_reason_to_build_again(place: Path, settings: Settings) -> None:
    declare(place, approval={"policy": "always", "timeout": "36h", "approvers": ["ann"]})
    made = proposed(settings)
    assert (made.needs_person, made.timeout_s, made.approvers) == (True, 36 * 3600, ("ann",))
    assert pipeline.extract(SLUG, settings).standing == "proposed"


def test_the_page_says_where_the_version_will_go_which_is_no_reason_to_build_again(
    place: Path, settings: Settings
) -> None:
    declare(place, deposit=["zenodo", "huggingface"])
    made = proposed(settings)
    assert pipeline.Proposal.from_dict(made.as_dict()) == made
    said = "will be deposited in | zenodo and huggingface, where it cannot be taken back"
    assert said in pipeline.page(made, settings).replace("\\", "")
    assert pipeline.extract(SLUG, settings).standing == "proposed"


def test_texts_of_inputs_are_no_markup_on_the_page(place: Path, settings: Settings) -> None:
    publish(settings)
    declare(place, title=HOSTILE, components={"nova_compute": HOSTILE})
    pipeline.build(SLUG, settings)
    page = pipeline.page(proposed(settings), settings)
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    kinds = {child.type for token in tokens for child in [token, *(token.children or [])]}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "code_inline", "fence", "code_block"}
    assert "{{" not in page
    assert "{%" not in page
    shown = "".join(child.content for token in tokens for child in token.children or [])
    assert "<script>alert(1)</script>" in shown


def test_the_number_that_is_shown_is_the_one_that_is_given_also_after_a_rollback(
    place: Path, settings: Settings
) -> None:
    rebuilt_with_another_service(place, settings)
    made = proposed(settings)
    pipeline.publish_proposal(made, answered(made, "approved"), settings)
    pipeline.rollback(SLUG, "1.0.0", settings, reason="the service was right before")
    declare(place, components=None, description="as it was, in other words")
    pipeline.build(SLUG, settings)
    made = proposed(settings)
    assert (made.against, made.change, made.number) == ("1.0.0", "major", "3.0.0")
    assert "3.0.0 (major)" in pipeline.page(made, settings)
    assert not made.needs_person  # no label differs from those of the version that counts
    assert pipeline.publish_proposal(made, pipeline.not_asked(made), settings).version == "3.0.0"


# --- pictures -------------------------------------------------------------------------------------------------------


def names_in(text: str) -> list[str]:
    """The addresses of the pictures on a page; a link leads to each."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    shown = [str(child.attrs["src"]) for child in inline if child.type == "image"]
    assert [str(child.attrs["href"]) for child in inline if child.type == "link_open"] == shown
    return shown


def draw(settings: Settings, **pictures: bytes) -> Proposal:
    """Give the candidate these pictures in place of its own."""
    folder = next(Path(settings.work).glob(f".candidates/{SLUG}/*/candidate.json")).parent / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in pictures.items():
        (folder / f"{name.replace('_', '-')}.png").write_bytes(data)
    made = pipeline.propose(SLUG, settings, pictures="/below/pictures/it")
    assert made
    return made


def test_a_person_sees_the_pictures_that_are_new_or_changed_first(place: Path, settings: Settings) -> None:
    made = draw(settings, injection_001=b"a", injection_002=b"b", overview=b"c")
    page = pipeline.page(made, settings)
    assert "3 new:" in page
    assert names_in(page) == [
        f"/below/pictures/it/{made.fingerprint}/{name}.png" for name in ("overview", "injection-001", "injection-002")
    ]
    publish(settings)
    declare(place, labels={"guard_before_s": 5.0})
    pipeline.build(SLUG, settings)
    made = draw(settings, injection_001=b"a", injection_002=b"B", overview=b"c", injection_003=b"d")
    page = pipeline.page(made, settings)
    assert "2 as before, 1 changed, 1 new:" in page
    assert [Path(name).stem for name in names_in(page)] == [
        "overview",
        "injection-002",
        "injection-003",
        "injection-001",
    ]


def test_of_many_pictures_the_first_are_shown(settings: Settings) -> None:
    made = draw(settings, overview=b"o", **{f"injection_{number:03}": b"i" for number in range(500)})
    page = pipeline.page(made, settings)
    assert "501 new; the first 12:" in page
    assert len(names_in(page)) == 12


def test_the_pictures_of_a_page_stay_where_they_are_whatever_was_answered(settings: Settings) -> None:
    made = draw(settings, overview=b"o")

    def seen() -> bytes | None:
        return pipeline.picture(SLUG, made.fingerprint, "overview.png", settings)

    assert seen() == b"o"
    pipeline.reject(made, answered(made, "rejected"), settings)
    assert seen() == b"o"
    pipeline.build(SLUG, settings, force=True)
    draw(settings, overview=b"p")
    publish(settings)
    assert not list(Path(settings.work).glob(f".candidates/{SLUG}/*"))
    shutil.rmtree(Path(settings.work) / ".rejected", ignore_errors=True)
    assert seen() == b"p"


@pytest.mark.parametrize(
    ("fingerprint", "name"),
    [
        (None, "nothing.png"),
        (None, "../candidate.json"),
        (None, "..%2fcandidate.json"),
        (None, "overview.png\n"),
        ("..", "overview.png"),
        ("0" * 64, "overview.png"),
    ],
)
def test_what_is_no_picture_of_a_candidate_is_not_there(settings: Settings, fingerprint: str | None, name: str) -> None:
    made = draw(settings, overview=b"o")
    assert pipeline.picture(SLUG, fingerprint or made.fingerprint, name, settings) is None


def test_a_candidate_that_is_published_while_it_is_looked_at_is_nothing_to_propose(settings: Settings) -> None:
    with meanwhile.after(candidates.standing, lambda: publish(settings)):
        assert pipeline.propose(SLUG, settings) is None


def test_a_candidate_that_is_replaced_while_it_is_looked_at_makes_way_for_the_newer(
    place: Path, settings: Settings
) -> None:
    def replace() -> None:
        declare(place, description="corrected meanwhile")
        pipeline.build(SLUG, settings)

    first = candidates.waiting(SLUG, settings)
    with meanwhile.after(candidates.standing, replace):
        assert proposed(settings).fingerprint not in (None, first)


def test_a_candidate_that_goes_while_the_newest_is_sought_is_not_it(settings: Settings) -> None:
    with meanwhile.after(folders.names, lambda: candidates.withdraw(SLUG, settings)):
        assert candidates.waiting(SLUG, settings) is None


def test_a_candidate_that_is_published_as_soon_as_it_is_built_is_no_trouble(settings: Settings) -> None:
    mark = candidates.waiting(SLUG, settings) or ""
    with meanwhile.after(candidates.candidate_folder, lambda: publish(settings)):
        told = pipeline.built(Build(SLUG, mark, "", unchanged=False), settings)
    assert (told.validation, told.injections) == (None, 0)


def test_a_candidate_that_is_withdrawn_while_it_is_rejected_leaves_the_rejection(settings: Settings) -> None:
    made = proposed(settings)
    with meanwhile.after(candidates.put, lambda: candidates.withdraw(SLUG, settings)):
        pipeline.reject(made, answered(made, "rejected"), settings)
    assert candidates.standing(SLUG, made.fingerprint, settings) == "rejected"


# --- answering ------------------------------------------------------------------------------------------------------


def test_what_needs_a_person_is_not_published_without_one(place: Path, settings: Settings) -> None:
    rebuilt_with_another_service(place, settings)
    with pytest.raises(AnswerIsNo, match="nobody has approved"):
        pipeline.not_asked(proposed(settings))


def test_an_approval_is_kept_with_the_version(place: Path, settings: Settings) -> None:
    rebuilt_with_another_service(place, settings)
    made = proposed(settings)
    published = pipeline.publish_proposal(made, answered(made, "approved", "the  service\nis right"), settings)
    assert (published.version, published.new) == ("2.0.0", True)
    assert manifest(settings, "2.0.0")["decision"] == {
        "policy": "on_change_of_labels",
        "outcome": "approved",
        "by": "ann",
        "at": "2026-01-02T03:04:05.000000Z",
        "reason": "the service is right",
    }
    assert not pipeline.publish_proposal(made, answered(made, "approved"), settings).new
    assert not list(Path(settings.work).glob(f".candidates/{SLUG}/*"))


def test_a_rejected_candidate_is_set_aside_and_not_built_again(settings: Settings) -> None:
    made = proposed(settings)
    pipeline.reject(made, answered(made, "rejected", "wrong cluster"), settings)
    assert pipeline.propose(SLUG, settings) is None
    assert pipeline.extract(SLUG, settings).standing == "rejected"
    aside = Path(settings.work) / ".rejected" / SLUG
    assert json.loads((aside / f"{made.fingerprint}.rejection.json").read_text())["reason"] == "wrong cluster"
    assert (aside / made.fingerprint / "injections.parquet").is_file()
    with pytest.raises(AnswerIsNo, match=r"rejected by ann at 2026-01-02T03:04:05\.000000Z: wrong cluster"):
        pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="by hand")
    with pytest.raises(AnswerIsNo, match="was rejected"):
        pipeline.publish_proposal(made, answered(made, "rejected"), settings)


def test_a_rejection_is_safe_to_repeat(settings: Settings) -> None:
    made = proposed(settings)
    for _ in range(2):
        pipeline.reject(made, answered(made, "rejected"), settings)
    assert (Path(settings.work) / ".rejected" / SLUG / made.fingerprint / "candidate.json").is_file()


def test_force_offers_a_rejected_candidate_again(settings: Settings) -> None:
    made = proposed(settings)
    pipeline.reject(made, answered(made, "rejected"), settings)
    pipeline.build(SLUG, settings, force=True)
    assert pipeline.extract(SLUG, settings).standing == "waiting"
    assert publish(settings) == "1.0.0"


# --- outdated answers -----------------------------------------------------------------------------------------------


def test_an_answer_publishes_no_candidate_that_replaced_the_one_that_was_shown(place: Path, settings: Settings) -> None:
    made = proposed(settings)
    declare(place, description="corrected meanwhile")
    pipeline.build(SLUG, settings)
    with pytest.raises(AnswerIsNo, match=f"candidate {made.fingerprint[:12]} and outdated"):
        pipeline.publish_proposal(made, answered(made, "approved"), settings)
    with pytest.raises(AnswerIsNo, match="outdated"):
        pipeline.page(made, settings)
    assert not (Path(settings.datasets) / SLUG).exists()
    assert len(list((Path(settings.work) / ".candidates" / SLUG).iterdir())) == 1
    assert proposed(settings).fingerprint != made.fingerprint


def test_an_answer_is_outdated_once_another_version_is_the_latest(place: Path, settings: Settings) -> None:
    rebuilt_with_another_service(place, settings)
    made = proposed(settings)
    pipeline.publish_proposal(made, answered(made, "approved"), settings)
    # A candidate that was compared with 1.0.0 before another process published 2.0.0.
    declare(place, description="another")
    pipeline.build(SLUG, settings)
    newer = proposed(settings)
    stale = Proposal.from_dict({**newer.as_dict(), "against": "1.0.0"})
    with pytest.raises(AnswerIsNo, match=r"for a change of 1\.0\.0, and the latest is 2\.0\.0"):
        pipeline.publish_proposal(stale, answered(stale, "approved"), settings)


def test_inputs_that_are_published_already_withdraw_a_candidate_of_others(place: Path, settings: Settings) -> None:
    publish(settings)
    before = (place / "catalog" / SLUG / "experiment.yaml").read_text()
    declare(place, description="a mistake")
    pipeline.build(SLUG, settings)
    (place / "catalog" / SLUG / "experiment.yaml").write_text(before)
    assert pipeline.build(SLUG, settings).standing == "published"
    assert pipeline.propose(SLUG, settings) is None


# --- building -------------------------------------------------------------------------------------------------------


def test_a_candidate_that_waits_is_not_built_again(settings: Settings) -> None:
    assert pipeline.extract(SLUG, settings).standing == "waiting"
    proposed(settings)
    again = pipeline.build(SLUG, settings)
    assert (again.unchanged, again.standing) == (True, "proposed")
    assert again.validation is not None
    assert again.injections == 2


def test_a_validation_that_died_after_its_work_may_run_again(settings: Settings) -> None:
    build = pipeline.decide(pipeline.extract(SLUG, settings, force=True), settings)
    for _ in range(2):
        assert pipeline.validate(build, settings) == build


def test_a_candidate_built_again_though_it_is_published_is_nothing_to_propose(settings: Settings) -> None:
    publish(settings)
    pipeline.build(SLUG, settings, force=True)
    assert pipeline.propose(SLUG, settings) is None
    assert pipeline.waiting(settings) == []


def test_the_command_line_says_who_published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "bea")
    published = pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="by hand")
    decision = manifest(settings, published.version)["decision"]
    assert (decision["by"], decision["outcome"], decision["reason"]) == ("bea", "approved", "by hand")
    assert not pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="by hand").new


def test_an_experiment_that_is_no_name_is_refused(settings: Settings) -> None:
    with pytest.raises(InputError, match="no name for an experiment"):
        pipeline.propose("../up", settings)
