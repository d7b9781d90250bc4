"""The store's contract on SeaweedFS, and what is said when no server answers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from portal.settings import ObjectStore as S3Settings
from portal.settings import Settings
from portal.store.s3 import ObjectStore, StoreUnavailable
from tests.store.contract import StoreContract
from tests.store.memory import MemoryStore

pytestmark = pytest.mark.anyio
START_TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(endpoint: str) -> Settings:
    return Settings(
        s3=S3Settings(endpoint=endpoint, secure=False, access_key="one"), s3_secret_key=SecretStr("only-for-this-test")
    )


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("weed")
    identity = {"accessKey": "one", "secretKey": "only-for-this-test"}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "one", "credentials": [identity], "actions": actions}]}))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    argv = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3"]
    argv += [f"-s3.config={config}", "-volume.max=200", "-master.volumeSizeLimitMB=64"]
    argv += [f"-{name}.port={port}" for name, port in ports.items()]
    argv += [f"-{name}.port.grpc={free_port()}" for name in ports]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        _wait_until_ready(process, ports["s3"], folder / "log")
        yield settings_for(f"127.0.0.1:{ports['s3']}")
    finally:
        process.kill()  # its graceful stop takes over 20 s, and the data is thrown away
        process.wait(20)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"SeaweedFS did not start: {log.read_text()[-2000:]}")


@pytest.mark.services
class TestSeaweedFS(StoreContract):
    @pytest.fixture
    async def store(self, seaweedfs: Settings) -> ObjectStore:
        store = ObjectStore(seaweedfs)
        await store.ensure_buckets()
        return store


class TestMemoryStore(StoreContract):
    """The double that other tests use."""

    @pytest.fixture
    async def store(self) -> MemoryStore:
        return MemoryStore()


async def test_no_server_is_unavailable_not_missing() -> None:
    with pytest.raises(StoreUnavailable):
        await ObjectStore(settings_for(f"127.0.0.1:{free_port()}")).get_bytes("models", "key")
