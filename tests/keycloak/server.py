"""A Keycloak of the tests' own: from Maven Central, kept in ~/.cache, run on loopback with its data in memory."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.keycloak.realm import ADMIN_PASSWORD, realm

VERSION = "26.7.3"
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
ADDRESS = (
    f"https://repo1.maven.org/maven2/org/keycloak/keycloak-quarkus-dist/{VERSION}/keycloak-quarkus-dist-{VERSION}.zip"
)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "one-keycloak"
START_TIMEOUT_S = 600
DOWNLOAD_TIMEOUT_S = 600


def distribution() -> Path:
    """The unpacked distribution, downloaded and compared with its checksum the first time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = CACHE / f"keycloak-{VERSION}"
        if not (home / "version.txt").exists():
            archive = CACHE / "keycloak.zip"
            with urllib.request.urlopen(ADDRESS, timeout=DOWNLOAD_TIMEOUT_S) as answer, archive.open("wb") as file:
                shutil.copyfileobj(answer, file)
            assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, f"{ADDRESS} is not what it was"
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(CACHE)
            archive.unlink()
    return home


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def keycloak(folder: Path) -> Iterator[str]:
    """A running Keycloak with the tests' realm: its base address. `folder` gets a copy to run in and its log."""
    home, port = folder / "keycloak", free_port()
    shutil.copytree(distribution(), home, symlinks=True)
    (home / "data" / "import").mkdir(parents=True)
    for name in ("one", "other"):
        (home / "data" / "import" / f"{name}-realm.json").write_text(json.dumps(realm(name)))
    options = ["--http-host=127.0.0.1", f"--http-port={port}", "--cache=local", "--db=dev-mem", "--import-realm"]
    environ = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "root",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx384m",
        "KC_HTTP_MANAGEMENT_PORT": str(free_port()),
    }
    log = (folder / "keycloak.log").open("w")
    command = ["bash", str(home / "bin" / "kc.sh"), "start-dev", *options]
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, start_new_session=True)
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(base, process, folder / "keycloak.log")
        yield base
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        log.close()


def wait_for(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx2.get(f"{base}/realms/one/.well-known/openid-configuration", timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Keycloak did not start:\n{log.read_text()[-3000:]}")
