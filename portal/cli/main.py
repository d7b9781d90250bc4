"""`one`: the command line of researchers and admins. Its verbs are in portal.cli.verbs, exit codes in portal.cli.exits."""

from __future__ import annotations

from typing import Annotated

import typer

from portal.cli.context import Cli
from portal.cli.later import LaterCommands
from portal.cli.verbs import VERBS
from portal.cli.words import Words, chosen_language


class One(LaterCommands):
    """All verbs."""

    table = VERBS


app = typer.Typer(
    name="one",
    cls=One,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From an App spec file to a Slurm job and its model.",
)


@app.callback()
def one(
    context: typer.Context,
    lang: Annotated[str | None, typer.Option("--lang", help="ko or en; default: ONE_LANG, then the locale.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Choose the language before anything is said."""
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(installed_version("avatar-one"))
        raise typer.Exit
    context.ensure_object(Cli).words = Words(chosen_language(lang))
