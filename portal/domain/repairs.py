"""What can be mended by a click: for each kind of mismatch, whose side may be taken, and what is done then.

Only what takes nothing from anybody is offered: a live job without a row is cancelled, never adopted; files in S3 are restored
from a backup by people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.domain.findings import Code, Finding


class Side(StrEnum):
    """Whose word holds from now on."""

    SLURM = "slurm"
    PORTAL = "portal"


class Deed(StrEnum):
    """What the daemon does."""

    CANCEL_JOB = "cancel_job"
    WRITE_PLACE = "write_place"
    KEEP_PLACE = "keep_place"
    END_LOST = "end_lost"
    TAKE_STATE = "take_state"
    SETTLE_INTENT = "settle_intent"
    END_RUN = "end_run"


@dataclass(frozen=True)
class Offer:
    """One side of one finding: what is done, in words."""

    side: Side
    deed: Deed
    ko: str
    en: str


_CANCEL = Offer(
    Side.PORTAL,
    Deed.CANCEL_JOB,
    "Slurm의 이 작업을 취소합니다. 되돌릴 수 없습니다.",
    "The job is cancelled in Slurm. This cannot be taken back.",
)
_TAKE_STATE = Offer(
    Side.SLURM,
    Deed.TAKE_STATE,
    "Slurm과 accounting을 다시 읽고 그 상태를 포털에 적습니다.",
    "Slurm and accounting are read again, and the portal writes down what they say.",
)
_END_LOST = Offer(
    Side.SLURM,
    Deed.END_LOST,
    "이 작업을 끝난 것으로 적습니다. 다른 작업이 남아 있지 않으면 워크로드는 실패로 끝납니다.",
    "The job counts as ended. If it was the last one, the workload ends as failed.",
)
_OFFERS: Final[Mapping[Code, tuple[Offer, ...]]] = {
    Code.JOB_WITHOUT_ROW: (_CANCEL,),
    Code.SECOND_JOB: (_CANCEL,),
    Code.HEADLESS: (_CANCEL,),
    Code.LIVE_AFTER_END: (_CANCEL,),
    Code.LOST_JOB: (_END_LOST,),
    Code.GHOST_JOB: (_END_LOST,),
    Code.END_NOT_NOTICED: (_TAKE_STATE,),
    Code.STATE_DIFFERS: (_TAKE_STATE,),
    Code.WRONG_PLACE: (
        Offer(
            Side.SLURM,
            Deed.KEEP_PLACE,
            "Slurm의 자리를 그대로 두고 Slurm에서 변경됨으로 표시합니다.",
            "Its place in Slurm stays, and is marked as changed in Slurm.",
        ),
        Offer(
            Side.PORTAL,
            Deed.WRITE_PLACE,
            "포털이 정한 우선순위와 순서를 Slurm에 다시 씁니다.",
            "Level and place that the portal means are written to Slurm again.",
        ),
    ),
    Code.INTENT_LEFT: (
        Offer(
            Side.SLURM,
            Deed.SETTLE_INTENT,
            "Slurm에서 이 작업을 찾아 있으면 연결하고, 없으면 제출되지 않은 것으로 적습니다.",
            "Slurm is searched for the job: it is taken over where it is there, and counts as never submitted otherwise.",
        ),
    ),
    Code.RUNNING_WITHOUT_JOB: (
        Offer(
            Side.SLURM,
            Deed.END_RUN,
            "Slurm 작업이 없으므로 워크로드를 실패로 끝냅니다.",
            "There is no Slurm job, so the workload ends as failed.",
        ),
    ),
}


def offers(finding: Finding) -> tuple[Offer, ...]:
    """Whose side may be taken; () for what people must look at. A workload with several jobs of one name is for people."""
    if finding.code is Code.SECOND_JOB and finding.kind != "job":
        return ()
    if finding.code is Code.LOST_JOB and finding.portal.partition(",")[0] == finding.portal:
        return ()  # it has ended for the portal too: accounting has only forgotten it
    return _OFFERS.get(finding.code, ())


def offer_of(finding: Finding, side: str) -> Offer | None:
    """The offer of this side; None where there is none."""
    return next((offer for offer in offers(finding) if offer.side == side), None)
