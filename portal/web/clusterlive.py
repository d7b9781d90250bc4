"""Names of the cluster's live topics: `cluster:<what is shown, as a query>:parts`."""

from __future__ import annotations

from collections.abc import Mapping

from portal.web.live import query_of, query_topic

KIND = "cluster"
VIEW = "parts"
NODE, WALL = "node", "wall"
"""Of a topic that is no tab of the resources page: one node (its name), the wall."""
shown_of = query_of


def topic(shown: Mapping[str, str]) -> str:
    """The topic of a page with these query parameters."""
    return query_topic(KIND, VIEW, shown)
