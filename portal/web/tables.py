"""A table whose filter, order and page are in the address: Back works, and a link shows the same rows to others.

A page reads its query with `TableQuery.of(request, ...)`, asks one service for `query.number`, `query.size`, `query.sort`,
and shows a `Table` made of the same query and the total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from litestar import Request

MAX_PAGE = 1_000_000
MAX_VALUE_CHARS = 200


@dataclass(frozen=True)
class Column:
    """One column: its word (msgid), the key it sorts by ("" does not sort), and a class such as `num` or `wide-only`.

    `context` is that of a word that the catalogue has in a context.
    """

    text: str
    sort: str = ""
    css: str = ""
    context: str = ""


@dataclass(frozen=True)
class Chip:
    """A filter in force, and the address without it."""

    text: str
    href: str


@dataclass(frozen=True)
class TableQuery:
    """What the address asks for; unknown keys and values are as if not there, never an error."""

    path: str
    filters: Mapping[str, str]
    sort: str
    descending: bool
    number: int
    size: int
    default_sort: str = ""

    @classmethod
    def of(
        cls,
        request: Request[Any, Any, Any],
        *,
        filters: Mapping[str, Sequence[str] | None],
        sorts: Sequence[str],
        default_sort: str,
        size: int,
    ) -> TableQuery:
        """Read the address. `filters`: name -> allowed values, None for free text. `default_sort` as `-submitted_at`."""
        return cls.read(
            request.url.path,
            request.query_params,
            filters=filters,
            sorts=sorts,
            default_sort=default_sort,
            size=size,
        )

    @classmethod
    def read(
        cls,
        path: str,
        given: Mapping[str, Any],
        *,
        filters: Mapping[str, Sequence[str] | None],
        sorts: Sequence[str] = (),
        default_sort: str = "",
        size: int = 0,
    ) -> TableQuery:
        """The same of a path and its query."""
        kept = {}
        for name, allowed in filters.items():
            value = str(given.get(name, ""))[:MAX_VALUE_CHARS].strip()
            if value and (allowed is None or value in allowed):
                kept[name] = value
        asked = str(given.get("sort", default_sort))
        sort = asked if asked.removeprefix("-") in sorts else default_sort
        page = str(given.get("page", "1"))
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1
        return cls(
            path=path,
            filters=kept,
            sort=sort.removeprefix("-"),
            descending=sort.startswith("-"),
            number=min(max(number, 1), MAX_PAGE),
            size=size,
            default_sort=default_sort,
        )

    def filter(self, name: str) -> str:
        """The value of a filter; "" when it is not set."""
        return self.filters.get(name, "")

    def href(self, *, sort: str | None = None, page: int = 1, **changed: str) -> str:
        """This address with other values; a filter set to "" goes, and every change but of the page begins at page 1."""
        order = self.order if sort is None else sort
        pairs = {name: value for name, value in {**self.filters, **changed}.items() if value}
        if order != self.default_sort:
            pairs["sort"] = order
        if page > 1:
            pairs["page"] = str(page)
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path

    def without(self, name: str) -> str:
        """This address without one of its filters, at page 1."""
        return replace(self, filters={key: value for key, value in self.filters.items() if key != name}).href()

    @property
    def order(self) -> str:
        """The order as the address has it: `-submitted_at`."""
        return f"-{self.sort}" if self.descending else self.sort


@dataclass(frozen=True)
class Table:
    """What `ui.table_head`, `ui.filter_chips` and `ui.pagination` show."""

    query: TableQuery
    columns: tuple[Column, ...]
    total: int
    shown: int
    chips: tuple[Chip, ...] = field(default=())

    @property
    def first(self) -> int:
        """Number of the first row shown; 0 when there is none."""
        return (self.query.number - 1) * self.query.size + 1 if self.shown else 0

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return (self.query.number - 1) * self.query.size + self.shown

    @property
    def descending(self) -> bool:
        """Whether the order is falling."""
        return self.query.descending

    @property
    def previous_href(self) -> str:
        """The page before; "" on the first."""
        return self.query.href(page=self.query.number - 1) if self.query.number > 1 else ""

    @property
    def next_href(self) -> str:
        """The page after; "" on the last."""
        return self.query.href(page=self.query.number + 1) if self.last < self.total else ""

    @property
    def clear_href(self) -> str:
        """Without any filter."""
        return replace(self.query, filters={}).href()

    def sorted_by(self, column: Column) -> bool:
        """Whether the rows are in the order of this column."""
        return bool(column.sort) and column.sort == self.query.sort

    def sort_href(self, column: Column) -> str:
        """In the order of this column; the other way round where it is in force."""
        rising = self.sorted_by(column) and self.query.descending
        return self.query.href(sort=column.sort if rising or not self.sorted_by(column) else f"-{column.sort}")
