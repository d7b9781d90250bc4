"""`portal-admin`: on the portal's host, straight to the database: migrations, people, mappings, tokens. The break-glass."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from portal.cli.adminaudit import audit_app
from portal.cli.adminbackup import backup, restore
from portal.cli.context import Commands, Output
from portal.cli.direct import console_actor, in_transaction, settled
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, print_json, print_line, print_note, print_table
from portal.db.engine import migrate, revision
from portal.db.models import User
from portal.domain import alerts, dashboard
from portal.services import accounts, passwords, tokens
from portal.services.accounts import Role
from portal.services.tokens import ROLE_SCOPES, Scope

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
app.add_typer(audit_app, name="audit")
app.command()(backup)
app.command()(restore)

Username = Annotated[str, typer.Argument(metavar="USER", help="The portal's user name.")]
RoleOption = Annotated[Role, typer.Option("--role", help="admin, researcher or viewer.")]
UnixOption = Annotated[str | None, typer.Option("--unix-user", help="The Unix account that jobs run as.")]
AccountOption = Annotated[
    str | None, typer.Option("--slurm-account", help="The Slurm account that jobs are charged to.")
]


@app.command("migrate")
def migrate_database() -> None:
    """Bring the database to this version's tables and print their revision; again is fine."""
    settled(migrate)
    show_revision()


@app.command("revision")
def show_revision() -> None:
    """Print the revision of the database's tables, `none` before the first migration."""
    print_line(settled(revision))


@app.command("alert-rules")
def alert_rules() -> None:
    """Print the alert rules for the site's Prometheus."""
    print_line(alerts.rule_file().rstrip())


@app.command("dashboard")
def grafana_dashboard() -> None:
    """Print the dashboard for Grafana's import, as JSON."""
    print_json(dashboard.document())


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
            console_actor(),
            username=username,
            display_name=name,
            role=role,
            email=email,
            unix_user=unix_user,
            slurm_account=slurm_account,
        )

    _print_users([in_transaction(add)], output)


@user_app.command("change")
def change_user(
    username: Username,
    role: Annotated[Role | None, typer.Option("--role", help="admin, researcher or viewer.")] = None,
    name: Annotated[str | None, typer.Option("--name")] = None,
    email: Annotated[str | None, typer.Option("--email")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Change role, name or e-mail; a new role counts from the next request."""
    user = in_transaction(
        lambda session: accounts.change_user(
            session, console_actor(), username, role=role, display_name=name, email=email
        )
    )
    _print_users([user], output)


@user_app.command("deactivate")
def deactivate_user(username: Username, output: Output = Format.TEXT) -> None:
    """End a person's access now: all tokens are revoked; the row and running work stay."""
    _print_users([in_transaction(lambda session: accounts.deactivate(session, console_actor(), username))], output)


@user_app.command("reactivate")
def reactivate_user(username: Username, output: Output = Format.TEXT) -> None:
    """Let a person in again; old tokens stay revoked."""
    _print_users([in_transaction(lambda session: accounts.reactivate(session, console_actor(), username))], output)


@user_app.command("password")
def hand_out_password(username: Username, output: Output = Format.TEXT) -> None:
    """Print a one-time password for the portal's pages, alone, on stdout; its owner must set another at the first sign-in."""
    value = in_transaction(lambda session: passwords.hand_out(session, console_actor(), username))
    if output is Format.JSON:
        print_json({"user": username, "password": value})
    else:
        print_line(value)
        print_note(f"One-time password for {username}; the person's browsers were signed out. It is not shown again.")


@user_app.command("list")
def list_users(output: Output = Format.TEXT) -> None:
    """Everybody."""
    _print_users(in_transaction(lambda session: accounts.list_users(session, console_actor())), output)


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
    user = in_transaction(
        lambda session: accounts.map_slurm(session, console_actor(), username, unix_user, slurm_account)
    )
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
        return await tokens.make_token(session, console_actor(), username, name=name, scopes=scopes, days=days)

    token, value = in_transaction(make)
    if output is Format.JSON:
        print_json({"id": token.id, "user": username, "name": name, "scopes": token.scopes, "value": value})
    else:
        print_line(value)
        print_note(f"Token {token.prefix}... for {username}, scopes {', '.join(token.scopes)}. It is not shown again.")


@token_app.command("revoke")
def revoke_token(token_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Revoke a token; it stops working at once."""
    token = in_transaction(lambda session: tokens.revoke_token(session, console_actor(), token_id))
    print_line(f"Revoked: {token.prefix}...")


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
