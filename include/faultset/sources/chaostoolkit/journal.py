"""Journals of Chaos Toolkit as records: an action of method or rollbacks is a hook, a run of it a firing.

What a journal calls ``succeeded`` says that the call returned: a command that exited with 1, a dry action and a
selection of nothing succeed too. Times up to 1.41 are UTC without saying so, and carry an offset from 1.44 on. A fault
often lies between two actions, one that stops and one that starts; truth finds it by what they do.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass, replace

from faultset.errors import InputError
from faultset.moments import Instant
from faultset.records.claims import Claim
from faultset.records.evidence import RunEvidence
from faultset.records.run import OUTPUT_LIMIT, HookPlan, HookResult, RunRecord, TriggerPlan
from faultset.sources.chaostoolkit.extensions import claim_of
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, later, read_document, said
from faultset.sources.kit.fault_runs import LONGEST_NAME, fault_workload, name_of, record_of
from faultset.sources.kit.fields import Field, clean
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import redact

_WHAT = "a journal of Chaos Toolkit"
_REMEDY = "give the journal that `chaos run --journal-path journal.json` writes"
_FUNCTION = re.compile(r"[A-Za-z_][\w.]{0,199}")
_STATUS = re.compile(r"[A-Za-z_-]{1,40}")
# What stops a run before its method, by the journal's status.
_STOPPED = {
    "failed": "the experiment failed before it",
    "aborted": "the experiment was aborted before it",
    "interrupted": "the experiment was interrupted before it",
}
_DRY = {"actions", "activities"}


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is a journal."""
    if not head.is_json:
        return None
    keys = head.keys()
    if "chaoslib-version" in keys or {"experiment", "steady_states"} <= keys:
        return Recognition("run", "it has the keys of Chaos Toolkit's journal")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what the journal at ``uri`` says.

    Raises:
        InputError: it cannot be read, is no journal, or holds what Chaos Toolkit does not write.
    """
    if beside is not None:
        raise InputError(beside, "a journal has no results beside it", "leave results: out")
    return RunEvidence(read_journal(uri))


def read_journal(uri: str) -> RunRecord:
    """Return the run that a journal records: one workload, which is no load, with its actions as hooks."""
    root = read_document(uri, _WHAT, _REMEDY)
    experiment = root.get("experiment")
    if not experiment.mapping():
        raise InputError(uri, f"is not {_WHAT}: it has no experiment", _REMEDY)
    started = instant(root.get("start"))
    if started is None:
        raise root.get("start").error("a time")
    ended = instant(root.get("end"))
    runs = [*_runs(root), *root.get("rollbacks").items()]
    Bounds(uri).check_hooks(len(runs))
    plans = _plans(experiment, _unfired(root))
    hooks, results = _fired(plans, [run for run in runs if _is_action(run)], root, ended)
    workload = replace(
        fault_workload(
            SOURCE.name,
            name_of(experiment.get("title").text_or_none(), "experiment"),
            (),
            started_at=started.at,
            ended_at=ended.at if ended else None,
        ),
        hooks=hooks,
        results=results,
    )
    version = root.get("chaoslib-version").text_or_none()
    return record_of(uri, SOURCE.name, version, [workload])


def _runs(root: Field) -> list[Field]:
    """Return what ran of the method; older journals have it under ``method``."""
    ran = root.get("run").items()
    return ran or [run for run in root.get("method").items() if "start" in run.mapping()]


def _is_action(run: Field) -> bool:
    return _activity(run).get("type").text_or_none() == "action"


def _activity(run: Field) -> Field:
    """Return what was to be done; in old journals it stands in the run itself."""
    activity = run.get("activity")
    return activity if activity.mapping() else run


# --- what was planned ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    hook: HookPlan


def _plans(experiment: Field, unfired: str) -> list[_Plan]:
    """Return the actions of method and rollbacks in their order; one that refers to another is that one again."""
    listed = [*experiment.get("method").items(), *experiment.get("rollbacks").items()]
    known = {name: activity for activity in listed if (name := activity.get("name").text_or_none())}
    plans: list[_Plan] = []
    for activity in listed:
        reference = activity.get("ref").text_or_none()
        planned = known.get(reference, activity) if reference else activity
        if planned.get("type").text_or_none() == "action":
            plans.append(_Plan(_name_of(planned), _hook(len(plans), planned, unfired)))
    return plans


def _unfired(root: Field) -> str:
    """Return why an action that the journal shows no run of did not run."""
    before = root.get("steady_states").get("before").get("steady_state_met").value
    if before is False:
        return "the steady state was not met before the method, so that nothing of it ran"
    return _STOPPED.get(root.get("status").text_or_none() or "", "the journal shows no run of it")


def _name_of(activity: Field) -> str:
    return clean(activity.get("name").text_or_none() or "")


def _hook(index: int, activity: Field, unfired: str) -> HookPlan:
    provider = activity.get("provider")
    kind = provider.get("type").text_or_none() or "unknown"
    command = _command(provider) if kind == "process" else None
    return HookPlan(
        index=index,
        name=provider_name(provider, kind),
        args=redact(command) if command is not None else said(provider.get("arguments").value or {}),
        description=None,
        trigger=TriggerPlan("event", "occurrence", (1.0,)),
        is_command=command is not None,
        label=redact(_name_of(activity))[:LONGEST_NAME] or None,
        unfired=unfired,
    )


def provider_name(provider: Field, kind: str) -> str:
    """Return what does an action, such as ``process``, ``http`` or ``chaosk8s.pod.actions.terminate_pods``."""
    if kind != "python":
        return kind if _FUNCTION.fullmatch(kind) else "unknown"
    module, function = (provider.get(key).text_or_none() or "" for key in ("module", "func"))
    name = f"{module}.{function}"
    return name if _FUNCTION.fullmatch(name) else kind


def _command(provider: Field) -> str:
    """Return a process's command line: text is handed to a shell, a list or a mapping is not."""
    path, arguments = provider.get("path").text_or_none() or "", provider.get("arguments").value
    if isinstance(arguments, str):
        return f"{path} {arguments}".strip()
    words = arguments if isinstance(arguments, list) else []
    if isinstance(arguments, dict):
        words = [word for pair in arguments.items() for word in pair]
    return " ".join([path, *(shlex.quote(str(word)) for word in words if word not in (None, ""))]).strip()


# --- what fired ------------------------------------------------------------------------------------------------------


def _fired(
    plans: list[_Plan], runs: list[Field], root: Field, ended: Instant | None
) -> tuple[tuple[HookPlan, ...], tuple[HookResult, ...]]:
    """Return the hooks and their firings; a run that no plan names gets a hook of its own, which nothing planned."""
    hooks = [plan.hook for plan in plans]
    left = list(plans)
    counted: Counter[int] = Counter()
    results: list[HookResult] = []
    for run in runs:
        activity = _activity(run)
        name = _name_of(activity)
        fitting = next((plan for plan in left if plan.name == name), None)
        if fitting is not None:
            left.remove(fitting)
            hook = fitting.hook
        else:  # run again, or by a control: the same hook where there is one
            hook = next((plan.hook for plan in plans if plan.name == name), _hook(len(hooks), activity, ""))
            if hook.index == len(hooks):
                hooks.append(hook)
        counted[hook.index] += 1
        results.append(_result(hook, counted[hook.index], run, root, ended))
    return tuple(hooks), tuple(results)


def _result(hook: HookPlan, occurrence: int, run: Field, root: Field, ended: Instant | None) -> HookResult:
    started = instant(run.get("start"))
    if started is None:
        raise run.get("start").error("a time")
    activity = _activity(run)
    output = run.get("output")
    status = run.get("status").text_or_none() or "nothing"
    status = status if _STATUS.fullmatch(status) else "something else"
    shown = output.mapping() if hook.is_command and isinstance(output.value, dict) else {}
    return HookResult(
        hook_index=hook.index,
        name=hook.name,
        description=hook.description,
        unit="occurrence",
        value=float(occurrence),
        started_at=started,
        ended_at=_end(run, started, ended),
        status=status,
        return_code=_exit_code(shown.get("status")),
        stdout=_text(shown.get("stdout")),
        stderr=_text(shown.get("stderr")),
        error=_error(run),
        has_output=bool(shown),
        matched_by="the journal shows it",
        claim=_claim(hook, activity, run, status, root),
    )


def _end(run: Field, started: Instant, ended: Instant | None) -> Instant:
    """Return when an action ended; one without an end was cut off, at the journal's own end at the latest."""
    end = instant(run.get("end"))
    if end is None:
        seconds = run.get("duration").seconds_or_none()
        if seconds is not None:
            return Instant(later(started.at, seconds), started.uncertainty_s)
        last = ended.latest if ended else started.latest
        return Instant(started.at, max((last - started.at).total_seconds(), 0.0))
    return end if end.at >= started.at else started


def _exit_code(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else None


def _text(value: object) -> str:
    return redact(clean(value))[:OUTPUT_LIMIT] if isinstance(value, str) else ""


def _error(run: Field) -> str | None:
    """Return the last line of an exception, which names it; the traceback says no more of a fault."""
    raised = run.get("exception").value
    lines = [line for line in raised if isinstance(line, str)] if isinstance(raised, list) else []
    if isinstance(raised, str):
        lines = raised.splitlines()
    return redact(clean(lines[-1].strip()))[:1000] if lines else None


def _claim(hook: HookPlan, activity: Field, run: Field, status: str, root: Field) -> Claim:
    machine = root.get("node").text_or_none()
    nothing = run.get("output").value is None
    dry = _dry(activity, root.get("experiment").get("dry").value) if nothing else ""
    if dry:
        return Claim(None, applied=False, why=f"{dry}: Chaos Toolkit did not run it", machine=machine)
    if status == "succeeded" and hook.is_command and nothing:
        return Claim(None, applied=False, why="no output at all, as of a dry run: nothing ran", machine=machine)
    if hook.is_command:
        applied = True if status == "succeeded" else None
        why = f"Chaos Toolkit says {status}, whatever the command's exit code"
        return Claim(None, applied, why, of_command=True, machine=machine)
    return claim_of(hook.name, activity.get("provider").get("arguments"), run.get("output"), status)


def _dry(activity: Field, of_experiment: object) -> str:
    """Return what made an action a dry one, in words; "" where it ran. What the activity says wins."""
    own = activity.get("dry").value
    if own is True or (isinstance(own, str) and own in _DRY):
        return f"the action is dry ({said(own)})"
    if own is None and (of_experiment is True or (isinstance(of_experiment, str) and of_experiment in _DRY)):
        return f"the experiment ran dry ({said(of_experiment)})"
    return ""


SOURCE = Source("chaostoolkit", "a journal of Chaos Toolkit", "injections", recognise, read, document_secrets)
