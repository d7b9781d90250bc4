"""What becomes of a version's files after they were stored, or not: deleted for good, or saved again. The daemon does it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Model
from portal.services import aliases, models
from portal.services.audit import DAEMON, Action, Actor, record
from portal.services.errors import Conflict, invalid_field
from portal.services.modelchanges import editable

PURGE, SAVE = "purge", "save"


async def purge(session: AsyncSession, actor: Actor, app_id: str, version: int, name: str) -> Model:
    """Delete the files, whose model's `name` was typed to say so; manifest, lineage, logs and notes stay.

    Raises NotFound, Forbidden, Invalid (another name), Conflict (not stored; an alias still points here).
    """
    model = await editable(session, actor, app_id, version)
    if name.strip() != model.name:
        english, korean = f"Type the name of the model: {model.name}", f"모델 이름을 그대로 입력하세요: {model.name}"
        raise invalid_field("name", "another_name", english, korean)
    if model.asked == PURGE:
        return model
    if not models.is_whole(model):
        raise Conflict(
            "model_not_stored",
            f"Model {models.label(model)} has no stored files ({model.state}).",
            f"모델 {models.label(model)}에는 저장된 파일이 없습니다 ({model.state}).",
        )
    carried = (await aliases.current(session, {app_id})).get((app_id, version), ())
    if carried:
        raise Conflict(
            "alias_points_here",
            f"Take its alias away first: {', '.join(carried)}.",
            f"먼저 별칭을 떼세요: {', '.join(carried)}.",
        )
    model.asked = PURGE
    files = models.files_of(model)
    after = {"name": model.name, "files": len(files), "bytes": sum(file.size for file in files)}
    record(session, actor, Action.MODEL_PURGE, "model", models.label(model), after=after)
    return model


async def save_again(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """Try to store once more what the run left. Raises NotFound, Forbidden, Conflict (it did not fail to be saved)."""
    model = await editable(session, actor, app_id, version)
    if model.asked == SAVE:
        return model
    if model.state != models.SAVE_FAILED:
        raise Conflict(
            "not_save_failed",
            f"Model {models.label(model)} did not fail to be saved ({model.state}).",
            f"모델 {models.label(model)}은(는) 저장에 실패한 모델이 아닙니다 ({model.state}).",
        )
    model.asked = SAVE
    record(session, actor, Action.MODEL_SAVE_AGAIN, "model", models.label(model))
    return model


async def asked(session: AsyncSession) -> Sequence[int]:
    """The models that the daemon is to do something with."""
    return (await session.scalars(select(Model.id).where(Model.asked != "").order_by(Model.id))).all()


def purged(session: AsyncSession, model: Model, removed: int) -> None:
    """The daemon has deleted the files."""
    model.state, model.asked = models.PURGED, ""
    record(session, DAEMON, Action.MODEL_PURGED, "model", models.label(model), after={"objects": removed})
