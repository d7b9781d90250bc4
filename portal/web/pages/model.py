"""P17: one stored model version in tabs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from markupsafe import Markup

from portal.db.models import Analysis, Model
from portal.services import analyses, modelfiles
from portal.services.aliasmoves import USUAL
from portal.services.errors import ServiceError
from portal.services.modelfiles import FileHeader
from portal.services.models import ModelFile, files_of
from portal.services.modelview import FIGURES, ModelDetail
from portal.spec.canonical import spec_hash
from portal.spec.load import load_resolved
from portal.web.context import PageFrame, SiteSettings
from portal.web.forms import Form
from portal.web.language import Language
from portal.web.markdown import html_of
from portal.web.pageguards import VISIT, VISIT_DOWNLOAD
from portal.web.pages.modeladdress import HERE, MODEL, ModelHere, model_key, model_path
from portal.web.pages.modellog import NO_LOG, LogView, log_view
from portal.web.rendering import PageContext, shown

TABS: Final = ("overview", "spec", "training", "logs", "files", "versions", "notes")


@dataclass(frozen=True)
class FilesView:
    """The files tab: what is stored, headers of safetensors files or why there are none, and a file that was just checked."""

    files: tuple[ModelFile, ...] = ()
    headers: tuple[FileHeader, ...] = ()
    trouble: str = ""
    checked: str = ""
    is_intact: bool = False


@dataclass(frozen=True)
class ModelPage(PageContext):
    """P17; `text` is the document of the spec and training tabs, `intact` whether the spec has the hash beside it."""

    template: ClassVar[str] = "models/model.html"
    nav: ClassVar[str] = "models"
    tab: str
    found: ModelDetail
    text: str = ""
    intact: bool = True
    files: FilesView = field(default_factory=FilesView)
    log: LogView = NO_LOG
    form: Form = field(default_factory=Form)
    analyses: tuple[Analysis, ...] = ()
    usual: ClassVar[tuple[str, ...]] = USUAL
    figures: ClassVar[tuple[str, ...]] = FIGURES
    path_of = staticmethod(model_path)
    key = staticmethod(model_key)

    @property
    def model(self) -> Model:
        """The version itself."""
        return self.found.line.model

    @property
    def path(self) -> str:
        """Its address."""
        return model_path(self.model)

    @property
    def note(self) -> Markup:
        """The note as HTML."""
        return html_of(self.found.notes[0].text) if self.found.notes else Markup()

    def href(self, tab: str, **more: str) -> str:
        """This page with another tab."""
        return f"{self.path}?{urlencode({'tab': tab, **more})}"


@get(MODEL, guards=[VISIT], dependencies=HERE, include_in_schema=False)
async def model_page(
    state: State,
    settings: SiteSettings,
    frame: PageFrame,
    here: ModelHere,
    tab: Annotated[str, QueryParameter(max_length=16, description="One of the tabs.")] = TABS[0],
    step: Annotated[str, QueryParameter(max_length=160, description="Whose log.")] = "",
) -> Response[str]:
    """P17."""
    found = await here.detail()
    tab = tab if tab in TABS else TABS[0]
    text, intact = _document(tab, found)
    files = await files_view(state, found.line.model, frame.language) if tab == "files" else FilesView()
    log = NO_LOG
    if tab == "logs" and found.may_read_logs:
        log = await log_view(here, settings, state.store, found, step, frame.language)
    looked = tuple(await analyses.of_workloads(here.session, here.actor, [found.line.model.workload_id]))
    return shown(frame, ModelPage(tab, found, text, intact, files, log, analyses=looked))


def _document(tab: str, found: ModelDetail) -> tuple[str, bool]:
    """The JSON that a tab shows, and whether the spec is what its hash says."""
    workload = found.line.model.workload
    spec = workload.resolved or workload.spec
    if tab == "training":
        config = found.lineage.get("training_config", spec.get("training_config"))
        return (_pretty(config), True) if config else ("", True)
    if tab != "spec":
        return "", True
    hashed = spec_hash(load_resolved(spec), time_limit_min=workload.time_limit_min) if workload.resolved else ""
    return _pretty(spec), hashed == found.lineage.get("spec_hash", workload.spec_hash)


def _pretty(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


async def files_view(state: State, model: Model, language: Language) -> FilesView:
    """Without the store the list of files stays: it is the manifest's."""
    files = files_of(model)
    try:
        return FilesView(files, await modelfiles.headers(state.store, model))
    except ServiceError as error:
        return FilesView(files, trouble=error.message_ko if language == "ko" else error.message_en)


@get(f"{MODEL}/spec.json", guards=[VISIT_DOWNLOAD], dependencies=HERE, include_in_schema=False)
async def model_spec(here: ModelHere) -> Response[bytes]:
    """The resolved spec that made the model, to keep."""
    found = await here.detail()
    text, _ = _document("spec", found)
    named = f'attachment; filename="{found.line.model.workload_id}.json"'
    headers = {"Content-Disposition": named, "Cache-Control": "no-store"}
    return Response(text.encode(), media_type="application/json", headers=headers)


ROUTES = [model_page, model_spec]
