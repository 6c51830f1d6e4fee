"""What a tool's word proves: applied is not effective, and success is not either.

A target is effective where the tool says that it applied the fault and the file itself proves that this target was hit;
it is not where either is denied. Everything else is unknown, which is a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from faultset.records.claims import Claim, FaultTarget
from faultset.records.run import HookResult
from faultset.records.scripts import HookScripts
from faultset.tables import Effect
from faultset.truth.placement import Place, Placement
from faultset.truth.targets import Target


def targets_by_claim(claim: Claim, placement: Placement) -> tuple[Target, ...]:
    """Decide the targets that a tool names, with what its file proves of each."""
    targets = (_target(target, claim, place) for target in claim.targets for place in places_of(target, placement))
    return tuple({(t.place.name, t.namespace, t.pod, t.container): t for t in targets}.values())


def _target(target: FaultTarget, claim: Claim, place: Place) -> Target:
    effective, why = was_hit(target, claim)
    named = "the file names it" if target.resolved else "it follows from what the file says"
    return Target(
        place=place,
        container=target.name,
        action=claim.verb,
        action_count=None,
        commanded=commanded(target, claim),
        effective=effective,
        resolution="ambiguous" if target.candidate else "exact" if target.resolved else "inferred",
        evidence=f"{named}; {why}",
        kind=target.kind,
        namespace=target.namespace,
        pod=target.pod,
        placed=target.kind == "node" or place.node is not None or target.node is not None,
    )


# An answer with any other remark, or with one that is hidden by now, proves nothing.
_ANSWERED = re.compile(
    r'^(?P<kind>[a-z]+)[\w.]*[ /]"?(?P<name>[\w.-]+)"? (?:force )?(?:deleted|scaled|restarted)'
    r"(?: from (?P<namespace>[\w.-]+|\u2026) namespace)?(?P<dry> \((?:server )?dry run\))?\s*$",
    re.MULTILINE,
)


def of_kubectl(scripts: HookScripts, result: HookResult) -> Iterator[Target]:
    """Yield what ``kubectl`` was told to act on: pods and deployments, whose nodes nothing tells.

    Kubernetes' answer names each of them, and is no answer in a dry run.
    """
    answers = {match["name"]: match for match in _ANSWERED.finditer(result.stdout)}
    for action in scripts.actions:
        if action.via != "kubectl" or action.name is None:
            continue
        answer = answers.get(action.name)
        script = action.script or "the hook's command"
        is_pod = answer is not None and answer["kind"] in ("pod", "pods")
        effective, why = _by_answer(answer, result)
        yield Target(
            place=Place(action.name.lower(), None),
            container=None if is_pod else action.name,
            action=action.verb,
            action_count=action.count,
            commanded=True if action.certain else None,
            effective=effective,
            resolution="exact",
            evidence=f"{script} commands {action.verb}; {why}",
            kind="pod" if is_pod else "service",
            namespace=_shown(answer["namespace"]) if answer else None,
            pod=action.name if is_pod else None,
            placed=False,
        )


def _shown(name: str | None) -> str | None:
    return None if name == "\u2026" else name


def _by_answer(answer: re.Match[str] | None, result: HookResult) -> tuple[bool | None, str]:
    if answer is None and result.return_code not in (0, None):
        return None, f"kubectl does not name it and ended with exit code {result.return_code}"
    if answer is None:
        return None, "the output does not name it"
    if answer["dry"]:
        return False, "kubectl ran dry, as its answer says"
    return True, "Kubernetes accepted the order, as kubectl's answer says"


def was_hit(target: FaultTarget, claim: Claim) -> tuple[bool | None, str]:
    """Decide whether a target was hit, and why: the tool's word and what the file proves of the target both count."""
    if claim.applied is False:
        return False, claim.why
    if target.hit is False:
        return False, target.why
    if target.hit and claim.applied and not target.candidate:
        return True, target.why
    if claim.applied is None:
        return None, claim.why
    return None, target.why or f"{claim.why}; nothing shows that it was hit"


def commanded(target: FaultTarget, claim: Claim) -> bool | None:
    """Decide whether the fault was sent to a target; nothing was where the tool says that it did not run."""
    if claim.applied is False:
        return False
    return None if target.candidate else True


def places_of(target: FaultTarget, placement: Placement) -> tuple[Place, ...]:
    """Return where a target is: the node that the file names, else what the cluster file says of it, else itself."""
    if target.node is not None:
        return (placement.place(target.node),)
    for name, kind in ((target.pod, "pod"), (target.name, target.kind)):
        component = placement.component(name, kind) if name else None
        homes = placement.homes(component) if component and component.hosts is not None else ()
        if len(homes) == 1:
            return homes
    return (Place((target.pod or target.own_name).lower(), None),)


def effect_of_claim(result: HookResult, claim: Claim, targets: Sequence[Target]) -> tuple[Effect, str]:
    """Decide the effect of a firing, and why.

    Args:
        result: the firing.
        claim: what the tool says of it.
        targets: as decided.
    """
    if claim.applied is False:
        return "none", claim.why
    hit = [target for target in targets if target.effective]
    missed = [target for target in targets if target.effective is False]
    open_ones = [target for target in targets if target.effective is None]
    if hit and not missed and not open_ones:
        return "full", f"it acted on {_names(hit)}: {hit[0].evidence.partition('; ')[2]}"
    if hit:
        return "partial", f"it acted on {_names(hit)}; of {_names([*missed, *open_ones])} that is not shown"
    if missed and not open_ones:
        return "none", f"it acted on none of {_names(missed)}: {missed[0].evidence.partition('; ')[2]}"
    of_target = f"; of {_names(open_ones)}: {open_ones[0].evidence.partition('; ')[2]}" if open_ones else ""
    return "unknown", f"{claim.why} (status {result.status}); nothing proves that a target was hit{of_target}"


def _names(targets: Sequence[Target]) -> str:
    names = sorted(name_of(target) for target in targets)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def name_of(target: Target) -> str:
    """Return what a target is called in words."""
    what = "/".join(part for part in (target.namespace, target.pod, target.container) if part)
    return f"{what} on {target.place.name}" if what and target.placed else what or f"the node {target.place.name}"
