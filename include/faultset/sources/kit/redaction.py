"""Secrets never pass the border: every text of a report, a script or a message goes through here first.

Over-redaction is a nuisance and under-redaction a leak, so that a doubtful value is replaced. What surrounds it stays:
lines keep their numbers, and a shell command stays one that can be read. Redacting twice changes nothing.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REDACTED = "[redacted]"
# Nesting beyond this is no configuration that anybody wrote.
DEEPEST = 64
_MOST_ROUNDS = 8
_PEM_LINE = 32

_WORDS = (
    r"passw(?:or)?d(?!authentication|prompt)|passphrase|passcode|(?:ssh|admin|user|db|root)[_-]?pass|(?<=[_-])pass(?![a-z])"
    r"|(?<![a-z0-9_-])pass(?==)|(?<=[_-])pwd(?![a-z])|secret|token|(?:api|access|auth|account|private)[_-]?key"
    r"|identity[_-]?file|key[_-](?:file|data)|credentials?(?![a-z])|cookie(?![a-z])"
)
_GAP = r"(?:[ \t]|\\\r?\n){0,20}"
# A name such as become_password, "OS_PASSWORD" or --api-key, up to where its value begins.
_NAMED = re.compile(
    rf"(?P<word>{_WORDS})[\w-]{{0,40}}+(?P<mark>\\{{0,8}}[\"']?{_GAP}(?::=|=>|[:=]){{1,2}}|(?=[ \t\\])){_GAP}",
    re.IGNORECASE,
)
_FLAG_BEFORE = re.compile(r"(?<![\w-])--?[\w-]{0,60}\Z")
_NOT_A_VALUE = re.compile(r"[-|;&<>)}\]\r\n]|$")

_GLUE = r"(?:[ \t]|\\\r?\n)"
_NO_VALUE_FLAGS = "46AaCfGgKkMNnqsTtVvXxYy"
# Commands that take a secret as an argument, up to where it begins.
_SSHPASS = re.compile(
    rf"\bsshpass(?:{_GLUE}{{1,20}}-(?:[evV]{{1,5}}|P[ \t]*\S{{1,60}}|d[ \t]*\d{{1,5}})){{0,5}}"
    rf"{_GLUE}{{1,20}}-[evV]{{0,3}}[pf]{_GLUE}{{0,20}}"
)
_SSH_KEY = re.compile(
    rf"(?<![\w./-])(?:ssh|scp|sftp|ssh-copy-id|ssh-add)(?:{_GLUE}{{1,20}}-[A-Za-z0-9]\S{{0,200}}"
    rf"(?:{_GLUE}{{1,20}}(?!-)[^\s|;&]{{1,200}})?){{0,20}}?{_GLUE}{{1,20}}-[{_NO_VALUE_FLAGS}]{{0,8}}i{_GLUE}{{0,20}}"
)
_MYSQL = re.compile(r"\bmysql(?:dump|admin)?\b(?:[ \t]{1,9}(?!-p)[^\s|;&]{1,80}){0,8}[ \t]{1,9}-p(?=[^\s-])")
_CURL = re.compile(r"\bcurl\b[^\r\n|;]{0,120}?[ \t](?:-u|--user)[ \t=]{0,9}[\"']?[^\s:\"']{1,80}:(?=[^\s\"'])")
_BEFORE = r"(?:[ \t]{1,9}[^\s|;&]{1,80}){0,8}?[ \t]{1,9}"
_OTHER_COMMANDS = re.compile(
    rf"\b(?:redis-cli{_BEFORE}-a|ldap(?:search|modify|add|delete|passwd|whoami){_BEFORE}-w|ipmitool{_BEFORE}-P"
    rf"|(?:plink|pscp){_BEFORE}-pw|(?:docker|podman|skopeo)[ \t]{{1,9}}login{_BEFORE}-p"
    r"|rabbitmqctl[ \t]{1,9}(?:-[nq][ \t]{0,9}\S{0,80}[ \t]{1,9})?(?:add_user|change_password)[ \t]{1,9}\S{1,80})"
    r"[ \t]{1,9}"
)
_NETRC = re.compile(r"\b(?:login|account)[ \t\r\n]{1,40}[^\s]{1,200}[ \t\r\n]{1,40}password[ \t]{1,40}")
_OPENSSL = re.compile(r"\bpass(?:in|out|wd)?[ \t]{1,9}pass:")
_SQL = re.compile(r"\bidentified[ \t]{1,9}(?:with[ \t]{1,9}\S{1,60}[ \t]{1,9})?(?:by|as)[ \t]{1,9}", re.IGNORECASE)
_ECHO = re.compile(r"\b(?:echo|printf)[ \t]{1,20}(?:-[neE]{1,3}[ \t]{1,20})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,20})?")
_INTO_LOGIN = re.compile(
    r"[ \t]{0,20}\|[ \t]{0,20}(?:sudo\b[^|;\r\n]{0,80}?(?:[ \t]-[A-Za-z]{0,5}S|[ \t]--stdin)|(?:sudo[ \t]{1,9})?"
    r"(?:chpasswd\b|passwd\b[^|;\r\n]{0,80}?--stdin|(?:docker|podman)[ \t]{1,9}login\b))"
)

_AUTHORIZATION = re.compile(
    r"(?P<head>\bauthorization\\{0,8}[\"']?[ \t]{0,20}[:=][ \t]{0,20}\\{0,8}[\"']?)(?P<value>[^\"'\\\r\n]{1,4000})",
    re.IGNORECASE,
)
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "token", "apikey", "aws4-hmac-sha256"})
_HEADER_COOKIE = re.compile(r"(?P<head>\b(?:set-)?cookie:[ \t]{0,20})(?P<value>[^\"'\\\r\n]{1,4000})", re.IGNORECASE)
_BEARER = re.compile(r"(?P<head>\bBearer[ \t]{1,20})(?P<value>[\w.~+/=-]{16,4000})")
_URL_PASSWORD = re.compile(r"(?P<head>://[^\s/:@\"'?#]{0,128}:)(?P<value>[^\s/?#\"']{1,256})@")
_KNOWN_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?P<head>)(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}"
    r"|github_pat_\w{20,255}|xox[abeoprs]-[\w-]{10,255}|glpat-[\w-]{16,255}|gAAAAA[\w=-]{20,2000}|AIza[\w-]{30,60}"
    r"|eyJ[\w-]{8,4000}\.eyJ[\w-]{4,4000}\.[\w-]{0,2000}|[sr]k_live_\w{16,128}|npm_[A-Za-z0-9]{30,60}"
    r"|pypi-[\w-]{30,400})(?![A-Za-z0-9])"
)
_WEBHOOK = re.compile(r"(?P<head>://hooks\.slack\.com/(?:services|workflows)/)(?P<value>[\w/-]{10,200})")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

_SECRET_NAME = re.compile(rf"(?:{_WORDS})", re.IGNORECASE)
_QUOTE = re.compile(r"\\{0,8}[\"'`]")
# A value without quotes. Its solid parts belong to it whatever they end with.
_SOLID = r"(?P<solid>\$\([^)\r\n]{0,400}\)|(?P<quote>[\"'])[^\s\"']{0,4000}(?P=quote)|\[redacted\])"
_SHELL_RUN = re.compile(rf"(?:{_SOLID}|\\[^\r\n]|[^\s;|&<>()\"'`\\])*")
_PLAIN_RUN = re.compile(rf"(?:{_SOLID}|\S)*")
_TRAILING = ",;}])\"'`\\"


def redact(text: str) -> str:
    """Return ``text`` with every secret replaced by ``[redacted]``; lines and their number stay."""
    return _redacted(text, [])


def secrets_in(text: str) -> frozenset[str]:
    """Return the secrets that ``redact`` would replace in ``text``, without the quotes around them."""
    met: list[str] = []
    _redacted(text, met)
    return frozenset(value for value in map(_bare, met) if value and REDACTED not in value)


def _redacted(text: str, met: list[str]) -> str:
    # A replacement can lay bare what another rule looks for, so that a changed text is looked at again.
    for _ in range(_MOST_ROUNDS):
        before = text
        lower = _lowered(text)
        for rule in _RULES:
            if rule.gate in lower and any(hint in lower for hint in rule.hints):
                changed = rule.apply(text, lower, met)
                if changed != text:
                    text, lower = changed, _lowered(changed)
        if text == before:
            break
    return text


def _lowered(text: str) -> str:
    """Return ``text`` in lower case, each character where it was."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)


def redact_all(value: Any, depth: int = 0) -> Any:
    """Return ``value`` (texts, numbers, lists and mappings, as JSON and YAML give them) without its secrets.

    What stands under a secret's name (``password``, ``api_key`` ...) is replaced whatever it is; texts are redacted.
    Nesting beyond 64 levels is replaced as a whole.
    """
    if isinstance(value, str):
        return redact(value)
    if not isinstance(value, list | tuple | dict):
        return value
    if depth >= DEEPEST:
        return REDACTED
    if isinstance(value, dict):
        return {
            redact(key) if isinstance(key, str) else key: (
                _hide(item) if isinstance(key, str) and is_secret_name(key) else redact_all(item, depth + 1)
            )
            for key, item in value.items()
        }
    items = [redact_all(item, depth + 1) for item in value]
    return items if isinstance(value, list) else tuple(items)


def is_secret_name(name: str) -> bool:
    """Whether what stands under ``name`` is a secret or leads to one."""
    return len(name) <= 100 and _SECRET_NAME.search(name) is not None


def _hide(value: Any) -> Any:
    """Hide what stands under a secret's name; no value and a plain yes or no give nothing away."""
    return value if value is None or isinstance(value, bool) else REDACTED


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one kind of secret looks like.

    Attributes:
        hints: texts in lower case, one of which stands in every match, at most ``lead`` characters behind its start.
            They are looked for first, which is a hundred times faster than a regular expression.
        gate: a text that is there wherever one of the hints is.
        apply: text, the same in lower case, list of what is replaced -> text without the secrets.
    """

    hints: tuple[str, ...]
    apply: Callable[[str, str, list[str]], str]
    gate: str = ""


def _places(lower: str, hint: str) -> Iterator[int]:
    position = lower.find(hint)
    while position >= 0:
        yield position
        position = lower.find(hint, position + 1)


def _hits(lower: str, hints: tuple[str, ...]) -> Iterator[int]:
    """Yield where the ``hints`` stand, ascending."""
    return heapq.merge(*(_places(lower, hint) for hint in hints))


def _pem(hints: tuple[str, ...]) -> _Rule:
    def apply(text: str, lower: str, met: list[str]) -> str:  # noqa: ARG001 (rules share a form)
        parts: list[str] = []
        position = 0
        while begin := _PEM.search(text, position):
            end = _PEM_END.search(text, begin.end())
            stop = end.end() if end else len(text)
            met += (line for line in text[begin.end() : stop].split() if len(line) >= _PEM_LINE)
            parts += [text[position : begin.start()], REDACTED, "\n" * text.count("\n", begin.start(), stop)]
            position = stop
        return "".join(parts) + text[position:]

    return _Rule(hints, apply)


def _shaped(hints: tuple[str, ...], *patterns: re.Pattern[str]) -> _Rule:
    """Replace what its own shape betrays: the group ``value`` behind the group ``head``."""

    def apply(text: str, lower: str, met: list[str]) -> str:
        for pattern in patterns:
            parts: list[str] = []
            copied = 0
            for hit in _hits(lower, hints):
                match = pattern.match(text, hit) if hit >= copied else None
                if match and match["value"] != REDACTED:
                    start = match.end("head") + _scheme(match)
                    met.append(text[start : match.end("value")])
                    parts += [text[copied:start], REDACTED]
                    copied = match.end("value")
            if parts:
                text = "".join(parts) + text[copied:]
                lower = _lowered(text)
        return text

    return _Rule(hints, apply)


def _scheme(match: re.Match[str]) -> int:
    """Return the length of the scheme before the credentials of an ``Authorization`` header, 0 elsewhere."""
    scheme, gap, credentials = match["value"].partition(" ")
    is_header = match.re is _AUTHORIZATION and credentials.strip() and scheme.lower() in _SCHEMES
    return len(scheme) + len(gap) if is_header else 0


def _valued(hints: tuple[str, ...], heads: re.Pattern[str], lead: int = 0, gate: str = "") -> _Rule:
    """Replace the value behind each match of ``heads``, which starts at most ``lead`` characters before a hint."""

    def apply(text: str, lower: str, met: list[str]) -> str:
        parts: list[str] = []
        copied = position = 0
        for hit in _hits(lower, hints):
            starts = range(hit, max(position, hit - lead) - 1, -1)
            head = next(filter(None, (heads.match(text, start) for start in starts)), None)
            if head is None:
                continue
            start = head.end()
            position = max(start, head.start() + 1)
            colon = "mark" in heads.groupindex and ":" in head["mark"]
            end = _value_end(text, start, _PLAIN_RUN if colon else _SHELL_RUN)
            if end > start and _is_secret(text, head, start, end):
                met.append(text[start:end])
                parts += [text[copied:start], _replacement(text[start:end])]
                copied = position = end
        return "".join(parts) + text[copied:]

    return _Rule(hints, apply, gate)


def _bare(value: str) -> str:
    """Return ``value`` without the quotes and brackets around it, however often they are escaped."""
    return value.strip(" \t\r\n\"'`\\[](){},;")


def _is_secret(text: str, head: re.Match[str], start: int, end: int) -> bool:
    if head.re is _ECHO:
        return _INTO_LOGIN.match(text, end) is not None
    if head.re is _NAMED and not head["mark"]:
        before = text[max(0, head.start() - 64) : head.start()]
        return _FLAG_BEFORE.search(before) is not None and not _NOT_A_VALUE.match(text, start)
    return True


def _replacement(value: str) -> str:
    """Keep the quotes around a value, so that what is read as one word stays one word."""
    quote = _QUOTE.match(value)
    if quote and len(value) >= 2 * quote.end() and value.endswith(quote[0]):
        return f"{quote[0]}{REDACTED}{quote[0]}"
    return REDACTED


def _value_end(text: str, start: int, run: re.Pattern[str]) -> int:
    """Return where the value that starts at ``start`` ends: behind its closing quotes, or with the ``run``."""
    position = start
    while quote := _QUOTE.match(text, position):
        position = _quoted_end(text, quote)
    if position > start:
        return position
    match = run.match(text, start)
    if match is None:
        return start
    solid = max(start, match.end("solid"))
    return solid + len(text[solid : match.end()].rstrip(_TRAILING))


def _quoted_end(text: str, quote: re.Match[str]) -> int:
    """Return the position behind the closing quote; the line's end where it is never closed."""
    line_end = text.find("\n", quote.end())
    line_end = len(text) if line_end < 0 else line_end
    mark = quote[0]
    position = quote.end()
    while (found := text.find(mark, position, line_end)) >= 0:
        # Behind an unescaped double quote, \" is a part of the text; behind \" it is the end of it.
        if mark != '"' or not _is_escaped(text, found, quote.end()):
            return found + len(mark)
        position = found + 1
    return line_end


def _is_escaped(text: str, position: int, since: int) -> bool:
    backslashes = 0
    while position - backslashes > since and text[position - backslashes - 1] == "\\":
        backslashes += 1
    return backslashes % 2 == 1


_RULES = (
    _pem(("private key",)),
    _shaped(("authorization",), _AUTHORIZATION),
    _shaped(("cookie:", "set-cookie:"), _HEADER_COOKIE),
    _shaped(("bearer",), _BEARER),
    _shaped(
        ("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "glpat-", "gaaaaa", "aiza",
         "eyj", "sk_live_", "rk_live_", "npm_", "pypi-"),
        _KNOWN_TOKENS,
    ),
    _shaped(("://",), _URL_PASSWORD, _WEBHOOK),
    _valued(("sshpass",), _SSHPASS),
    _valued(("ssh", "scp", "sftp"), _SSH_KEY),
    _valued(("mysql",), _MYSQL),
    _valued(("curl",), _CURL),
    _valued(("redis-cli", "ldap", "ipmitool", "plink", "pscp", "docker", "podman", "skopeo", "rabbitmqctl"),
            _OTHER_COMMANDS),
    _valued(("login", "account"), _NETRC),
    _valued(("pass",), _OPENSSL),
    _valued(("identified",), _SQL),
    _valued(("echo", "printf"), _ECHO),
    _valued(("pass",), _NAMED, lead=6),
    _valued(("pwd", "secret", "token", "credential", "identity", "cookie"), _NAMED),
    _valued(
        ("_key", "-key", "ikey", "skey", "hkey", "tkey", "ekey", "key_file", "key-file", "key_data", "key-data"),
        _NAMED,
        lead=9,
        gate="key",
    ),
)  # fmt: skip

# For engines that look at millions of texts at once, without look-around: it matches every text in which ``redact``
# replaces something, and few others. A property test holds this.
_NAMES = r"(?:pass|pwd|secret|token|credential|identity|cookie|key)"
SUSPECT = (
    rf"(?i){_NAMES}[^\s:=]*\s*[:=]|-\S*{_NAMES}|{_NAMES}[^\s]*\\"
    r"|private key|authorization|bearer\s|akia|asia|gh[pousr]_|github_pat_|xox[abeoprs]-|glpat-|gaaaaa|aiza|eyj"
    r"|[sr]k_live_|npm_|pypi-|://\S*@|hooks\.slack|sshpass|(?s:(?:ssh|scp|sftp).*\s-\S*i)|mysql.*-p"
    r"|curl.*\s(?:-u|--user)|redis-cli|ldap(?:search|modify|add|delete|passwd|whoami)|ipmitool|plink|pscp"
    r"|(?:docker|podman|skopeo)\s+login|rabbitmqctl|password\s|pass:|identified\s"
    r"|\|\s*(?:sudo|chpasswd|passwd|docker|podman)"
)
