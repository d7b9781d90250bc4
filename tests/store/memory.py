"""A store in memory that answers as `portal.store.s3.ObjectStore` does; it passes the same contract."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from portal.store.s3 import ObjectInfo, ObjectMissing, StoreUnavailable


class MemoryStore:
    """`objects` by (bucket, key); `down` makes every call fail."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.down = False

    async def ensure_buckets(self) -> None:
        """All buckets are always there."""
        self._reach()

    async def put_bytes(self, bucket: str, key: str, data: bytes, content_type: str = "") -> None:
        """Keep the bytes."""
        self._reach()
        self.objects[bucket, key] = data

    async def put_json(self, bucket: str, key: str, document: Any) -> None:
        """Keep the document as JSON."""
        await self.put_bytes(bucket, key, json.dumps(document, ensure_ascii=False).encode())

    async def put_file(self, bucket: str, key: str, file: BinaryIO, size: int, content_type: str = "") -> None:
        """Keep `size` bytes of the file, read in several chunks."""
        data = b""
        while len(data) < size and (chunk := file.read(min(65536, size - len(data)))):
            data += chunk
        await self.put_bytes(bucket, key, data)

    async def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Size of the object."""
        return ObjectInfo(key, len(self._get(bucket, key)))

    async def iter_bytes(self, bucket: str, key: str, offset: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """The object in chunks of 4099 bytes, so that readers must join them."""
        data = self._get(bucket, key)[offset:]
        data = data[:length] if length else data
        for start in range(0, len(data), 4099):
            yield data[start : start + 4099]

    async def get_bytes(self, bucket: str, key: str) -> bytes:
        """The whole object."""
        return self._get(bucket, key)

    async def get_json(self, bucket: str, key: str) -> Any:
        """The document."""
        return json.loads(self._get(bucket, key))

    async def list_keys(self, bucket: str, prefix: str) -> list[ObjectInfo]:
        """All objects below the prefix, in key order."""
        self._reach()
        found = [
            (key, data) for (where, key), data in self.objects.items() if where == bucket and key.startswith(prefix)
        ]
        return [ObjectInfo(key, len(data)) for key, data in sorted(found)]

    async def remove(self, bucket: str, key: str) -> None:
        """Forget it; one that is absent is fine."""
        self._reach()
        self.objects.pop((bucket, key), None)

    def _get(self, bucket: str, key: str) -> bytes:
        self._reach()
        if (bucket, key) not in self.objects:
            raise ObjectMissing(key)
        return self.objects[bucket, key]

    def _reach(self) -> None:
        if self.down:
            raise StoreUnavailable("down")
