"""The agent's socket: who may talk, what is no request, what becomes of the file."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from slurm import agent
from slurm.agent import notify
from slurm.agent.server import AgentServer, answer
from slurm.errors import NotPermitted, ProtocolError, SlurmUnreachable
from slurm.socketclient import AgentClient
from tests.slurm.client.conftest import AgentStage


def talk(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(path))
        peer.sendall(line)
        return peer.makefile("rb").readline()


def test_the_socket_is_closed_to_others(stage: AgentStage) -> None:
    assert stage.config.socket.stat().st_mode & 0o777 == 0o660


async def test_a_foreign_peer_is_told_no(stage: AgentStage, tmp_path: Path) -> None:
    server = AgentServer(tmp_path / "other.sock", frozenset({os.getuid() + 1}), stage.verbs)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with pytest.raises(NotPermitted, match=f"uid {os.getuid()} may not talk"):
        await AgentClient(tmp_path / "other.sock").snapshot()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"null\n",
        b'{"verb": "rm"}\n',
        b'{"verb": "__init__"}\n',
        b'{"verb": "version", "extra": 1}\n',
        b'{"verb": "cancel", "owner": "", "job_id": 1, "graceful": false}\n',
        b'{"verb": "cancel", "owner": "kim", "job_id": -1, "graceful": false}\n',
        b'{"verb": "cancel", "owner": "kim", "job_id": "1; id", "graceful": false}\n',
        b'{"verb": "hold", "job_ids": [], "held": true}\n',
        b'{"verb": "submit", "submission": {"owner": "kim"}}\n',
        b"\xff\xfe\n",
    ],
)
def test_nonsense_is_a_protocol_error(stage: AgentStage, line: bytes) -> None:
    said = json.loads(talk(stage.config.socket, line))
    assert (said["ok"], said["error"]) == (False, "protocol")
    assert stage.calls.calls == []


def test_half_a_line_is_no_request(stage: AgentStage) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(stage.config.socket))
        peer.sendall(b'{"verb": "version"}')
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(10) == b""


async def test_no_agent_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(SlurmUnreachable, match="cannot be reached"):
        await AgentClient(tmp_path / "nobody.sock").version()


@pytest.mark.parametrize(
    "said",
    [b"nonsense\n", b'{"ok": true, "result": 7}\n', b'{"ok": false, "error": "?", "message": "", "code": null}\n', b""],
)
async def test_an_agent_that_talks_nonsense(tmp_path: Path, said: bytes) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "odd.sock"))
    listener.listen()

    def serve() -> None:
        peer, _ = listener.accept()
        peer.recv(1000)
        peer.sendall(said)
        peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ProtocolError if said else SlurmUnreachable):
        await AgentClient(tmp_path / "odd.sock").snapshot()
    thread.join()
    listener.close()


def test_answers_carry_no_values_of_a_bad_request(stage: AgentStage) -> None:
    said = answer(stage.verbs, b'{"verb": "submit", "submission": {"owner": 5, "environment": ["SECRET=abc"]}}\n')
    assert b"abc" not in said


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert receiver.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


def test_main_refuses_an_unsafe_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_AGENT_CONFIG", str(tmp_path / "missing.toml"))
    with pytest.raises(SystemExit, match=r"missing\.toml: cannot be read"):
        agent.main()


def test_a_stale_socket_is_replaced_but_no_other_file(tmp_path: Path, stage: AgentStage) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "stale"))
    AgentServer(tmp_path / "stale", frozenset(), stage.verbs).server_close()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="in use"):
        AgentServer(tmp_path / "file", frozenset(), stage.verbs)
