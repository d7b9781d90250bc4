"""doctor: whether every part works, whether portal, Slurm and S3 agree, and whether this compute node is fit for jobs."""

from __future__ import annotations

import shlex
from importlib.resources import files
from typing import Annotated, Any

import typer

from portal.cli.asked import carried_out
from portal.cli.context import Cli, Output, cli_of
from portal.cli.exits import Exit
from portal.cli.output import Format, plain, print_json, print_line, print_note, print_table


def doctor(
    context: typer.Context,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Also compare portal, Slurm, accounting and storage.")
    ] = False,
    contents: Annotated[
        bool, typer.Option("--contents", help="Also read every stored model and compare its sha256.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back ended workloads count.")] = 7,
    node: Annotated[bool, typer.Option("--node", help="Test this very compute node instead; asks no portal.")] = False,
    print_it: Annotated[
        bool, typer.Option("--print", help="With --node: print the test as one Python file, to run where no `one` is.")
    ] = False,
    user: Annotated[
        str, typer.Option("--user", metavar="UNIX_USER", help="With --node as root: who must be able to write.")
    ] = "",
    folders: Annotated[
        list[str] | None, typer.Option("--folder", help="With --node: a shared folder; default /shared/runs.")
    ] = None,
    image: Annotated[str, typer.Option("--image", metavar="SIF", help="With --node: a SIF that has `true`.")] = "",
    output: Output = Format.TEXT,
) -> None:
    """Check the portal's parts, and with --reconcile that portal, Slurm and storage agree (admins); 1 when they do not."""
    if node:
        _node(user, folders or [], image, output, print_it=print_it)
        return
    cli = cli_of(context)
    with cli.api() as api:
        asked = api.post("/doctor", {"reconcile": reconcile or contents, "contents": contents, "days": days})
        found = carried_out(cli, api, f"/doctor/{asked['id']}")
    if output is Format.JSON:
        print_json(found)
    else:
        _print(cli, found)
    if found["findings"]:
        raise typer.Exit(int(Exit.FAILED))


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
        for offer in finding["offers"]:
            command = f"one repair {finding['code']} {shlex.quote(plain(finding['id']))} --side {offer['side']}"
            print_line(f"    {words('how_to_mend')}: {command}  # {plain(offer['says'])}")
    count = len(found["findings"])
    print_line(words("findings", count=count) if count else words("all_agree" if found["reconcile"] else "all_well"))


def _node(user: str, folders: list[str], image: str, output: Format, *, print_it: bool) -> None:
    """Run or print the test of a compute node; 1 when a check failed."""
    source = (files("slurm") / "inside" / "nodecheck.py").read_text("utf-8")
    if print_it:
        print_line(source.rstrip())
        return
    from slurm.inside import nodecheck  # only here: `one` starts without it

    words = [*(word for folder in folders for word in ("--folder", folder))]
    words += ["--user", user, "--image", image, *(["--json"] if output is Format.JSON else [])]
    if nodecheck.main(words):
        raise typer.Exit(int(Exit.FAILED))
