"""Where the cluster is played (`slurm.simulated` in the settings), every answer says so in a header."""

from __future__ import annotations

from litestar.types import Message, Scope

HEADER = b"one-simulated"


async def say_simulated(message: Message, _scope: Scope) -> None:
    """Before every response: `One-Simulated: true`. Pages read `settings.slurm.simulated` of the application's state."""
    if message["type"] == "http.response.start":
        message["headers"] = [*message.get("headers", []), (HEADER, b"true")]
