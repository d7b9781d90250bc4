"""audit verify: whether the audit log is what it was when it was sealed."""

from __future__ import annotations

from typing import Any

import typer

from portal.cli.asked import carried_out
from portal.cli.context import Cli, Output, cli_of
from portal.cli.exits import Exit
from portal.cli.output import Format, local_time, plain, print_json, print_line


def verify(context: typer.Context, output: Output = Format.TEXT) -> None:
    """Compare every audit row with its seal, and the seals with their heads in S3 (admins); 1 when something is wrong."""
    cli = cli_of(context)
    with cli.api() as api:
        asked = api.post("/audit/checks")
        found = carried_out(cli, api, f"/audit/checks/{asked['id']}")
    if output is Format.JSON:
        print_json(found)
    else:
        _print(cli, found)
    if not found["intact"]:
        raise typer.Exit(int(Exit.FAILED))


def _print(cli: Cli, found: dict[str, Any]) -> None:
    words = cli.words
    for finding in found["findings"]:
        print_line(f"! {finding['code']}: {plain(finding['message'])}")
    if found["more"]:
        print_line(words("audit_more", count=found["more"]))
    counts = {name: found[name] for name in ("rows", "seals", "expired", "unsealed", "heads")}
    print_line(words("audit_intact" if found["intact"] else "audit_broken", **counts))
    if found["sealedAt"]:
        print_line(words("audit_head", head=found["head"], time=local_time(found["sealedAt"])))
