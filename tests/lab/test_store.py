"""The store's contract on the lab's MinIO, over TLS with the daemon's key."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from lab.hosts import CA_FILE, STATE, address
from portal.settings import ObjectStore as S3Settings
from portal.settings import Settings
from portal.store.s3 import ObjectStore, StoreError
from tests.store.contract import StoreContract

pytestmark = [pytest.mark.lab, pytest.mark.anyio]
S3_PORT = 9000


def store_as(key: str, secret: str) -> ObjectStore:
    """A client with one of the lab's keys."""
    s3 = S3Settings(endpoint=f"{address('svc')}:{S3_PORT}", access_key=key)
    return ObjectStore(Settings(s3=s3, s3_secret_key=SecretStr((STATE / "secrets" / secret).read_text().strip())))


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's own CA."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CA_FILE))


class TestMinIO(StoreContract):
    """Every contract test."""

    @pytest.fixture
    async def store(self) -> ObjectStore:
        return store_as("one-daemon", "s3_daemon")


async def test_the_web_can_only_read() -> None:
    writer, reader = store_as("one-daemon", "s3_daemon"), store_as("one-web", "s3_web")
    await writer.put_bytes("tests", "t/for-the-web", b"x")
    assert await reader.get_bytes("tests", "t/for-the-web") == b"x"
    with pytest.raises(StoreError):
        await reader.put_bytes("tests", "t/for-the-web", b"y")
    with pytest.raises(StoreError):
        await reader.remove("tests", "t/for-the-web")
    assert await writer.get_bytes("tests", "t/for-the-web") == b"x"
    await writer.remove("tests", "t/for-the-web")
