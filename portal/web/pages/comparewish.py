"""The address of a comparison, read and written again with something changed: whoever gets it sees the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from litestar import Request

from portal.domain.comparison import MOST

MAX_TEXT = 400


@dataclass(frozen=True)
class Wish:
    """What the address asks for: who (`name` is the parameter's), the base, the drawn metric, turned ones, equal settings too."""

    path: str
    name: str
    keys: tuple[str, ...]
    base: str
    metric: str
    flipped: tuple[str, ...]
    same: bool

    @classmethod
    def of(cls, request: Request[Any, Any, Any], path: str, name: str) -> Wish:
        """Read the address; no more than MOST count, and each once."""
        given = request.query_params
        keys = dict.fromkeys(text.strip()[:80] for text in given.getall(name, []) if text.strip())
        flipped = dict.fromkeys(str(text)[:MAX_TEXT] for text in given.getall("flip", []))
        return cls(
            path=path,
            name=name,
            keys=tuple(keys)[:MOST],
            base=str(given.get("base", ""))[:80],
            metric=str(given.get("metric", ""))[:MAX_TEXT],
            flipped=tuple(flipped)[:50],
            same=given.get("same") == "1",
        )

    @property
    def href(self) -> str:
        """The address of this wish."""
        return f"{self.path}?{self.query}"

    @property
    def query(self) -> str:
        """The address without its path."""
        pairs = [(self.name, key) for key in self.keys]
        pairs += [("base", self.base)] if self.base else []
        pairs += [("metric", self.metric)] if self.metric else []
        pairs += [("flip", name) for name in self.flipped]
        return urlencode(pairs + ([("same", "1")] if self.same else []))

    def with_base(self, key: str) -> str:
        """The address with another base."""
        return replace(self, base=key).href

    def with_metric(self, name: str) -> str:
        """The address with another metric drawn."""
        return replace(self, metric=name).href

    def without(self, key: str) -> str:
        """The address without one of them."""
        kept = tuple(other for other in self.keys if other != key)
        return replace(self, keys=kept, base="" if self.base == key else self.base).href

    def turned(self, name: str) -> str:
        """The address with a metric that is better the other way."""
        is_in = name in self.flipped
        kept = tuple(other for other in self.flipped if other != name) if is_in else (*self.flipped, name)
        return replace(self, flipped=kept).href

    def with_same(self, *, same: bool) -> str:
        """The address with or without settings that are equal."""
        return replace(self, same=same).href
