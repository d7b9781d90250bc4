"""What becomes of a whole App: put away and taken back, shown to the lab or not, copied, drawn again from an older version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, Draft, now
from portal.domain.permissions import Permission
from portal.services import apps, drafts
from portal.services.access import app_facts, demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.settings import Settings
from portal.spec.diff import DiffGroup, diff_specs
from portal.spec.load import load_spec
from portal.spec.version import next_version, version_key

VISIBILITIES = ("lab", "private")


@dataclass(frozen=True)
class Comparison:
    """Two versions of an App and what differs from `old` to `new`; nothing: they are the same but for the version."""

    old: str
    new: str
    groups: tuple[DiffGroup, ...]


async def archive(session: AsyncSession, actor: Actor, app_id: str) -> App:
    """Put an App away: lists leave it out and nobody requests it; nothing of it is deleted. Raises NotFound, Forbidden."""
    app = await _managed(session, actor, app_id, Permission.APP_ARCHIVE)
    if app.archived_at is None:
        app.archived_at = now()
        record(session, actor, Action.APP_ARCHIVE, "app", app_id)
    return app


async def restore(session: AsyncSession, actor: Actor, app_id: str) -> App:
    """Take an App back from the archive. Raises NotFound, Forbidden."""
    app = await _managed(session, actor, app_id, Permission.APP_ARCHIVE)
    if app.archived_at is not None:
        app.archived_at = None
        record(session, actor, Action.APP_RESTORE, "app", app_id)
    return app


async def share(session: AsyncSession, actor: Actor, app_id: str, *, visibility: str, share_logs: bool) -> App:
    """Who sees the App (`lab` or `private`), and whether they read the logs of its runs. Raises NotFound, Forbidden, Invalid."""
    if visibility not in VISIBILITIES:
        raise Invalid(
            "bad_visibility",
            "The visibility is “lab” or “private”.",
            "공개 범위는 “lab” 또는 “private”입니다.",
        )
    app = await _managed(session, actor, app_id, Permission.APP_SHARE)
    before, after = _shared(app), {"visibility": visibility, "share_logs": share_logs}
    if before != after:
        app.visibility, app.share_logs = visibility, share_logs
        record(session, actor, Action.APP_SHARE, "app", app_id, before=before, after=after)
    return app


async def duplicate(session: AsyncSession, actor: Actor, settings: Settings, app_id: str, version: str) -> App:
    """A new App of one's own whose draft is that version. Raises NotFound, Forbidden."""
    base = await apps.version(session, actor, app_id, version)
    made = await drafts.create_app(session, actor, settings, name=base.app.name)
    spec = {**base.spec, "app_id": made.id, "version": drafts.FIRST_VERSION}
    await drafts.save(session, actor, made.id, revision=0, spec=spec, layout={})
    return made


async def draft_from(session: AsyncSession, actor: Actor, app_id: str, version: str) -> Draft:
    """A draft that begins as an older version, with a number above all. Raises NotFound, Forbidden, Conflict (there is one)."""
    known = [one.version for one in await apps.versions(session, actor, app_id)]
    base = await apps.version(session, actor, app_id, version)
    if await session.scalar(select(Draft.app_id).where(Draft.app_id == app_id)):
        raise Conflict(
            "draft_open",
            "There is an open draft. Publish or discard it in the Builder first.",
            "열려 있는 초안이 있습니다. 빌더에서 먼저 발행하거나 버리세요.",
        )
    spec = {**base.spec, "version": next_version(max(known, key=version_key))}
    return await drafts.save(session, actor, app_id, revision=0, spec=spec, layout={})


async def compare(session: AsyncSession, actor: Actor, app_id: str, old: str, new: str) -> Comparison:
    """What differs between two versions; the version field itself is left out. Raises NotFound."""
    before = await apps.version(session, actor, app_id, old)
    after = await apps.version(session, actor, app_id, new)
    groups = diff_specs(load_spec({**before.spec, "version": after.version}).spec, load_spec(after.spec).spec)
    return Comparison(before.version, after.version, groups)


async def _managed(session: AsyncSession, actor: Actor, app_id: str, permission: Permission) -> App:
    app = await apps.get(session, actor, app_id)
    demand(actor, permission, app_facts(app))
    return app


def _shared(app: App) -> dict[str, Any]:
    return {"visibility": app.visibility, "share_logs": app.share_logs}
