"""What the built-in scenarios are put together from: a cluster, loads, hooks, and the errors that loads run into."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from faultset.errors import InputError
from faultset.simulator.plan import (
    ClusterPlan,
    ComponentPlan,
    DockerCommand,
    Event,
    FailurePlan,
    HookPlan,
    ImpactPlan,
    NodePlan,
    Periodic,
    ScriptFault,
    Size,
    Sleep,
    WorkloadPlan,
)

_Where = Literal["controller", "compute", "all"]
BANNER = """Welcome to Simulated Linux 24.10 (GNU/Linux 6.8.0-simulated x86_64)

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
HOSTILE_BANNER = f"""{BANNER}
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
CONTROLLER = "ctl01"
USERS: dict[str, object] = {"users": {"tenants": 3, "users_per_tenant": 2}}
FRAMES = (
    '  File "rally/task/runner.py", line 69, in _run_scenario_once',
    "    getattr(scenario_inst, method_name)(**scenario_kwargs)",
    '  File "rally_openstack/task/scenarios/simulated.py", line 118, in run',
    "    resource = self._create(**kwargs)",
    '  File "rally/task/atomic.py", line 91, in func_atomic_actions',
    "    f = func(self, *args, **kwargs)",
)
DEEP_FRAMES = (
    *FRAMES,
    *(
        line
        for depth in range(12)
        for line in (
            f'  File "simulated_client/layer_{depth:02}.py", line {100 + depth}, in send',
            "    self.next.send()",
        )
    ),
)
NOVA_FAILURE = FailurePlan(
    kind="GetResourceErrorStatus",
    message="Resource <Server: s_rally_{token}> has ERROR status.\n Fault: n/a",
    frames=FRAMES,
    took_s=22.0,
    share_in_outage=0.35,
    outage_after_s=5.0,
)
GLANCE_FAILURE = FailurePlan(
    kind="NewConnectionError",
    message=(
        "<urllib3.connection.HTTPConnection object at 0x7f3c{token}>: "
        "Failed to establish a new connection: [Errno 111] Connection refused"
    ),
    frames=FRAMES,
    took_s=1.2,
    share_in_outage=0.8,
    outage_after_s=3.0,
)
NEUTRON_FAILURE = FailurePlan(
    kind="ServiceUnavailable",
    message="<html><body><h1>503 Service Unavailable</h1>\nNo server is available ({token}).\n</body></html>",
    frames=FRAMES,
    took_s=1.4,
    share_in_outage=0.6,
    outage_after_s=2.0,
)


def cluster_of(
    size: Size, absent: Iterable[tuple[str, str]] = (), services: tuple[ComponentPlan, ...] = ()
) -> ClusterPlan:
    """Return a controller and its computes with the usual containers; ``services`` stand in for those of their keys."""
    count = size.nodes or 5
    controller = NodePlan(CONTROLLER, "192.0.2.10", "controller")
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


def computes_of(cluster: ClusterPlan) -> tuple[str, ...]:
    """Return the names of the compute nodes."""
    return tuple(node.name for node in cluster.nodes if node.role == "compute")


def evenly(size: Size, iterations: int, injections: int) -> Event:
    """Return a trigger that fires at iterations evenly apart."""
    count = size.injections or injections
    if count >= iterations:
        problem = f"{count} injections do not fit into {iterations} iterations"
        raise InputError("simulate", problem, "ask for more iterations or for fewer injections")
    return Event("iteration", tuple(iterations * place // (count + 1) for place in range(1, count + 1)))


def nova_load(iterations: int, concurrency: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    """Return a load that boots and deletes servers."""
    return WorkloadPlan(
        name="NovaServers.boot_and_delete_server",
        description="Boot and delete a server.",
        args={"flavor": {"name": "m1.medium"}, "image": {"name": "simulated-linux"}, "force_delete": True},
        contexts=USERS,
        times=iterations,
        concurrency=concurrency,
        duration_s=24.0,
        spread=0.12,
        idle_s=1.0,
        actions=(("nova.boot_server", 0.9), ("nova.force_delete_server", 0.1)),
        failure=NOVA_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def glance_load(iterations: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    """Return a load that creates and deletes images."""
    return WorkloadPlan(
        name="GlanceImages.create_and_delete_image",
        description="Create and then delete an image.",
        args={
            "image_location": "http://images.example.org/simulated.img",
            "container_format": "bare",
            "disk_format": "qcow2",
        },
        contexts=USERS,
        times=iterations,
        concurrency=3,
        duration_s=8.0,
        spread=0.2,
        idle_s=0.0,
        actions=(("glance_v2.create_image", 0.8), ("glance_v2.delete_image", 0.2)),
        failure=GLANCE_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def neutron_load(iterations: int, hooks: tuple[HookPlan, ...], error_share: float) -> WorkloadPlan:
    """Return a load that creates and deletes networks."""
    return WorkloadPlan(
        name="NeutronNetworks.create_and_delete_networks",
        description="Create and then delete a network.",
        args={"network_create_args": {}},
        contexts=USERS,
        times=iterations,
        concurrency=1,
        duration_s=1.6,
        spread=0.2,
        idle_s=0.0,
        actions=(("neutron.create_network", 0.55), ("neutron.delete_network", 0.45)),
        failure=NEUTRON_FAILURE,
        error_share=error_share,
        hooks=hooks,
    )


def restart_nova_compute(trigger: Event, hosts: tuple[str, ...], banner: str = BANNER) -> HookPlan:
    """Return a hook that stops and starts nova_compute twice on each host."""
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


def restart_glance_api(trigger: Event) -> HookPlan:
    """Return a hook that restarts glance_api once on the controller."""
    fault = ScriptFault(
        outer="restart_glance_container.sh",
        inner="restart-glance.sh",
        label="Restarting glance-container",
        rounds="{1..1}",
        round_count=1,
        commands=(DockerCommand("restart", "glance_api", (1.4, 2.4)),),
        hosts=(CONTROLLER,),
        banner=BANNER,
    )
    impacts = (ImpactPlan("cpu.user", 7.0, 40.0), ImpactPlan("mem.used", -6.0, 60.0))
    return HookPlan(fault, trigger, "Run script", impacts)


def restart_neutron(trigger: Event | Periodic) -> HookPlan:
    """Return a hook that stops and starts neutron's agents and its server on the controller."""
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
        hosts=(CONTROLLER,),
        banner=BANNER,
    )
    impacts = (ImpactPlan("cpu.user", 6.0, 30.0), ImpactPlan("mem.used", -7.0, 90.0))
    return HookPlan(fault, trigger, "Run script", impacts)
