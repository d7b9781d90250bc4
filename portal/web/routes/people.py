"""People, for admins: the same use cases as the pages of the administration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from portal.services import accounts, mapping, passwords, people
from portal.services.accounts import Role
from portal.services.people import Details, Wanted
from portal.web.context import Asker, PageNumber, PageSize, Session, page_document
from portal.web.guards import APPROVE
from portal.web.schemas import person_document


class PersonBody(BaseModel):
    """A person to add; the Unix account and the Slurm account belong together."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(max_length=32)]
    displayName: Annotated[str, Field(max_length=accounts.MAX_NAME_CHARS)]
    role: Role
    email: Annotated[str, Field(max_length=accounts.MAX_EMAIL_CHARS)] = ""
    unixUser: Annotated[str | None, Field(max_length=32)] = None
    slurmAccount: Annotated[str | None, Field(max_length=64)] = None


class ChangeBody(BaseModel):
    """What to change; what is not given stays. null takes the mapping away."""

    model_config = ConfigDict(extra="forbid")

    displayName: Annotated[str | None, Field(max_length=accounts.MAX_NAME_CHARS)] = None
    role: Role | None = None
    email: Annotated[str | None, Field(max_length=accounts.MAX_EMAIL_CHARS)] = None
    unixUser: Annotated[str | None, Field(max_length=32)] = None
    slurmAccount: Annotated[str | None, Field(max_length=64)] = None


class LeaveBody(BaseModel):
    """What happens to the waiting work."""

    model_config = ConfigDict(extra="forbid")

    cancelWaiting: Annotated[bool, Field(description="Also cancel what has not begun to run.")] = False


Username = FromPath[str]


@get("/users", guards=[APPROVE])
async def list_people(
    session: Session,
    actor: Asker,
    q: Annotated[str, QueryParameter(max_length=200, description="In names, e-mail and accounts.")] = "",
    role: Annotated[Role | None, QueryParameter(description="Only this role.")] = None,
    status: Annotated[Literal["", "active", "deactivated"], QueryParameter(description="active, deactivated.")] = "",
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """People, by user name."""
    wanted = Wanted(q=q, role=role.value if role else "", status=status)
    found = await people.page(session, actor, wanted, page, size)
    return page_document([person_document(user) for user in found.items], page, size, found.total)


@post("/users", guards=[APPROVE])
async def add_person(session: Session, actor: Asker, data: JSONBody[PersonBody]) -> dict[str, Any]:
    """Add a person; `password` is the one-time password, in this answer only."""
    details = Details(data.displayName, data.role, data.email, data.unixUser, data.slurmAccount)
    value = await people.add(session, actor, data.username, details)
    return {**person_document(await accounts.user_named(session, data.username)), "password": value}


@get("/users/{username:str}", guards=[APPROVE])
async def read_person(session: Session, actor: Asker, username: Username) -> dict[str, Any]:
    """One person, with what hangs on the account now."""
    found = await people.detail(session, actor, username)
    counts = {"sessions": found.sessions, "tokens": found.tokens, "waiting": found.waiting, "live": found.live}
    return {**person_document(found.user), **counts}


@patch("/users/{username:str}", guards=[APPROVE])
async def change_person(
    session: Session, actor: Asker, username: Username, data: JSONBody[ChangeBody]
) -> dict[str, Any]:
    """Change name, role, e-mail or mapping; a new role counts from the next request."""
    user = (await people.detail(session, actor, username)).user
    given = data.model_dump(exclude_unset=True)
    details = Details(
        display_name=given.get("displayName") or user.display_name,
        role=given.get("role") or Role(user.role),
        email=user.email if given.get("email") is None else given["email"],
        unix_user=given.get("unixUser", user.unix_user),
        slurm_account=given.get("slurmAccount", user.slurm_account),
    )
    return person_document(await people.change(session, actor, username, details))


@post("/users/{username:str}/deactivate", guards=[APPROVE], status_code=200)
async def deactivate_person(
    session: Session, actor: Asker, username: Username, data: JSONBody[LeaveBody]
) -> dict[str, Any]:
    """End the access now: sessions and tokens end, running work goes on; `cancelled` counts what was taken back."""
    count = await people.leave(session, actor, username, cancel_waiting=data.cancelWaiting)
    return {**person_document(await accounts.user_named(session, username)), "cancelled": count}


@post("/users/{username:str}/reactivate", guards=[APPROVE], status_code=200)
async def reactivate_person(session: Session, actor: Asker, username: Username) -> dict[str, Any]:
    """Let the person in again; old tokens stay revoked."""
    return person_document(await accounts.reactivate(session, actor, username))


@post("/users/{username:str}/password", guards=[APPROVE], status_code=200)
async def hand_out_password(session: Session, actor: Asker, username: Username) -> dict[str, Any]:
    """A one-time password, in this answer only; the person's browsers are signed out."""
    return {"username": username, "password": await passwords.hand_out(session, actor, username)}


@post("/users/{username:str}/mapping-check", guards=[APPROVE], status_code=202)
async def check_mapping(session: Session, actor: Asker, username: Username) -> dict[str, Any]:
    """Have the daemon look whether the Slurm mapping holds."""
    return person_document(await mapping.ask(session, actor, username))


ROUTES = [
    list_people,
    add_person,
    read_person,
    change_person,
    deactivate_person,
    reactivate_person,
    hand_out_password,
    check_mapping,
]
