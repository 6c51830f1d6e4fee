"""Whether a fault took hold: hook status is not fault effect."""

from __future__ import annotations

from collections.abc import Sequence

from faultset.records.run import HookResult
from faultset.tables import Effect
from faultset.truth.claimed import effect_of_claim
from faultset.truth.output import Acknowledgements
from faultset.truth.targets import Target

# What tools call a firing that went as they wanted.
_SUCCEEDED = frozenset({"success", "succeeded"})


def effect_of(
    result: HookResult, targets: Sequence[Target], output: Acknowledgements, *, idle: bool = False
) -> tuple[Effect, str]:
    """Decide the effect of one firing, and why.

    Args:
        result: the firing; its status only tells a full effect from a partial one.
        targets: its decided targets.
        output: what its output proves.
        idle: whether the commands, read whole, act on nothing.
    """
    claim = result.claim
    if claim is not None and (claim.applied is False or not claim.of_command):
        return effect_of_claim(result, claim, targets)
    if idle and not targets:
        return "none", "the hook's commands, read whole, act on nothing"
    hit = [target for target in targets if target.effective]
    missed = [target for target in targets if target.commanded and target.effective is False]
    unclear = [target for target in targets if target.effective is None]
    if hit:
        return _some_effect(result, hit, missed, unclear, output)
    if unclear:
        return _unclear_effect(result, missed, unclear, output)
    return _no_effect(missed, output)


def _no_effect(missed: Sequence[Target], output: Acknowledgements) -> tuple[Effect, str]:
    """Nothing that was commanded was hit, or nothing is known to have been commanded."""
    if missed:
        return "none", f"it acted on none of the {len(missed)} commanded targets"
    if output.lost:
        return "unknown", output.lost
    if output.refused:
        return "none", f"docker refused all {output.refused.total()} actions: no such container"
    return "unknown", "neither scripts nor output name what it acted on"


def _unclear_effect(
    result: HookResult, missed: Sequence[Target], unclear: Sequence[Target], output: Acknowledgements
) -> tuple[Effect, str]:
    """Of no target it is known that it was hit."""
    chosen = all(target.resolution == "ambiguous" for target in unclear)
    if chosen and not missed and result.status in _SUCCEEDED and not output.refused:
        if output.acted:
            return "full", f"docker acknowledged {output.acted.total()} actions and missed none"
        return "full", "it succeeded on one of the candidates, which one is recorded nowhere"
    acted = chosen and output.acted
    if acted or any(target.some for target in unclear):
        more = f"; {output.refused.total()} actions met no such container" if output.refused else ""
        return "partial", f"some of what was commanded was done, and not all of it is shown: {_names(unclear)}{more}"
    return "unknown", f"nothing shows whether it acted on {_names(unclear)}: {unclear[0].evidence.rpartition('; ')[2]}"


def _some_effect(
    result: HookResult,
    hit: Sequence[Target],
    missed: Sequence[Target],
    unclear: Sequence[Target],
    output: Acknowledgements,
) -> tuple[Effect, str]:
    acted = f"it acted on {_names(hit)}"
    if missed:
        return "partial", f"{acted} and not on {_names(missed)}"
    if output.refused:
        return "partial", f"{acted}; {output.refused.total()} actions met no such container elsewhere"
    if result.status not in _SUCCEEDED:
        return "partial", f"{acted}, although the tool calls it {result.status}"
    if unclear:
        return "partial", f"{acted}; nothing shows whether it acted on {_names(unclear)}"
    return "full", f"{acted} and missed none"


def _names(targets: Sequence[Target]) -> str:
    names = sorted(
        f"{target.container or target.pod or 'the node'}" + (f" on {target.place.name}" if target.placed else "")
        for target in targets
    )
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def verb_of(targets: Sequence[Target]) -> str | None:
    """Return what was done to the targets, such as ``stop+start``; None where no input tells."""
    verbs = dict.fromkeys(verb for target in targets if target.action for verb in target.action.split("+"))
    return "+".join(verbs) or None
