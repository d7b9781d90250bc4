"""editors list, add, remove: who edits an App beside its owner."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from portal.cli.context import Cli, Output, cli_of
from portal.cli.output import Format, print_json, print_line

AppArgument = Annotated[str, typer.Argument(metavar="APP", help="The App's id.")]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The portal's user name.")]


def list_editors(context: typer.Context, app: AppArgument, output: Output = Format.TEXT) -> None:
    """An App's co-editors."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get(f"/apps/{quote(app, safe='')}")
    _print(cli, {"appId": found["id"], "coEditors": found["coEditors"]}, output)


def add_editor(context: typer.Context, app: AppArgument, user: UserArgument, output: Output = Format.TEXT) -> None:
    """Let a person edit and publish the App, and read its runs (owner, admins); again is fine."""
    cli = cli_of(context)
    with cli.api() as api:
        _print(cli, api.put(_place(app, user)), output)


def remove_editor(context: typer.Context, app: AppArgument, user: UserArgument, output: Output = Format.TEXT) -> None:
    """Take that right away (owner, admins); what the person did stays."""
    cli = cli_of(context)
    with cli.api() as api:
        _print(cli, api.delete(_place(app, user)), output)


def _place(app: str, user: str) -> str:
    return f"/apps/{quote(app, safe='')}/editors/{quote(user, safe='')}"


def _print(cli: Cli, found: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        print_json(found)
        return
    for name in found["coEditors"]:
        print_line(name)
    if not found["coEditors"]:
        print_line(cli.words("no_editors", app=found["appId"]))
