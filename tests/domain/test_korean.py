"""The particle follows the last sound, and where nobody knows it both forms stand."""

from __future__ import annotations

import pytest

from portal.domain.korean import subject


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("관리자", "관리자가"),
        ("김연구원", "김연구원이"),
        ("이전 작업", "이전 작업이"),
        ("단계 1", "단계 1이"),
        ("단계 2", "단계 2가"),
        ("W-AAAAA7", "W-AAAAA7이"),
        ("김연구원(lab)", "김연구원(lab)이(가)"),
        ("김연구원 (서울)", "김연구원 (서울)이"),
        ("admin", "admin이(가)"),
        ("", "이(가)"),
        ("٣", "٣이(가)"),
    ],
)
def test_particles(word: str, said: str) -> None:
    assert subject(word) == said
