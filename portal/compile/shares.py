"""What keeps a share of a GPU to its part: HAMi-core's library, which the site provides, and the variables it reads; pure.

The limit is cooperative: the library is preloaded into the container, and a program that takes LD_PRELOAD out of its
environment runs without it. Slurm's gres/shard counts shares and enforces nothing.
Source: https://github.com/Project-HAMi/HAMi-core (README, 2026-08)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import PurePosixPath

from containers.runtime import Mount
from slurm.inventory import NodeClass
from slurm.plan import Group

LIBRARY_INSIDE = "/one/lib/libvgpu.so"
LOCK_FOLDER = "/tmp/vgpulock"
"""HAMi-core before 2026-08 waits for ever for a lock file in this folder where nobody has made it."""
USE_FILE = "/tmp/one-gpu-share.cache"
"""Where the step's processes add up what they use together; /tmp is the container's own."""
_PERCENT = 100


@dataclass(frozen=True)
class SharePolicy:
    """The library as every node has it (None: nothing limits a share), and the memory of one GPU by its label, in MiB."""

    library: PurePosixPath | None = None
    gpu_memory_mib: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShareLimit:
    """What a container with a share gets beside its own: variables, the mounted library, a folder that must exist."""

    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    folders: tuple[str, ...] = ()


NO_LIMIT = ShareLimit()


def limit_of(shards: int, group: Group, inventory: Sequence[NodeClass], policy: SharePolicy) -> ShareLimit:
    """The limit of `shards` shares in `group`: its part of the cores, and of the memory where the site says how much there is."""
    part = _part(shards, group, inventory)
    if policy.library is None or part is None:
        return NO_LIMIT
    env = {
        "LD_PRELOAD": LIBRARY_INSIDE,
        "CUDA_DEVICE_SM_LIMIT": str(max(1, int(part * _PERCENT))),
        "CUDA_DEVICE_MEMORY_SHARED_CACHE": USE_FILE,
    }
    memory_mib = policy.gpu_memory_mib.get(group.gpu_type or "")
    if memory_mib:
        env["CUDA_DEVICE_MEMORY_LIMIT"] = f"{max(1, int(part * memory_mib))}m"
    return ShareLimit(env, (Mount(str(policy.library), LIBRARY_INSIDE, read_only=True),), (LOCK_FOLDER,))


def _part(shards: int, group: Group, inventory: Sequence[NodeClass]) -> Fraction | None:
    """The part of one GPU; of nodes that cut theirs differently the smallest, so that no neighbour loses. None: no share."""
    here = (one for one in inventory if (one.partition, one.gres_type) == (group.partition, group.gres_type))
    per_gpu = max((one.shards_per_gpu for one in here), default=0)
    return min(Fraction(shards, per_gpu), Fraction(1)) if shards and per_gpu else None


def shards_per_gpu(inventory: Sequence[NodeClass]) -> dict[str, int]:
    """GPU type -> into how many shares one is cut; types without shares are absent. Of several cuts the coarsest counts."""
    found: dict[str, int] = {}
    for one in inventory:
        if one.label and one.shards_per_gpu:
            found[one.label] = min(found.get(one.label, one.shards_per_gpu), one.shards_per_gpu)
    return found
