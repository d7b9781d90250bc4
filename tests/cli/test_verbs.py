"""The table of verbs says what the commands say, and nothing else of them is imported before one is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer

from portal.cli.later import Later
from portal.cli.main import app
from portal.cli.verbs import VERBS, Group, Verb

WIDTHS = range(30, 240, 15)


def entries(table: Mapping[str, Verb | Group], commands: Any, before: str) -> Iterator[tuple[str, Any, Any]]:
    """(name, what `--help` lists, the command itself) of every verb and group."""
    for name, entry in table.items():
        yield f"{before} {name}", commands.stub(name), commands[name]
        if isinstance(entry, Group):
            yield from entries(entry.verbs, commands[name].commands, f"{before} {name}")


ALL = list(entries(VERBS, typer.main.get_command(app).commands, "one"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "stub", "command"), ALL, ids=[name for name, _, _ in ALL])
def test_the_line_in_help_is_the_commands_own(name: str, stub: Any, command: Any) -> None:
    assert command.name == name.rpartition(" ")[2]
    assert [stub.get_short_help_str(width) for width in WIDTHS] == [
        command.get_short_help_str(width) for width in WIDTHS
    ]


@pytest.mark.parametrize("words", [["--help"], ["models", "--help"]])
def test_help_imports_no_command(words: list[str]) -> None:
    code = (
        "import sys; from portal.cli.main import app\n"
        f"app({words!r}, standalone_mode=False)\n"
        "print([n for n in sys.modules if n.startswith('portal.cli.commands')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_a_command_imports_its_own_module_only() -> None:
    code = (
        "import sys; from portal.cli.main import app\n"
        "app(['list', '--help'], standalone_mode=False)\n"
        "print([n for n in sys.modules if n.startswith('portal.cli.commands.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.splitlines()[-1] == "['portal.cli.commands.workloads']"


def test_a_table_is_a_mapping_that_can_be_added_to() -> None:
    table = Later({"list": Verb("workloads:list_workloads", "Workloads, newest first.")})
    table["mine"] = "added"
    assert list(table) == ["list", "mine"]
    assert (len(table), table["mine"], table.stub("mine")) == (2, "added", "added")
    del table["mine"]
    assert list(table) == ["list"]
    with pytest.raises(KeyError):
        table["absent"]
