"""Work divided into few batches of about the same size: pure functions of sizes known beforehand."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work that is not divided further.

    Attributes:
        name: what it is about.
        bytes: how much has to be read for it.
    """

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Division:
    """How work is divided.

    Attributes:
        most: batches at most, however much there is to do.
        fixed: what one item costs whatever its size, as the number of bytes that cost the same.
        target: cost of a batch, in bytes, below which another batch would cost more to start than it saves.
    """

    most: int
    fixed: int
    target: int

    def cost(self, item: Item) -> int:
        """Return what an item costs, in bytes."""
        return self.fixed + item.bytes


def batches(items: Sequence[Item], by: Division) -> list[tuple[Item, ...]]:
    """Return the items in batches; no batch is empty, and every item is in exactly one.

    The largest come first, each into the batch that is the smallest so far, so that no batch costs more than an even
    share and the largest item together, and what is larger than an even share stays alone. Within a batch the smallest
    comes first: it is done soonest.
    """
    total = sum(map(by.cost, items))
    count = min(by.most, len(items), max(1, -(-total // by.target)))
    heap = [(0, 0, number) for number in range(count)]  # cost, items, number: those that cost nothing fill empty ones
    made: list[list[Item]] = [[] for _ in heap]
    for item in sorted(items, key=lambda one: (-one.bytes, one.name)):
        size, held, number = heap[0]
        made[number].append(item)
        heapq.heapreplace(heap, (size + by.cost(item), held + 1, number))
    return [tuple(reversed(batch)) for batch in made]
