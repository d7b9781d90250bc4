"""Is there such an image? The web process asks by a row, the daemon looks in the registry, and everybody reads the answer.

A check changes nothing that anybody made, so it writes no audit row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from containers.errors import InvalidReference, RegistryNotAllowed
from containers.reference import check_allowed, from_spec
from portal.db.models import ComponentVersion, ImageCheck, now
from portal.domain.permissions import RESEARCHER, Permission
from portal.services.access import demand
from portal.services.audit import DAEMON, Action, Actor, record
from portal.services.errors import Invalid
from portal.settings import Settings
from portal.spec.problems import problem

CHECKING, VERIFIED, NOT_FOUND, UNREACHABLE = "checking", "verified", "not_found", "unreachable"
NOT_ALLOWED, UNUSABLE, UNCHECKED = "not_allowed", "unusable", "unchecked"
FRESH = timedelta(minutes=1)
"""An answer as young as this still holds."""
RETRY_AFTER = timedelta(seconds=30)
KEPT = timedelta(days=7)
"""Answers about images that no component has."""


@dataclass(frozen=True)
class Check:
    """What is known of an image; `unchecked`: nobody has asked."""

    reference: str
    state: str
    digest: str = ""
    architecture: str = ""
    size_bytes: int | None = None
    entrypoint: str = ""
    message: str = ""

    @property
    def settled(self) -> bool:
        """No answer is on its way."""
        return self.state != CHECKING

    def as_json(self) -> dict[str, Any]:
        """For scripts and programs."""
        return {
            "reference": self.reference,
            "state": self.state,
            "digest": self.digest or None,
            "architecture": self.architecture or None,
            "sizeBytes": self.size_bytes,
            "entrypoint": self.entrypoint or None,
            "message": self.message,
        }


@dataclass(frozen=True)
class Answer:
    """What the registry said to the daemon."""

    state: str
    digest: str | None = None
    architecture: str = ""
    size_bytes: int | None = None
    config: dict[str, Any] | None = None
    message: str = ""


async def ask(session: AsyncSession, actor: Actor, settings: Settings, registry: str, tag: str) -> Check:
    """Have the image looked at, unless a good answer is fresh. Raises Forbidden, and Invalid for what is no reference."""
    demand(actor, Permission.IMAGE_CHECK, role=RESEARCHER)
    if refused := _refused(settings, registry, tag):
        return refused
    reference = f"{registry}:{tag}"
    row = await session.get(ImageCheck, reference)
    if row is None:
        row = await _first(session, reference, registry, tag)
    elif row.state != CHECKING and not _fresh(row):
        row.state, row.asked_at = CHECKING, now()
    return _check(row)


async def look(session: AsyncSession, settings: Settings, registry: str, tag: str) -> Check:
    """What is known; asks nobody. Raises Invalid for what is no reference."""
    if refused := _refused(settings, registry, tag):
        return refused
    row = await session.get(ImageCheck, f"{registry}:{tag}")
    return _check(row) if row is not None else Check(f"{registry}:{tag}", UNCHECKED)


async def is_missing(session: AsyncSession, registry: str, tag: str) -> bool:
    """Whether the registry said a moment ago that it has no such image; an older answer may be wrong by now."""
    row = await session.get(ImageCheck, f"{registry}:{tag}")
    return row is not None and row.state == NOT_FOUND and _young(row)


async def known(session: AsyncSession, references: Collection[str]) -> dict[str, Check]:
    """What is known of these images, by reference."""
    if not references:
        return {}
    rows = await session.scalars(select(ImageCheck).where(ImageCheck.reference.in_(set(references))))
    return {row.reference: _check(row) for row in rows}


async def away(session: AsyncSession, references: Collection[str]) -> list[str]:
    """Those of these images whose registry did not answer the last time, also while it is asked again."""
    query = select(ImageCheck.reference).where(
        ImageCheck.reference.in_(set(references)),
        ImageCheck.state.in_((CHECKING, UNREACHABLE)),
        ImageCheck.retry_at.is_not(None),
    )
    return list(await session.scalars(query.order_by(ImageCheck.reference)))


async def waiting(session: AsyncSession, most: int) -> Sequence[str]:
    """References for the daemon to look at: what was asked for, and again where a registry did not answer and it matters."""
    again = and_(ImageCheck.state == UNREACHABLE, ImageCheck.retry_at <= now(), _matters())
    query = select(ImageCheck.reference).where(or_(ImageCheck.state == CHECKING, again)).order_by(ImageCheck.asked_at)
    return list(await session.scalars(query.limit(most)))


async def answered(session: AsyncSession, reference: str, answer: Answer) -> None:
    """Keep what the registry said; versions of components that wait for their digest get it."""
    row = await session.get_one(ImageCheck, reference)
    row.state, row.message, row.checked_at = answer.state, answer.message[:2000], now()
    row.retry_at = now() + RETRY_AFTER if answer.state == UNREACHABLE else None
    row.digest, row.architecture = answer.digest, answer.architecture
    row.size_bytes, row.config = answer.size_bytes, answer.config
    if answer.state != VERIFIED:
        return
    lacking = select(ComponentVersion).where(
        ComponentVersion.repository == row.repository,
        ComponentVersion.tag == row.tag,
        ComponentVersion.digest.is_(None),
    )
    for version in (await session.scalars(lacking)).unique():
        version.digest = answer.digest
        facts = {"version": version.version, "image": reference, "digest": answer.digest}
        record(session, DAEMON, Action.COMPONENT_IMAGE, "component", version.component_id, after=facts)


async def forget_old(session: AsyncSession) -> None:
    """Answers about images that no component has do not stay for ever."""
    await session.execute(delete(ImageCheck).where(ImageCheck.asked_at < now() - KEPT, ~_matters()))


def _matters() -> Any:
    same = and_(ComponentVersion.repository == ImageCheck.repository, ComponentVersion.tag == ImageCheck.tag)
    return exists().where(same).correlate(ImageCheck)


def _refused(settings: Settings, registry: str, tag: str) -> Check | None:
    """What is answered without the registry: the site does not take its images."""
    try:
        check_allowed(from_spec(registry, tag), settings.images.registries)
    except InvalidReference as error:
        wrong = problem("$.image", "bad_image", image=f"{registry}:{tag}")
        raise Invalid("bad_image", wrong.message_en, wrong.message_ko, [wrong]) from error
    except RegistryNotAllowed as error:
        return Check(f"{registry}:{tag}", NOT_ALLOWED, message=", ".join(error.allowed))
    return None


def _fresh(row: ImageCheck) -> bool:
    return row.state == VERIFIED and _young(row)


def _young(row: ImageCheck) -> bool:
    return row.checked_at is not None and row.checked_at > now() - FRESH


async def _first(session: AsyncSession, reference: str, registry: str, tag: str) -> ImageCheck:
    row = ImageCheck(reference=reference, repository=registry, tag=tag, state=CHECKING)
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError:  # somebody asked the same at the same moment
        return await session.get_one(ImageCheck, reference)
    return row


def _check(row: ImageCheck) -> Check:
    config = row.config or {}
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return Check(
        row.reference,
        row.state,
        row.digest or "",
        row.architecture,
        row.size_bytes,
        " ".join(words),
        row.message,
    )
