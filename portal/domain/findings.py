"""What `one doctor` can find: one thing that is wrong, where it is, what each side says, and the cure in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Every kind of finding."""

    PART_FAILED = "part_failed"
    NOT_COMPARED = "not_compared"
    PRIORITY_SCHEME = "priority_scheme"

    JOB_WITHOUT_ROW = "job_without_row"
    SECOND_JOB = "second_job"
    HEADLESS = "headless"
    LOST_JOB = "lost_job"
    GHOST_JOB = "ghost_job"
    END_NOT_NOTICED = "end_not_noticed"
    LIVE_AFTER_END = "live_after_end"
    STATE_DIFFERS = "state_differs"
    WRONG_PLACE = "wrong_place"
    INTENT_LEFT = "intent_left"
    RUNNING_WITHOUT_JOB = "running_without_job"

    MODEL_MISSING = "model_missing"
    MODEL_UNFINISHED = "model_unfinished"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_DIFFERS = "manifest_differs"
    OBJECT_MISSING = "object_missing"
    OBJECT_DIFFERS = "object_differs"
    OBJECT_WITHOUT_ROW = "object_without_row"
    LOGS_NOT_SAVED = "logs_not_saved"
    LOGS_MISSING = "logs_missing"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `kind` and `id` name it ("job" 42, "workload" W-A1B2C3, "model" "APP-X v3", "object" a key,

    "part" s3); `portal` is what the portal says, `other` what `system` (slurm, accounting, s3, site) says instead.
    `about` is the workload that it belongs to, "" where there is none.
    """

    code: Code
    kind: str
    id: str
    portal: str = ""
    other: str = ""
    system: str = "slurm"
    about: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same finding in a second look; what the sides say may have moved on."""
        return self.code.value, self.kind, self.id

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Finding:
        """What `as_json` made."""
        return cls(**{**document, "code": Code(document["code"])})


def seen_twice(first: Iterable[Finding], second: Iterable[Finding]) -> tuple[Finding, ...]:
    """What both looks found, as the second one saw it: what the portal was just about to notice is no disagreement."""
    before = {finding.key for finding in first}
    return tuple(finding for finding in second if finding.key in before)


_JOB = "scancel {id}"
_WORDS: dict[Code, tuple[str, str, str, str]] = {
    Code.PART_FAILED: (
        "응답하지 않거나 설정이 맞지 않습니다",
        "오른쪽의 설명대로 고친 뒤 다시 확인하세요",
        "does not answer, or is not set up as the portal needs it",
        "Correct what it says, then check again",
    ),
    Code.NOT_COMPARED: (
        "응답이 없어 비교하지 못했습니다",
        "서비스를 되살린 뒤 다시 확인하세요",
        "could not be compared: it does not answer",
        "Bring it back, then check again",
    ),
    Code.PRIORITY_SCHEME: (
        "Slurm 설정으로는 대기 순서를 지킬 수 없습니다",
        "slurm.conf의 PriorityWeight*와 QOS 우선순위를 고치세요 (docs/install.md)",
        "Slurm's configuration cannot keep the order of the queue",
        "Correct PriorityWeight* in slurm.conf and the priorities of the QOS (docs/install.md)",
    ),
    Code.JOB_WITHOUT_ROW: (
        "포털이 모르는 포털 작업이 Slurm에 있습니다",
        f"누가 제출했는지 확인하고 필요 없으면 {_JOB}",
        "Slurm has a job with the portal's mark that the portal does not know",
        f"Find out who submitted it; if nobody needs it: {_JOB}",
    ),
    Code.SECOND_JOB: (
        "같은 작업이 Slurm에 두 번 있습니다",
        f"포털이 아는 작업을 남기고 다른 것을 끝내세요: {_JOB}",
        "the same job is in Slurm twice",
        f"Keep the one that the portal knows and end the other: {_JOB}",
    ),
    Code.HEADLESS: (
        "일부만 남은 hetjob이 시작하지 못하면서 다른 작업을 막습니다",
        "scancel {other_id} (남은 부분의 번호가 아니라 리더의 번호)",
        "what is left of a hetjob can never start and holds others back",
        "scancel {other_id} (the leader's id: the component's own is refused)",
    ),
    Code.LOST_JOB: (
        "포털은 살아 있다고 보는 작업이 Slurm에도 accounting에도 없습니다",
        "slurmdbd가 밀려 있는지 확인하세요 (sacctmgr show stats). 정말 없으면 one cancel {about}",
        "the portal believes it alive; neither Slurm nor accounting has it",
        "See whether slurmdbd lags behind (sacctmgr show stats); if it is truly gone: one cancel {about}",
    ),
    Code.GHOST_JOB: (
        "accounting만 살아 있다고 보는 작업입니다",
        "sacctmgr show runawayjobs",
        "only accounting believes it alive",
        "sacctmgr show runawayjobs",
    ),
    Code.END_NOT_NOTICED: (
        "끝난 작업을 포털이 아직 알아채지 못했습니다",
        "journalctl -u one-daemon",
        "it has ended, and the portal has not noticed",
        "journalctl -u one-daemon",
    ),
    Code.LIVE_AFTER_END: (
        "포털에서는 끝난 작업이 Slurm에 살아 있습니다",
        _JOB,
        "it has ended for the portal and is alive in Slurm",
        _JOB,
    ),
    Code.STATE_DIFFERS: (
        "상태가 서로 다릅니다",
        "journalctl -u one-daemon; sacct -j {id}",
        "the states differ",
        "journalctl -u one-daemon; sacct -j {id}",
    ),
    Code.WRONG_PLACE: (
        "대기열에서 포털이 정한 자리에 있지 않습니다",
        "one move {about} --top 등으로 다시 정하세요",
        "it does not stand in the queue where the portal wants it",
        "Give it its place again: one priority {about} LEVEL, or one move {about}",
    ),
    Code.INTENT_LEFT: (
        "제출하려던 작업이 제출되지도 취소되지도 않은 채 남아 있습니다",
        "journalctl -u one-daemon; 필요 없으면 one cancel {about}",
        "a hand-over was begun, and neither finished nor given up",
        "journalctl -u one-daemon; if nobody needs it: one cancel {about}",
    ),
    Code.RUNNING_WITHOUT_JOB: (
        "실행 중이라는데 Slurm 작업이 없습니다",
        "journalctl -u one-daemon; one cancel {about}",
        "it runs for the portal, without a Slurm job",
        "journalctl -u one-daemon; one cancel {about}",
    ),
    Code.MODEL_MISSING: (
        "완료되었고 모델을 썼지만 저장된 모델이 없습니다",
        "실행 폴더의 model/ 을 옮겨 두고 journalctl -u one-daemon 을 확인하세요",
        "it completed and wrote a model, but none is stored",
        "Keep model/ of its run directory safe and see journalctl -u one-daemon",
    ),
    Code.MODEL_UNFINISHED: (
        "저장이 끝나지 않은 모델입니다",
        "journalctl -u one-daemon",
        "its storing was never finished",
        "journalctl -u one-daemon",
    ),
    Code.MANIFEST_MISSING: (
        "모델의 manifest.json이 저장소에 없습니다",
        "버킷의 백업에서 되살리세요",
        "its manifest.json is not in the bucket",
        "Restore it from the bucket's backup",
    ),
    Code.MANIFEST_DIFFERS: (
        "manifest.json이 포털이 쓴 것과 다릅니다",
        "버킷의 백업에서 되살리고 누가 썼는지 확인하세요",
        "its manifest.json is not what the portal wrote",
        "Restore it from the bucket's backup and find out who wrote it",
    ),
    Code.OBJECT_MISSING: (
        "모델의 파일이 저장소에 없습니다",
        "버킷의 백업에서 되살리세요",
        "a file of a model is not in the bucket",
        "Restore it from the bucket's backup",
    ),
    Code.OBJECT_DIFFERS: (
        "모델의 파일이 저장할 때와 다릅니다",
        "버킷의 백업에서 되살리고 누가 썼는지 확인하세요",
        "a file of a model is not what was stored",
        "Restore it from the bucket's backup and find out who wrote it",
    ),
    Code.OBJECT_WITHOUT_ROW: (
        "어느 모델에도 속하지 않는 객체입니다",
        "필요 없으면 지우세요: mc rm models/{id}",
        "an object in the bucket that belongs to no model",
        "If nobody needs it: mc rm models/{id}",
    ),
    Code.LOGS_NOT_SAVED: (
        "끝난 시도의 로그가 아직 저장되지 않았습니다",
        "journalctl -u one-daemon; 실행 폴더와 저장소를 확인하세요",
        "it has ended, and its logs are not stored yet",
        "journalctl -u one-daemon; see its run directory and the storage",
    ),
    Code.LOGS_MISSING: (
        "로그가 저장되었다는데 저장소에 없습니다",
        "버킷의 백업에서 되살리세요",
        "its logs were stored, and the bucket has none",
        "Restore them from the bucket's backup",
    ),
}


def words_of(finding: Finding, language: str) -> tuple[str, str]:
    """(what is wrong, what to do) in Korean ("ko") or English."""
    korean, cure_ko, english, cure_en = _WORDS[finding.code]
    leader = finding.id.partition("+")[0]
    says, cure = (korean, cure_ko) if language == "ko" else (english, cure_en)
    return says, cure.format(id=leader, other_id=leader, about=finding.about or "ID")
