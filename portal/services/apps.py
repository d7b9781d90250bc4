"""Apps and their immutable versions: who sees them, and what an uploaded spec becomes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload
from sqlalchemy.orm.attributes import set_committed_value

from portal.db.models import App, AppVersion
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import componentuses, imports
from portal.services.access import allowed, app_facts, demand, visible_apps
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound
from portal.services.paging import Page, contains, paged
from portal.services.site import site_rules
from portal.settings import Settings
from portal.spec.canonical import content_sha256
from portal.spec.load import LoadedSpec, load_spec
from portal.spec.problems import Problem, SpecError, errors_of
from portal.spec.rules import site_problems

AUTO_ID = "auto"
TRIES = 3
"""Looks for what is to be stored; each after the first follows another request's that was first."""
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class AppFilter:
    """Which Apps a list shows: `q` is part of id or name, `mine` the asker's own."""

    q: str = ""
    mine: bool = False


@dataclass(frozen=True)
class Checked:
    """What a spec file is worth here: `valid` when nothing stops it; `problems` has the warnings too."""

    valid: bool
    problems: tuple[Problem, ...]


def check(settings: Settings, content: bytes) -> Checked:
    """Read a spec file by the rules that hold everywhere and by this site's; nothing is kept."""
    try:
        loaded = load_spec(content)
    except SpecError as error:
        return Checked(False, tuple(error.problems))
    problems = (*loaded.problems, *site_problems(loaded.spec, site_rules(settings)))
    return Checked(not errors_of(problems), problems)


async def page(session: AsyncSession, actor: Actor, wanted: AppFilter, number: int, size: int) -> Page[App]:
    """A page of the visible Apps, by id."""
    query = select(App).where(visible_apps(actor)).order_by(App.id)
    if wanted.q:
        query = query.where(or_(contains(App.id, wanted.q), contains(App.name, wanted.q)))
    if wanted.mine:
        query = query.where(App.owner_id == actor.user_id)
    return await paged(session, query, number, size)


async def get(session: AsyncSession, actor: Actor, app_id: str) -> App:
    """One App. Raises NotFound when it is absent or not visible."""
    app: App | None = await session.scalar(select(App).where(App.id == app_id, visible_apps(actor)))
    if app is None:
        raise NotFound("app", app_id)
    return app


async def versions(session: AsyncSession, actor: Actor, app_id: str) -> list[AppVersion]:
    """The App's versions, newest first. Raises NotFound."""
    await get(session, actor, app_id)
    query = select(AppVersion).where(AppVersion.app_id == app_id).order_by(AppVersion.id.desc())
    return list(await session.scalars(query))


async def version(session: AsyncSession, actor: Actor, app_id: str, name: str) -> AppVersion:
    """One version of an App. Raises NotFound."""
    await get(session, actor, app_id)
    found = await _version(session, app_id, name)
    if found is None:
        raise NotFound("app version", f"{app_id} {name}")
    return found


async def upload_spec(
    session: AsyncSession, actor: Actor, loaded: LoadedSpec, as_new_app: str | None = None
) -> AppVersion:
    """Store a checked spec as a version of its App; the same content again answers the version that is there.

    `as_new_app` names a new App id for it ("auto": one is made up). Raises Forbidden, Invalid (a bad id, a cycle of
    imports) and Conflict with the way out: the id belongs to an App one may not edit, or the version exists with other content.
    """
    if actor.user_id is None:
        raise Forbidden("no_person", "Only a person owns an App.", "App의 소유자는 사람이어야 합니다.")
    demand(actor, Permission.APP_CREATE, role=RESEARCHER)
    if as_new_app is not None:
        loaded = _renamed(loaded, await _new_id(session, as_new_app))
    digest = content_sha256(loaded.document)
    for _ in range(TRIES):
        app, there = await _app_and_version(session, loaded.spec.app_id, loaded.spec.version)
        found = _present(actor, app, there, digest) if app is not None else None
        if found is not None:
            return found
        await imports.refuse_cycles(session, actor, loaded.spec)
        # Another request that makes the same App or version at this moment is waited for, and then there to be found.
        if (made := await _store(session, actor, app, loaded, digest)) is not None:
            return made
    raise Conflict(
        "changed_meanwhile",
        "Something changed meanwhile. Try again.",
        "그 사이 다른 변경이 있었습니다. 다시 시도하세요.",
    )


def _present(actor: Actor, app: App, existing: AppVersion | None, digest: str) -> AppVersion | None:
    """The version with this very content, None when it can be made. Raises Forbidden, Conflict."""
    if (
        existing is not None
        and existing.content_sha256 == digest
        and allowed(actor, Permission.APP_READ, app_facts(app))
    ):
        return existing
    _check_editable(actor, app)
    if existing is not None:
        raise _version_exists(app.id, existing.version)
    return None


async def _store(
    session: AsyncSession, actor: Actor, app: App | None, loaded: LoadedSpec, digest: str
) -> AppVersion | None:
    """Write the version, and its App where it is new; None when another request was first."""
    spec = loaded.spec
    try:
        async with session.begin_nested():
            if app is None:
                app = App(id=spec.app_id, name=spec.name, owner_id=actor.user_id)
                session.add(app)
                await session.flush()
                record(session, actor, Action.APP_CREATE, "app", spec.app_id, after={"name": spec.name})
            app.name = spec.name
            made = AppVersion(
                app_id=spec.app_id,
                version=spec.version,
                spec=loaded.document,
                content_sha256=digest,
                created_by_id=actor.user_id,
            )
            session.add(made)
            await session.flush()
    except IntegrityError:
        return None
    componentuses.note_version(session, spec.app_id, spec.version, spec)
    facts: dict[str, Any] = {"version": spec.version, "content_sha256": digest}
    if spec.imported_apps:
        facts["imports"] = {app.app_ref: app.version for app in spec.imported_apps}
    record(session, actor, Action.APP_VERSION, "app", spec.app_id, after=facts)
    await session.refresh(made, ["app"])
    return made


async def _app_and_version(session: AsyncSession, app_id: str, name: str) -> tuple[App | None, AppVersion | None]:
    """Both in one question: every submission asks it."""
    same = and_(AppVersion.app_id == App.id, AppVersion.version == name)
    query = select(App, AppVersion).outerjoin(AppVersion, same).where(App.id == app_id)
    row = (await session.execute(query.options(lazyload(AppVersion.app)))).one_or_none()
    if row is not None and row[1] is not None:
        set_committed_value(row[1], "app", row[0])
    return (None, None) if row is None else (row[0], row[1])


async def _version(session: AsyncSession, app_id: str, name: str) -> AppVersion | None:
    query = select(AppVersion).where(AppVersion.app_id == app_id, AppVersion.version == name)
    found: AppVersion | None = await session.scalar(query)
    return found


def new_app_id() -> str:
    """An id that no App has, as good as surely: APP-A1B2C3."""
    return "APP-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(6))


async def _new_id(session: AsyncSession, wanted: str) -> str:
    if wanted == AUTO_ID:
        return new_app_id()
    if await session.scalar(select(func.count()).select_from(App).where(App.id == wanted)):
        raise Conflict(
            "app_exists",
            f"The App id {wanted} is taken. Choose another.",
            f"App ID {wanted}은(는) 이미 있습니다. 다른 ID를 고르세요.",
        )
    return wanted


def _renamed(loaded: LoadedSpec, app_id: str) -> LoadedSpec:
    """The same spec under another id, checked again because the id is the user's word. Raises Invalid."""
    try:
        return load_spec({**loaded.document, "app_id": app_id})
    except SpecError as error:
        raise Invalid("bad_app_id", "Not an App id.", "App ID로 쓸 수 없습니다.", error.problems) from error


def _check_editable(actor: Actor, app: App) -> None:
    if not allowed(actor, Permission.APP_EDIT, app_facts(app)):
        raise Conflict(
            "app_not_yours",
            f"The App {app.id} exists and you may not edit it. Use --as-new-app to make it an App of your own.",
            f"App {app.id}이(가) 이미 있고 편집 권한이 없습니다. --as-new-app으로 자신의 새 App으로 만드세요.",
        )


def _version_exists(app_id: str, name: str) -> Conflict:
    return Conflict(
        "version_exists",
        f"Version {name} of {app_id} exists with other content. Raise `version` in the file, or use --as-new-app.",
        f"{app_id}의 버전 {name}이(가) 다른 내용으로 이미 있습니다. 파일의 `version`을 올리거나 --as-new-app을 쓰세요.",
    )
