"""Injections as the cases that benchmarks of root causes are made of: quiet time, an injection, what is felt of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultset.dataset import spans, timeline
from faultset.errors import InputError
from faultset.exports.layout import changed, distinct, service, word
from faultset.moments import Window

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset
    from faultset.dataset.root_cause import RootCause
    from faultset.tables import InjectionRow

_MARGIN = "10min"


@dataclass(frozen=True, slots=True)
class Case:
    """An injection whose root cause is known.

    Attributes:
        name: ``{benchmark}_{service}_{fault}_{n}``, harmless and unique.
        benchmark: the dataset, without ``_``.
        injection: the injection.
        cause: where it acted.
        services: node -> how the layout names it, of every node.
        fault: the action, without ``_``.
        number: of the case among those of its service and fault, from 1.
        window: what the case holds: ten minutes beside what is felt, but nothing that another injection is felt in,
            unless it overlaps with this one. Quiet time between two injections is in the cases of both.
        felt: from the injection's start until nothing is felt of it any more.
    """

    name: str
    benchmark: str
    injection: InjectionRow
    cause: RootCause
    services: Mapping[str, str]
    fault: str
    number: int
    window: Window
    felt: Window

    @property
    def root_causes(self) -> tuple[str, ...]:
        """The nodes where it acted, as the layout names them."""
        return tuple(self.services.get(node, service(node)) for node in self.cause.nodes)


def cases(dataset: Dataset, reader: str) -> tuple[list[Case], list[str]]:
    """Return the cases of a dataset in order of time, and what was left out or spelled otherwise, in words.

    Args:
        dataset: what they are made of; its nodes become services.
        reader: what reads them, in words.

    Raises:
        InputError: there is none, or there are no metrics.
    """
    if not dataset.metrics.parts:
        raise InputError(
            f"{dataset.slug} {dataset.version}", f"it has no metrics, which {reader} reads", "see its card"
        )
    services = distinct(dataset.metrics.nodes, service)
    left_out: list[str] = []
    found: list[Case] = []
    felt = {extent.injection_id: extent.window for extent in dataset.extents}
    windows, together = _windows(dataset, felt)
    numbers: dict[str, int] = {}
    for injection, cause in zip(dataset.injections, dataset.root_causes, strict=True):
        name = injection.injection_id
        if not cause.is_known:
            left_out.append(f"{name}: where it acted is not known ({cause.why})")
            continue
        if together[name]:
            left_out.append(f"{name}: that {', '.join(together[name])} lies in the time of its case, too")
        benchmark, fault = word(dataset.slug), word(injection.action)
        stem = f"{benchmark}_{word(services.get(cause.nodes[0], cause.nodes[0]))}_{fault}"
        numbers[stem] = numbers.get(stem, 0) + 1
        found.append(
            Case(
                name=f"{stem}_{numbers[stem]}",
                benchmark=benchmark,
                injection=injection,
                cause=cause,
                services=services,
                fault=fault,
                number=numbers[stem],
                window=windows[name],
                felt=felt[name],
            )
        )
    if not found:
        many = f"of its {len(dataset.injections)} injections none has a root cause that is known"
        raise InputError(f"{dataset.slug} {dataset.version}", many, "export it for tsb-ad or huggingface")
    return found, left_out + changed("nodes", services)


def _windows(dataset: Dataset, felt: Mapping[str, Window]) -> tuple[dict[str, Window], dict[str, list[str]]]:
    groups = timeline.groups(dataset.extents)
    ends = [spans.ALWAYS.start, *(group.window.end for group in groups[:-1])]
    starts = [*(group.window.start for group in groups[1:]), spans.ALWAYS.end]
    windows: dict[str, Window] = {}
    together: dict[str, list[str]] = {}
    for group, before, after in zip(groups, ends, starts, strict=True):
        for name in group.injection_ids:
            wanted = spans.window_of(felt[name], _MARGIN)
            windows[name] = Window(max(wanted.start, before), min(wanted.end, after))
            together[name] = [other for other in group.injection_ids if other != name]
    return windows, together
