"""repair: one side of a mismatch that `one doctor --reconcile` names holds from now on."""

from __future__ import annotations

from typing import Annotated

import typer

from portal.cli.asked import carried_out
from portal.cli.context import Output, cli_of
from portal.cli.exits import Exit
from portal.cli.output import Format, plain, print_json, print_line

DONE, REFUSED = "done", "refused"


def repair(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="As `one doctor --reconcile` prints it.")],
    about: Annotated[str, typer.Argument(metavar="OBJECT", help="What it is about: the id beside the code.")],
    side: Annotated[str, typer.Option("--side", metavar="slurm|portal", help="Whose word holds.")],
    output: Output = Format.TEXT,
) -> None:
    """Have the daemon mend a mismatch of the newest `one doctor --reconcile` (admins); 1 when it was refused."""
    cli = cli_of(context)
    with cli.api() as api:
        asked = api.post("/repairs", {"code": code, "object": about, "side": side})
        found = carried_out(cli, api, f"/repairs/{asked['id']}", ends=(DONE, "agreed", REFUSED))
    if output is Format.JSON:
        print_json(found)
    else:
        result = f": {plain(found['result'])}" if found["result"] else ""
        print_line(cli.words(f"repair_{found['state']}", code=code, id=plain(about)) + result)
    if found["state"] == REFUSED:
        raise typer.Exit(int(Exit.FAILED))
