"""A store in memory that answers as `portal.store.s3.ObjectStore` does."""

from __future__ import annotations

from collections.abc import AsyncIterator

from portal.store.s3 import ObjectInfo, ObjectMissing, StoreUnavailable


class MemoryStore:
    """`objects` by (bucket, key); `down` makes every call fail."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.down = False

    async def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Size of the object."""
        return ObjectInfo(key, len(self._get(bucket, key)))

    async def iter_bytes(self, bucket: str, key: str, offset: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """The object in chunks of three bytes, so that readers must join them."""
        data = self._get(bucket, key)[offset:]
        data = data[:length] if length else data
        for start in range(0, len(data), 3):
            yield data[start : start + 3]

    async def get_bytes(self, bucket: str, key: str) -> bytes:
        """The whole object."""
        return self._get(bucket, key)

    async def list_keys(self, bucket: str, prefix: str) -> list[ObjectInfo]:
        """All objects below the prefix, in key order."""
        if self.down:
            raise StoreUnavailable("down")
        found = [
            (key, data) for (where, key), data in self.objects.items() if where == bucket and key.startswith(prefix)
        ]
        return [ObjectInfo(key, len(data)) for key, data in sorted(found)]

    def _get(self, bucket: str, key: str) -> bytes:
        if self.down:
            raise StoreUnavailable("down")
        if (bucket, key) not in self.objects:
            raise ObjectMissing(key)
        return self.objects[bucket, key]
