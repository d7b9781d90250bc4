"""What a run used, on the real road: measured by its launcher, shown with sacct's own figure, and told to sacct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import on, until
from tests.lab.road_harness import SOON_S, TASK, app, component, submitted

pytestmark = [pytest.mark.lab, pytest.mark.beside]
BUSY = """
import time
kept = bytearray(300 << 20)
end = time.time() + 26
while time.time() < end:
    kept[:: 4096] = b"1" * len(kept[:: 4096])
"""


def test_asked_against_used_is_told_to_people_and_to_sacct(kim: One, specs: Path) -> None:
    run = submitted(kim, app(component("BUSY-001", BUSY, memory="8GB", cpus=4)), specs)
    run.reaches("completed")

    def measured() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run.now()["attempts"][-1]["efficiency"]
        return found

    (found,) = until("it is measured", measured, timeout_s=SOON_S)
    assert found["step"] == f"{TASK}/BUSY-001"
    assert found["asked"] == {"nodes": 1, "cpus": 4, "memoryMib": 8192, "gpus": 0}
    assert 250 < found["used"]["peakMemoryMib"] < 1000
    assert 0 < found["used"]["cores"] < 1.5
    assert found["used"]["gpuPercent"] is None
    codes = {one["code"] for one in found["advice"]}
    assert codes == {"memory_too_much", "cpus_too_many"}
    said = kim.text("show", run.id)
    assert "8GB" in said
    assert found["advice"][0]["textEn"] in said or found["advice"][0]["textKo"] in said
    (leader,) = run.leaders()
    sacct = ("sacct", "--noheader", "--allocations", "--parsable2", "-j", str(leader), "--format=AdminComment%500")
    comment = until("sacct shows it", lambda: on("ctl", *sacct).strip(), timeout_s=SOON_S)
    assert comment.startswith(f"{run.id} used of asked: {TASK}/BUSY-001 cpu ")
    assert "/4 mem " in comment
    assert comment.endswith("/8GB")
