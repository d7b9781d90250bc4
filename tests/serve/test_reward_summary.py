"""The Operator that `one serve --demo` brings: what it makes of a run's metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portal.domain.analysisresult import chart_of, figures_of, grid_of
from portal.serve import reward_summary


def test_it_sums_up_the_component_that_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, out = tmp_path / "metrics", tmp_path / "out"
    for node, values in {"A": [], "B": [float(number) for number in range(1, 101)], "C": [5.0]}.items():
        path = metrics / "TASK-001" / f"{node}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({"episode": n, "reward": value}) + "\n" for n, value in enumerate(values)))
    out.mkdir()
    monkeypatch.setattr(reward_summary, "RUN", metrics)
    monkeypatch.setattr(reward_summary, "OUT", out)
    reward_summary.main()
    figures = figures_of((out / "summary.json").read_bytes())
    assert figures == {"mean_reward": 50.5, "best_reward": 100.0, "episodes": 100.0, "component": "TASK-001/B"}
    assert chart_of((out / "reward.chart.json").read_bytes()).lines[0].points[0] == (4.0, 2.5)
    assert len(grid_of((out / "rewards.csv").read_bytes()).rows) == 25


def test_without_rewards_it_fails_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reward_summary, "RUN", tmp_path)
    with pytest.raises(SystemExit, match="no component"):
        reward_summary.main()
