"""Particles after a word: 관리자가, 김연구원이, W-A1B2C3이; Latin letters keep both forms, for who knows how they are read.

subject("관리자") -> "관리자가"
"""

from __future__ import annotations

from typing import Final

_FIRST, _LAST, _FINALS = 0xAC00, 0xD7A3, 28
"""The Hangul syllables of Unicode: 28 of each initial and vowel, the first of them without a final consonant."""
_DIGITS_WITH_FINAL: Final = frozenset("013678")
"""영, 일, 삼, 육, 칠, 팔."""


def subject(word: str) -> str:
    """The word with 이, 가, or 이(가) where its last sound is not known."""
    return word + {True: "이", False: "가", None: "이(가)"}[_ends_in_consonant(word)]


def _ends_in_consonant(word: str) -> bool | None:
    last = word.rstrip(" )\"'”’」")[-1:]
    if last and _FIRST <= ord(last) <= _LAST:
        return (ord(last) - _FIRST) % _FINALS != 0
    if last.isascii() and last.isdecimal():
        return last in _DIGITS_WITH_FINAL
    return None
