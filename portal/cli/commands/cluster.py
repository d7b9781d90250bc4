"""queue, priority, move, hold, release, nodes, status, images: the cluster as the portal sees it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from portal.cli.commands.maintenance import notice_line
from portal.cli.commands.workloads import print_page
from portal.cli.context import Cli, Output, PageOption, SizeOption, WorkloadArgument, cli_of
from portal.cli.output import Format, local_time, print_json, print_line, print_note, print_table, size_text
from portal.cli.watching import state_words
from portal.cli.words import Words


def queue(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only yours.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """What waits, in the order in which Slurm will take it, and why."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/queue", scope="mine" if mine else "all")
    heads = (
        "order",
        "workload",
        "priority",
        "resources",
        "owner",
        "status",
        "submitted_at",
        "reason",
        "estimated_start",
    )
    print_page(cli, found, output, heads, _queue_row)


def _queue_row(words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    start = item["estimatedStart"]
    return (
        item["order"],
        f"{item['name']} ({item['id']})" if item["id"] else item["name"],
        words.value("priority", item["priority"]),
        item["resources"],
        item["applicant"],
        state_words(item, words),
        local_time(item["submittedAt"]),
        item["reason"],
        words("estimate", time=local_time(start)) if start else "",
    )


def priority(
    context: typer.Context,
    workload: WorkloadArgument,
    level: Annotated[str, typer.Argument(help="high, normal or low.")],
    output: Output = Format.TEXT,
) -> None:
    """Change the level of a waiting workload (admins). Running ones never stop for it."""
    _change(context, workload, "priority", {"priority": level}, output, "priority_set")


def move(
    context: typer.Context,
    workload: WorkloadArgument,
    before: Annotated[str | None, typer.Option("--before", metavar="ID", help="Directly before this one.")] = None,
    after: Annotated[str | None, typer.Option("--after", metavar="ID", help="Directly after this one.")] = None,
    top: Annotated[bool, typer.Option("--top", help="First of its level.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Move a waiting workload within its level (admins)."""
    _change(context, workload, "move", {"before": before, "after": after, "toTop": top}, output, "moved")


def hold(context: typer.Context, workload: WorkloadArgument, output: Output = Format.TEXT) -> None:
    """Keep a waiting workload from starting (admins)."""
    _change(context, workload, "hold", {}, output, "held")


def release(context: typer.Context, workload: WorkloadArgument, output: Output = Format.TEXT) -> None:
    """Let a held workload start again (admins)."""
    _change(context, workload, "release", {}, output, "released")


def _change(
    context: typer.Context, workload: str, verb: str, body: dict[str, Any], output: Format, sentence: str
) -> None:
    cli = cli_of(context)
    with cli.api() as api:
        document = api.post(f"/queue/{workload}/{verb}", body)
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(cli.words(sentence, id=document["id"], priority=cli.words.value("priority", document["priority"])))


def nodes(context: typer.Context, output: Output = Format.TEXT) -> None:
    """The cluster's nodes and what of them is allocated."""
    cli = cli_of(context)
    with cli.api() as api:
        view = api.get("/nodes")
    if output is Format.JSON:
        print_json(view)
        return
    _print_freshness(cli, view)
    heads = [cli.words(key) for key in ("node", "status", "partitions", "gpus", "cpus", "memory", "reason")]
    print_table(heads, (_node_row(cli.words, node) for node in view["nodes"]))


def _node_row(words: Words, node: dict[str, Any]) -> tuple[object, ...]:
    gpus = ", ".join(f"{label} {gpu['allocated']}/{gpu['total']}" for label, gpu in node["gpus"].items())
    memory = node["memoryMib"]
    return (
        node["name"],
        words.value("node", node["state"]),
        ",".join(node["partitions"]),
        gpus,
        f"{node['cpus']['allocated']}/{node['cpus']['total']}",
        f"{memory['allocated'] // 1024}/{memory['total'] // 1024} GB",
        node["reason"],
    )


def _print_freshness(cli: Cli, view: dict[str, Any]) -> None:
    if view["unreachableSince"]:
        print_note(cli.words("slurm_unreachable", time=local_time(view["unreachableSince"])))
    if view["simulated"]:
        print_note(cli.words("simulated"))
    if view["at"]:
        fake = f" · {cli.words('fake_gpus')}" if view["fakeGpus"] else ""
        print_note(cli.words("as_of", time=local_time(view["at"])) + fake)
    else:
        print_note(cli.words("no_slurm"))


def status(context: typer.Context, output: Output = Format.TEXT) -> None:
    """Slurm's version, the road to it, how fresh the picture is, and how much work there is."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/status")
    if output is Format.JSON:
        print_json(found)
        return
    _print_freshness(cli, found)
    if notice := notice_line(cli, found["maintenance"]):
        print_line(notice)
    slurm = found["slurm"]
    if slurm:
        line = cli.words(
            "version_line", slurm=slurm["slurm"], road=slurm["road"], why=slurm["roadReason"], rest=slurm["rest"]
        )
        print_line(line)
        for problem in slurm["problems"]:
            print_line(f"! {problem}")
        if slurm["unknownKeys"]:
            keys = ", ".join(f"{key} ({count})" for key, count in slurm["unknownKeys"].items())
            print_line(cli.words("unknown_keys", keys=keys))
    counts = ", ".join(f"{cli.words.value('state', state)} {count}" for state, count in found["workloads"].items())
    print_line(cli.words("workload_counts", counts=counts or 0))


def images(context: typer.Context) -> None:
    """Container images; without a verb they are listed."""
    if context.invoked_subcommand is None:
        list_images(context)


def list_images(
    context: typer.Context,
    text: Annotated[str, typer.Option("--search", "-q", help="Part of reference or digest.")] = "",
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Container images by digest and the state of their conversion."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/images", q=text, page=page, size=size)
    print_page(cli, found, output, ("image", "status", "size", "digest"), _image_row)


def _image_row(_words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    state = " ".join(part for part in (item["state"], item["progress"], item["error"]) if part)
    return item["reference"], state, size_text(item["sizeBytes"]), item["digest"]


def remove_image(
    context: typer.Context,
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="sha256:...")],
    output: Output = Format.TEXT,
) -> None:
    """Remove an unused image from the cache (admins); it is converted again when needed."""
    cli = cli_of(context)
    with cli.api() as api:
        document = api.delete(f"/images/{digest}")
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(cli.words("image_removing", digest=document["digest"]))
