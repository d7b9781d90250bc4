"""Objects in S3 through the `minio` client (the only importer of it); blocking calls run in threads, errors are ours.

StoreError
├── ObjectMissing     no such object
└── StoreUnavailable  the store did not answer, or answered that it cannot now; try again later
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

import urllib3
from anyio import to_thread
from minio import Minio
from minio.error import MinioException, S3Error

from portal.settings import Settings
from portal.store.unixsocket import pool_at

BUCKETS = ("specs", "models", "tests", "logs", "analysis")
PART_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
P = ParamSpec("P")
T = TypeVar("T")
_MISSING_CODES = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject"})


class StoreError(Exception):
    """The store refused; the message carries its own code."""


class ObjectMissing(StoreError):
    """No such object."""


class StoreUnavailable(StoreError):
    """Nothing is known: the store did not answer."""


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object: key within its bucket, size in bytes."""

    key: str
    size: int


class ObjectStore:
    """The site's buckets; names in `BUCKETS`, prefixed as the settings say."""

    def __init__(self, settings: Settings, *, socket: Path | None = None) -> None:
        """`socket`: a Unix socket at which the endpoint is reached."""
        self._prefix = settings.s3.bucket_prefix
        self._region = settings.s3.region
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            retries=urllib3.Retry(total=1, backoff_factor=0.2),
            maxsize=16,
        )
        if socket is not None:
            pool.pool_classes_by_scheme = {"http": pool_at(socket)}
        self._client = Minio(
            settings.s3.endpoint,
            access_key=settings.s3.access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3.secure,
            region=settings.s3.region,
            http_client=pool,
        )

    async def ensure_buckets(self) -> None:
        """Make the buckets that are missing. Raises StoreUnavailable."""
        for bucket in BUCKETS:
            if not await self._call(self._client.bucket_exists, self._prefix + bucket):
                await self._call(self._client.make_bucket, self._prefix + bucket, location=self._region)

    async def put_bytes(
        self, bucket: str, key: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        """Store `data` under `key`, replacing what was there."""
        await self.put_file(bucket, key, io.BytesIO(data), len(data), content_type)

    async def put_json(self, bucket: str, key: str, document: Any) -> None:
        """Store `document` as UTF-8 JSON."""
        data = json.dumps(document, ensure_ascii=False, indent=1).encode()
        await self.put_bytes(bucket, key, data, "application/json")

    async def put_file(
        self, bucket: str, key: str, file: BinaryIO, size: int, content_type: str = "application/octet-stream"
    ) -> None:
        """Store `size` bytes of `file` (in parts of 16 MiB); the object appears whole or not at all."""
        await self._call(
            self._client.put_object,
            self._prefix + bucket,
            key,
            file,
            size,
            content_type=content_type,
            part_size=PART_BYTES,
        )

    async def get_bytes(self, bucket: str, key: str) -> bytes:
        """The whole object. Raises ObjectMissing, StoreUnavailable."""
        return b"".join([chunk async for chunk in self.iter_bytes(bucket, key)])

    async def get_json(self, bucket: str, key: str) -> Any:
        """The JSON document under `key`. Raises ObjectMissing, StoreUnavailable."""
        return json.loads(await self.get_bytes(bucket, key))

    async def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Size of the object. Raises ObjectMissing, StoreUnavailable."""
        found = await self._call(self._client.stat_object, self._prefix + bucket, key)
        return ObjectInfo(key, found.size or 0)

    async def iter_bytes(self, bucket: str, key: str, offset: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """The object from `offset` (`length` bytes, 0 = to the end) in chunks. Raises ObjectMissing, StoreUnavailable."""
        response = await self._call(self._client.get_object, self._prefix + bucket, key, offset=offset, length=length)
        try:
            while chunk := await self._call(response.read, CHUNK_BYTES):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    async def list_keys(self, bucket: str, prefix: str) -> list[ObjectInfo]:
        """All objects whose key starts with `prefix`, in key order."""

        def walk() -> list[ObjectInfo]:
            found = self._client.list_objects(self._prefix + bucket, prefix=prefix, recursive=True)
            return [ObjectInfo(item.object_name or "", item.size or 0) for item in found]

        return await self._call(walk)

    async def remove(self, bucket: str, key: str) -> None:
        """Remove the object; one that is absent is fine."""
        await self._call(self._client.remove_object, self._prefix + bucket, key)

    @staticmethod
    async def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await to_thread.run_sync(functools.partial(function, *args, **kwargs), abandon_on_cancel=True)
        except S3Error as error:
            kind = ObjectMissing if error.code in _MISSING_CODES else StoreError
            if error.code in {"SlowDown", "InternalError", "ServiceUnavailable", "XMinioServerNotInitialized"}:
                kind = StoreUnavailable
            raise kind(f"{error.code}: {error.message}") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(str(error)) from error
