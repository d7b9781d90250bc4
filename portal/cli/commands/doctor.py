"""doctor: whether every part works, and whether portal, Slurm and S3 agree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli.context import Cli, Output, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, plain, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from portal.cli.api import Api

TAKEN_UP_S = 60.0
DONE_S = 3600.0
LOOK_EVERY_S = 0.5


def doctor(
    context: typer.Context,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Also compare portal, Slurm, accounting and storage.")
    ] = False,
    contents: Annotated[
        bool, typer.Option("--contents", help="Also read every stored model and compare its sha256.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back ended workloads count.")] = 7,
    output: Output = Format.TEXT,
) -> None:
    """Check the portal's parts, and with --reconcile that portal, Slurm and storage agree (admins); 1 when they do not."""
    cli = cli_of(context)
    with cli.api() as api:
        asked = api.post("/doctor", {"reconcile": reconcile or contents, "contents": contents, "days": days})
        found = _done(cli, api, asked["id"])
    if output is Format.JSON:
        print_json(found)
    else:
        _print(cli, found)
    if found["findings"]:
        raise typer.Exit(int(Exit.FAILED))


def _done(cli: Cli, api: Api, checkup: int) -> dict[str, Any]:
    """Wait for the daemon. Raises CliError when it does not begin, or does not come to an end."""
    begun = time.monotonic()
    while True:
        found = api.get(f"/doctor/{checkup}")
        waited = time.monotonic() - begun
        if found["state"] == "done":
            return found
        if waited > (TAKEN_UP_S if found["state"] == "wanted" else DONE_S):
            raise CliError(Exit.UNAVAILABLE, cli.words("no_daemon", seconds=round(waited)))
        time.sleep(LOOK_EVERY_S)


def _print(cli: Cli, found: dict[str, Any]) -> None:
    words = cli.words
    heads = [words(key) for key in ("part", "status", "says")]
    print_table(heads, ((part["name"], "ok" if part["ok"] else "!", part["says"]) for part in found["parts"]))
    if found["reconcile"]:
        counts = ", ".join(f"{name} {count}" for name, count in found["compared"].items())
        print_note(words("compared", days=found["days"], counts=counts))
    for finding in found["findings"]:
        about = f" ({finding['workload']})" if finding["workload"] not in (None, finding["id"]) else ""
        print_line(f"! {finding['code']}: {finding['kind']} {plain(finding['id'])}{about}: {finding['message']}")
        for side, says in ((words("portal"), finding["portal"]), (finding["system"], finding["other"])):
            if says:
                print_line(f"    {side}: {plain(says)}")
        print_line(f"    {words('cure')}: {plain(finding['cure'])}")
    count = len(found["findings"])
    print_line(words("findings", count=count) if count else words("all_agree" if found["reconcile"] else "all_well"))
