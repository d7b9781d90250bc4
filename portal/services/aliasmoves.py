"""Giving an alias to a model version, taking it away, and taking a move back; each move has its reason and its audit row."""

from __future__ import annotations

import re

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import AliasMove, Model
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import models
from portal.services.access import demand, model_facts
from portal.services.accounts import user_of
from portal.services.aliases import newest
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, invalid_field
from portal.services.modelfates import PURGE

USUAL = ("champion", "candidate")
MAX_REASON_CHARS = 500
_ALIAS = re.compile(r"(?!v\d+$|latest$)[a-z][a-z0-9._-]{0,31}")


async def give(
    session: AsyncSession, actor: Actor, app_id: str, version: int, alias: str, reason: str = ""
) -> AliasMove | None:
    """The alias is this version's from now on; None where it was already. Raises NotFound, Forbidden, Invalid, Conflict.

    An alias that another version has asks for a reason.
    """
    model = await _editable(session, actor, app_id, version)
    _check_alias(alias)
    last = await _last(session, app_id, alias)
    if last is not None and last.version == version:
        return None
    _check_reason(reason, needed=last is not None and last.version is not None)
    return await _write(session, actor, model, alias, last, version, reason)


async def take(
    session: AsyncSession, actor: Actor, app_id: str, version: int, alias: str, reason: str = ""
) -> AliasMove | None:
    """The version has the alias no more; None where it had not. Raises NotFound, Forbidden, Invalid, Conflict."""
    model = await _editable(session, actor, app_id, version)
    last = await _last(session, app_id, alias)
    if last is None or last.version != version:
        return None
    _check_reason(reason, needed=True)
    return await _write(session, actor, model, alias, last, None, reason)


async def take_back(
    session: AsyncSession, actor: Actor, app_id: str, version: int, alias: str, number: int
) -> AliasMove:
    """Undo: the alias goes where it was before move `number`. Raises Conflict when it has moved again since."""
    model = await _editable(session, actor, app_id, version)
    last = await _last(session, app_id, alias)
    if last is None or last.number != number:
        raise _moved_meanwhile()
    return await _write(session, actor, model, alias, last, last.from_version, "되돌리기 · Undo")


async def _editable(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    model = await models.get(session, actor, app_id, version)
    demand(actor, Permission.MODEL_ALIAS, model_facts(model), role=RESEARCHER)
    return model


async def _last(session: AsyncSession, app_id: str, alias: str) -> AliasMove | None:
    found: AliasMove | None = await session.scalar(
        select(AliasMove).where(AliasMove.app_id == app_id, AliasMove.alias == alias, newest())
    )
    return found


async def _write(
    session: AsyncSession,
    actor: Actor,
    model: Model,
    alias: str,
    last: AliasMove | None,
    version: int | None,
    reason: str,
) -> AliasMove:
    made = AliasMove(
        app_id=model.app_id,
        alias=alias,
        number=last.number + 1 if last else 1,
        from_version=last.version if last else None,
        version=version,
        reason=reason,
        moved_by=await user_of(session, actor),
    )
    await _keeps_its_files(session, model.app_id, version)
    try:
        async with session.begin_nested():
            session.add(made)
            await session.flush()
    except IntegrityError as error:
        raise _moved_meanwhile() from error
    before = {"alias": alias, "version": made.from_version}
    after = {"alias": alias, "version": version, "reason": reason}
    record(session, actor, Action.MODEL_ALIAS, "model", models.label(model), before=before, after=after)
    return made


async def _keeps_its_files(session: AsyncSession, app_id: str, version: int | None) -> None:
    """Where the alias goes; by an undo, that is another version than the one that is looked at. Raises Conflict."""
    gone = or_(Model.state == models.PURGED, Model.asked == PURGE)
    query = select(Model.id).where(Model.app_id == app_id, Model.version == version, gone)
    if version is not None and await session.scalar(query) is not None:
        english, korean = f"The files of v{version} were deleted.", f"v{version}의 파일은 삭제되었습니다."
        raise Conflict("model_purged", english, korean)


def _check_alias(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        raise invalid_field(
            "alias",
            "bad_alias",
            "An alias begins with a lower-case letter and has only lower-case letters, digits, '.', '_', '-' "
            "(32 at most; not v1, not latest).",
            "별칭은 영문 소문자로 시작하고 소문자, 숫자, '.', '_', '-'만 쓸 수 있습니다 (32자까지, v1이나 latest 제외).",
        )


def _check_reason(reason: str, *, needed: bool) -> None:
    if needed and not reason.strip():
        raise invalid_field(
            "reason",
            "reason_missing",
            "Say why: another version loses this alias.",
            "사유를 적으세요. 다른 버전이 이 별칭을 잃습니다.",
        )
    if len(reason) > MAX_REASON_CHARS:
        raise invalid_field(
            "reason",
            "too_long",
            f"At most {MAX_REASON_CHARS} characters.",
            f"{MAX_REASON_CHARS}자까지 쓸 수 있습니다.",
        )


def _moved_meanwhile() -> Conflict:
    return Conflict(
        "alias_moved",
        "Somebody moved this alias meanwhile. Look again.",
        "그 사이 다른 사람이 이 별칭을 옮겼습니다. 다시 확인하세요.",
    )
