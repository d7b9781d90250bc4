"""`portal-admin audit`: verify the log on the database itself, with no web or daemon in between, and take what has expired."""

from __future__ import annotations

from typing import Annotated

import typer

from portal.cli.context import Output
from portal.cli.direct import console_actor, in_transaction, settled
from portal.cli.exits import Exit
from portal.cli.output import Format, print_json, print_line, print_note, print_table
from portal.db.engine import engine_for, sessions
from portal.services import auditexpiry, auditverify
from portal.services.auditverify import Verified
from portal.settings import Settings, load_settings
from portal.store.s3 import ObjectStore

audit_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The audit log.")


@audit_app.command("verify")
def verify(output: Output = Format.TEXT) -> None:
    """Compare every audit row with its seal, and the chain of seals with the heads in S3; 1 when something is wrong."""
    found = settled(_verify)
    if output is Format.JSON:
        print_json(found.as_json())
    else:
        for finding in found.findings:
            print_line(f"! {finding.code}: {finding.words('en')}")
        if found.more:
            print_line(f"! and {found.more} more")
        counts = (
            f"{found.rows} rows under {found.seals} seals, {found.expired} expired, {found.unsealed} not sealed yet"
        )
        print_line(f"{'Intact' if found.intact else 'NOT INTACT'}: {counts}, {found.heads} heads in S3.")
        print_line(f"Head of the chain: {found.head}")
    if not found.intact:
        raise typer.Exit(int(Exit.FAILED))


async def _verify(settings: Settings) -> Verified:
    engine = engine_for(settings)
    try:
        return await auditverify.verify(sessions(engine), ObjectStore(settings))
    finally:
        await engine.dispose()


@audit_app.command("expire")
def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Delete the rows that are older than the settings keep their class; the chain stays verifiable."""
    settings = load_settings()
    if dry_run:
        found = in_transaction(lambda session: auditexpiry.expired(session, settings))
    else:
        found = in_transaction(lambda session: auditexpiry.expire(session, console_actor(), settings))
    if output is Format.JSON:
        items = [{"class": one.keeping, "before": one.before.isoformat(), "rows": one.rows} for one in found]
        print_json({"dryRun": dry_run, "items": items})
        return
    print_table(
        ("CLASS", "OLDER THAN", "ROWS"), [(one.keeping, f"{one.before:%Y-%m-%d}", str(one.rows)) for one in found]
    )
    print_note("Nothing was deleted." if dry_run else "Deleted. Their seals stay.")
