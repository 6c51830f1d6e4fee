"""Working off the batches of a rebuild: each experiment ends for itself, and a task that is tried again goes on.

Small experiments are built from end to end by one task. Of large ones a task decides, others label their files, or
ranges of them, and one joins those and validates: ``decide_batch``, ``divide_labels``, ``label_batch``,
``validate_batch``.
"""

from __future__ import annotations

import dataclasses
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faultset.errors import FaultsetError, InputError, SetupError, counted
from faultset.labels import ranges
from faultset.pipeline import building, planning, seen
from faultset.pipeline.build_folder import Build, BuildFolder
from faultset.pipeline.building import Built, Labeling
from faultset.pipeline.ledger import Ledger
from faultset.pipeline.observing import Stage, Watch
from faultset.pipeline.outcomes import HELD, Outcome
from faultset.pipeline.planning import Batch
from faultset.pipeline.progress import Progress, Told, silent
from faultset.pipeline.rebuild_records import candidates_of, outcomes_of
from faultset.settings import Settings

log = logging.getLogger(__name__)

_MOST_DEATHS = 2
_MOST_TROUBLES = 3  # in a row: the storage is gone, and asking it once more for each experiment helps nobody
_PART = " range "


def build(slug: str, settings: Settings, *, force: bool = False, progress: Progress = silent) -> Built:
    """Build the candidate of one experiment, as ``building.build`` does, and tell whoever observes.

    Raises:
        InputError: an input is wrong.
        AnswerIsNo: there is a critical finding.
        SetupError: the datasets root cannot be used.
    """
    watch = Watch("", "build", slug)
    with watch.failing():
        built = building.build(slug, settings, force=force, progress=progress)
    _tell(watch, "build", Outcome.of(built))
    return built


# --- small experiments ------------------------------------------------------------------------------------------------


def build_batch(batch: Batch, settings: Settings, told: Told) -> int:
    """Build each experiment of a batch from end to end; return how many candidates the batch has by now.

    Raises:
        SetupError: the environment failed some; all others are done, and those alone are left for the next try.
    """
    force = bool(planning.planned(batch.run, settings)["force"])

    def one(slug: str) -> Outcome:
        look = seen.look(slug, settings)
        built = building.build(slug, settings, force=force)
        seen.remember(slug, look, built.fingerprint, settings)
        return Outcome.of(built)

    _each(_Work(batch.run, "build", outcomes_of(batch.run, settings)), batch.names(settings), one, told)
    return len(candidates_of([batch], settings))


# --- large experiments ------------------------------------------------------------------------------------------------


def decide_batch(batch: Batch, settings: Settings, told: Told) -> None:
    """Read and decide each experiment of a batch.

    Raises:
        SetupError: as ``build_batch``.
    """
    force = bool(planning.planned(batch.run, settings)["force"])
    decided, outcomes = Ledger.of(batch.run, "decided", settings), outcomes_of(batch.run, settings)

    def one(slug: str) -> Outcome | None:
        kept = decided.get(slug)
        if kept is not None and BuildFolder(Build.from_dict(kept["build"]), settings).path.is_dir():
            return None
        look = seen.look(slug, settings)
        build = building.extract(slug, settings, force=force)
        seen.remember(slug, look, build.fingerprint, settings)
        if build.standing in HELD and build.unchanged:
            return Outcome(slug, "unchanged", HELD[build.standing])
        decided.put(slug, {"build": building.decide(build, settings).as_dict()})
        return None

    _each(_Work(batch.run, "decide", outcomes), batch.names(settings), one, told)


def divide_labels(run: str, settings: Settings) -> tuple[Batch, ...]:
    """Divide the files of telemetry of all decided experiments of a run, and large ones into ranges.

    Raises:
        SetupError: a file cannot be looked at.
    """
    eye = seen.Eye("")
    sizes: dict[str, int] = {}
    for build, labeling in _labelings(run, settings):
        mark = eye.mark("", BuildFolder(build, settings).declared().files[labeling.index].uri)
        size = mark[0] if mark else 0  # its task says that it is gone
        pieces = building.parts(labeling, settings) if size > ranges.RANGE_BYTES else []
        sizes |= {_label_name(one): part for one, part in pieces or [(labeling, size)]}
    return planning.divide_files(run, sizes, settings)


def label_batch(batch: Batch, settings: Settings, told: Told) -> None:
    """Label each file or range of a batch, one at a time; what is wrong its experiment's validation tells.

    Raises:
        SetupError: as ``build_batch``.
    """
    wholes = {_label_name(labeling): labeling for _, labeling in _labelings(batch.run, settings)}

    def one(name: str) -> Outcome:
        try:
            building.label(_labeling(name, wholes), settings)
        except InputError as error:
            return Outcome(name, "failed", str(error))
        return Outcome(name, "candidate")

    _each(_Work(batch.run, "label", Ledger.of(batch.run, "labeled", settings)), batch.names(settings), one, told)


def validate_batch(batch: Batch, settings: Settings, told: Told) -> None:
    """Join the ranges of each decided experiment of a batch, and validate it; what passes is a candidate.

    Raises:
        SetupError: as ``build_batch``.
    """
    builds = {build.slug: build for build in _decided(batch.run, settings)}

    def one(slug: str) -> Outcome:
        building.join_parts(builds[slug], settings)
        return Outcome.of(building.built(building.validate(builds[slug], settings), settings))

    work = _Work(batch.run, "validate", outcomes_of(batch.run, settings))
    # Of those that were not decided it is known why.
    _each(work, [name for name in batch.names(settings) if name in builds], one, told)


def _decided(run: str, settings: Settings) -> Iterator[Build]:
    for record in Ledger.of(run, "decided", settings).all():
        build = Build.from_dict(record["build"])
        folder = BuildFolder(build, settings)
        # What failed was dropped; what was kept as a candidate by a task that died has no folder either.
        if build.unchanged or folder.path.is_dir() or folder.is_kept():
            yield build


def _labelings(run: str, settings: Settings) -> Iterator[tuple[Build, Labeling]]:
    for build in _decided(run, settings):
        if not build.unchanged and BuildFolder(build, settings).path.is_dir():
            for labeling in building.labelings(build, settings):
                yield build, labeling


def _label_name(labeling: Labeling) -> str:
    """Return what a file, or a range of one, is called in batches and in the ledger."""
    whole = f"{labeling.build.slug} {labeling.index} {labeling.name}"
    return whole if labeling.part is None else f"{whole}{_PART}{labeling.part}"


def _labeling(name: str, wholes: Mapping[str, Labeling]) -> Labeling:
    """Return what ``_label_name`` called so; a file may itself be called as a range of another would be."""
    if name in wholes:
        return wholes[name]
    whole, _, part = name.rpartition(_PART)
    return dataclasses.replace(wholes[whole], part=int(part))


# --- one by one -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """One stage of one run, and the ledger of what it came to."""

    run: str
    stage: Stage
    ledger: Ledger


def _each(work: _Work, names: Sequence[str], do: Callable[[str], Outcome | None], told: Told) -> None:
    """Do it for each name that has no final outcome yet; those last whose work ended a process before."""
    ledger = work.ledger
    left = [name for name in names if not _is_done(ledger, name)]
    troubles: list[Outcome] = []
    in_a_row = 0
    for done, name in enumerate(sorted(left, key=ledger.begun), start=len(names) - len(left) + 1):
        watch = Watch(work.run, work.stage, name)
        outcome = _one(name, do, ledger)
        if outcome is not None:
            ledger.put(name, outcome.as_dict())
        _tell(watch, work.stage, outcome)
        told(done, len(names), outcome.line if outcome else f"{name}: done")
        in_a_row = in_a_row + 1 if outcome and outcome.outcome == "trouble" else 0
        if outcome and outcome.outcome == "trouble":
            troubles.append(outcome)
        if in_a_row == _MOST_TROUBLES:
            break
    if troubles:
        what = f"{counted(len(troubles), 'piece')} of {len(names)} failed for the environment, first {troubles[0].line}"
        raise SetupError("batch", what, "it is tried again; see faultset doctor")


def _tell(watch: Watch, stage: Stage, outcome: Outcome | None) -> None:
    if outcome is None or (stage == "label" and outcome.is_final):
        watch.ended("done")
    else:
        watch.ended(outcome.outcome, reason=outcome.reason, findings=outcome.findings)


def _is_done(ledger: Ledger, name: str) -> bool:
    kept = ledger.get(name)
    return kept is not None and Outcome.from_dict(kept).is_final


def _one(name: str, do: Callable[[str], Outcome | None], ledger: Ledger) -> Outcome | None:
    if ledger.begun(name) >= _MOST_DEATHS:
        return Outcome(name, "failed", f"its work ended the process {_MOST_DEATHS} times, as want of memory does")
    ledger.begin(name)
    try:
        return do(name)
    except SetupError as error:
        return Outcome(name, "trouble", _reason(name, error))
    except FaultsetError as error:
        return Outcome(name, "failed", _reason(name, error))
    except Exception as error:  # noqa: BLE001 (its text may quote an input, so only its frames are shown)
        log.error("%s: %s at\n%s", name, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))  # noqa: TRY400
        at = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(name, "trouble", f"unexpected {type(error).__name__} at {Path(at.filename).name}:{at.lineno}")
    finally:
        ledger.end(name)


def _reason(name: str, error: FaultsetError) -> str:
    return str(error).removeprefix(f"{name}: ")
