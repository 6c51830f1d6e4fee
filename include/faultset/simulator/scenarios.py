"""The built-in scenarios: each a function from a size to an experiment."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Literal

from faultset.simulator.plan import (
    ComponentPlan,
    DockerCommand,
    Event,
    FailurePlan,
    HookPlan,
    HumanFault,
    ImpactPlan,
    Periodic,
    RunPlan,
    Scenario,
    ScriptFault,
    Size,
    WorkloadPlan,
)
from faultset.simulator.scenario_parts import (
    BANNER,
    CONTROLLER,
    DEEP_FRAMES,
    HOSTILE_BANNER,
    USERS,
    cluster_of,
    computes_of,
    evenly,
    glance_load,
    neutron_load,
    nova_load,
    restart_glance_api,
    restart_neutron,
    restart_nova_compute,
)


def nova_compute_restart(size: Size) -> Scenario:
    """Stop and start nova_compute, twice, on all computes; the script goes to the controller too, which has none."""
    cluster = cluster_of(size)
    iterations = size.iterations or 120
    hook = restart_nova_compute(evenly(size, iterations, 2), (*computes_of(cluster), CONTROLLER))
    return Scenario(
        title="Restart of nova_compute on the compute nodes (simulated)",
        description=(
            "Servers are booted and deleted while nova_compute is stopped and started twice on every compute node. "
            "The script goes to the controller as well, which has no such container."
        ),
        begins=dt.datetime(2025, 11, 18, 21, 45, 41, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(RunPlan("", (nova_load(iterations, 3, (hook,), size.error_share or 0.0),)),),
        rendered_in="UTC",
        has_reviews=True,
        metric_seconds=size.metric_seconds,
    )


def glance_api_restart(size: Size) -> Scenario:
    """Restart glance_api on the controller."""
    iterations = size.iterations or 240
    hook = restart_glance_api(evenly(size, iterations, 3))
    return Scenario(
        title="Restart of glance_api on the controller (simulated)",
        description="Images are created and deleted while glance_api is restarted on the controller.",
        begins=dt.datetime(2025, 11, 18, 17, 38, 37, tzinfo=dt.UTC),
        cluster=cluster_of(size),
        runs=(RunPlan("", (glance_load(iterations, (hook,), size.error_share or 0.0),)),),
        rendered_in="Europe/Berlin",
        logs_in_one_file=True,
        metric_seconds=size.metric_seconds,
    )


def neutron_agents_restart(size: Size) -> Scenario:
    """Stop and start five Neutron containers on the controller, all at once, the Open vSwitch agent twice."""
    iterations = size.iterations or 400
    hook = restart_neutron(evenly(size, iterations, 3))
    return Scenario(
        title="Restart of the Neutron containers on the controller (simulated)",
        description=(
            "Networks are created and deleted while neutron_server and four agents are stopped and started on the "
            "controller. The Open vSwitch agent runs on the compute nodes too, which the script does not touch."
        ),
        begins=dt.datetime(2025, 11, 18, 19, 59, 43, tzinfo=dt.UTC),
        cluster=cluster_of(size),
        runs=(RunPlan("", (neutron_load(iterations, (hook,), size.error_share or 0.0),)),),
        rendered_in="Europe/Berlin",
        has_results=False,
        metric_seconds=size.metric_seconds,
    )


def partial_failure(size: Size) -> Scenario:
    """A declared container is missing on one of the targeted nodes, and yet every hook succeeds."""
    cluster = cluster_of(size, absent=[("cmp03", "nova_compute")])
    iterations = size.iterations or 90
    hook = restart_nova_compute(evenly(size, iterations, 3), computes_of(cluster), HOSTILE_BANNER)
    return Scenario(
        title="Restart of nova_compute with a container missing (simulated)",
        description="As declared nova_compute runs on every compute node; on cmp03 it does not. No hook fails.",
        begins=dt.datetime(2025, 7, 15, 8, 30, 12, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(RunPlan("", (nova_load(iterations, 3, (hook,), size.error_share or 0.0),)),),
        rendered_in="America/New_York",
        metric_seconds=size.metric_seconds,
    )


def overlap(size: Size) -> Scenario:
    """Two tasks at once whose long injections overlap, also within one hook; one scenario stands twice in a task."""
    cluster = cluster_of(size)
    servers = size.iterations or 60
    networks = 5 * servers
    nova = restart_nova_compute(evenly(size, servers, 2), (*computes_of(cluster), CONTROLLER))
    start, step = networks // 5, max(networks * 8 // 300, 1)
    neutron = restart_neutron(Periodic("iteration", start, step, start + 4 * step))
    share = size.error_share or 0.0
    return Scenario(
        title="Nova and Neutron faults at once (simulated)",
        description="Two Rally tasks run at the same time on one cluster, and their injections overlap.",
        begins=dt.datetime(2025, 11, 19, 9, 0, 5, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(
            RunPlan("nova", (nova_load(servers, 3, (nova,), share),)),
            RunPlan(
                "neutron",
                (neutron_load(networks, (neutron,), share), neutron_load(servers, (), share)),
                starts_after_s=60.0,
            ),
        ),
        rendered_in="UTC",
        metric_seconds=size.metric_seconds,
    )


def unreached_triggers(size: Size) -> Scenario:
    """Triggers past the last iteration, past an abort by the SLA, over time, and of a workload that never ran."""
    times = size.iterations or 50
    at = (times // 5, times * 9 // 10, *(times * factor for factor in (2, 4, 6, 8, 10)))
    glance = restart_glance_api(Event("iteration", at))
    nowhere = ScriptFault(
        outer="restart_memcached.sh",
        inner="restart-memcached.sh",
        label="Restarting memcached",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "memcached", (0.5, 1.0)),),
        hosts=("cmp01",),  # memcached is on the controller only
        banner=BANNER,
    )
    by_time = HookPlan(nowhere, Event("time", (0, 5, 100_000)), "Restart memcached where it is not")
    load = glance_load(times, (glance, by_time), size.error_share or 0.0)
    never_again = dataclasses.replace(load.failure, share_in_outage=1.0, outage_after_s=3600.0)
    failing = dataclasses.replace(load, failure=never_again, failure_rate_max=20)
    after = neutron_load(times, (restart_neutron(Event("iteration", (times // 2,))),), 0.0)
    return Scenario(
        title="Triggers that are never reached (simulated)",
        description="The task is aborted by its SLA soon after the first fault; most triggers lie beyond.",
        begins=dt.datetime(2025, 11, 20, 13, 15, 0, tzinfo=dt.UTC),
        cluster=cluster_of(size),
        runs=(RunPlan("", (failing, after), abort_on_sla=True),),
        rendered_in="Europe/Berlin",
        metric_seconds=size.metric_seconds,
    )


def invisible_hook(size: Size) -> Scenario:
    """A fault_injection hook, on a random node, that leaves no output; a report shows the second hook only."""
    glance_api = ComponentPlan("glance_api", "glance_api", (CONTROLLER, "cmp01", "cmp02"), "services")
    iterations = size.iterations or 150
    fault = HumanFault(
        command="restart glance_api service on random node",
        container="glance_api",
        verb="restart",
        candidates=glance_api.hosts,
        took_s=(2.0, 6.0),
    )
    impacts = (ImpactPlan("mem.used", -6.0, 45.0),)
    unseen = HookPlan(fault, evenly(size, iterations, 2), "Restart a service somewhere", impacts)
    seen = restart_glance_api(Event("iteration", (iterations // 2,)))
    return Scenario(
        title="A fault that the report does not show (simulated)",
        description="glance_api is restarted on a random node by os-faults; the HTML report has no trace of it.",
        begins=dt.datetime(2025, 11, 21, 6, 5, 30, tzinfo=dt.UTC),
        cluster=cluster_of(size, services=(glance_api,)),
        runs=(RunPlan("", (glance_load(iterations, (unseen, seen), size.error_share or 0.0),)),),
        rendered_in="UTC",
        metric_seconds=size.metric_seconds,
    )


def lasting_faults(size: Size) -> Scenario:
    """Faults that outlast their hooks: a freeze for a minute, a stop that a later hook undoes, and one nobody does."""
    rabbitmq = ComponentPlan("rabbitmq", "rabbitmq", (CONTROLLER,), "services")
    iterations = size.iterations or 240
    at = [iterations * place // 9 for place in (1, 3, 5, 7)]
    freeze = HumanFault(
        command="freeze rabbitmq service for 60 seconds",
        container="rabbitmq",
        verb="freeze",
        candidates=rabbitmq.hosts,
        took_s=(1.0, 2.0),
        lasts_s=60.0,
    )
    impacts = (ImpactPlan("mem.used", -6.0, 30.0), ImpactPlan("cpu.user", 7.0, 20.0))
    hooks = (
        HookPlan(freeze, Event("iteration", (at[0],)), "Freeze the message queue", impacts),
        HookPlan(_one_command("stop", "glance_api"), Event("iteration", (at[1],)), "Stop glance_api", impacts),
        HookPlan(_one_command("start", "glance_api"), Event("iteration", (at[2],)), "Start glance_api"),
        HookPlan(_one_command("stop", "heat_api"), Event("iteration", (at[3],)), "Stop heat_api", impacts),
    )
    return Scenario(
        title="Faults that outlast their hooks (simulated)",
        description=(
            "rabbitmq is frozen for a minute by a command that returns at once, glance_api is stopped by one hook and "
            "started by the next, and heat_api is stopped and never started again."
        ),
        begins=dt.datetime(2025, 11, 23, 10, 20, 15, tzinfo=dt.UTC),
        cluster=cluster_of(size, services=(rabbitmq,)),
        runs=(RunPlan("", (glance_load(iterations, hooks, size.error_share or 0.0),)),),
        rendered_in="UTC",
        metric_seconds=size.metric_seconds,
    )


def _one_command(verb: Literal["stop", "start"], container: str) -> ScriptFault:
    return ScriptFault(
        outer=f"{verb}_{container}_remotely.sh",
        inner=f"{verb}-{container}.sh",
        label=f"{'Stopping' if verb == 'stop' else 'Starting'} {container.partition('_')[0]}-container",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand(verb, container, (0.5, 3.0)),),
        hosts=(CONTROLLER,),
        banner=BANNER,
    )


def large(size: Size) -> Scenario:
    """Many iterations, injections and errors: a report of some 50 MB unless a size is given."""
    cluster = cluster_of(size)
    iterations = size.iterations or 100_000
    fault = ScriptFault(
        outer="restart_nova_compute_nodes.sh",
        inner="restart-nova-compute.sh",
        label="Restarting nova-container",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "nova_compute", (1.0, 3.0)),),
        hosts=computes_of(cluster)[:4],
        banner=BANNER,
    )
    injections = min(500, iterations - 1)
    hook = HookPlan(fault, evenly(size, iterations, injections), "Run script", (ImpactPlan("mem.used", -6.0, 40.0),))
    workload = WorkloadPlan(
        name="VMTasks.boot_runcommand_delete",
        description="Boot a server, run a script on it, delete it.",
        args={"flavor": {"name": "m1.tiny"}, "image": {"name": "simulated-linux"}, "username": "simulated"},
        contexts=USERS,
        times=iterations,
        concurrency=10,
        duration_s=2.5,
        spread=0.2,
        idle_s=0.0,
        actions=(("nova.boot_server", 0.6), ("vm.run_command", 0.25), ("nova.delete_server", 0.15)),
        failure=FailurePlan(
            kind="TimeoutException",
            message="Rally tired waiting 300.00 seconds for Server s_rally_{token} to become ('ACTIVE')",
            frames=DEEP_FRAMES,
            took_s=3.0,
            share_in_outage=0.1,
            outage_after_s=2.0,
        ),
        error_share=0.02 if size.error_share is None else size.error_share,
        hooks=(hook,),
        script_output=True,
    )
    return Scenario(
        title="A large experiment (simulated)",
        description="Many short iterations and many restarts of nova_compute.",
        begins=dt.datetime(2025, 11, 22, 0, 10, 0, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(RunPlan("", (workload,)),),
        rendered_in="UTC",
        has_results=False,
        metric_seconds=size.metric_seconds,
    )


SCENARIOS: dict[str, Callable[[Size], Scenario]] = {
    "nova-compute-restart": nova_compute_restart,
    "glance-api-restart": glance_api_restart,
    "neutron-agents-restart": neutron_agents_restart,
    "partial-failure": partial_failure,
    "overlap": overlap,
    "unreached-triggers": unreached_triggers,
    "invisible-hook": invisible_hook,
    "lasting-faults": lasting_faults,
    "large": large,
}
