"""All files of a model as one tar, made while it is sent; the same model is the same tar to the byte, so that ranges hold."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.services.models import ModelFile, open_file
from portal.store.s3 import ObjectStore

BLOCK = tarfile.BLOCKSIZE
END = b"\0" * (2 * BLOCK)
MODE = 0o644


@dataclass(frozen=True)
class _Part:
    """A stretch of the tar: bytes of its own, or a stored file."""

    size: int
    data: bytes = b""
    file: ModelFile | None = None


@dataclass(frozen=True)
class ModelTar:
    """A tar with the files below `folder`; `tag` is the same only for the same content."""

    parts: tuple[_Part, ...]
    size: int
    tag: str

    async def open(self, store: ObjectStore, offset: int, length: int) -> AsyncIterator[bytes]:
        """`length` bytes from `offset`; the first come before this returns. Raises Unavailable."""
        chunks = self._chunks(store, offset, length)
        first = await anext(chunks, b"")
        return _joined(first, chunks)

    async def _chunks(self, store: ObjectStore, offset: int, length: int) -> AsyncIterator[bytes]:
        end, begins = offset + length, 0
        for part in self.parts:
            first, last = max(offset - begins, 0), min(end - begins, part.size)
            if first < last and part.file is None:
                yield part.data[first:last]
            elif first < last and part.file is not None:
                async for chunk in await open_file(store, part.file, first, last - first):
                    yield chunk
            begins += part.size


def tar_of(folder: str, files: Sequence[ModelFile], at: datetime) -> ModelTar:
    """The tar of these files, all changed `at`."""
    parts = tuple(_parts(folder, files, int(at.timestamp())))
    content = "\n".join(f"{file.sha256} {file.path}" for file in files)
    tag = hashlib.sha256(f"{folder}\n{content}".encode()).hexdigest()
    return ModelTar(parts, sum(part.size for part in parts), tag)


def _parts(folder: str, files: Sequence[ModelFile], mtime: int) -> Iterator[_Part]:
    for file in files:
        info = tarfile.TarInfo(f"{folder}/{file.path}")
        info.size, info.mtime, info.mode = file.size, mtime, MODE
        head = info.tobuf(tarfile.PAX_FORMAT)
        yield _Part(len(head), head)
        yield _Part(file.size, file=file)
        padding = -file.size % BLOCK
        yield _Part(padding, b"\0" * padding)
    yield _Part(len(END), END)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
