"""The catalogue: every text of templates and code has its Korean, nothing is fuzzy, left over or said in two ways."""

from __future__ import annotations

import re

import pytest

from portal.web.catalogue import files
from tests.web import messages

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def entries() -> list[tuple[str, messages.Key, object, messages.Translation, bool]]:
    return [
        (name, (m.context, m.id if isinstance(m.id, str) else m.id[0]), m.id, m.string, m.fuzzy)
        for name, file in messages.known().items()
        for m in file
        if m.id
    ]


def test_every_text_has_its_korean() -> None:
    translated = {key for _, key, _, string, fuzzy in entries() if not fuzzy and string and all(string)}
    missing = {f"{text.file}: {key[1]}" for key, text in messages.wanted().items() if key not in translated}
    assert not missing, "run `make messages` and translate them"


def test_nothing_is_left_over_or_said_twice() -> None:
    keys = [key for _, key, _, _, _ in entries()]
    assert len(keys) == len(set(keys)), "a text stands in two files: run `make messages`"
    assert set(keys) <= messages.wanted().keys(), "run `make messages`: nobody asks for these any more"


def test_translations_have_the_same_places_to_fill() -> None:
    for name, key, identifier, string, _ in entries():
        texts = (string,) if isinstance(string, str) else tuple(string)  # type: ignore[arg-type]
        asked = identifier if isinstance(identifier, str) else identifier[-1]  # type: ignore[index]
        for text in texts:
            assert set(_PLACEHOLDER.findall(text)) == set(_PLACEHOLDER.findall(str(asked))), (name, key)


@pytest.mark.parametrize("path", list(files()), ids=lambda path: path.name)
def test_the_file_has_nothing_that_changes_by_itself(path: object) -> None:
    assert "POT-Creation-Date" not in path.read_text()  # type: ignore[attr-defined]
