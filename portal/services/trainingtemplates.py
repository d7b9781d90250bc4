"""Templates of training settings: one's own under a name, and those that admins share with everybody.

save(session, actor, name, fields, shared=…)  -> the template; the same name again replaces it
offered(session, actor)                       -> one's own, then the shared ones of others
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import TrainingTemplate, now
from portal.domain.permissions import ADMIN
from portal.services.access import role_missing
from portal.services.accounts import user_of
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, NotFound, invalid_field
from portal.services.quota import one_at_a_time

NAME_CHARS = 80
MOST = 50
MOST_CHARS = 64 * 1024
"""Of all settings of one template: they are read with every look at the Trainer."""


async def offered(session: AsyncSession, actor: Actor) -> tuple[TrainingTemplate, ...]:
    """What the asker may load, by name."""
    found = await session.scalars(
        select(TrainingTemplate)
        .where((TrainingTemplate.owner_id == actor.user_id) | TrainingTemplate.shared)
        .order_by(func.lower(TrainingTemplate.name), TrainingTemplate.id)
    )
    return tuple(sorted(found, key=lambda one: one.owner_id != actor.user_id))


async def get(session: AsyncSession, actor: Actor, template_id: int) -> TrainingTemplate:
    """One that the asker may load. Raises NotFound."""
    found = await session.get(TrainingTemplate, template_id)
    if found is None or not (found.shared or found.owner_id == actor.user_id):
        raise NotFound("training template", str(template_id))
    return found


async def save(
    session: AsyncSession, actor: Actor, name: str, fields: Mapping[str, str], *, shared: bool = False
) -> TrainingTemplate:
    """Keep the settings under a name; only an admin may share them. Raises Invalid, Forbidden, Conflict (too many)."""
    name, owner = name.strip(), await user_of(session, actor)
    if not 0 < len(name) <= NAME_CHARS:
        english, korean = f"Give a name of 1 to {NAME_CHARS} characters.", f"이름을 1~{NAME_CHARS}자로 적으세요."
        raise invalid_field("template_name", "bad_name", english, korean)
    if sum(map(len, fields.values())) > MOST_CHARS:
        english, korean = f"Settings over {MOST_CHARS // 1024} KB.", f"설정이 {MOST_CHARS // 1024}KB를 넘습니다."
        raise invalid_field("template_name", "too_large", english, korean)
    if shared and actor.role != ADMIN:
        raise role_missing(ADMIN)
    await one_at_a_time(session, owner)
    own = select(TrainingTemplate).where(TrainingTemplate.owner_id == owner.id)
    found = await session.scalar(own.where(TrainingTemplate.name == name))
    if found is None:
        if (await session.scalar(select(func.count()).select_from(own.subquery())) or 0) >= MOST:
            raise Conflict(
                "too_many_templates",
                f"You have {MOST} templates. Remove one first.",
                f"템플릿은 {MOST}개까지입니다. 먼저 하나를 삭제하세요.",
            )
        found = TrainingTemplate(owner=owner, name=name)
        session.add(found)
    found.fields, found.shared, found.saved_at = dict(fields), shared, now()
    await session.flush()
    record(session, actor, Action.TEMPLATE_SAVE, "training_template", name, after={"shared": shared})
    return found


async def removable(session: AsyncSession, actor: Actor, template_id: int) -> TrainingTemplate:
    """One's own; admins remove shared ones too. Raises NotFound, Forbidden."""
    found = await get(session, actor, template_id)
    if found.owner_id != actor.user_id and actor.role != ADMIN:
        raise role_missing(ADMIN)
    return found


async def remove(session: AsyncSession, actor: Actor, template_id: int) -> TrainingTemplate:
    """Forget it; requests that were made with it stay as they are. Raises NotFound, Forbidden."""
    found = await removable(session, actor, template_id)
    await session.delete(found)
    record(session, actor, Action.TEMPLATE_REMOVE, "training_template", found.name, before={"shared": found.shared})
    return found
