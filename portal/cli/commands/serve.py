"""serve: a whole portal of one's own, in this terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portal.cli.context import Cli, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import print_line, print_note

if TYPE_CHECKING:
    from portal.serve.main import Ready

MAX_SPEED = 1000.0


def serve(
    context: typer.Context,
    simulate: Annotated[bool, typer.Option("--simulate", help="On a simulated cluster; needs no Slurm.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 is any free one.")] = 8000,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Where everything is kept.")] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=MAX_SPEED, help="Of played runs; 1: a minute a step.")
    ] = 10.0,
    demo: Annotated[bool, typer.Option("--demo", help="Hand in the example Apps.")] = False,
) -> None:
    """Run web and daemon here, for you alone, until Ctrl-C."""
    cli = cli_of(context)
    if not simulate:
        raise CliError(Exit.USAGE, cli.words("serve_simulate_only"))
    import anyio

    from portal.serve.errors import ServeError
    from portal.serve.main import Options
    from portal.serve.main import serve as run

    print_note(cli.words("serve_starting"))
    options = Options(data=data or _default_folder(), port=port, speed=speed, demo=demo)
    try:
        anyio.run(run, options, lambda ready: _welcome(cli, ready))
    except ServeError as error:
        raise CliError(Exit.UNAVAILABLE, cli.words(f"serve_{error.code}", **error.facts)) from error
    print_note(cli.words("serve_stopped", folder=options.data))


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("one") / "simulated"


def _welcome(cli: Cli, ready: Ready) -> None:
    """The address alone on stdout, everything else beside it."""
    print_note(cli.words("serve_simulated"))
    if ready.is_new:
        print_note(cli.words("serve_new", name=ready.username, token=ready.folder.token))
    print_note(cli.words("serve_login", url=ready.url, token=ready.folder.token))
    if ready.submitted:
        print_note(cli.words("serve_demo", ids=", ".join(ready.submitted)))
    print_note(cli.words("serve_folder", folder=ready.folder.path, log=ready.folder.log))
    print_line(ready.url)
    print_note(cli.words("serve_stop"))
