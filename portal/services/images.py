"""Container images as the portal knows them by digest: what is converted, how large, in use or not, and their removal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Image, Workload
from portal.domain.lifecycle import LIVE
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, NotFound
from portal.services.paging import Page, contains, paged

REMOVING = "removing"
"""The state that asks the daemon to delete the SIF: the web process cannot write where the files are."""


async def page(session: AsyncSession, q: str, number: int, size: int) -> Page[Image]:
    """A page of all images, by reference; every role sees them."""
    query = select(Image).order_by(Image.reference, Image.digest)
    if q:
        query = query.where(or_(contains(Image.reference, q), contains(Image.digest, q)))
    return await paged(session, query, number, size)


async def get(session: AsyncSession, digest: str) -> Image:
    """One image; every role sees it. Raises NotFound."""
    image = await session.get(Image, digest)
    if image is None:
        raise NotFound("image", digest)
    return image


async def remove(session: AsyncSession, actor: Actor, digest: str) -> Image:
    """Ask for the SIF's removal (the next run converts it again). Raises Forbidden, NotFound, Conflict while it is in use."""
    demand(actor, Permission.IMAGE_REMOVE)
    image = await get(session, digest)
    if users := await _users_of(session, digest):
        names = ", ".join(users)
        raise Conflict("image_in_use", f"This image is in use by {names}.", f"사용 중인 이미지입니다: {names}.")
    before = {"state": image.state, "reference": image.reference}
    image.state = REMOVING
    record(session, actor, Action.IMAGE_REMOVE, "image", digest, before=before, after={"state": REMOVING})
    return image


async def _users_of(session: AsyncSession, digest: str) -> list[str]:
    """Ids of the live workloads whose resolved spec names the image."""
    live = Workload.state.in_([state.value for state in LIVE]) & Workload.resolved.is_not(None)
    query = select(Workload.id, Workload.resolved).where(live).order_by(Workload.id)
    return [workload_id for workload_id, resolved in await session.execute(query) if digest in _digests(resolved)]


def _digests(resolved: dict[str, Any] | None) -> set[str | None]:
    return {part["image"].get("digest") for task in (resolved or {}).get("tasks", ()) for part in task["components"]}
