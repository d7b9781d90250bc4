"""What may be uploaded as an Operator: one Python file, or a zip with `operator.py` at its top; nothing is run or unpacked here.

    check("reward.py", b"print(1)\\n")  -> Package(form="py", files=(("operator.py", 9),))
Everything that is wrong is found at once, each by the name it has in the zip (decision D10).
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

ENTRY = "operator.py"
PY, ZIP = "py", "zip"
MAX_BYTES = 50 << 20
"""Of an uploaded file; a site may allow less."""
MAX_FILES = 500
MAX_UNPACKED_BYTES = 200 << 20
MAX_RATIO = 100
"""How many times smaller than itself a file of a zip may be."""
RATIO_COUNTS_FROM = 1 << 20
"""Smaller files do no harm, however well they are packed."""
MAX_PATH_BYTES = 200
MAX_DEPTH = 8
SHOWN = 10
"""Findings that an answer lists."""
_ENCRYPTED = 0x1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `name` is the file's name in the zip, or the upload's own."""

    name: str
    text_en: str
    text_ko: str


class BadOperator(Exception):
    """The file cannot be an Operator; `findings` has everything that is wrong, no more than SHOWN."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{one.name}: {one.text_en}" for one in findings))
        self.findings = tuple(findings[:SHOWN])


@dataclass(frozen=True)
class Package:
    """A checked Operator: `form` is "py" or "zip"; path and size in bytes of every file that it unpacks to."""

    form: str
    files: tuple[tuple[str, int], ...]

    @property
    def unpacked_bytes(self) -> int:
        """Of all files together."""
        return sum(size for _, size in self.files)


def check(filename: str, data: bytes, max_bytes: int = MAX_BYTES) -> Package:
    """Look at an upload. Raises BadOperator; reads at most MAX_UNPACKED_BYTES of a zip, whatever the zip says of itself."""
    name = PurePosixPath(filename.replace("\\", "/")).name[:128]
    if not data:
        raise BadOperator([Finding(name, "the file is empty", "파일이 비어 있습니다")])
    if len(data) > max_bytes:
        most = max_bytes >> 20
        raise BadOperator([Finding(name, f"larger than {most} MB", f"{most}MB보다 큽니다")])
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".py":
        return _python(name, data)
    if suffix == ".zip":
        return _zip(name, data)
    raise BadOperator([Finding(name, "must be a .py or .zip file", ".py 또는 .zip 파일이어야 합니다")])


def unpacked(form: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of a checked Operator; the entry is always `operator.py`."""
    if form == PY:
        yield ENTRY, data
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, archive.read(info)


def source_of(form: str, data: bytes, limit: int) -> str:
    """The first `limit` bytes of `operator.py` as text."""
    if form == PY:
        return data[:limit].decode(errors="replace")
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(ENTRY) as file:
        return file.read(limit).decode(errors="replace")


def _python(name: str, data: bytes) -> Package:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadOperator([Finding(name, "is no UTF-8 text", "UTF-8 텍스트가 아닙니다")]) from error
    if "\0" in text:
        raise BadOperator([Finding(name, "has a NUL character", "NUL 문자가 있습니다")])
    return Package(PY, ((ENTRY, len(data)),))


def _zip(name: str, data: bytes) -> Package:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BadOperator([Finding(name, f"is no zip file ({error})", "zip 파일이 아닙니다")]) from error
    with archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES:
            text = f"more than {MAX_FILES} entries", f"항목이 {MAX_FILES}개보다 많습니다"
            raise BadOperator([Finding(name, *text)])
        findings = [found for info in entries for found in _entry_findings(info)]
        files = [info for info in entries if not info.is_dir()]
        findings += _tree_findings(name, files)
        if not findings:
            findings += _content_findings(archive, files)
    if findings:
        raise BadOperator(findings)
    return Package(ZIP, tuple((info.filename, info.file_size) for info in files))


def _entry_findings(info: zipfile.ZipInfo) -> Iterator[Finding]:
    """What is wrong with one entry by what the zip's directory says of it."""
    # What was cut off at a NUL, or had its separators turned, is judged by what the zip really holds.
    shown = _shown(info.orig_filename)
    parts = info.orig_filename.rstrip("/").split("/")
    if info.orig_filename != info.filename or not info.orig_filename.isprintable() or "\\" in info.orig_filename:
        yield Finding(shown, "a name with characters that are not allowed", "이름에 쓸 수 없는 문자가 있습니다")
    if any(part in {"", ".", ".."} for part in parts) or (len(parts[0]) > 1 and parts[0][1] == ":"):
        yield Finding(shown, "leads out of the folder", "폴더 밖을 가리킵니다")
    if len(info.orig_filename.encode(errors="surrogatepass")) > MAX_PATH_BYTES or len(parts) > MAX_DEPTH:
        yield Finding(shown, "a path that is too long or too deep", "경로가 너무 길거나 깊습니다")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        yield Finding(shown, "a symbolic link", "심볼릭 링크입니다")
    elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        yield Finding(shown, "not a regular file", "일반 파일이 아닙니다")
    if info.flag_bits & _ENCRYPTED:
        yield Finding(shown, "is encrypted", "암호화되어 있습니다")
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        yield Finding(shown, "packed in a way that is not allowed (deflate only)", "압축 방식은 deflate만 허용됩니다")
    if info.file_size > RATIO_COUNTS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
        yield Finding(shown, f"unpacks to more than {MAX_RATIO} times its size", f"풀면 {MAX_RATIO}배 넘게 커집니다")


def _tree_findings(name: str, files: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    """What is wrong with all files together."""
    names = [info.filename for info in files]
    if ENTRY not in names:
        yield Finding(name, f"has no {ENTRY} at its top", f"최상위에 {ENTRY}이(가) 없습니다")
    for twice in sorted({one for one in names if names.count(one) > 1}):
        yield Finding(_shown(twice), "is there twice", "두 번 들어 있습니다")
    folders = {str(parent) for one in names for parent in PurePosixPath(one).parents}
    for both in sorted(folders & set(names)):
        yield Finding(_shown(both), "is a file and a folder", "파일이면서 폴더입니다")
    if sum(info.file_size for info in files) > MAX_UNPACKED_BYTES:
        most = MAX_UNPACKED_BYTES >> 20
        yield Finding(name, f"unpacks to more than {most} MB", f"풀면 {most}MB보다 큽니다")


def _content_findings(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> list[Finding]:
    """Every file is read once: a directory that lies about sizes or checksums is found here, never where it is unpacked."""
    for info in files:
        read = 0
        try:
            with archive.open(info) as file:
                while chunk := file.read(_CHUNK):
                    read += len(chunk)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError):
            return [Finding(_shown(info.filename), "cannot be unpacked", "풀 수 없습니다")]
        if read != info.file_size:
            return [
                Finding(_shown(info.filename), "has another size than the zip says", "크기가 zip의 기록과 다릅니다")
            ]
    return []


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name[:MAX_PATH_BYTES])
