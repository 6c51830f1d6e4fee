"""Where a catalog's files lie, in a folder or in a bucket: the few questions that are asked of both.

A place is a local path or an ``s3://`` URI.
"""

from __future__ import annotations

import fnmatch
import glob
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from faultset.errors import InputError, SetupError
from faultset.sources.kit import fetched
from faultset.storage.bucket import Bucket, is_bucket, public

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MAGIC = re.compile(r"[*?[]")


def join(folder: str, reference: str) -> str:
    """Return where ``reference`` lies: a URI or an absolute path as it is, else seen from ``folder``.

    Raises:
        InputError: it leads out of the bucket that ``folder`` is in.
    """
    if _URI.match(reference):
        return reference
    if not is_bucket(folder) or Path(reference).is_absolute():
        return str(Path(folder) / reference)
    scheme, _, rest = folder.partition("://")
    top, _, inner = rest.partition("/")
    path = posixpath.normpath(posixpath.join(inner, reference))
    if path.split("/")[0] in ("..", "."):
        raise InputError(public(f"{folder}/{reference}"), "this leads out of the bucket", "name a file in it, or a URI")
    return f"{scheme}://{top}/{path}"


def is_file(place: str) -> bool:
    """Whether there is a file; a name that no storage could hold is none.

    Raises:
        SetupError: the bucket cannot be asked.
    """
    if is_bucket(place):
        return fetched.is_there(place)
    try:
        return Path(place).is_file()
    except (OSError, ValueError):  # a name too long for the file system is no file either
        return False


def folders_with(root: str, name: str) -> list[str]:
    """Return the names of the folders of ``root`` that hold a file ``name``, sorted; hidden ones are left out.

    Raises:
        OSError: ``root`` is no local folder that can be listed.
        SetupError: the bucket cannot be asked.
    """
    folders = Bucket.at(root).folders("") if is_bucket(root) else [entry.name for entry in Path(root).iterdir()]
    return sorted(one for one in folders if not one.startswith(".") and is_file(join(join(root, one), name)))


def siblings(place: str) -> list[str]:
    """Return the names of the files beside ``place``, sorted; none where there is no such folder.

    Raises:
        SetupError: the bucket cannot be asked.
    """
    if is_bucket(place):
        bucket, key = fetched.located(place)
        folder = posixpath.dirname(key)
        names = (entry.key[len(folder) :].lstrip("/") for entry in bucket.list(folder))
        return sorted(name for name in names if "/" not in name)
    try:
        return sorted(entry.name for entry in Path(place).parent.iterdir() if entry.is_file())
    except (OSError, ValueError):
        return []


def write_new(place: str, text: str) -> bool:
    """Write a file where there is none yet, its folder too.

    Returns:
        False where something is there already, even where another writer was just faster.

    Raises:
        SetupError: it cannot be written.
    """
    if is_bucket(place):
        bucket, key = fetched.located(place)
        return bucket.head(key) is None and bucket.create(key, text.encode())
    path = Path(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise SetupError(
            path, f"it cannot be written ({error.strerror})", "check the folder and its permissions"
        ) from error
    return True


def fitting(folder: str, pattern: str) -> list[str]:
    """Return the files that ``pattern`` fits, seen from ``folder``, sorted.

    ``*``, ``?`` and ``[...]`` stand for characters of one name, ``**`` for folders of any depth; names that start with
    a dot are found only by patterns that do.

    Raises:
        SetupError: the bucket cannot be asked.
    """
    whole = join(folder, pattern)
    if is_bucket(whole):
        return _fitting_in_bucket(whole)
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
    # To glob, ``a/**`` also fits a file ``a``, as ``a/``.
    found = {str(Path(folder) / name) for name in names if not name.endswith("/")}
    return sorted(path for path in found if is_file(path))


def _fitting_in_bucket(pattern: str) -> list[str]:
    top, slash, inner = pattern.partition("://")[2].partition("/")
    base = f"s3://{top}{slash}"
    parts = inner.split("/")
    fixed = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), None)
    if fixed is None:
        return [pattern] if fetched.is_there(pattern) else []
    listed = Bucket.at(base).list("/".join(parts[:fixed]))
    return sorted(base + entry.key for entry in listed if fits(entry.key, inner))


def fits(key: str, pattern: str) -> bool:
    """Whether the key of an object fits a pattern as files do in ``glob``, hidden names and ``**`` included."""
    return _fits(key.split("/"), pattern.split("/"))


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the names of a path, folders first, fit the parts of a pattern as ``glob`` understands them."""
    if not pattern or not names:
        return not pattern and not names
    first, rest = pattern[0], pattern[1:]
    if first != "**":
        return _fits_name(names[0], first) and _fits(names[1:], rest)
    if not rest:
        return not any(name.startswith(".") for name in names)
    return _fits(names, rest) or (not names[0].startswith(".") and _fits(names[1:], pattern))


def _fits_name(name: str, pattern: str) -> bool:
    if not _MAGIC.search(pattern):
        return name == pattern
    return fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
