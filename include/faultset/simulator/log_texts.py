"""What the services of a cluster write into their logs; ``$name`` stands for what differs from line to line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A kind of line: level, Python module ("" where the program is no Python) and payload."""

    level: str
    module: str
    payload: str


# Container -> what it writes while nothing is wrong.
USUAL: dict[str, tuple[Text, ...]] = {
    "nova_compute": (
        Text(
            "INFO",
            "nova.compute.resource_tracker",
            "Final resource view: name=$node phys_ram=64302MB used_ram=${many}MB phys_disk=1826GB used_disk=${few}GB "
            "total_vcpus=16 used_vcpus=$few pci_stats=[]",
        ),
        Text("INFO", "nova.compute.manager", "[instance: $uuid] VM Started (Lifecycle Event)"),
        Text("INFO", "nova.compute.manager", "[instance: $uuid] Took $seconds seconds to build instance."),
        Text("INFO", "nova.virt.libvirt.driver", "[instance: $uuid] Instance destroyed successfully."),
        Text("WARNING", "nova.compute.manager", "While synchronizing instance power states, found $few instances."),
    ),
    "nova_api": (
        Text(
            "INFO",
            "nova.osapi_compute.wsgi.server",
            '$ip "GET /v2.1/servers/$uuid HTTP/1.1" status: 200 len: $many time: $seconds',
        ),
        Text("INFO", "nova.api.openstack.wsgi", "HTTP exception thrown: Instance $uuid could not be found."),
    ),
    "nova_scheduler": (
        Text("INFO", "nova.scheduler.host_manager", "Host mapping not found for host $node. Not tracking it."),
    ),
    "nova_conductor": (Text("INFO", "nova.conductor.manager", "Found $few cached cells, refreshing"),),
    "glance_api": (
        Text("INFO", "eventlet.wsgi.server", '$ip - - "GET /v2/images/$uuid HTTP/1.1" 200 $many $seconds'),
        Text("INFO", "eventlet.wsgi.server", '$ip - - "POST /v2/images HTTP/1.1" 201 $many $seconds'),
    ),
    "keystone": (
        Text("INFO", "keystone.common.wsgi", "POST http://$ip:5000/v3/auth/tokens"),
        Text("WARNING", "keystone.common.wsgi", "Authorization failed. The request you have made from $ip, $uuid"),
    ),
    "neutron_server": (
        Text("INFO", "neutron.wsgi", '$ip "GET /v2.0/ports.json?device_id=$uuid HTTP/1.1" status: 200 len: $many'),
        Text("INFO", "neutron.wsgi", '$ip "POST /v2.0/networks.json HTTP/1.1" status: 201 len: $many time: $seconds'),
    ),
    "neutron_dhcp_agent": (
        Text("INFO", "neutron.agent.dhcp.agent", "Trigger reload_allocations for port admin_state_up=True, id=$uuid"),
    ),
    "neutron_l3_agent": (
        Text("INFO", "neutron.agent.l3.agent", "Finished a router update for $uuid, took ${seconds}"),
    ),
    "neutron_metadata_agent": (Text("INFO", "eventlet.wsgi.server", '$ip "GET /latest/meta-data HTTP/1.1" 200 $many'),),
    "neutron_openvswitch_agent": (
        Text(
            "INFO",
            "neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent",
            "Agent rpc_loop - iteration:$many completed. Processed ports statistics: {'regular': {'added': $few, "
            "'updated': 0, 'removed': $few}}. Elapsed:$seconds",
        ),
    ),
    "cinder_volume": (
        Text("INFO", "cinder.volume.manager", "Updating volume status"),
        Text(
            "WARNING", "cinder.volume.manager", "Update driver status failed: (config name lvm-$few) is uninitialized."
        ),
    ),
    "heat_api": (Text("INFO", "eventlet.wsgi.server", '$ip - - "GET /v1/stacks HTTP/1.1" 200 $many $seconds'),),
    "rabbitmq": (
        Text(
            "INFO",
            "",
            "closing AMQP connection <0.$many.$few> ($ip:41234 -> $ip:5672 - nova-compute:7:$uuid, vhost: '/', "
            "user: 'openstack')",
        ),
    ),
    "memcached": (Text("INFO", "", "<$few connection closed."),),
    "openvswitch_vswitchd": (Text("INFO", "", "bridge br-int: added interface qvo$token on port $few"),),
    "openvswitch_db": (Text("INFO", "", "compacting database, $many transactions"),),
}

_TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/python3/dist-packages/oslo_messaging/rpc/server.py", line 241, in inner\n'
    "    return func(*args, **kwargs)\n"
)

# What a service writes, and those beside it on the node, while a fault holds it.
BROKEN: tuple[Text, ...] = (
    Text(
        "ERROR",
        "oslo.messaging._drivers.impl_rabbit",
        "AMQP server on $ip:5672 is unreachable: [Errno 111] ECONNREFUSED",
    ),
    Text(
        "ERROR", "oslo_service.service", "Unhandled error: $service on $node, request $uuid\n" + _TRACEBACK + "OSError"
    ),
    Text("ERROR", "oslo_messaging.rpc.server", "Exception during message handling: MessagingTimeout for $uuid"),
    Text(
        "WARNING", "oslo.service.loopingcall", "Function '$service.report_state' run outlasted interval by $seconds sec"
    ),
    Text(
        "WARNING", "urllib3.connectionpool", "Retrying after \"ConnectionResetError(104, 'reset by peer')\": /$service"
    ),
)

# What a service writes about a request that fails.
FAILED: tuple[Text, ...] = (
    Text(
        "ERROR", "oslo_messaging.rpc.server", "Exception during message handling: $kind\n" + _TRACEBACK + "$kind: $uuid"
    ),
    Text("WARNING", "$service.api", 'Request "$uuid" failed after $seconds s, giving up: $kind'),
)

# What passes through each service as an iteration runs.
PASSED: tuple[Text, ...] = (
    Text("INFO", "$service.api", '$ip "POST /v2/$service HTTP/1.1" status: 202 len: $many time: $seconds'),
    Text("INFO", "$service.api", '$ip "DELETE /v2/$service/$uuid HTTP/1.1" status: 204 len: 0 time: $seconds'),
)

# Sessions that are none of the experimenter's, and containers that no experiment acts on.
OTHERS: tuple[tuple[str, str], ...] = (
    ("sudo", " monitor : TTY=unknown ; PWD=/ ; USER=root ; COMMAND=/usr/bin/docker ps --all"),
    ("sudo", " operator : TTY=pts/0 ; PWD=/home/operator ; USER=root ; COMMAND=/usr/bin/docker restart fluentd"),
    ("sshd", "Accepted publickey for monitor from $ip port 5${few}22 ssh2: ED25519 SHA256:$token"),
    ("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
    ("dockerd", 'level=info msg="Container $token health status changed, now healthy"'),
)
