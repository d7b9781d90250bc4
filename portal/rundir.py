"""The only way to read what a user's job wrote: beneath the run folder, no symlinks, regular files of the job's own user, capped.

Everything in a run directory is the user's word: names, sizes and contents may be hostile and may change while they are read.
Each refusal names the path and the reason. Source for openat2 and its RESOLVE_ flags: man 2 openat2 (Linux 5.6 and later).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_SYS_OPENAT2 = 437
_RESOLVE = 0x08 | 0x04 | 0x02  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC  # with O_NOFOLLOW a link would only be "not a directory"
_CHUNK = 1 << 20
_SHOWN_CHARS = 200
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class RunDirError(Exception):
    """A path in a run directory that is absent or refused; `path` is relative to the run directory."""

    def __init__(self, path: str, why: str) -> None:
        self.path = _shown(path)
        self.why = why
        super().__init__(f"{self.path}: {why}")


class Missing(RunDirError):
    """Nothing is there (yet)."""


class Refused(RunDirError):
    """Something is there that the portal does not read."""


@dataclass(frozen=True)
class Limits:
    """Caps of one run directory.

    Bytes a file; files and bytes of a folder tree, its depth and all that lies in it, readable or not; refusals that are
    listed; bytes of a path below the tree; bytes of a JSON line, bytes and lines of a file of them.
    """

    file_bytes: int = 64 << 30
    tree_files: int = 10_000
    tree_bytes: int = 256 << 30
    tree_entries: int = 50_000
    depth: int = 16
    refusals: int = 50
    path_bytes: int = 800
    line_bytes: int = 64 << 10
    lines_bytes: int = 64 << 20
    lines: int = 1_000_000


@dataclass(frozen=True)
class FoundFile:
    """A readable file: path relative to the listed folder, size in bytes, change time in nanoseconds."""

    path: str
    size: int
    changed_ns: int


@dataclass(frozen=True)
class Listing:
    """The readable files of a tree, and what was refused, each with its reason."""

    files: tuple[FoundFile, ...]
    refused: tuple[RunDirError, ...]


class StableFile(io.RawIOBase):
    """Reads exactly the size that a file had when it was opened, hashing on the way."""

    def __init__(self, path: str, file: BinaryIO, size: int) -> None:
        self._path = path
        self._file = file
        self._hash = hashlib.sha256()
        self.size = size
        self.left = size

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (all that is left when negative)."""
        chunk = self._file.read(self.left if size < 0 else min(size, self.left))
        if self.left and size and not chunk:
            raise Refused(self._path, "changed while it was copied")
        self._hash.update(chunk)
        self.left -= len(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        """Hex digest of what was read so far."""
        return self._hash.hexdigest()


class RunDir:
    """One attempt's folder, `root/relative`, whose files must belong to `uid`."""

    def __init__(self, root: Path, relative: str, uid: int, limits: Limits | None = None) -> None:
        self._root = root
        self._relative = relative
        self._uid = uid
        self.limits = limits or Limits()

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The file at `path` for reading. Raises Missing or Refused."""
        descriptor = self._openat2(path, _OPEN_FILE)
        try:
            self._check_file(path, os.fstat(descriptor))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)

    def size(self, path: str) -> int:
        """Bytes of the file at `path`. Raises Missing or Refused."""
        with self.open(path) as file:
            return os.fstat(file.fileno()).st_size

    def read(self, path: str, offset: int = 0, limit: int = _CHUNK) -> bytes:
        """At most `limit` bytes from `offset`; empty at the end. Raises Missing or Refused."""
        with self.open(path) as file:
            return os.pread(file.fileno(), limit, offset)

    def json_lines(
        self, path: str, *, max_bytes: int | None = None, max_lines: int | None = None
    ) -> Iterator[dict[str, Any] | None]:
        """The file's whole JSON lines one by one, None for each that is no JSON object or too long.

        A file that is not there has no lines. Raises Refused, also for a file past `max_bytes` or `max_lines` (default:
        the limits), after its last allowed line.
        """
        most_bytes, most_lines = max_bytes or self.limits.lines_bytes, max_lines or self.limits.lines
        try:
            with self.open(path) as file:
                for number, line in enumerate(self._lines(file, most_bytes), 1):
                    if number > most_lines:
                        raise Refused(path, f"more than {most_lines} lines")
                    if line.strip():
                        yield _json_object(line, self.limits.line_bytes)
                if os.fstat(file.fileno()).st_size > most_bytes:
                    raise Refused(path, f"more than {most_bytes} bytes")
        except Missing:
            return

    def _lines(self, file: BinaryIO, most_bytes: int) -> Iterator[bytes]:
        """Whole lines; no more than one limit's worth of a line is ever in memory, and what is beyond it is one bad line."""
        left, long = most_bytes, False
        while left > 0 and (part := file.readline(min(left, self.limits.line_bytes + 1))):
            left -= len(part)
            ends = part.endswith(b"\n")
            if ends:
                yield b"-" if long else part
            long = not ends

    @contextmanager
    def stable(self, path: str) -> Iterator[StableFile]:
        """The file at `path` for copying, hashed as it is read. Raises Missing or Refused, also when it changed meanwhile."""
        with self.open(path) as file:
            before = os.fstat(file.fileno())
            reader = StableFile(path, file, before.st_size)
            yield reader
            after = os.fstat(file.fileno())
        if reader.left or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Refused(path, "changed while it was copied")

    def names(self, path: str) -> list[str]:
        """Names in the folder `path`, sorted; none where there is no folder. Raises Refused."""
        refused: list[RunDirError] = []
        found = [name for name, _ in self._entries(path, refused, self.limits.tree_entries)]
        if refused:
            raise refused[0]
        return sorted(found)

    def tree(self, path: str) -> Listing:
        """All readable files under the folder `path`; an absent folder has none. Raises Refused for a folder past its caps."""
        files: list[FoundFile] = []
        refused: list[RunDirError] = []
        folders = [(path, 0)]
        total = entries = 0
        while folders:
            folder, depth = folders.pop()
            for name, info in self._entries(folder, refused, self.limits.tree_entries - entries):
                entries += 1
                inner = f"{folder}/{name}"
                if stat.S_ISDIR(info.st_mode) and depth < self.limits.depth:
                    folders.append((inner, depth + 1))
                    continue
                problem = self._file_problem(info) or self._name_problem(inner[len(path) + 1 :])
                if problem:
                    refused.append(Refused(inner, problem))
                    continue
                total += info.st_size
                files.append(FoundFile(inner[len(path) + 1 :], info.st_size, info.st_mtime_ns))
                if len(files) > self.limits.tree_files or total > self.limits.tree_bytes:
                    raise Refused(path, f"more than {self.limits.tree_files} files or {self.limits.tree_bytes} bytes")
        return Listing(tuple(sorted(files, key=lambda file: file.path)), self._listed(path, refused))

    def _listed(self, path: str, refused: list[RunDirError]) -> tuple[RunDirError, ...]:
        """No more refusals than an answer lists; that there are more is one of them."""
        ordered = sorted(refused, key=lambda problem: problem.path)
        beyond = len(ordered) - self.limits.refusals
        if beyond <= 0:
            return tuple(ordered)
        return (*ordered[: self.limits.refusals], Refused(path, f"{beyond} more refused in it"))

    def _entries(self, folder: str, refused: list[RunDirError], most: int) -> Iterator[tuple[str, os.stat_result]]:
        """Name and facts of what is in a folder, never more than `most` of them in memory. Raises Refused beyond that."""
        try:
            descriptor = self._openat2(folder, _OPEN_FOLDER)
        except Missing:
            return
        except Refused as error:
            refused.append(error)
            return
        try:
            with os.scandir(descriptor) as entries:
                for number, entry in enumerate(entries, 1):
                    if number > most:
                        raise Refused(folder, f"more than {self.limits.tree_entries} files and folders")
                    try:
                        yield entry.name, os.stat(entry.name, dir_fd=descriptor, follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # removed since it was listed: the same as never there
        finally:
            os.close(descriptor)

    def _openat2(self, path: str, flags: int) -> int:
        if "\0" in path:
            raise Refused(path, "a NUL byte in the path")
        root = os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            how = _OpenHow(flags, 0, _RESOLVE)
            name = f"{self._relative}/{path}".encode(errors="surrogateescape")
            descriptor = _libc.syscall(_SYS_OPENAT2, root, name, ctypes.byref(how), ctypes.sizeof(how))
            if descriptor >= 0:
                return int(descriptor)
            code = ctypes.get_errno()
        finally:
            os.close(root)
        if code == errno.ENOTDIR and flags & os.O_DIRECTORY:
            raise Refused(path, "not a folder")
        if code in _ABSENT:
            raise Missing(path, "not there")
        raise Refused(path, _REASONS.get(code, os.strerror(code)))

    def _check_file(self, path: str, info: os.stat_result) -> None:
        problem = self._file_problem(info)
        if problem:
            raise Refused(path, problem)

    def _file_problem(self, info: os.stat_result) -> str:
        if stat.S_ISLNK(info.st_mode):
            return "a symbolic link"
        if not stat.S_ISREG(info.st_mode):
            return "not a regular file"
        if info.st_uid != self._uid:
            return f"belongs to uid {info.st_uid}, not to the job's user"
        if info.st_nlink != 1:
            return f"has {info.st_nlink} hard links"
        if info.st_size > self.limits.file_bytes:
            return f"{info.st_size} bytes, more than {self.limits.file_bytes}"
        return ""

    def _name_problem(self, path: str) -> str:
        """A name becomes a key in S3, a line in a manifest and text on a page: it must be text."""
        if not path.isprintable():
            return "its name has characters that cannot be shown"
        if len(path.encode()) > self.limits.path_bytes:
            return f"its path has more than {self.limits.path_bytes} bytes"
        return ""


_ABSENT = {errno.ENOENT, errno.ENOTDIR}
_REASONS = {
    errno.ELOOP: "a symbolic link",
    errno.EXDEV: "leaves the run directory",
    errno.EACCES: "not readable by the portal",
    errno.ENXIO: "not a regular file",
}


def _shown(path: str) -> str:
    """A path on one printable line of at most 200 characters."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in path)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"


def _json_object(line: bytes, limit: int) -> dict[str, Any] | None:
    if len(line) > limit:
        return None
    try:
        value = json.loads(
            line, parse_constant=str
        )  # NaN, which Python writes though JSON has none, is a word, no number
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
