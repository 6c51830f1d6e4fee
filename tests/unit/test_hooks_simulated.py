"""What is decided of hooks in random forms is right or unknown, never wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from faultset.truth.proof import UNDOING
from hook_simulator import Simulated, simulate
from hook_table import Answer, Hook, decided

GROUPS = range(0, 500, 50)


def answer_of(hook: Simulated) -> Answer:
    return decided(
        Hook("simulated", hook.command, (), "", scripts=hook.scripts, out=hook.out, err=hook.err, exit=hook.code)
    )


def happened(hook: Simulated, node: str, name: str) -> tuple[bool, bool]:
    """Whether all that shows a fault was done there, and whether anything was."""
    planned = hook.planned.get((node, name), [])
    acted = hook.acted.get((node, name), [])
    decisive = [verb for verb in planned if verb not in UNDOING] or planned
    return bool(planned) and all(acted.count(verb) == decisive.count(verb) for verb in decisive), bool(acted)


def mistakes(hook: Simulated, answer: Answer) -> list[str]:
    found = []
    for target in answer.did:
        node, name, _, effect = target.split(" ")
        if (node, name) not in hook.planned:
            found.append(f"{node} {name} was not commanded")
        whole, some = happened(hook, node, name)
        if effect == "took" and not whole:
            found.append(f"{node} {name} was not hit")
        if effect == "missed" and some:
            found.append(f"{node} {name} was hit")
    everything = all(happened(hook, *where)[0] for where in hook.planned)
    if answer.effect == "full" and not everything:
        found.append("not everything was hit")
    if answer.effect == "none" and hook.acted:
        found.append("something was hit")
    return found


@pytest.mark.parametrize("first", GROUPS)
def test_a_simulated_hook_is_decided_rightly_or_left_open(first: int) -> None:
    for seed in range(first, first + 50):
        hook = simulate(seed)
        answer = answer_of(hook)
        assert not mistakes(hook, answer), (seed, hook, answer)


def test_most_of_what_was_hit_is_known() -> None:
    known: Counter[str] = Counter()
    for seed in range(200):
        known.update(target.split(" ")[-1] for target in answer_of(simulate(seed)).did)
    assert known["open"] < known.total() / 2
