"""The approval rule as the site and its nodes have it: thresholds from the settings, and into how many shares a GPU is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from portal.compile import shards_per_gpu
from portal.domain.approval import ApprovalReason, Thresholds, approval_reasons
from portal.services import cluster
from portal.services.access import thresholds
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.models import AppSpec


@dataclass(frozen=True)
class ApprovalRule:
    """What decides whether a spec needs an approval; `shards_per_gpu` by GPU type."""

    thresholds: Thresholds
    shards_per_gpu: Mapping[str, int] = field(default_factory=dict)

    def reasons(self, spec: AppSpec) -> tuple[ApprovalReason, ...]:
        """Why this spec needs one; empty: it does not."""
        return approval_reasons(spec, self.thresholds, self.shards_per_gpu)


async def approval_rule(session: AsyncSession, settings: Settings) -> ApprovalRule:
    """The rule for any spec, with the nodes of the newest snapshot."""
    inventory = await cluster.inventory(session, settings)
    return ApprovalRule(thresholds(settings), shards_per_gpu(inventory))


async def reasons_for(session: AsyncSession, settings: Settings, spec: AppSpec) -> tuple[ApprovalReason, ...]:
    """Why this spec needs an approval. The nodes are only looked at where it asks for shares."""
    has_shares = any(component.resources.gpu_shards for _path, _task, component in components_of(spec))
    rule = await approval_rule(session, settings) if has_shares else ApprovalRule(thresholds(settings))
    return rule.reasons(spec)
