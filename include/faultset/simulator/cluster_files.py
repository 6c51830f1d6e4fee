"""The files beside the reports: os-faults YAML, hook scripts, and the experiment's declaration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from faultset.simulator.plan import ClusterPlan, ComponentPlan, DockerCommand, NodePlan, Scenario, ScriptFault

DOMAIN = "example.org"
OS_FAULTS = "os-faults.yaml"


def os_faults(cluster: ClusterPlan) -> str:
    """Return the os-faults YAML; a node's role stands in a comment only, and the credentials are fake."""
    lines = ["cloud_management:", "  driver: universal", "node_discover:", "  driver: node_list", "  args:"]
    for node in cluster.nodes:
        lines.extend(_node(node))
    for section in ("containers", "services"):
        components = [component for component in cluster.components if component.section == section]
        if components:
            lines.extend(["", f"{section}:"])
        for component in components:
            lines.extend(_component(component, cluster))
    return "\n".join(lines) + "\n"


def _node(node: NodePlan) -> Iterator[str]:
    yield f"    - ip: {node.ip}  # role: {node.role}"
    yield f"      fqdn: {node.name}"
    yield "      auth:"
    yield "        username: rally"
    yield "        private_key_file: simulated-key-file"
    yield "        become_password: simulated-become-password"


def _component(component: ComponentPlan, cluster: ClusterPlan) -> Iterator[str]:
    yield f"  {component.key}:"
    if component.section == "containers":
        yield "    driver: docker_container"
        yield "    args:"
        yield f"      container_name: {component.container}"
    else:
        yield "    driver: system_service"
        yield "    args:"
        yield f"      service_name: {component.container}"
        yield f"      grep: {component.container}"
    yield "    hosts:"
    for host in component.hosts:
        yield f"    - {cluster.node(host).ip}"


def scripts(scenario: Scenario) -> dict[str, str]:
    """Return file name -> text of each hook script of ``scenario``."""
    found: dict[str, str] = {}
    for fault in _script_faults(scenario):
        found[fault.outer] = _outer(fault)
        found[fault.inner] = _inner(fault)
    return found


def _script_faults(scenario: Scenario) -> Iterator[ScriptFault]:
    for run in scenario.runs:
        for workload in run.workloads:
            for hook in workload.hooks:
                if isinstance(hook.fault, ScriptFault):
                    yield hook.fault


def _outer(fault: ScriptFault) -> str:
    sessions = [
        f"cat {fault.inner} | sshpass -p 'simulated-password' ssh rally@{host}.{DOMAIN}" for host in fault.hosts
    ]
    return "#!/bin/bash\n" + " &\n".join(sessions) + "\n"


def _inner(fault: ScriptFault) -> str:
    lines = ["#!/bin/bash", f"for i in {fault.rounds}", "do", f'    echo "{fault.label}"']
    for command in fault.commands:
        if isinstance(command, DockerCommand):
            lines.append(f"    {_line(command)}")
        else:
            lines.append(f"    sleep {command.seconds:g}")
    return "\n".join([*lines, "done", ""])


def _line(command: DockerCommand) -> str:
    line = f"docker {command.verb} {command.container}"
    if command.after_s:
        return f"(sleep {command.after_s:g}; {line}) > /dev/null 2>&1 &"
    return f"{line} &" if command.background else line


def experiment(
    scenario: Scenario, runs: list[dict[str, Any]], telemetry: list[dict[str, str]], reviewed_impacts: str | None
) -> str:
    """Return ``experiment.yaml``; ``runs`` names each run's files, ``telemetry`` each kind's with their zone."""
    reviews = {"reviewed_impacts": reviewed_impacts} if reviewed_impacts else {}
    declaration = {
        "title": scenario.title,
        "description": scenario.description,
        "cluster": OS_FAULTS,
        "runs": runs,
        "telemetry": telemetry,
        **reviews,
        "license": "CC-BY-4.0",
        "creators": [{"name": "Faultset simulator"}],
    }
    return yaml.safe_dump(declaration, sort_keys=False, allow_unicode=True, width=110)
