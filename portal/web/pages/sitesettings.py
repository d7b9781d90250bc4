"""P23 as far as it can be changed while the portal runs: the maintenance switch; all else is shown with where it is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar import Request, Response, get, post

from portal.services import maintenance
from portal.services.errors import ServiceError
from portal.services.maintenance import REASON_MAX_CHARS, Notice
from portal.settings import DEFAULT_FILE, Settings
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminPage
from portal.web.pages.answers import to
from portal.web.rendering import shown

Asked = Request[Any, Any, Any]
SETTINGS: Final = "/admin/settings"


@dataclass(frozen=True)
class Line:
    """One setting: its word (msgid), its value, and its key in the settings file."""

    text: str
    value: str
    key: str


@dataclass(frozen=True)
class Group:
    """Settings that belong together."""

    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SettingsPage(AdminPage):
    """P23."""

    template: ClassVar[str] = "admin/settings.html"
    section: ClassVar[str] = "settings"
    notice: Notice | None
    form: Form
    groups: tuple[Group, ...]
    file: str
    reason_max: int = REASON_MAX_CHARS


@get(SETTINGS, guards=[VISIT_ADMIN], include_in_schema=False)
async def settings_page(session: Session, frame: PageFrame, settings: SiteSettings) -> Response[str]:
    """P23."""
    return shown(frame, _page(settings, await maintenance.current(session), Form()))


@post(f"{SETTINGS}/maintenance", guards=[VISIT_ADMIN], include_in_schema=False)
async def switch(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, settings: SiteSettings, fields: FormData
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
        return shown(frame, _page(settings, await maintenance.current(session), form), status=error.status)
    return to(request, SETTINGS, toast=say.gettext("Maintenance is on. Running jobs go on."))


def _page(settings: Settings, notice: Notice | None, form: Form) -> SettingsPage:
    return SettingsPage(notice, form, tuple(_groups(settings)), os.environ.get("ONE_SETTINGS", DEFAULT_FILE))


def _groups(settings: Settings) -> Iterator[Group]:
    """What holds, in the order of pages; never a secret."""
    policy, limits, storage, slurm = settings.policy, settings.limits, settings.storage, settings.slurm
    yield _group(
        N_("Approval thresholds"),
        (N_("GPUs of one component, from"), policy.approval_gpus, "policy.approval_gpus"),
        (N_("Memory of one component, from"), policy.approval_memory, "policy.approval_memory"),
    )
    yield _group(
        N_("Minimal run test"),
        (N_("Episodes"), policy.test_episodes, "policy.test_episodes"),
        (N_("Iterations"), policy.test_iterations, "policy.test_iterations"),
        (N_("GPUs"), policy.test_gpus, "policy.test_gpus"),
        (N_("Memory"), policy.test_memory, "policy.test_memory"),
        (N_("Time limit (min)"), policy.test_time_limit_min, "policy.test_time_limit_min"),
        (N_("Rewards must rise"), policy.test_must_rise, "policy.test_must_rise"),
    )
    yield _group(
        N_("Defaults and limits"),
        (N_("Time limit (min)"), policy.time_limit_min, "policy.time_limit_min"),
        (N_("CPUs per GPU"), policy.cpus_per_gpu, "policy.cpus_per_gpu"),
        (N_("Waiting requests per user"), limits.pending_workloads, "limits.pending_workloads"),
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


def _group(text: str, *lines: tuple[str, object, str]) -> Group:
    return Group(text, tuple(Line(name, _value(value), key) for name, value, key in lines))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "✓" if value else "—"
    return str(value)


ROUTES = [settings_page, switch]
