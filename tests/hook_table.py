"""Hooks as people write them, with what they did: read from ``hooks.yaml`` and decided."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from faultset.moments import Instant, from_epoch
from faultset.records.cluster import Cluster, Component, Node
from faultset.records.evidence import Evidence, RunEvidence
from faultset.records.run import HookPlan, HookResult, Iterations, RunRecord, Workload
from faultset.sources.public.evidence import public_evidence
from faultset.sources.scripts.hook_commands import read_hook
from faultset.sources.scripts.library import library_of
from faultset.truth import hooked
from faultset.truth.effect import effect_of
from faultset.truth.placement import Placement

TABLE = Path(__file__).with_name("hooks.yaml")
NODES = tuple(
    Node(name, f"{name}.example.org", f"192.0.2.{number}", "controller" if "ctl" in name else "compute", number)
    for number, name in enumerate(("ctl01", "ctl02", "cmp01", "cmp02"), start=1)
)
IP = {node.name: node.ip or "" for node in NODES}
HOMES = {
    **dict.fromkeys(("mariadb", "rabbitmq", "keystone", "haproxy"), ("ctl01", "ctl02")),
    "glance_api": ("ctl01",),
    **dict.fromkeys(("nova_compute", "nova_libvirt"), ("cmp01", "cmp02")),
    "neutron_openvswitch_agent": ("ctl01", "ctl02", "cmp01", "cmp02"),
}
CLUSTER = Cluster(
    "os-faults.yaml",
    NODES,
    tuple(
        Component(name, "container", "docker_container", name, tuple(IP[host] for host in hosts), 1)
        for name, hosts in HOMES.items()
    ),
)
EFFECTS = {"took": True, "missed": False, "open": None}


@dataclass(frozen=True)
class Hook:
    """A line of the table."""

    kind: str
    command: str
    did: tuple[str, ...]
    effect: str
    scripts: Mapping[str, str] = field(default_factory=dict)
    out: str = ""
    err: str = ""
    exit: int = 0
    says: str = ""


@dataclass(frozen=True)
class Answer:
    """What was decided of one."""

    did: tuple[str, ...]
    effect: str
    words: str


def hooks() -> list[Hook]:
    """Read the table."""
    table = yaml.safe_load(TABLE.read_text())
    return [_hook(kind, entry) for kind, entries in table.items() for entry in entries]


def _hook(kind: str, entry: Mapping[str, object]) -> Hook:
    scripts = {name: str(text) for name, text in dict(entry.get("scripts") or {}).items()}  # type: ignore[call-overload]
    return Hook(
        kind=kind,
        command=str(entry["hook"]),
        did=tuple(sorted(map(str, entry["did"]))),  # type: ignore[call-overload]
        effect=str(entry["effect"]),
        scripts={name: _lines(text) for name, text in scripts.items()},
        out=_lines(str(entry.get("out", ""))),
        err=_lines(str(entry.get("err", ""))),
        exit=int(str(entry.get("exit", 0))),
        says=str(entry.get("says", "")),
    )


def _lines(text: str) -> str:
    return text.replace("⏎", "\n")


def decided(hook: Hook) -> Answer:
    """Decide what a hook of the table did, by all that was read of it."""
    return _answer(*_read(hook))


def decided_publicly(hook: Hook) -> Answer:
    """Decide the same as a build does, by what may be published of it."""
    plan, result = _read(hook)
    workload = Workload(
        name="NovaServers.boot",
        position=0,
        uuid=None,
        created_at=None,
        runner="constant",
        times=1,
        concurrency=1,
        iterations_count=0,
        failed_count=0,
        started_at=None,
        load_duration_s=None,
        full_duration_s=None,
        sla_passed=None,
        sla=(),
        hooks=(plan,),
        results=(result,),
        charted_hooks={},
        iterations=Iterations(),
    )
    run = RunRecord("results.json", "results", None, (workload,))
    (public,) = public_evidence(Evidence((RunEvidence(run),), CLUSTER)).runs
    (kept,) = public.report.workloads
    return _answer(kept.hooks[0], kept.results[0])


def _read(hook: Hook) -> tuple[HookPlan, HookResult]:
    plan = read_hook(HookPlan(0, "sys_call", hook.command, None, None), library_of(hook.scripts))
    start, end = Instant(from_epoch(1_574_203_903.0)), Instant(from_epoch(1_574_203_943.0))
    status = "success" if hook.exit == 0 else "failed"
    result = HookResult(0, "sys_call", None, "iteration", 250, start, end, status, hook.exit, hook.out, hook.err)
    return plan, result


def injected(hook: Hook, cluster: Cluster) -> tuple[HookPlan, HookResult, hooked.Hooked, Placement]:
    """Return a hook as a build decides on it: with what its commands came to, what it did, and where things are."""
    plan, result = _read(hook)
    placement = Placement(cluster)
    found = hooked.decide(plan, result, placement)
    settled = plan.orders and replace(plan.orders, actions=found.actions)
    return replace(plan, orders=settled), result, found, placement


def _answer(plan: HookPlan, result: HookResult) -> Answer:
    found = hooked.decide(plan, result, Placement(CLUSTER))
    effect, reason = effect_of(result, found.targets, found.output, idle=found.idle)
    notes = [*(plan.orders.notes if plan.orders else ()), *found.notes, *found.surplus]
    words = {True: "took", False: "missed", None: "open"}
    did = (f"{t.place.name} {t.container or '-'} {t.action or '?'} {words[t.effective]}" for t in found.targets)
    return Answer(tuple(sorted(did)), effect, " | ".join([reason, *notes, *(t.evidence for t in found.targets)]))


def differences(kind: str = "") -> list[str]:
    """Return a text for every hook whose answer is not the table's."""
    found = []
    for hook in hooks():
        answer = decided(hook)
        same = (answer.did, answer.effect) == (hook.did, hook.effect) and hook.says in answer.words
        if not same and kind in hook.kind:
            scripts = dict(hook.scripts) or ""
            lines = (
                f"{hook.kind}: {hook.command} {scripts}",
                f"  wanted {hook.did} {hook.effect} {hook.says}",
                f"  got    {answer.did} {answer.effect}: {answer.words[:600]}",
            )
            found.append("\n".join(lines))
    return found


if __name__ == "__main__":
    print("\n".join(differences(*sys.argv[1:])))
