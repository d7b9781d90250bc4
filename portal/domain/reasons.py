"""Why a workload is not running, in plain words: Slurm's reason codes in five classes (texts of the queue page, P8).

    explain("Resources", Facts(needed_ko="A100 4기", needed_en="4 A100", idle=2)) ->
        Reason("resources", "Resources", "A100 4기가 빌 때까지 기다립니다 (지금 유휴 2)", "Waiting for 4 A100 (2 idle now)")
Source: https://slurm.schedmd.com/resource_limits.html and job_reason_codes.html (26.05).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from portal.domain.korean import subject


class ReasonClass(StrEnum):
    """What kind of waiting it is; `never` is red: it will not start by itself."""

    TURN = "turn"
    RESOURCES = "resources"
    LIMIT = "limit"
    HOLD = "hold"
    NEVER = "never"


@dataclass(frozen=True)
class Reason:
    """One answer to "why"; `code` is Slurm's own word, or the portal's for what happens before Slurm."""

    kind: ReasonClass
    code: str
    text_ko: str
    text_en: str


@dataclass(frozen=True)
class Facts:
    """What is known besides the code; None: not known, and then the text does without it.

    `needed_*` name the scarce resource ("A100 4기", "4 A100"); `limit_*` the exhausted limit ("GPU 8기", "8 GPUs");
    times are shown as they are given.
    """

    ahead: int | None = None
    needed_ko: str | None = None
    needed_en: str | None = None
    idle: int | None = None
    account: str | None = None
    limit_ko: str | None = None
    limit_en: str | None = None
    after: str | None = None
    held_by: str | None = None
    time: str | None = None
    nodes: str | None = None


class Waiting(StrEnum):
    """What a workload waits for before Slurm has it."""

    APPROVAL = "approval"
    TEST = "test"
    IMAGE = "image"


_NEVER: dict[str, tuple[str, str, str, str]] = {
    "BadConstraints": (
        "노드 조건이 맞는 노드가 없습니다",
        "자원을 줄이거나 GPU 유형을 바꿔 다시 요청하세요",
        "no node has what it asks for",
        "Ask for less or for another GPU type",
    ),
    "InvalidQOS": (
        "QOS를 쓸 수 없습니다",
        "관리자에게 문의하세요",
        "the QOS cannot be used",
        "Contact an administrator",
    ),
    "InvalidAccount": (
        "Slurm 계정을 쓸 수 없습니다",
        "관리자에게 문의하세요",
        "the Slurm account cannot be used",
        "Contact an administrator",
    ),
    "PartitionTimeLimit": (
        "최대 실행 시간이 파티션 한도보다 깁니다",
        "시간을 줄여 다시 요청하세요",
        "the time limit is longer than the partition's",
        "Ask again with a shorter one",
    ),
    "PartitionNodeLimit": (
        "파티션 한도보다 많은 노드를 요청했습니다",
        "노드 수를 줄여 다시 요청하세요",
        "it asks for more nodes than the partition allows",
        "Ask again with fewer",
    ),
    "PartitionConfig": (
        "파티션의 어떤 노드도 이 요청을 담을 수 없습니다",
        "자원을 줄이거나 GPU 유형을 바꿔 다시 요청하세요",
        "no node of its partition can hold it",
        "Ask for less or for another GPU type",
    ),
    "DependencyNeverSatisfied": (
        "앞 단계가 실패했습니다",
        "실패한 단계를 고쳐 다시 요청하세요",
        "a stage before it failed",
        "Correct that stage and ask again",
    ),
    "AccountNotAllowed": (
        "파티션이 이 Slurm 계정을 허용하지 않습니다",
        "관리자에게 문의하세요",
        "the partition does not allow this Slurm account",
        "Contact an administrator",
    ),
    "QOSNotAllowed": (
        "파티션이 이 QOS를 허용하지 않습니다",
        "관리자에게 문의하세요",
        "the partition does not allow this QOS",
        "Contact an administrator",
    ),
}
_LIMIT_PREFIXES = ("QOS", "Assoc", "MaxJobs", "MaxSubmit")
_RESERVED = frozenset({"Reservation", "ReservationMaint", "ReqNodeNotAvail_Maint", "Maintenance"})
_NODES_GONE = frozenset({"ReqNodeNotAvail", "PartitionDown", "PartitionInactive", "NodeDown"})
_NOT_YET = frozenset({"", "None"})


def explain(code: str, facts: Facts | None = None) -> Reason:
    """The plain words for a pending job's reason as Slurm gives it ("Priority", "QOSMaxGRESPerUser", ...)."""
    known = facts or Facts()
    code = code.split(",")[0].strip()
    if code in _NEVER:
        return _never(code)
    if code == "Priority" or code in _NOT_YET:
        return _turn(code, known)
    if code == "Resources":
        return _resources(code, known)
    if code.startswith(_LIMIT_PREFIXES):
        return _limit(code, known)
    if code in _RESERVED:
        until_ko, until_en = (f" ({known.time}까지)", f" until {known.time}") if known.time else ("", "")
        return Reason(ReasonClass.RESOURCES, code, f"점검 예약 때문에 기다립니다{until_ko}", f"Reserved{until_en}")
    if code in _NODES_GONE:
        which_ko, which_en = (f": {known.nodes}", f": {known.nodes}") if known.nodes else ("", "")
        ko = f"필요한 노드가 Down/Drain입니다{which_ko}"
        return Reason(ReasonClass.RESOURCES, code, ko, f"Needed nodes are down or drained{which_en}")
    return _hold(code, known)


def explain_before_slurm(waiting: Waiting, *, percent: int | None = None) -> Reason:
    """The plain words for what happens before Slurm knows the workload."""
    if waiting is Waiting.APPROVAL:
        return Reason(ReasonClass.TURN, waiting, "관리자 승인을 기다립니다", "Waiting for approval")
    if waiting is Waiting.TEST:
        return Reason(ReasonClass.TURN, waiting, "최소 실행 테스트를 기다립니다", "Waiting for the test")
    done = f" ({percent}%)" if percent is not None else ""
    return Reason(ReasonClass.TURN, waiting, f"이미지를 변환하고 있습니다{done}", f"Converting the image{done}")


def _never(code: str) -> Reason:
    what_ko, do_ko, what_en, do_en = _NEVER[code]
    return Reason(
        ReasonClass.NEVER,
        code,
        f"이대로는 시작되지 않습니다: {what_ko}. {do_ko}.",
        f"Will never start: {what_en}. {do_en}.",
    )


def _turn(code: str, known: Facts) -> Reason:
    if known.ahead is None:
        return Reason(ReasonClass.TURN, code, "앞 순서를 기다립니다", "Waiting for its turn")
    return Reason(ReasonClass.TURN, code, f"앞 순서 {known.ahead}건을 기다립니다", f"Waiting behind {known.ahead}")


def _resources(code: str, known: Facts) -> Reason:
    idle_ko, idle_en = (
        (f" (지금 유휴 {known.idle})", f" ({known.idle} idle now)") if known.idle is not None else ("", "")
    )
    ko = f"{known.needed_ko or '자원'}가 빌 때까지 기다립니다{idle_ko}"
    if not known.needed_ko:
        ko = f"자원이 빌 때까지 기다립니다{idle_ko}"
    return Reason(ReasonClass.RESOURCES, code, ko, f"Waiting for {known.needed_en or 'resources'}{idle_en}")


def _limit(code: str, known: Facts) -> Reason:
    who_ko, who_en = (f"{known.account} 한도", f"{known.account} limit") if known.account else ("한도", "The limit")
    what_ko, what_en = known.limit_ko, known.limit_en
    ko = f"{who_ko} {what_ko}를 모두 쓰고 있습니다" if what_ko else f"{who_ko}를 모두 쓰고 있습니다"
    return Reason(
        ReasonClass.LIMIT, code, ko, f"{who_en} of {what_en} is used up" if what_en else f"{who_en} is used up"
    )


def _hold(code: str, known: Facts) -> Reason:
    if code == "Dependency":
        after_ko, after_en = (
            (known.after, f"After {known.after}") if known.after else ("이전 작업", "After an earlier job")
        )
        return Reason(ReasonClass.HOLD, code, f"앞 단계 {subject(after_ko)} 끝나야 합니다", after_en)
    if code.startswith("JobHeld"):
        who_ko, who_en = (known.held_by,) * 2 if known.held_by else _holder(code)
        return Reason(ReasonClass.HOLD, code, f"{subject(who_ko)} 보류했습니다", f"Held by {who_en}")
    if code == "BeginTime":
        if known.time:
            return Reason(ReasonClass.HOLD, code, f"{known.time} 이후 시작합니다", f"Starts after {known.time}")
        return Reason(ReasonClass.HOLD, code, "정해진 시각 이후 시작합니다", "Starts after a set time")
    return Reason(ReasonClass.RESOURCES, code, f"Slurm 사유: {code}", f"Slurm reason: {code}")


def _holder(code: str) -> tuple[str, str]:
    return ("관리자", "an administrator") if code == "JobHeldAdmin" else ("사용자", "the user")
