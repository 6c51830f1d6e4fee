"""What hooks did, whatever they are written in: each line of ``hooks.yaml`` has its right answer, or is unknown."""

from __future__ import annotations

from collections import Counter

import pytest

from hook_table import Hook, decided, hooks

HOOKS = hooks()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.kind}: {hook.command[:60]}")
def test_a_hook_did_what_the_table_says(hook: Hook) -> None:
    answer = decided(hook)
    assert (answer.did, answer.effect) == (hook.did, hook.effect), answer.words
    assert hook.says in answer.words


def test_the_table_is_large_and_its_kinds_are_many() -> None:
    assert len(HOOKS) >= 150
    assert min(Counter(hook.kind for hook in HOOKS).values()) >= 5
