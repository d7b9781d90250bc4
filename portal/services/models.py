"""Stored models: lists, lineage, and the bytes of their files, each read authorised anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import App, Model, Workload
from portal.domain.permissions import RESEARCHER, Permission
from portal.services.access import demand, model_facts, visible_workloads
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, NotFound, Unavailable
from portal.services.paging import Page, contains, paged
from portal.store.layout import FILES
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

BUCKET = "models"
STORED = "stored"


@dataclass(frozen=True)
class ModelFilter:
    """Which models a list shows: of one App, `q` in name or App id, or of the asker's own workloads."""

    app: str = ""
    q: str = ""
    mine: bool = False


@dataclass(frozen=True)
class ModelFile:
    """One file of a model as its manifest says: path, size in bytes, sha256 in hex, and its key in the bucket."""

    path: str
    size: int
    sha256: str
    key: str


async def page(session: AsyncSession, actor: Actor, wanted: ModelFilter, number: int, size: int) -> Page[Model]:
    """A page of the visible models, newest first."""
    query = _visible(actor).order_by(Model.id.desc())
    if wanted.app:
        query = query.where(Model.app_id == wanted.app)
    if wanted.q:
        query = query.where(or_(contains(Model.name, wanted.q), contains(Model.app_id, wanted.q)))
    if wanted.mine:
        query = query.where(Workload.owner_id == actor.user_id)
    return await paged(session, query, number, size)


async def get(session: AsyncSession, actor: Actor, app_id: str, version: int) -> Model:
    """One model version. Raises NotFound when it is absent or not visible."""
    query = _visible(actor).where(Model.app_id == app_id, Model.version == version)
    model: Model | None = await session.scalar(query)
    if model is None:
        raise NotFound("model", f"{app_id} v{version}")
    return model


async def file_of(session: AsyncSession, actor: Actor, app_id: str, version: int, path: str) -> ModelFile:
    """The file that a download asks for, audited; only what the manifest lists exists.

    Raises NotFound, Forbidden, and Conflict while the model is not completely stored.
    """
    model = await get(session, actor, app_id, version)
    demand(actor, Permission.MODEL_DOWNLOAD, model_facts(model), role=RESEARCHER)
    if model.state != STORED or model.manifest is None:
        raise Conflict(
            "model_not_stored",
            f"Model {app_id} v{version} is not stored completely ({model.state}).",
            f"모델 {app_id} v{version}이(가) 아직 모두 저장되지 않았습니다 ({model.state}).",
        )
    for entry in model.manifest.get("files", []):
        if entry["path"] == path:
            record(session, actor, Action.MODEL_DOWNLOAD, "model", f"{app_id} v{version}", after={"file": path})
            return ModelFile(path, entry["size"], entry["sha256"], f"{model.prefix}{FILES}{path}")
    raise NotFound("model file", path)


async def open_file(store: ObjectStore, file: ModelFile, offset: int, length: int) -> AsyncIterator[bytes]:
    """The file's bytes from `offset`, `length` of them; the first chunk is read before this returns, so that errors come early.

    Raises Unavailable when the store does not answer or lacks what the manifest promises.
    """
    if length == 0:
        return _chain(b"", None)
    chunks = store.iter_bytes(BUCKET, file.key, offset, length)
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


def _visible(actor: Actor) -> Select[Model]:
    joined = select(Model).join(App, App.id == Model.app_id).join(Workload, Workload.id == Model.workload_id)
    return joined.where(visible_workloads(actor))
