"""The chain's arithmetic: every fact of a row, a list and a seal is under the head, and late rows find their place."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from portal.domain.auditchain import (
    FIRST_PREVIOUS,
    LATE,
    Expiry,
    Keeping,
    Member,
    Seal,
    members_sha256,
    next_seal,
    row_sha256,
)
from portal.domain.auditfindings import ChainFinding, Code

NOON = datetime(2026, 2, 9, 12, tzinfo=UTC)


def member(row_id: int, minutes: int = 0) -> Member:
    return Member(row_id, NOON + timedelta(minutes=minutes), Keeping.CHANGES, f"{row_id:064x}")


def test_every_fact_of_a_seal_is_in_its_head() -> None:
    seal, _ = next_seal(None, [member(1)], NOON, all_of_them=True)
    other: dict[str, Any] = {
        "number": 9,
        "sealed_at": NOON + timedelta(microseconds=1),
        "closes_at": None,
        "newest_at": NOON - timedelta(days=1),
        "rows": 2,
        "rows_sha256": "f" * 64,
        "previous": "e" * 64,
    }
    assert set(other) == {field.name for field in fields(Seal)}
    heads = {seal.head} | {replace(seal, **{name: value}).head for name, value in other.items()}
    assert len(heads) == len(other) + 1


def test_every_fact_of_a_member_is_in_the_list() -> None:
    one = member(1)
    changed = (
        replace(one, row_id=2),
        replace(one, at=NOON + timedelta(microseconds=1)),
        replace(one, keeping=Keeping.ACCESS),
        replace(one, sha256="f" * 64),
    )
    assert len({members_sha256([found]) for found in (one, *changed)}) == 1 + len(fields(Member))
    assert members_sha256([member(1), member(2)]) != members_sha256([member(2), member(1)])


def test_a_row_has_a_digest_whatever_is_in_it() -> None:
    hostile = {"a": "\ud800", "b": float("nan"), "c": "한글\x00", "d": {"e": [1, 1.5, None]}, "at": NOON}
    assert row_sha256(hostile) == row_sha256(dict(reversed(hostile.items())))
    assert row_sha256(hostile) != row_sha256({**hostile, "at": NOON + timedelta(microseconds=1)})
    seoul = NOON.astimezone(timezone(timedelta(hours=9)))
    assert row_sha256(hostile) == row_sha256({**hostile, "at": seoul}), "the database's zone is no fact of the row"


def test_seals_follow_each_other_and_close_time_only_behind_everything() -> None:
    first, ordered = next_seal(None, [member(3), member(1)], NOON, all_of_them=False)
    assert (first.number, first.previous, first.closes_at, [one.row_id for one in ordered]) == (
        1,
        FIRST_PREVIOUS,
        None,
        [1, 3],
    )
    second, _ = next_seal(first, [member(2, 5)], NOON + LATE, all_of_them=True)
    assert (second.number, second.previous, second.closes_at) == (2, first.head, NOON)
    clock_went_back, _ = next_seal(second, [], NOON - LATE, all_of_them=True)
    assert (clock_went_back.closes_at, clock_went_back.newest_at, clock_went_back.rows) == (NOON, None, 0)


def test_an_expiry_covers_its_classes_and_a_whole_seal_only_when_all_are_over() -> None:
    seal, (one, _) = next_seal(None, [member(1), member(2, 1)], NOON, all_of_them=True)
    later = NOON + timedelta(days=1)
    some = Expiry(9, {Keeping.CHANGES: later})
    assert some.covers(one)
    assert not some.covers(replace(one, keeping=Keeping.ACCESS))
    assert not some.covers(replace(one, at=later))
    assert not some.covers_whole(seal)
    all_classes = dict.fromkeys((Keeping.CHANGES, Keeping.RUNS, Keeping.ACCESS), later)
    assert Expiry(9, all_classes).covers_whole(seal)
    assert not Expiry(9, {**all_classes, Keeping.RUNS: NOON}).covers_whole(seal)


def test_every_finding_has_its_words_in_both_languages() -> None:
    for code in Code:
        finding = ChainFinding(code, row=7, seal=3, detail="x")
        assert ChainFinding.from_json(finding.as_json()) == finding
        assert finding.words("ko") != finding.words("en")
        assert "{" not in finding.words("ko") + finding.words("en")
