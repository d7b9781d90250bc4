"""slurmrestd played from recordings: it answers what was asked for when recorded, and nothing else.

A version is a folder of recordings: "26.05/v0.0.42" is Slurm 26.05 asked through REST v0.0.42.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer

RECORDINGS = Path(__file__).parent / "recordings"
SLURMS = tuple(sorted(folder.name for folder in RECORDINGS.iterdir()))
VERSIONS = tuple(sorted(str(folder.relative_to(RECORDINGS)) for folder in RECORDINGS.glob("*/v*")))
KEY = b"a key of 32 bytes, for the tests"


def rest_of(version: str) -> str:
    """ "v0.0.42" of "26.05/v0.0.42"."""
    return version.rpartition("/")[2]


def situations(version: str) -> set[str]:
    """What was recorded of this version."""
    return {path.stem for path in (RECORDINGS / version).iterdir()}


def recording(version: str, situation: str) -> dict[str, Any]:
    """One recorded answer with its request."""
    loaded: dict[str, Any] = json.loads((RECORDINGS / version / f"{situation}.json").read_text())
    return loaded


class Replay(httpx2.BaseTransport):
    """Answers from given situations in turn; each must be asked for with the recorded method and path."""

    def __init__(self, version: str, situations: Sequence[str]) -> None:
        self.left = [recording(version, situation) for situation in situations]
        self.asked: list[httpx2.Request] = []
        self._ping = recording(version, "ping")

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/ping/"):
            return _response(self._ping)
        self.asked.append(request)
        expected = self.left.pop(0)
        wanted = urlsplit(expected["request"]["url"]).path
        assert (request.method, request.url.path) == (expected["request"]["method"], wanted)
        return _response(expected)


def _response(recorded: dict[str, Any]) -> httpx2.Response:
    body = recorded["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    return httpx2.Response(recorded["status"], text=text)


def calls(version: str, *situations: str) -> tuple[SlurmRest, Replay]:
    """Calls that are answered by these situations of this version."""
    replay = Replay(version, situations)
    rest = Rest(Signer(KEY), socket=Path("/nowhere"), timeout_s=5, transport=replay, versions=(rest_of(version),))
    return SlurmRest(rest, "one-operator"), replay


def job_id(version: str, situation: str) -> int:
    """The job that a situation's URL names."""
    return int(urlsplit(recording(version, situation)["request"]["url"]).path.rstrip("/").rpartition("/")[2])
