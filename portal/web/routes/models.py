"""Stored models: lists, lineage, aliases, notes, files."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from litestar import MediaType, Request, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from pydantic import BaseModel, ConfigDict, Field

from portal.services import aliases, aliasmoves, apps, modelchanges, modelfates, models, modelview
from portal.services.aliasmoves import MAX_REASON_CHARS
from portal.services.modelchanges import MAX_NAME_CHARS, MAX_NOTE_CHARS
from portal.services.models import ModelFilter
from portal.web.context import Asker, PageNumber, PageSize, Session, page_document
from portal.web.filestream import file_answer
from portal.web.guards import DOWNLOAD, READ, SUBMIT
from portal.web.schemas import alias_document, model_document


@get("/models", guards=[READ])
async def list_models(
    session: Session,
    actor: Asker,
    app: Annotated[str, QueryParameter(max_length=64, description="Models of this App only.")] = "",
    q: Annotated[str, QueryParameter(max_length=128, description="Part of name or App id.")] = "",
    mine: FromQuery[bool] = False,
    alias: Annotated[str, QueryParameter(max_length=32, description="Those that carry this alias now.")] = "",
    latest: Annotated[bool, QueryParameter(description="Each App's newest version only.")] = False,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """The models that the asker may see, newest first; archived ones are left out."""
    wanted = ModelFilter(app=app, q=q, mine=mine, alias=alias, latest=latest)
    found = await modelview.page(session, actor, wanted, page, size)
    items = [model_document(item.model, item.aliases) for item in found.items]
    return page_document(items, page, size, found.total)


@get("/models/{app_id:str}/{version:int}", guards=[READ])
async def show_model(session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int]) -> dict[str, Any]:
    """One model with its manifest: files with sha256, spec hash, image digests, Slurm ids, training config, metrics."""
    found = await modelview.detail(session, actor, app_id, version)
    note = found.notes[0].text if found.notes else ""
    document = model_document(found.line.model, found.line.aliases)
    return document | {"manifest": found.line.model.manifest, "note": note}


@get("/models/{app_id:str}/aliases", guards=[READ])
async def list_aliases(session: Session, actor: Asker, app_id: FromPath[str]) -> dict[str, Any]:
    """Every move of the App's aliases, the newest first: from which version to which, by whom, when and why."""
    await apps.get(session, actor, app_id)
    return {"items": [alias_document(move) for move in await aliases.history(session, app_id)]}


class AliasBody(BaseModel):
    """Which alias; why, where another version loses it."""

    model_config = ConfigDict(extra="forbid")

    alias: Annotated[str, Field(max_length=32)]
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] = ""


@post("/models/{app_id:str}/{version:int}/aliases", guards=[SUBMIT], status_code=200)
async def give_alias(
    session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int], data: JSONBody[AliasBody]
) -> dict[str, Any]:
    """The alias is this version's from now on; one that another version has asks for a reason."""
    await aliasmoves.give(session, actor, app_id, version, data.alias, data.reason)
    return await _as_it_is(session, actor, app_id, version)


@delete("/models/{app_id:str}/{version:int}/aliases/{alias:str}", guards=[SUBMIT], status_code=200)
async def take_alias(
    session: Session,
    actor: Asker,
    app_id: FromPath[str],
    version: FromPath[int],
    alias: FromPath[str],
    reason: Annotated[str, QueryParameter(max_length=MAX_REASON_CHARS, description="Why.")] = "",
) -> dict[str, Any]:
    """The version has the alias no more."""
    await aliasmoves.take(session, actor, app_id, version, alias, reason)
    return await _as_it_is(session, actor, app_id, version)


class NoteBody(BaseModel):
    """The whole note, Markdown."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS)]


@post("/models/{app_id:str}/{version:int}/note", guards=[SUBMIT], status_code=200)
async def write_note(
    session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int], data: JSONBody[NoteBody]
) -> dict[str, Any]:
    """The version's note from now on; earlier ones are kept."""
    await modelchanges.write_note(session, actor, app_id, version, data.note)
    return await _as_it_is(session, actor, app_id, version)


class PurgeBody(BaseModel):
    """The model's name, to be sure that it is the one meant."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=MAX_NAME_CHARS)]


@post("/models/{app_id:str}/{version:int}/purge", guards=[SUBMIT], status_code=202)
async def purge(
    session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int], data: JSONBody[PurgeBody]
) -> dict[str, Any]:
    """Delete the version's files for good; manifest, lineage, logs and notes stay. `state` becomes `purged`."""
    await modelfates.purge(session, actor, app_id, version, data.name)
    return await _as_it_is(session, actor, app_id, version)


@post("/models/{app_id:str}/{version:int}/save-again", guards=[SUBMIT], status_code=202)
async def save_again(session: Session, actor: Asker, app_id: FromPath[str], version: FromPath[int]) -> dict[str, Any]:
    """Try once more to store what the run left, where that failed."""
    await modelfates.save_again(session, actor, app_id, version)
    return await _as_it_is(session, actor, app_id, version)


async def _as_it_is(session: Session, actor: Asker, app_id: str, version: int) -> dict[str, Any]:
    found = await modelview.detail(session, actor, app_id, version)
    return model_document(found.line.model, found.line.aliases)


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


ROUTES = [
    list_models,
    show_model,
    list_aliases,
    give_alias,
    take_alias,
    write_note,
    purge,
    save_again,
    download_file,
]
