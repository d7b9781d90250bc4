"""The ledger survives restarts and a machine that dies in the middle of a line."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from slurm.agent.ledger import Entry, Ledger
from slurm.errors import NotPermitted, ProtocolError, SlurmUnreachable

ENTRY = Entry("one-한글", "kim", "lab", 2)


def test_what_was_written_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with closing(Ledger(path)) as ledger:
        ledger.intend(ENTRY)
        ledger.record(ENTRY.name, (12, 13))
    with closing(Ledger(path)) as ledger:
        assert ledger.entry(13).ids == (12, 13)
        assert ledger.leader_of(13) == 12
        assert ledger.leader_of(14) is None
        with pytest.raises(NotPermitted, match="job 14 was not submitted by this agent"):
            ledger.entry(14)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_outcome_that_is_not_known_stays_open(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger")) as ledger:
        ledger.intend(ENTRY)
        with pytest.raises(SlurmUnreachable, match="find it first"):
            ledger.intend(ENTRY)
    with closing(Ledger(tmp_path / "ledger")) as ledger:
        entry = ledger.named(ENTRY.name)
        assert entry is not None
        assert entry.is_open
        assert entry.intended_at > 0


def test_a_refused_name_may_be_tried_again(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger")) as ledger:
        ledger.intend(ENTRY)
        ledger.drop(ENTRY.name)
        entry = ledger.named(ENTRY.name)
        assert entry is not None
        assert not entry.is_open
        ledger.intend(ENTRY)
        ledger.record(ENTRY.name, (5, 6))
        with pytest.raises(SlurmUnreachable, match="already submitted as job 5"):
            ledger.intend(ENTRY)


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_a_torn_last_line_never_took_effect(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "ledger"
    with closing(Ledger(path)) as ledger:
        ledger.intend(ENTRY)
        first = path.stat().st_size
        ledger.record(ENTRY.name, (12, 13))
    whole = path.read_bytes()
    path.write_bytes(whole[: min(first + kept, len(whole))])
    with closing(Ledger(path)) as ledger:
        entry = ledger.named(ENTRY.name)
        assert entry is not None
        assert entry.ids == ((12, 13) if first + kept >= len(whole) else ())
        if entry.is_open:
            ledger.record(ENTRY.name, (12, 13))
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"t": 1}', '{"t": 1, "name": "unknown", "ids": [1]}'])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger"
    path.write_text(f"{line}\n")
    with pytest.raises(ProtocolError, match="line 1"), closing(Ledger(path)):
        pass
