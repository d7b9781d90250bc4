"""The real `one` command as one of the lab's people: what the demo and the tests of the whole road type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from lab.hosts import STATE, LabTrouble, portal_url
from lab.people import token

ONE = Path(sys.executable).with_name("one")
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class One:
    """`one` with a user's token, in English."""

    username: str
    _token: str = field(repr=False)

    @classmethod
    def of(cls, username: str) -> One:
        """As this person. Raises LabTrouble."""
        return cls(username, token(username))

    def run(self, *words: str, timeout_s: float = TIMEOUT_S) -> Ran:
        """Run it and answer whatever it did. Raises LabTrouble when it does not end within `timeout_s`."""
        try:
            done = subprocess.run(
                [str(ONE), *words],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise LabTrouble(f"one {' '.join(words)}: no end within {timeout_s:g} s") from error
        return Ran(done.returncode, done.stdout, done.stderr)

    def text(self, *words: str, timeout_s: float = TIMEOUT_S) -> str:
        """Its standard output. Raises LabTrouble when it fails."""
        ran = self.run(*words, timeout_s=timeout_s)
        if ran.code != 0:
            raise LabTrouble(f"one {' '.join(words)} (as {self.username}): exit {ran.code}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def json(self, *words: str, timeout_s: float = TIMEOUT_S) -> Any:
        """Its answer as a document. Raises LabTrouble when it fails."""
        return json.loads(self.text(*words, "-o", "json", timeout_s=timeout_s))

    def asked(self, path: str) -> dict[str, Any]:
        """What the API answers to this person. Raises LabTrouble."""
        return self._over_http("GET", path)

    def told(self, path: str, body: Any) -> dict[str, Any]:
        """What the API answers when this person sends it a document. Raises LabTrouble."""
        return self._over_http("POST", path, json=body)

    def _over_http(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers, url = {"Authorization": f"Bearer {self._token}"}, f"{portal_url()}/api/v1/{path}"
        try:
            answer = httpx2.request(method, url, headers=headers, timeout=TIMEOUT_S, **more).raise_for_status()
        except httpx2.HTTPError as error:
            raise LabTrouble(f"{path} (as {self.username}): {error}") from error
        document: dict[str, Any] = answer.json()
        return document

    def show(self, workload: str) -> dict[str, Any]:
        """One workload as the API has it now: without a process a look, which is most of what waiting costs."""
        return self.asked(f"workloads/{workload}")

    def started(self, *words: str) -> subprocess.Popen[str]:
        """Start it and let it run beside the caller, who ends it."""
        return subprocess.Popen(
            [str(ONE), *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def streamed(self, *words: str, timeout_s: float) -> int:
        """Run it with its output going where ours goes; its exit code. Raises LabTrouble."""
        try:
            return subprocess.run(
                [str(ONE), *words], env=self._environment(), stdin=subprocess.DEVNULL, timeout=timeout_s
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise LabTrouble(f"one {' '.join(words)}: no end within {timeout_s:g} s") from error

    def _environment(self) -> dict[str, str]:
        mine = {"ONE_URL": portal_url(), "ONE_TOKEN": self._token, "ONE_LANG": "en", "NO_COLOR": "1"}
        return {**os.environ, **mine, "XDG_CONFIG_HOME": str(STATE / "no-stored-login")}
