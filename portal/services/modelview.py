"""Models as a list and a page show them: aliases, the figure that stands for each, where it comes from, what one may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import AliasMove, App, Model, ModelNote, User, Workload
from portal.domain.metrics import KeyMetric, key_metric
from portal.domain.permissions import Permission
from portal.services import aliases, modelchanges, models
from portal.services.access import allowed, model_facts, workload_facts
from portal.services.audit import Actor
from portal.services.models import ModelFilter
from portal.services.paging import Page

MOST_CHOICES = 200
"""Longer lists are searched, by name or id."""
FIGURES = ("count", "first", "final", "min", "max", "mean")


@dataclass(frozen=True)
class ModelLine:
    """One version in a list."""

    model: Model
    aliases: tuple[str, ...]
    metric: KeyMetric | None
    may_download: bool
    files: int


@dataclass(frozen=True)
class MetricLine:
    """One metric that a step reported, with the figures of a manifest (FIGURES)."""

    step: str
    name: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class ModelDetail:
    """One version with everything around it; `versions` are all of the App, the newest first, `notes` and `moves` too.

    `lineage` is the manifest's, {} before it is written; `refused` names files of the run that were not stored.
    """

    line: ModelLine
    versions: tuple[ModelLine, ...]
    moves: tuple[AliasMove, ...]
    notes: tuple[ModelNote, ...]
    lineage: Mapping[str, Any]
    metrics: tuple[MetricLine, ...]
    refused: tuple[str, ...]
    may_edit: bool
    may_purge: bool
    may_alias: bool
    may_read_logs: bool

    @property
    def newer(self) -> Model | None:
        """The App's newest version, where it is another and not archived."""
        found = [line.model for line in self.versions if line.model.archived_at is None]
        return found[0] if found and found[0].version > self.line.model.version else None


@dataclass(frozen=True)
class Choices:
    """What the filters offer: owners and Apps that have visible models; no Apps where they are too many to choose from."""

    apps: tuple[tuple[str, str], ...]
    owners: tuple[tuple[str, str], ...]


async def page(session: AsyncSession, actor: Actor, wanted: ModelFilter, number: int, size: int) -> Page[ModelLine]:
    """A page of the visible models."""
    found = await models.page(session, actor, wanted, number, size)
    return Page(await lines(session, actor, found.items), found.total)


async def lines(session: AsyncSession, actor: Actor, found: Sequence[Model]) -> list[ModelLine]:
    """These models as lines."""
    carried = await aliases.current(session, {model.app_id for model in found})
    return [
        ModelLine(
            model,
            carried.get((model.app_id, model.version), ()),
            key_metric(lineage_of(model).get("metrics", {})),
            models.is_whole(model) and allowed(actor, Permission.MODEL_DOWNLOAD, model_facts(model)),
            len((model.manifest or {}).get("files", ())),
        )
        for model in found
    ]


async def choices(session: AsyncSession, actor: Actor) -> Choices:
    """What the list can be narrowed to."""
    shown = models.visible(actor).join(User, User.id == Workload.owner_id)
    named = shown.with_only_columns(App.id, App.name).distinct().order_by(App.name, App.id)
    apps = (await session.execute(named.limit(MOST_CHOICES + 1))).all()
    people = await session.execute(
        shown.with_only_columns(User.username, User.display_name).distinct().order_by(User.display_name)
    )
    offered = apps if len(apps) <= MOST_CHOICES else ()
    return Choices(tuple((row[0], row[1]) for row in offered), tuple((row[0], row[1]) for row in people))


async def detail(session: AsyncSession, actor: Actor, app_id: str, version: int) -> ModelDetail:
    """One version of an App's models. Raises NotFound."""
    model = await models.get(session, actor, app_id, version)
    siblings = await session.scalars(models.visible(actor).where(Model.app_id == app_id).order_by(Model.version.desc()))
    all_lines = await lines(session, actor, list(siblings.unique()))
    facts = model_facts(model)
    lineage = lineage_of(model)
    return ModelDetail(
        line=next(line for line in all_lines if line.model.version == model.version),
        versions=tuple(all_lines),
        moves=await aliases.history(session, app_id),
        notes=await modelchanges.notes(session, model),
        lineage=lineage,
        metrics=tuple(_metrics(lineage)),
        refused=tuple((model.manifest or {}).get("refused", ())),
        may_edit=allowed(actor, Permission.MODEL_EDIT, facts),
        may_purge=models.is_whole(model) and allowed(actor, Permission.MODEL_EDIT, facts),
        may_alias=allowed(actor, Permission.MODEL_ALIAS, facts),
        may_read_logs=allowed(actor, Permission.WORKLOAD_LOGS, workload_facts(model.workload)),
    )


def lineage_of(model: Model) -> Mapping[str, Any]:
    """Where the model comes from, as its manifest says; {} before it is written."""
    found: Mapping[str, Any] = (model.manifest or {}).get("lineage", {})
    return found


def _metrics(lineage: Mapping[str, Any]) -> list[MetricLine]:
    return [
        MetricLine(step, name, figures)
        for step, said in lineage.get("metrics", {}).items()
        for name, figures in said.get("metrics", {}).items()
    ]
