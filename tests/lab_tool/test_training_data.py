"""The example's training data is made once, whole, and only for its owner and group."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from onelab import trainingdata
from onelab.layout import Layout

ROOT = Path(__file__).parents[2]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    made = Layout(tmp_path)
    made.shares[trainingdata.SHARE].mkdir(parents=True)
    return made


def test_made_once_for_its_owner(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: owners.append((Path(path).name, uid, gid)))
    leftover = layout.shares[trainingdata.SHARE] / f".{trainingdata.NAME}.making"
    leftover.mkdir()
    trainingdata.make_training_data(layout)
    folder = layout.shares[trainingdata.SHARE] / trainingdata.NAME
    (measurements,) = folder.iterdir()
    assert measurements.name == "measurements.csv"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, measurements)] == [0o750, 0o640]
    assert {(uid, gid) for _, uid, gid in owners} == {(2001, 2001)}
    measurements.write_text("kept")
    trainingdata.make_training_data(layout)
    assert measurements.read_text() == "kept"
    assert not leftover.exists()
