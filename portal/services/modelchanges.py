"""What people change about a stored model: its name, its note, whether the lists show it. What it is never changes."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Model, ModelNote, now
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import models
from portal.services.access import demand, model_facts
from portal.services.accounts import user_of
from portal.services.audit import Action, Actor, record
from portal.services.errors import invalid_field
from portal.spec.models import NAME_PATTERN

MAX_NAME_CHARS = 160
MAX_NOTE_CHARS = 20_000


async def rename(session: AsyncSession, actor: Actor, app_id: str, version: int, name: str) -> Model:
    """Another name for this version; its number stays. Raises NotFound, Forbidden, Invalid."""
    model = await editable(session, actor, app_id, version)
    name = name.strip()
    if len(name) > MAX_NAME_CHARS or not re.fullmatch(NAME_PATTERN, name):
        english = f"A name has 1 to {MAX_NAME_CHARS} visible characters."
        raise invalid_field("name", "bad_name", english, f"이름은 보이는 글자 1~{MAX_NAME_CHARS}자입니다.")
    if name != model.name:
        before, after = {"name": model.name}, {"name": name}
        model.name = name
        record(session, actor, Action.MODEL_RENAME, "model", models.label(model), before=before, after=after)
    return model


async def archive(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """Out of the lists; files, lineage and address stay (D30). Raises NotFound, Forbidden."""
    model = await editable(session, actor, app_id, version)
    if model.archived_at is None:
        model.archived_at = now()
        record(session, actor, Action.MODEL_ARCHIVE, "model", models.label(model))
    return model


async def restore(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """Back into the lists. Raises NotFound, Forbidden."""
    model = await editable(session, actor, app_id, version)
    if model.archived_at is not None:
        model.archived_at = None
        record(session, actor, Action.MODEL_RESTORE, "model", models.label(model))
    return model


async def write_note(session: AsyncSession, actor: Actor, app_id: str, version: int, text: str) -> Model:
    """The note from now on, Markdown; earlier ones are kept. Raises NotFound, Forbidden, Invalid."""
    model = await editable(session, actor, app_id, version)
    text = text.replace("\r\n", "\n").rstrip()
    if len(text) > MAX_NOTE_CHARS:
        english = f"At most {MAX_NOTE_CHARS:,} characters."
        raise invalid_field("note", "too_long", english, f"{MAX_NOTE_CHARS:,}자까지 쓸 수 있습니다.")
    earlier = await notes(session, model)
    if text != (earlier[0].text if earlier else ""):
        session.add(ModelNote(model_id=model.id, text=text, saved_by=await user_of(session, actor)))
        record(session, actor, Action.MODEL_NOTE, "model", models.label(model), after={"chars": len(text)})
        await session.flush()
    return model


async def notes(session: AsyncSession, model: Model) -> tuple[ModelNote, ...]:
    """The model's note and what it was before, the newest first."""
    query = select(ModelNote).where(ModelNote.model_id == model.id).order_by(ModelNote.id.desc())
    return tuple(await session.scalars(query))


async def editable(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """The version, where this person may change it. Raises NotFound, Forbidden."""
    model = await models.get(session, actor, app_id, version)
    demand(actor, Permission.MODEL_EDIT, model_facts(model), role=RESEARCHER)
    return model
