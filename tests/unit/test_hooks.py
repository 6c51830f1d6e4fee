"""What hooks did, whatever they are written in: each line of ``hooks.yaml`` has its right answer, or is unknown."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from hook_table import Hook, decided, decided_publicly, hooks

HOOKS = hooks()
_CONTAINER_ID = re.compile(r"[0-9a-f]{12}")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.kind}: {hook.command[:60]}")
def test_a_hook_did_what_the_table_says(hook: Hook) -> None:
    answer = decided(hook)
    assert (answer.did, answer.effect) == (hook.did, hook.effect), answer.words
    assert hook.says in answer.words


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.kind}: {hook.command[:60]}")
def test_what_may_be_published_of_a_hook_decides_the_same(hook: Hook) -> None:
    answer = decided_publicly(hook)
    if any(_CONTAINER_ID.fullmatch(line) for line in hook.out.splitlines()):
        # An id cannot be told from a token: it is not published, and what it shows is not known any more.
        assert answer.effect == "unknown"
        assert not any(target.endswith(("took", "missed")) for target in answer.did)
    else:
        assert (answer.did, answer.effect) == (hook.did, hook.effect), answer.words


def test_the_table_is_large_and_its_kinds_are_many() -> None:
    assert len(HOOKS) >= 150
    assert min(Counter(hook.kind for hook in HOOKS).values()) >= 5
