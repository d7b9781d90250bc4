"""A PostgreSQL that lives as long as a benchmark: in a folder of its own, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLACES = "/usr/lib/postgresql/*/bin"
_START_S = 60.0
_SERVER_USER = "postgres"
"""PostgreSQL does not run as root."""


@contextmanager
def postgres() -> Iterator[str]:
    """The database's URL while it runs. Raises FileNotFoundError without PostgreSQL's programs."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="one-bench-postgres-"))
    as_user: tuple[str, ...] = ()
    if os.getuid() == 0:
        owner = pwd.getpwnam(_SERVER_USER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ("runuser", "-u", _SERVER_USER, "--")
    data = folder / "data"
    made = (*as_user, str(programs / "initdb"), "-D", str(data), "-U", "one", "--auth=trust", "--encoding=UTF8")
    subprocess.run([*made, "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    options = ("-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "max_connections=100")
    server = subprocess.Popen(
        [*as_user, str(programs / "postgres"), *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(programs, folder)
        yield f"postgresql+psycopg://one@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(_START_S)
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/").glob(_PLACES.lstrip("/")))
    if not found:
        raise FileNotFoundError(f"no PostgreSQL in {_PLACES}")
    return found[-1]


def _wait(programs: Path, folder: Path) -> None:
    until = time.monotonic() + _START_S
    while subprocess.run([str(programs / "pg_isready"), "-q", "-h", str(folder)], check=False).returncode:
        if time.monotonic() > until:
            raise TimeoutError(f"PostgreSQL does not start in {folder}")
        time.sleep(0.2)
