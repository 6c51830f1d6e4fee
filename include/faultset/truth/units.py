"""Names of one thing: units and processes that wrap a component, as deployers name them.

TripleO runs the container ``nova_compute`` as unit ``tripleo_nova_compute``, EDPM as ``edpm_nova_compute``, Kolla as
``kolla-nova_compute-container``; packages of RDO call it ``openstack-nova-compute``, DevStack ``devstack@n-cpu``, and
its process is ``nova-compute``.
"""

from __future__ import annotations

import re

_PREFIXES = ("openstack_", "devstack_", "kolla_", "tripleo_", "edpm_", "k8s_", "snap_")
_SUFFIXES = ("_container", "_healthcheck", "_bundle", "_service")
_ENDINGS = (".service", ".container", ".socket", ".timer")
# DevStack's short names (stackrc, lib/*), in words joined by "_".
_DEVSTACK = {
    "n_cpu": "nova_compute", "n_api": "nova_api", "n_api_meta": "nova_metadata", "n_cond": "nova_conductor",
    "n_super_cond": "nova_super_conductor", "n_cond_cell1": "nova_conductor", "n_sch": "nova_scheduler",
    "n_novnc": "nova_novncproxy", "n_novnc_cell1": "nova_novncproxy", "n_cauth": "nova_consoleauth",
    "n_spice": "nova_spicehtml5proxy", "n_sproxy": "nova_serialproxy", "n_net": "nova_network",
    "g_api": "glance_api", "g_reg": "glance_registry",
    "c_api": "cinder_api", "c_sch": "cinder_scheduler", "c_vol": "cinder_volume", "c_bak": "cinder_backup",
    "q_svc": "neutron_server", "q_agt": "neutron_openvswitch_agent", "q_dhcp": "neutron_dhcp_agent",
    "q_l3": "neutron_l3_agent", "q_meta": "neutron_metadata_agent", "q_metering": "neutron_metering_agent",
    "q_lbaas": "neutron_lbaas_agent", "q_ovn_metadata_agent": "neutron_ovn_metadata_agent",
    "q_ovn_agent": "neutron_ovn_agent", "neutron_api": "neutron_server",
    "h_api": "heat_api", "h_api_cfn": "heat_api_cfn", "h_api_cw": "heat_api_cloudwatch", "h_eng": "heat_engine",
    "s_proxy": "swift_proxy_server", "s_account": "swift_account_server", "s_container": "swift_container_server",
    "s_object": "swift_object_server", "ir_api": "ironic_api", "ir_cond": "ironic_conductor",
    "o_api": "octavia_api", "o_cw": "octavia_worker", "o_hk": "octavia_housekeeping", "o_hm": "octavia_health_manager",
    "m_api": "manila_api", "m_sch": "manila_scheduler", "m_shr": "manila_share", "m_dat": "manila_data",
    "key": "keystone",
}  # fmt: skip
# Processes and units that are called otherwise than the component they run.
_OTHERWISE = {
    "mysqld": "mariadb", "mariadbd": "mariadb", "mysql": "mariadb", "galera": "mariadb", "beam_smp": "rabbitmq",
    "rabbitmq_server": "rabbitmq", "ovs_vswitchd": "openvswitch_vswitchd", "openvswitch_switch": "openvswitch_vswitchd",
    "ovsdb_server": "openvswitch_db", "libvirtd": "nova_libvirt", "virtqemud": "nova_libvirt", "chronyd": "chrony",
    "memcache": "memcached",
}  # fmt: skip


def words(name: str) -> str:
    """Return ``name`` as lower-case words joined by ``_``, without the ending of a unit: all spellings of one name."""
    lower = name.strip().lower().rsplit("/", 1)[-1]
    for ending in _ENDINGS:
        lower = lower.removesuffix(ending)
    return re.sub(r"[-_.@\s]+", "_", lower).strip("_")


def spellings(name: str) -> tuple[str, ...]:
    """Return what a unit or process called ``name`` may run, as ``words``: itself first, then what it wraps."""
    found = [words(name)]
    for candidate in found:  # grows while it is walked
        found += (
            other
            for other in _unwrapped(candidate, of_devstack="@" in name or words(name).startswith("devstack_"))
            if other and other not in found
        )
    return tuple(found)


def _unwrapped(name: str, *, of_devstack: bool) -> list[str]:
    bare = [name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)]
    bare += [name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)]
    bare += [_OTHERWISE[name]] if name in _OTHERWISE else []
    return bare + ([_DEVSTACK[name]] if of_devstack and name in _DEVSTACK else [])
