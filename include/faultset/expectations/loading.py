"""Great Expectations, imported without what no rule asks for, and its expectations without what they do over and over.

Importing it costs seconds of processor; a third of that are Altair and ``scipy.stats``, which only expectations about
distributions use. And each of its expectations makes its configuration anew whenever anything asks for one of its
arguments, some 130 times a rule, and is itself made anew from its configuration for each of its metrics.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_FOR_DISTRIBUTIONS = ("altair", "scipy.stats")


def great_expectations() -> Any:
    """Import it with its analytics off.

    Raises:
        ImportError: it, or what it needs, is missing.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    deferred = () if "great_expectations" in sys.modules else _FOR_DISTRIBUTIONS
    with _deferred(deferred):
        import great_expectations  # noqa: PLC0415
    return great_expectations


class _Deferred(ModuleType):
    """Stands for a module until something is asked of it; ``importlib.util.LazyLoader`` loads at the first import."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _deferred(names: tuple[str, ...]) -> Iterator[None]:
    """Within, importing these modules gives what stands for them; after, everybody else gets the modules themselves."""
    stand_ins = {name: _Deferred(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, one in stand_ins.items():
            if sys.modules.get(name) is one:
                del sys.modules[name]


@functools.cache
def expectation_class(name: str) -> Any:
    """Return a class of ``great_expectations.expectations`` whose instances make their configuration once.

    It is a subclass that is not registered, so that nobody else in the process meets it.
    """
    import great_expectations.expectations as gxe  # noqa: PLC0415
    from great_expectations.compatibility import pydantic  # noqa: PLC0415

    known: Any = getattr(gxe, name)
    configuration_class = _configuration_class()

    class Once(known):  # type: ignore[misc]
        _made: Any = pydantic.PrivateAttr(default=None)

        @classmethod
        def is_abstract(cls) -> bool:
            return True  # abstract ones are not registered

        @classmethod
        def _register_renderer_functions(cls) -> None:
            """Leave those of the known class in their place."""

        def __setattr__(self, attribute: str, value: Any) -> None:
            super().__setattr__(attribute, value)
            if attribute != "_made":
                self._made = None

        @property
        def configuration(self) -> Any:
            if self._made is None:
                self._made = configuration_class.__new__(configuration_class)
                vars(self._made).update(vars(super().configuration), _of=Once)
            return self._made

    Once.__name__ = Once.__qualname__ = known.__name__  # its configuration is called after it
    Once.expectation_type = known.expectation_type
    return Once


@functools.cache
def _configuration_class() -> Any:
    """Return the class of configurations that give one expectation as long as their arguments are the same."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration  # noqa: PLC0415

    class Configuration(ExpectationConfiguration):  # type: ignore[misc, unused-ignore]
        _of: Any
        _given: tuple[dict[str, Any], Any] | None = None

        def to_domain_obj(self) -> Any:
            if self._given is None or self._given[0] != self.kwargs:
                self._given = (dict(self.kwargs), super().to_domain_obj())
            return self._given[1]

        def _get_expectation_impl(self) -> Any:
            return self._of

        def __getstate__(self) -> dict[str, Any]:
            return {key: value for key, value in vars(self).items() if key != "_given"}  # a copy gives its own

    return Configuration
