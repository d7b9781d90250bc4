"""analyses list, show, download, run, again, upload, operators, archive, restore: Operators and what they found out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portal.cli.api import Api
from portal.cli.commands.workloads import print_page
from portal.cli.context import Cli, Output, PageOption, SizeOption, WorkloadArgument, cli_of
from portal.cli.download import fetch, target_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, local_time, print_fields, print_json, print_line, print_table, size_text
from portal.cli.words import Words

AnalysisArgument = Annotated[str, typer.Argument(metavar="ID", help="The analysis, W-...")]
OperatorArgument = Annotated[str, typer.Argument(metavar="OPERATOR", help="OP-A1B2C3, OP-A1B2C3:2, or a file.")]
OperatorIdArgument = Annotated[str, typer.Argument(metavar="OPERATOR", help="OP-A1B2C3.")]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A .py file, or a .zip with operator.py at its top.")
]
NameOption = Annotated[str, typer.Option("--name", help="The Operator's name; default: the file's.")]


def list_analyses(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    workload: Annotated[str, typer.Option("--workload", help="Only of this workload.")] = "",
    operator: Annotated[str, typer.Option("--operator", help="Only by this Operator, OP-...")] = "",
    status: Annotated[str, typer.Option("--status", help="waiting, running, completed or failed.")] = "",
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Analyses, the newest first."""
    cli = cli_of(context)
    wanted = {"mine": mine, "workload": workload, "operator": operator, "status": status}
    with cli.api() as api:
        found = api.get("/analyses", **wanted, page=page, size=size)
    print_page(cli, found, output, ("id", "operator", "origin", "status", "figures", "created_at"), _row)


def _row(words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    operator = item["operator"]
    figures = ", ".join(f"{name} {value}" for name, value in list(item["figures"].items())[:3])
    state = words.value("state", item["state"])
    return (
        item["id"],
        f"{operator['name']} v{operator['version']}",
        item["workload"],
        state,
        figures,
        local_time(item["createdAt"]),
    )


def show_analysis(context: typer.Context, analysis: AnalysisArgument, output: Output = Format.TEXT) -> None:
    """One analysis: its Operator, its figures and its files."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get(f"/analyses/{quote(analysis, safe='')}")
    if output is Format.JSON:
        print_json(found)
        return
    words, operator = cli.words, found["operator"]
    print_fields(
        [
            ("ID", found["id"]),
            (words("operator"), f"{operator['name']} {operator['ref']} ({operator['filename']})"),
            (words("origin"), found["workload"]),
            (words("status"), words.value("state", found["state"])),
            (words("created_at"), local_time(found["createdAt"])),
            *[(name, value) for name, value in found["figures"].items()],
        ]
    )
    files = (found["manifest"] or {}).get("files", [])
    print_table(
        [words("file"), words("size"), "sha256"], ((f["path"], size_text(f["size"]), f["sha256"]) for f in files)
    )


def download(
    context: typer.Context,
    analysis: AnalysisArgument,
    to: Annotated[Path, typer.Option("--to", help="Folder to put it in.")] = Path("."),
    file: Annotated[str | None, typer.Option("--file", help="Only this one.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Its files, each kept only if its sha256 is the manifest's."""
    cli = cli_of(context)
    path = f"/analyses/{quote(analysis, safe='')}"
    with cli.api() as api:
        files = (api.get(path)["manifest"] or {}).get("files", [])
        wanted = [entry for entry in files if file in {None, entry["path"]}]
        if not wanted:
            raise CliError(Exit.NOT_FOUND, cli.words("no_model_files", path=file or "*"))
        done = []
        for entry in wanted:
            target = target_of(to, entry["path"], cli.words)
            fetch(api, cli.words, f"{path}/files/{quote(entry['path'])}", entry, target, lambda _: None)
            done.append({"path": str(target), "size": entry["size"], "sha256": entry["sha256"]})
            if output is Format.TEXT:
                print_line(str(target))
    if output is Format.JSON:
        print_json({"files": done})


def run(
    context: typer.Context, workload: WorkloadArgument, operator: OperatorArgument, output: Output = Format.TEXT
) -> None:
    """Run an Operator, a saved one or a file, on a completed workload of yours."""
    cli = cli_of(context)
    with cli.api() as api:
        _start(cli, api, workload, operator_ref(api, cli.words, operator), output)


def again(context: typer.Context, analysis: AnalysisArgument, output: Output = Format.TEXT) -> None:
    """Run the same Operator on the same workload once more."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get(f"/analyses/{quote(analysis, safe='')}")
        _start(cli, api, found["workload"], found["operator"]["ref"], output)


def upload(context: typer.Context, file: FileArgument, name: NameOption = "", output: Output = Format.TEXT) -> None:
    """Keep a file as an Operator, or as the next version of the one of that name."""
    cli = cli_of(context)
    with cli.api() as api:
        made = _upload(api, cli.words, file, name)
    if output is Format.JSON:
        print_json(made)
    else:
        print_line(cli.words("operator_kept", name=made["name"], ref=made["ref"]))


def list_operators(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Archived ones too.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Your Operators, by name."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/operators", archived=every)
    if output is Format.JSON:
        print_json(found)
        return
    heads = [cli.words(key) for key in ("operator", "id", "version", "file", "size", "created_at")]
    print_table(heads, map(_operator_row, found["items"]))


def _operator_row(item: dict[str, Any]) -> tuple[object, ...]:
    newest = item["versions"][0]
    return (
        item["name"],
        item["id"],
        newest["version"],
        newest["filename"],
        size_text(newest["sizeBytes"]),
        local_time(newest["createdAt"]),
    )


def archive(context: typer.Context, operator: OperatorIdArgument, output: Output = Format.TEXT) -> None:
    """Offer it no more; what it found out stays."""
    _switch(context, operator, "archive", output)


def restore(context: typer.Context, operator: OperatorIdArgument, output: Output = Format.TEXT) -> None:
    """Offer it again."""
    _switch(context, operator, "restore", output)


def _switch(context: typer.Context, operator: str, what: str, output: Format) -> None:
    cli = cli_of(context)
    with cli.api() as api:
        changed = api.post(f"/operators/{quote(operator, safe='')}/{what}", {})
    if output is Format.JSON:
        print_json(changed)
    else:
        print_line(cli.words(f"operator_{what}d", name=changed["name"]))


def operator_ref(api: Api, words: Words, text: str) -> str:
    """How the portal names it: the text itself, or that of the file, which is uploaded."""
    path = Path(text)
    return str(_upload(api, words, path, "")["ref"]) if path.suffix.lower() in {".py", ".zip"} else text


def _upload(api: Api, words: Words, file: Path, name: str) -> dict[str, Any]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CliError(Exit.INVALID, words("unreadable_file", path=file, why=error.strerror)) from error
    headers = {"Content-Type": "application/octet-stream"}
    return api.post("/operators", data, headers=headers, filename=file.name, name=name or None)


def _start(cli: Cli, api: Api, workload: str, ref: str, output: Format) -> None:
    made = api.post(f"/workloads/{quote(workload, safe='')}/analyses", {"operator": ref})
    if output is Format.JSON:
        print_json(made)
    else:
        print_line(cli.words("analysis_started", id=made["id"], name=made["operator"]["name"], workload=workload))
