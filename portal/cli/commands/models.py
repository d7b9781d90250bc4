"""models list, show, download: what runs have made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portal.cli.commands.workloads import print_page
from portal.cli.context import Output, PageOption, SizeOption, cli_of
from portal.cli.download import Progress, fetch, target_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import (
    Format,
    local_time,
    print_fields,
    print_json,
    print_line,
    print_table,
    size_text,
)
from portal.cli.words import Words

AppArgument = Annotated[str, typer.Argument(metavar="APP", help="App id, such as APP-A1B2C3.")]
VersionArgument = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Model version, counted per App.")]


def list_models(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only of your workloads.")] = False,
    app: Annotated[str, typer.Option("--app", help="Only of this App.")] = "",
    text: Annotated[str, typer.Option("--search", "-q", help="Part of name or App id.")] = "",
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Stored models, newest first."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/models", mine=mine, app=app, q=text, page=page, size=size)
    print_page(cli, found, output, ("model", "app", "origin", "created_at", "size", "status"), _row)


def _row(_words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["name"],
        f"{item['appId']} · v{item['version']}",
        f"{item['workloadName']} ({item['workloadId']})",
        local_time(item["createdAt"]),
        size_text(item["sizeBytes"]),
        item["state"],
    )


def show_model(
    context: typer.Context, app: AppArgument, version: VersionArgument, output: Output = Format.TEXT
) -> None:
    """One model: its files with sha256 and where it comes from."""
    cli = cli_of(context)
    with cli.api() as api:
        model = api.get(f"/models/{quote(app, safe='')}/{version}")
    if output is Format.JSON:
        print_json(model)
        return
    manifest = model["manifest"] or {}
    print_fields(
        [
            (cli.words("model"), model["name"]),
            (cli.words("app"), f"{model['appId']} · v{model['version']}"),
            (cli.words("origin"), f"{model['workloadName']} ({model['workloadId']})"),
            (cli.words("created_at"), local_time(model["createdAt"])),
            (cli.words("size"), size_text(model["sizeBytes"])),
            (cli.words("status"), model["state"]),
            (cli.words("spec_hash"), manifest.get("lineage", {}).get("spec_hash", "")),
            ("URI", model["uri"]),
        ]
    )
    files = manifest.get("files", [])
    heads = [cli.words("file"), cli.words("size"), "SHA256"]
    print_table(heads, ((entry["path"], size_text(entry["size"]), entry["sha256"]) for entry in files))


def download(
    context: typer.Context,
    app: AppArgument,
    version: VersionArgument,
    file: Annotated[str | None, typer.Option("--file", help="Only this file of the model.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Folder; default: APP-vVERSION here.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Download a model; a lost connection resumes, and every file's sha256 is checked."""
    cli = cli_of(context)
    base = f"/models/{quote(app, safe='')}/{version}"
    folder = folder or Path(f"{app}-v{version}")
    done: list[dict[str, Any]] = []
    with cli.api() as api:
        entries = _entries(api.get(base), file, cli.words)
        targets = [target_of(folder, entry["path"], cli.words) for entry in entries]
        for entry, target in zip(entries, targets, strict=True):
            with _shown(target.name, entry["size"]) as progress:
                url = f"{base}/files/{quote(entry['path'])}"
                fresh = fetch(api, cli.words, url, entry, target, progress)
            done.append({"path": str(target), "size": entry["size"], "sha256": entry["sha256"], "fresh": fresh})
            if output is Format.TEXT:
                sentence = "downloaded" if fresh else "already_there"
                print_line(cli.words(sentence, path=target, size=size_text(entry["size"])))
    if output is Format.JSON:
        print_json({"items": done})


def _entries(model: dict[str, Any], file: str | None, words: Words) -> list[dict[str, Any]]:
    entries = [entry for entry in (model["manifest"] or {}).get("files", []) if file in {None, entry["path"]}]
    if not entries:
        raise CliError(Exit.NOT_FOUND, words("no_model_files", path=file or "*"))
    return entries


@contextmanager
def _shown(name: str, size: int) -> Iterator[Progress]:
    """A bar on stderr where someone watches, nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bars:
        task = bars.add_task(name.replace("[", "\\["), total=size)
        yield lambda have: bars.update(task, completed=have)
