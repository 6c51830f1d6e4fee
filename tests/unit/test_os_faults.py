"""os-faults configurations: nodes, roles, containers, services; never a credential."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.records.cluster import Cluster, Component, Node
from faultset.sources.os_faults.cluster import read_cluster

SECRET = "Zq-hunter2"
CONFIGURATION = f"""\
cloud_management:
  driver: universal
  args:
    auth: {{username: rally, password: {SECRET}}}
node_discover:
  driver: node_list
  args:
    - ip: 10.0.0.11  # role: controller
      fqdn: ctl1.example.org
      auth:
        username: rally
        private_key_file: /home/rally/{SECRET}
        become_password: {SECRET}
    - ip: 10.0.0.12
      fqdn: cmp1.example.org   # role: compute
      auth: {{become_password: '# role: storage {SECRET}'}}
containers:
  nova_compute:
    driver: docker_container
    args:
      container_name: nova_compute
    hosts:
    - 10.0.0.12
  ovs_vswitchd:
    driver: docker_container
    args: {{container_name: openvswitch_vswitchd}}
services:
  mysql:
    driver: process
    args: {{grep: mysqld, port: ['tcp', 3307], restart_cmd: 'sudo service mysql restart'}}
    hosts: [10.0.0.11, ctl1]
  nova-api:
    driver: system_service
    args: {{service_name: devstack@n-api, grep: nova-api}}
    hosts: []
"""


def cluster(folder: Path, text: str) -> Cluster:
    path = folder / "os-faults.yaml"
    path.write_text(text)
    return read_cluster(str(path))


def nodes(folder: Path, listed: str) -> list[tuple[str, str | None, str | None, str | None]]:
    found = cluster(folder, f"node_discover:\n  driver: node_list\n  args:\n{listed}").nodes
    return [(node.name, node.fqdn, node.ip, node.role) for node in found]


def component(folder: Path, lines: str, section: str = "services") -> Component:
    text = f"node_discover: {{driver: node_list, args: [{{ip: 10.0.0.1}}]}}\n{section}:\n  key_of_it:\n{lines}"
    return cluster(folder, text).components[0]


def problem(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        cluster(folder, text)
    assert SECRET not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_configuration_is_its_nodes_and_components(tmp_path: Path) -> None:
    found = cluster(tmp_path, CONFIGURATION)
    assert found.nodes == (
        Node("ctl1", "ctl1.example.org", "10.0.0.11", "controller", 8),
        Node("cmp1", "cmp1.example.org", "10.0.0.12", "compute", 14),
    )
    assert found.components == (
        Component("nova_compute", "container", "docker_container", "nova_compute", ("10.0.0.12",), 18),
        Component("ovs_vswitchd", "container", "docker_container", "openvswitch_vswitchd", None, 24),
        Component("mysql", "service", "process", "mysqld", ("10.0.0.11", "ctl1"), 28),
        Component("nova-api", "service", "system_service", "devstack@n-api", (), 32),
    )


def test_no_credential_reaches_a_record(tmp_path: Path) -> None:
    found = repr(cluster(tmp_path, CONFIGURATION))
    assert SECRET not in found
    assert "rally" not in found


@pytest.mark.parametrize(
    ("listed", "roles"),
    [
        ("    - ip: 10.0.0.1 # role: compute\n    - ip: 10.0.0.2\n", ["compute", None]),
        ("    - ip: 10.0.0.1\n      # role: Compute\n      fqdn: a\n    - ip: 10.0.0.2\n", ["compute", None]),
        ("    - ip: 10.0.0.1\n      # role: compute\n    - ip: 10.0.0.2\n", ["compute", None]),
        ("    # role: compute\n    - ip: 10.0.0.1\n    # role: storage\n    - ip: 10.0.0.2\n", ["compute", "storage"]),
        ("    - # role: compute\n      ip: 10.0.0.1\n    - ip: 10.0.0.2\n", ["compute", None]),
        ("    - {ip: 10.0.0.1}  # role: compute\n    - {ip: 10.0.0.2} # role=storage\n", ["compute", "storage"]),
        ("    - ip: 10.0.0.1 # role: compute\n      role: controller\n    - ip: 10.0.0.2\n", ["controller", None]),
        (
            "    - ip: 10.0.0.1\n    - ip: 10.0.0.2\n",
            [None, None],
        ),
        ("    - ip: 10.0.0.1\n      mac: '# role: compute'\n    - ip: 10.0.0.2\n", [None, None]),
        ("    - ip: 10.0.0.1\n    - ip: 10.0.0.2\ncontainers: # role: compute\n", [None, None]),
        ("    - ip: 10.0.0.1 # the controller\n    - ip: 10.0.0.2 # no role: here\n", [None, None]),
    ],
)
def test_a_role_stands_in_a_comment_that_a_plain_load_loses(
    tmp_path: Path, listed: str, roles: list[str | None]
) -> None:
    assert [role for _, _, _, role in nodes(tmp_path, listed)] == roles


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("    - {ip: 10.0.0.1, fqdn: Node-1.domain.tld}", "Node-1"),
        ("    - {ip: 10.0.0.1, fqdn: node}", "node"),
        ("    - {ip: 10.0.0.1}", "10.0.0.1"),
        ("    - {ip: 'fe80::1'}", "fe80::1"),
        ("    - {ip: node-7.local}", "node-7"),
        ("    - {ip: 10.0.0.1, mac: 'aa:bb:cc:dd:ee:01', libvirt_name: vm1, username: x, fqdn: ~}", "10.0.0.1"),
    ],
)
def test_a_node_is_called_by_the_first_label_of_its_name_or_by_its_address(
    tmp_path: Path, listed: str, name: str
) -> None:
    assert nodes(tmp_path, listed)[0][0] == name


@pytest.mark.parametrize(
    "text",
    [
        "cloud_management: {driver: universal, args: {nodes: [{ip: 10.0.0.1, fqdn: a}]}}",
        "cloud_management: {driver: universal, args: {node_list: [{ip: 10.0.0.1, fqdn: a}]}}",
        "node_discover: {driver: node_list, args: {hosts: [{ip: 10.0.0.1, fqdn: a}]}}",
        "a: &a [{ip: 10.0.0.1, fqdn: a}]\nnode_discover: {driver: node_list, args: *a}",
        '{"node_discover": {"driver": "node_list", "args": [{"ip": "10.0.0.1", "fqdn": "a"}]}}',
        "node_discover: {args: [{ip: 10.0.0.1, fqdn: a}]}\ncloud_management: {driver: devstack, args: {address: b}}",
    ],
)
def test_nodes_are_found_in_every_form_that_was_ever_written(tmp_path: Path, text: str) -> None:
    assert [(node.name, node.ip) for node in cluster(tmp_path, text).nodes] == [("a", "10.0.0.1")]


def test_a_driver_without_node_discovery_names_its_nodes_by_address(tmp_path: Path) -> None:
    text = "cloud_management:\n  driver: devstack\n  args: {address: 10.0.0.1, slaves: [10.0.0.2, 10.0.0.3]}\n"
    assert [node.ip for node in cluster(tmp_path, text).nodes] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_no_list_of_hosts_means_every_node_and_an_empty_one_means_none(tmp_path: Path) -> None:
    driver = "    driver: docker_container\n    args: {container_name: x}\n"
    assert component(tmp_path, driver).hosts is None
    assert component(tmp_path, driver + "    hosts:\n").hosts is None
    assert component(tmp_path, driver + "    hosts: []\n").hosts == ()


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("    driver: docker_container\n    args: {container_name: its_name}", "its_name"),
        ("    driver: system_service\n    args: {service_name: its_name, grep: other}", "its_name"),
        ("    driver: salt_service\n    args: {salt_service: its_name, grep: other}", "its_name"),
        ("    driver: pcs_service\n    args: {pcs_service: its_name, grep: other}", "its_name"),
        (
            "    driver: pcs_or_linux_service\n    args: {pcs_service: p_x, linux_service: its_name, grep: x}",
            "its_name",
        ),
        ("    driver: process\n    args: {grep: its_name}", "its_name"),
        ("    driver: process\n    args: {grep: 'java .*zookeeper'}", "key_of_it"),
        ("    driver: screen\n    args: {grep: its_name, window_name: n-api}", "its_name"),
        ("    driver: of_its_own\n", "key_of_it"),
        ("    driver: of_its_own\n    args: {strange: 1}", "key_of_it"),
    ],
)
def test_a_component_is_known_to_the_machine_by_what_its_driver_says(tmp_path: Path, lines: str, name: str) -> None:
    assert component(tmp_path, lines).container == name


def test_unknown_sections_and_hosts_that_are_no_node_are_no_error_here(tmp_path: Path) -> None:
    text = CONFIGURATION + "    hosts_comment: x\nmonitoring: {a: [1]}\n"
    assert cluster(tmp_path, text.replace("    - 10.0.0.12\n", "    - 10.9.9.9\n")).components[0].hosts == ("10.9.9.9",)


NODE = "node_discover: {driver: node_list, args: [{ip: 10.0.0.1}]}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("just text", 1, "is a text, not a mapping"),
        ("- a", 1, "is a list"),
        ("# nothing", 1, "is nothing"),
        ("containers: {}", None, "names no nodes"),
        ("node_discover: {driver: node_list}", 1, "'node_discover.args' is missing"),
        ("node_discover: {driver: node_list, args: []}", 1, "list of nodes is empty"),
        ("node_discover: {driver: node_list, args: x}", 1, "'args' is a text, not a list of nodes"),
        ("node_discover: {driver: node_list, arg: [{ip: a}]}", 1, "the key 'arg' is not known; write 'args'"),
        ("node_discovery: {driver: node_list}", 1, "'node_discovery' is not known; write 'node_discover'"),
        ("node_discover: [a]", 1, "'node_discover' is a list, not a mapping"),
        ("node_discover: {args: [10.0.0.1]}", 1, "'a node' is a text"),
        ("node_discover:\n  args:\n  - fqdn: a", 3, "'ip' is missing"),
        ("node_discover:\n  args:\n  - ip: 10", 3, "'ip' is a number"),
        ("node_discover:\n  args:\n  - ip: a b", 3, "neither an IP address nor a host name"),
        ("node_discover:\n  args:\n  - ip: a\n    fdqn: b", 4, "'fdqn' is not known; write 'fqdn'"),
        ("node_discover:\n  args:\n  - ip: a\n    fqdn: [b]", 4, "'fqdn' is a list"),
        ("node_discover:\n  args:\n  - ip: a\n    role: 5", 4, "'role' is a number"),
        (NODE + "container: {}", 2, "'container' is not known; write 'containers'"),
        (NODE + "service: {}", 2, "'service' is not known; write 'services'"),
        (NODE + "containers: []", 2, "'containers' is a list, not a mapping"),
        (NODE + "containers:\n  x:", 3, "'x' is nothing"),
        (NODE + "containers:\n  '': {driver: d}", 3, "has no name"),
        (NODE + "containers:\n  x:\n    args: {container_name: x}", 4, "'driver' is missing"),
        (NODE + "containers:\n  x:\n    driver: docker_container", 4, "container_name"),
        (
            NODE + "containers:\n  x:\n    driver: docker_container\n    args: {grep: x}",
            5,
            "'container_name' is missing",
        ),
        (
            NODE + "containers:\n  x:\n    driver: docker_container\n    args: {container_nam: x}",
            5,
            "write 'container_name'",
        ),
        (
            NODE + "containers:\n  x:\n    driver: docker_container\n    args: {container: x}",
            5,
            "write 'container_name'",
        ),
        (NODE + "containers:\n  x:\n    driver: docker_container\n    args: x", 5, "'args' is a text"),
        (NODE + "containers:\n  x:\n    driver: docker_container\n    args: {container_name: [x]}", 5, "is a list"),
        (NODE + "containers:\n  x:\n    driver: d\n    hots: [a]", 5, "'hots' is not known; write 'hosts'"),
        (NODE + "containers:\n  x:\n    driver: d\n    hosts: 10.0.0.1", 5, "'hosts' is a text, not a list"),
        (NODE + "containers:\n  x:\n    driver: d\n    hosts: [1]", 5, "'hosts' is a number"),
        (NODE + "containers:\n  x: {driver: d}\n  x: {driver: d}", 4, "'x' is there twice"),
        (f"node_discover:\n  args:\n  - ip: [{SECRET}]", 3, "'ip' is a list"),
        (f"node_discover:\n  args:\n  - ip: a\n    auth: {SECRET}: {SECRET}", 4, "no valid YAML"),
        (NODE + "services:\n  x:\n    driver: process\n    args: {port: 1}", 5, "'grep' is missing"),
        (NODE + "services:\n  x:\n    driver: d\n    hosts: ['a\\nb']", 5, "neither an IP"),
    ],
)
def test_what_os_faults_could_not_use_is_an_error_with_line_key_and_remedy(
    tmp_path: Path, text: str, line: int | None, words: str
) -> None:
    message = problem(tmp_path, text)
    assert message.startswith("os-faults.yaml:" if line is None else f"os-faults.yaml:{line}:")
    assert words in message


def test_an_empty_or_foreign_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for data in (b"", b"\xff\xfea", b"\x00\x00", b"a: \xe4"):
        path.write_bytes(data)
        with pytest.raises(InputError):
            read_cluster(str(path))
    with pytest.raises(InputError):
        read_cluster(str(tmp_path / "gone.yaml"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_configuration_cut_or_changed_anywhere_is_read_or_one_clear_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(CONFIGURATION)))
    end = data.draw(st.integers(start, len(CONFIGURATION)))
    put = data.draw(
        st.sampled_from(["", ":", "- ", "\t", "[", "{", "'", "#", "\n", "&a ", "*a", "!!int ", "5", "~", "\x00", "é"])
    )
    (tmp_path / "c.yaml").write_text(CONFIGURATION[:start] + put + CONFIGURATION[end:])
    try:
        shown = repr(read_cluster(str(tmp_path / "c.yaml")))
    except InputError as error:
        shown = str(error)
    assert "os-faults" in shown or "c.yaml" in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(InputError):
        read_cluster(str(tmp_path / "c.yaml"))
