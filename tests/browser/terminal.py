"""The command `one` of somebody at a terminal: a process of its own, with a home of its own, against the hosted portal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONE = Path(sys.executable).parent / "one"
AT_A_TERMINAL = ("env", "--default-signal=INT")
"""Ctrl-C counts even where the tests themselves run in the background, which has it ignored."""
LIMIT_S = 60


@dataclass(frozen=True)
class Terminal:
    """Commands run in `home`; what they say is in `language`."""

    home: Path
    language: str

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONE_", "LC_"))}
        return kept | {"XDG_CONFIG_HOME": str(self.home / "config"), "ONE_LANG": self.language, "NO_COLOR": "1"}

    def one(self, *words: str, given: str = "", code: int = 0, **changed: str) -> str:
        """Run it to its end; everything that it said. `changed` are variables of the environment."""
        ended = subprocess.run(
            [ONE, *words],
            cwd=self.home,
            env=self._environment | changed,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert ended.returncode == code, f"one {' '.join(words)}: exit {ended.returncode}\n{ended.stdout}"
        return ended.stdout

    def document(self, *words: str) -> Any:
        """What it answers with `-o json`."""
        return json.loads(self.one(*words, "-o", "json"))

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start it and let it run."""
        return subprocess.Popen(
            [*AT_A_TERMINAL, ONE, *words],
            cwd=self.home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def interrupt(running: subprocess.Popen[str]) -> str:
    """Ctrl-C; what it said since it was last read."""
    running.send_signal(signal.SIGINT)
    try:
        return running.communicate(timeout=LIMIT_S)[0]
    finally:
        running.kill()
