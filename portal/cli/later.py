"""Groups of commands that are imported when they are used: `one --help` and completion of names read a table only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from portal.cli.context import Commands
from portal.cli.verbs import Group, Verb

PACKAGE = "portal.cli.commands"


class Later(MutableMapping[str, Any]):
    """Name -> command; its names are known at once, a command is made when it is asked for."""

    def __init__(self, table: Mapping[str, Verb | Group]) -> None:
        self._table = table
        self._made: dict[str, Any] = {}
        self._added: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._added:
            return self._added[name]
        if name not in self._made:
            entry = self._table[name]
            self._made[name] = _verb(name, entry) if isinstance(entry, Verb) else _group(name, entry)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._added[name] = command

    def __delitem__(self, name: str) -> None:
        del self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._table, **self._added})

    def __len__(self) -> int:
        return len({**self._table, **self._added})

    def stub(self, name: str) -> Any:
        """A command that knows its name and help only, for lists."""
        if name in self._added:
            return self._added[name]
        return TyperCommand(name, help=self._table[name].help)


class LaterCommands(Commands):
    """A group whose commands are those of `table`."""

    table: Mapping[str, Verb | Group] = {}

    def __init__(self, *, commands: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Later(self.table)
        self.commands.update(commands or {})

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, in the order of the table."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in `--help`."""
        shown = _Shown(commands={name: self.commands.stub(name) for name in self.commands})  # type: ignore[attr-defined]
        shown.format_commands(ctx, formatter)


class _Shown(TyperGroup):
    """What is listed."""


def _verb(name: str, verb: Verb) -> Any:
    app = _app(TyperGroup)
    app.command(name)(_function(verb.place))
    return typer.main.get_command(app)


def _group(name: str, group: Group) -> Any:
    app = _app(type("LaterGroup", (LaterCommands,), {"table": group.verbs}), group.help, alone=not group.alone)
    if group.alone:
        app.callback(invoke_without_command=True)(_function(group.alone))
    made = typer.main.get_group(app)
    made.name, made.help = name, group.help
    return made


def _app(cls: type[TyperGroup], help: str | None = None, *, alone: bool = False) -> typer.Typer:
    return typer.Typer(
        cls=cls,
        help=help,
        no_args_is_help=alone,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"{PACKAGE}.{module}"), name)
    return found
