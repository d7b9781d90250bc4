"""Parts that run at the same time: an agent beside its simulator, and the ranks of one component."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from .stage import Stage, app

pytestmark = pytest.mark.whole


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def hosts(stage: Stage, node: str, content: object) -> None:
    (stage.folder(node) / "config" / "hosts.json").write_text(json.dumps(content))


class Meeting(Stage):
    """hosts.json stays as a test wrote it."""

    def folder(self, node: str) -> Path:
        written = self.root / node / "config" / "hosts.json"
        kept = written.read_text() if written.exists() else "{}"
        one = super().folder(node)
        written.write_text(kept)
        return one


def test_the_agent_learns_from_the_simulator_which_then_stops_well(tmp_path: Path) -> None:
    port = free_port()
    stage = Meeting(tmp_path, app("co-running"))
    hosts(stage, "AGENT-001", {"SIM-001": {"hosts": ["localhost"], "port": port}})
    simulator = stage.start("SIM-001", "co-running/simulator", {"ONE_PORT": str(port)})
    assert simulator.stdout is not None
    assert "listens on port" in simulator.stdout.readline()
    agent = stage.run("AGENT-001", "co-running/agent", {"ONE_EPISODES": "100"})
    simulator.send_signal(signal.SIGTERM)
    out, err = simulator.communicate(timeout=30)
    assert (agent.returncode, agent.stderr) == (0, "")
    assert (simulator.returncode, err) == (0, "")
    assert "nobody needs the simulator" in out
    rewards = stage.rewards("AGENT-001")
    assert len(rewards) == 100
    assert sum(rewards[-10:]) > sum(rewards[:10]) + 300
    assert (tmp_path / "model" / "policy.safetensors").is_file()


def test_the_simulator_answers_nonsense_with_an_error(tmp_path: Path) -> None:
    port = free_port()
    simulator = Stage(tmp_path, app("co-running")).start("SIM-001", "co-running/simulator", {"ONE_PORT": str(port)})
    assert simulator.stdout is not None
    simulator.stdout.readline()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client, client.makefile("rwb") as lines:
        for request in (b"not json", b"[]", b"{}", b'{"action": [1]}', b'{"action": "x"}', b'{"reset": "x"}', b"\xff"):
            lines.write(request + b"\n")
            lines.flush()
            assert "error" in json.loads(lines.readline())
        lines.write(b'{"reset": 1}\n')
        lines.flush()
        assert "observation" in json.loads(lines.readline())
    simulator.send_signal(signal.SIGTERM)
    assert simulator.communicate(timeout=30)[1] == ""


def test_without_its_counterpart_each_fails_and_says_so(tmp_path: Path) -> None:
    stage = Meeting(tmp_path, app("co-running"))
    agent = stage.run("AGENT-001", "co-running/agent")
    assert agent.returncode == 1
    assert "hosts.json does not name SIM-001" in agent.stderr
    hosts(stage, "AGENT-001", {"SIM-001": {"hosts": ["localhost"], "port": free_port()}})
    assert "does not answer" in stage.run("AGENT-001", "co-running/agent").stderr
    assert "ONE_PORT is not set" in stage.run("SIM-001", "co-running/simulator").stderr


def test_ranks_meet_and_agree(tmp_path: Path) -> None:
    port = str(free_port())
    stage = Stage(tmp_path, app("two-nodes"))
    where = {"ONE_NODES": "2", "ONE_MASTER_ADDR": "localhost", "ONE_MASTER_PORT": port}
    ranks = [stage.start("RING-001", "two-nodes/ring", where | {"ONE_NODE_RANK": str(rank)}) for rank in (1, 0)]
    ends = [rank.communicate(timeout=60) for rank in ranks]
    assert [(rank.returncode, err) for rank, (_, err) in zip(ranks, ends, strict=True)] == [(0, ""), (0, "")]
    lines = {out.strip().splitlines()[-1].split(": ")[1] for out, _ in ends}
    assert len(lines) == 1
    found = json.loads((stage.folder("RING-001") / "out" / "line.json").read_text())
    assert found["slope"] == pytest.approx(3.0, abs=0.05)
    assert found["offset"] == pytest.approx(-2.0, abs=0.05)
    assert (tmp_path / "model" / "line.safetensors").is_file()


def test_a_rank_outside_a_run_says_so(tmp_path: Path) -> None:
    assert "ONE_NODE_RANK" not in os.environ
    done = Stage(tmp_path, app("two-nodes")).run("RING-001", "two-nodes/ring")
    assert done.returncode == 1
    assert "ONE_NODE_RANK is not set" in done.stderr
