"""models list, show, download, alias, aliases, note, purge, save-again: what runs have made, and what people say of it."""

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
    text: Annotated[str, typer.Option("--search", "-q", help="Part of name, App or workload.")] = "",
    alias: Annotated[str, typer.Option("--alias", help="Only those that carry this alias now.")] = "",
    latest: Annotated[bool, typer.Option("--latest", help="Only each App's newest version.")] = False,
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Stored models, newest first."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get("/models", mine=mine, app=app, q=text, alias=alias, latest=latest, page=page, size=size)
    print_page(cli, found, output, ("model", "app", "alias", "origin", "created_at", "size", "status"), _row)


def _row(_words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["name"],
        f"{item['appId']} · v{item['version']}",
        " ".join(item["aliases"]),
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
            (cli.words("alias"), " ".join(model["aliases"])),
            (cli.words("origin"), f"{model['workloadName']} ({model['workloadId']})"),
            (cli.words("created_at"), local_time(model["createdAt"])),
            (cli.words("size"), size_text(model["sizeBytes"])),
            (cli.words("status"), model["state"]),
            (cli.words("spec_hash"), manifest.get("lineage", {}).get("spec_hash", "")),
            ("URI", model["uri"]),
        ]
    )
    if model["note"]:
        print_line(f"{cli.words('note')}\n{model['note']}")
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


def alias(
    context: typer.Context,
    app: AppArgument,
    version: VersionArgument,
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="champion, candidate or a word of your own.")],
    reason: Annotated[str, typer.Option("--reason", help="Needed where another version loses it.")] = "",
    take: Annotated[bool, typer.Option("--take", help="Take it away from this version.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Give a version an alias, moving it from where it was, or take it away."""
    cli = cli_of(context)
    path = f"/models/{quote(app, safe='')}/{version}/aliases"
    with cli.api() as api:
        if take:
            model = api.delete(f"{path}/{quote(name, safe='')}", reason=reason)
        else:
            model = api.post(path, {"alias": name, "reason": reason})
    if output is Format.JSON:
        print_json(model)
    else:
        print_line(cli.words("alias_taken" if take else "alias_given", alias=name, app=app, version=version))


def aliases(context: typer.Context, app: AppArgument, output: Output = Format.TEXT) -> None:
    """Every move of an App's aliases, the newest first."""
    cli = cli_of(context)
    with cli.api() as api:
        found = api.get(f"/models/{quote(app, safe='')}/aliases")
    if output is Format.JSON:
        print_json(found)
        return
    heads = [cli.words(key) for key in ("alias", "from_to", "moved_by", "moved_at", "why")]
    print_table(heads, (_move_row(item) for item in found["items"]))


def _move_row(item: dict[str, Any]) -> tuple[object, ...]:
    places = [f"v{place}" if place else "-" for place in (item["from"], item["version"])]
    return item["alias"], " → ".join(places), item["by"], local_time(item["at"]), item["reason"]


def note(
    context: typer.Context,
    app: AppArgument,
    version: VersionArgument,
    text: Annotated[str, typer.Argument(help="The whole note, Markdown; `-` reads it from stdin.")],
    output: Output = Format.TEXT,
) -> None:
    """Write a version's note; earlier ones are kept."""
    cli = cli_of(context)
    content = sys.stdin.read() if text == "-" else text
    with cli.api() as api:
        model = api.post(f"/models/{quote(app, safe='')}/{version}/note", {"note": content})
    if output is Format.JSON:
        print_json(model)
    else:
        print_line(cli.words("note_saved"))


def purge(
    context: typer.Context,
    app: AppArgument,
    version: VersionArgument,
    name: Annotated[str, typer.Option("--name", help="The model's name, to be sure that it is the one meant.")],
    output: Output = Format.TEXT,
) -> None:
    """Delete a version's files for good; lineage, logs and notes stay."""
    _ask(context, app, version, "purge", {"name": name}, output)


def save_again(
    context: typer.Context, app: AppArgument, version: VersionArgument, output: Output = Format.TEXT
) -> None:
    """Store once more what a run left, where that failed."""
    _ask(context, app, version, "save-again", None, output)


def _ask(
    context: typer.Context, app: str, version: int, what: str, body: dict[str, str] | None, output: Format
) -> None:
    cli = cli_of(context)
    with cli.api() as api:
        model = api.post(f"/models/{quote(app, safe='')}/{version}/{what}", body)
    if output is Format.JSON:
        print_json(model)
    else:
        print_line(cli.words(f"model_{what.replace('-', '_')}", app=app, version=version))


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
