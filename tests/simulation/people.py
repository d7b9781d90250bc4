"""What people do to a simulated portal: each a request of its own, refused or not, that may be cut short anywhere."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sqlalchemy import select

from portal.db.engine import Sessions, transaction
from portal.db.models import Workload
from portal.domain.priority import Level
from portal.services import approvals, queue, tests, workloads
from portal.services.audit import Actor
from portal.services.workloads import SubmitRequest
from portal.settings import Settings

SPEC = Path(__file__).parents[1] / "spec" / "data" / "app-spec-example.json"
REASON = "because the schedule says so"
Request = Coroutine[Any, Any, None]


def _spec(gpus: int, *, general: bool, owner: str) -> dict[str, Any]:
    """Two components of the specification's example, one after the other."""
    document: dict[str, Any] = json.loads(SPEC.read_text())
    task = document["tasks"][0]
    task["components"] = task["components"][1:3]
    for component in task["components"]:
        component["resources"].update(gpu_count=gpus, memory="16GB")
    task["workflow"] = [{"from": "CL-REF-002", "to": "CL-REF-003"}]
    document.update(tasks=[task], imported_apps=[], app_id=f"APP-{owner}{gpus}{'G' if general else 'R'}".upper())
    if general:
        del document["training_config"]
    return document


KINDS: dict[str, tuple[int, bool, dict[str, Any]]] = {
    "small": (1, False, {}),
    "staged": (1, False, {"form": "staged"}),
    "general": (1, True, {}),
    "large": (4, False, {"run_test": True}),
    "large untested": (4, False, {}),
    "large general": (4, True, {"run_test": True}),
}
WEIGHTS = {"small": 5, "staged": 4, "general": 2, "large": 3, "large untested": 1, "large general": 1}
SPECS = {
    (kind, owner): _spec(gpus, general=general, owner=owner)
    for kind, (gpus, general, _) in KINDS.items()
    for owner in ("kim", "park")
}


class People:
    """kim and park ask, admin and boss decide."""

    def __init__(self, maker: Sessions, settings: Settings, actors: dict[str, Actor], rng: random.Random) -> None:
        self.maker = maker
        self.settings = settings
        self.actors = actors
        self.rng = rng
        self.asked: list[tuple[str, SubmitRequest]] = []

    def anything(self, ids: list[str]) -> tuple[str, Request]:
        """Some request about one of these workloads, by name."""
        requests: list[Callable[[str], Request]] = [
            self.cancel,
            self.move,
            self.prioritise,
            self.hold,
            self.test,
            self.approve,
            self.approve,
            self.reject,
        ]
        chosen = self.rng.choices(requests, [2, 3, 2, 2, 2, 2, 2, 1])[0]
        workload_id = self.rng.choice(ids)
        return f"{chosen.__name__} {workload_id}", chosen(workload_id)

    def submit(self) -> tuple[str, Request]:
        """A new workload, sometimes with a key."""
        kind = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        who = self.rng.choice(["kim", "park"])
        key = f"key-{len(self.asked)}" if self.rng.random() < 0.5 else None
        request = SubmitRequest(SPECS[kind, who], idempotency_key=key, **KINDS[kind][2])
        self.asked.append((who, request))
        return f"{who} submits {kind} {key}", self._submit(who, request)

    def repeat(self) -> tuple[str, Request] | None:
        """The same request with the same key once more."""
        keyed = [one for one in self.asked if one[1].idempotency_key]
        if not keyed:
            return None
        who, request = self.rng.choice(keyed)
        return f"{who} repeats {request.idempotency_key}", self._submit(who, request)

    async def _submit(self, who: str, request: SubmitRequest) -> None:
        async with transaction(self.maker) as session:
            await workloads.submit(session, self.actors[who], self.settings, request)

    async def cancel(self, workload_id: str) -> None:
        """By its owner or by an admin."""
        who = self.rng.choice(["kim", "park", "admin"])
        async with transaction(self.maker) as session:
            await workloads.cancel(session, self.actors[who], workload_id, REASON)

    async def move(self, workload_id: str) -> None:
        """To the top or beside another one."""
        async with self.maker() as session:
            others = sorted(await session.scalars(select(Workload.id).where(Workload.state == "queued")))
        neighbour = self.rng.choice(others) if others else workload_id
        place: dict[str, Any] = self.rng.choice([{"to_top": True}, {"before": neighbour}, {"after": neighbour}])
        async with transaction(self.maker) as session:
            await queue.move(session, self.actors["admin"], self.settings, workload_id, **place)

    async def prioritise(self, workload_id: str) -> None:
        """Another level."""
        level = self.rng.choice(list(Level))
        async with transaction(self.maker) as session:
            await queue.set_priority(session, self.actors["admin"], self.settings, workload_id, level)

    async def hold(self, workload_id: str) -> None:
        """Hold or release."""
        await self.set_held(workload_id, held=self.rng.random() < 0.6)

    async def set_held(self, workload_id: str, *, held: bool) -> None:
        """Hold or release it."""
        async with transaction(self.maker) as session:
            await queue.hold(session, self.actors["admin"], workload_id, held=held)

    async def test(self, workload_id: str) -> None:
        """Start a minimal run test."""
        who = self.rng.choice(["kim", "park"])
        async with transaction(self.maker) as session:
            await tests.start(session, self.actors[who], self.settings, workload_id, tests.TestRequest())

    async def approve(self, workload_id: str) -> None:
        """Let it into the queue, in some level."""
        level = self.rng.choice(list(Level))
        async with transaction(self.maker) as session:
            await approvals.approve(session, self.actors["admin"], self.settings, workload_id, priority=level)

    async def reject(self, workload_id: str) -> None:
        """Turn it down."""
        async with transaction(self.maker) as session:
            await approvals.reject(session, self.actors["admin"], workload_id, REASON)
