"""The pages' words: msgid is the English text, `locale/ko/LC_MESSAGES/*.po` (one file a feature) the Korean."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from portal.web.language import Language

FOLDER = Path(__file__).parent / "locale" / "ko" / "LC_MESSAGES"


def N_(text: str) -> str:
    """Marks a text that is looked up later, where the language is known."""
    return text


def in_context(context: str, text: str) -> str:
    """Marks a text that is looked up later in a context: where one English word has several Korean ones."""
    del context
    return text


def files() -> Iterator[Path]:
    """The Korean catalogue's files."""
    return iter(sorted(FOLDER.glob("*.po")))


@lru_cache
def translations(language: Language) -> NullTranslations:
    """The catalogue of a language; the English texts are their own.

    Read from the .po files once a process: no compiled copy that could be older than they are.
    """
    if language == "en":
        return NullTranslations()
    whole = Catalog(locale="ko")
    for path in files():
        with path.open("rb") as file:
            for message in read_po(file, locale="ko"):
                if message.id:
                    whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return GNUTranslations(compiled)
