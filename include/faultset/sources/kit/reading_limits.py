"""What a run may hold, counted while it is read: a small file must not ask for more work than a large one would."""

from __future__ import annotations

from faultset.limits import Deadline
from faultset.records.run import TriggerPlan, Workload
from faultset.settings import limits

# Fewer bytes than this cannot hold enough lists and mappings to be worth counting them.
_SMALL = 24 * 1024**2
# The truth lists no more of one hook, and says so.
_MOST_A_HOOK = 100_000


class Bounds:
    """What one file of a run has used of the limits."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._limits = limits()
        self._deadline = Deadline(self._limits, uri)
        self._hooks = self._iterations = 0
        self._triggers = 0.0

    def check_data(self, data: bytes) -> None:
        """Refuse data whose decoded form would take far more memory than the data do.

        Raises:
            InputError: names the limit.
        """
        if len(data) > min(_SMALL, self._limits.json_groups):
            self._limits.check("json_groups", data.count(b"[") + data.count(b"{"), self._uri)

    def check_workloads(self, count: int) -> None:
        """Refuse too many workloads, before one is read.

        Raises:
            InputError: names the limit.
        """
        self._limits.check("workloads", count, self._uri)

    def check_hooks(self, count: int) -> None:
        """Refuse too many hooks, before they are compared with each other.

        Raises:
            InputError: names the limit.
        """
        self._limits.check("hooks", self._hooks + count, self._uri)

    def add(self, workload: Workload) -> Workload:
        """Count ``workload`` and return it.

        Raises:
            InputError: the run passes a limit; names it.
        """
        self._hooks += max(len(workload.hooks), 1 if workload.results else 0)
        self._iterations += len(workload.iterations.number)
        self._triggers += len(workload.results) + sum(
            _planned(hook.trigger, workload) for hook in workload.hooks if hook.trigger
        )
        for name, count in (
            ("hooks", self._hooks), ("triggers", self._triggers), ("iterations", self._iterations),
        ):  # fmt: skip
            self._limits.check(name, count, self._uri)
        self._deadline.check()
        return workload


def _planned(plan: TriggerPlan, workload: Workload) -> float:
    """Return how many triggers ``plan`` asks for, without listing them."""
    if plan.kind == "event":
        return len(plan.at)
    open_end = workload.iterations_count if plan.unit == "iteration" else workload.load_duration_s or 0
    last = plan.end if plan.end is not None else open_end
    return min(max(0.0, (last - plan.start) // max(plan.step, 1) + 1), _MOST_A_HOOK)
