"""Operators: uploaded once, kept in versions, run on finished workloads as often as their owner likes (D10)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from anyio import to_thread
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Analysis, Operator, OperatorVersion, Upload, User, now
from portal.domain.operatorfile import BadOperator, Package, check
from portal.domain.permissions import RESEARCHER, Permission
from portal.services.access import allowed, demand, operator_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid, NotFound, TooMany, invalid_field
from portal.services.ids import new_operator_id
from portal.services.models import storage_unavailable
from portal.services.quota import one_at_a_time
from portal.settings import Settings
from portal.spec.models import NAME_PATTERN
from portal.spec.problems import Problem
from portal.store import layout
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

BUCKET = "analysis"
FIELD = "file"
"""The field of a form, and of a problem, that has the upload."""
MAX_NAME_CHARS = 128
MAX_WAITING = 10
"""Uploads of one person that the daemon has not moved to S3 yet: nobody fills the database."""
RETRY_AFTER_S = 30


@dataclass(frozen=True)
class OperatorLine:
    """One Operator of a person: its versions, the newest first, and how often it was run."""

    operator: Operator
    versions: tuple[OperatorVersion, ...]
    runs: int

    @property
    def newest(self) -> OperatorVersion:
        """The version that is offered."""
        return self.versions[0]


def reference(version: OperatorVersion) -> str:
    """How requests name a version: `OP-A1B2C3:2`."""
    return f"{version.operator_id}:{version.number}"


def demand_operators(settings: Settings) -> None:
    """Raises Conflict where the site has set no image for Operators."""
    if not settings.operators.image:
        raise Conflict(
            "operators_off",
            "This site runs no Operators: an administrator sets `operators.image` first.",
            "이 사이트에서는 Operator를 실행하지 않습니다. 관리자가 `operators.image`를 먼저 설정해야 합니다.",
        )


async def upload(
    session: AsyncSession, actor: Actor, settings: Settings, *, filename: str, data: bytes, name: str = ""
) -> OperatorVersion:
    """Keep a file as an Operator of one's own, or as the next version of the one of that name.

    The same file again is the version that it was. Raises Forbidden, Conflict (off), Invalid (every problem), TooMany.
    """
    demand(actor, Permission.OPERATOR_CREATE, role=RESEARCHER)
    demand_operators(settings)
    name = _name(name.strip() or PurePosixPath(filename.replace("\\", "/")).stem)
    package = await _checked(settings, filename, data)
    owner = await session.get_one(User, actor.user_id)
    await one_at_a_time(session, owner)
    operator = await _operator(session, owner, name)
    newest = await _newest(session, operator)
    digest = hashlib.sha256(data).hexdigest()
    if newest is not None and newest.sha256 == digest:
        return newest
    version = OperatorVersion(
        operator_id=operator.id,
        number=newest.number + 1 if newest else 1,
        filename=PurePosixPath(filename.replace("\\", "/")).name[:128],
        form=package.form,
        sha256=digest,
        size_bytes=len(data),
        files=len(package.files),
        stored_at=now() if await _is_stored(session, digest) else None,
    )
    session.add(version)
    await session.flush()
    if version.stored_at is None:
        await _demand_room(session, owner)
        session.add(Upload(operator_version_id=version.id, data=data))
    facts = {"name": name, "version": version.number, "sha256": digest, "size_bytes": len(data), "files": version.files}
    record(session, actor, Action.OPERATOR_UPLOAD, "operator", operator.id, after=facts)
    await session.flush()
    await session.refresh(version, ["operator"])
    return version


async def find(session: AsyncSession, actor: Actor, text: str) -> OperatorVersion:
    """One's own Operator by `OP-A1B2C3` (its newest version) or `OP-A1B2C3:2`. Raises NotFound, Conflict (archived)."""
    operator_id, _, number = text.strip().partition(":")
    operator = await get(session, actor, operator_id)
    if operator.owner_id != actor.user_id:
        raise NotFound("operator", operator_id)
    if operator.archived_at is not None:
        raise Conflict(
            "operator_archived",
            f"{operator.name} is archived. Take it back from the archive first.",
            f"{operator.name}은(는) 보관된 Operator입니다. 먼저 보관을 해제하세요.",
        )
    return await version_of(session, operator, number)


async def get(session: AsyncSession, actor: Actor, operator_id: str) -> Operator:
    """One's own Operator, anybody's for an admin. Raises NotFound."""
    operator = await session.get(Operator, operator_id)
    if operator is None or not allowed(actor, Permission.OPERATOR_READ, operator_facts(operator)):
        raise NotFound("operator", operator_id)
    return operator


async def version_of(session: AsyncSession, operator: Operator, number: str = "") -> OperatorVersion:
    """A version by its number, "" for the newest. Raises NotFound."""
    query = select(OperatorVersion).where(OperatorVersion.operator_id == operator.id)
    if number:
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        query = query.where(OperatorVersion.number == (int(number) if is_number else 0))
    found: OperatorVersion | None = await session.scalar(query.order_by(OperatorVersion.number.desc()).limit(1))
    if found is None:
        raise NotFound("operator", f"{operator.id}:{number}")
    return found


async def mine(session: AsyncSession, actor: Actor, *, archived: bool = False) -> list[OperatorLine]:
    """One's own Operators by name; archived ones only where asked for."""
    demand(actor, Permission.OPERATOR_CREATE, role=RESEARCHER)
    query = select(OperatorVersion).join(Operator).where(Operator.owner_id == actor.user_id)
    if not archived:
        query = query.where(Operator.archived_at.is_(None))
    runs = select(OperatorVersion.operator_id, func.count()).join(
        Analysis, Analysis.operator_version_id == OperatorVersion.id
    )
    counts = {row[0]: row[1] for row in await session.execute(runs.group_by(OperatorVersion.operator_id))}
    grouped: dict[str, list[OperatorVersion]] = {}
    for version in await session.scalars(query.order_by(Operator.name, OperatorVersion.number.desc())):
        grouped.setdefault(version.operator_id, []).append(version)
    return [OperatorLine(found[0].operator, tuple(found), counts.get(key, 0)) for key, found in grouped.items()]


async def archive(session: AsyncSession, actor: Actor, operator_id: str, *, back: bool = False) -> Operator:
    """Offer it no more, or again (`back`); what it found out stays. Raises NotFound, Forbidden."""
    operator = await get(session, actor, operator_id)
    demand(actor, Permission.OPERATOR_EDIT, operator_facts(operator), role=RESEARCHER)
    if (operator.archived_at is None) != back:
        operator.archived_at = None if back else now()
        action = Action.OPERATOR_RESTORE if back else Action.OPERATOR_ARCHIVE
        record(session, actor, action, "operator", operator.id, after={"name": operator.name})
    return operator


async def content(session: AsyncSession, store: ObjectStore, version: OperatorVersion) -> bytes:
    """The uploaded file, wherever it is now. Raises Unavailable."""
    waiting = select(Upload.data).join(OperatorVersion).where(OperatorVersion.sha256 == version.sha256).limit(1)
    data: bytes | None = await session.scalar(waiting)
    if data is not None:
        return data
    try:
        return await store.get_bytes(BUCKET, layout.operator(version.sha256))
    except StoreError as error:
        raise storage_unavailable(missing=isinstance(error, ObjectMissing)) from error


def _name(name: str) -> str:
    if len(name) > MAX_NAME_CHARS or not re.fullmatch(NAME_PATTERN, name):
        raise invalid_field(
            "operator_name",
            "bad_name",
            f"A name has 1 to {MAX_NAME_CHARS} characters, and no control characters.",
            f"이름은 1~{MAX_NAME_CHARS}자이고 제어 문자를 쓸 수 없습니다.",
        )
    return name


async def _checked(settings: Settings, filename: str, data: bytes) -> Package:
    try:
        return await to_thread.run_sync(check, filename, data, settings.operators.max_mb << 20)
    except BadOperator as error:
        problems = [
            Problem(FIELD, "bad_operator", f"{one.name}: {one.text_ko}", f"{one.name}: {one.text_en}", "", "")
            for one in error.findings
        ]
        raise Invalid(
            "bad_operator", "This file cannot be an Operator.", "Operator로 쓸 수 없는 파일입니다.", problems
        ) from error


async def _operator(session: AsyncSession, owner: User, name: str) -> Operator:
    """The owner's Operator of this name; an archived one is taken back."""
    query = select(Operator).where(Operator.owner_id == owner.id, Operator.name == name)
    found: Operator | None = await session.scalar(query)
    if found is None:
        found = Operator(id=new_operator_id(), name=name, owner_id=owner.id)
        session.add(found)
        await session.flush()
    found.archived_at = None
    return found


async def _newest(session: AsyncSession, operator: Operator) -> OperatorVersion | None:
    query = select(OperatorVersion).where(OperatorVersion.operator_id == operator.id)
    found: OperatorVersion | None = await session.scalar(query.order_by(OperatorVersion.number.desc()).limit(1))
    return found


async def _is_stored(session: AsyncSession, digest: str) -> bool:
    stored = select(OperatorVersion.id).where(OperatorVersion.sha256 == digest, OperatorVersion.stored_at.is_not(None))
    return await session.scalar(stored.limit(1)) is not None


async def _demand_room(session: AsyncSession, owner: User) -> None:
    query = select(func.count(Upload.id)).join(OperatorVersion).join(Operator).where(Operator.owner_id == owner.id)
    if (await session.scalar(query) or 0) >= MAX_WAITING:
        raise TooMany(
            "waiting_uploads",
            f"{MAX_WAITING} of your uploads wait to be stored. Try again in a moment.",
            f"저장을 기다리는 업로드가 {MAX_WAITING}건입니다. 잠시 뒤 다시 시도하세요.",
            retry_after_s=RETRY_AFTER_S,
        )
