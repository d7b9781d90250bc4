"""A node's past from samples of three finenesses: stretches join, holes are told, and the present has no end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from portal.domain.nodehistory import NOT_SAMPLED, Look, stretches, troubles
from portal.domain.samples import HOUR_S, MINUTE_S, TEN_MINUTES_S

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def looks(*found: tuple[int, int, str]) -> list[Look]:
    """(minutes from noon, seconds that it stands for, state)."""
    return [Look(NOON + timedelta(minutes=at), span_s, state) for at, span_s, state in found]


def minutes(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - NOON).total_seconds() // 60)


def test_stretches_join_across_finer_samples() -> None:
    found = stretches(
        looks(
            (-180, HOUR_S, "active"),
            (-120, HOUR_S, "drain"),
            (-60, TEN_MINUTES_S, "drain"),
            (-50, TEN_MINUTES_S, "active"),
            (-40, MINUTE_S, "down"),
        )
    )
    assert [(one.state, minutes(one.began_at), minutes(one.ended_at), one.span_s) for one in found] == [
        ("active", -180, -120, HOUR_S),
        ("drain", -120, -50, HOUR_S),
        ("active", -50, -40, TEN_MINUTES_S),
        ("down", -40, -39, MINUTE_S),
    ]


def test_what_nobody_sampled_is_neither_well_nor_ill() -> None:
    found = stretches(looks((0, MINUTE_S, "down"), (1, MINUTE_S, "down"), (30, MINUTE_S, "active")))
    assert [(one.state, minutes(one.began_at), minutes(one.ended_at)) for one in found] == [
        ("down", 0, 2),
        (NOT_SAMPLED, 2, 30),
        ("active", 30, 31),
    ]


def test_troubles_are_newest_first_and_one_that_lasts_has_no_end() -> None:
    past = looks((0, MINUTE_S, "drain"), (1, MINUTE_S, "active"), (2, MINUTE_S, "down"))
    shown = troubles(past, NOON + timedelta(minutes=3))
    assert [(one.state, minutes(one.ended_at)) for one in shown] == [("down", None), ("drain", 1)]
    later = troubles(past, NOON + timedelta(hours=1))
    assert minutes(later[0].ended_at) == 3, "what is not sampled any more is not known to last"
    assert troubles([], NOON) == []
