"""P23's changes: a section's form is looked at first (old, new, and who is touched), then saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Request, Response, post
from litestar.params import FromPath

from portal.services import sitesettings
from portal.services.errors import ServiceError
from portal.services.sitesettings import SECTIONS, Draft
from portal.services.thresholdeffect import Effect, effect
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SettingsFile, SiteSettings
from portal.web.forms import refused
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminPage
from portal.web.pages.answers import to
from portal.web.pages.sitesettings import SETTINGS, settings_as_they_are
from portal.web.rendering import shown
from portal.web.settingwords import NAME, SECTION, shown_value

Asked = Request[Any, Any, Any]
RESET = "reset"


@dataclass(frozen=True)
class ReviewPage(AdminPage):
    """What a change would do; `fields` are sent again by the button that saves it."""

    template: ClassVar[str] = "admin/settings-review.html"
    section: ClassVar[str] = "settings"
    key: str
    text: str
    lines: tuple[tuple[str, str, str], ...]
    effect: Effect | None
    fields: Mapping[str, str]


@post(f"{SETTINGS}/{{section:str}}/review", guards=[VISIT_ADMIN], include_in_schema=False)
async def review(
    session: Session,
    actor: Asker,
    frame: PageFrame,
    settings: SiteSettings,
    settings_file: SettingsFile,
    section: FromPath[str],
    fields: FormData,
) -> Response[str]:
    """Old, new, and who is touched."""
    try:
        made = await sitesettings.draft(session, actor, settings_file, section, _texts(fields))
    except ServiceError as error:
        page = await settings_as_they_are(
            session, actor, settings_file, refused(error, frame.language, fields), section
        )
        return shown(frame, page, status=error.status)
    touched = await effect(session, settings, made.settings) if section == "thresholds" else None
    return shown(frame, _review(made, touched, fields))


@post(f"{SETTINGS}/{{section:str}}", guards=[VISIT_ADMIN], include_in_schema=False)
async def save(
    request: Asked,
    session: Session,
    actor: Asker,
    frame: PageFrame,
    settings_file: SettingsFile,
    section: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Make it so; a change by another admin in between is a conflict."""
    try:
        await sitesettings.change(session, actor, settings_file, section, _texts(fields), seen=_seen(fields))
    except ServiceError as error:
        page = await settings_as_they_are(
            session, actor, settings_file, refused(error, frame.language, fields), section
        )
        return shown(frame, page, status=error.status)
    return to(request, SETTINGS, toast=translations(frame.language).gettext("Saved. It counts from now on."))


def _texts(fields: Mapping[str, str]) -> Mapping[str, str] | None:
    return None if fields.get(RESET) else fields


def _seen(fields: Mapping[str, str]) -> int:
    """What is no number was never a revision."""
    text = fields.get("seen", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _review(made: Draft, touched: Effect | None, fields: Mapping[str, str]) -> ReviewPage:
    names = {key.partition(".")[2] for key in SECTIONS[made.section]} | {"seen", RESET}
    return ReviewPage(
        key=made.section,
        text=SECTION[made.section],
        lines=tuple((NAME[one.key], shown_value(one.old), shown_value(one.new)) for one in made.changes),
        effect=touched,
        fields={name: value for name, value in fields.items() if name in names},
    )


ROUTES = [review, save]
