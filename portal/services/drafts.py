"""The draft of an App: opened from a version, saved while one draws, published as an immutable version, or discarded.

A save names the revision it started from; when another save came between, it is refused with who and when, and nothing
is overwritten. A draft may be wrong in any way that JSON can be: only publishing asks for a right spec.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from portal.db.models import App, AppVersion, Draft, DraftSave, now
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import apps, componentuses, imagechecks, imports, placing
from portal.services.access import allowed, app_facts, demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Forbidden, Invalid
from portal.services.site import site_rules
from portal.settings import Settings
from portal.spec import limits
from portal.spec.graph import components_of
from portal.spec.load import LoadedSpec, load_spec
from portal.spec.problems import SpecError, errors_of
from portal.spec.rules import site_problems
from portal.spec.version import next_version, version_key

FIRST_VERSION = "1.0.0"
SAVES_KEPT = 50
"""Revisions of a draft that one can go back to."""
MAX_LAYOUT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Opened:
    """What the Builder shows: the draft, or what a draft of the newest version would be (`revision` 0: nothing is kept yet)."""

    app: App
    spec: dict[str, Any]
    layout: dict[str, Any]
    revision: int
    base_version: str | None
    may_edit: bool
    saved_at: datetime | None = None
    saved_by: str = ""


async def create_app(
    session: AsyncSession, actor: Actor, settings: Settings, *, name: str, lab_visible: bool = True
) -> App:
    """A new App without versions; its first draft is empty. Raises Forbidden, and Invalid for a bad name."""
    if actor.user_id is None:
        raise Forbidden("no_person", "Only a person owns an App.", "App의 소유자는 사람이어야 합니다.")
    demand(actor, Permission.APP_CREATE, role=RESEARCHER)
    app_id = apps.new_app_id()
    found = apps.check(settings, json.dumps(_empty(app_id, name)).encode())
    wrong = [problem for problem in errors_of(found.problems) if problem.path == "$.name"]
    if wrong:
        raise Invalid("bad_name", "Not a name of an App.", "App 이름으로 쓸 수 없습니다.", wrong)
    app = App(id=app_id, name=name, owner_id=actor.user_id, visibility="lab" if lab_visible else "private")
    session.add(app)
    await session.flush()
    record(session, actor, Action.APP_CREATE, "app", app_id, after={"name": name, "visibility": app.visibility})
    await session.refresh(app, ["owner"])
    return app


async def opened(session: AsyncSession, actor: Actor, app_id: str, version: str | None = None) -> Opened:
    """The draft for those who may edit; the newest (or the named) version for others. Raises NotFound; changes nothing."""
    app = await apps.get(session, actor, app_id)
    may_edit = allowed(actor, Permission.APP_EDIT, app_facts(app)) and version is None
    draft = await session.get(Draft, app_id) if may_edit else None
    if draft is not None:
        spec = json.loads(draft.spec)
        by = draft.saved_by.display_name
        return Opened(app, spec, draft.layout, draft.revision, draft.base_version, True, draft.saved_at, by)
    base = await apps.version(session, actor, app_id, version) if version else await _newest(session, app_id)
    if base is None:
        return Opened(app, _empty(app.id, app.name), {}, 0, None, may_edit)
    spec = {**base.spec, "version": next_version(base.version)} if may_edit else base.spec
    return Opened(app, spec, {}, 0, base.version, may_edit)


async def save(
    session: AsyncSession, actor: Actor, app_id: str, *, revision: int, spec: dict[str, Any], layout: dict[str, Any]
) -> Draft:
    """Keep what was drawn on top of `revision` (0: the first save). Raises NotFound, Forbidden, Invalid and Conflict."""
    app = await _editable(session, actor, app_id)
    text = json.dumps(spec, ensure_ascii=False)
    _check_size(text, layout)
    if spec.get("app_id") != app_id:
        raise Invalid(
            "other_app",
            f"This is the Builder of {app_id}: app_id cannot be changed here.",
            f"{app_id}의 Builder입니다. app_id는 여기서 바꿀 수 없습니다.",
        )
    draft = await session.get(Draft, app_id)
    if draft is None and revision == 0:
        draft = await _first_save(session, actor, app, text, layout)
    elif draft is None or draft.revision != revision:
        raise _saved_meanwhile(draft)
    else:
        draft.spec, draft.layout, draft.saved_by_id, draft.saved_at = text, layout, actor.user_id or 0, now()
        await _flush_or_conflict(session)
    await _keep_save(session, draft)
    await componentuses.note_draft(session, app_id, spec)
    await session.refresh(draft, ["saved_by"])
    return draft


async def published(
    session: AsyncSession, actor: Actor, settings: Settings, app_id: str, *, revision: int
) -> AppVersion:
    """The draft as an immutable version; the draft is gone then. Raises Invalid with every problem, Conflict, Forbidden."""
    await _editable(session, actor, app_id)
    draft = await _draft_at(session, app_id, revision)
    loaded = _ready(settings, draft.spec)
    library = await placing.problems_of(session, loaded.document)
    if wrong := errors_of([*library, *await imports.cycles_of(session, actor, loaded.spec)]):
        raise _not_ready(SpecError(wrong))
    await _check_raised(session, app_id, loaded.spec.version)
    await _check_registries(session, loaded)
    made = await apps.upload_spec(session, actor, loaded)
    facts = {"version": made.version, "base_version": draft.base_version, "content_sha256": made.content_sha256}
    await _remove(session, draft)
    record(session, actor, Action.DRAFT_PUBLISH, "app", app_id, after=facts)
    return made


async def _check_registries(session: AsyncSession, loaded: LoadedSpec) -> None:
    """Raises Conflict (registry_unreachable) while the registry of an image without a digest does not answer."""
    images = [component.image for _path, _task, component in components_of(loaded.spec)]
    unpinned = {f"{image.registry}:{image.tag}" for image in images if image.digest is None}
    if found := await imagechecks.away(session, unpinned):
        names = ", ".join(found)
        raise Conflict(
            "registry_unreachable",
            f"Publishing waits: the registry of {names} does not answer.",
            f"발행을 기다립니다: {names}의 레지스트리가 응답하지 않습니다.",
        )


async def discard(session: AsyncSession, actor: Actor, app_id: str, *, revision: int) -> None:
    """Forget the draft; the versions stay. Raises NotFound, Forbidden, and Conflict when it is another revision by now."""
    await _editable(session, actor, app_id)
    draft = await _draft_at(session, app_id, revision)
    record(session, actor, Action.DRAFT_DISCARD, "app", app_id, before={"revision": draft.revision})
    await _remove(session, draft)


async def saves(session: AsyncSession, actor: Actor, app_id: str) -> list[DraftSave]:
    """The draft's kept revisions, newest first. Raises NotFound, Forbidden."""
    await _editable(session, actor, app_id)
    query = select(DraftSave).where(DraftSave.app_id == app_id).order_by(DraftSave.id.desc())
    return list(await session.scalars(query))


async def _editable(session: AsyncSession, actor: Actor, app_id: str) -> App:
    app = await apps.get(session, actor, app_id)
    demand(actor, Permission.APP_EDIT, app_facts(app))
    return app


async def _newest(session: AsyncSession, app_id: str) -> AppVersion | None:
    query = select(AppVersion).where(AppVersion.app_id == app_id).order_by(AppVersion.id.desc()).limit(1)
    newest: AppVersion | None = await session.scalar(query)
    return newest


async def _first_save(session: AsyncSession, actor: Actor, app: App, text: str, layout: dict[str, Any]) -> Draft:
    base = await _newest(session, app.id)
    draft = Draft(
        app_id=app.id,
        base_version=base.version if base else None,
        spec=text,
        layout=layout,
        saved_by_id=actor.user_id,
    )
    try:
        async with session.begin_nested():
            session.add(draft)
            await session.flush()
    except IntegrityError as error:
        raise _saved_meanwhile(None) from error
    record(session, actor, Action.DRAFT_OPEN, "app", app.id, after={"base_version": draft.base_version})
    return draft


async def _flush_or_conflict(session: AsyncSession) -> None:
    """Two saves on top of one revision at the same moment: the database lets one through."""
    try:
        await session.flush()
    except StaleDataError as error:
        raise _saved_meanwhile(None) from error


async def _keep_save(session: AsyncSession, draft: Draft) -> None:
    session.add(DraftSave(app_id=draft.app_id, revision=draft.revision, spec=draft.spec, saved_by_id=draft.saved_by_id))
    await session.flush()
    oldest_kept = draft.revision - SAVES_KEPT
    await session.execute(delete(DraftSave).where(DraftSave.app_id == draft.app_id, DraftSave.revision <= oldest_kept))


async def _draft_at(session: AsyncSession, app_id: str, revision: int) -> Draft:
    draft = await session.get(Draft, app_id)
    if draft is None:
        raise Conflict("no_draft", "There is no draft to publish or discard.", "발행하거나 버릴 초안이 없습니다.")
    if draft.revision != revision:
        raise _saved_meanwhile(draft)
    return draft


async def _remove(session: AsyncSession, draft: Draft) -> None:
    await session.execute(delete(DraftSave).where(DraftSave.app_id == draft.app_id))
    await componentuses.note_draft(session, draft.app_id, None)
    await session.delete(draft)
    await _flush_or_conflict(session)


async def _check_raised(session: AsyncSession, app_id: str, version: str) -> None:
    known = await session.scalars(select(AppVersion.version).where(AppVersion.app_id == app_id))
    highest = max(known, key=version_key, default=None)
    if highest is not None and version_key(version) <= version_key(highest):
        raise Conflict(
            "version_not_raised",
            f"Version {version} is not above {highest}, the highest so far. Use {next_version(highest)}, for example.",
            f"버전 {version}은(는) 지금까지 가장 높은 {highest}보다 높지 않습니다. 예: {next_version(highest)}.",
        )


def _ready(settings: Settings, text: str) -> LoadedSpec:
    """The checked spec, by this site's rules too. Raises Invalid."""
    try:
        loaded = load_spec(text)
    except SpecError as error:
        raise _not_ready(error) from error
    if wrong := errors_of(site_problems(loaded.spec, site_rules(settings))):
        raise _not_ready(SpecError(wrong))
    return loaded


def _not_ready(error: SpecError) -> Invalid:
    count = len(errors_of(error.problems))
    return Invalid(
        "not_ready",
        f"It cannot be published as ready: correct {count} problems first.",
        f"준비 완료로 발행할 수 없습니다. 문제 {count}건을 먼저 고치세요.",
        error.problems,
    )


def _check_size(text: str, layout: dict[str, Any]) -> None:
    if len(text.encode()) > limits.MAX_BYTES or len(json.dumps(layout)) > MAX_LAYOUT_BYTES:
        raise Invalid("too_large", "The draft is too large.", "초안이 너무 큽니다.")


def _saved_meanwhile(draft: Draft | None) -> Conflict:
    if draft is None:
        return Conflict(
            "draft_changed",
            "The draft was published, discarded or saved by somebody else meanwhile.",
            "그 사이 초안이 발행되었거나, 버려졌거나, 다른 사람이 저장했습니다.",
        )
    who, when = draft.saved_by.display_name, draft.saved_at.isoformat(timespec="seconds")
    return Conflict(
        "draft_changed",
        f"{who} saved this draft meanwhile ({when}).",
        f"그 사이 {who}님이 이 초안을 저장했습니다 ({when}).",
    )


def _empty(app_id: str, name: str) -> dict[str, Any]:
    return {"app_id": app_id, "name": name, "version": FIRST_VERSION, "tasks": []}
