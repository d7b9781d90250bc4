"""Stored models: lists, lineage, and the bytes of their files, each read authorised anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, contains_eager, defer, raiseload

from portal.db.models import App, Model, User, Workload
from portal.domain.permissions import RESEARCHER, Permission
from portal.services.access import demand, model_facts, visible_workloads
from portal.services.aliases import points_here
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, NotFound, Unavailable
from portal.services.paging import Page, contains, paged
from portal.store.layout import FILES
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

BUCKET = "models"
SAVING, STORED, SAVE_FAILED, PURGED = "saving", "stored", "save_failed", "purged"
STATES = (SAVING, STORED, SAVE_FAILED, PURGED)
ARCHIVED = "archived"
SORTS = ("name", "version", "created_at", "size", "owner")


_LISTED = contains_eager(Model.workload).options(
    contains_eager(Workload.app),
    contains_eager(Workload.owner),
    raiseload(Workload.attempts),
    raiseload(Workload.tests),
    defer(Workload.spec, raiseload=True),
    defer(Workload.resolved, raiseload=True),
)
"""Specs, tests and attempts with their plans and reports are most of what a run is, and nothing of a list of models."""


@dataclass(frozen=True)
class ModelFilter:
    """Which models a list shows, empty means all; archived ones only where `state` asks for them.

    `q` is part of the name, the App's id or name, or a workload's id; `owner` the user name of the workload's owner;
    `latest` only each App's newest version that is not archived. `sort` is one of SORTS, with `-` for the last first.
    """

    app: str = ""
    q: str = ""
    mine: bool = False
    owner: str = ""
    state: str = ""
    alias: str = ""
    latest: bool = False
    sort: str = "-created_at"


@dataclass(frozen=True)
class ModelFile:
    """One file of a model as its manifest says: path, size in bytes, sha256 in hex, and its key in the bucket."""

    path: str
    size: int
    sha256: str
    key: str

    @property
    def name(self) -> str:
        """Without its folders."""
        return self.path.rpartition("/")[2]


async def page(session: AsyncSession, actor: Actor, wanted: ModelFilter, number: int, size: int) -> Page[Model]:
    """A page of the visible models; of the runs that made them what a list shows."""
    query = visible(actor).join(User, User.id == Workload.owner_id).where(*_conditions(actor, wanted)).options(_LISTED)
    return await paged(session, query.order_by(*_order(wanted.sort)), number, size)


def _conditions(actor: Actor, wanted: ModelFilter) -> list[ColumnElement[bool]]:
    archived = Model.archived_at.is_not(None) if wanted.state == ARCHIVED else Model.archived_at.is_(None)
    found: list[ColumnElement[bool]] = [archived]
    if wanted.state in STATES:
        found.append(Model.state == wanted.state)
    if wanted.app:
        found.append(Model.app_id == wanted.app)
    if wanted.q:
        columns = (Model.name, Model.app_id, App.name, Model.workload_id)
        found.append(or_(*(contains(column, wanted.q) for column in columns)))
    if wanted.mine:
        found.append(Workload.owner_id == actor.user_id)
    if wanted.owner:
        found.append(User.username == wanted.owner)
    if wanted.alias:
        found.append(points_here(wanted.alias))
    if wanted.latest:
        found.append(Model.version == _newest_version())
    return found


def _newest_version() -> ColumnElement[int]:
    other = aliased(Model)
    newest = select(func.max(other.version)).where(other.app_id == Model.app_id, other.archived_at.is_(None))
    return newest.correlate(Model).scalar_subquery()


def _order(sort: str) -> list[ColumnElement[Any]]:
    """The id settles what is equal: no row on two pages."""
    keys: dict[str, SQLColumnExpression[Any]] = {
        "name": func.lower(Model.name),
        "version": Model.version,
        "size": Model.size_bytes,
        "owner": func.lower(User.display_name),
    }
    key = keys.get(sort.removeprefix("-"), Model.created_at)
    return [key.desc(), Model.id.desc()] if sort.startswith("-") else [key.asc(), Model.id.asc()]


async def get(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """One model version. Raises NotFound when it is absent or not visible."""
    query = visible(actor).where(Model.app_id == app_id, Model.version == version)
    model: Model | None = await session.scalar(query)
    if model is None:
        raise NotFound("model", f"{app_id} v{version}")
    return model


async def file_of(session: AsyncSession, actor: Actor, app_id: str, version: int, path: str) -> ModelFile:
    """The file that a download asks for, audited; only what the manifest lists exists.

    Raises NotFound, Forbidden, and Conflict while the model is not completely stored.
    """
    model = await _stored(session, actor, app_id, version)
    found = next((file for file in files_of(model) if file.path == path), None)
    if found is None:
        raise NotFound("model file", path)
    record(session, actor, Action.MODEL_DOWNLOAD, "model", label(model), after={"file": path})
    return found


async def all_files(
    session: AsyncSession, actor: Actor, app_id: str, version: int
) -> tuple[Model, tuple[ModelFile, ...]]:
    """Every file of a model for one download, audited. Raises as `file_of`."""
    model = await _stored(session, actor, app_id, version)
    record(session, actor, Action.MODEL_DOWNLOAD, "model", label(model), after={"file": "*"})
    return model, files_of(model)


def files_of(model: Model) -> tuple[ModelFile, ...]:
    """The files that the manifest lists; none before it is written."""
    entries = (model.manifest or {}).get("files", [])
    return tuple(
        ModelFile(entry["path"], entry["size"], entry["sha256"], f"{model.prefix}{FILES}{entry['path']}")
        for entry in entries
    )


async def _stored(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    model = await get(session, actor, app_id, version)
    demand(actor, Permission.MODEL_DOWNLOAD, model_facts(model), role=RESEARCHER)
    if model.state == PURGED:
        raise Conflict(
            "model_purged",
            f"The files of model {label(model)} were deleted.",
            f"모델 {label(model)}의 파일은 삭제되었습니다.",
        )
    if not is_whole(model):
        raise Conflict(
            "model_not_stored",
            f"Model {label(model)} is not stored completely ({model.state}).",
            f"모델 {label(model)}이(가) 아직 모두 저장되지 않았습니다 ({model.state}).",
        )
    return model


def is_whole(model: Model) -> bool:
    """Whether all its files are there to be read."""
    return model.state == STORED and model.manifest is not None and not model.asked


async def open_file(
    store: ObjectStore, file: ModelFile, offset: int, length: int, *, bucket: str = BUCKET
) -> AsyncIterator[bytes]:
    """The file's bytes from `offset`, `length` of them; the first chunk is read before this returns, so that errors come early.

    Raises Unavailable when the store does not answer or lacks what the manifest promises.
    """
    if length == 0:
        return _chain(b"", None)
    chunks = store.iter_bytes(bucket, file.key, offset, length)
    try:
        first = await anext(chunks)
    except (StoreError, StopAsyncIteration) as error:
        raise storage_unavailable(missing=isinstance(error, (ObjectMissing, StopAsyncIteration))) from error
    return _chain(first, chunks)


async def _chain(first: bytes, rest: AsyncIterator[bytes] | None) -> AsyncIterator[bytes]:
    if first:
        yield first
    if rest is not None:
        async for chunk in rest:
            yield chunk


def storage_unavailable(*, missing: bool = False) -> Unavailable:
    """S3 does not answer, or has lost what it should hold."""
    if missing:
        return Unavailable(
            "object_missing",
            "The storage lacks this file. Tell an administrator.",
            "저장소에 이 파일이 없습니다. 관리자에게 알리세요.",
        )
    return Unavailable(
        "storage_unreachable", "Storage is unreachable. Retry.", "저장소에 연결할 수 없습니다. 다시 시도하세요."
    )


def label(model: Model) -> str:
    """How audit rows and messages name a version."""
    return f"{model.app_id} v{model.version}"


def visible(actor: Actor) -> Select[Model]:
    """The models that the actor may see, with App and Workload joined."""
    joined: Select[Model] = (
        select(Model).join(App, App.id == Model.app_id).join(Workload, Workload.id == Model.workload_id)
    )
    return joined.where(visible_workloads(actor))
