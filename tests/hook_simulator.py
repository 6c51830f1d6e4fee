"""Hooks in random forms, run by a little shell of its own whose truth is known: nothing of the reader is used here.

A plan is sessions to nodes, with commands in each. A form writes the plan as people do; ``run`` plays it: docker and
systemctl answer as they do, sessions fail or are lost, exit codes go where the shell lets them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HOMES = {
    "nova_compute": ("cmp01", "cmp02"),
    "nova_libvirt": ("cmp01", "cmp02"),
    "mariadb": ("ctl01", "ctl02"),
    "rabbitmq": ("ctl01", "ctl02"),
    "glance_api": ("ctl01",),
    "neutron_openvswitch_agent": ("ctl01", "ctl02", "cmp01", "cmp02"),
}
NODES = ("ctl01", "ctl02", "cmp01", "cmp02")
VERBS = (("restart",), ("stop", "start"), ("stop",), ("pause", "unpause"), ("kill",))
SERVICE_VERBS = (("restart",), ("stop", "start"), ("stop",))
LOST = ("client_loop: send disconnect: Broken pipe", "Connection to {node} closed by remote host.", "")
UNREACHABLE = (
    "ssh: connect to host {node} port 22: Connection refused",
    "ssh: Could not resolve hostname {node}: Name or service not known",
    "root@{node}: Permission denied (publickey,password).",
)


@dataclass(frozen=True)
class Single:
    """One command of docker or systemctl."""

    tool: str
    verb: str
    name: str

    def text(self) -> str:
        """As it is written."""
        return f"{self.tool} {self.verb} {self.name}"


@dataclass
class Played:
    """What a run left behind, and what really happened: (node, name) -> commands that took hold, and all of them."""

    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0
    acted: dict[tuple[str, str], list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """Commands on one node, and what becomes of the session: fine, unreachable, or lost at a command."""

    node: str
    commands: tuple[Single, ...]
    stops: bool
    fate: str
    lost_at: int


@dataclass(frozen=True)
class Simulated:
    """A hook with its truth."""

    command: str
    scripts: dict[str, str]
    out: str
    err: str
    code: int
    planned: dict[tuple[str, str], list[str]]
    acted: dict[tuple[str, str], list[str]]


def simulate(seed: int) -> Simulated:
    """Return a hook in a random form, run with a random outcome."""
    random_ = random.Random(seed)
    sessions = _sessions(random_)
    text, scripts, stops_between = _written(sessions, random_)
    mask = random_.choice(("", "", "", "true", "echo", "tee", "null", "errors", "not", "exit", "check"))
    played = _play(sessions, stops_between)
    command = text if not scripts else f"bash ./{next(iter(scripts))}"
    command, out, err, code = _masked(command, played, mask, whole=len(sessions) == 1 or bool(scripts))
    planned: dict[tuple[str, str], list[str]] = {}
    for session in sessions:
        for single in session.commands:
            planned.setdefault((session.node, single.name), []).append(single.verb)
    return Simulated(command, scripts, out, err, code, planned, played.acted)


def _sessions(random_: random.Random) -> list[Session]:
    docker = random_.random() < 0.7
    names = random_.sample(sorted(HOMES), random_.choice((1, 1, 1, 2)))
    nodes = random_.sample(NODES, random_.choice((1, 1, 2, 3)))
    verbs = random_.choice(VERBS if docker else SERVICE_VERBS)
    commands = tuple(
        Single("docker" if docker else "systemctl", verb, name if docker else name.replace("_", "-"))
        for name in names
        for verb in verbs
    )
    stops = random_.random() < 0.5
    fates = ("fine",) * 6 + ("unreachable", "lost")
    return [Session(node, commands, stops, random_.choice(fates), random_.randrange(len(commands))) for node in nodes]


def _written(sessions: list[Session], random_: random.Random) -> tuple[str, dict[str, str], bool]:
    """Return the text, the scripts it needs, and whether a session that fails ends the whole."""
    inside = " && ".join if sessions[0].stops else "; ".join
    body = inside(single.text() for single in sessions[0].commands)
    nodes = [session.node for session in sessions]
    stops = random_.random() < 0.4
    form = random_.choice(("plain", "loop", "here", "echo", "string", "function", "piped", "nested", "array"))
    sudo = random_.choice(("", "sudo "))
    if form == "plain":
        calls = [f'ssh root@{node} "{body}"' for node in nodes]
    elif form == "here":
        calls = [f"ssh root@{node} {sudo}bash <<EOF\n{body}\nEOF" for node in nodes]
        return "", {"fault.sh": ("set -e\n" if stops else "") + "\n".join(calls) + "\n"}, stops
    elif form == "echo":
        calls = [f"echo '{body}' | ssh {node} {sudo}bash" for node in nodes]
    elif form == "string":
        calls = [f"ssh {node} bash -s <<< '{body}'" for node in nodes]
    elif form == "nested":
        calls = [f"ssh jump ssh root@{node} '\"{body}\"'" for node in nodes]
    elif form == "function":
        calls = [f"hit {node}" for node in nodes]
        head = f"hit() {{ ssh root@$1 '{body}'; }}\n"
        return "", {"fault.sh": head + ("set -e\n" if stops else "") + "\n".join(calls) + "\n"}, stops
    elif form == "piped":
        text = ("set -e\n" if stops else "") + "\n".join(f"cat inner.sh | ssh root@{node} bash" for node in nodes)
        return "", {"outer.sh": text, "inner.sh": body + "\n"}, stops
    else:
        listed = f"N=({' '.join(nodes)})\n" if form == "array" else ""
        over = '"${N[@]}"' if form == "array" else " ".join(nodes)
        head = "set -e\n" if stops else ""
        return "", {"fault.sh": f"{head}{listed}for n in {over}; do\n  ssh root@$n '{body}'\ndone\n"}, stops
    return (" && " if stops else "; ").join(calls), {}, stops


def _play(sessions: list[Session], stops_between: bool) -> Played:
    played = Played()
    for session in sessions:
        played.code = _play_session(session, played)
        if played.code and stops_between:
            break
    return played


def _play_session(session: Session, played: Played) -> int:
    random_ = random.Random(f"{session.node}{session.lost_at}")
    if session.fate == "unreachable":
        played.err.append(random_.choice(UNREACHABLE).format(node=session.node))
        return 255
    code = 0
    for number, single in enumerate(session.commands):
        lost = session.fate == "lost" and number == session.lost_at
        code = _play_single(session.node, single, played, silent=lost)
        if lost:
            message = random_.choice(LOST).format(node=session.node)
            played.err += [message] if message else []
            return 255
        if code and session.stops:
            return code
    return code


def _play_single(node: str, single: Single, played: Played, *, silent: bool) -> int:
    there = node in HOMES[single.name.replace("-", "_")]
    if there:
        played.acted.setdefault((node, single.name), []).append(single.verb)
        if single.tool == "docker" and not silent:
            played.out.append(single.name)
        return 0
    if silent:
        return 1
    if single.tool == "docker":
        played.err.append(f"Error response from daemon: No such container: {single.name}")
        return 1
    unit = f"{single.name}.service"
    played.err.append(f"Failed to {single.verb} {unit}: Unit {unit} not {random.choice(('loaded', 'found'))}.")
    return 5


def _masked(command: str, played: Played, mask: str, *, whole: bool) -> tuple[str, str, str, int]:
    """Write something around a command that changes what is seen of it."""
    out, err, code = list(played.out), list(played.err), played.code
    grouped = command if whole and "\n" not in command and ";" not in command else f"{{ {command}; }}"
    if mask == "true":
        command, code = f"{grouped} || true", 0
    elif mask == "echo":
        command, code = f"{grouped}; echo done", 0
        out.append("done")
    elif mask == "exit":
        command, code = f"{grouped}; exit 0", 0
    elif mask == "tee":
        command, code = f"{grouped} | tee /tmp/log", 0
    elif mask == "null":
        command, out = f"{grouped} > /dev/null", []
    elif mask == "errors":
        command, err = f"{grouped} 2> /dev/null", []
    elif mask == "not":
        command, code = f"! {grouped}", int(code == 0)
    elif mask == "check":
        out.append("failed" if code else "fine")
        command, code = f"if {grouped}; then echo fine; else echo failed; fi", 0
    return command, "".join(f"{line}\n" for line in out), "".join(f"{line}\n" for line in err), code
