"""The resources page says what Slurm says: a drained and a dead node within 10 s, the last picture while slurmctld is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import on, until

pytestmark = pytest.mark.lab
RIGHT_WITHIN_S = 10.0
DEAD_WITHIN_S = 60.0
"""SlurmdTimeout is 10 s on the lab; Slurm looks a few times before it calls a node dead."""
AWAY_S = 60.0


def node(one: One, name: str) -> dict[str, Any]:
    """One node as the page has it now."""
    found: dict[str, Any] = next(line for line in one.json("nodes")["nodes"] if line["name"] == name)
    return found


@contextmanager
def without(host: str, unit: str) -> Iterator[None]:
    """A service is stopped meanwhile."""
    on(host, "systemctl", "stop", unit)
    try:
        yield
    finally:
        on(host, "systemctl", "start", unit)


def test_a_drained_node_is_right_within_ten_seconds(kim: One) -> None:
    before = kim.json("nodes")["gpus"]["A100"]
    on("ctl", "scontrol", "update", "nodename=gpu2", "state=drain", "reason=fan")
    try:
        until("the page shows it", lambda: node(kim, "gpu2")["state"] == "drain", timeout_s=RIGHT_WITHIN_S)
        assert node(kim, "gpu2")["reason"] == "fan"
        after = kim.json("nodes")["gpus"]["A100"]
        assert after["unavailable"] == before["unavailable"] + 8
        assert after["total"] == before["total"] == after["allocated"] + after["idle"] + after["unavailable"]
    finally:
        on("ctl", "scontrol", "update", "nodename=gpu2", "state=resume")
    until("and that it serves again", lambda: node(kim, "gpu2")["state"] == "active", timeout_s=RIGHT_WITHIN_S)


def test_a_dead_node_is_right_within_ten_seconds_of_slurm_knowing(kim: One) -> None:
    with without("gpu3", "slurmd"):
        sinfo = ("sinfo", "--noheader", "--Node", "--nodes=gpu3", "--format=%T")
        until("Slurm knows", lambda: "down" in on("ctl", *sinfo), timeout_s=DEAD_WITHIN_S)
        until("the page shows it", lambda: node(kim, "gpu3")["state"] == "down", timeout_s=RIGHT_WITHIN_S)
    until("it serves again", lambda: node(kim, "gpu3")["state"] == "active", timeout_s=DEAD_WITHIN_S)


def test_without_slurmctld_the_last_picture_stays_and_says_since_when(kim: One) -> None:
    before = kim.json("nodes")
    with without("ctl", "slurmctld"):
        gone = until(
            "the page says so",
            lambda: found if (found := kim.json("nodes"))["unreachableSince"] else None,
            timeout_s=AWAY_S,
        )
        assert [line["name"] for line in gone["nodes"]] == [line["name"] for line in before["nodes"]]
        assert gone["gpus"] == before["gpus"]
        assert gone["at"] is not None
        assert gone["at"] <= gone["unreachableSince"]
        assert "items" in kim.json("queue")
    until("Slurm is seen again", lambda: not kim.json("nodes")["unreachableSince"], timeout_s=AWAY_S)
