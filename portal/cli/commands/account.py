"""login, logout, tokens: who asks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from portal.cli import credentials
from portal.cli.context import Cli, Output, cli_of
from portal.cli.credentials import Credentials
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, local_time, print_json, print_line, print_note, print_table

DEFAULT_SCOPES = "read,submit,download"
_LOCAL = ("http://localhost", "http://127.0.0.1", "http://[::1]")


def login(
    context: typer.Context,
    url: Annotated[str, typer.Option("--url", envvar=credentials.URL_VARIABLE, help="The portal's address.")] = "",
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read a token from stdin instead.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address to open.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Sign in, in the browser; address and token are kept in a file that only you can read."""
    from portal.cli.browserlogin import token_from_browser  # hashing and the browser: only for a login

    cli = cli_of(context)
    url = (url or credentials.stored_url()).rstrip("/")
    if not url:
        raise CliError(Exit.USAGE, cli.words("not_signed_in"))
    if url.startswith("http://") and not url.startswith(_LOCAL):
        print_note(cli.words("plain_http", url=url))
    token = _given_token(cli) if token_stdin else token_from_browser(cli, url, open_browser=not no_browser)
    who = Credentials(url, token)
    with cli.api_as(who) as api:
        me = api.get("/me")
    credentials.store(who)
    if output is Format.JSON:
        print_json(me)
    else:
        print_line(cli.words("signed_in", name=me["username"], role=me["role"], url=url))


def logout(context: typer.Context) -> None:
    """Forget the stored token. It stays valid until it expires or is revoked."""
    credentials.forget()
    print_line(cli_of(context).words("signed_out"))


def _given_token(cli: Cli) -> str:
    value = sys.stdin.readline().strip()
    if not value:
        raise CliError(Exit.USAGE, cli.words("no_token"))
    return value


def list_tokens(context: typer.Context, output: Output = Format.TEXT) -> None:
    """Your API tokens."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/tokens")
    if output is Format.JSON:
        print_json(found)
        return
    heads = [cli.words(key) for key in ("id", "name", "prefix", "scopes", "expires_at", "last_used_at")]
    live = [token for token in found["items"] if not token["revokedAt"]]
    print_table(
        heads,
        (
            (
                token["id"],
                token["name"],
                token["prefix"],
                ",".join(token["scopes"]),
                local_time(token["expiresAt"]),
                local_time(token["lastUsedAt"]),
            )
            for token in live
        ),
    )


def make_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scopes: Annotated[str, typer.Option(help="Comma separated: read, submit, download, approve.")] = DEFAULT_SCOPES,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until it expires.")] = 90,
    output: Output = Format.TEXT,
) -> None:
    """Make a token; its value is printed once, on stdout."""
    cli = cli_of(context)
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    with cli.api() as api:
        made = api.post("/tokens", {"name": name, "scopes": wanted, "days": days})
    if output is Format.JSON:
        print_json(made)
    else:
        print_line(made["value"])
        print_note(cli.words("token_made"))


def revoke_token(
    context: typer.Context, token: Annotated[int, typer.Argument(metavar="ID")], output: Output = Format.TEXT
) -> None:
    """Revoke one of your tokens; it stops working at once."""
    cli = cli_of(context)
    with cli.api() as api:
        revoked = api.delete(f"/tokens/{token}")
    if output is Format.JSON:
        print_json(revoked)
    else:
        print_line(cli.words("token_revoked", prefix=revoked["prefix"]))
