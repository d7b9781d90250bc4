"""What every S3 server must do for the portal; run on SeaweedFS here and on the lab's MinIO."""

from __future__ import annotations

import io
import os
import uuid

import pytest

from portal.store.s3 import BUCKETS, ObjectMissing, ObjectStore


class StoreContract:
    """Subclasses give the fixture `store`."""

    async def test_buckets_are_made_once(self, store: ObjectStore) -> None:
        await store.ensure_buckets()
        await store.ensure_buckets()
        for bucket in BUCKETS:
            assert await store.list_keys(bucket, "surely-nothing/") == []

    async def test_json_comes_back_as_it_was(self, store: ObjectStore) -> None:
        document = {"이름": "$(id) \"'\n", "n": 0.1, "none": None}
        key = f"t/{uuid.uuid4()}/한글 $(id).json"
        await store.put_json("specs", key, document)
        assert await store.get_json("specs", key) == document
        assert [info.key for info in await store.list_keys("specs", key)] == [key]

    async def test_parts_and_ranges(self, store: ObjectStore) -> None:
        data = os.urandom((16 << 20) + 12345)
        key = f"t/{uuid.uuid4()}/model.bin"
        await store.put_file("models", key, io.BytesIO(data), len(data))
        assert (await store.stat("models", key)).size == len(data)
        middle = b"".join([chunk async for chunk in store.iter_bytes("models", key, offset=16_777_210, length=1000)])
        assert middle == data[16_777_210 : 16_777_210 + 1000]
        assert await store.get_bytes("models", key) == data

    async def test_an_empty_object(self, store: ObjectStore) -> None:
        key = f"t/{uuid.uuid4()}"
        await store.put_bytes("logs", key, b"")
        assert await store.get_bytes("logs", key) == b""

    async def test_absent_is_said_so(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.stat("models", "no/such/key")
        with pytest.raises(ObjectMissing):
            await store.get_bytes("models", "no/such/key")
        await store.remove("models", "no/such/key")

    async def test_remove(self, store: ObjectStore) -> None:
        key = f"t/{uuid.uuid4()}"
        await store.put_bytes("tests", key, b"x")
        await store.remove("tests", key)
        with pytest.raises(ObjectMissing):
            await store.stat("tests", key)
