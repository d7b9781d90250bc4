"""What people change on the page of a model: name, aliases, note, whether the lists show it; and a file checked on demand."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from litestar import Response, post
from litestar.datastructures import State
from litestar.params import QueryParameter

from portal.db.models import Model
from portal.services import aliasmoves, modelchanges, modelfiles
from portal.services.errors import Invalid, NotFound
from portal.services.models import files_of
from portal.web.catalogue import N_, translations
from portal.web.context import FormData, PageFrame
from portal.web.forms import refused
from portal.web.frame import Frame
from portal.web.pageguards import VISIT_DOWNLOAD, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.model import ModelPage, files_view
from portal.web.pages.modeladdress import HERE, MODEL, Here, ModelHere, model_path
from portal.web.rendering import shown

Answer = Response[str] | Response[None]


@post(f"{MODEL}/rename", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def rename(here: ModelHere, frame: PageFrame, fields: FormData) -> Answer:
    """Another name; the toast takes it back."""
    before = (await here.detail()).line.model.name
    try:
        model = await modelchanges.rename(*here.which, fields.get("name", ""))
    except Invalid as error:
        return await _again(here, frame, error, fields, "overview")
    undo = f"{model_path(model)}/rename-undo?{urlencode({'back_to': before})}" if model.name != before else ""
    return _done(here, frame, model, N_("Renamed to %(name)s"), undo=undo, name=model.name)


@post(f"{MODEL}/rename-undo", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def undo_rename(
    here: ModelHere, frame: PageFrame, back_to: Annotated[str, QueryParameter(max_length=200)]
) -> Response[None]:
    """The name that it had."""
    return _done(here, frame, await modelchanges.rename(*here.which, back_to), N_("Undone"))


@post(f"{MODEL}/alias", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def set_alias(here: ModelHere, frame: PageFrame, fields: FormData) -> Answer:
    """The alias is this version's from now on, or (`take`) no more; a word of one's own goes before the usual ones."""
    alias = fields.get("own", "").strip() or fields.get("alias", "")
    takes = bool(fields.get("take"))
    change = aliasmoves.take if takes else aliasmoves.give
    try:
        move = await change(*here.which, alias, fields.get("reason", "").strip())
    except Invalid as error:
        return await _again(here, frame, error, fields, "overview")
    model = (await here.detail()).line.model
    undo = f"{model_path(model)}/alias-undo?{urlencode({'alias': alias, 'move': move.number})}" if move else ""
    sentence = N_("v%(version)s has lost the alias %(alias)s") if takes else N_("%(alias)s is now v%(version)s")
    return _done(here, frame, model, sentence, undo=undo, alias=alias, version=model.version)


@post(f"{MODEL}/alias-undo", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def undo_alias(
    here: ModelHere,
    frame: PageFrame,
    alias: Annotated[str, QueryParameter(max_length=32)],
    move: Annotated[int, QueryParameter(ge=1, le=1_000_000)],
) -> Response[None]:
    """Back to where the alias was before that move. Raises Conflict when it has moved again."""
    await aliasmoves.take_back(*here.which, alias, move)
    return _done(here, frame, (await here.detail()).line.model, N_("Undone"))


@post(f"{MODEL}/note", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def write_note(here: ModelHere, frame: PageFrame, fields: FormData) -> Answer:
    """Save the note."""
    try:
        model = await modelchanges.write_note(*here.which, fields.get("note", ""))
    except Invalid as error:
        return await _again(here, frame, error, fields, "notes")
    return _done(here, frame, model, N_("Note saved"), tab="notes")


@post(f"{MODEL}/archive", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def archive(here: ModelHere, frame: PageFrame) -> Response[None]:
    """Out of the lists; the toast takes it back."""
    model = await modelchanges.archive(*here.which)
    return _done(here, frame, model, N_("Archived"), undo=f"{model_path(model)}/restore")


@post(f"{MODEL}/restore", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def restore(here: ModelHere, frame: PageFrame) -> Response[None]:
    """Back into the lists."""
    return _done(here, frame, await modelchanges.restore(*here.which), N_("Back in the list"))


@post(f"{MODEL}/verify", guards=[VISIT_DOWNLOAD], dependencies=HERE, status_code=200, include_in_schema=False)
async def verify(state: State, here: ModelHere, frame: PageFrame, fields: FormData) -> Response[str]:
    """Read one file from the store and compare its sha256. Raises NotFound, Unavailable."""
    found = await here.detail()
    wanted = fields.get("path", "")
    file = next((file for file in files_of(found.line.model) if file.path == wanted), None)
    if file is None:
        raise NotFound("model file", wanted)
    is_intact = await modelfiles.is_as_stored(state.store, file)
    view = await files_view(state, found.line.model, frame.language)
    return shown(frame, ModelPage("files", found, files=replace(view, checked=file.path, is_intact=is_intact)))


async def _again(here: Here, frame: Frame, error: Invalid, fields: dict[str, str], tab: str) -> Response[str]:
    """The page with what was typed and what is wrong with it."""
    page = ModelPage(tab, await here.detail(), form=refused(error, frame.language, fields))
    return shown(frame, page, status=error.status)


def _done(
    here: Here, frame: Frame, model: Model, sentence: str, *, undo: str = "", tab: str = "overview", **filled: object
) -> Response[None]:
    """Back to the tab, with a toast that may take the change back."""
    text = translations(frame.language).gettext(sentence) % filled
    return to(here.request, f"{model_path(model)}?tab={tab}", toast=text, undo=undo)


ROUTES = [rename, undo_rename, set_alias, undo_alias, write_note, archive, restore, verify]
