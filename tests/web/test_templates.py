"""Every template compiles in both languages, and none does what the Content-Security-Policy forbids."""

from __future__ import annotations

import re

import pytest

from portal.web.rendering import TEMPLATES, environment

NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
FORBIDDEN = {
    "a style attribute": re.compile(r"<[^>]*\sstyle="),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)"),
    "an event attribute": re.compile(r"<[^>]*\son[a-z]+="),
    "hx-on or js:": re.compile(r"hx-on|[\"']js:"),
    "a colour": re.compile(r"#[0-9a-fA-F]{6}\b"),
    "text that is not escaped": re.compile(r"\|\s*safe\b"),
}


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles(name: str) -> None:
    for language in ("ko", "en"):
        environment(language).get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_it_does_nothing_forbidden(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []
