"""Slurm's reason codes in the words of the queue page."""

from __future__ import annotations

import re

import pytest

from portal.domain.reasons import Facts, ReasonClass, Waiting, explain, explain_before_slurm

FULL = Facts(
    ahead=3,
    needed_ko="A100 4기",
    needed_en="4 A100",
    idle=2,
    account="lab",
    limit_ko="GPU 8기",
    limit_en="8 GPUs",
    after="TASK-001",
    held_by="admin",
    time="14:40",
    nodes="gpu2",
)


@pytest.mark.parametrize(
    ("code", "kind", "ko", "en"),
    [
        ("Priority", "turn", "앞 순서 3건을 기다립니다", "Waiting behind 3"),
        ("Resources", "resources", "A100 4기가 빌 때까지 기다립니다 (지금 유휴 2)", "Waiting for 4 A100 (2 idle now)"),
        ("QOSMaxGRESPerUser", "limit", "lab 한도 GPU 8기를 모두 쓰고 있습니다", "lab limit of 8 GPUs is used up"),
        ("AssocGrpGRES", "limit", "lab 한도 GPU 8기를 모두 쓰고 있습니다", "lab limit of 8 GPUs is used up"),
        ("Dependency", "hold", "앞 단계 TASK-001이 끝나야 합니다", "After TASK-001"),
        ("JobHeldAdmin", "hold", "admin이(가) 보류했습니다", "Held by admin"),
        ("BeginTime", "hold", "14:40 이후 시작합니다", "Starts after 14:40"),
        ("Reservation", "resources", "점검 예약 때문에 기다립니다 (14:40까지)", "Reserved until 14:40"),
        (
            "ReqNodeNotAvail",
            "resources",
            "필요한 노드가 Down/Drain입니다: gpu2",
            "Needed nodes are down or drained: gpu2",
        ),
        (
            "PartitionDown",
            "resources",
            "필요한 노드가 Down/Drain입니다: gpu2",
            "Needed nodes are down or drained: gpu2",
        ),
        ("Licenses", "resources", "Slurm 사유: Licenses", "Slurm reason: Licenses"),
    ],
)
def test_plain_words(code: str, kind: str, ko: str, en: str) -> None:
    reason = explain(code, FULL)
    assert (reason.kind, reason.code, reason.text_ko, reason.text_en) == (kind, code, ko, en)


@pytest.mark.parametrize(
    "code",
    [
        "BadConstraints",
        "InvalidQOS",
        "InvalidAccount",
        "PartitionTimeLimit",
        "PartitionConfig",
        "DependencyNeverSatisfied",
    ],
)
def test_never(code: str) -> None:
    reason = explain(code)
    assert reason.kind is ReasonClass.NEVER
    assert re.fullmatch(r"이대로는 시작되지 않습니다: .+\. .+\.", reason.text_ko)
    assert re.fullmatch(r"Will never start: .+\. .+\.", reason.text_en)


CODES = [
    "", "None", "Priority", "Resources", "QOSMaxGRESPerUser", "AssocGrpCPU", "Dependency", "JobHeldUser", "JobHeldAdmin",
    "BeginTime", "Reservation", "ReqNodeNotAvail", "PartitionDown", "BadConstraints", "Licenses", "MaxJobsPerUser",
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_nothing_unknown_is_shown_as_if_known(code: str) -> None:
    reason = explain(code)
    for text in (reason.text_ko, reason.text_en):
        assert "None" not in text
        assert "  " not in text
    assert not re.search("[가-힣]", reason.text_en)


def test_slurms_extra_words_do_not_hide_the_code() -> None:
    assert explain("ReqNodeNotAvail, UnavailableNodes:gpu2").kind is ReasonClass.RESOURCES


def test_before_slurm() -> None:
    assert explain_before_slurm(Waiting.IMAGE, percent=40).text_ko == "이미지를 변환하고 있습니다 (40%)"
    assert explain_before_slurm(Waiting.IMAGE).text_en == "Converting the image"
    assert explain_before_slurm(Waiting.APPROVAL).text_ko == "관리자 승인을 기다립니다"
    assert explain_before_slurm(Waiting.TEST).text_en == "Waiting for the test"
