"""components list, show, register, version, deprecate, restore: the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portal.cli.commands.specs import read_spec
from portal.cli.commands.workloads import print_page
from portal.cli.context import Output, PageOption, SizeOption, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, local_time, print_fields, print_json, print_line, print_table
from portal.cli.words import Words

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Component id, such as CL-A1B2C3.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="JSON file of the component; - is stdin.")]


def list_components(
    context: typer.Context,
    text: Annotated[str, typer.Option("--search", "-q", help="Part of name, id, description or image.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="Only with this tag.")] = "",
    gpu: Annotated[str, typer.Option("--gpu", help="Only with this GPU type.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Deprecated ones too.")] = False,
    page: PageOption = 1,
    size: SizeOption = 50,
    output: Output = Format.TEXT,
) -> None:
    """Components of the library, by name."""
    cli = cli_of(context)
    wanted = {"q": text, "tag": tag, "gpu": gpu, "mine": mine, "deprecated": "all" if every else ""}
    with cli.api() as api:
        found = api.get("/components", **wanted, page=page, size=size)
    print_page(
        cli,
        found,
        output,
        ("component", "id", "version", "image", "image_state", "default_resources", "registered_by"),
        _row,
    )


def _row(words: Words, item: dict[str, Any]) -> tuple[object, ...]:
    newest = item["newest"]
    return (
        item["name"],
        item["id"],
        newest["version"],
        _image(newest),
        words(f"image.{newest['imageState']}"),
        newest["resourcesText"],
        item["owner"]["displayName"],
    )


def show_component(context: typer.Context, component: IdArgument, output: Output = Format.TEXT) -> None:
    """One component with its versions and where it is used."""
    cli = cli_of(context)
    path = f"/components/{quote(component, safe='')}"
    with cli.api() as api:
        found, uses = api.get(path), api.get(f"{path}/uses")
    if output is Format.JSON:
        print_json({**found, "uses": uses})
        return
    words = cli.words
    print_fields(
        [
            (words("component"), found["name"]),
            ("ID", found["id"]),
            (words("registered_by"), found["owner"]["displayName"]),
            (words("description"), found["description"]),
            (words("tags"), ", ".join(found["tags"])),
            (words("registered_at"), local_time(found["createdAt"])),
            (words("deprecated_at"), local_time(found["deprecatedAt"])),
        ]
    )
    heads = [words(name) for name in ("version", "image", "image_state", "default_resources", "change_note")]
    print_table(
        heads,
        (
            (one["version"], _image(one), words(f"image.{one['imageState']}"), one["resourcesText"], one["note"])
            for one in found["versions"]
        ),
    )
    rows = [(one["appName"], one["appVersion"], one["taskId"], one["componentVersion"]) for one in uses["items"]]
    if rows:
        print_table([words(name) for name in ("app", "app_version", "task", "version")], rows)


def register(context: typer.Context, file: FileArgument, output: Output = Format.TEXT) -> None:
    """Register a component from a JSON file: name, version, image, resources, params, description, tags."""
    _send(context, "/components", file, output)


def make_version(
    context: typer.Context, component: IdArgument, file: FileArgument, output: Output = Format.TEXT
) -> None:
    """Make the next version from a JSON file: version, image, resources, params, note."""
    _send(context, f"/components/{quote(component, safe='')}/versions", file, output)


def deprecate(context: typer.Context, component: IdArgument, output: Output = Format.TEXT) -> None:
    """Offer it no more; Apps that place it go on working."""
    _switch(context, component, "deprecate", output)


def restore(context: typer.Context, component: IdArgument, output: Output = Format.TEXT) -> None:
    """Offer it again."""
    _switch(context, component, "restore", output)


def _send(context: typer.Context, path: str, file: Path, output: Format) -> None:
    cli = cli_of(context)
    try:
        body = json.loads(read_spec(file, cli.words))
    except ValueError as error:
        raise CliError(Exit.INVALID, f"{file}: {error}") from error
    with cli.api() as api:
        made = api.post(path, body)
    if output is Format.JSON:
        print_json(made)
    else:
        newest = made["versions"][0]["version"]
        print_line(cli.words("component_kept", name=made["name"], id=made["id"], version=newest))


def _switch(context: typer.Context, component: str, what: str, output: Format) -> None:
    cli = cli_of(context)
    with cli.api() as api:
        changed = api.post(f"/components/{quote(component, safe='')}/{what}", {})
    if output is Format.JSON:
        print_json(changed)
    else:
        print_line(cli.words(f"component_{what}d", name=changed["name"]))


def _image(version: dict[str, Any]) -> str:
    return f"{version['image']['registry']}:{version['image']['tag']}"
