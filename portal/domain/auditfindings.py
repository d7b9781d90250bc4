"""What a verification of the audit log can find, each with the row or seal it names, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Every kind of finding."""

    ROW_CHANGED = "row_changed"
    ROW_MISSING = "row_missing"
    ROW_INSERTED = "row_inserted"
    LIST_CHANGED = "list_changed"
    SEAL_CHANGED = "seal_changed"
    SEAL_MISSING = "seal_missing"
    CHAIN_REWRITTEN = "chain_rewritten"
    CHAIN_CUT = "chain_cut"
    HEADS_MISSING = "heads_missing"
    HEADS_NOT_COMPARED = "heads_not_compared"


@dataclass(frozen=True)
class ChainFinding:
    """One thing that is wrong; `row` is an audit row's id, `seal` a seal's number, `detail` what the words leave open."""

    code: Code
    row: int | None = None
    seal: int | None = None
    detail: str = ""

    def words(self, language: str) -> str:
        """It in a sentence."""
        facts = {"row": self.row, "seal": self.seal, "detail": self.detail}
        return _WORDS[self.code][0 if language == "ko" else 1].format(**facts)

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ChainFinding:
        """As `as_json` wrote it."""
        return cls(Code(document["code"]), document["row"], document["seal"], document["detail"])


_WORDS = {
    Code.ROW_CHANGED: (
        "기록 {row}의 내용이 봉인된 뒤 바뀌었습니다 (봉인 {seal}).",
        "Record {row} was changed after it was sealed (seal {seal}).",
    ),
    Code.ROW_MISSING: (
        "봉인된 기록 {row}이(가) 없습니다 (봉인 {seal}, {detail}).",
        "Record {row}, which was sealed, is missing (seal {seal}, {detail}).",
    ),
    Code.ROW_INSERTED: (
        "기록 {row}은(는) 나중에 끼워 넣은 것입니다: 어느 봉인에도 없으면서 {detail}의 기록이라고 합니다.",
        "Record {row} was put in later: it claims to be from {detail} and is under no seal.",
    ),
    Code.LIST_CHANGED: (
        "봉인 {seal}의 기록 목록이 바뀌었습니다 ({detail}).",
        "The list of records under seal {seal} was changed ({detail}).",
    ),
    Code.SEAL_CHANGED: (
        "봉인 {seal}이(가) 바뀌었거나 앞 봉인과 이어지지 않습니다.",
        "Seal {seal} was changed, or does not follow the one before it.",
    ),
    Code.SEAL_MISSING: ("봉인 {seal}이(가) 없습니다.", "Seal {seal} is missing."),
    Code.CHAIN_REWRITTEN: (
        "봉인 {seal}이(가) {detail}에 S3에 적은 것과 다릅니다: 체인을 다시 썼습니다.",
        "Seal {seal} is not the one written to S3 ({detail}): the chain was rewritten.",
    ),
    Code.CHAIN_CUT: (
        "체인이 봉인 {seal} 앞에서 끝납니다. S3에는 있습니다 ({detail}).",
        "The chain ends before seal {seal}, which was written to S3 ({detail}).",
    ),
    Code.HEADS_MISSING: (
        "S3에 최근 봉인이 없습니다 ({detail}). 데몬이 S3에 쓰는지 확인하세요.",
        "S3 has no recent head of the chain ({detail}). See whether the daemon can write to S3.",
    ),
    Code.HEADS_NOT_COMPARED: (
        "S3의 봉인과 비교하지 못했습니다: {detail}",
        "Not compared with the heads in S3: {detail}",
    ),
}
