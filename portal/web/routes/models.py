"""Stored models: lists, lineage, files."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from litestar import MediaType, Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from portal.services import models
from portal.services.models import ModelFilter
from portal.web.context import Asker, PageNumber, PageSize, Session, page_document
from portal.web.filestream import file_answer
from portal.web.guards import DOWNLOAD, READ
from portal.web.schemas import model_document


@get("/models", guards=[READ])
async def list_models(
    session: Session,
    actor: Asker,
    app: Annotated[str, QueryParameter(max_length=64, description="Models of this App only.")] = "",
    q: Annotated[str, QueryParameter(max_length=128, description="Part of name or App id.")] = "",
    mine: FromQuery[bool] = False,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """The models that the asker may see, newest first."""
    found = await models.page(session, actor, ModelFilter(app=app, q=q, mine=mine), page, size)
    return page_document([model_document(item, with_manifest=False) for item in found.items], page, size, found.total)


@get("/models/{app_id:str}/{version:int}", guards=[READ])
async def show_model(session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int]) -> dict[str, Any]:
    """One model with its manifest: files with sha256, spec hash, image digests, Slurm ids, training config, metrics."""
    return model_document(await models.get(session, actor, app_id, version), with_manifest=True)


@get("/models/{app_id:str}/{version:int}/files/{path:path}", guards=[DOWNLOAD], media_type=MediaType.TEXT)
async def download_file(
    request: Request[Any, Any, Any],
    state: State,
    session: Session,
    actor: Asker,
    app_id: FromPath[str],
    version: FromPath[int],
    path: FromPath[str],
) -> Stream:
    """A model's file, whole or one byte range of it; X-Content-SHA256 is the whole file's digest."""
    file = await models.file_of(session, actor, app_id, version, path.removeprefix("/"))
    opener = partial(models.open_file, state.store, file)
    return await file_answer(request, opener, name=file.name, size=file.size, tag=file.sha256, sha256=file.sha256)


ROUTES = [list_models, show_model, download_file]
