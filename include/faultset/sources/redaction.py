"""Secrets never pass the border: every text of a report, a script or a message goes through here first.

Over-redaction is a nuisance and under-redaction a leak, so that a doubtful value is replaced. What surrounds it stays:
lines keep their numbers, and a shell command stays one that can be read. Redacting twice changes nothing.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REDACTED = "[redacted]"
# Nesting beyond this is no configuration that anybody wrote.
DEEPEST = 64
_MOST_ROUNDS = 8

_WORDS = (
    r"passw(?:or)?d(?!authentication|prompt)|passphrase|passcode|(?:ssh|admin|user|db|root)[_-]?pass|(?<=[_-])pass(?![a-z])"
    r"|(?<![a-z0-9_-])pass(?==)|(?<=[_-])pwd(?![a-z])|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key"
    r"|private[_-]?key|identity[_-]?file|key[_-]file|credentials?(?![a-z])"
)
_GAP = r"(?:[ \t]|\\\r?\n){0,20}"
# A name such as become_password, "OS_PASSWORD" or --api-key, up to where its value begins.
_NAMED = re.compile(
    rf"(?P<word>{_WORDS})[\w-]{{0,40}}(?P<mark>\\{{0,8}}[\"']?{_GAP}(?::=|=>|[:=]){{1,2}}|(?=[ \t\\])){_GAP}",
    re.IGNORECASE,
)
_FLAG_BEFORE = re.compile(r"(?<![\w-])--?[\w-]{0,60}$")
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
_ECHO = re.compile(r"\b(?:echo|printf)[ \t]{1,20}(?:-[neE]{1,3}[ \t]{1,20})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,20})?")
_INTO_SUDO = re.compile(r"[ \t]{0,20}\|[ \t]{0,20}sudo\b[^|;\r\n]{0,80}?(?:[ \t]-[A-Za-z]{0,5}S|[ \t]--stdin)")

_AUTHORIZATION = re.compile(
    r"(?P<head>\bauthorization\\{0,8}[\"']?[ \t]{0,20}[:=][ \t]{0,20}\\{0,8}[\"']?)(?P<value>[^\"'\\\r\n]{1,4000})",
    re.IGNORECASE,
)
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "token", "apikey", "aws4-hmac-sha256"})
_BEARER = re.compile(r"(?P<head>\bBearer[ \t]{1,20})[\w.~+/=-]{16,4000}")
_URL_PASSWORD = re.compile(r"(?P<head>://[^\s/:@\"'?#]{0,128}:)[^\s/?#\"']{1,256}@")
_KNOWN_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}"
    r"|xox[abprs]-[\w-]{10,255}|glpat-[\w-]{16,255}|gAAAAA[\w=-]{20,2000})(?![A-Za-z0-9])"
)
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
    # A replacement can lay bare what another rule looks for, so that a changed text is looked at again.
    for _ in range(_MOST_ROUNDS):
        before = text
        lower = text.lower()
        for hints, rule in _RULES:
            if any(hint in lower for hint in hints):
                text = rule(text)
        if text == before:
            break
    return text


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


def _redact_pem(text: str) -> str:
    parts: list[str] = []
    position = 0
    while begin := _PEM.search(text, position):
        end = _PEM_END.search(text, begin.end())
        stop = end.end() if end else len(text)
        parts += [text[position : begin.start()], REDACTED, "\n" * text.count("\n", begin.start(), stop)]
        position = stop
    return "".join(parts) + text[position:]


def _redact_authorization(match: re.Match[str]) -> str:
    scheme, gap, credentials = match["value"].partition(" ")
    if credentials.strip() and scheme.lower() in _SCHEMES:
        return f"{match['head']}{scheme}{gap}{REDACTED}"
    return f"{match['head']}{REDACTED}"


def _redact_bare(text: str) -> str:
    """Replace what its own shape betrays, whatever stands before it."""
    text = _BEARER.sub(rf"\g<head>{REDACTED}", text)
    return _KNOWN_TOKENS.sub(REDACTED, text)


def _redact_values(text: str, heads: re.Pattern[str]) -> str:
    """Replace the value behind each match of ``heads``."""
    parts: list[str] = []
    copied = 0
    position = 0
    while head := heads.search(text, position):
        start = head.end()
        position = max(start, head.start() + 1)
        colon = "mark" in heads.groupindex and ":" in head["mark"]
        end = _value_end(text, start, _PLAIN_RUN if colon else _SHELL_RUN)
        if end > start and _is_secret(text, head, start, end):
            parts += [text[copied:start], _replacement(text[start:end])]
            copied = position = end
    return "".join(parts) + text[copied:]


def _is_secret(text: str, head: re.Match[str], start: int, end: int) -> bool:
    if head.re is _ECHO:
        return _INTO_SUDO.match(text, end) is not None
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


# What a text must hold, in lower case, for a rule to be worth its time.
_RULES: tuple[tuple[tuple[str, ...], Callable[[str], str]], ...] = (
    (("private key",), _redact_pem),
    (("authorization",), partial(_AUTHORIZATION.sub, _redact_authorization)),
    (("bearer", "akia", "asia", "gh", "xox", "glpat-", "gaaaaa"), _redact_bare),
    (("://",), partial(_URL_PASSWORD.sub, rf"\g<head>{REDACTED}@")),
    (("sshpass",), partial(_redact_values, heads=_SSHPASS)),
    (("ssh", "scp", "sftp"), partial(_redact_values, heads=_SSH_KEY)),
    (("mysql",), partial(_redact_values, heads=_MYSQL)),
    (("curl",), partial(_redact_values, heads=_CURL)),
    (("sudo",), partial(_redact_values, heads=_ECHO)),
    (("pass", "pwd", "secret", "token", "key", "credential", "identity"), partial(_redact_values, heads=_NAMED)),
)
