"""The settings as the pure parts of the road want them."""

from __future__ import annotations

from pathlib import PurePosixPath

from portal.compile import CpuPolicy, SharePolicy, SitePolicy
from portal.settings import Settings
from portal.spec.rules import SiteRules
from slurm.units import memory_mib


def site_policy(settings: Settings) -> SitePolicy:
    """Folders, CPUs a GPU, the plan's limit and what limits a share."""
    policy = settings.policy
    return SitePolicy(
        runs=PurePosixPath(settings.storage.runs),
        scratch=PurePosixPath(settings.storage.scratch),
        cpus=CpuPolicy(policy.cpus_per_gpu, policy.cpus_without_gpu),
        held_over_used=policy.plan_held_over_used,
        apptainer=settings.images.apptainer,
        shares=share_policy(settings),
    )


def share_policy(settings: Settings) -> SharePolicy:
    """The library that limits shares, and what one GPU of a type has."""
    library = settings.sharing.library
    sizes = {label: memory_mib(text) for label, text in settings.sharing.gpu_memory.items()}
    return SharePolicy(PurePosixPath(library) if library else None, sizes)


def site_rules(settings: Settings) -> SiteRules:
    """Storage roots and registries that a spec may name."""
    roots = tuple(str(root) for root in settings.storage.roots)
    return SiteRules(storage_roots=roots, registries=settings.images.registries)
