"""One person's run directories on a small file system of their own, the same one on every host: it can be full or read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.hosts import ROOT, SHARED, STATE, LabTrouble, on

HOSTS = ("svc", "gpu1", "gpu2", "gpu3")
SIZE = "4m"
GRAFT = Path(__file__).with_name("graft.py")
FILLER = "filler"


@dataclass(frozen=True)
class SmallFileSystem:
    """Mounted on this machine and, at the same place below /shared, on every host."""

    here: Path

    @property
    def there(self) -> str:
        """Its path on the hosts."""
        return f"/shared/{self.here.relative_to(SHARED)}"

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left until the block ends."""
        filler = self.here / FILLER
        try:
            with filler.open("wb", buffering=0) as file, _until_it_is_full():
                while True:
                    file.write(bytes(4096))
            yield
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing new can be opened for writing on any host; what is open stays so, as Linux has it for a busy mount."""
        covered: list[str] = []
        try:
            for host in HOSTS:
                on(host, "mount", "--bind", self.there, self.there)
                covered.append(host)
                on(host, "mount", "-o", "remount,bind,ro", self.there)
            yield
        finally:
            for host in covered:
                on(host, "umount", "--lazy", self.there)


@contextmanager
def _until_it_is_full() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


@contextmanager
def small_runs_of(user: str) -> Iterator[SmallFileSystem]:
    """The run directories that this person's jobs make in the block; they are gone afterwards."""
    here = SHARED / "runs" / user
    uid = int(on("svc", "id", "-u", user))
    gid = here.parent.stat().st_gid
    here.mkdir(exist_ok=True)
    os.chown(here, uid, gid)
    here.chmod(0o2750)
    options = f"size={SIZE},uid={uid},gid={gid},mode=2750"
    mounted: list[str] = []
    _run("mount", "-t", "tmpfs", "-o", options, "one-fault", str(here))
    made = SmallFileSystem(here)
    try:
        for host in HOSTS:
            _run(sys.executable, str(GRAFT), str(here), str(STATE / "nodes" / host / "root"), made.there)
            mounted.append(host)
        yield made
    finally:
        for host in mounted:
            on(host, "umount", "--lazy", made.there)
        _run("umount", "--lazy", str(here))


def _run(*argv: str) -> None:
    """On this machine. Raises LabTrouble."""
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    if ran.returncode != 0:
        raise LabTrouble(f"{' '.join(argv)}: {ran.stderr}")
