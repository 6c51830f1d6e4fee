"""Files of versions as answers: whole or by ranges, a piece at a time, only what the manifest names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

from fastapi import HTTPException, Response
from fastapi.responses import StreamingResponse

from faultset.pages import security
from faultset.release.manifest import FileEntry, Manifest
from faultset.settings import Settings
from faultset.storage import MANIFEST, explain_os_errors, open_root
from faultset.storage.bucket import Bucket, is_bucket

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_SHOWN = {".png": "image/png", ".html": "text/html; charset=utf-8"}
_LASTING = {"Cache-Control": "private, max-age=86400", "Accept-Ranges": "bytes", "Vary": "Cookie, Authorization"}


def entry_of(manifest: Manifest, path: str, manifest_bytes: int) -> FileEntry | None:
    """Return a file that may be sent; None where the version has none of this path."""
    if path == MANIFEST:
        return FileEntry(MANIFEST, manifest_bytes, "")
    return next((file for file in manifest.files if file.path == path), None)


def answer(settings: Settings, manifest: Manifest, entry: FileEntry, asked: str | None) -> Response:
    """Return a file of a version, or the part that a ``Range`` header asks for.

    Raises:
        HTTPException: 416 where the part is not in the file.
    """
    start, end = span(asked, entry.bytes)
    name = entry.path.rpartition("/")[2]
    kind = _SHOWN.get(Path(name).suffix)
    headers = {**_LASTING, "Content-Length": str(end - start)}
    if kind is None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    else:
        headers["Content-Security-Policy"] = security.POLICY_OF_FILES
    if asked is not None and (start, end) != (0, entry.bytes):
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{entry.bytes}"
    place = f"{manifest.slug}/{manifest.version}/{entry.path}"
    pieces = (
        _from_bucket(settings, place, start, end)
        if is_bucket(settings.datasets)
        else _from_disk(Path(open_root(settings.datasets).uri_of(place)), start, end)
    )
    status = 206 if "Content-Range" in headers else 200
    return StreamingResponse(pieces, status, headers, kind or "application/octet-stream")


def span(asked: str | None, size: int) -> tuple[int, int]:
    """Return the first byte and the one after the last that a ``Range`` header asks for; all for other headers.

    Raises:
        HTTPException: 416 where nothing of it is in the file.
    """
    found = _RANGE.fullmatch(asked or "")
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    start, end = (size - int(last), size) if not first else (int(first), int(last) + 1 if last else size)
    start, end = max(start, 0), min(end, size)
    if start >= end:
        raise HTTPException(416, f"The file has {size:,} bytes.", {"Content-Range": f"bytes */{size}"})
    return start, end


def _from_disk(path: Path, start: int, end: int) -> Iterator[bytes]:
    with explain_os_errors(path):
        file = path.open("rb")
    return _pieces(file, start, end)


def _pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece


def _from_bucket(settings: Settings, place: str, start: int, end: int) -> Iterator[bytes]:
    bucket = Bucket.at(settings.datasets)
    for first in range(start, end, _PIECE):
        yield bucket.read_range(place, first, min(_PIECE, end - first))
