"""The agent on a simulated Slurm: real verbs, permits, ledger and socket."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.agent import permit, verbs
from slurm.agent.config import AgentConfig
from slurm.agent.ledger import Ledger
from slurm.agent.reader import Road
from slurm.agent.server import AgentServer
from slurm.agent.verbs import Verbs
from slurm.errors import NotPermitted
from slurm.socketclient import AgentClient
from tests.slurm.client.contract import (
    ACCOUNT,
    LIMITED_QOS,
)
from tests.slurm.client.fakecalls import FakeCalls, FakeReader
from tests.slurm.client.test_fake import FakeStage


class AgentStage(FakeStage):
    """The real agent's verbs and socket over the simulated cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.calls = FakeCalls(self.cluster)
        self.ledgers: list[Ledger] = []
        self.ledger_path = folder / "ledger.jsonl"
        self.config = AgentConfig(
            socket=folder / "agent.sock",
            allowed_peers=("root",),
            partitions=frozenset({"a100", "v100"}),
            accounts=frozenset({ACCOUNT}),
            qos=frozenset({"one-high", "one-normal", "one-low", "one-test", LIMITED_QOS}),
            operator="one-operator",
            rest_socket=folder / "rest.sock",
            jwt_key=folder / "key",
            ledger=self.ledger_path,
            admin_comment=True,
            slurm_conf=folder / "slurm.conf",
        )
        self.config.slurm_conf.write_text(
            "ClusterName=lab\nAccountingStoreFlags=job_comment,job_env\nPriorityWeightQOS=3000000000\n"
        )
        self.start()

    def start(self) -> None:
        """Begin anew, as after a restart: only the ledger file is kept."""
        self.ledgers.append(Ledger(self.ledger_path))
        self.verbs = Verbs(self.config, self.calls, Road(FakeReader(self.cluster), "a test"), self.ledgers[-1])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentStage]:
    """The real agent behind its socket; kim, park and lee may submit."""

    def known(config: AgentConfig, owner: str) -> None:
        if owner not in {"kim", "park", "lee"}:
            raise NotPermitted(f"{owner} is not in the group {config.users_group}")

    monkeypatch.setattr(permit, "check_owner", known)
    monkeypatch.setattr(verbs, "check_owner", known)
    made = AgentStage(tmp_path)
    server = AgentServer(made.config.socket, frozenset({os.getuid()}), made.verbs)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.client = AgentClient(made.config.socket)  # type: ignore[assignment]
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
    for ledger in made.ledgers:
        ledger.close()
