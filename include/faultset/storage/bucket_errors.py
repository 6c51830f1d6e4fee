"""What a storage's errors mean, in one line, and what to do; its own texts hold addresses and parts of signatures."""

from __future__ import annotations

import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

_CREDENTIALS_REFUSED = (
    "the storage does not accept the credentials",
    "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the Airflow connection",
)
_REFUSED = ("access is refused", "check the credentials, and what they may do with this bucket")
_NOT_ALLOWED = ("permission is missing", "let these credentials list, read and write this bucket")
_NO_BUCKET = ("this bucket does not exist", "create it, or correct the address")
_NO_CREDENTIALS = ("no credentials were found", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
_WRONG_REGION = ("the bucket lies in another region", "set AWS_REGION to it")
_NO_CONNECTION = ("the storage does not answer", "check AWS_ENDPOINT_URL and the network, then run it again")
_NO_TLS = ("the storage's address is http, which is not allowed", "use https, or leave out AWS_ALLOW_HTTP=false")
_TOO_SLOW = ("the storage fails for now", "run it again later")
_BY_CODE = {
    "NoSuchBucket": _NO_BUCKET,
    "AccessDenied": _NOT_ALLOWED,
    "AllAccessDisabled": _NOT_ALLOWED,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "PermanentRedirect": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set the clock, then run it again"),
    "QuotaExceeded": ("the storage is full", "free some space, then run it again"),
    "EntityTooLarge": ("the storage takes no file of this size", "split the file"),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        _CREDENTIALS_REFUSED,
    ),
}
# What obstore says where the storage sent no code; the first that is found counts.
_BY_TEXT = (
    ("BadScheme", _NO_TLS),
    ("URL scheme is not allowed", _NO_TLS),
    ("BareRedirect", _WRONG_REGION),
    ("169.254.", _NO_CREDENTIALS),
    ("redential", _NO_CREDENTIALS),
    ("code: 5", _TOO_SLOW),
    ("code: 429", _TOO_SLOW),
    ("HTTP error", _NO_CONNECTION),
)


def explanation(error: Exception) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    text = str(error)
    code = re.search(r"(?:<Code>|\(code: )([A-Za-z0-9.]{1,60})[<)]", text)
    if code and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    if isinstance(error, UnauthenticatedError):
        return _CREDENTIALS_REFUSED
    if isinstance(error, PermissionDeniedError):
        return _REFUSED
    for part, explained in _BY_TEXT:
        if part in text:
            return explained
    status = re.search(r"status code: (\d{3})", text)
    said = " ".join(part[1] for part in (status, code) if part) or type(error).__name__
    return f"the storage refuses ({said})", "see what it logged"


def require_bucket(error: Exception) -> None:
    """Raise ``error`` again where it is not the object that is missing, but the bucket."""
    if "<Code>NoSuchBucket</Code>" in str(error):
        raise error
