"""The settings as the pure parts of the road want them."""

from __future__ import annotations

from pathlib import PurePosixPath

from portal.compile import CpuPolicy, SitePolicy
from portal.settings import Settings
from portal.spec.rules import SiteRules


def site_policy(settings: Settings) -> SitePolicy:
    """Folders, CPUs a GPU and the plan's limit."""
    policy = settings.policy
    return SitePolicy(
        runs=PurePosixPath(settings.storage.runs),
        scratch=PurePosixPath(settings.storage.scratch),
        cpus=CpuPolicy(policy.cpus_per_gpu, policy.cpus_without_gpu),
        held_over_used=policy.plan_held_over_used,
    )


def site_rules(settings: Settings) -> SiteRules:
    """Storage roots and registries that a spec may name."""
    roots = tuple(str(root) for root in settings.storage.roots)
    return SiteRules(storage_roots=roots, registries=settings.images.registries)
