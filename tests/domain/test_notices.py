"""What is told, by which ways, in which words, and when a message is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.domain import notices
from portal.domain.lifecycle import State
from portal.domain.notices import Change, Channel, Kind
from portal.domain.noticewords import path, words
from tests.hostile import HOSTILE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (Change(State.SUBMITTED, State.AWAITING_APPROVAL), Kind.NEEDS_APPROVAL),
        (Change(State.SUBMITTED, State.QUEUED), None),
        (Change(State.AWAITING_APPROVAL, State.QUEUED), Kind.APPROVED),
        (Change(State.AWAITING_APPROVAL, State.REJECTED), Kind.REJECTED),
        (Change(State.QUEUED, State.RUNNING), Kind.STARTED),
        (Change(State.QUEUED, State.RUNNING, again=True), None),
        (Change(State.RUNNING, State.QUEUED), None),
        (Change(State.RUNNING, State.SAVING), None),
        (Change(State.SAVING, State.COMPLETED), Kind.FINISHED),
        (Change(State.RUNNING, State.FAILED, cause="step"), Kind.FAILED),
        (Change(State.SUBMITTED, State.FAILED, cause="image"), Kind.IMAGE_FAILED),
        (Change(State.RUNNING, State.CANCELLED), None),
    ],
)
def test_what_a_change_of_state_tells(change: Change, kind: Kind | None) -> None:
    assert notices.of_change(change) is kind
    hidden = Change(change.before, change.after, hidden=True, again=change.again, cause=change.cause)
    assert notices.of_change(hidden) is None


def test_choices_win_over_what_suits_most_and_a_wish_over_both() -> None:
    assert Channel.EMAIL in notices.ways(None, Kind.FAILED)
    assert Channel.EMAIL not in notices.ways(None, Kind.STARTED)
    assert notices.ways({"failed": ["webhook"]}, Kind.FAILED) == {Channel.WEBHOOK}
    assert notices.ways({"failed": []}, Kind.FAILED) == frozenset()
    assert notices.ways({"failed": []}, Kind.FAILED, wished=True) == frozenset(Channel)
    assert notices.ways({"trial": []}, Kind.TRIAL) == frozenset(Channel)


def test_wishes_are_for_the_start_and_for_every_end() -> None:
    assert notices.wished(Kind.STARTED, ["start"])
    assert not notices.wished(Kind.STARTED, ["end"])
    assert {kind for kind in Kind if notices.wished(kind, ["end"])} == {Kind.FINISHED, Kind.FAILED, Kind.IMAGE_FAILED}


def test_only_admins_choose_what_only_admins_are_told() -> None:
    assert set(notices.kinds_for(True)) - set(notices.kinds_for(False)) == {Kind.NEEDS_APPROVAL, Kind.NODE_DOWN}
    assert Kind.TRIAL not in notices.kinds_for(True)


def test_a_start_is_told_after_a_wait() -> None:
    assert notices.waited_enough(timedelta(minutes=10), 10)
    assert not notices.waited_enough(timedelta(minutes=9, seconds=59), 10)
    assert notices.waited_enough(timedelta(0), 0)


def test_pauses_grow_to_an_hour_and_end_after_a_day() -> None:
    failed_at, tries, pauses = NOON, 0, []
    while True:
        tries += 1
        again = notices.next_try(tries, NOON, failed_at)
        if again is None:
            break
        pauses.append(again - failed_at)
        failed_at = again
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert max(pauses) == timedelta(hours=1)
    assert timedelta(hours=22) < failed_at - NOON <= timedelta(days=1)


@pytest.mark.parametrize("korean", [True, False])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words_and_a_page_whatever_its_facts_are(kind: Kind, korean: bool) -> None:
    for text in (*HOSTILE.values(), "{by.__class__}", "a\r\nBcc: x@y.z"):
        data = {"name": text, "by": text, "reason": text, "why_ko": text, "why_en": text, "before": text}
        found = words(kind, "W-A1B2C3", data, korean=korean)
        assert found.line.isprintable()
        assert found.sentence.isprintable()
        assert found.title
    assert path(kind, "W-A1B2C3").startswith("/")


def test_words_in_both_languages() -> None:
    data = {"by": "boss", "before": "normal", "after": "high", "name": "low"}
    assert words(Kind.PRIORITY, "W-1", data, korean=True).sentence == "boss님이 우선순위를 바꿨습니다: 보통 → 높음"
    english = words(Kind.PRIORITY, "W-1", data, korean=False)
    assert english.sentence == "boss changed the priority from Normal to High."
    assert english.line == "Priority changed: low (W-1)"
