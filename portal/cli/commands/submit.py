"""submit, rerun: a spec file, or a run that has ended, becomes a workload."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import typer

from portal.cli.api import Api
from portal.cli.commands.analyses import operator_ref
from portal.cli.commands.specs import (
    FormOption,
    SmallestOption,
    SpecFile,
    loaded_document,
    overrides_of,
    print_plan,
    read_spec,
)
from portal.cli.commands.workloads import end_with, follow_to_the_end
from portal.cli.context import Cli, Output, WorkloadArgument, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, print_json, print_line, print_note
from portal.cli.watching import reasons_text, state_words, wait
from portal.domain.notices import WISHES


def submit(
    context: typer.Context,
    file: SpecFile,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Stay until it ends; exit with its result.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print the logs; exit with its result.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; submit nothing.")] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value for this run only.")
    ] = None,
    as_new_app: Annotated[bool, typer.Option("--as-new-app", help="Run it as a new App of your own.")] = False,
    new_app_id: Annotated[str, typer.Option("--app-id", help="With --as-new-app: the new App's id.")] = "auto",
    general: Annotated[
        bool, typer.Option("--general", help="Not a training, though it has a training_config.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="The workload's name; default: the App's.")] = "",
    note: Annotated[str, typer.Option("--note", help="For people; not part of what runs.")] = "",
    time_limit: Annotated[int | None, typer.Option("--time-limit", min=1, metavar="MINUTES")] = None,
    form: FormOption = "auto",
    smallest: SmallestOption = False,
    run_test: Annotated[
        bool, typer.Option("--test", help="Start the minimal run test at once, if one is needed.")
    ] = False,
    share_logs: Annotated[
        bool, typer.Option("--share-logs", help="Everybody who sees the workload may read its logs.")
    ] = False,
    operator: Annotated[
        str, typer.Option("--operator", metavar="FILE", help="Run it after success: a .py or .zip, or OP-... you have.")
    ] = "",
    notify: Annotated[
        str, typer.Option("--notify", metavar="start,end", help="Be told of its start, its end, or both, by every way.")
    ] = "",
    output: Output = Format.TEXT,
) -> None:
    """Submit a spec file. Everything else can wait: Ctrl-C only detaches."""
    cli = cli_of(context)
    body: dict[str, Any] = {
        "spec": loaded_document(read_spec(file, cli.words), cli.words),
        "kind": "general" if general else None,
        "asNewApp": new_app_id if as_new_app else None,
        "name": name,
        "note": note,
        "overrides": overrides_of(assignments or [], cli),
        "timeLimitMin": time_limit,
        "form": form,
        "smallest": smallest,
        "runTest": run_test,
        "shareLogs": share_logs,
        "notify": _wishes(notify),
    }
    if new_app_id != "auto" and not as_new_app:
        raise CliError(Exit.USAGE, "--app-id: --as-new-app?")
    with cli.api() as api:
        if dry_run:
            _dry_run(cli, api, body, output)
            return
        if operator:
            body["operator"] = operator_ref(api, cli.words, operator)
        workload = api.post_repeatable("/workloads", body, uuid4().hex)
        _stay(cli, api, workload, output, wait_for_it=wait_for_it, follow=follow)


def _wishes(text: str) -> list[str]:
    """`start,end` as a list. Raises CliError."""
    asked = [word.strip() for word in text.split(",") if word.strip()]
    if set(asked) - set(WISHES):
        raise CliError(Exit.USAGE, f"--notify: {', '.join(WISHES)}?")
    return asked


def rerun(
    context: typer.Context,
    workload: WorkloadArgument,
    resume: Annotated[bool, typer.Option("--resume", help="Begin with its checkpoints (only your own).")] = False,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Stay until it ends; exit with its result.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print the logs; exit with its result.")] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value for the new run only.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="For people; not part of what runs.")] = "",
    output: Output = Format.TEXT,
) -> None:
    """Run an ended workload again as a new one, with the same images, spec and options."""
    cli = cli_of(context)
    body = {"resume": resume, "overrides": overrides_of(assignments or [], cli), "note": note}
    with cli.api() as api:
        made = api.post_repeatable(f"/workloads/{workload}/rerun", body, uuid4().hex)
        _stay(cli, api, made, output, wait_for_it=wait_for_it, follow=follow)


def _stay(cli: Cli, api: Api, workload: dict[str, Any], output: Format, *, wait_for_it: bool, follow: bool) -> None:
    """Say what was made, and stay with it as long as asked."""
    _announce(cli, workload, output, quiet=output is Format.JSON and (wait_for_it or follow))
    if follow:
        follow_to_the_end(cli, api, workload["id"], output)
    elif wait_for_it:
        end_with(cli, api, wait(api, cli.words, workload["id"]), output)


def _dry_run(cli: Cli, api: Api, body: dict[str, Any], output: Format) -> None:
    answer = api.post("/workloads/dry-run", body)
    if output is Format.JSON:
        print_json(answer)
        return
    print_plan(answer)
    print_line(answer["approval"])
    print_note(cli.words("dry_run"))


def _announce(cli: Cli, workload: dict[str, Any], output: Format, *, quiet: bool) -> None:
    if quiet:
        return
    if output is Format.JSON:
        print_json(workload)
        return
    print_line(cli.words("submitted", id=workload["id"], state=state_words(workload, cli.words)))
    if workload["needsApproval"]:
        reasons = reasons_text(workload, cli.words)
        print_line(cli.words("needs_approval", id=workload["id"], reasons=reasons))
    print_line(cli.words("next", id=workload["id"]))
