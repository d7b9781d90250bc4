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
    shared: Annotated[
        Path | None,
        typer.Option("--shared", metavar="DIR", help="Yours, seen by the nodes: images and runs. Real Slurm."),
    ] = None,
    account: Annotated[str, typer.Option("--account", help="Slurm account; default: your default one.")] = "",
    qos: Annotated[str, typer.Option("--qos", help="Slurm QOS; default: your default one.")] = "",
    partition: Annotated[
        list[str] | None, typer.Option("--partition", help="Only these, once each; default: all you may use.")
    ] = None,
    registry: Annotated[
        list[str] | None, typer.Option("--registry", metavar="HOST", help="One more that images may come from.")
    ] = None,
    apptainer: Annotated[
        str, typer.Option("--apptainer", metavar="PROGRAM", help="Here and on the nodes.")
    ] = "apptainer",
    slurmrestd: Annotated[
        Path | None, typer.Option("--slurmrestd", metavar="SOCKET", help="One that runs; default: start one's own.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="More settings, as in portal.toml.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 is any free one.")] = 8000,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Where everything else is kept.")] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=MAX_SPEED, help="Of played runs; 1: a minute a step.")
    ] = 10.0,
    demo: Annotated[bool, typer.Option("--demo", help="With --simulate: hand in the example Apps.")] = False,
) -> None:
    """Run web and daemon here, for you alone, until Ctrl-C."""
    cli = cli_of(context)
    if simulate == (shared is not None):
        raise CliError(Exit.USAGE, cli.words("serve_which"))
    if demo and not simulate:
        raise CliError(Exit.USAGE, cli.words("serve_demo_simulates"))
    import anyio

    from portal.serve.cluster import simulated
    from portal.serve.discover import Wish
    from portal.serve.errors import ServeError
    from portal.serve.main import Options
    from portal.serve.main import serve as run
    from portal.serve.own import Wishes, real

    def tell(code: str, **facts: object) -> None:
        print_note(cli.words(f"serve_{code}", **facts))

    print_note(cli.words("serve_starting"))
    folder = data or _default_folder("simulated" if simulate else "portal")
    if shared is None:
        options = Options(folder, simulated(speed), port=port, demo=demo)
    else:
        wishes = Wishes(
            shared=shared,
            wish=Wish(account, qos, tuple(partition or ())),
            rest_socket=slurmrestd,
            registries=tuple(registry or ()),
            apptainer=apptainer,
            settings=settings,
        )
        options = Options(folder, real(wishes, tell), port=port, is_private=True)
    try:
        anyio.run(run, options, lambda ready: _welcome(cli, ready, simulate))
    except ServeError as error:
        raise CliError(Exit.UNAVAILABLE, cli.words(f"serve_{error.code}", **error.facts)) from error
    print_note(cli.words("serve_stopped", folder=options.data))


def _default_folder(kind: str) -> Path:
    from platformdirs import user_data_path

    return user_data_path("one") / kind


def _welcome(cli: Cli, ready: Ready, simulate: bool) -> None:
    """The address alone on stdout, everything else beside it."""
    print_note(cli.words("serve_simulated") if simulate else cli.words("serve_real", **ready.about))
    if ready.is_new:
        print_note(cli.words("serve_new", name=ready.username, token=ready.folder.token))
    print_note(cli.words("serve_login", url=ready.url, token=ready.folder.token))
    if ready.submitted:
        print_note(cli.words("serve_demo", ids=", ".join(ready.submitted)))
    print_note(cli.words("serve_folder", folder=ready.folder.path, log=ready.folder.log))
    print_line(ready.url)
    print_note(cli.words("serve_stop"))
