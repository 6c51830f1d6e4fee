"""What the commands, read whole, allow a hook's output and its exit code to prove.

One place answers that, for each node and each thing that was commanded there. A line of docker's counts only where
a command could have printed it, an exit code only for the commands that it is about, and an answer that was lost says
nothing: it is unknown then, never "did not act".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from faultset.records.scripts import Clue, CommandedAction, Printed
from faultset.truth.acted import all_refused, strangers, who_acted
from faultset.truth.output import Acknowledgements, HostAnswer
from faultset.truth.placement import Place

# What only ends a fault: whether a fault took hold is shown by the others.
UNDOING = frozenset({
    "start", "unpause", "unfreeze", "connect", "restore", "unblock", "uncordon", "unstandby", "poweron", "plug",
})  # fmt: skip
# systemctl's for a unit that is not there, and the shell's for a command that is not.
_NOT_THERE = frozenset({4, 5, 126, 127})
_DOWN = frozenset({"reboot", "poweroff", "shutdown", "crash"})

Answer = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Order:
    """All that was commanded for one container, service or process on one node, or for the node itself."""

    place: Place
    name: str | None
    actions: tuple[CommandedAction, ...]
    fallbacks: tuple[CommandedAction, ...] = ()

    @property
    def kind(self) -> str:
        """What it is."""
        return self._all[0].kind

    @property
    def verbs(self) -> tuple[str, ...]:
        """What was done, in order, without repeats."""
        return tuple(dict.fromkeys(action.verb for action in self._all))

    @property
    def count(self) -> int:
        """Single actions, each of which docker acknowledges with one line."""
        return sum(action.count for action in self._all)

    @property
    def source(self) -> str:
        """Where the first of them stands."""
        first = self._all[0]
        return f"{first.script}:{first.line}" if first.script else "the hook's command"

    @property
    def certain(self) -> bool:
        """Whether any of it ran for certain."""
        return any(action.certain for action in self.actions)

    @property
    def decisive(self) -> tuple[CommandedAction, ...]:
        """The actions that show whether a fault took hold: all but those that end one, unless there are no others."""
        return tuple(action for action in self._all if action.verb not in UNDOING) or self._all

    @property
    def ending(self) -> tuple[CommandedAction, ...]:
        """The actions that end the fault which the others begin."""
        ending = tuple(action for action in self._all if action.verb in UNDOING)
        return () if len(ending) == len(self._all) else ending

    @property
    def heard(self) -> Order:
        """The order without what leaves no line of docker's in the hook's output."""
        return replace(self, actions=_heard(self.actions), fallbacks=_heard(self.fallbacks))

    @property
    def _all(self) -> tuple[CommandedAction, ...]:
        return self.actions or self.fallbacks


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to judge by.

    Attributes:
        output: what the output names.
        return_code: the hook's; None where it was not recorded.
        prints: what commands print that are no actions.
        unread: whether a command that may act was not read.
        answers: tool -> node -> what it says of that node.
        alone: whether the hook commands one thing on one node, and nothing else.
    """

    output: Acknowledgements
    return_code: int | None
    prints: tuple[Printed, ...] = ()
    unread: bool = False
    answers: Mapping[str, Mapping[str, HostAnswer]] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of an order.

    Attributes:
        effective: whether it took effect; None: not known.
        why: in words.
        some: whether some of it did in any case.
        whole: whether every single action is shown, also those that end the fault.
        undone: whether what ends the fault is shown to have come; False: it failed, or would have been shown; None:
            nothing could show it.
        all_or_none: whether all of its actions had one fate: they met one thing that is there, or is not.
    """

    effective: bool | None
    why: str
    some: bool = False
    whole: bool = False
    undone: bool | None = None
    all_or_none: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many of docker's lines may be answers: at least, at most."""

    least: int
    most: int


def acknowledged(name: str, seen: Seen) -> Count:
    """Return how many answers the output holds for ``name``, without what other commands printed."""
    lines = seen.output.acted[name]
    exactly = sum(printed.most or 0 for printed in seen.prints if printed.text == name)
    most = max(lines - exactly, 0)
    perhaps = sum(math.inf if p.most is None else p.most for p in seen.prints if p.text is None)
    return Count(int(max(most - perhaps, 0)) if math.isfinite(perhaps) else 0, most)


def judge(orders: Sequence[Order], declared: frozenset[str] | None, seen: Seen) -> dict[str, Verdict]:
    """Decide for each node whether what was commanded there for one name took effect.

    Args:
        orders: those of one name, one a node.
        declared: nodes that it is declared on; None without a cluster file.
        seen: the evidence.
    """
    verdicts: dict[str, Verdict] = {}
    for order in orders:
        answer = _of_node(order, seen)
        if answer is not None:
            verdicts[order.place.name] = answer
    rest = [order for order in orders if order.place.name not in verdicts]
    speaking = [order.heard for order in rest if _speaks(order)]
    verdicts |= _by_lines(speaking, declared, seen)
    silent = [order for order in rest if not _speaks(order)]
    verdicts |= {order.place.name: _by_clues(order, silent, declared, seen) for order in silent}
    return {
        order.place.name: replace(verdict, undone=_undone(order, verdict, seen))
        for order in orders
        for verdict in (verdicts[order.place.name],)
    }


def _undone(order: Order, verdict: Verdict, seen: Seen) -> bool | None:
    """Whether what ends the fault is shown to have come."""
    if not order.ending:
        return verdict.effective if all(action.verb in UNDOING for action in order.decisive) else None
    told = [_told(action, seen) for action in order.ending]
    if any(answer is not None and not answer[0] for answer in told):
        return False
    if verdict.whole and len(_heard(order.ending)) in (0, len(order.ending)):
        return True if _heard(order.ending) or all(told) else None
    if all(told):
        return True
    if verdict.effective is None and verdict.all_or_none:
        return None
    return False if _speaks(order) and _heard(order.ending) and seen.output.seen else None


def _of_node(order: Order, seen: Seen) -> Verdict | None:
    """What is known of the node itself, or what a tool says of it."""
    node = order.place.name
    if node in seen.output.unreachable:
        return Verdict(False, "ssh could not reach the node")
    for action in order.actions:
        answer = seen.answers.get(action.via or "", {}).get(node)
        if action.via and answer is not None:
            return _of_tool(order, action.via, answer)
    return None


def _of_tool(order: Order, tool: str, answer: HostAnswer) -> Verdict | None:
    """What ansible, pdsh and their like say of one node; None where they say nothing of what was commanded there."""
    if not answer.reached:
        return Verdict(False, f"{tool} could not reach the node")
    shown = answer.lines[order.name or ""]
    if shown:
        all_shown = True if shown >= order.count else None
        why = f"{tool} shows {shown} of {order.count} acknowledgements of this node"
        return Verdict(all_shown, why, some=True, whole=bool(all_shown))
    if answer.succeeded is None:
        return None
    if answer.succeeded is False and order.kind != "service":
        return Verdict(False, f"{tool} reports that the command failed on this node")
    speaks = _speaks(order) and all(action.acknowledges == "name" for action in order.actions)
    about_it = all(Clue("node", succeeded=True) in action.clues for action in order.decisive)
    if answer.succeeded and not speaks and about_it:
        return Verdict(True, f"{tool} reports that the command succeeded on this node")
    return Verdict(None, f"{tool} reports {'success' if answer.succeeded else 'a failure'}, which does not say of what")


def _speaks(order: Order) -> bool:
    """Whether its answers are lines of the hook's output."""
    return order.kind == "container" and len(_heard(order.decisive)) == len(order.decisive)


def _heard(actions: Iterable[CommandedAction]) -> tuple[CommandedAction, ...]:
    """Return those whose acknowledgement reaches the hook's output."""
    return tuple(action for action in actions if action.acknowledges in ("name", "id") and action.stdout == "heard")


# --- what docker prints ----------------------------------------------------------------------------------------------


def _by_lines(orders: Sequence[Order], declared: frozenset[str] | None, seen: Seen) -> dict[str, Verdict]:
    if not orders:
        return {}
    name = orders[0].name or ""
    count = acknowledged(name, seen)
    if all(action.acknowledges == "id" for order in orders for action in order.actions) and not count.most:
        count = Count(seen.output.ids, seen.output.ids)
    asked = sum(order.count for order in orders if order.certain)
    extra = sum(action.count for order in orders for action in order.fallbacks)
    extra += sum(order.count for order in orders if not order.certain)
    if count.least != count.most:
        return {order.place.name: _among_others(order, orders, count, seen) for order in orders}
    if extra or any(action.at_least for order in orders for action in order.actions):
        return {order.place.name: _of_range(order, orders, count.most, seen) for order in orders}
    if count.most > asked:
        why = f"{count.most} acknowledgements of {asked} actions: what printed the others is not known"
        return {order.place.name: Verdict(None, why) for order in orders}
    if len(orders) == 1:
        return {orders[0].place.name: _of_one(orders[0], count.most, seen)}
    return _of_several(orders, declared, name, count.most, seen)


def _among_others(order: Order, orders: Sequence[Order], count: Count, seen: Seen) -> Verdict:
    """Other commands may have printed the name as well."""
    by = ", ".join(sorted({printed.by for printed in seen.prints if printed.text is None}))
    asked = sum(each.count for each in orders)
    if asked <= count.least:
        return Verdict(True, f"docker acted: at least {count.least} of {asked} acknowledged", some=True, whole=True)
    told = _told_of_all(order, seen)
    if told and told[0]:
        return Verdict(True, told[1], some=True)
    return Verdict(None, f"the output names it {count.most} times, and {by} may have printed that")


def _of_range(order: Order, orders: Sequence[Order], lines: int, seen: Seen) -> Verdict:
    """How often the commands run is not told, or they run in one case only."""
    least = sum(action.count for each in orders for action in each.actions if action.certain)
    if len(orders) == 1 and lines and lines >= least:
        return Verdict(True, f"docker acted: {lines} actions acknowledged", some=True)
    if not lines:
        refused = seen.output.refused[order.name or ""] if len(orders) == 1 else 0
        return _silence(order, refused, least, seen)
    return Verdict(None, f"{lines} actions acknowledged, and the text does not tell of how many", some=True)


def _of_one(order: Order, lines: int, seen: Seen) -> Verdict:
    refused = seen.output.refused[order.name or ""]
    counted = f"{lines} of {order.count} actions acknowledged, {refused} refused"
    if lines == order.count:
        return Verdict(True, f"docker acted: {counted}", some=True, whole=True)
    if not lines:
        return _silence(order, refused, order.count, seen)
    failed = {action for action in order.actions if (told := _told(action, seen)) and not told[0]}
    rest = [action for action in order.actions if action not in failed]
    if failed and lines == sum(action.count for action in rest) and set(order.decisive) & set(rest):
        return Verdict(True, f"docker acted: {counted}; the exit code says that '{_verbs(failed)}' failed", some=True)
    return Verdict(None, f"{counted}, which does not say which ones", some=True)


def _verbs(actions: Iterable[CommandedAction]) -> str:
    return "+".join(dict.fromkeys(action.verb for action in actions))


def _silence(order: Order, refused: int, asked: int, seen: Seen) -> Verdict:
    """Docker acknowledged nothing."""
    output = seen.output
    counted = f"0 of {asked} actions acknowledged, {refused} refused"
    if not output.seen and not output.lost:
        return Verdict(None, "no output was recorded")
    if refused or output.no_daemon:
        return Verdict(False, f"docker did not act: {counted}")
    if output.lost:
        return Verdict(None, f"{counted}; {output.lost}")
    told = _told_of_all(order, seen)
    if told and not told[0] and _by_own_code(order):
        return Verdict(False, f"docker did not act: {counted}; {told[1]}")
    return Verdict(None, "the output names neither an action nor an error")


def _by_own_code(order: Order) -> bool:
    """Whether a failure is shown by the commands' own exit code; others may be that of a session that was lost."""
    return all(
        all(clue.seen in ("exit not 0", "node") for clue in action.clues if not clue.succeeded)
        for action in order.decisive
    )


def _of_several(
    orders: Sequence[Order], declared: frozenset[str] | None, name: str, lines: int, seen: Seen
) -> dict[str, Verdict]:
    output = seen.output
    commanded = {order.place.name: order.count for order in orders}
    if output.lost and lines < sum(commanded.values()) and not all_refused(commanded, output.refused[name]):
        # A session that ended early may have been answered before, and may have kept others from being opened.
        why = f"{lines} of {sum(commanded.values())} actions acknowledged; {output.lost}"
        return dict.fromkeys(commanded, Verdict(None, why, some=bool(lines)))
    failed = _failed_alone(orders, lines, seen)
    if failed:
        return failed
    # Docker answers with ids where it was given ids; as many lines stand for the name then.
    answers = who_acted(commanded, declared, name, replace(output, acted=Counter({name: lines})))
    refused = output.refused[name]
    by_nodes = lines + refused == sum(commanded.values()) and refused in _sums(commanded.values())
    return {
        node: Verdict(effective, why, some=bool(lines), whole=effective is True, all_or_none=by_nodes)
        for node, (effective, why) in answers.items()
    }


def _sums(counts: Iterable[int]) -> set[int]:
    """Return what the counts of some nodes can add up to: a container that is not there refuses all of its node's."""
    reached = {0}
    for count in counts:
        reached |= {total + count for total in reached}
    return reached


def _failed_alone(orders: Sequence[Order], lines: int, seen: Seen) -> dict[str, Verdict]:
    """Return the verdicts where exit codes say who failed, and the others account for all lines; nothing else."""
    told = {order.place.name: _told_of_all(order, seen) for order in orders}
    failed = [o for o in orders if (answer := told[o.place.name]) and not answer[0] and _by_own_code(o)]
    rest = [order for order in orders if order not in failed]
    if not failed or not rest or lines != sum(order.count for order in rest):
        return {}
    why = f"{lines} of {sum(order.count for order in orders)} actions acknowledged; the hook ended with exit code"
    why = f"{why} {seen.return_code}, which says that it failed on {', '.join(o.place.name for o in failed)}"
    return {
        order.place.name: Verdict(
            order in rest,
            f"docker {'acted' if order in rest else 'did not act'}: {why}",
            some=order in rest,
            whole=order in rest,
        )
        for order in orders
    }


# --- what exit codes and lines prove ---------------------------------------------------------------------------------


def _by_clues(order: Order, orders: Sequence[Order], declared: frozenset[str] | None, seen: Seen) -> Verdict:
    """What leaves no line of its own is shown by the hook's exit code, by lines that depend on it, or by errors."""
    error = _error(order, orders, declared, seen)
    if error:
        return Verdict(False, error)
    shown = _named_in_words(order, seen)
    if shown:
        return shown
    told = _told_of_all(order, seen)
    if told is None:
        lost = f"; {seen.output.lost}" if seen.output.lost else ""
        return Verdict(None, f"{_silent(order)}{lost}")
    succeeded, why = told
    if succeeded:
        return Verdict(True, why)
    gone = (order.kind in ("container", "process") or seen.return_code in _NOT_THERE) and _by_own_code(order)
    return Verdict(False, why) if gone else Verdict(None, f"{why}, after what is not known")


def _silent(order: Order) -> str:
    if order.kind != "container":
        return f"a {order.kind} command leaves no acknowledgement"
    return "its acknowledgement does not reach the hook's output"


def _error(order: Order, orders: Sequence[Order], declared: frozenset[str] | None, seen: Seen) -> str:
    """An error that names what was commanded, so often that it is about this node."""
    errors = seen.output.unknown_units[order.name or ""] + seen.output.refused[order.name or ""]
    commanded = {each.place.name: each.count for each in orders}
    if order.name and all_refused(commanded, errors):
        return f"an error says that {order.name} is not there"
    if order.name and order.place.name in strangers(commanded, declared, errors):
        return f"an error says that {order.name} is not there, as often as it was commanded where it is not declared"
    if order.kind == "container" and seen.output.no_daemon and len(orders) == 1:
        return "docker could not be asked"
    return ""


def _named_in_words(order: Order, seen: Seen) -> Verdict | None:
    """What the output says beside docker's lines: a tool's words, or a node's that goes down."""
    if order.kind == "node" and order.place.name in seen.output.closed_hosts and set(order.verbs) & _DOWN:
        return Verdict(True, "the node ended the session itself, as one does that goes down")
    if not order.name or not all(action.acknowledges == "words" for action in order.actions):
        return None
    if seen.output.worded[order.name]:
        return Verdict(True, f"the output says what was done to {order.name}", some=True)
    return None


def _told_of_all(order: Order, seen: Seen) -> Answer | None:
    """What is told of every decisive action, where it is the same of all."""
    answers = [_told(action, seen) for action in order.decisive]
    known = [answer for answer in answers if answer is not None]
    if len(known) < len(answers) or not known or len({answer[0] for answer in known}) > 1:
        return None
    if seen.alone and order.count == 1 and known[0][0] and seen.return_code == 0:
        return True, "it was the hook's only command, which ended with exit code 0"
    return known[0]


def _told(action: CommandedAction, seen: Seen) -> Answer | None:
    """Return whether one command succeeded, by the clues that were seen; None where none was, or they disagree."""
    found = [(clue.succeeded, why) for clue in action.clues if (why := _shown(clue, seen))]
    return found[0] if len({succeeded for succeeded, _ in found}) == 1 else None


def _shown(clue: Clue, seen: Seen) -> str:
    """Return where a clue is seen, in words; nothing where it is not."""
    done = "succeeded" if clue.succeeded else "failed"
    if clue.seen == "exit 0" and seen.return_code == 0:
        return f"the hook ended with exit code 0, which says that it {done}"
    lost = seen.output.lost or seen.output.unreachable
    if clue.seen == "exit not 0" and seen.return_code not in (0, None) and not lost:
        return f"the hook ended with exit code {seen.return_code}, which says that it {done}"
    if clue.seen == "line" and seen.output.lines[clue.text]:
        return f"the hook printed '{clue.text[:60]}', which says that it {done}"
    return ""
