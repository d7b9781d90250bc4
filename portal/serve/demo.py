"""`--demo`: the example Apps are handed in once, and their components registered, so that there is something to see."""

from __future__ import annotations

import json
from pathlib import Path

from portal.db.engine import Sessions, transaction
from portal.serve import demolibrary
from portal.services import operators, workloads
from portal.services.accounts import Role, user_named
from portal.services.audit import Actor
from portal.services.tokens import ROLE_SCOPES
from portal.services.workloads import SubmitRequest
from portal.settings import Settings

IN_PACKAGE = Path(__file__).with_name("examples")
IN_REPOSITORY = Path(__file__).parents[2] / "examples"
OPERATOR = Path(__file__).with_name("reward_summary.py")
"""An Operator to begin with: it sums up what a run reported."""


def examples() -> dict[str, Path]:
    """Name -> spec file of every example App, from the wheel or from the repository."""
    if IN_PACKAGE.is_dir():
        return {path.stem: path for path in sorted(IN_PACKAGE.glob("*.json"))}
    return {path.parent.name: path for path in sorted(IN_REPOSITORY.glob("*/app.json"))}


async def hand_in(maker: Sessions, settings: Settings, username: str) -> list[str]:
    """Submit every example; those over the threshold with their test. Again is fine: their ids come back."""
    submitted = []
    for name, path in examples().items():
        async with transaction(maker) as session:
            user = await user_named(session, username)
            scopes = frozenset(scope.value for scope in ROLE_SCOPES[Role(user.role)])
            actor = Actor(name=username, user_id=user.id, role=user.role, scopes=scopes)
            spec = json.loads(path.read_text(encoding="utf-8"))
            await demolibrary.fill(session, actor, settings, spec)
            operator = await operators.upload(
                session, actor, settings, filename=OPERATOR.name, data=OPERATOR.read_bytes()
            )
            request = SubmitRequest(
                spec=spec,
                run_test=True,
                idempotency_key=f"one-serve-demo-{name}",
                operator=operators.reference(operator),
            )
            submitted.append((await workloads.submit(session, actor, settings, request)).id)
    return submitted
