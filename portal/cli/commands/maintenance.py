"""maintenance on, off, status: the switch that stops hand-over to Slurm."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from portal.cli.context import Cli, Output, cli_of
from portal.cli.output import Format, local_time, plain, print_json, print_line

PATH = "/maintenance"


def switch_on(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Everybody who waits reads it.")],
    output: Output = Format.TEXT,
) -> None:
    """Hand nothing new to Slurm (admins). Everything else goes on."""
    cli = cli_of(context)
    with cli.api() as api:
        _print(cli, api.post(PATH, {"reason": reason}), output)


def switch_off(context: typer.Context, output: Output = Format.TEXT) -> None:
    """Hand waiting work to Slurm again (admins)."""
    cli = cli_of(context)
    with cli.api() as api:
        _print(cli, api.delete(PATH), output)


def status(context: typer.Context, output: Output = Format.TEXT) -> None:
    """Whether hand-over to Slurm is stopped, since when, by whom and why."""
    cli = cli_of(context)
    with cli.api() as api:
        _print(cli, api.get(PATH), output)


def _print(cli: Cli, document: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(notice_line(cli, document) or cli.words("maintenance_off"))


def notice_line(cli: Cli, document: dict[str, Any]) -> str:
    """Since when, by whom and why nothing is handed over; "" while the switch is off."""
    if not document["on"]:
        return ""
    facts = {"time": local_time(document["since"]), "by": plain(document["by"]), "reason": plain(document["reason"])}
    return cli.words("maintenance_on", **facts)
