"""One page of a query and how many rows there are in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """The rows of one page, and the number of rows on all pages."""

    items: list[T]
    total: int


async def paged(session: AsyncSession, query: Select[T], number: int, size: int) -> Page[T]:
    """Page `number` (from 1) of the ordered `query`, of whole rows; a page past the end is empty."""
    total = await session.scalar(query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None))
    rows = await session.scalars(query.offset((number - 1) * size).limit(size))
    return Page(list(rows.unique()), total or 0)


def contains(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """`text` anywhere in the column, any case; % and _ are letters."""
    return column.icontains(text, autoescape=True)
