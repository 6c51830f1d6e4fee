"""The built-in scenarios: each a function from a size to an experiment."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from typing import Literal

from faultset.errors import InputError
from faultset.simulator.plan import (
    ClusterPlan,
    ComponentPlan,
    DockerCommand,
    Event,
    FailurePlan,
    HookPlan,
    HumanFault,
    ImpactPlan,
    NodePlan,
    Periodic,
    RunPlan,
    Scenario,
    ScriptFault,
    Size,
    Sleep,
    WorkloadPlan,
)

_Where = Literal["controller", "compute", "all"]

_BANNER = """Welcome to Simulated Linux 24.10 (GNU/Linux 6.8.0-simulated x86_64)

 * Documentation:  https://docs.example.org
 * Management:     https://management.example.org
 * Support:        https://support.example.org

 * This machine is part of a testbed and is reset every night.
   Keep results elsewhere, and expect containers to be stopped, started
   and restarted while experiments run.

     https://testbed.example.org/rules

 * 0 updates can be applied immediately.
   To see what has changed since the last reset, run: changes --since reset"""
# What a login may print is nobody's to choose: this one ends a script element and looks like Rally's data.
_HOSTILE_BANNER = f"""{_BANNER}
 * <b>Maintenance</b> tonight </script><script>
        $scope.scenarios = [];
"""

# Component key, container, where: the two differ for Open vSwitch, as in Kolla.
_CONTAINERS: tuple[tuple[str, str, _Where], ...] = (
    ("cinder_api", "cinder_api", "controller"),
    ("cinder_volume", "cinder_volume", "all"),
    ("glance_api", "glance_api", "controller"),
    ("heat_api", "heat_api", "controller"),
    ("keystone", "keystone", "controller"),
    ("memcached", "memcached", "controller"),
    ("neutron_server", "neutron_server", "controller"),
    ("neutron_dhcp_agent", "neutron_dhcp_agent", "controller"),
    ("neutron_l3_agent", "neutron_l3_agent", "controller"),
    ("neutron_metadata_agent", "neutron_metadata_agent", "controller"),
    ("neutron_openvswitch_agent", "neutron_openvswitch_agent", "all"),
    ("nova_api", "nova_api", "controller"),
    ("nova_compute", "nova_compute", "compute"),
    ("nova_conductor", "nova_conductor", "controller"),
    ("nova_scheduler", "nova_scheduler", "controller"),
    ("ovsdb_server", "openvswitch_db", "all"),
    ("ovs_vswitchd", "openvswitch_vswitchd", "all"),
    ("rabbitmq", "rabbitmq", "controller"),
)
_CONTROLLER = "ctl01"
_USERS: dict[str, object] = {"users": {"tenants": 3, "users_per_tenant": 2}}

_FRAMES = (
    '  File "rally/task/runner.py", line 69, in _run_scenario_once',
    "    getattr(scenario_inst, method_name)(**scenario_kwargs)",
    '  File "rally_openstack/task/scenarios/simulated.py", line 118, in run',
    "    resource = self._create(**kwargs)",
    '  File "rally/task/atomic.py", line 91, in func_atomic_actions',
    "    f = func(self, *args, **kwargs)",
)
_DEEP_FRAMES = (
    *_FRAMES,
    *(
        line
        for depth in range(12)
        for line in (
            f'  File "simulated_client/layer_{depth:02}.py", line {100 + depth}, in send',
            "    self.next.send()",
        )
    ),
)

_NOVA_FAILURE = FailurePlan(
    kind="GetResourceErrorStatus",
    message="Resource <Server: s_rally_{token}> has ERROR status.\n Fault: n/a",
    frames=_FRAMES,
    took_s=22.0,
    share_in_outage=0.35,
    outage_after_s=5.0,
)
_GLANCE_FAILURE = FailurePlan(
    kind="NewConnectionError",
    message=(
        "<urllib3.connection.HTTPConnection object at 0x7f3c{token}>: "
        "Failed to establish a new connection: [Errno 111] Connection refused"
    ),
    frames=_FRAMES,
    took_s=1.2,
    share_in_outage=0.8,
    outage_after_s=3.0,
)
_NEUTRON_FAILURE = FailurePlan(
    kind="ServiceUnavailable",
    message="<html><body><h1>503 Service Unavailable</h1>\nNo server is available ({token}).\n</body></html>",
    frames=_FRAMES,
    took_s=1.4,
    share_in_outage=0.6,
    outage_after_s=2.0,
)


# --- clusters -------------------------------------------------------------------------------------------------------


def _cluster(
    size: Size, absent: Iterable[tuple[str, str]] = (), services: tuple[ComponentPlan, ...] = ()
) -> ClusterPlan:
    count = size.nodes or 5
    controller = NodePlan(_CONTROLLER, "192.0.2.10", "controller")
    addresses = [number for number in range(1, 255) if number != 10]
    computes = [
        NodePlan(f"cmp{number:02}", f"192.0.2.{address}", "compute")
        for number, address in zip(range(1, count), addresses[9:] + addresses[:9], strict=False)
    ]
    by_place: dict[str, tuple[str, ...]] = {
        "controller": (controller.name,),
        "compute": tuple(node.name for node in computes),
        "all": (controller.name, *(node.name for node in computes)),
    }
    replaced = {service.key for service in services}
    containers = [
        ComponentPlan(key, container, by_place[where]) for key, container, where in _CONTAINERS if key not in replaced
    ]
    return ClusterPlan((controller, *computes), (*containers, *services), frozenset(absent))


def _computes(cluster: ClusterPlan) -> tuple[str, ...]:
    return tuple(node.name for node in cluster.nodes if node.role == "compute")


# --- loads and hooks ------------------------------------------------------------------------------------------------


def _evenly(size: Size, iterations: int, injections: int) -> Event:
    count = size.injections or injections
    if count >= iterations:
        problem = f"{count} injections do not fit into {iterations} iterations"
        raise InputError("simulate", problem, "ask for more iterations or for fewer injections")
    return Event("iteration", tuple(iterations * place // (count + 1) for place in range(1, count + 1)))


def _nova(iterations: int, concurrency: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    return WorkloadPlan(
        name="NovaServers.boot_and_delete_server",
        description="Boot and delete a server.",
        args={"flavor": {"name": "m1.medium"}, "image": {"name": "simulated-linux"}, "force_delete": True},
        contexts=_USERS,
        times=iterations,
        concurrency=concurrency,
        duration_s=24.0,
        spread=0.12,
        idle_s=1.0,
        actions=(("nova.boot_server", 0.9), ("nova.force_delete_server", 0.1)),
        failure=_NOVA_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def _glance(iterations: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    return WorkloadPlan(
        name="GlanceImages.create_and_delete_image",
        description="Create and then delete an image.",
        args={
            "image_location": "http://images.example.org/simulated.img",
            "container_format": "bare",
            "disk_format": "qcow2",
        },
        contexts=_USERS,
        times=iterations,
        concurrency=3,
        duration_s=8.0,
        spread=0.2,
        idle_s=0.0,
        actions=(("glance_v2.create_image", 0.8), ("glance_v2.delete_image", 0.2)),
        failure=_GLANCE_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def _neutron(iterations: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    return WorkloadPlan(
        name="NeutronNetworks.create_and_delete_networks",
        description="Create and then delete a network.",
        args={"network_create_args": {}},
        contexts=_USERS,
        times=iterations,
        concurrency=1,
        duration_s=1.6,
        spread=0.2,
        idle_s=0.0,
        actions=(("neutron.create_network", 0.55), ("neutron.delete_network", 0.45)),
        failure=_NEUTRON_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def _restart_nova_compute(trigger: Event, hosts: tuple[str, ...], banner: str = _BANNER) -> HookPlan:
    fault = ScriptFault(
        outer="restart_nova_compute_nodes.sh",
        inner="stop-start-nova-compute.sh",
        label="Restarting nova-container",
        rounds="{1..2}",
        round_count=2,
        commands=(
            DockerCommand("stop", "nova_compute", (0.6, 5.0)),
            Sleep(15),
            DockerCommand("start", "nova_compute", (0.3, 0.9)),
        ),
        hosts=hosts,
        banner=banner,
    )
    return HookPlan(fault, trigger, "Run script", (ImpactPlan("mem.used", -8.0, 30.0),))


def _restart_glance_api(trigger: Event) -> HookPlan:
    fault = ScriptFault(
        outer="restart_glance_container.sh",
        inner="restart-glance.sh",
        label="Restarting glance-container",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "glance_api", (1.4, 2.4)),),
        hosts=(_CONTROLLER,),
        banner=_BANNER,
    )
    impacts = (ImpactPlan("cpu.user", 7.0, 40.0), ImpactPlan("mem.used", -6.0, 60.0))
    return HookPlan(fault, trigger, "Run script", impacts)


def _restart_neutron(trigger: Event | Periodic) -> HookPlan:
    agents = (
        "neutron_metadata_agent",
        "neutron_l3_agent",
        "neutron_dhcp_agent",
        "neutron_openvswitch_agent",
        "neutron_openvswitch_agent",
    )
    fault = ScriptFault(
        outer="restart_neutron_container.sh",
        inner="stop-start-neutron.sh",
        label="Restarting neutron-containers",
        rounds="{1}",  # the shell takes this as a word, not as a range: one round
        round_count=1,
        commands=(
            *(DockerCommand("stop", agent, (2.0, 11.0), background=True) for agent in agents),
            DockerCommand("stop", "neutron_server", (9.0, 12.0)),
            Sleep(0.1),
            *(DockerCommand("start", agent, (1.0, 8.0), background=True) for agent in agents),
            DockerCommand("start", "neutron_server", (6.0, 9.0)),
        ),
        hosts=(_CONTROLLER,),
        banner=_BANNER,
    )
    impacts = (ImpactPlan("cpu.user", 6.0, 30.0), ImpactPlan("mem.used", -7.0, 90.0))
    return HookPlan(fault, trigger, "Run script", impacts)


# --- the three experiments ------------------------------------------------------------------------------------------


def nova_compute_restart(size: Size) -> Scenario:
    """Stop and start nova_compute, twice, on all computes; the script goes to the controller too, which has none."""
    cluster = _cluster(size)
    iterations = size.iterations or 120
    hook = _restart_nova_compute(_evenly(size, iterations, 2), (*_computes(cluster), _CONTROLLER))
    return Scenario(
        title="Restart of nova_compute on the compute nodes (simulated)",
        description=(
            "Servers are booted and deleted while nova_compute is stopped and started twice on every compute node. "
            "The script goes to the controller as well, which has no such container."
        ),
        begins=dt.datetime(2025, 11, 18, 21, 45, 41, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(RunPlan("", (_nova(iterations, 3, (hook,), size.error_share or 0.0),)),),
        rendered_in="UTC",
        has_reviews=True,
        metric_seconds=size.metric_seconds,
    )


def glance_api_restart(size: Size) -> Scenario:
    """Restart glance_api on the controller."""
    iterations = size.iterations or 240
    hook = _restart_glance_api(_evenly(size, iterations, 3))
    return Scenario(
        title="Restart of glance_api on the controller (simulated)",
        description="Images are created and deleted while glance_api is restarted on the controller.",
        begins=dt.datetime(2025, 11, 18, 17, 38, 37, tzinfo=dt.UTC),
        cluster=_cluster(size),
        runs=(RunPlan("", (_glance(iterations, (hook,), size.error_share or 0.0),)),),
        rendered_in="Europe/Berlin",
        logs_in_one_file=True,
        metric_seconds=size.metric_seconds,
    )


def neutron_agents_restart(size: Size) -> Scenario:
    """Stop and start five Neutron containers on the controller, all at once, the Open vSwitch agent twice."""
    iterations = size.iterations or 400
    hook = _restart_neutron(_evenly(size, iterations, 3))
    return Scenario(
        title="Restart of the Neutron containers on the controller (simulated)",
        description=(
            "Networks are created and deleted while neutron_server and four agents are stopped and started on the "
            "controller. The Open vSwitch agent runs on the compute nodes too, which the script does not touch."
        ),
        begins=dt.datetime(2025, 11, 18, 19, 59, 43, tzinfo=dt.UTC),
        cluster=_cluster(size),
        runs=(RunPlan("", (_neutron(iterations, (hook,), size.error_share or 0.0),)),),
        rendered_in="Europe/Berlin",
        has_results=False,
        metric_seconds=size.metric_seconds,
    )


# --- what is hard to label ------------------------------------------------------------------------------------------


def partial_failure(size: Size) -> Scenario:
    """A declared container is missing on one of the targeted nodes, and yet every hook succeeds."""
    cluster = _cluster(size, absent=[("cmp03", "nova_compute")])
    iterations = size.iterations or 90
    hook = _restart_nova_compute(_evenly(size, iterations, 3), _computes(cluster), _HOSTILE_BANNER)
    return Scenario(
        title="Restart of nova_compute with a container missing (simulated)",
        description="As declared nova_compute runs on every compute node; on cmp03 it does not. No hook fails.",
        begins=dt.datetime(2025, 7, 15, 8, 30, 12, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(RunPlan("", (_nova(iterations, 3, (hook,), size.error_share or 0.0),)),),
        rendered_in="America/New_York",
        metric_seconds=size.metric_seconds,
    )


def overlap(size: Size) -> Scenario:
    """Two tasks at once whose long injections overlap, also within one hook; one scenario stands twice in a task."""
    cluster = _cluster(size)
    servers = size.iterations or 60
    networks = 5 * servers
    nova = _restart_nova_compute(_evenly(size, servers, 2), (*_computes(cluster), _CONTROLLER))
    start, step = networks // 5, max(networks * 8 // 300, 1)
    neutron = _restart_neutron(Periodic("iteration", start, step, start + 4 * step))
    share = size.error_share or 0.0
    return Scenario(
        title="Nova and Neutron faults at once (simulated)",
        description="Two Rally tasks run at the same time on one cluster, and their injections overlap.",
        begins=dt.datetime(2025, 11, 19, 9, 0, 5, tzinfo=dt.UTC),
        cluster=cluster,
        runs=(
            RunPlan("nova", (_nova(servers, 3, (nova,), share),)),
            RunPlan(
                "neutron", (_neutron(networks, (neutron,), share), _neutron(servers, (), share)), starts_after_s=60.0
            ),
        ),
        rendered_in="UTC",
        metric_seconds=size.metric_seconds,
    )


def unreached_triggers(size: Size) -> Scenario:
    """Triggers past the last iteration, past an abort by the SLA, over time, and of a workload that never ran."""
    times = size.iterations or 50
    at = (times // 5, times * 9 // 10, *(times * factor for factor in (2, 4, 6, 8, 10)))
    glance = _restart_glance_api(Event("iteration", at))
    nowhere = ScriptFault(
        outer="restart_memcached.sh",
        inner="restart-memcached.sh",
        label="Restarting memcached",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "memcached", (0.5, 1.0)),),
        hosts=("cmp01",),  # memcached is on the controller only
        banner=_BANNER,
    )
    by_time = HookPlan(nowhere, Event("time", (0, 5, 100_000)), "Restart memcached where it is not")
    load = _glance(times, (glance, by_time), size.error_share or 0.0)
    never_again = dataclasses.replace(load.failure, share_in_outage=1.0, outage_after_s=3600.0)
    failing = dataclasses.replace(load, failure=never_again, failure_rate_max=20)
    after = _neutron(times, (_restart_neutron(Event("iteration", (times // 2,))),), 0.0)
    return Scenario(
        title="Triggers that are never reached (simulated)",
        description="The task is aborted by its SLA soon after the first fault; most triggers lie beyond.",
        begins=dt.datetime(2025, 11, 20, 13, 15, 0, tzinfo=dt.UTC),
        cluster=_cluster(size),
        runs=(RunPlan("", (failing, after), abort_on_sla=True),),
        rendered_in="Europe/Berlin",
        metric_seconds=size.metric_seconds,
    )


def invisible_hook(size: Size) -> Scenario:
    """A fault_injection hook, on a random node, that leaves no output; a report shows the second hook only."""
    glance_api = ComponentPlan("glance_api", "glance_api", (_CONTROLLER, "cmp01", "cmp02"), "services")
    iterations = size.iterations or 150
    fault = HumanFault(
        command="restart glance_api service on random node",
        container="glance_api",
        verb="restart",
        candidates=glance_api.hosts,
        took_s=(2.0, 6.0),
    )
    impacts = (ImpactPlan("mem.used", -6.0, 45.0),)
    unseen = HookPlan(fault, _evenly(size, iterations, 2), "Restart a service somewhere", impacts)
    seen = _restart_glance_api(Event("iteration", (iterations // 2,)))
    return Scenario(
        title="A fault that the report does not show (simulated)",
        description="glance_api is restarted on a random node by os-faults; the HTML report has no trace of it.",
        begins=dt.datetime(2025, 11, 21, 6, 5, 30, tzinfo=dt.UTC),
        cluster=_cluster(size, services=(glance_api,)),
        runs=(RunPlan("", (_glance(iterations, (unseen, seen), size.error_share or 0.0),)),),
        rendered_in="UTC",
        metric_seconds=size.metric_seconds,
    )


def lasting_faults(size: Size) -> Scenario:
    """Faults that outlast their hooks: a freeze for a minute, a stop that a later hook undoes, and one nobody does."""
    rabbitmq = ComponentPlan("rabbitmq", "rabbitmq", (_CONTROLLER,), "services")
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
        cluster=_cluster(size, services=(rabbitmq,)),
        runs=(RunPlan("", (_glance(iterations, hooks, size.error_share or 0.0),)),),
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
        hosts=(_CONTROLLER,),
        banner=_BANNER,
    )


def large(size: Size) -> Scenario:
    """Many iterations, injections and errors: a report of some 50 MB unless a size is given."""
    cluster = _cluster(size)
    iterations = size.iterations or 100_000
    fault = ScriptFault(
        outer="restart_nova_compute_nodes.sh",
        inner="restart-nova-compute.sh",
        label="Restarting nova-container",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "nova_compute", (1.0, 3.0)),),
        hosts=_computes(cluster)[:4],
        banner=_BANNER,
    )
    injections = min(500, iterations - 1)
    hook = HookPlan(fault, _evenly(size, iterations, injections), "Run script", (ImpactPlan("mem.used", -6.0, 40.0),))
    workload = WorkloadPlan(
        name="VMTasks.boot_runcommand_delete",
        description="Boot a server, run a script on it, delete it.",
        args={"flavor": {"name": "m1.tiny"}, "image": {"name": "simulated-linux"}, "username": "simulated"},
        contexts=_USERS,
        times=iterations,
        concurrency=10,
        duration_s=2.5,
        spread=0.2,
        idle_s=0.0,
        actions=(("nova.boot_server", 0.6), ("vm.run_command", 0.25), ("nova.delete_server", 0.15)),
        failure=FailurePlan(
            kind="TimeoutException",
            message="Rally tired waiting 300.00 seconds for Server s_rally_{token} to become ('ACTIVE')",
            frames=_DEEP_FRAMES,
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
