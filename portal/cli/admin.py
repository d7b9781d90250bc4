"""`portal-admin`: on the portal's host, straight to the database: migrations, people, mappings, tokens. The break-glass."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.cli.context import Commands, Output
from portal.cli.exits import CliError, Exit, exit_of_status
from portal.cli.output import Format, print_json, print_line, print_note, print_table
from portal.db.engine import engine_for, migrate, revision, sessions, transaction
from portal.db.models import User
from portal.services import accounts, passwords, tokens
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.tokens import ROLE_SCOPES, Scope
from portal.settings import Settings, load_settings

T = TypeVar("T")
app = typer.Typer(
    name="portal-admin",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="People, mappings and tokens, on the portal's host. Every change is audited.",
)
user_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People.")
token_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API tokens.")
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")

Username = Annotated[str, typer.Argument(metavar="USER", help="The portal's user name.")]
RoleOption = Annotated[Role, typer.Option("--role", help="admin, researcher or viewer.")]
UnixOption = Annotated[str | None, typer.Option("--unix-user", help="The Unix account that jobs run as.")]
AccountOption = Annotated[
    str | None, typer.Option("--slurm-account", help="The Slurm account that jobs are charged to.")
]


@app.command("migrate")
def migrate_database() -> None:
    """Bring the database to this version's tables and print their revision; again is fine."""
    _settled(migrate)
    show_revision()


@app.command("revision")
def show_revision() -> None:
    """Print the revision of the database's tables, `none` before the first migration."""
    print_line(_settled(revision))


@user_app.command("add")
def add_user(
    username: Username,
    role: RoleOption,
    name: Annotated[str, typer.Option("--name", help="The name shown; default: the user name.")] = "",
    email: Annotated[str, typer.Option("--email")] = "",
    unix_user: UnixOption = None,
    slurm_account: AccountOption = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="Change nothing when the user exists.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Add a person."""

    async def add(session: AsyncSession) -> User:
        if exist_ok and (found := await accounts.find_user(session, username)) is not None:
            return found
        return await accounts.create_user(
            session,
            _actor(),
            username=username,
            display_name=name,
            role=role,
            email=email,
            unix_user=unix_user,
            slurm_account=slurm_account,
        )

    _print_users([_run(add)], output)


@user_app.command("change")
def change_user(
    username: Username,
    role: Annotated[Role | None, typer.Option("--role", help="admin, researcher or viewer.")] = None,
    name: Annotated[str | None, typer.Option("--name")] = None,
    email: Annotated[str | None, typer.Option("--email")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Change role, name or e-mail; a new role counts from the next request."""
    user = _run(
        lambda session: accounts.change_user(session, _actor(), username, role=role, display_name=name, email=email)
    )
    _print_users([user], output)


@user_app.command("deactivate")
def deactivate_user(username: Username, output: Output = Format.TEXT) -> None:
    """End a person's access now: all tokens are revoked; the row and running work stay."""
    _print_users([_run(lambda session: accounts.deactivate(session, _actor(), username))], output)


@user_app.command("reactivate")
def reactivate_user(username: Username, output: Output = Format.TEXT) -> None:
    """Let a person in again; old tokens stay revoked."""
    _print_users([_run(lambda session: accounts.reactivate(session, _actor(), username))], output)


@user_app.command("password")
def hand_out_password(username: Username, output: Output = Format.TEXT) -> None:
    """Print a one-time password for the portal's pages, alone, on stdout; its owner must set another at the first sign-in."""
    value = _run(lambda session: passwords.hand_out(session, _actor(), username))
    if output is Format.JSON:
        print_json({"user": username, "password": value})
    else:
        print_line(value)
        print_note(f"One-time password for {username}; the person's browsers were signed out. It is not shown again.")


@user_app.command("list")
def list_users(output: Output = Format.TEXT) -> None:
    """Everybody."""
    _print_users(_run(lambda session: accounts.list_users(session, _actor())), output)


@app.command("map")
def map_user(
    username: Username,
    unix_user: UnixOption = None,
    slurm_account: AccountOption = None,
    none: Annotated[bool, typer.Option("--none", help="Remove the mapping: the person can no longer submit.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Say as which Unix user, charged to which Slurm account, a person's jobs run."""
    if none == (unix_user is not None or slurm_account is not None):
        raise CliError(Exit.USAGE, "Give --unix-user and --slurm-account, or --none.")
    user = _run(lambda session: accounts.map_slurm(session, _actor(), username, unix_user, slurm_account))
    _print_users([user], output)


@token_app.command("make")
def make_token(
    username: Username,
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="May be repeated; default: all that the role allows.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=365, help="Default: no expiry.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Make a token for a person; its value is printed once, alone, on stdout."""

    async def make(session: AsyncSession) -> tuple[Any, str]:
        user = await accounts.user_named(session, username)
        scopes = scope or ROLE_SCOPES[Role(user.role)]
        return await tokens.make_token(session, _actor(), username, name=name, scopes=scopes, days=days)

    token, value = _run(make)
    if output is Format.JSON:
        print_json({"id": token.id, "user": username, "name": name, "scopes": token.scopes, "value": value})
    else:
        print_line(value)
        print_note(f"Token {token.prefix}... for {username}, scopes {', '.join(token.scopes)}. It is not shown again.")


@token_app.command("revoke")
def revoke_token(token_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Revoke a token; it stops working at once."""
    token = _run(lambda session: tokens.revoke_token(session, _actor(), token_id))
    print_line(f"Revoked: {token.prefix}...")


def _actor() -> Actor:
    """Whoever stands at the host's console: the audit row names the Unix account too."""
    try:
        unix = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        unix = str(os.getuid())
    return Actor(name=f"portal-admin/{unix}"[:60])


def _run(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """One transaction in the settings' database. Raises CliError in place of what the use case refused."""

    async def run() -> T:
        engine = engine_for(load_settings())
        try:
            async with transaction(sessions(engine)) as session:
                return await work(session)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except ServiceError as error:
        raise CliError(exit_of_status(error.status), error.message_en) from error
    except (DBAPIError, OSError) as error:
        raise _database_trouble(error) from error


def _settled(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """What needs no transaction of ours. Raises CliError."""
    try:
        return asyncio.run(work(load_settings()))
    except (DBAPIError, OSError) as error:
        raise _database_trouble(error) from error


def _database_trouble(error: Exception) -> CliError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CliError(Exit.UNAVAILABLE, f"Database: {first_line}", "Is it reachable, and has `portal-admin migrate` run?")


def _print_users(users: list[User], output: Format) -> None:
    if output is Format.JSON:
        print_json({"items": [_document(user) for user in users]})
        return
    heads = ("USER", "NAME", "ROLE", "ACTIVE", "UNIX USER", "SLURM ACCOUNT")
    rows = [
        (
            user.username,
            user.display_name,
            user.role,
            "yes" if user.active else "no",
            user.unix_user,
            user.slurm_account,
        )
        for user in users
    ]
    print_table(heads, rows)


def _document(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "displayName": user.display_name,
        "email": user.email,
        "role": user.role,
        "active": user.active,
        "unixUser": user.unix_user,
        "slurmAccount": user.slurm_account,
    }
