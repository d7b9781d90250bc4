"""Workloads that run until the test lets them end: the payload waits for a file beside its checkpoints."""

from __future__ import annotations

from typing import Any

from lab.hosts import SHARED, until
from tests.lab.road_harness import PATIENCE_S, TASK, Run, app, component

NODE = "HELD-001"
CODE = """
import os, time
with open("/one/checkpoint/began", "a") as file:
    file.write("x")
print("going on", flush=True)
while not os.path.exists("/one/checkpoint/go"):
    time.sleep(0.2)
with open("/one/model/weights.bin", "wb") as file:
    file.write(b"weights")
print("began", len(open("/one/checkpoint/began").read()), "times", flush=True)
"""
LONG_S = 3 * PATIENCE_S
"""Recovering takes longer than running: timeouts of services, restarts, a busy machine."""


def held_app(**resources: Any) -> dict[str, Any]:
    """One component that waits for `let_go` and then writes a model."""
    return app(component(NODE, CODE, **resources))


def held_pair() -> dict[str, Any]:
    """A hetjob: the same component on a V100, and a service beside it on an A100."""
    return app(
        component("SERVER-001", "import time\nwhile True: time.sleep(0.1)", gpu_type="A100", gpu_count=1, service=True),
        component(NODE, CODE, gpu_type="V100", gpu_count=1),
        edges=[("SERVER-001", NODE)],
        when="started",
    )


def _folder(run: Run) -> Any:
    return SHARED / "runs" / run.one.username / run.id / "checkpoint" / TASK / NODE


def going_on(run: Run, times: int = 1) -> None:
    """Wait until the payload has begun (for the `times`-th time), whatever the portal knows of it."""

    def look() -> bool:
        began = _folder(run) / "began"
        return began.exists() and len(began.read_text()) >= times

    until(f"{run.id} goes on", look, timeout_s=LONG_S)


def let_go(run: Run) -> None:
    """The payload may end."""
    (_folder(run) / "go").touch()


def completes(run: Run) -> dict[str, Any]:
    """Let it end and wait until it has done so well."""
    going_on(run)
    let_go(run)
    return run.reaches("completed", timeout_s=LONG_S)
