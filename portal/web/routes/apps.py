"""Apps and their versions; checking a spec without keeping it."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, get, post, put
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.services import apps, coeditors, placing
from portal.services.apps import AppFilter
from portal.services.audit import Actor
from portal.web.body import SpecOperation, spec_of
from portal.web.context import Asker, InLanguage, PageNumber, PageSize, Session, SiteSettings, page_document
from portal.web.guards import READ, SUBMIT
from portal.web.problems import problem_document
from portal.web.schemas import app_document, version_document


@post("/validate", guards=[READ], status_code=200, opt={"spec_body": True}, operation_class=SpecOperation)
async def validate(
    request: Request[Any, Any, Any], session: Session, actor: Asker, settings: SiteSettings, language: InLanguage
) -> dict[str, Any]:
    """Check a spec file: `valid`, and every problem with its JSON path and cure. Nothing is kept."""
    found = await placing.check(session, actor, settings, await request.body())
    return {"valid": found.valid, "problems": [problem_document(problem, language) for problem in found.problems]}


@get("/apps", guards=[READ])
async def list_apps(
    session: Session,
    actor: Asker,
    q: Annotated[str, QueryParameter(max_length=128, description="Part of id or name.")] = "",
    mine: FromQuery[bool] = False,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """The Apps that the asker may see."""
    found = await apps.page(session, actor, AppFilter(q=q, mine=mine), page, size)
    return page_document([app_document(app) for app in found.items], page, size, found.total)


@post("/apps", guards=[SUBMIT], opt={"spec_body": True}, operation_class=SpecOperation)
async def upload_app(
    request: Request[Any, Any, Any],
    session: Session,
    actor: Asker,
    as_new_app: Annotated[str | None, QueryParameter(name="asNewApp", description="A new App id, or `auto`.")] = None,
) -> dict[str, Any]:
    """Keep a spec file as a version of its App; the same file again answers the same version."""
    version = await apps.upload_spec(session, actor, await spec_of(request), as_new_app)
    return version_document(version, with_spec=False)


@get("/apps/{app_id:str}", guards=[READ])
async def show_app(session: Session, actor: Asker, app_id: FromPath[str]) -> dict[str, Any]:
    """One App and its versions, newest first."""
    app = await apps.get(session, actor, app_id)
    versions = await apps.versions(session, actor, app_id)
    editors = [user.username for user in await coeditors.of(session, app)]
    return {
        **app_document(app),
        "coEditors": editors,
        "versions": [version_document(version, with_spec=False) for version in versions],
    }


@get("/apps/{app_id:str}/versions/{version:str}", guards=[READ])
async def show_version(session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[str]) -> dict[str, Any]:
    """One version with its spec file as it was given."""
    return version_document(await apps.version(session, actor, app_id, version), with_spec=True)


@put("/apps/{app_id:str}/editors/{username:str}", guards=[SUBMIT])
async def add_editor(session: Session, actor: Asker, app_id: FromPath[str], username: FromPath[str]) -> dict[str, Any]:
    """Let a person edit the App beside its owner; again is fine."""
    await coeditors.add(session, actor, app_id, username)
    return await _editors(session, actor, app_id)


@delete("/apps/{app_id:str}/editors/{username:str}", guards=[SUBMIT], status_code=200)
async def remove_editor(
    session: Session, actor: Asker, app_id: FromPath[str], username: FromPath[str]
) -> dict[str, Any]:
    """Take that right away."""
    await coeditors.remove(session, actor, app_id, username)
    return await _editors(session, actor, app_id)


async def _editors(session: AsyncSession, actor: Actor, app_id: str) -> dict[str, Any]:
    app = await apps.get(session, actor, app_id)
    return {"appId": app_id, "coEditors": [user.username for user in await coeditors.of(session, app)]}


ROUTES = [validate, list_apps, upload_app, show_app, show_version, add_editor, remove_editor]
