"""How work is divided: properties that hold for any sizes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from faultset.pipeline.batching import Division, Item, batches

SIZES = st.lists(st.integers(0, 10**12), max_size=300)
DIVISIONS = st.builds(Division, st.integers(1, 64), st.integers(0, 10**9), st.integers(1, 10**10))


def items(sizes: list[int]) -> list[Item]:
    return [Item(f"e{number:03}", size) for number, size in enumerate(sizes)]


@given(SIZES, DIVISIONS)
def test_every_piece_of_work_is_in_exactly_one_batch(sizes: list[int], by: Division) -> None:
    given_items = items(sizes)
    made = batches(given_items, by)
    assert sorted((one for batch in made for one in batch), key=lambda one: one.name) == given_items


@given(SIZES, DIVISIONS)
@example([0, 0, 3], Division(most=3, fixed=0, target=1))
def test_there_are_few_batches_and_none_is_empty(sizes: list[int], by: Division) -> None:
    made = batches(items(sizes), by)
    assert len(made) <= min(by.most, len(sizes))
    assert all(made)


@given(SIZES, DIVISIONS)
def test_no_batch_costs_more_than_an_even_share_and_the_largest_piece(sizes: list[int], by: Division) -> None:
    made = batches(items(sizes), by)
    total = sum(by.cost(item) for batch in made for item in batch)
    largest = max((by.cost(item) for batch in made for item in batch), default=0)
    assert all(sum(map(by.cost, batch)) <= total / len(made) + largest for batch in made)


@given(SIZES, DIVISIONS)
def test_the_same_work_is_divided_the_same_way_in_any_order(sizes: list[int], by: Division) -> None:
    given_items = items(sizes)
    assert batches(given_items, by) == batches(given_items[::-1], by)


def test_a_giant_is_alone_and_the_small_ones_share_the_rest() -> None:
    made = batches(items([10**9, *[10] * 30]), Division(most=4, fixed=1, target=1))
    assert [len(batch) for batch in made if batch[0].bytes == 10**9] == [1]
    assert sorted(len(batch) for batch in made) == [1, 10, 10, 10]


def test_little_work_is_one_batch() -> None:
    assert len(batches(items([10] * 5), Division(most=16, fixed=10, target=100))) == 1
    assert len(batches(items([10] * 6), Division(most=16, fixed=10, target=100))) == 2


def test_within_a_batch_the_smallest_comes_first() -> None:
    [batch] = batches(items([30, 10, 20]), Division(most=1, fixed=0, target=1))
    assert [item.bytes for item in batch] == [10, 20, 30]


def test_no_work_is_no_batch() -> None:
    assert batches([], Division(most=16, fixed=10, target=100)) == []
