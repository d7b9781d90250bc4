"""Which of the two languages an answer is in."""

from __future__ import annotations

from typing import Literal

Language = Literal["ko", "en"]
DEFAULT: Language = "ko"


def language_of(accept_language: str) -> Language:
    """The first of `ko` and `en` by quality (RFC 9110 section 12.5.4), e.g. `en-US,ko;q=0.5` -> en; Korean without either."""
    best: tuple[float, Language] = (0.0, DEFAULT)
    for part in accept_language.split(","):
        tag, _, parameters = part.strip().partition(";")
        name = tag.split("-")[0].lower()
        quality = _quality(parameters)
        if quality > best[0] and (name == "ko" or name == "en"):
            best = (quality, "ko" if name == "ko" else "en")
    return best[1]


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
