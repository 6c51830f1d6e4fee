"""What an injection did to what, step by step, as far as commands and scripts tell: what a fault's end follows from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faultset.moments import Instant
from faultset.records.claims import Claim
from faultset.records.cluster import HumanCommand
from faultset.records.run import HookPlan, HookResult
from faultset.records.scripts import CommandedAction
from faultset.truth import claimed
from faultset.truth.output import read_output
from faultset.truth.placement import Placement
from faultset.truth.proof import UNDOING
from faultset.truth.targets import Target

# Exit codes of ``timeout``, of a command that was killed, and of ssh that lost its session: what ran is not known.
_ANSWER_LOST = frozenset({124, 129, 130, 137, 141, 143, 255})


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one thing of one node.

    Attributes:
        node: short name.
        thing: what the same thing is called in every injection; "" for the node itself.
        said: the thing and its node in words.
        verb: what was done, such as ``stop``.
        took_hold: whether it demonstrably acted there; None: unknown.
        acknowledged: whether the hook's output shows that it was done before the hook returned.
        after_s: seconds after the hook's start at which it ran, as far as sleeps tell; None: unknown.
        detached: whether it may have run after the hook returned.
        lasts_s: for how many seconds the command says that it is to last; None where it does not say.
        place: script and line.
        count: how often.
        part: what of the thing it is, such as one device of a node; "" for the whole.
    """

    node: str
    thing: str
    said: str
    verb: str
    took_hold: bool | None = True
    acknowledged: bool = False
    after_s: float | None = 0.0
    detached: bool = False
    lasts_s: float | None = None
    place: tuple[str, int] = ("", 0)
    count: int = 1
    part: str = ""


@dataclass(frozen=True, slots=True)
class Deeds:
    """All that is known of what one injection did.

    Attributes:
        steps: in the order in which they stand; none on what it demonstrably did not act on.
        unread: why it may have done something that is not known, in words; "" where the steps say all.
        idle: why it did nothing, or nothing that outlasts it, in words; "" where there are steps or it is not known.
        partly: whether commands that may act were not read, beside the steps.
        answer_lost: whether the hook's exit code says that nobody knows how far it came.
        ended: when the fault itself ended, where the tool tells it; None where it follows from the steps.
        ended_why: what tells it.
    """

    steps: tuple[Step, ...] = ()
    unread: str = ""
    idle: str = ""
    answer_lost: bool = False
    ended: Instant | None = None
    ended_why: str = ""
    partly: bool = False


def deeds_of(hook: HookPlan, result: HookResult, targets: Sequence[Target], placement: Placement) -> Deeds:
    """Return what a firing did.

    Args:
        hook: as configured, with what it orders.
        result: the firing.
        targets: as decided.
        placement: of the cluster.
    """
    acted = [target for target in targets if target.effective is not False and target.commanded is not False]
    if result.claim is not None and (result.claim.applied is False or not result.claim.of_command):
        return _claimed(result.claim, result, acted)
    if hook.command is not None:
        return Deeds(tuple(_commanded(hook.command, acted, placement)), idle="it acted on nothing")
    actions = hook.orders.actions if hook.orders else ()
    steps = tuple(_scripted(actions, acted, placement, _answered(actions, result)))
    if steps:
        partly = hook.orders is not None and bool(hook.orders.unread)
        return Deeds(steps, answer_lost=result.return_code in _ANSWER_LOST, partly=partly)
    if actions and targets and not acted:
        return Deeds(idle="it acted on nothing")
    return _unread(hook, acted)


def _claimed(claim: Claim, result: HookResult, targets: Sequence[Target]) -> Deeds:
    """Return what a tool says that it did, on what it may have acted on."""
    if claim.applied is False:
        return Deeds(idle=f"it did nothing: {claim.why}")
    if claim.ends_with_command:
        return Deeds(ended=result.ended_at, ended_why=claim.fault_end_why)
    if claim.fault_end is not None:
        return Deeds(ended=claim.fault_end, ended_why=claim.fault_end_why)
    if claim.verb is None or not targets:
        return Deeds(unread=claim.fault_end_why or "nothing that was read says how long what it did lasts")
    steps = (
        Step(
            node=target.place.name,
            thing="/".join(part for part in (target.namespace, target.pod, target.container) if part).lower(),
            said=claimed.name_of(target),
            verb=claim.verb,
            took_hold=target.effective,
            acknowledged=target.effective is True,
            lasts_s=claim.lasts_s,
        )
        for target in targets
    )
    return Deeds(tuple(steps))


def _commanded(command: HumanCommand, targets: Sequence[Target], placement: Placement) -> Iterator[Step]:
    for target in targets:
        network = f"network {command.network}" if command.network else None
        yield Step(
            node=target.place.name,
            thing=network or _thing(target.container, placement),
            said=_said(network or target.container, target.place.name),
            verb=command.action,
            took_hold=target.effective,
            lasts_s=command.duration_s,
        )


def _answered(actions: Sequence[CommandedAction], result: HookResult) -> frozenset[str]:
    """Return the containers of which docker answered all that was commanded, by doing it or by refusing."""
    commanded: Counter[str] = Counter()
    for action in actions:
        if action.kind == "container" and action.name is not None:
            commanded[action.name] += action.count
    output = read_output(result, commanded.keys())
    return frozenset(name for name, count in commanded.items() if output.acted[name] + output.refused[name] == count)


_PARTS = {
    "link": "a device of ", "queue": "a device's queue of ", "rules": "a rule of ", "policy": "a policy of ",
    "network": "a network of ",
}  # fmt: skip


def _scripted(
    actions: Sequence[CommandedAction], targets: Sequence[Target], placement: Placement, answered: frozenset[str]
) -> Iterator[Step]:
    """Yield the steps of scripts on what is a target; where a step names no host, on each target of its name."""
    for action in actions:
        host = placement.place(action.host).name if action.host is not None else None
        for target in targets:
            if target.container != action.name or host not in (None, target.place.name):
                continue
            ends = action.verb in UNDOING
            took_hold = target.undone if ends else target.effective
            yield Step(
                node=target.place.name,
                thing=_thing(action.name, placement, action.kind),
                said=_PARTS.get(action.part.partition("/")[0], "") + _said(action.name, target.place.name),
                verb=action.verb,
                took_hold=took_hold,
                # What docker printed adds up to all that was commanded there: it had run when the hook returned.
                acknowledged=action.kind == "container" and (took_hold is True or action.name in answered),
                after_s=action.begins_after_s,
                detached=action.detached,
                place=(action.script, action.line),
                count=action.count,
                part=action.part,
            )


def _thing(name: str | None, placement: Placement, kind: str = "container") -> str:
    """Return what a thing is known by: its key in the cluster file, else its name without what varies."""
    if name is None:
        return ""
    component = placement.component(name, kind)
    return component.key if component else name.lower().replace("-", "_")


def _said(name: str | None, node: str) -> str:
    return f"{name} on {node}" if name else f"the node {node}"


def _unread(hook: HookPlan, targets: Sequence[Target]) -> Deeds:
    """Nothing says what the hook did; its own words may."""
    if hook.says_restart:
        return Deeds(idle="nothing that was read says what it did; by its own words it is a restart")
    if targets:
        return Deeds(unread="nothing that was read says what was done to its targets")
    if hook.orders is not None and hook.orders.notes:
        return Deeds(unread="not all of its scripts was read, as the notes say")
    if hook.name == "sys_call" and not hook.names_program:
        return Deeds(idle="its command acts on nothing that is known")
    return Deeds(unread="nothing that was read says what it did")
