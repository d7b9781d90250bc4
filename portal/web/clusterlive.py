"""Names of the cluster's live topics: `cluster:<what is shown, as a query>:parts`, safe inside an address and an event id."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from portal.web.live import Topic

KIND = "cluster"
VIEW = "parts"
NODE, WALL = "node", "wall"
"""Of a topic that is no tab of the resources page: one node (its name), the wall."""


def topic(shown: Mapping[str, str]) -> str:
    """The topic of a page with these query parameters."""
    return Topic(KIND, quote(urlencode(shown), safe=""), VIEW).text()


def shown_of(key: str) -> dict[str, str]:
    """The query parameters of a topic's key."""
    return dict(parse_qsl(unquote(key)))
