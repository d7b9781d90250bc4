"""validate and plan: what a spec file is worth, before anything is submitted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from portal.cli import credentials
from portal.cli.context import Cli, Output, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import Format, print_json, print_line, print_table
from portal.cli.words import Words

SpecFile = Annotated[Path, typer.Argument(metavar="FILE", help="App spec file; - is stdin.")]
FormOption = Annotated[str, typer.Option("--form", help="auto, together or staged.")]
SmallestOption = Annotated[bool, typer.Option("--smallest", help="Prefer the smallest allocation over parallelism.")]


def validate(
    context: typer.Context,
    file: SpecFile,
    offline: Annotated[bool, typer.Option("--offline", help="Check here only; the portal is not asked.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Check a spec file: every problem with its JSON path and cure. Without a login it is checked here only."""
    cli = cli_of(context)
    data = read_spec(file, cli.words)
    if offline or credentials.find(cli.words) is None:
        answer = _checked_here(data, cli.words)
    else:
        with cli.api() as api:
            answer = api.post("/validate", data)
    if output is Format.JSON:
        print_json(answer)
    else:
        _print_problems(file, answer, cli.words)
    if not answer["valid"]:
        raise typer.Exit(int(Exit.INVALID))


def plan(
    context: typer.Context,
    file: SpecFile,
    form: FormOption = "auto",
    smallest: SmallestOption = False,
    script: Annotated[bool, typer.Option("--script", help="Print the batch scripts instead of the words.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Explain where a spec file would run now: jobs, groups, what is given back when, and why."""
    cli = cli_of(context)
    data = read_spec(file, cli.words)
    with cli.api() as api:
        preview = api.post("/plan", data, form=form, smallest=smallest, script=script)
    if as_json or output is Format.JSON:
        print_json(preview)
    elif script:
        for text in preview["scripts"]:
            sys.stdout.write(text)
    else:
        print_plan(preview)


def print_plan(preview: dict[str, Any]) -> None:
    """The plan in words, as the portal says them."""
    for line in preview["words"]:
        print_line(line)


def read_spec(file: Path, words: Words) -> bytes:
    """The file's bytes, of a file without end no more than a spec may have. Raises CliError."""
    from portal.spec.limits import MAX_BYTES
    from portal.spec.problems import problem

    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise CliError(Exit.USAGE, words("unreadable_file", path=file, why=error.strerror)) from error
    if len(data) > MAX_BYTES:
        found = problem("$", "too_large", size=f"> {MAX_BYTES}", limit=MAX_BYTES)
        korean = words.language == "ko"
        text = f"{found.message_ko} {found.cure_ko}" if korean else f"{found.message_en} {found.cure_en}"
        raise CliError(Exit.INVALID, f"$: {text}".rstrip())
    return data


def loaded_document(data: bytes, words: Words) -> dict[str, Any]:
    """The spec as JSON, checked here first: what JSON itself forgives is not passed on. Raises CliError with all problems."""
    answer = _checked_here(data, words)
    if not answer["valid"]:
        lines = [f"{found['path']}: {found['message']} {found['cure']}".rstrip() for found in answer["problems"]]
        raise CliError(Exit.INVALID, *lines)
    document: dict[str, Any] = json.loads(data)
    return document


def _checked_here(data: bytes, words: Words) -> dict[str, Any]:
    """The answer of /validate, from the same code."""
    from portal.spec.load import load_spec
    from portal.spec.problems import SpecError

    try:
        problems, valid = load_spec(data).problems, True
    except SpecError as error:
        problems, valid = error.problems, False
    korean = words.language == "ko"
    shown = [
        {
            "path": found.path,
            "code": found.code,
            "severity": found.severity,
            "message": found.message_ko if korean else found.message_en,
            "cure": found.cure_ko if korean else found.cure_en,
        }
        for found in problems
    ]
    return {"valid": valid, "problems": shown}


def _print_problems(file: Path, answer: dict[str, Any], words: Words) -> None:
    problems = answer["problems"]
    if not problems:
        print_line(words("valid", file=file))
        return
    heads = [words(key) for key in ("status", "place", "problem", "cure")]
    print_table(
        heads,
        (
            (words.value("severity", found["severity"]), found["path"], found["message"], found["cure"])
            for found in problems
        ),
    )
    errors = sum(found["severity"] == "error" for found in problems)
    print_line(words("invalid", file=file, errors=errors, warnings=len(problems) - errors))


def overrides_of(assignments: list[str], cli: Cli) -> dict[str, Any]:
    """`--set KEY=VALUE` as the API's overrides. Raises CliError."""
    from portal.spec.overrides import parse_override

    overrides = {}
    for text in assignments:
        try:
            key, value = parse_override(text)
        except ValueError as error:
            raise CliError(Exit.USAGE, cli.words("bad_set", text=text)) from error
        overrides[key] = value
    return overrides


def params_of(assignments: list[str], cli: Cli) -> dict[str, dict[str, Any]]:
    """`--param TASK/NODE.params.NAME=VALUE` as the API's params of a test. Raises CliError."""
    params: dict[str, dict[str, Any]] = {}
    for key, value in overrides_of(assignments, cli).items():
        step, separator, name = key.partition(".params.")
        if not separator or not name:
            raise CliError(Exit.USAGE, cli.words("bad_param", text=key))
        params.setdefault(step, {})[name] = value
    return params
