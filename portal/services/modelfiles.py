"""Looks into a model's files without handing them out: a safetensors header, and whether a file is still as stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from portal.db.models import Model
from portal.domain.safetensors import LENGTH_BYTES, SUFFIX, Header, Malformed, header_length, parse
from portal.services.errors import Conflict
from portal.services.models import BUCKET, ModelFile, files_of, storage_unavailable
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

MAX_VERIFIED_BYTES = 16 << 30
MAX_HEADERS = 4
"""Files of a model whose headers a page reads."""


@dataclass(frozen=True)
class FileHeader:
    """The header of one file; `malformed` where it has none that can be read."""

    path: str
    header: Header | None
    malformed: Malformed | None = None


async def headers(store: ObjectStore, model: Model) -> tuple[FileHeader, ...]:
    """Headers of the first safetensors files. Raises Unavailable."""
    wanted = [file for file in files_of(model) if file.path.endswith(SUFFIX)][:MAX_HEADERS]
    try:
        return tuple([await _header(store, file) for file in wanted])
    except StoreError as error:
        raise storage_unavailable(missing=isinstance(error, ObjectMissing)) from error


async def _header(store: ObjectStore, file: ModelFile) -> FileHeader:
    try:
        length = header_length(await _piece(store, file, 0, LENGTH_BYTES), file.size)
        return FileHeader(file.path, parse(await _piece(store, file, LENGTH_BYTES, length), file.size))
    except Malformed as error:
        return FileHeader(file.path, None, error)


async def _piece(store: ObjectStore, file: ModelFile, offset: int, length: int) -> bytes:
    if not length or file.size <= offset:
        return b""
    return b"".join([chunk async for chunk in store.iter_bytes(BUCKET, file.key, offset, length)])


async def is_as_stored(store: ObjectStore, file: ModelFile) -> bool:
    """Whether size and sha256 are still the manifest's; the file is read once, and not kept.

    Raises Unavailable, and Conflict for a file that takes longer than anybody waits for a page.
    """
    if file.size > MAX_VERIFIED_BYTES:
        raise Conflict(
            "too_large_to_verify",
            f"Files over {MAX_VERIFIED_BYTES >> 30} GB are not verified in the browser: "
            "`one models download` verifies what it fetches, `one doctor --reconcile --contents` all that is stored.",
            f"{MAX_VERIFIED_BYTES >> 30}GB가 넘는 파일은 브라우저에서 확인하지 않습니다. `one models download`는 받으면서, "
            "`one doctor --reconcile --contents`는 저장된 모두를 확인합니다.",
        )
    digest, size = hashlib.sha256(), 0
    try:
        async for chunk in store.iter_bytes(BUCKET, file.key):
            digest.update(chunk)
            size += len(chunk)
            if size > file.size:
                return False
    except ObjectMissing:
        return False
    except StoreError as error:
        raise storage_unavailable() from error
    return (size, digest.hexdigest()) == (file.size, file.sha256)
