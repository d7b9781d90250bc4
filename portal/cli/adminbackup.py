"""`portal-admin backup` and `restore`: everything but the stored objects into one folder, and back into an empty database."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from portal.cli.context import Output
from portal.cli.direct import console_actor, settled
from portal.cli.exits import CliError, Exit, exit_of_status
from portal.cli.output import Format, print_json, print_line, print_note
from portal.db.dump import DumpError
from portal.services import backup as backups
from portal.services.errors import ServiceError
from portal.settings import Settings
from portal.store.s3 import ObjectStore, StoreError

T = TypeVar("T")
SHOWN = 20


def backup(
    folder: Annotated[
        Path | None, typer.Argument(help="A new folder; default: one named by the time in /var/lib/one-backups.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Save database, settings file, manifests and the list of stored objects. Web and daemon may go on meanwhile."""
    target = folder or _default_folder()
    note = _told(lambda settings: backups.make(settings, console_actor(), ObjectStore(settings), target))
    if output is Format.JSON:
        print_json({"folder": str(target), "revision": note.revision, "tables": note.tables, "objects": note.objects})
        return
    rows = sum(note.tables.values())
    print_line(
        f"{target}: {rows} rows in {len(note.tables)} tables (revision {note.revision}), {note.objects} objects listed."
    )
    print_note("Keep it on another machine. Files in S3 and secrets are not in it.")


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `portal-admin backup` wrote.")],
    output: Output = Format.TEXT,
) -> None:
    """Fill the empty database from a backup and compare S3 with its list; exits with 1 when objects are missing.

    Web and daemon must be stopped.
    """
    found = _told(lambda settings: backups.restore(settings, console_actor(), ObjectStore(settings), folder))
    if output is Format.JSON:
        print_json(
            {
                "madeAt": found.note.made_at,
                "tables": found.note.tables,
                "missing": list(found.missing),
                "writtenBack": list(found.written_back),
                "settingsDiffer": found.settings_differ,
            }
        )
    else:
        _print(folder, found)
    if found.missing:
        raise typer.Exit(int(Exit.FAILED))


def _print(folder: Path, found: backups.Restored) -> None:
    print_line(f"Restored {sum(found.note.tables.values())} rows as of {found.note.made_at}.")
    for key in found.written_back:
        print_line(f"+ {key} was put back")
    for key in found.missing[:SHOWN]:
        print_line(f"! {key} is missing in S3")
    if len(found.missing) > SHOWN:
        print_line(f"! and {len(found.missing) - SHOWN} more")
    if found.settings_differ:
        print_note(
            f"The settings file differs from {folder / backups.SETTINGS}: compare them before you start the portal."
        )
    print_note(
        "Start one-web and one-daemon, then run `one doctor --reconcile`: it names what has run since the backup."
    )


def _default_folder() -> Path:
    """Below the unit's own state directory. Source: systemd.exec(5), $STATE_DIRECTORY."""
    return Path(os.environ.get("STATE_DIRECTORY", ".")) / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _told(work: Callable[[Settings], Awaitable[T]]) -> T:
    async def run(settings: Settings) -> T:
        try:
            return await work(settings)
        except ServiceError as error:
            raise CliError(exit_of_status(error.status), error.message_en) from error
        except (DumpError, StoreError) as error:
            raise CliError(Exit.FAILED, str(error)) from error
        except ValueError as error:  # the S3 client's word for a key that is missing
            raise CliError(
                Exit.FAILED, f"The settings lack something: {error}", "Run it as root on the portal's host."
            ) from error

    return settled(run)
