"""A notice in words, Korean and English, and the page that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portal.domain.notices import Kind

_MAX_CHARS = 500

_TITLES: dict[Kind, tuple[str, str]] = {
    Kind.NEEDS_APPROVAL: ("승인이 필요한 요청", "Request needs approval"),
    Kind.TEST_FINISHED: ("최소 실행 테스트 종료", "Minimal run test finished"),
    Kind.APPROVED: ("승인됨", "Approved"),
    Kind.REJECTED: ("반려됨", "Rejected"),
    Kind.STARTED: ("시작됨", "Started"),
    Kind.FINISHED: ("완료됨", "Finished"),
    Kind.FAILED: ("실패", "Failed"),
    Kind.IMAGE_FAILED: ("이미지 준비 실패", "Image failed"),
    Kind.ANALYSIS_ENDED: ("분석 종료", "Analysis ended"),
    Kind.PRIORITY: ("우선순위 변경", "Priority changed"),
    Kind.ROLE: ("역할 변경", "Role changed"),
    Kind.NODE_DOWN: ("노드 Down", "Node down"),
    Kind.TRIAL: ("알림 시험", "Test notification"),
}
_SENTENCES: dict[Kind, tuple[str, str]] = {
    Kind.NEEDS_APPROVAL: ("{by}님이 승인을 요청했습니다.", "{by} asks for approval."),
    Kind.TEST_FINISHED: ("결과: {result}. {why}", "Result: {result}. {why}"),
    Kind.APPROVED: ("{by}님이 승인했습니다. 대기열에 들어갔습니다.", "{by} approved it; it is in the queue."),
    Kind.REJECTED: ("{by}님이 반려했습니다: {reason}", "{by} rejected it: {reason}"),
    Kind.STARTED: ("{waited}분 기다린 뒤 시작되었습니다.", "It started after waiting {waited} min."),
    Kind.FINISHED: ("정상적으로 끝났습니다.", "It ended well."),
    Kind.FAILED: ("{why}", "{why}"),
    Kind.IMAGE_FAILED: ("{why}", "{why}"),
    Kind.ANALYSIS_ENDED: ("결과: {result}. {why}", "Result: {result}. {why}"),
    Kind.PRIORITY: (
        "{by}님이 우선순위를 바꿨습니다: {before} → {after}",
        "{by} changed the priority from {before} to {after}.",
    ),
    Kind.ROLE: (
        "{by}님이 역할을 바꿨습니다: {before} → {after}",
        "{by} changed your role from {before} to {after}.",
    ),
    Kind.NODE_DOWN: ("상태: {state}. {reason}", "State: {state}. {reason}"),
    Kind.TRIAL: ("알림이 이 경로로 도착합니다.", "Notifications arrive this way."),
}
_VALUES: dict[str, tuple[str, str]] = {
    "admin": ("관리자", "Administrator"),
    "researcher": ("연구원", "Researcher"),
    "viewer": ("뷰어", "Viewer"),
    "high": ("높음", "High"),
    "normal": ("보통", "Normal"),
    "low": ("낮음", "Low"),
    "passed": ("통과", "passed"),
    "failed": ("실패", "failed"),
    "completed": ("완료", "completed"),
    "cancelled": ("취소됨", "cancelled"),
}

_NAMED = frozenset({"before", "after", "result"})
"""The facts whose values have words of their own; what a person wrote is shown as it is."""


@dataclass(frozen=True)
class Words:
    """One notice as people read it; `about` names its object, "" where it has none. All on one line each."""

    title: str
    about: str
    sentence: str

    @property
    def line(self) -> str:
        """Title and object: a mail's subject, a browser notification's head."""
        return f"{self.title}: {self.about}" if self.about else self.title


def title(kind: Kind, *, korean: bool) -> str:
    """What the kind is called."""
    return _TITLES[kind][0 if korean else 1]


def words(kind: Kind, object_id: str, data: Mapping[str, Any], *, korean: bool) -> Words:
    """The notice in one language. `data` are the facts of `portal.services.notices`; absent ones read as nothing."""
    at = 0 if korean else 1
    suffix = "_ko" if korean else "_en"
    facts = _Facts({name.removesuffix(suffix): _value(name, value, at) for name, value in data.items()})
    name = _plain(str(data.get("name", "")))
    about = f"{name} ({object_id})" if name else ("" if kind in (Kind.ROLE, Kind.TRIAL) else object_id)
    return Words(title(kind, korean=korean), about, _plain(_SENTENCES[kind][at].format_map(facts)))


def path(kind: Kind, object_id: str) -> str:
    """The page that the notice is about."""
    if kind is Kind.NODE_DOWN:
        return f"/resources/nodes/{quote(object_id, safe='')}"
    if kind is Kind.ROLE:
        return "/account"
    if kind is Kind.TRIAL:
        return "/account?tab=notifications"
    if kind is Kind.ANALYSIS_ENDED:
        return f"/analyses/{quote(object_id, safe='')}"
    folder = "approvals" if kind in (Kind.NEEDS_APPROVAL, Kind.TEST_FINISHED) else "workloads"
    return f"/{folder}/{quote(object_id, safe='')}"


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _value(name: str, value: Any, at: int) -> str:
    text = str(value)
    return _VALUES[text][at] if name in _NAMED and text in _VALUES else text


def _plain(text: str) -> str:
    """One line without control characters: it becomes a mail's header and a program's JSON."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MAX_CHARS]
