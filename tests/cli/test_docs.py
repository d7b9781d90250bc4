"""Every verb, option that matters and exit code is in docs/cli.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from portal.cli import admin, main
from portal.cli.exits import Exit

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
GLOBAL = {"--help", "--output", "--page", "--size", "--install-completion", "--show-completion", "--search"}


def verbs(app: typer.Typer, name: str) -> Iterator[tuple[str, Any]]:
    yield from _walk(typer.main.get_command(app), name)


def _walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    for child, found in children.items():
        yield from _walk(found, f"{name} {child}")
    if not children:
        yield name, command


@pytest.mark.parametrize(("app", "name"), [(main.app, "one"), (admin.app, "portal-admin")])
def test_every_verb_with_its_options(app: typer.Typer, name: str) -> None:
    for verb, command in verbs(app, name):
        (row,) = [line for line in TEXT.splitlines() if line.startswith((f"| `{verb} ", f"| `{verb}`"))] or [""]
        if verb == "one images list":
            row = next(line for line in TEXT.splitlines() if "`one images list`" in line)
        assert row, f"docs/cli.md lacks `{verb}`"
        for parameter in command.params:
            options = set(parameter.opts) - GLOBAL
            if parameter.param_type_name == "option" and not set(parameter.opts) & GLOBAL:
                assert any(option in row for option in options), f"docs/cli.md, `{verb}`: {options}"


def test_every_exit_code() -> None:
    for code in Exit:
        assert f"| {code.value} | " in TEXT, code


def test_every_verb_that_answers_takes_json() -> None:
    without = {
        "one shell",
        "one logout",
        "one serve",
        "portal-admin alert-rules",
        "portal-admin dashboard",
        "portal-admin migrate",
        "portal-admin revision",
        "portal-admin token revoke",
    }
    for app, name in ((main.app, "one"), (admin.app, "portal-admin")):
        for verb, command in verbs(app, name):
            takes = any("--output" in parameter.opts for parameter in command.params)
            assert takes != (verb in without), verb
