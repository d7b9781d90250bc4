"""The specification's 5.2 examples, whole, from rows; hostile and missing values elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from portal.db.models import LoopTest, User
from portal.web.language import language_of
from portal.web.schemas import loop_test_document, time_text

RL = {
    "status": "passed",
    "episodes": 10,
    "results": {
        "convergence": True,
        "avgReward": 85.3,
        "finalReward": 92.1,
        "log": "Episode 1: reward=72.1\nEpisode 2: reward=78.5\n...",
    },
    "executedBy": "admin",
    "executedAt": "2026-02-09 14:30",
}
GENERAL = {
    "status": "passed",
    "episodes": 5,
    "results": {
        "successRate": "100%",
        "avgDuration": "0.34s",
        "log": "Run 1: SUCCESS (0.32s)\nRun 2: SUCCESS (0.36s)\n...",
    },
    "executedBy": "admin",
    "executedAt": "2026-02-09 14:35",
}


@pytest.mark.parametrize(("example", "minute"), [(RL, 30), (GENERAL, 35)])
def test_the_examples_of_5_2(example: dict[str, Any], minute: int) -> None:
    row = LoopTest(
        status="passed",
        episodes=example["episodes"],
        results={**example["results"], "rising": True, "rewards": [72.1, 78.5]},
        executed_by=User(username="admin"),
        executed_at=datetime(2026, 2, 9, 5, minute, tzinfo=UTC),
    )
    assert loop_test_document(row) == example


def test_a_running_test_has_no_results_yet() -> None:
    row = LoopTest(status="running", episodes=10, results=None, executed_by=User(username="kim"), executed_at=None)
    assert loop_test_document(row) == {
        "status": "running",
        "episodes": 10,
        "results": None,
        "executedBy": "kim",
        "executedAt": None,
    }


def test_times_are_utc_with_milliseconds() -> None:
    assert time_text(datetime(2026, 2, 9, 5, 30, 0, 123456, tzinfo=UTC)) == "2026-02-09T05:30:00.123Z"
    assert time_text(None) is None


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ko"),
        ("en", "en"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr", "ko"),
        ("en;q=0", "ko"),
        ("en;q=x", "ko"),
        ("en;level=1", "en"),
        (",;,=", "ko"),
        ("*", "ko"),
    ],
)
def test_languages(header: str, language: str) -> None:
    assert language_of(header) == language
