"""What a hook's output proves: docker names each container that it acted on, ssh each host that it could not reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from faultset.records.run import HookResult
from faultset.truth.placement import short_name

_NO_SUCH_CONTAINER = re.compile(r"[Nn]o such container:?\s*\"?(?P<name>[\w.-]+)")
_NO_SUCH_UNIT = (
    re.compile(r"Failed to \w+ (?P<name>\S+?)(?:\.service)?: Unit \S+ (?:not loaded|not found|could not be found)"),
    re.compile(r"Unit (?P<name>\S+?)(?:\.service)? (?:not loaded|not found|could not be found)"),
    re.compile(r"^(?:Failed to \w+ )?(?P<name>[\w@.-]+): (?:unrecognized service|no process found)", re.MULTILINE),
    re.compile(r"(?P<name>[\w@.-]+): ERROR \((?:no such process|not running)\)"),
    re.compile(r"no such service: (?P<name>[\w.-]+)"),
)
_NO_DAEMON = re.compile(
    r"Cannot connect to the Docker daemon|permission denied while trying to connect to the Docker daemon"
    r"|(?:docker|podman|nerdctl|crictl): (?:command )?not found"
)
_PSEUDO_TERMINAL = "Pseudo-terminal will not be allocated"
_BANNER = re.compile(r"^(?:StdOut: )?Welcome to ", re.MULTILINE)
_UNREACHABLE = (
    re.compile(r"ssh: connect to host (?P<host>\S+) port"),
    re.compile(r"ssh: Could not resolve hostname (?P<host>[^\s:]+)"),
    re.compile(r"^(?:[\w.-]+@)?(?P<host>[\w.-]+): Permission denied \((?:publickey|password|keyboard|gss|host)", re.M),
    re.compile(r"^(?:[\w.-]+@)(?P<host>[\w.-]+): Permission denied", re.M),
    re.compile(r"Connection (?:closed|reset) by (?P<host>\S+) port"),
    re.compile(r"No \S+ host key is known for (?P<host>\S+)"),
)
# The session was there, and its end took the answer along.
_LOST = (
    re.compile(r"Connection to (?P<host>\S+) closed by remote host"),
    re.compile(r"Timeout, server (?P<host>\S+) not responding"),
    re.compile(r"Read from remote host (?P<host>\S+): "),
    re.compile(r"(?:packet_write_wait|ssh_packet_\w+): Connection to (?P<host>\S+) port"),
    re.compile(r"client_loop: send disconnect(?P<host>)"),
    re.compile(r"Write failed: Broken pipe(?P<host>)"),
)
_CLOSED = re.compile(r"Connection to (?P<host>\S+) closed by remote host")
# The daemon was asked, and its answer did not come: it may have done what was asked, or do it yet.
_UNANSWERED = re.compile(
    r"context deadline exceeded|did not receive an exit event|Client\.Timeout exceeded|Read timed out"
    r"|error during connect: (?!.*(?:refused|no such|no route|lookup |unreachable|dial ))"
    r".*(?:EOF|reset by peer|broken pipe)"
)
# timeout(1), signals of the shell's own, and ssh when its session ended: all say that no answer came.
_LOST_CODES = frozenset({124, 129, 130, 137, 141, 143, 255})
_ID = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")
_WORDS = (
    re.compile(r"Container (?P<name>[\w.-]+)\s+(?:Started|Stopped|Killed|Paused|Unpaused|Removed|Restarted)\b"),
    re.compile(r"^(?P<name>[\w.:-]+): (?:stopped|started)$", re.MULTILINE),
    re.compile(r"(?:Stopping|Starting|Restarting|Killing|Pausing) (?P<name>[\w.-]+)\s+\.\.\. *(?:\x1b\[\S+?)?done"),
)


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """What the output of one firing proves.

    Attributes:
        acted: container -> how many actions docker acknowledged, one line of output each.
        refused: container -> how many actions met "No such container".
        unreachable: short names of hosts that no session could be opened to.
        sessions: how many remote sessions left their mark; 0 where nothing tells.
        seen: whether there was any output, so that the absence of words means something.
        lines: each line of stdout and how often it stands there.
        ids: lines that are ids of containers.
        worded: what words such as "Container x Started" or "x: stopped" name, and how often.
        unknown_units: services and processes that an error says are not there, and how often.
        no_daemon: whether docker could not be asked at all.
        lost: why an answer may not have come; "" where all came.
        lost_hosts: short names of hosts whose session is known to have ended early.
        closed_hosts: those of them that ended it themselves.
    """

    acted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unreachable: frozenset[str] = frozenset()
    sessions: int = 0
    seen: bool = False
    lines: Counter[str] = field(default_factory=Counter)
    ids: int = 0
    worded: Counter[str] = field(default_factory=Counter)
    unknown_units: Counter[str] = field(default_factory=Counter)
    no_daemon: bool = False
    lost: str = ""
    lost_hosts: frozenset[str] = frozenset()
    closed_hosts: frozenset[str] = frozenset()


def read_output(result: HookResult, containers: Iterable[str]) -> Acknowledgements:
    """Read the output of a firing.

    Args:
        result: the firing.
        containers: names that a line of output may consist of; other lines prove nothing.
    """
    names = frozenset(containers)
    lines = Counter(_lines(result.stdout))
    everything = f"{result.stderr}\n{result.stdout}"
    unreachable = frozenset(short_name(host) for host in _hosts(_UNREACHABLE, everything))
    lost_hosts = frozenset(short_name(host) for host in _hosts(_LOST, everything) if host)
    return Acknowledgements(
        acted=Counter(
            {line: count for line, count in (lines + Counter(_lines(result.stderr))).items() if line in names}
        ),
        refused=Counter(match["name"] for match in _NO_SUCH_CONTAINER.finditer(_once(everything))),
        unreachable=unreachable - lost_hosts,
        sessions=max(result.stderr.count(_PSEUDO_TERMINAL), len(_BANNER.findall(result.stdout))),
        seen=result.has_output,
        lines=lines,
        ids=sum(count for line, count in lines.items() if _ID.fullmatch(line)),
        worded=Counter(match["name"] for pattern in _WORDS for match in pattern.finditer(everything)),
        unknown_units=_unknown_units(everything),
        no_daemon=bool(_NO_DAEMON.search(everything)),
        lost=_lost(result, everything, unreachable),
        lost_hosts=lost_hosts,
        closed_hosts=frozenset(short_name(match["host"]) for match in _CLOSED.finditer(everything)),
    )


def _lines(text: str) -> Iterator[str]:
    return (line.strip().removeprefix("StdOut: ") for line in text.splitlines())


def _hosts(patterns: Iterable[re.Pattern[str]], text: str) -> Iterator[str]:
    return (match["host"] for pattern in patterns for match in pattern.finditer(text))


def _once(text: str) -> str:
    """Docker may say it twice in one line: "Cannot kill container: x: No such container: x"."""
    return re.sub(r"([Nn]o such container: \S+)(?:.*?)(?=\n|$)", r"\1", text)


def _unknown_units(text: str) -> Counter[str]:
    """One error is counted once, whichever pattern it fits."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        match = next((match for pattern in _NO_SUCH_UNIT if (match := pattern.search(line))), None)
        if match:
            found[match["name"].removesuffix(".service")] += 1
    return found


def _lost(result: HookResult, text: str, unreachable: frozenset[str]) -> str:
    if any(pattern.search(text) for pattern in _LOST):
        return "a session ended before its answer came"
    if _UNANSWERED.search(text):
        return "the daemon's answer did not come in time"
    code = result.return_code
    if code is None or (code not in _LOST_CODES and code >= 0) or (code == 255 and unreachable):
        return ""
    return f"exit code {code} says that the answer was lost"


# --- tools that go to many nodes -------------------------------------------------------------------------------------


@dataclass(slots=True)
class HostAnswer:
    """What a tool such as ansible says of one node.

    Attributes:
        succeeded: whether the command did; None where it does not say.
        reached: whether the node could be reached.
        lines: what the command printed there.
    """

    succeeded: bool | None = None
    reached: bool = True
    lines: Counter[str] = field(default_factory=Counter)


_ANSIBLE = re.compile(r"^(?P<host>[\w.-]+) \| (?P<state>CHANGED|SUCCESS|FAILED|UNREACHABLE)\b(?P<rest>.*)$")
_ANSIBLE_LINE = re.compile(r"\(stdout\) (?P<text>.*?)(?: \(stderr\)|$)")
_PARALLEL = re.compile(r"^\S+(?: \S+)? \[(?P<state>SUCCESS|FAILURE)\] (?:\S+@)?(?P<host>[\w.-]+)")
_PREFIXED = re.compile(r"^(?P<host>[\w.-]+): ?(?P<text>.*)$")
_EXITED = re.compile(r"(?:^|: )(?P<host>[\w.-]+): (?:ssh )?exited with exit code (?P<code>\d+)")
_GATHERED = re.compile(r"^(?P<host>[\w.-]+)(?:\s*\(\d+\))?$")
_SALT = re.compile(r"^(?P<host>[\w.-]+):\s*(?P<text>\S.*)?$")


def host_answers(result: HookResult, tool: str) -> dict[str, HostAnswer]:
    """Return what ``tool`` says of each node, by short name."""
    reader = {"ansible": _ansible, "parallel-ssh": _parallel, "salt": _salt}.get(tool, _prefixed)
    answers: dict[str, HostAnswer] = {}
    reader(result, answers)
    return answers


def _ansible(result: HookResult, answers: dict[str, HostAnswer]) -> None:
    current = None
    for line in _lines(result.stdout):
        if match := _ANSIBLE.match(line):
            current = answers.setdefault(short_name(match["host"]), HostAnswer())
            current.reached = match["state"] != "UNREACHABLE"
            current.succeeded = match["state"] in ("CHANGED", "SUCCESS") if current.reached else False
            if inline := _ANSIBLE_LINE.search(match["rest"]):
                current.lines[inline["text"].strip()] += 1
        elif current is not None:
            current.lines[line] += 1


def _parallel(result: HookResult, answers: dict[str, HostAnswer]) -> None:
    current = None
    for line in _lines(result.stdout):
        if match := _PARALLEL.match(line):
            current = answers.setdefault(short_name(match["host"]), HostAnswer())
            current.succeeded = match["state"] == "SUCCESS"
        elif current is not None:
            current.lines[line.removeprefix("Stderr: ")] += 1


def _salt(result: HookResult, answers: dict[str, HostAnswer]) -> None:
    current = None
    for raw in result.stdout.splitlines():
        line = raw.strip()
        if not raw.startswith(" ") and (match := _SALT.match(line)):
            current = answers.setdefault(short_name(match["host"]), HostAnswer())
            line = match["text"] or ""
        if current is None or not line:
            continue
        if line in ("True", "False"):
            current.succeeded = line == "True"
        elif "Minion did not return" in line:
            current.reached, current.succeeded = False, False
        else:
            current.lines[line] += 1


def _prefixed(result: HookResult, answers: dict[str, HostAnswer]) -> None:
    """``cmp01: nova_compute`` of pdsh and clush, and the blocks of ``clush -b`` under a node's name."""
    for match in _EXITED.finditer(f"{result.stderr}\n{result.stdout}"):
        answers.setdefault(short_name(match["host"]), HostAnswer()).succeeded = match["code"] == "0"
    lines = list(_lines(result.stdout))
    block: list[str] = []
    for number, line in enumerate(lines):
        ruled = number > 0 and set(lines[number - 1]) == {"-"}
        if ruled and _GATHERED.match(line):
            block = [line.split(" ")[0]]
        elif set(line) == {"-"}:
            continue
        elif not block and (told := _PREFIXED.match(line)):
            answers.setdefault(short_name(told["host"]), HostAnswer()).lines[told["text"].strip()] += 1
        for host in block if line and not ruled else ():
            answers.setdefault(short_name(host), HostAnswer()).lines[line] += 1
