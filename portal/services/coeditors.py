"""Co-editors of an App: people who edit it beside its owner, and nothing else of it (D6). The owner and admins name them."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, AppEditor, User
from portal.domain.permissions import VIEWER, Permission
from portal.services import apps
from portal.services.access import app_facts, demand
from portal.services.accounts import find_user
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid, NotFound, invalid_field

MOST = 50


async def of(session: AsyncSession, app: App) -> list[User]:
    """The App's co-editors, by name."""
    query = select(User).join(AppEditor, AppEditor.user_id == User.id).where(AppEditor.app_id == app.id)
    return list(await session.scalars(query.order_by(func.lower(User.display_name), User.id)))


async def add(session: AsyncSession, actor: Actor, app_id: str, username: str) -> User:
    """Let a person edit the App; again is fine. Raises NotFound, Forbidden, Invalid (the person), Conflict (too many)."""
    app = await _managed(session, actor, app_id)
    user = await find_user(session, username)
    if user is None or not user.active:
        raise _wrong("There is no active user of this name.", "이 이름의 활성 사용자가 없습니다.")
    if user.role == VIEWER:
        raise _wrong("A viewer cannot edit Apps.", "뷰어는 App을 편집할 수 없습니다.")
    if user.id == app.owner_id:
        raise _wrong("This is the App's owner.", "이 App의 소유자입니다.")
    if user.id in app.co_editors:
        return user
    if len(app.co_editors) >= MOST:
        raise Conflict(
            "too_many_editors",
            f"An App has at most {MOST} co-editors. Remove one first.",
            f"공동 편집자는 {MOST}명까지입니다. 먼저 한 명을 제외하세요.",
        )
    session.add(AppEditor(app_id=app.id, user_id=user.id))
    record(session, actor, Action.APP_EDITOR_ADD, "app", app_id, after={"editor": user.username})
    await _read_again(session, app)
    return user


async def remove(session: AsyncSession, actor: Actor, app_id: str, username: str) -> User:
    """Take the right away, from the next request on; what the person did stays. Raises NotFound, Forbidden."""
    app = await _managed(session, actor, app_id)
    user = await find_user(session, username)
    if user is None or user.id not in app.co_editors:
        raise NotFound("co-editor", username)
    await session.execute(delete(AppEditor).where(AppEditor.app_id == app.id, AppEditor.user_id == user.id))
    record(session, actor, Action.APP_EDITOR_REMOVE, "app", app_id, before={"editor": user.username})
    await _read_again(session, app)
    return user


async def _managed(session: AsyncSession, actor: Actor, app_id: str) -> App:
    app = await apps.get(session, actor, app_id)
    demand(actor, Permission.APP_SHARE, app_facts(app))
    return app


async def _read_again(session: AsyncSession, app: App) -> None:
    await session.flush()
    await session.refresh(app, ["editor_ids"])


def _wrong(english: str, korean: str) -> Invalid:
    return invalid_field("username", "bad_editor", english, korean)
