"""What is taken as an Operator, and everything that is refused by name."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Mapping

import pytest

from portal.domain.operatorfile import (
    ENTRY,
    MAX_FILES,
    BadOperator,
    Package,
    check,
    source_of,
    unpacked,
)

CODE = b"print('hello')\n"


def zipped(
    files: Mapping[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED, mode: int = stat.S_IFREG | 0o644
) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", packing) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if name != ENTRY else stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data, packing)
    return held.getvalue()


def refused(filename: str, data: bytes) -> str:
    with pytest.raises(BadOperator) as caught:
        check(filename, data)
    return str(caught.value)


def test_a_python_file_is_its_own_entry() -> None:
    assert check("reward.py", CODE) == Package("py", ((ENTRY, len(CODE)),))
    assert list(unpacked("py", CODE)) == [(ENTRY, CODE)]
    assert source_of("py", "print('값')".encode(), 100) == "print('값')"


def test_a_zip_unpacks_to_what_was_checked() -> None:
    data = zipped({ENTRY: CODE, "lib/helper.py": b"x = 1\n", "data/": b""})
    package = check("tools.ZIP", data)
    assert package.files == ((ENTRY, len(CODE)), ("lib/helper.py", 6))
    assert package.unpacked_bytes == len(CODE) + 6
    assert dict(unpacked("zip", data)) == {ENTRY: CODE, "lib/helper.py": b"x = 1\n"}
    assert source_of("zip", data, 5) == "print"


@pytest.mark.parametrize(
    ("filename", "data", "why"),
    [
        ("a.py", b"", "empty"),
        ("a.py", b"\xff\xfe", "no UTF-8"),
        ("a.py", b"a\0b", "NUL"),
        ("a.sh", CODE, ".py or .zip"),
        ("operator", CODE, ".py or .zip"),
        ("a.zip", CODE, "no zip file"),
        ("a.zip", zipped({"main.py": CODE}), f"has no {ENTRY}"),
        ("a.zip", zipped({f"deep/{ENTRY}": CODE}), f"has no {ENTRY}"),
    ],
)
def test_what_is_no_operator(filename: str, data: bytes, why: str) -> None:
    assert why in refused(filename, data)


@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/etc/cron.d/evil", "./x.py", "a//b.py", "C:/evil.py", "..\\evil.py"]
)
def test_a_path_that_leads_out_is_refused_by_name(name: str) -> None:
    said = refused("a.zip", zipped({ENTRY: CODE, name: CODE}))
    assert name in said
    assert "leads out" in said or "not allowed" in said


@pytest.mark.parametrize("name", ["a\nb.py", "a\x1b[31m.py", "a\u202e.py", "x" * 201, "/".join("abcdefghi")])
def test_names_that_nobody_can_read(name: str) -> None:
    assert "name" in refused("a.zip", zipped({ENTRY: CODE, name: CODE})) or "path" in refused(
        "a.zip", zipped({ENTRY: CODE, name: CODE})
    )


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (stat.S_IFLNK | 0o777, "link: a symbolic link"),
        (stat.S_IFIFO | 0o644, "link: not a regular file"),
        (stat.S_IFCHR | 0o644, "link: not a regular file"),
    ],
)
def test_links_and_devices_are_refused_by_name(mode: int, why: str) -> None:
    assert why in refused("a.zip", zipped({ENTRY: CODE, "link": b"/etc/passwd"}, mode=mode))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({ENTRY: CODE, "zeros.bin": bytes(64 << 20)})
    assert len(bomb) < 100_000
    assert "zeros.bin: unpacks to more than" in refused("a.zip", bomb)


def test_many_small_files_are_too_many() -> None:
    files = {ENTRY: CODE, **{f"f{number}": b"" for number in range(MAX_FILES)}}
    assert "entries" in refused("a.zip", zipped(files))


def test_a_directory_that_lies_about_a_size_is_found() -> None:
    """The central directory says 10 bytes where the data has 64 KiB: nothing beyond the lie is ever believed."""
    data = bytearray(zipped({ENTRY: CODE, "big.bin": bytes(range(256)) * 256}, packing=zipfile.ZIP_DEFLATED))
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 10)
    assert "big.bin" in refused("a.zip", bytes(data))


def test_twice_the_same_name_and_a_file_that_is_a_folder() -> None:
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(held, "w") as archive:
            for name in (ENTRY, ENTRY, "lib", "lib/x.py"):
                archive.writestr(name, CODE)
    said = refused("a.zip", held.getvalue())
    assert f"{ENTRY}: is there twice" in said
    assert "lib: is a file and a folder" in said


def test_an_encrypted_or_oddly_packed_file_is_refused() -> None:
    data = bytearray(zipped({ENTRY: CODE}))
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, 1)
    assert "encrypted" in refused("a.zip", bytes(data))
    assert "packed in a way" in refused("a.zip", zipped({ENTRY: CODE}, packing=zipfile.ZIP_LZMA))


def test_everything_wrong_is_said_at_once() -> None:
    said = refused("a.zip", zipped({"../x": CODE, "/y": CODE}))
    assert all(name in said for name in ("../x", "/y", ENTRY))
