"""P17, what becomes of a model's files: deleted for good, which its typed name confirms, or saved again."""

from __future__ import annotations

from litestar import Response, get, post

from portal.db.models import Model
from portal.services import modelfates
from portal.services.errors import Invalid
from portal.services.modelchanges import editable
from portal.web.catalogue import N_, translations
from portal.web.context import FormData, PageFrame
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.pageguards import VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.confirm import ConfirmPage, Typed
from portal.web.pages.modeladdress import HERE, MODEL, ModelHere, model_path
from portal.web.rendering import shown


@get(f"{MODEL}/purge", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def ask_to_purge(here: ModelHere, frame: PageFrame) -> Response[str]:
    """Sure? Raises NotFound, Forbidden."""
    return shown(frame, _question(frame, await editable(*here.which), Form()))


@post(f"{MODEL}/purge", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def purge(here: ModelHere, frame: PageFrame, fields: FormData) -> Response[str] | Response[None]:
    """The files go, what is known of them stays."""
    try:
        model = await modelfates.purge(*here.which, fields.get("name", ""))
    except Invalid as error:
        form = refused(error, frame.language, fields)
        return shown(frame, _question(frame, await editable(*here.which), form), status=error.status)
    return to(here.request, model_path(model), toast=translations(frame.language).gettext("Deleting the files"))


@post(f"{MODEL}/save-again", guards=[VISIT_SUBMIT], dependencies=HERE, include_in_schema=False)
async def save_again(here: ModelHere, frame: PageFrame) -> Response[None]:
    """Once more what the run left."""
    model = await modelfates.save_again(*here.which)
    return to(here.request, model_path(model), toast=translations(frame.language).gettext("Saving again"))


def _question(frame: Frame, model: Model, form: Form) -> ConfirmPage:
    say = translations(frame.language).gettext
    sentence = N_(
        "All %(size)s of its files are deleted from the storage. Lineage, spec, logs and notes stay. "
        "This cannot be taken back."
    )
    return ConfirmPage(
        title=say(N_("Delete the files of %(name)s")) % {"name": f"{model.name} v{model.version}"},
        sentence=say(sentence) % {"size": frame.formats.size(model.size_bytes)},
        action=f"{model_path(model)}/purge",
        verb=say(N_("Delete files")),
        back=model_path(model),
        typed=Typed("name", say(N_("Type the name of the model: %(name)s")) % {"name": model.name}, form),
    )


ROUTES = [ask_to_purge, purge, save_again]
