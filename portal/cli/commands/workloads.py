"""list, show, logs, cancel, why: a workload from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from portal.cli.api import Api
from portal.cli.context import Cli, Output, PageOption, SizeOption, WorkloadArgument, cli_of
from portal.cli.exits import exit_of_state
from portal.cli.output import Format, local_time, plain, print_fields, print_json, print_line, print_note, print_table
from portal.cli.watching import LogPrinter, follow, reasons_text, state_words, wait
from portal.cli.words import Words


def list_workloads(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only yours.")] = False,
    owner: Annotated[str, typer.Option("--owner", help="Only this user's.")] = "",
    state: Annotated[str, typer.Option("--state", help="Only in this state, such as running.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="rl, general or test; tests are hidden otherwise.")] = "",
    app: Annotated[str, typer.Option("--app", help="Only of this App.")] = "",
    job: Annotated[str, typer.Option("--job", help="The one that this Slurm job (123, 123+1) belongs to.")] = "",
    text: Annotated[str, typer.Option("--search", "-q", help="Part of id or name, or a Slurm job id.")] = "",
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Workloads, newest first."""
    cli = cli_of(context)
    query = {"owner": "me" if mine else owner, "state": state, "kind": kind, "app": app, "job": job, "q": text}
    with cli.api() as api:
        found = api.get("/workloads", page=page, size=size, **query)
    print_page(cli, found, output, ("id", "name", "status", "app", "priority", "owner", "submitted_at"), _row)


def _row(words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["id"],
        item["name"],
        state_words(item, words),
        f"{item['appId']} · {item['appVersion']}",
        words.value("priority", item["priority"]),
        item["owner"]["displayName"],
        local_time(item["submittedAt"]),
    )


def print_page(cli: Cli, found: dict[str, Any], output: Format, heads: tuple[str, ...], row: Any) -> None:
    """A page of a list as a table, or as the API sent it."""
    if output is Format.JSON:
        print_json(found)
        return
    if not found["items"]:
        print_note(cli.words("nothing"))
        return
    print_table([cli.words(head) for head in heads], (row(cli.words, item) for item in found["items"]))
    shown = (found["page"] - 1) * found["size"] + len(found["items"])
    if shown < found["total"]:
        print_note(cli.words("more", shown=shown, total=found["total"], next=found["page"] + 1))


def show(context: typer.Context, workload: WorkloadArgument, output: Output = Format.TEXT) -> None:
    """One workload: where it is, what was decided, its Slurm jobs."""
    cli = cli_of(context)
    with cli.api() as api:
        document = api.get(f"/workloads/{workload}")
        failure = _failure_lines(api, document) if output is Format.TEXT else []
    if output is Format.JSON:
        print_json(document)
        return
    print_fields(_fields(cli.words, document, failure[:1]))
    _print_efficiency(cli.words, document)
    for line in failure[1:]:
        print_line(f"  {line}")


def _fields(words: Words, item: dict[str, Any], failure: list[str]) -> Iterator[tuple[str, object]]:
    yield words("id"), item["id"]
    yield words("name"), item["name"]
    yield words("status"), state_words(item, words)
    if item["unknownSince"]:
        yield "", words("unknown_since", time=local_time(item["unknownSince"]))
    yield words("app"), f"{item['appId']} · {item['appVersion']}"
    yield words("owner"), f"{item['owner']['displayName']} ({item['owner']['username']})"
    yield words("submitted_at"), local_time(item["submittedAt"])
    yield words("priority"), words.value("priority", item["priority"])
    yield words("decision"), words.value("decision", item["decision"])
    if item["needsApproval"]:
        yield words("approval"), reasons_text(item, words)
        yield words("loop_test"), words.value("test", item["loopTest"]["status"])
    yield words("reason"), item["rejectReason"] or item["cancelReason"]
    yield words("failure"), "".join(failure)
    yield words("time_limit"), f"{item['timeLimitMin']} min"
    yield words("spec_hash"), item["specHash"]
    jobs = [f"{job['jobId']} {job['state'] or job['status']}" for job in item["slurmJobs"] if job["jobId"]]
    yield words("slurm_jobs"), ", ".join(jobs)
    yield words("rerun_of"), item["rerunOf"]


def _print_efficiency(words: Words, document: dict[str, Any]) -> None:
    """What the last attempt asked for and used, and advice; nothing before it was measured."""
    found = document["attempts"][-1]["efficiency"] if document["attempts"] else []
    if not found:
        return
    print_line()
    heads = ("component", "memory_used", "max_rss", "cpus_used", "gpus_used")
    print_table([words(head) for head in heads], (_efficiency_row(one) for one in found))
    for one in found:
        for advice in one["advice"]:
            print_line(f"{one['step']}: {advice['textKo' if words.language == 'ko' else 'textEn']}")


def _efficiency_row(item: dict[str, Any]) -> tuple[object, ...]:
    asked, used = item["asked"], item["used"]
    percents = used["gpuPercent"]
    gpus = "—" if percents is None else f"{sum(percents) / len(percents):.0f} %"
    return (
        item["step"],
        f"{_memory(used['peakMemoryMib'])} / {_memory(asked['memoryMib'])}",
        _memory(used["maxRssMib"]),
        f"{'—' if used['cores'] is None else format(used['cores'], '.1f')} / {asked['cpus']}",
        f"{gpus} / {asked['gpus'] * asked['nodes']}" if asked["gpus"] else "—",
    )


def _memory(mib: float | None) -> str:
    if mib is None:
        return "—"
    return f"{mib:.0f}MB" if mib < 1024 else f"{mib / 1024:.3g}GB"


def _failure_lines(api: Api, document: dict[str, Any]) -> list[str]:
    """What went wrong in words, then the last lines of what died first; nothing for a workload that did not fail."""
    if not document["failure"]:
        return []
    lines = [api.get(f"/workloads/{document['id']}/why")["text"], *document["failure"].get("last_lines", [])]
    return [plain(line) for line in lines]


def logs(
    context: typer.Context,
    workload: WorkloadArgument,
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends; resumes by itself.")] = False,
    component: Annotated[
        str, typer.Option("--component", "-c", help="One component: its name or id, TASK-001/CL-REF-001, or `system`.")
    ] = "",
    stream: Annotated[str | None, typer.Option("--stream", help="stdout or stderr; default: both.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """What a workload's steps wrote, each line with its component in front (not with --component)."""
    cli = cli_of(context)
    with cli.api() as api:
        if output is Format.JSON:
            print_json(api.get(f"/workloads/{workload}/logs"))
            return
        component = _id_of(api, workload, component)
        if follow_it:
            printer = LogPrinter(_written_through, prefixed=not component)
            follow(api, cli.words, workload, printer, component=component, stream=stream)
        else:
            _print_logs(cli, api, workload, component, stream)


def _id_of(api: Api, workload: str, component: str) -> str:
    """TASK/NODE of the one component of this name; what names none, or several, stays as it was said."""
    if component in {"", "system"}:
        return component
    found = [
        f"{task['task_id']}/{one.get('node_id') or one['component_id']}"
        for task in api.get(f"/workloads/{workload}")["spec"]["tasks"]
        for one in task["components"]
        if one["name"] == component
    ]
    return found[0] if len(found) == 1 else component


def _print_logs(cli: Cli, api: Api, workload: str, component: str, stream: str | None) -> None:
    text = api.text(f"/workloads/{workload}/logs/merged", component=component, stream=stream, prefix=not component)
    if not text:
        print_note(cli.words("no_output"))
        return
    printer = LogPrinter(sys.stdout.write, prefixed=False)
    printer.show("", "merged", text)
    printer.finish()


def _written_through(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def follow_to_the_end(cli: Cli, api: Api, workload: str, output: Format) -> None:
    """Print the logs (not with -o json, which wants the document alone) and exit as the workload did."""
    if output is Format.JSON:
        end_with(cli, api, wait(api, cli.words, workload), output)
        return
    follow(api, cli.words, workload, LogPrinter(_written_through))
    end_with(cli, api, api.get(f"/workloads/{workload}"), output)


def end_with(cli: Cli, api: Api, document: dict[str, Any], output: Format) -> None:
    """Tell how a workload ended and exit with its result."""
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(cli.words("state_now", id=document["id"], state=state_words(document, cli.words)))
        for line in _failure_lines(api, document):
            print_note(line)
        if document["rejectReason"]:
            print_note(plain(document["rejectReason"]))
    raise typer.Exit(int(exit_of_state(document["state"])))


def cancel(
    context: typer.Context,
    workload: WorkloadArgument,
    reason: Annotated[str, typer.Option("--reason", help="Needed when it is not yours.")] = "",
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Cancel a workload; what runs is stopped, nothing is saved as a model."""
    cli = cli_of(context)
    with cli.api() as api:
        document = api.post(f"/workloads/{workload}/cancel", {"reason": reason})
        if wait_for_it:
            document = wait(api, cli.words, workload, quiet=output is Format.JSON)
    print_change(cli, document, output, "cancelling")


def why(context: typer.Context, workload: WorkloadArgument, output: Output = Format.TEXT) -> None:
    """Why it is not running, in plain words."""
    cli = cli_of(context)
    with cli.api() as api:
        answer = api.get(f"/workloads/{workload}/why")
    if output is Format.JSON:
        print_json(answer)
        return
    code = f" ({answer['code']})" if answer["code"] else ""
    print_line(plain(answer["text"]) + plain(code))
    if answer["position"] is not None:
        print_line(cli.words("position", position=answer["position"]))
    if answer["estimatedStart"]:
        print_line(cli.words("estimate", time=local_time(answer["estimatedStart"])))


def print_change(cli: Cli, document: dict[str, Any], output: Format, sentence: str) -> None:
    """What a change left behind: one sentence, or the document."""
    if output is Format.JSON:
        print_json(document)
        return
    words = cli.words
    priority = words.value("priority", document["priority"])
    print_line(words(sentence, id=document["id"], state=state_words(document, words), priority=priority))
