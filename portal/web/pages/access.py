"""P21, what holds for everybody: the roles' table, all API tokens, and whether the Slurm mappings hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from portal.db.models import Token, User
from portal.domain.permissions import ROLES
from portal.domain.rolematrix import Row, role_matrix
from portal.services import mapping, people, tokens
from portal.services.people import MAPPING_STATES, UNMAPPED
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.labels import LABELS
from portal.web.pageguards import VISIT_ADMIN
from portal.web.pages.adminframe import AdminConfirmPage, AdminPage
from portal.web.pages.answers import own_path, to
from portal.web.rendering import shown
from portal.web.tables import Chip, Column, Table, TableQuery

Asked = Request[Any, Any, Any]
TOKENS: Final = "/admin/tokens"
MAPPINGS: Final = "/admin/slurm"
_TOKEN_COLUMNS = (
    Column(N_("Owner")),
    Column(N_("Token")),
    Column(N_("Status")),
    Column(N_("Scopes")),
    Column(N_("Created")),
    Column(N_("Last used")),
    Column("IP"),
    Column(N_("Expires")),
    Column(""),
)
_MAPPING_COLUMNS = (
    Column(N_("User"), "name"),
    Column(N_("Unix account")),
    Column(N_("Slurm account")),
    Column(N_("Check")),
    Column(N_("Checked at")),
    Column(""),
)
_MAPPED_STATES = tuple(state for state in MAPPING_STATES if state != UNMAPPED)


@dataclass(frozen=True)
class RolesPage(AdminPage):
    """P21, roles: made from the rules, so that it cannot differ from them."""

    template: ClassVar[str] = "admin/roles.html"
    section: ClassVar[str] = "roles"
    rows: tuple[Row, ...]
    members: dict[str, int]
    roles: tuple[str, ...] = ROLES


@dataclass(frozen=True)
class AllTokensPage(AdminPage):
    """P21, API tokens of everybody, each with its status."""

    template: ClassVar[str] = "admin/tokens.html"
    section: ClassVar[str] = "tokens"
    table: Table
    lines: tuple[tuple[Token, str], ...]


@dataclass(frozen=True)
class MappingsPage(AdminPage):
    """P21, Slurm mapping: each person with the state and, where it helps, the line to run."""

    template: ClassVar[str] = "admin/slurm.html"
    section: ClassVar[str] = "slurm"
    table: Table
    lines: tuple[tuple[User, str, str], ...]
    states: tuple[str, ...] = _MAPPED_STATES


@get("/admin/roles", guards=[VISIT_ADMIN], include_in_schema=False)
async def roles(session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P21, roles."""
    return shown(frame, RolesPage(role_matrix(), await people.members(session, actor)))


@get(TOKENS, guards=[VISIT_ADMIN], include_in_schema=False)
async def all_tokens(request: Asked, session: Session, actor: Asker, frame: PageFrame) -> Response[str]:
    """P21, API tokens."""
    filters = {"q": None, "status": tokens.STATUSES}
    query = TableQuery.of(request, filters=filters, sorts=(), default_sort="-created", size=frame.rows_per_page)
    found = await tokens.page(
        session, actor, q=query.filter("q"), status=query.filter("status"), number=query.number, size=query.size
    )
    table = Table(query, _TOKEN_COLUMNS, found.total, len(found.items), _chips(query, LABELS.token, frame.language))
    return shown(frame, AllTokensPage(table, tuple((token, tokens.status_of(token)) for token in found.items)))


def _chips(query: TableQuery, labels: Any, language: Any) -> tuple[Chip, ...]:
    status = query.filter("status")
    texts = {"q": f"“{query.filter('q')}”"}
    if status:
        texts["status"] = translations(language).gettext(labels[status].text)
    return tuple(Chip(texts[name], query.without(name)) for name in query.filters)


@get("/admin/tokens/{token_id:int}/revoke", guards=[VISIT_ADMIN], include_in_schema=False)
async def ask_to_revoke(session: Session, actor: Asker, frame: PageFrame, token_id: FromPath[int]) -> Response[str]:
    """Sure?"""
    token = await tokens.token_for(session, actor, token_id)
    say = translations(frame.language)
    page = AdminConfirmPage(
        title=say.gettext("Revoke the token %(name)s") % {"name": f"{token.name} ({token.user.username})"},
        sentence=say.gettext("Programs that use %(prefix)s… are refused from now on. This cannot be taken back.")
        % {"prefix": token.prefix},
        action=f"{TOKENS}/{token.id}/revoke",
        verb=say.gettext("Revoke"),
        back=TOKENS,
    )
    return shown(frame, page)


@post("/admin/tokens/{token_id:int}/revoke", guards=[VISIT_ADMIN], include_in_schema=False)
async def revoke(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, token_id: FromPath[int]
) -> Response[None]:
    """End anybody's token."""
    token = await tokens.revoke_token(session, actor, token_id)
    text = translations(frame.language).gettext("Token %(name)s revoked.")
    return to(request, TOKENS, toast=text % {"name": token.name})


@get(MAPPINGS, guards=[VISIT_ADMIN], include_in_schema=False)
async def mappings(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame
) -> Response[str]:
    """P21, Slurm mapping."""
    filters = {"q": None, "status": _MAPPED_STATES}
    query = TableQuery.of(request, filters=filters, sorts=("name",), default_sort="name", size=frame.rows_per_page)
    wanted = people.Wanted(
        q=query.filter("q"),
        mapping=query.filter("status"),
        mapped_only=True,
        sort=query.sort,
        descending=query.descending,
    )
    found = await people.page(session, actor, wanted, query.number, query.size)
    table = Table(query, _MAPPING_COLUMNS, found.total, len(found.items), _chips(query, LABELS.mapping, frame.language))
    lines = tuple((user, mapping.shown_state(user), mapping.cure(user, settings)) for user in found.items)
    return shown(frame, MappingsPage(table, lines))


@post("/admin/slurm/{username:str}/check", guards=[VISIT_ADMIN], include_in_schema=False)
async def check_again(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, username: FromPath[str], fields: FormData
) -> Response[None]:
    """Have the daemon look once more."""
    await mapping.ask(session, actor, username)
    text = translations(frame.language).gettext("The daemon checks %(name)s within seconds.")
    return to(request, own_path(fields.get("back", MAPPINGS), MAPPINGS), toast=text % {"name": username})


ROUTES = [roles, all_tokens, ask_to_revoke, revoke, mappings, check_again]
