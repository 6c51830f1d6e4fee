"""Which commands are known to act on nothing. Every other one that is not read is said to be unread."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from faultset.sources.scripts.shell_actions import arguments, option

# They look, print, wait or keep house. Whatever is not named here may act, and is said to be unread.
_HARMLESS = frozenset(
    """
    . : [ [[ alias apt-cache arp arping awk basename bc bg bzip2 cal cd chmod chown chronyc clear cmp column
    comm cp curl cut date declare df diff dig dirname dirs dmesg dos2unix dpkg du echo egrep env envsubst export
    expr false fg fgrep file find findmnt fmt fold free getconf getent getopt getopts git glances grep gunzip
    gzip hash head help hexdump history host hostname hostnamectl id iostat jobs journalctl jq
    keystone-status last ldd less let ln local locate logger logname logout ls lsb_release lsblk lscpu lsof
    lspci lsusb man mapfile md5sum mkdir mkfifo mktemp more mpstat mtr nc ncat netstat nl nmap nproc nslookup
    ntpq od osprofiler paste pathchk pgrep pidof ping ping6 popd pr printenv printf ps pstree pushd pwd pwdx
    rally read readarray readlink readonly realpath rev rmdir rsync sar scp script seq sftp sha1sum
    sha256sum shopt shuf sleep sort source split ss ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan stat
    strings stty sum swapon sync tac tail tar tcpdump tee telnet test time timedatectl tload top touch tput tr
    tracepath traceroute trap true ts tty type typeset ulimit umask unalias uname unbuffer uniq unlink unset
    unzip uptime users vmstat w wait wall wc wget whatis whereis which who whoami xxd yes yq zcat zgrep
    zip
    """.split()  # noqa: SIM905 (a list of a hundred words reads best as text)
)
_OWN_FILE = re.compile(
    r"/(?:tmp|var/tmp|var/log|root|home)/.*|[^/].*|~.*|/dev/(?:shm/.*|null|tty|stdout|stderr|fd/\d+)"
)
_SQL_ACTS = re.compile(
    r"shutdown|\bkill\b|\bset\s+global\b|flush|debug|\bdrop\b|\btruncate\b|\bdelete\b", re.IGNORECASE
)
_BODY = re.compile(r"-d|-F|-T|--data|--form|--json|--upload-file|--post-(?:data|file)|--body-")
_SENDING = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_CLIENT_LOOKS = frozenset({"list", "show", "stats", "usage", "quota-show", "service-list", "hypervisor-list", "help"})


def _off_own_files(words: Sequence[str]) -> bool:
    return not all(_OWN_FILE.fullmatch(word) for word in words)


def _sends(words: Sequence[str]) -> bool:
    """Whether a request changes something where it goes."""
    given = option(words, "X", "--request") or option(words, "", "--method") or ""
    return given.upper() in _SENDING or any(_BODY.match(word) for word in words)


# What otherwise looks or keeps house, and acts with such arguments.
_ACTS: dict[str, Callable[[Sequence[str]], bool]] = {
    "arp": lambda words: bool({"-d", "-s", "--delete", "--set"} & set(words)),
    "chmod": lambda words: _off_own_files(arguments(words)[1:]),
    "chown": lambda words: _off_own_files(arguments(words)[1:]),
    "chronyc": lambda words: bool({"offline", "makestep", "settime", "shutdown"} & set(words)),
    "date": lambda words: option(words, "s", "--set") is not None,
    "find": lambda words: bool({"-delete", "-exec", "-execdir", "-ok"} & set(words)),
    "hostname": lambda words: bool(arguments(words, "F")),
    "hostnamectl": lambda words: any(word.startswith("set-") for word in words) or len(arguments(words)) > 1,
    "ln": lambda words: _off_own_files(arguments(words)[-1:]),
    "rsync": lambda words: any(word.startswith(("--delete", "--remove")) for word in words),
    "sed": lambda words: _in_place(words) and _off_own_files(arguments(words, "ef")[1:]),
    "swapon": lambda words: bool(arguments(words)),
    "rm": lambda words: _off_own_files(arguments(words)),
    "mv": lambda words: _off_own_files(arguments(words)),
    "cp": lambda words: _off_own_files(arguments(words)[-1:]),
    "truncate": lambda words: _off_own_files(arguments(words, "s")),
    **dict.fromkeys(("curl", "wget"), _sends),
    **dict.fromkeys(("mysql", "psql", "redis-cli"), lambda words: _SQL_ACTS.search(" ".join(words)) is not None),
    "timedatectl": lambda words: any(word.startswith("set-") for word in words),
    "unlink": lambda words: _off_own_files(arguments(words)),
}


def _in_place(words: Sequence[str]) -> bool:
    return any(re.fullmatch(r"-[nEr]*i.*|--in-place.*", word) for word in words)


def harmless(name: str, words: Sequence[str]) -> bool:
    """Whether a command is known to act on nothing that an experiment looks at."""
    if name in ("openstack", "nova", "neutron", "cinder", "glance", "heat"):
        return bool(_CLIENT_LOOKS & set(words)) or any(word.endswith(("-list", "-show")) for word in words)
    acts = _ACTS.get(name)
    return not acts(words) if acts else name in _HARMLESS
