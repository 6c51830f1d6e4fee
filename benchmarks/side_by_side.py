"""Draws that do not depend on each other, as many at once as there are cores: where no time is measured."""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


def each(function: Callable[..., Answer], *arguments: Iterable[object]) -> Iterator[Answer]:
    """Return the answers in order; ``function``, what it is asked and what it answers go from process to process."""
    return _processes().map(function, *arguments)


@functools.cache
def _processes() -> ProcessPoolExecutor:
    # A fork of a process that has threads, as those of polars and BLAS, can wait for ever.
    return ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn"))
