"""The store's contract on the lab's MinIO, over TLS with the daemon's key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from portal.store.s3 import BUCKETS, ObjectStore, StoreError
from tests.lab.minio import DAEMON, WEB, store_as
from tests.store.contract import StoreContract

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.anyio]


class TestMinIO(StoreContract):
    """Every contract test."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[ObjectStore]:
        store = store_as(DAEMON)
        yield store
        for bucket in BUCKETS:  # the doctor names every object that belongs to nothing
            for left in await store.list_keys(bucket, "t/"):
                await store.remove(bucket, left.key)


async def test_the_web_can_only_read() -> None:
    writer, reader = store_as(DAEMON), store_as(WEB)
    await writer.put_bytes("tests", "t/for-the-web", b"x")
    assert await reader.get_bytes("tests", "t/for-the-web") == b"x"
    with pytest.raises(StoreError):
        await reader.put_bytes("tests", "t/for-the-web", b"y")
    with pytest.raises(StoreError):
        await reader.remove("tests", "t/for-the-web")
    assert await writer.get_bytes("tests", "t/for-the-web") == b"x"
    await writer.remove("tests", "t/for-the-web")
