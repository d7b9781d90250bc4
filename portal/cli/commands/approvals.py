"""test, approve, reject: the gate."""

from __future__ import annotations

from typing import Annotated

import typer

from portal.cli.commands.specs import params_of
from portal.cli.commands.workloads import print_change
from portal.cli.context import Output, WorkloadArgument, cli_of
from portal.cli.exits import Exit
from portal.cli.output import Format, print_json, print_line
from portal.cli.watching import wait


def start_test(
    context: typer.Context,
    workload: WorkloadArgument,
    episodes: Annotated[int | None, typer.Option(min=10, max=1000, help="RL: how many episodes.")] = None,
    iterations: Annotated[int | None, typer.Option(min=5, max=20, help="General: how many runs.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs a component.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory a component, such as 32GB.")] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="TASK/NODE.params.NAME=VALUE", help="Another parameter for the test only."),
    ] = None,
    wait_for_it: Annotated[
        bool, typer.Option("--wait", help="Stay until the test has ended; exit with its result.")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Run the minimal run test that an approval needs."""
    cli = cli_of(context)
    body = {
        "episodes": episodes,
        "iterations": iterations,
        "gpus": gpus,
        "memory": memory,
        "params": params_of(params or [], cli),
    }
    with cli.api() as api:
        started = api.post(f"/workloads/{workload}/test", body)
        if not wait_for_it:
            if output is Format.JSON:
                print_json(started)
            else:
                print_line(cli.words("test_started", id=workload, run=started["runId"]))
            return
        wait(api, cli.words, started["runId"])
        document = api.get(f"/workloads/{workload}")
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(cli.words.value("test", document["loopTest"]["status"]))
    raise typer.Exit(int(Exit.OK if document["loopTest"]["status"] == "passed" else Exit.FAILED))


def approve(
    context: typer.Context,
    workload: WorkloadArgument,
    priority: Annotated[str, typer.Option("--priority", help="high, normal or low.")] = "normal",
    spec_hash: Annotated[
        str | None, typer.Option("--spec-hash", help="Approve only if this is what would run.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Approve a request (admins); its minimal run test must have passed for exactly what it would run."""
    cli = cli_of(context)
    with cli.api() as api:
        body = {"specHash": spec_hash, "priority": priority}
        document = api.post(f"/workloads/{workload}/approve", body)
    print_change(cli, document, output, "approved")


def reject(
    context: typer.Context,
    workload: WorkloadArgument,
    reason: Annotated[str, typer.Option("--reason", help="What the applicant should know; 10 characters at least.")],
    output: Output = Format.TEXT,
) -> None:
    """Reject a request (admins); the reason goes to the applicant."""
    cli = cli_of(context)
    with cli.api() as api:
        document = api.post(f"/workloads/{workload}/reject", {"reason": reason})
    print_change(cli, document, output, "rejected")
