"""What an injecting tool itself says of a fault that it fired: its word, kept apart from what the target shows.

A tool's success says that it did what it was told; whether the target felt it is another question. A claim keeps both:
``applied`` is the tool's word, a target's ``hit`` is what the file proves of the target itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faultset.moments import Instant

TargetKind = Literal["node", "pod", "container", "service", "process"]


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """Something that a fault was to act on.

    Attributes:
        kind: what it is; of a ``container`` in a pod both have a name.
        node: the node that it is on, as written; None where the file does not say.
        namespace: of a pod or a service of Kubernetes; None elsewhere.
        pod: name of the pod; None where it is in none.
        name: of the container, service or process; None for a pod as a whole and for a node.
        hit: whether the file itself proves that it was hit, or that it was not; None: neither.
        why: what proves it, or why nothing does, in words.
        candidate: whether it is one of several of which only some were chosen.
        resolved: whether the file names it, or it was concluded.
    """

    kind: TargetKind
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    name: str | None = None
    hit: bool | None = None
    why: str = ""
    candidate: bool = False
    resolved: bool = True

    @property
    def own_name(self) -> str:
        """What it is called itself, wherever it is."""
        return self.name or self.pod or self.node or "?"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tool says of one firing.

    Attributes:
        verb: what was done, such as ``stop`` or ``network-delay``; None where the file does not say.
        applied: whether the tool says that it did it; False too where it says that nothing was to be done (a dry run).
        why: what the tool says, in words; the reason for ``applied``.
        targets: what it acted on, or was to act on.
        fault_end: when the fault itself ended, where the file tells that; None else.
        fault_end_why: what tells it, or why it is not known; "" where nothing is known beyond the verb.
        lasts_s: for how many seconds the fault was to last after its command; None where the file does not say.
        ends_with_command: whether the fault was over when the firing ended.
        of_command: whether a command was run, so that what it and its output say tells the targets, not the claim.
        machine: where commands ran that name no host; None where the file does not say.
    """

    verb: str | None
    applied: bool | None
    why: str
    targets: tuple[FaultTarget, ...] = ()
    fault_end: Instant | None = None
    fault_end_why: str = ""
    lasts_s: float | None = None
    ends_with_command: bool = False
    of_command: bool = False
    machine: str | None = None
