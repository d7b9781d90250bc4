"""P23: the maintenance switch, the settings that admins change here, their history, and where the others are set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import SettingsRevision
from portal.services import maintenance, sitesettings
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.maintenance import REASON_MAX_CHARS, Notice
from portal.services.sitesettings import SECTIONS, value_of
from portal.settings import DEFAULT_FILE, Settings, SsoRule
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SettingsFile
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminPage
from portal.web.pages.answers import to
from portal.web.rendering import shown
from portal.web.settingwords import NAME, SECTION, shown_value

Asked = Request[Any, Any, Any]
SETTINGS: Final = "/admin/settings"


@dataclass(frozen=True)
class Field:
    """One setting that is changed here: its word (msgid), the form's name for it, its value, and the file's."""

    text: str
    name: str
    value: str
    filed: str
    is_flag: bool


@dataclass(frozen=True)
class SectionForm:
    """Settings that are changed together; `changed`: one of them is not as in the file."""

    key: str
    text: str
    fields: tuple[Field, ...]

    @property
    def changed(self) -> bool:
        """Whether one of them is not as in the file."""
        return any(field.value != field.filed for field in self.fields)


@dataclass(frozen=True)
class Past:
    """One change of the past: `lines` are (word, old, new)."""

    row: SettingsRevision
    text: str
    lines: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Line:
    """One setting of the file: its word (msgid), its value, and its key there."""

    text: str
    value: str
    key: str


@dataclass(frozen=True)
class Group:
    """Settings of the file that belong together."""

    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SettingsPage(AdminPage):
    """P23; `form` is the one that was refused, of the section `open` (or the maintenance switch's)."""

    template: ClassVar[str] = "admin/settings.html"
    section: ClassVar[str] = "settings"
    notice: Notice | None
    changeable: tuple[SectionForm, ...]
    history: tuple[Past, ...]
    seen: int
    groups: tuple[Group, ...]
    file: str
    form: Form
    open: str = ""
    reason_max: int = REASON_MAX_CHARS


@get(SETTINGS, guards=[VISIT_ADMIN], include_in_schema=False)
async def settings_page(session: Session, actor: Asker, frame: PageFrame, settings_file: SettingsFile) -> Response[str]:
    """P23."""
    return shown(frame, await settings_as_they_are(session, actor, settings_file))


@post(f"{SETTINGS}/maintenance", guards=[VISIT_ADMIN], include_in_schema=False)
async def switch(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings_file: SettingsFile, fields: FormData
) -> Response[str] | Response[None]:
    """Stop hand-over to Slurm with a reason, or let it go on."""
    say = translations(frame.language)
    try:
        if fields.get("switch") == "off":
            await maintenance.end(session, actor)
            return to(request, SETTINGS, toast=say.gettext("Maintenance is off. Hand-over goes on."))
        await maintenance.begin(session, actor, fields.get("reason", ""))
    except ServiceError as error:
        form = refused(error, frame.language, fields, field_of={"reason": "reason"})
        return shown(frame, await settings_as_they_are(session, actor, settings_file, form), status=error.status)
    return to(request, SETTINGS, toast=say.gettext("Maintenance is on. Running jobs go on."))


async def settings_as_they_are(
    session: AsyncSession, actor: Actor, file: Settings, form: Form | None = None, section: str = ""
) -> SettingsPage:
    """The page; `form` is what was refused, of `section`. Raises Forbidden."""
    now = await sitesettings.effective(session, file)
    return SettingsPage(
        notice=await maintenance.current(session),
        changeable=tuple(_section(key, now, file) for key in SECTIONS),
        history=tuple(_past(await sitesettings.history(session, actor))),
        seen=await sitesettings.revision(session),
        groups=tuple(_groups(file)),
        file=os.environ.get("ONE_SETTINGS", DEFAULT_FILE),
        form=form or Form(),
        open=section,
    )


def _section(key: str, now: Settings, file: Settings) -> SectionForm:
    return SectionForm(key, SECTION[key], tuple(_field(one, now, file) for one in SECTIONS[key]))


def _field(key: str, now: Settings, file: Settings) -> Field:
    value, filed = value_of(now, key), value_of(file, key)
    name = key.partition(".")[2]
    return Field(NAME[key], name, shown_value(value), shown_value(filed), isinstance(filed, bool))


def _past(rows: Sequence[SettingsRevision]) -> Iterator[Past]:
    for row in rows:
        lines = tuple(
            (NAME.get(key, key), shown_value(row.before.get(key)), shown_value(new)) for key, new in row.after.items()
        )
        yield Past(row, SECTION.get(row.section, row.section), lines)


def _groups(settings: Settings) -> Iterator[Group]:
    """What only the file sets, in the order of pages; never a secret."""
    limits, storage, slurm = settings.limits, settings.storage, settings.slurm
    yield _group(
        N_("Limits of one web process"),
        (N_("Logs followed per user"), limits.log_streams, "limits.log_streams"),
        (N_("API calls per user and minute"), limits.api_calls_per_minute, "limits.api_calls_per_minute"),
    )
    yield _group(
        N_("Registries and storage"),
        (N_("Allowed registries"), ", ".join(settings.images.registries) or "—", "images.registries"),
        (N_("Storage roots"), ", ".join(str(root) for root in storage.roots), "storage.roots"),
        (N_("Run directories"), storage.runs, "storage.runs"),
        (N_("Converted images"), f"{storage.images} (≤ {storage.images_max_gib} GiB)", "storage.images"),
        (N_("S3 endpoint"), settings.s3.endpoint, "s3.endpoint"),
        (N_("S3 bucket prefix"), settings.s3.bucket_prefix or "—", "s3.bucket_prefix"),
    )
    yield _group(
        N_("Slurm"),
        (N_("QOS for High"), slurm.qos_high, "slurm.qos_high"),
        (N_("QOS for Normal"), slurm.qos_normal, "slurm.qos_normal"),
        (N_("QOS for Low"), slurm.qos_low, "slurm.qos_low"),
        (N_("QOS for tests"), slurm.qos_test, "slurm.qos_test"),
    )
    yield _group(
        N_("Sign-in"),
        (N_("Session ends after (h)"), settings.web.session_hours, "web.session_hours"),
        (N_("Session ends unused after (min)"), settings.web.session_idle_min, "web.session_idle_min"),
        (N_("Time zone"), settings.web.time_zone, "web.time_zone"),
    )
    yield _sso(settings)


def _sso(settings: Settings) -> Group:
    """Providers with the addresses that their administrators ask for, and the rules one a line."""
    sso, base = settings.sso, settings.web.public_url.rstrip("/")
    lines: list[tuple[str, object, str]] = []
    if sso.oidc is not None:
        lines += [
            (sso.oidc.name, f"{sso.oidc.issuer} ({sso.oidc.client_id})", "sso.oidc"),
            (N_("Redirect address"), f"{base}/sso/oidc/callback", "web.public_url"),
        ]
    if sso.saml is not None:
        lines += [
            (sso.saml.name, sso.saml.metadata_url or sso.saml.metadata_file, "sso.saml"),
            (N_("Metadata of this portal"), f"{base}/sso/saml/metadata", "web.public_url"),
        ]
    lines += [(N_("Rule"), _rule_text(rule), "sso.rules") for rule in sso.rules]
    lines += [
        (N_("Whom to ask"), sso.contact or "—", "sso.contact"),
        (N_("Sessions are confirmed every (min)"), sso.recheck_min, "sso.recheck_min"),
        (N_("API tokens rest unconfirmed after (days)"), sso.token_days, "sso.token_days"),
    ]
    return _group(N_("SSO"), *lines)


def _rule_text(rule: SsoRule) -> str:
    """`hpc-users → researcher, kim / lab`."""
    whom = " + ".join(filter(None, (rule.group, f"{rule.claim} = {rule.value}" if rule.claim else "")))
    account = f"{rule.unix_user} / {rule.slurm_account}" if rule.unix_user and rule.slurm_account else ""
    return f"{whom} → {', '.join(filter(None, (rule.role, account)))}"


def _group(text: str, *lines: tuple[str, object, str]) -> Group:
    return Group(text, tuple(Line(name, shown_value(value), key) for name, value, key in lines))


ROUTES = [settings_page, switch]
