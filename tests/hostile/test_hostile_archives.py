"""Archives that want to write elsewhere, fill the disk or fool a reader: refused in one line, nothing left behind."""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from faultset.errors import InputError
from faultset.limits import Limits
from faultset.sources.kit.archive import is_archive, unpack

SMALL = Limits(archive_members=50, archive_unpacked_bytes=40 * 1024**2, archive_ratio=50)
Made = Callable[[], bytes]


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def zip_info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def named(name: str) -> Made:
    """A zip file with a name that ZipInfo itself would have tidied."""
    placeholder = "x" * len(name.encode())
    return lambda: zipped((placeholder, b"data")).replace(placeholder.encode(), name.encode())


def renamed_utf8(name: str) -> Made:
    return lambda: zipped((name, b"data"))


def tarred(*members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w", form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def in_tar(*members: tarfile.TarInfo | tuple[str, bytes], **options: object) -> Made:
    return lambda: tarred(*members, **options)  # type: ignore[arg-type]


def encrypted() -> bytes:
    data = bytearray(zipped(("a.txt", b"data")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def lying_zip() -> bytes:
    """A member that unpacks to more than its headers say."""
    data = bytearray(zipped(("a.txt", b"0" * 100_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(signature) + offset, 10)
    return bytes(data)


def overlapping() -> bytes:
    """A second entry of the directory that points at the first one's bytes."""
    data = zipped(("a.txt", b"0" * 100_000), ("b.txt", b"x"))
    start = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", start + 4)
    changed = bytearray(data)
    struct.pack_into("<L", changed, second + 42, 0)
    return bytes(changed)


def long_directory(members: int) -> Made:
    return lambda: zipped(*((f"f{number}", b"") for number in range(members)))


def claims_a_long_directory() -> bytes:
    data = bytearray(zipped(("a", b"")))
    struct.pack_into("<L", data, data.rindex(b"PK\x05\x06") + 12, 0xFFFFFFF0)
    return bytes(data)


def long_name_bomb() -> bytes:
    """A GNU long name of 20 MB, which tarfile would read into memory."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 20 * 1024**2
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(20):
            file.write(b"a" * 1024**2)
    return packed.getvalue()


def pax_bomb() -> bytes:
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 300_000}
    return tarred(info, form=tarfile.PAX_FORMAT)


def sparse() -> bytes:
    """An old GNU sparse member that claims a terabyte."""
    info = tarfile.TarInfo("a")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"17777777777\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    return bytes(header) + b"\x00" * 10240


def pax_sparse() -> bytes:
    info = tarfile.TarInfo("GNUSparseFile.0/a")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "a",
                        "GNU.sparse.size": "1099511627776", "GNU.sparse.map": "0,0"}  # fmt: skip
    return tarred(info, form=tarfile.PAX_FORMAT)


def claims_too_much() -> bytes:
    info = tarfile.TarInfo("a")
    info.size = 7 * 1024**3
    return info.tobuf(tarfile.GNU_FORMAT) + b"only this"


ZEROS = b"\x00" * (20 * 1024**2)

REFUSED: dict[str, tuple[Made, str]] = {
    # names that lead elsewhere
    "zip: parent folder": (named("../evil.sh"), "leads out"),
    "zip: parent folder inside": (named("a/../../evil"), "leads out"),
    "zip: absolute": (named("/etc/cron.d/x"), "leads out"),
    "zip: drive letter": (named("C:/evil.txt"), "leads out"),
    "zip: drive letter alone": (named("c:evil.txt"), "leads out"),
    "zip: backslashes": (named("..\\..\\evil"), "no plain path"),
    "zip: one backslash": (named("a\\b.txt"), "no plain path"),
    "zip: network share": (named("//host/share/x"), "leads out"),
    "zip: NUL in the name": (named("a.txt\x00.sh"), "no plain path"),
    "zip: empty part": (named("a//b.txt"), "no plain path"),
    "zip: dot part": (named("a/./b.txt"), "no plain path"),
    "zip: stream of a file": (renamed_utf8("report.html:hidden"), "not every system"),
    "tar: parent folder": (in_tar(("../evil.sh", b"x")), "leads out"),
    "tar: parent folder inside": (in_tar(("a/b/../../../evil", b"x")), "leads out"),
    "tar: absolute": (in_tar(("/tmp/evil", b"x")), "leads out"),
    "tar: backslashes": (in_tar(("..\\evil", b"x")), "leads out"),
    "tar: parent folder in a pax header": (in_tar(("../" + "a" * 120, b"x"), form=tarfile.PAX_FORMAT), "leads out"),
    "tar.gz: parent folder": (in_tar(("../evil.sh", b"x"), mode="w:gz"), "leads out"),
    # what is no plain file
    "zip: symlink": (lambda: zipped((zip_info("link", 0o120777), b"/etc/passwd")), "neither a file nor a folder"),
    "zip: device": (lambda: zipped((zip_info("dev", 0o060666), b"")), "neither a file nor a folder"),
    "zip: FIFO": (lambda: zipped((zip_info("pipe", 0o010666), b"")), "neither a file nor a folder"),
    "zip: socket": (lambda: zipped((zip_info("socket", 0o140666), b"")), "neither a file nor a folder"),
    "zip: folder without a slash": (lambda: zipped((zip_info("dir", 0o040755), b"")), "neither a file nor a folder"),
    "tar: symlink": (in_tar(special("link", tarfile.SYMTYPE, "/etc/passwd")), "neither a plain file"),
    "tar: symlink, then a file through it": (
        in_tar(special("d", tarfile.SYMTYPE, ".."), ("d/evil", b"x")), "neither a plain file"),
    "tar: symlink inside": (in_tar(("a", b"x"), special("b", tarfile.SYMTYPE, "a")), "neither a plain file"),
    "tar: hard link": (in_tar(special("link", tarfile.LNKTYPE, "/etc/shadow")), "neither a plain file"),
    "tar: hard link inside": (in_tar(("a", b"x"), special("b", tarfile.LNKTYPE, "a")), "neither a plain file"),
    "tar: character device": (in_tar(special("null", tarfile.CHRTYPE)), "neither a plain file"),
    "tar: block device": (in_tar(special("sda", tarfile.BLKTYPE)), "neither a plain file"),
    "tar: FIFO": (in_tar(special("pipe", tarfile.FIFOTYPE)), "neither a plain file"),
    "tar: sparse": (sparse, "neither a plain file"),
    "tar: sparse in a pax header": (pax_sparse, "neither a plain file"),
    "tar: unknown type": (in_tar(special("odd", b"Q")), "."),
    # names that are two files on one system and one on another
    "zip: twice": (lambda: zipped(("a.txt", b"1"), ("a.txt", b"2")), "twice"),
    "zip: in another case": (lambda: zipped(("Report.html", b"1"), ("report.html", b"2")), "case or form"),
    "zip: folder in another case": (lambda: zipped(("Metrics/a", b"1"), ("metrics/b", b"2")), "case or form"),
    "zip: composed and decomposed": (lambda: zipped(("\u00e9.csv", b"1"), ("e\u0301.csv", b"2")), "case or form"),
    "zip: compatible letters": (lambda: zipped(("\ufb01le", b"1"), ("file", b"2")), "case or form"),
    "zip: file and folder": (lambda: zipped(("a", b"1"), ("a/b", b"2")), "at once"),
    "zip: folder and file": (lambda: zipped(("a/b", b"2"), ("a", b"1")), "at once"),
    "tar: twice": (in_tar(("a", b"1"), ("a", b"2")), "twice"),
    "tar: in another case": (in_tar(("A", b"1"), ("a", b"2")), "case or form"),
    # names that cannot be shown or kept
    "zip: line feed": (renamed_utf8("a\nb"), "cannot be shown"),
    "zip: escape sequence": (renamed_utf8("\x1b[2Ja"), "cannot be shown"),
    "zip: right-to-left override": (renamed_utf8("report\u202elmth.exe"), "cannot be shown"),
    "zip: zero width": (renamed_utf8("re\u200bport.html"), "cannot be shown"),
    "zip: tag characters": (renamed_utf8("a\U000e0041"), "cannot be shown"),
    "zip: long name": (lambda: zipped(("a" * 300, b"")), "more than 200 bytes"),
    "zip: long path": (lambda: zipped(("/".join(["a" * 90] * 12), b"")), "deeper than"),
    "zip: deep": (lambda: zipped(("/".join("a" * 40), b"")), "deeper than"),
    "zip: device name": (lambda: zipped(("metrics/CON.csv", b"")), "device"),
    "zip: device name in a folder": (lambda: zipped(("nul/a.csv", b"")), "device"),
    "zip: dot at the end": (lambda: zipped(("a./b", b"")), "not every system"),
    "zip: blank at the end": (lambda: zipped(("a ", b"")), "not every system"),
    "tar: line feed": (in_tar(("a\nb", b"")), "cannot be shown"),
    "tar: not UTF-8": (lambda: tarred(("a?b", b"")).replace(b"a?b", b"a\xffb"), "."),
    # bombs
    "zip: ratio": (lambda: zipped(("a", ZEROS)), "archive_ratio"),
    "zip: many members": (long_directory(60), "archive_members"),
    "zip: claims a long directory": (claims_a_long_directory, "archive_members"),
    "zip: overlapping members": (overlapping, "overlap"),
    "zip: more than it says": (lying_zip, "cannot be unpacked|not as long"),
    "tar.gz: ratio": (in_tar(("a", ZEROS), mode="w:gz"), "archive_ratio"),
    "tar.gz: ratio over members": (in_tar(*((f"f{n}", ZEROS[: 1024**2]) for n in range(20)), mode="w:gz"), "ratio"),
    "tar: too much": (in_tar(*((f"f{n}", ZEROS) for n in range(3))), "archive_unpacked_bytes"),
    "tar: many members": (in_tar(*((f"f{n}", b"") for n in range(60))), "archive_members"),
    "tar.gz: a name of 20 MB": (long_name_bomb, "too long"),
    "tar: a long pax header": (pax_bomb, "too long"),
    "tar: claims 7 GB": (claims_too_much, "cannot be unpacked"),
    # damage and other kinds
    "zip: encrypted": (encrypted, "encrypted"),
    "zip: cut off": (lambda: zipped(("a", b"x" * 9000))[:-30], "."),
    "zip: damaged": (lambda: flipped(zipped(("a", bytes(range(256)) * 50)), 60), "."),
    "zip: lzma": (lambda: lzma_zip(), "method"),
    "tar.gz: cut off": (lambda: tarred(("a", bytes(range(256)) * 900), mode="w:gz")[:-300], "."),
    "tar.gz: damaged": (lambda: flipped(tarred(("a", bytes(range(256)) * 900), mode="w:gz"), 60), "."),
    "tar: cut off": (lambda: tarred(("a", b"x" * 9000))[:3000], "."),
    "tar.bz2": (in_tar(("a", b"x"), mode="w:bz2"), "no zip, tar or tar.gz"),
    "a plain gzip file": (lambda: gzip.compress(b"just a text"), "."),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(100), "no zip, tar or tar.gz"),
    "a text": (lambda: b"hello", "no zip, tar or tar.gz"),
}  # fmt: skip


def lzma_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"data")
    return buffer.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(("made", "why"), REFUSED.values(), ids=REFUSED)
def test_an_archive_is_refused_and_nothing_is_left(made: Made, why: str, tmp_path: Path):
    path, into = tmp_path / "run.archive", tmp_path / "in" / "to"
    into.mkdir(parents=True)
    path.write_bytes(made())
    with pytest.raises(InputError) as error:
        unpack(path, into, SMALL)
    line = str(error.value)
    assert re.search(why, line), line
    assert line.isprintable()
    assert everything_below(tmp_path) == {"run.archive", "in", "in/to"}


RUN = (("run/report.html", b"<html>"), ("run/metrics/a.csv", b"now,cpu\n"), ("run/nested.zip", b"PK\x03\x04 stays"))


@pytest.mark.parametrize(
    "made",
    [
        lambda: zipped(*RUN),
        lambda: zipped((zip_info("run/", 0o040755), b""), *RUN),
        lambda: tarred(*RUN),
        lambda: tarred(*RUN, mode="w:gz"),
        lambda: tarred(*RUN, form=tarfile.PAX_FORMAT),
        lambda: tarred(special("run", tarfile.DIRTYPE), *RUN, mode="w:gz"),
    ],
    ids=["zip", "zip with folders", "tar", "tar.gz", "pax", "tar.gz with folders"],
)
def test_an_archive_of_plain_files_comes_out_as_it_was_and_stays_packed_inside(made: Made, tmp_path: Path):
    path, into = tmp_path / "run.archive", tmp_path / "to"
    into.mkdir()
    path.write_bytes(made())
    assert is_archive(str(path))
    assert unpack(path, into, SMALL) == [into / name for name, _ in RUN]
    assert {name: (into / name).read_bytes() for name, _ in RUN} == dict(RUN)
    assert {path.name for path in into.rglob("*") if path.is_file()} == {"report.html", "a.csv", "nested.zip"}
    assert not any(path.stat().st_mode & 0o111 for path in into.rglob("*") if path.is_file())


def test_what_is_there_already_is_not_overwritten(tmp_path: Path):
    path = tmp_path / "run.zip"
    path.write_bytes(zipped(("a", b"new"), ("b", b"new")))
    into = tmp_path / "to"
    into.mkdir()
    (into / "b").write_bytes(b"old")
    with pytest.raises(InputError, match="is there already"):
        unpack(path, into, SMALL)
    assert everything_below(into) == {"b"}
    assert (into / "b").read_bytes() == b"old"


def test_a_report_is_no_archive(tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_bytes(b"<html></html>")
    assert not is_archive(str(path))
