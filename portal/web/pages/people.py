"""P21, users: found, added, changed, deactivated and let in again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Any, ClassVar, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from portal.db.models import User
from portal.domain.permissions import ROLES
from portal.services import accounts, identities, mapping, passwords, people
from portal.services.accounts import Role
from portal.services.errors import Invalid, ServiceError
from portal.services.people import ACTIVE, DEACTIVATED, MAPPING_STATES, WAITING, Details, Person
from portal.spec.problems import Problem
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminConfirmPage, AdminPage
from portal.web.pages.answers import to
from portal.web.pages.confirm import Box
from portal.web.rendering import shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
USERS: Final = "/admin/users"
_COLUMNS = (
    Column(N_("Name"), "name"),
    Column(N_("Role"), "role"),
    Column(N_("Sign-in")),
    Column(N_("Slurm mapping")),
    Column(N_("Last sign-in"), "signed_in"),
    Column(N_("Status")),
)
_FIELD_OF = {
    "user_exists": "username",
    "mapping_incomplete": "unix_user",
    "unix_user_taken": "unix_user",
    "last_admin": "role",
    "own_account": "role",
}


_STATUS_WORDS: Final[Mapping[str, Callable[[NullTranslations], str]]] = {
    ACTIVE: lambda say: say.pgettext("person", "Active"),
    DEACTIVATED: lambda say: say.gettext("Deactivated"),
    WAITING: lambda say: say.gettext("Waiting for role"),
}


@dataclass(frozen=True)
class UsersPage(AdminPage):
    """P21, the list; each person with the state of the mapping ("" without one); `providers` of those who use SSO."""

    template: ClassVar[str] = "admin/users.html"
    section: ClassVar[str] = "users"
    table: Table
    lines: tuple[tuple[User, str], ...]
    providers: Mapping[int, tuple[str, ...]]
    waiting: frozenset[int]
    mapping_states: tuple[str, ...] = MAPPING_STATES


@dataclass(frozen=True)
class AddUserPage(AdminPage):
    """P21, the form of a new person."""

    template: ClassVar[str] = "admin/add-user.html"
    section: ClassVar[str] = "users"
    form: Form


@dataclass(frozen=True)
class UserPage(AdminPage):
    """P21, one person; `oneself` may not change the own role or leave."""

    template: ClassVar[str] = "admin/user.html"
    section: ClassVar[str] = "users"
    person: Person
    mapping: str
    command: str
    oneself: bool
    form: Form
    providers: tuple[str, ...] = ()
    waiting: bool = False


@dataclass(frozen=True)
class PasswordHandedPage(AdminPage):
    """A one-time password, in this answer only."""

    template: ClassVar[str] = "admin/password.html"
    section: ClassVar[str] = "users"
    username: str
    value: str
    added: bool


@get(USERS, guards=[VISIT_ADMIN], include_in_schema=False)
async def user_list(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P21, the list."""
    filters = {"q": None, "role": ROLES, "status": (ACTIVE, DEACTIVATED, WAITING), "mapping": MAPPING_STATES}
    query = TableQuery.of(
        request, filters=filters, sorts=tuple(people.SORTS), default_sort="name", size=frame.rows_per_page
    )
    wanted = people.Wanted(
        q=query.filter("q"),
        role=query.filter("role"),
        status=query.filter("status"),
        mapping=query.filter("mapping"),
        sort=query.sort,
        descending=query.descending,
    )
    found = await people.page(session, actor, wanted, query.number, query.size)
    table = Table(query, _COLUMNS, found.total, len(found.items), _chips(query, frame))
    ids = [user.id for user in found.items]
    lines = tuple((user, mapping.shown_state(user)) for user in found.items)
    providers, waiting = await identities.providers_of(session, ids), await identities.waiting_of(session, ids)
    return shown(frame, UsersPage(table, lines, providers, waiting))


def _chips(query: TableQuery, frame: Frame) -> tuple[Chip, ...]:
    say = translations(frame.language)
    mapped = query.filter("mapping")
    texts = {
        "q": f"“{query.filter('q')}”",
        "role": say.gettext(LABELS.role[query.filter("role")].text) if query.filter("role") else "",
        "status": _STATUS_WORDS[query.filter("status") or ACTIVE](say),
        "mapping": say.gettext(LABELS.mapping[mapped].text) if mapped in LABELS.mapping else say.gettext("Not mapped"),
    }
    return tuple(Chip(texts[name], query.without(name)) for name in query.filters)


@get("/admin/add-user", guards=[VISIT_ADMIN], include_in_schema=False, sync_to_thread=False)
def add_user_form(frame: PageFrame) -> Response[str]:
    """P21, Add user. Not below /admin/users/: a person may be called "new"."""
    return shown(frame, AddUserPage(Form()))


@post("/admin/add-user", guards=[VISIT_ADMIN], include_in_schema=False)
async def add_user(session: Session, actor: Asker, frame: PageFrame, fields: FormData) -> Response[str]:
    """A new person, and the one-time password in this answer only."""
    username = fields.get("username", "").strip()
    try:
        value = await people.add(session, actor, username, _details(fields))
    except ServiceError as error:
        form = refused(error, frame.language, fields, field_of=_FIELD_OF)
        return shown(frame, AddUserPage(form), status=error.status)
    return shown(frame, PasswordHandedPage(username, value, added=True), status=201)


@get("/admin/users/{username:str}", guards=[VISIT_ADMIN], include_in_schema=False)
async def user_page(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, username: FromPath[str]
) -> Response[str]:
    """P21, one person."""
    return shown(
        frame, await _user_page(session, await people.detail(session, actor, username), actor, settings, Form())
    )


async def _user_page(session: Session, person: Person, actor: Asker, settings: SiteSettings, form: Form) -> UserPage:
    user = person.user
    providers = (await identities.providers_of(session, [user.id])).get(user.id, ())
    waiting = await identities.waiting_for_role(session, user.id)
    state, command = mapping.shown_state(user), mapping.cure(user, settings)
    return UserPage(person, state, command, user.id == actor.user_id, form, providers, waiting)


@post("/admin/users/{username:str}", guards=[VISIT_ADMIN], include_in_schema=False)
async def change_user(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    username: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Change name, e-mail, role and mapping; with anything wrong nothing is changed."""
    person = await people.detail(session, actor, username)
    given = {"role": person.user.role, **fields}
    try:
        async with session.begin_nested():
            await people.change(session, actor, username, _details(given))
    except ServiceError as error:
        await session.refresh(person.user)
        form = refused(error, frame.language, fields, field_of=_FIELD_OF)
        return shown(frame, await _user_page(session, person, actor, settings, form), status=error.status)
    return to(request, f"{USERS}/{username}", toast=translations(frame.language).gettext("Saved."))


def _details(fields: Mapping[str, str]) -> Details:
    """Raises Invalid for a role that does not exist; empty texts of the mapping mean none."""
    role = fields.get("role", "")
    if role not in ROLES:
        english, korean = "Choose a role.", "역할을 고르세요."
        raise Invalid("bad_role", english, korean, [Problem("role", "bad_role", korean, english, "", "")])
    return Details(
        display_name=fields.get("display_name", "").strip(),
        role=Role(role),
        email=fields.get("email", "").strip(),
        unix_user=fields.get("unix_user", "").strip() or None,
        slurm_account=fields.get("slurm_account", "").strip() or None,
    )


@get("/admin/users/{username:str}/deactivate", guards=[VISIT_ADMIN], include_in_schema=False)
async def ask_to_deactivate(session: Session, actor: Asker, frame: PageFrame, username: FromPath[str]) -> Response[str]:
    """Sure? With what happens to sessions, tokens, running and waiting work."""
    person = await people.detail(session, actor, username)
    say = translations(frame.language)
    boxes = (
        (Box("cancel_waiting", say.gettext("Also cancel %(count)s queued") % {"count": person.waiting}),)
        if person.waiting
        else ()
    )
    page = AdminConfirmPage(
        title=say.gettext("Deactivate %(name)s") % {"name": person.user.display_name},
        sentence=say.gettext(
            "Sessions (%(sessions)s) and API tokens (%(tokens)s) end now. Running work (%(running)s) goes on."
        )
        % {"sessions": person.sessions, "tokens": person.tokens, "running": person.live - person.waiting},
        action=f"{USERS}/{username}/deactivate",
        verb=say.gettext("Deactivate"),
        back=f"{USERS}/{username}",
        boxes=boxes,
    )
    return shown(frame, page)


@post("/admin/users/{username:str}/deactivate", guards=[VISIT_ADMIN], include_in_schema=False)
async def deactivate_user(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, username: FromPath[str], fields: FormData
) -> Response[None]:
    """End the access."""
    count = await people.leave(session, actor, username, cancel_waiting="cancel_waiting" in fields)
    say = translations(frame.language)
    text = say.gettext("%(name)s deactivated. Cancelled: %(count)s") if count else say.gettext("%(name)s deactivated.")
    return to(request, f"{USERS}/{username}", toast=text % {"name": username, "count": count})


@post("/admin/users/{username:str}/reactivate", guards=[VISIT_ADMIN], include_in_schema=False)
async def reactivate_user(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, username: FromPath[str]
) -> Response[None]:
    """Let in again; old tokens stay revoked."""
    await accounts.reactivate(session, actor, username)
    text = translations(frame.language).gettext("%(name)s is active again. Old tokens stay revoked.")
    return to(request, f"{USERS}/{username}", toast=text % {"name": username})


@get("/admin/users/{username:str}/password", guards=[VISIT_ADMIN], include_in_schema=False)
async def ask_for_password(session: Session, actor: Asker, frame: PageFrame, username: FromPath[str]) -> Response[str]:
    """Sure? The present password and all sessions end."""
    person = await people.detail(session, actor, username)
    say = translations(frame.language)
    page = AdminConfirmPage(
        title=say.gettext("One-time password for %(name)s") % {"name": person.user.display_name},
        sentence=say.gettext("The present password and all sessions end now. API tokens stay."),
        action=f"{USERS}/{username}/password",
        verb=say.gettext("Make a one-time password"),
        back=f"{USERS}/{username}",
    )
    return shown(frame, page)


@post("/admin/users/{username:str}/password", guards=[VISIT_ADMIN], include_in_schema=False)
async def hand_out_password(session: Session, actor: Asker, frame: PageFrame, username: FromPath[str]) -> Response[str]:
    """A one-time password, in this answer only."""
    value = await passwords.hand_out(session, actor, username)
    return shown(frame, PasswordHandedPage(username, value, added=False), status=201)


ROUTES = [
    user_list,
    add_user_form,
    add_user,
    user_page,
    change_user,
    ask_to_deactivate,
    deactivate_user,
    reactivate_user,
    ask_for_password,
    hand_out_password,
]
