"""What never changes is kept once it was made, as much of it as fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, the least used of which go when there are too many; may be asked by many threads.

    Args:
        most: what the weights of all values may come to.
        weight: of a value; all weigh 1 where it is left out.
    """

    def __init__(self, most: int, weight: Callable[[T], int] = lambda _value: 1) -> None:
        self._most = most
        self._weight = weight
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._weighs = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key; of many who ask at once, one makes it and the others wait."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                with self._lock:
                    if key in self._values:
                        return self._values[key]
                value = make()
                self._put(key, value)
                return value
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _put(self, key: Hashable, value: T) -> None:
        with self._lock:
            self._values[key] = value
            self._weighs += self._weight(value)
            while self._weighs > self._most and len(self._values) > 1:
                _, gone = self._values.popitem(last=False)
                self._weighs -= self._weight(gone)
