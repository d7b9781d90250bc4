"""One search over everything that has a name: Apps, components, workloads (Slurm job ids too), models, nodes, people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy import String, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Base
from portal.domain.permissions import Permission
from portal.services import appview, cluster, models, people, workloads
from portal.services.access import allowed
from portal.services.audit import Actor
from portal.services.models import ModelFilter
from portal.services.workloads import WorkloadFilter
from portal.settings import Settings
from slurm.ids import parse_job_id

MOST = 6
"""Of each kind; who wants more goes to the list."""
MAX_CHARS = 100


@dataclass(frozen=True)
class Hit:
    """One thing that was found: its kind, its id, the name shown, a word about it, and what else its address needs."""

    kind: str
    id: str
    name: str
    note: str = ""
    parts: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Group:
    """What was found of one kind, and how many there are in all."""

    kind: str
    hits: tuple[Hit, ...]
    total: int


@dataclass(frozen=True)
class Asked:
    """Who looks for what."""

    session: AsyncSession
    actor: Actor
    settings: Settings
    text: str


Finder = Callable[[Asked], Awaitable[Group]]


async def search(session: AsyncSession, actor: Actor, settings: Settings, text: str) -> tuple[Group, ...]:
    """The groups in which something was found, as this person may see it; nothing for an empty text."""
    text = " ".join(text.split())[:MAX_CHARS]
    if not text:
        return ()
    asked = Asked(session, actor, settings, text)
    found = [await finder(asked) for finder in _FINDERS]
    return tuple(group for group in found if group.hits)


async def _jobs(asked: Asked) -> Group:
    """The workload that a Slurm job belongs to."""
    try:
        parse_job_id(asked.text)
    except ValueError:
        return Group("job", (), 0)
    page = await workloads.page(asked.session, asked.actor, WorkloadFilter(job=asked.text), 1, MOST)
    return Group("job", tuple(Hit("workload", one.id, one.name, asked.text) for one in page.items), page.total)


async def _apps(asked: Asked) -> Group:
    page = await appview.page(
        asked.session, asked.actor, asked.settings, appview.Wanted(q=asked.text, sort="name", descending=False), 1, MOST
    )
    return Group("app", tuple(Hit("app", line.app.id, line.app.name, line.app.id) for line in page.items), page.total)


async def _components(asked: Asked) -> Group:
    """Of the library, where this portal has one; everybody sees it."""
    table = Base.metadata.tables.get("components")
    if table is None:
        return Group("component", (), 0)
    fits = or_(*(cast(table.c[name], String).icontains(asked.text, autoescape=True) for name in ("id", "name")))
    query = select(table.c.id, table.c.name).where(fits).order_by(table.c.name)
    rows = list(await asked.session.execute(query.limit(MOST)))
    return Group("component", tuple(Hit("component", row[0], row[1], row[0]) for row in rows), len(rows))


async def _workloads(asked: Asked) -> Group:
    page = await workloads.page(asked.session, asked.actor, WorkloadFilter(q=asked.text), 1, MOST)
    return Group("workload", tuple(Hit("workload", one.id, one.name, one.id) for one in page.items), page.total)


async def _models(asked: Asked) -> Group:
    page = await models.page(asked.session, asked.actor, ModelFilter(q=asked.text), 1, MOST)
    hits = (
        Hit("model", str(one.id), one.name, f"{one.app_id} v{one.version}", (one.app_id, one.name, f"v{one.version}"))
        for one in page.items
    )
    return Group("model", tuple(hits), page.total)


async def _nodes(asked: Asked) -> Group:
    if not allowed(asked.actor, Permission.CLUSTER_READ):
        return Group("node", (), 0)
    view = await cluster.nodes(asked.session, asked.settings)
    found = [node for node in view.nodes if asked.text.casefold() in node.name.casefold()]
    hits = (Hit("node", node.name, node.name, ", ".join(node.partitions)) for node in found[:MOST])
    return Group("node", tuple(hits), len(found))


async def _people(asked: Asked) -> Group:
    if not allowed(asked.actor, Permission.USER_MANAGE):
        return Group("user", (), 0)
    page = await people.page(asked.session, asked.actor, people.Wanted(q=asked.text), 1, MOST)
    hits = (Hit("user", user.username, user.display_name, user.username) for user in page.items)
    return Group("user", tuple(hits), page.total)


_FINDERS: tuple[Finder, ...] = (_jobs, _apps, _components, _workloads, _models, _nodes, _people)
