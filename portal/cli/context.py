"""What every command of `one` gets: language, credentials, the portal; and how commands end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from portal.cli import credentials
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, print_note
from portal.cli.words import Words

if TYPE_CHECKING:
    import httpx2

    from portal.cli.api import Api

Output = Annotated[Format, typer.Option("--output", "-o", help="Answer as text or json.")]
WorkloadArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Workload id (W-A1B2C3), or one of its Slurm jobs (123, 123+1).")
]
PageOption = Annotated[int, typer.Option("--page", min=1, help="Which page of the list.")]
SizeOption = Annotated[int, typer.Option("--size", min=1, max=200, help="Rows a page.")]


@dataclass
class Cli:
    """One run of `one`; tests give the transport."""

    transport: httpx2.BaseTransport | None = None
    words: Words = field(default_factory=lambda: Words("ko"))

    @contextmanager
    def api(self) -> Iterator[Api]:
        """The portal of the stored login. Raises CliError without one."""
        found = credentials.find(self.words)
        if found is None:
            raise CliError(Exit.NOT_SIGNED_IN, self.words("not_signed_in"))
        with self.api_as(found) as api:
            yield api

    @contextmanager
    def api_as(self, who: credentials.Credentials) -> Iterator[Api]:
        """The portal with these credentials."""
        from portal.cli.api import Api

        with Api(who, self.words, self.transport) as api:
            yield api


def cli_of(context: typer.Context) -> Cli:
    """The run that a command belongs to."""
    return context.ensure_object(Cli)


class Commands(TyperGroup):
    """A group of commands whose failures become one message and one exit code, never a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A closed pipe ends it silently, Ctrl-C with 130."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except CliError as error:
            for line in error.lines:
                print_note(line)
            raise typer.Exit(int(error.exit_code)) from error
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(int(Exit.OK)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(int(Exit.DETACHED)) from error
