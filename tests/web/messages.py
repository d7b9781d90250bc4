"""The pages' texts and their Korean: what templates and code ask for, and what the catalogue lacks (`make messages`).

A text belongs to the catalogue file of its template folder (`templates/queue/…` -> `queue.po`), a text of the code or of
several folders to `one.po`. New texts are added with an empty translation, which tests/web/test_catalogue.py refuses.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from portal.web import catalogue
from portal.web.rendering import TEMPLATES

ROOT = Path(__file__).parents[2]
_IN_CONTEXT = ((1, "c"), 2)
_KEYWORDS = {
    **dict.fromkeys(("N_", "_", "words", "gettext")),
    "ngettext": (1, 2),
    "pgettext": _IN_CONTEXT,
    "in_context": _IN_CONTEXT,
}
_OPTIONS = {"silent": "false", "trimmed": "false", "newstyle_gettext": "true", "extensions": "jinja2.ext.do"}
Key = tuple[str | None, str]
Translation = str | tuple[str, ...] | list[str] | None


@dataclass(frozen=True)
class Text:
    """A text as it is asked for: context and msgid, its plural, and the file of the catalogue it belongs to."""

    key: Key
    plural: str | None
    file: str


def wanted() -> dict[Key, Text]:
    """Every text of the templates and of portal/web."""
    homes: dict[Key, set[str]] = defaultdict(set)
    plurals: dict[Key, str | None] = {}
    for method, path in _sources():
        home = path.relative_to(TEMPLATES).parts[0] if method == "jinja2" else "one"
        for _, message, _, context in extract_from_file(method, str(path), keywords=_KEYWORDS, options=_OPTIONS):
            single, plural = message if isinstance(message, tuple) else (message, None)
            homes[context, single].add("one" if home == "layout" else home)
            plurals[context, single] = plural
    return {
        key: Text(key, plurals[key], next(iter(found)) if len(found) == 1 else "one") for key, found in homes.items()
    }


def _sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(TEMPLATES.rglob("*.html")):
        yield "jinja2", path
    for path in sorted((ROOT / "portal" / "web").rglob("*.py")):
        if "node_modules" not in path.parts:
            yield "python", path


def known() -> dict[str, Catalog]:
    """The catalogue's files by name."""
    return {path.stem: read_po(io.BytesIO(path.read_bytes()), locale="ko") for path in catalogue.files()}


def update() -> int:
    """Add what is missing, drop what nobody asks for; how many texts still need their Korean."""
    texts, files = wanted(), known()
    have = {(m.context, _single(m.id)): m.string for file in files.values() for m in file if m.id and m.string}
    made: dict[str, Catalog] = {}
    for text in texts.values():
        file = made.setdefault(text.file, Catalog(locale="ko", header_comment=f"# Korean: {text.file}", fuzzy=False))
        context, single = text.key
        identifier = (single, text.plural) if text.plural else single
        file.add(identifier, have.get(text.key, ("",) if text.plural else ""), context=context)
    for name, file in made.items():
        with (catalogue.FOLDER / f"{name}.po").open("wb") as out:
            write_po(out, file, sort_output=True, width=120, omit_header=False, no_location=True)
        _without_dates(catalogue.FOLDER / f"{name}.po")
    for name in files.keys() - made.keys():
        (catalogue.FOLDER / f"{name}.po").unlink()
    return sum(not _whole(message.string) for file in made.values() for message in file if message.id)


def _single(identifier: str | tuple[str, ...] | list[str]) -> str:
    return identifier if isinstance(identifier, str) else identifier[0]


def _whole(string: Translation) -> bool:
    return bool(string and all(string))


def _without_dates(path: Path) -> None:
    """Only what says how to read the file: dates and addresses would change, and meet, in every merge."""
    text = path.read_text()
    text = re.sub(r'^"(?!Content-Type|Language:|Plural-Forms|MIME|Content-Transfer).*\\n"\n', "", text, flags=re.M)
    path.write_text(text)


if __name__ == "__main__":
    print(f"{update()} texts without Korean in {catalogue.FOLDER.relative_to(ROOT)}")
