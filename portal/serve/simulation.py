"""The simulated cluster of `one serve --simulate`: Slurm, registry and conversion played, the clock turned by the wall's."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

import anyio

from containers.convert_client import Converted, Progress
from containers.image import ImageConfig, ResolvedImage
from containers.reference import Reference
from portal.serve.folder import DataFolder, write_private
from slurm.fake import FakeSlurm
from slurm.fake.cluster import lab_cluster
from slurm.fake.keep import cluster_text, fingerprint, runners_text, take_up, take_up_runners
from slurm.fake.played import PlayedRunners
from slurm.submission import Submission

TURN_S = 0.2
ACCOUNT = "lab"
GPU_LABELS = {"tesla_v100": "V100"}
REGISTRIES = ("registry.avatar.io", "docker.io", "ghcr.io", "quay.io", "nvcr.io", "registry.gitlab.com")
"""None of them is asked: every image of these exists."""
OPERATOR_IMAGE = f"{REGISTRIES[0]}/operator-python:1.0"
IMAGE = ImageConfig(entrypoint=("/main",))
IMAGE_BYTES = 1 << 30


class SimulatedSlurm(FakeSlurm):
    """A simulated cluster for one Unix user that remembers its jobs in the data folder and goes on where it was stopped."""

    def __init__(self, folder: DataFolder, unix_user: str, speed: float) -> None:
        super().__init__(lab_cluster(users=(unix_user,)))
        self._folder = folder
        self._runners = PlayedRunners(self.cluster, speed)
        self.cluster.now = time.time()
        if folder.cluster.exists():
            take_up(self.cluster, folder.cluster.read_text())
        if folder.runners.exists():
            take_up_runners(self._runners, folder.runners.read_text())
        self._kept: tuple[object, str] = ((), "")

    async def submit(self, submission: Submission) -> tuple[int, ...]:
        """As Slurm does: what was answered is not forgotten by a crash."""
        ids = await super().submit(submission)
        self.keep()
        return ids

    def turn(self) -> None:
        """Bring the cluster to the time it is now."""
        self._runners.advance(time.time())
        self.keep()

    def keep(self) -> None:
        """Write down what has changed since the last time."""
        jobs, runners = fingerprint(self.cluster), runners_text(self._runners)
        if jobs != self._kept[0]:
            write_private(self._folder.cluster, cluster_text(self.cluster))
        if runners != self._kept[1]:
            write_private(self._folder.runners, runners)
        self._kept = (jobs, runners)

    async def run(self) -> None:
        """Turn the clock until cancelled."""
        while True:
            self.turn()
            await anyio.sleep(TURN_S)


async def resolve(reference: Reference) -> ResolvedImage:
    """Every image exists; its digest is made of its name, so that it is the same next time."""
    digest = "sha256:" + hashlib.sha256(str(reference).encode()).hexdigest()
    return ResolvedImage(reference.pinned(digest), IMAGE, "amd64", IMAGE_BYTES)


class SimulatedConverter:
    """Makes a SIF that says it is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def convert(
        self, reference: str, digest: str, in_use: Collection[str]
    ) -> AsyncGenerator[Progress | Converted]:
        """See `containers.convert_client.convert`."""
        yield Progress("simulated: nothing is downloaded")
        path = self._path(digest)
        path.write_text(f"simulated: this stands for {reference}@{digest}\n")
        yield Converted(path, path.stat().st_size, IMAGE)

    async def remove(self, digest: str) -> int:
        """See `containers.convert_client.remove`."""
        path = self._path(digest)
        size = path.stat().st_size if path.exists() else 0
        path.unlink(missing_ok=True)
        return size

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest.replace(':', '-')}.sif"
