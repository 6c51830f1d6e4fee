"""When a fault itself ended: with its command, as its scripts say, by a later injection, or nobody knows.

The command's end is not the fault's: ``freeze ... for 60 seconds`` returns at once, and a ``stop`` that nothing undoes
lasts until a later hook, a supervisor or a person starts again what was stopped. An end is an interval, like every
moment here; where it is not known, the fault may have lasted until ``open_until``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import operator
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from faultset.moments import Instant, iso
from faultset.tables import FaultEndSource, InjectionRow, WorkloadRow
from faultset.truth.fault_steps import Deeds, Step
from faultset.truth.proof import UNDOING

# A fault whose end nobody knows is taken to last no longer than this after its command: the longest time that rows are
# left undecided for it. Runs that were looked at put their injections a quarter of an hour to an hour apart.
LONGEST_OPEN_S = 3600.0
# What a background job may be late beyond its sleeps: docker gives a container 10 s to stop before it kills it.
BACKGROUND_DELAY_S = 10.0

_STARTS = frozenset({"start", "restart"})
# What lasts until something undoes it.
_UNDONE_BY: Mapping[str, frozenset[str]] = {
    "stop": _STARTS,
    "terminate": _STARTS,
    "kill": _STARTS,
    "pause": frozenset({"unpause", "restart"}),
    "freeze": frozenset({"unfreeze", "restart"}),
    "unplug": frozenset({"plug"}),
    "disconnect": frozenset({"connect"}),
    "poweroff": frozenset({"poweron"}),
    "shutdown": frozenset({"poweron"}),
    "rm": frozenset(),
    "stress": frozenset(),
    "reboot": frozenset({"poweron"}),
    "reset": frozenset({"poweron"}),
    "crash": frozenset({"poweron"}),
    "oom": frozenset({"poweron"}),
    "degrade": frozenset({"restore"}),
    "block": frozenset({"unblock"}),
    "drain": frozenset({"uncordon"}),
    "cordon": frozenset({"uncordon"}),
    "standby": frozenset({"unstandby"}),
}
# What is back on its own some time later, or is not: nobody records which.
_MAY_RETURN: Mapping[str, str] = {
    "kill": "a supervisor may have started it again, and no input tells",
    "reboot": "a node is back some time after its command, and no input tells when",
    "reset": "a node is back some time after its command, and no input tells when",
    "crash": "a node may come back by itself, and no input tells",
    "oom": "memory is free again some time after, and no input tells when",
}
_ENDS_SOMETHING = frozenset().union(*_UNDONE_BY.values())
_MOMENTARY = _ENDS_SOMETHING | {"reload"}
# A process that is stopped or killed is neither paused nor frozen any more.
_DOWN = frozenset({"stop", "terminate", "kill"})
_HELD = frozenset({"pause", "freeze"})
# What happens to a whole node may undo what was done to a thing on it.
_OF_NODE = frozenset({"reboot", "reset", "poweron"})


@dataclass(frozen=True, slots=True)
class FaultEnd:
    """When a fault ended, and why that was decided.

    Attributes:
        source: what tells it.
        at: the end; None where it is not known.
        open_until: where the end is not known, until when the fault may have lasted; None where it is.
        reason: in words.
    """

    source: FaultEndSource
    at: Instant | None
    open_until: dt.datetime | None
    reason: str


def with_fault_ends(
    injections: Sequence[InjectionRow], deeds: Mapping[str, Deeds], workloads: Sequence[WorkloadRow]
) -> list[InjectionRow]:
    """Return the injections with their faults' ends, in their order.

    Args:
        injections: of all runs of the experiment, their times corrected; an end that was declared stays.
        deeds: injection id -> what it did.
        workloads: of all runs; beyond the end of the last one no fault is taken to last.
    """
    ends = fault_ends(injections, deeds, max((row.ended_at for row in workloads if row.ended_at), default=None))
    return [
        row if row.fault_end_source == "corrected" else _with_end(row, ends[row.injection_id]) for row in injections
    ]


def _with_end(row: InjectionRow, end: FaultEnd) -> InjectionRow:
    return dataclasses.replace(
        row,
        fault_ended_at=end.at.at if end.at else None,
        fault_end_uncertainty_s=end.at.uncertainty_s if end.at else None,
        fault_end_source=end.source,
        fault_end_reason=end.reason,
        fault_open_until=end.open_until,
    )


def fault_ends(
    injections: Sequence[InjectionRow], deeds: Mapping[str, Deeds], run_end: dt.datetime | None
) -> dict[str, FaultEnd]:
    """Decide when the fault of each injection ended: injection id -> its end.

    Args:
        injections: all of the experiment.
        deeds: injection id -> what it did; nothing is known of one that is missing.
        run_end: end of the load; None where it is not known.
    """
    nothing = Deeds(unread="nothing says what it did")
    firings = [_Firing(row, deeds.get(row.injection_id, nothing)) for row in injections]
    firings.sort(key=lambda firing: (firing.row.started_at, firing.row.injection_id))
    touched = _Touched(firings)
    return {firing.row.injection_id: _end_of(firing, touched, run_end) for firing in firings}


@dataclass(frozen=True, slots=True)
class _Firing:
    row: InjectionRow
    deeds: Deeds

    @property
    def ended(self) -> Instant:
        """End of the command."""
        return Instant(self.row.ended_at, self.row.end_uncertainty_s)

    def may_outlast(self, step: Step) -> bool:
        """Whether a step may have been done after the hook returned."""
        took_s = (self.ended.latest - self.row.started_at).total_seconds()
        inside = step.acknowledged and step.after_s is not None and step.after_s <= took_s
        return step.detached and not inside

    def span_of(self, step: Step) -> tuple[dt.datetime, dt.datetime]:
        """Return the first and the last moment at which a step may have been done."""
        first, last = self.row.started_at, self.ended.latest
        if self.may_outlast(step):
            last = _later(last, LONGEST_OPEN_S if step.after_s is None else step.after_s + BACKGROUND_DELAY_S)
        return min(_later(first, step.after_s or 0.0), last), last


_Thing = tuple[str, str, str]  # node, thing, part of it


class _Touched:
    """What was done to which thing, in order of the injections' starts; what could undo what is looked up once."""

    def __init__(self, firings: Iterable[_Firing]) -> None:
        self._done: dict[tuple[str, str], list[tuple[_Firing, Step]]] = {}
        for firing in firings:
            for step in firing.deeds.steps:
                self._done.setdefault((step.node, step.thing), []).append((firing, step))
        self._undoing: dict[tuple[_Thing, str], tuple[list[dt.datetime], list[tuple[_Firing, Step]]]] = {}

    def later(self, firing: _Firing, key: _Thing, verb: str) -> Iterator[tuple[_Firing, Step]]:
        """Yield what later firings did that undoes ``verb`` of a thing, or may; "": whatever is left."""
        if (key, verb) not in self._undoing:
            found = [pair for pair in self._all(key) if _undoes(pair[1], verb)]
            found.sort(key=lambda pair: (pair[0].row.started_at, pair[0].row.injection_id))
            self._undoing[key, verb] = [other.row.started_at for other, _ in found], found
        starts, found = self._undoing[key, verb]
        for place in range(bisect_left(starts, firing.row.started_at), len(found)):
            if found[place][0] is not firing:
                yield found[place]

    def _all(self, key: _Thing) -> list[tuple[_Firing, Step]]:
        node, thing, part = key
        on_thing = [pair for pair in self._done.get((node, thing), []) if _holds(pair[1].part, part)]
        # What is done to the whole of it may undo what was done to a part, as a reboot clears all rules.
        on_whole = [pair for pair in self._done.get((node, thing), []) if part and not pair[1].part]
        return [*on_thing, *on_whole, *(self._done.get((node, ""), []) if thing else [])]


def _by_thing(steps: Sequence[Step]) -> dict[_Thing, list[Step]]:
    """Return what was done to each device, rule or thing, and what was done there to all that hold it."""
    keys = dict.fromkeys((step.node, step.thing, step.part) for step in steps)
    return {
        key: [step for step in steps if (step.node, step.thing) == key[:2] and _holds(step.part, key[2])]
        for key in keys
    }


def _holds(whole: str, part: str) -> bool:
    """Whether what is done to ``whole`` is done to ``part`` of the same thing, too: emptying a chain, to its rules."""
    return whole == part or bool(whole and part.startswith(f"{whole}/"))


def _end_of(firing: _Firing, touched: _Touched, run_end: dt.datetime | None) -> FaultEnd:
    """Decide one fault's end: the last of the ends on all that it acted on."""
    deeds = firing.deeds
    if deeds.ended is not None:
        with_command = deeds.ended == firing.ended
        return FaultEnd("command" if with_command else "observed", deeds.ended, None, deeds.ended_why)
    if deeds.unread:
        return _open(firing, run_end, None, deeds.unread)
    if not deeds.steps:
        return FaultEnd("command", firing.ended, None, deeds.idle or "it acted on nothing")
    things = _by_thing(deeds.steps)
    fates = [_after_later(firing, _own_fate(firing, steps), key, touched) for key, steps in things.items()]
    unknown = [fate for fate in fates if fate.at is None]
    if unknown:
        bounds = [fate.bound for fate in unknown]
        bound = None if None in bounds else max(bound for bound in bounds if bound)
        return _open(firing, run_end, bound, _listed([fate.reason for fate in unknown]))
    last = max(fates, key=lambda fate: _latest(fate.at))
    earliest = max(fate.at.at for fate in fates if fate.at)
    latest = _latest(last.at)
    reasons = [fate.reason for fate in fates if fate.source == last.source]
    if deeds.partly:
        reasons = [*reasons[:3], "what was not read may last longer"]
    return FaultEnd(last.source, _interval(earliest, latest), None, _listed(reasons))


def _open(firing: _Firing, run_end: dt.datetime | None, bound: dt.datetime | None, why: str) -> FaultEnd:
    """A fault whose end is not known: it may last to the limit, the end of the run, or what surely undid it."""
    latest = firing.ended.latest
    until = _later(latest, LONGEST_OPEN_S)
    said = f"{LONGEST_OPEN_S:g} s after the command"
    for moment, what in ((run_end, "the end of the run"), (bound, "what undid it for certain")):
        if moment is not None and moment < until:
            until, said = moment, what
    until = max(until, latest)
    return FaultEnd("unknown", None, until, f"{why}; it may have lasted until {iso(until)}, {said}")


# --- one thing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fate:
    """How a fault ended on one thing.

    Attributes:
        source: what tells it.
        at: its end; None where it is not known, or not yet.
        reason: in words.
        verb: what it still does when the hook and its background jobs are done, or until ``at``; "" where nothing.
        bound: where the end is not known, when it was over for certain; None where that is not known either.
        returns: whether it may end by itself.
    """

    source: Literal["command", "script", "reversed_by", "unknown"]
    at: Instant | None
    reason: str
    verb: str = ""
    bound: dt.datetime | None = None
    returns: bool = False


def _own_fate(firing: _Firing, steps: Sequence[Step]) -> _Fate:
    """Decide what an injection leaves behind on one thing, by its own steps alone."""
    said = steps[0].said
    doubt = _doubt(firing, steps)
    if doubt:
        return _Fate("unknown", None, doubt)
    steps = [step for step in _in_order(steps) if not (step.verb in UNDOING and step.took_hold is False)]
    if not steps:
        return _Fate("command", firing.ended, f"what would have ended a fault of {said} failed, and nothing began one")
    left = _left(steps)
    if left:
        return _lasting(firing, left[-1])
    late = [step for step in steps if firing.may_outlast(step)]
    unseen = [step for step in late if step.verb in UNDOING and not step.took_hold]
    if unseen and _verb_before(steps):
        due = f"for {unseen[-1].after_s:g} s after the hook's start"
        why = f"{unseen[-1].verb} of {said} was left for later, {due}, and nothing shows that it came"
        return _Fate("unknown", None, why, _verb_before(steps), returns=True)
    if late:
        first, last = firing.span_of(late[-1])
        why = f"{late[-1].verb} of {said} runs in the background, {late[-1].after_s:g} s after the hook's start"
        return _Fate("script", _interval(max(first, firing.row.ended_at), last), why, _verb_before(steps))
    done = "+".join(dict.fromkeys(step.verb for step in steps))
    return _Fate("command", firing.ended, f"{done} of {said} was over when the command ended")


def _in_order(steps: Sequence[Step]) -> list[Step]:
    """Return the steps in order of time where sleeps tell it, else as they stand."""
    times = [(step.after_s, step) for step in steps if step.after_s is not None]
    return list(steps) if len(times) < len(steps) else [step for _, step in sorted(times, key=lambda pair: pair[0])]


def _doubt(firing: _Firing, steps: Sequence[Step]) -> str:
    """Return why the steps do not say what is left; "" where they do."""
    said = steps[0].said
    lasting = any(step.verb not in _MOMENTARY or step.verb == "restart" for step in steps)
    if firing.deeds.answer_lost and lasting and not all(step.took_hold for step in steps):
        code = firing.row.return_code
        return f"the hook's answer was lost (exit code {code}), and how far it came on {said} is not known"
    if any(step.after_s is None and firing.may_outlast(step) for step in steps):
        return f"when the background job on {said} ran is not known"
    strange = next((step.verb for step in steps if step.verb not in _UNDONE_BY and step.verb not in _MOMENTARY), None)
    if strange is not None:
        return f"how long {strange} of {said} lasts is not known"
    if _tangled(steps):
        return f"in which order {said} was stopped and started last is not known"
    return ""


def _tangled(steps: Sequence[Step]) -> bool:
    """Whether one line repeats something and undoes it, not equally often: the last of them may be either."""
    lines: dict[tuple[str, int], list[Step]] = {}
    for step in steps:
        lines.setdefault(step.place, []).append(step)
    return any(_uneven(line) for line in lines.values() if any(step.count > 1 for step in line))


def _uneven(line: Sequence[Step]) -> bool:
    does = sum(step.count for step in line if step.verb not in _MOMENTARY)
    undoes = sum(step.count for step in line if step.verb in _MOMENTARY)
    return bool(does and undoes) and does != undoes


def _left(steps: Sequence[Step]) -> list[Step]:
    """Return the steps whose doing nothing undid, in order."""
    left: dict[str, list[tuple[int, Step]]] = {}
    for number, step in enumerate(steps):
        if step.verb in _MOMENTARY:
            undone = frozenset(verb for verb in left if step.verb in _UNDONE_BY[verb])
        else:
            undone = _HELD & left.keys() if step.verb in _DOWN else frozenset()
            left.setdefault(step.verb, []).append((number, step))
        for verb in undone:
            del left[verb]
    return [step for _, step in sorted(itertools.chain(*left.values()), key=operator.itemgetter(0))]


def _verb_before(steps: Sequence[Step]) -> str:
    """Return what held until the last step undid it."""
    return next((step.verb for step in reversed(steps) if step.verb not in _MOMENTARY), "")


def _lasting(firing: _Firing, step: Step) -> _Fate:
    """Decide on a step that nothing in its own hook undoes."""
    row = firing.row
    if step.lasts_s is not None:
        took_s = (row.ended_at - row.started_at).total_seconds()
        if took_s >= step.lasts_s and step.verb != "freeze":
            why = f"{step.verb} of {step.said} lasts {step.lasts_s:g} s, and the command waited for it"
            return _Fate("command", firing.ended, why)
        first, last = (_later(moment, step.lasts_s) for moment in (row.started_at, firing.ended.latest))
        why = f"{step.verb} of {step.said} lasts {step.lasts_s:g} s, and the command does not wait for it"
        return _Fate("script", _interval(max(first, row.ended_at), last), why, step.verb)
    why = _MAY_RETURN.get(step.verb, "nothing that is known undoes it")
    return _Fate("unknown", None, f"{step.verb} of {step.said}: {why}", step.verb, returns=step.verb in _MAY_RETURN)


# --- what came later -------------------------------------------------------------------------------------------------


def _after_later(firing: _Firing, fate: _Fate, key: _Thing, touched: _Touched) -> _Fate:
    """Return the fate with what later injections did to the same thing, or may have done."""
    if fate.source == "command" or (fate.source == "script" and not fate.verb):
        return fate
    perhaps: list[_Firing] = []
    for other, undoing in touched.later(firing, key, fate.verb):
        if fate.at is not None and other.row.started_at >= fate.at.at:
            break
        if fate.at is not None and other.span_of(undoing)[0] >= fate.at.at:
            continue
        after = other.span_of(undoing)[0] >= firing.row.ended_at  # while the command runs, either may come first
        if after and undoing.took_hold and undoing.thing == key[1] and undoing.verb in _surely(fate):
            return _undone(firing, fate, other, undoing, perhaps)
        perhaps.append(other)
    if not perhaps:
        return fate
    names = _named(perhaps)
    bound = fate.at.latest if fate.at else None
    return dataclasses.replace(
        fate, source="unknown", at=None, bound=bound, reason=f"{fate.reason}; {names} may have undone it"
    )


def _undoes(step: Step, verb: str) -> bool:
    """Whether a step undoes what is left, or may."""
    possible = _UNDONE_BY[verb] if verb else _ENDS_SOMETHING
    return step.verb in possible or (not step.thing and step.verb in _OF_NODE)


def _surely(fate: _Fate) -> frozenset[str]:
    """Return what undoes what is left, whatever it is where that is not known."""
    return _UNDONE_BY[fate.verb] if fate.verb else frozenset({"restart"})


def _undone(firing: _Firing, fate: _Fate, other: _Firing, undoing: Step, perhaps: Sequence[_Firing]) -> _Fate:
    """A later injection undid it for certain; that is its end, unless it may have ended before."""
    first, last = other.span_of(undoing)
    name = other.row.injection_id
    if perhaps or fate.returns or not fate.verb:
        may = _named(perhaps)
        doubt = f"; {may} may have undone it before" if may else ""
        return dataclasses.replace(
            fate, source="unknown", at=None, bound=last, reason=f"{fate.reason}{doubt}; at the latest {name} undid it"
        )
    if fate.at is not None:
        last = min(last, fate.at.latest)
    why = f"{fate.verb} of {undoing.said} was undone by {undoing.verb} of {name}"
    return _Fate("reversed_by", _interval(max(first, firing.row.ended_at), last), why, fate.verb)


# --- small things ----------------------------------------------------------------------------------------------------


def _later(moment: dt.datetime, seconds: float) -> dt.datetime:
    return moment + dt.timedelta(seconds=seconds)


def _latest(instant: Instant | None) -> dt.datetime:
    if instant is None:
        raise ValueError("an end that is not known has no latest moment")
    return instant.latest


def _interval(first: dt.datetime, last: dt.datetime) -> Instant:
    return Instant(first, max((last - first).total_seconds(), 0.0))


def _named(firings: Sequence[_Firing], shown: int = 20) -> str:
    names = list(dict.fromkeys(firing.row.injection_id for firing in firings))
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _listed(reasons: Sequence[str], shown: int = 4) -> str:
    told = list(dict.fromkeys(reasons))
    return "; ".join(told[:shown]) + (f"; and {len(told) - shown} more" if len(told) > shown else "")
