"""The words of a page in the language of the test, written as the pages' plan writes them: "저장|Save"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["ko", "en"]


@dataclass(frozen=True)
class Words:
    """`say("저장됨 {at}|Saved {at}", at="14:03")` is one side of the bar, filled in; without a bar both are the same."""

    language: Language

    def __call__(self, both: str, **values: Any) -> str:
        """The side of this language."""
        korean, _, english = both.partition("|")
        text = korean if self.language == "ko" or not english else english
        return text.format(**values) if values else text
