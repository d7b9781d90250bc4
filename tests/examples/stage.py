"""A folder that stands in for /one: what the platform gives a component, and how it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 60


def app(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((EXAMPLES / name / "app.json").read_text(encoding="utf-8"))
    return spec


@dataclass
class Stage:
    """One run: `spec` is the App, `model` is shared by its components."""

    root: Path
    spec: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)

    def folder(self, node: str) -> Path:
        """/one of this component, made at the first look."""
        one = self.root / node
        for name in ("config", "in", "out", "checkpoint"):
            (one / name).mkdir(parents=True, exist_ok=True)
        (self.root / "model").mkdir(exist_ok=True)
        if not (one / "model").exists():
            (one / "model").symlink_to(self.root / "model")
        (one / "metrics.jsonl").touch()
        training = self.spec.get("training_config")
        for name, content in (("app", self.spec), ("training", training), ("params", {}), ("hosts", {})):
            (one / "config" / f"{name}.json").write_text(json.dumps(content))
        return one

    def give(self, node: str, at: str, before: str) -> None:
        """Mount the outputs of `before` at /one/in/<at>."""
        target = self.folder(node) / "in" / at
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(self.folder(before) / "out")

    def start(self, node: str, program: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start examples/<program>/main.py as this component."""
        environment = os.environ | self.env | dict(env or {})
        environment |= {
            "ONE_ROOT": str(self.folder(node)),
            "ONE_NODE_ID": node,
            "PYTHONPATH": str(EXAMPLES / "common"),
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, str(EXAMPLES / program / "main.py")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, node: str, program: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(node, program, env)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def rewards(self, node: str) -> list[float]:
        """What the component reported as rewards, in order; checks that episodes count from 1."""
        lines = [json.loads(line) for line in (self.folder(node) / "metrics.jsonl").read_text().splitlines()]
        reported = [line for line in lines if "reward" in line]
        assert [line["episode"] for line in reported] == list(range(1, len(reported) + 1))
        return [float(line["reward"]) for line in reported]
