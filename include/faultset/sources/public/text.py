"""Commands and outputs as they may be published: words that were recognised stay, everything else becomes ``…``.

What is hidden is what is not known, so that no form of a secret has to be foreseen. A word stays where it is a program,
an action, a harmless option, a number of seconds, or the name of a node, a container, a service or a thing that a
recognised action acted on. Quoted texts stay where they are commands themselves; values of variables and unknown
options, paths, users and URLs never do. The result holds nothing but known words and the signs between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from faultset.sources.kit.redaction import REDACTED
from faultset.sources.public import words

HIDDEN = "…"
_DEEPEST = 8
_LONGEST_NAME = 128

_TOKEN = re.compile(
    r"""(?P<space>\s+|\\\r?\n)
      | (?P<operator>\d?(?:<<<|<<-?|>>|>\||[<>]&\d?-?|&>>?|<\(|>\(|[<>])|\$\(\(?|&&|\|\||;;|\|&|[;|&()`])
      | (?P<word>(?:\$?'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|\\.|[^\s;|&<>()`'"\\])+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(
    r"""(?P<head>(?:--?[\w-]+=)?)(?:'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)")""", re.VERBOSE | re.DOTALL
)
_REPEATED = re.compile(rf"{HIDDEN}(?:[ \t]*{HIDDEN})+")
_NAME = re.compile(r"[A-Za-z0-9][\w.@:-]*")
_SCRIPT = re.compile(r"(?P<folder>(?:[^\s'\"]*/)?)(?P<base>[A-Za-z][\w-]{0,80}\.(?:sh|bash|ksh|py|pl|ya?ml))")
_SSH_OPTION = re.compile(
    r"(?:-o)?(?:(?:StrictHostKeyChecking|BatchMode|CheckHostIP|ForwardAgent|RequestTTY)=(?:no|yes|accept-new|force|auto)"
    r"|UserKnownHostsFile=/dev/null|(?:ConnectTimeout|ConnectionAttempts|ServerAliveInterval|ServerAliveCountMax)=\d{1,4}"
    r"|LogLevel=(?:ERROR|QUIET|FATAL|error|quiet|fatal))"
)
_SECONDS = re.compile(r"\+?\d{1,6}(?:\.\d{1,6})?(?:ms|[smhd])?")
_BRACES = re.compile(r"\{-?\d{1,4}\.\.-?\d{1,4}(?:\.\.\d{1,4})?\}|\{\d{1,4}\}")
_LETTER = re.compile(r"[a-z]|\$[a-z]|\$\{[a-z]\}|-[A-Za-z]|-\d{1,2}|\$[?!#@*]")
_FILTERED = re.compile(r"(?P<head>(?:name|label|status|ancestor|id)=[\^/]{0,2})(?P<name>[\w.@:-]+)(?P<tail>\$?)")
_BETWEEN = re.compile(r"\\?\||,")
_DIGITS = re.compile(r"\d+")
_EDGES = "\"'`.,:;!?()[]{}<>=*#^$|/\\"

_HOST = r"[A-Za-z0-9][\w.-]{0,252}"
# Where an output names what it is about, whether that is known or not: docker's containers, ssh's and ansible's hosts.
_NAMING = re.compile(
    rf"No such container:?\s*\"?(?P<container>[\w.-]{{1,128}})|connect to host (?P<host>{_HOST}) port"
    rf"|Could not resolve hostname (?P<unresolved>{_HOST})|Connection (?:closed|reset) by (?P<closed>{_HOST}) port"
    rf"|^(?:[\w.-]+@)?(?P<denied>{_HOST}): Permission denied"
    rf"|^(?P<ansible>{_HOST}) \| (?:CHANGED|SUCCESS|FAILED|UNREACHABLE)",
    re.MULTILINE,
)
_COUNTED = re.compile(r"(?P<head>\b(?:port|status|code|rc|signal|line|RetCode:)[ =:]{1,2})(?P<number>\d{1,5})\b")
_OUTPUT_WORD = re.compile(r"\S+")
# A message that repeats a command, which may hold what a command may hold.
_REPEATS_A_COMMAND = re.compile(
    r"(?:\b(?:sshpass|sudo|ssh|su|doas|kinit|curl|wget|http|mysql\w*|mariadb\w*|psql|docker|podman|ipmitool|fence_\w+"
    r"|racadm|redfishtool|winexe|net rpc|snmp\w+|expect|openssl|ldap\w+|redis-cli|rabbitmqctl|ch?passwd|htpasswd"
    r"|mongo\w*|smbclient|vault|aws|kubectl|sh|bash|echo|printf)\s[^\n]{0,400}?(?:(?<=\s)--?\w|<<|\|))|<<<|\|\s*sudo"
)


@dataclass(frozen=True, slots=True)
class Known:
    """Names that give nothing away, lower case: of the cluster, of services, of what was acted on.

    Attributes:
        names: nodes (names, fqdns, addresses), components, containers, services.
        scripts: file names of the hook's scripts.
    """

    names: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()

    def also(self, names: Iterable[str | None]) -> Known:
        """Return these and ``names``, as far as those are names."""
        added = {name.lower() for name in names if name and is_name(name)}
        return replace(self, names=self.names | added)


def is_name(text: str) -> bool:
    """Whether ``text`` is a single word such as things and hosts are called by."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def public_command(text: str, known: Known) -> str:
    """Return a hook's command or a script as it may be published; JSON stays JSON."""
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.dumps(_public_json(json.loads(text), known, 0), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return _Command(known).public(text)


def public_output(text: str, known: Known) -> str:
    """Return what a command printed with what can be read of it; lines keep their number."""
    named = known.also(match[match.lastgroup or 0] for match in _NAMING.finditer(text))
    kept = _COUNTED.sub(lambda match: match[0].replace(" ", "\x00").replace("=", "\x01"), text)
    public = _by_word(kept, lambda word: _in_output(word, named))
    return _collapsed(public.replace("\x00", " ").replace("\x01", "="))


def public_sentence(text: str, known: Known) -> str:
    """Return a description or a note with its known words."""
    return _collapsed(_by_word(text, lambda word: _in_sentence(word, known)))


def public_message(text: str, known: Known) -> str:
    """Return an error's message: as it is, unless it repeats a command."""
    return public_sentence(text, known) if _REPEATS_A_COMMAND.search(text) else text


def _collapsed(text: str) -> str:
    return _REPEATED.sub(HIDDEN, text)


def _public_json(value: object, known: Known, depth: int) -> object:
    if depth > _DEEPEST or (isinstance(value, int | float) and not isinstance(value, bool)):
        return HIDDEN
    if isinstance(value, str):
        return _Command(known).public(value)
    if isinstance(value, list):
        return [_public_json(item, known, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_json_key(key): _public_json(item, known, depth + 1) for key, item in value.items()}
    return value


_KEYS = words.words_of("action verify name args command cmd script interpreter script_file script_inline hosts nodes")


def _json_key(key: str) -> str:
    return key if key in _KEYS else HIDDEN


# --- single words ----------------------------------------------------------------------------------------------------


def _is_known_name(word: str, known: Known) -> bool:
    return word.lower() in known.names or _is_component(word)


def _is_component(word: str) -> bool:
    """Whether a word is made of the parts that components' names are made of: ``nova-compute``, ``devstack@n-cpu``."""
    parts = re.split(r"[-_.@]", word.lower())
    return len(word) <= _LONGEST_NAME and all(part in words.PARTS for part in parts)


def _by_word(text: str, public: Callable[[str], str]) -> str:
    """Return ``text`` word by word; outputs repeat the same ones very often."""
    met: dict[str, str] = {REDACTED: REDACTED}

    def shown(match: re.Match[str]) -> str:
        word = match[0]
        if word not in met:
            met[word] = public(word)
        return met[word]

    return _OUTPUT_WORD.sub(shown, text)


def _in_output(word: str, known: Known) -> str:
    core = word.strip(_EDGES + "\x00\x01")
    if "\x00" in word or "\x01" in word:  # a number behind what says what it is
        return word if _DIGITS.sub("", re.sub(r"[\x00\x01]", "", core)).lower().strip(_EDGES) in _COUNTING else HIDDEN
    if not core:
        return word if len(word) <= 3 else HIDDEN
    if core.lower() in words.OUTPUT or word.lower() in words.OUTPUT or _is_known_name(core, known):
        return word
    if "," in core and words.OUTPUT.issuperset(core.lower().split(",")):
        return word
    host = core.rpartition("@")[2]
    if host != core and _is_known_name(host, known):
        return f"{host}:" if word.endswith(":") else host
    return HIDDEN


_COUNTING = frozenset(("port", "status", "code", "rc", "signal", "line", "retcode"))


def _in_sentence(word: str, known: Known) -> str:
    core = word.strip(_EDGES)
    if not core:
        return word if len(word) <= 3 else HIDDEN
    lower = core.lower()
    if (
        lower in words.PLAIN
        or lower in words.OUTPUT
        or core in words.PROGRAMS
        or core in words.ACTIONS
        or core in words.KEYWORDS
        or _is_known_name(core, known)
    ):
        return word
    if _is_place(core, known) or (core.isdigit() and len(core) <= 2):
        return word
    return HIDDEN


def _is_place(core: str, known: Known) -> bool:
    """Whether a word is a script, perhaps with a line: ``restart.sh:12``."""
    script, _, line = core.partition(":")
    return (script in known.scripts or (_SCRIPT.fullmatch(script) is not None and "/" not in script)) and (
        not line or line.isdigit()
    )


# --- commands --------------------------------------------------------------------------------------------------------


class _Command:
    """One look at a command line, word by word."""

    def __init__(self, known: Known, depth: int = 0) -> None:
        self._known = known
        self._depth = depth
        self._before = ""
        self._program = ""
        self._first = True

    def public(self, text: str) -> str:
        """Return ``text`` with its known words."""
        return _collapsed("".join(self._token(match, text) for match in _TOKEN.finditer(text)))

    def _token(self, match: re.Match[str], text: str) -> str:
        token = match[0]
        if match["space"] is not None:
            return token
        if match["operator"] is not None:
            self._first = self._first or token[-1] in ";|&(`"
            self._before = token
            return token
        if match["word"] is None:
            return HIDDEN
        shown = self._word(token, text[match.end() : match.end() + 20])
        self._before = token
        self._first = self._first and (token in _TRANSPARENT or "=" in token)
        return shown

    def _word(self, word: str, behind: str) -> str:
        if "'" in word or '"' in word:
            return self._quoted(word)
        program = _program(word)
        if program:
            self._program = program if self._first or program not in words.ACTIONS else self._program
            return word
        for reading in (self._plain, self._number, self._option, self._address, self._script, self._list):
            shown = reading(word, behind)
            if shown is not None:
                return shown
        return HIDDEN

    def _plain(self, word: str, _behind: str) -> str | None:
        if (
            word == REDACTED
            or word in words.KEYWORDS
            or word in words.ACTIONS
            or word in words.SIGNALS
            or word in words.FILES
        ):
            return word
        if _LETTER.fullmatch(word) or _BRACES.fullmatch(word) or _SSH_OPTION.fullmatch(word) or word in words.FORMATS:
            return word
        bare = word.rstrip(",:")
        return word if _is_known_name(bare, self._known) or bare in _SEPARATED else None

    def _number(self, word: str, behind: str) -> str | None:
        if not _SECONDS.fullmatch(word):
            return None
        timed = self._before in words.TIMES and (not self._before.startswith("-") or self._program in words.TIMED)
        counted = self._program in _COUNTERS
        return word if timed or counted or re.match(r"\s+seconds?\b", behind) else None

    def _option(self, word: str, _behind: str) -> str | None:
        if not word.startswith("-"):
            return None
        name, equals, value = word.partition("=")
        if not equals:
            return word if word in words.LONG_OPTIONS or word in words.SHORT_OPTIONS else None
        if name not in words.LONG_OPTIONS:
            return None
        if _SECONDS.fullmatch(value) and name in words.TIMES:
            return word
        return f"{name}={self._value(value)}"

    def _value(self, value: str) -> str:
        filtered = _FILTERED.fullmatch(value)
        if filtered and _is_known_name(filtered["name"], self._known):
            return value
        return value if _is_known_name(value, self._known) else HIDDEN

    def _address(self, word: str, _behind: str) -> str | None:
        """``user@host``: the host stays, where it is known."""
        _user, at, host = word.rpartition("@")
        if not at or not _is_known_name(host, self._known):
            return word if self._value(word) == word else None
        return f"{HIDDEN}@{host}"

    def _script(self, word: str, _behind: str) -> str | None:
        match = _SCRIPT.fullmatch(word)
        if match is None or not (self._first or self._before in words.LEADING or match["base"] in self._known.scripts):
            return None
        return word if match["folder"] in ("", "./") else f"{HIDDEN}/{match['base']}"

    def _list(self, word: str, _behind: str) -> str | None:
        """``cmp01,cmp02``, ``{nova_api,nova_compute}``, ``/etc/init.d/NAME``, ``deployment/NAME``."""
        inner = word[1:-1] if word.startswith("{") and word.endswith("}") else word
        parts = inner.split(",")
        if len(parts) > 1:
            return word if all(_is_known_name(part, self._known) for part in parts) else None
        folder, slash, name = word.rpartition("/")
        of_service = folder == "/etc/init.d" or folder in words.ACTIONS
        return word if slash and of_service and _is_known_name(name, self._known) else None

    # --- what stands between quotes ---

    def _quoted(self, word: str) -> str:
        match = _QUOTED.fullmatch(word)
        if match is None or (match["head"] and match["head"][:-1] not in words.LONG_OPTIONS):
            return HIDDEN
        if match["single"] is not None:
            return f"{match['head']}'{self._inside(match['single'])}'"
        inside = self._inside(re.sub(r"\\([\"$`\\])", r"\1", match["double"]))
        return f'{match["head"]}"' + re.sub(r"([\"`\\])", r"\\\1", inside) + '"'

    def _inside(self, text: str) -> str:
        if not text.strip() or text == REDACTED:
            return text
        if self._depth < _DEEPEST and self._is_command(text):
            return _Command(self._known, self._depth + 1).public(text)
        names = [part.strip("^$/\\() ") for part in _BETWEEN.split(text)]
        if all(_is_known_name(name, self._known) for name in names):
            return text
        return text if self._value(text) == text or _SSH_OPTION.fullmatch(text) or text in words.FORMATS else HIDDEN

    def _is_command(self, text: str) -> bool:
        """Whether a quoted text begins as commands do, or is what ``fault_injection`` is told."""
        for match in _TOKEN.finditer(text):
            if match["word"] is None:
                if match["space"] is None and match["operator"] not in ("$(", "(", "`"):
                    return False
                continue
            word = match["word"]
            if "=" in word and not word.startswith("-"):
                continue
            return bool(_program(word)) or word in _OPENING or word in _HUMAN or _SCRIPT.fullmatch(word) is not None
        return False


_TRANSPARENT = words.words_of("sudo nohup setsid time env exec command do then else { ! if while until")
_OPENING = words.words_of("for while until if case { ! set cd export local function true false [ [[ test")
_HUMAN = words.words_of(
    "restart terminate start kill plug unplug freeze unfreeze reboot oom poweroff poweron reset shutdown disconnect"
    " connect stress stop"
)
_SEPARATED = words.words_of("node nodes container containers service services")
_COUNTERS = words.words_of("sleep seq usleep exit return shutdown")


def _program(word: str) -> str | None:
    """Return the program that ``word`` names, by itself or in one of the system's folders."""
    for folder in words.FOLDERS:
        if word.startswith(folder):
            word = word.removeprefix(folder)
            break
    return word if word in words.PROGRAMS else None
