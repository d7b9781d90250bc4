"""Turns a page's context into HTML: Jinja2 with autoescape, nothing undefined, and one environment a language.

A page is a frozen dataclass that names its template; the template sees its fields as `page.…`, the frame of the site as
`frame.…`, the person's way of writing as `fmt.…`, and the shared macros of templates/layout/macros.html as `ui.…`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie
from markupsafe import Markup, escape

from portal.web.catalogue import translations
from portal.web.frame import Frame
from portal.web.labels import LABELS
from portal.web.language import Language
from portal.web.staticfiles import asset

HTML = "text/html"
_HERE = Path(__file__).parent
TEMPLATES = next(path for path in (_HERE / "templates", _HERE.parents[1] / "templates") if path.is_dir())
"""Inside the wheel, or at the top of the source tree."""


@dataclass(frozen=True)
class PageContext:
    """Base of every page's context: which template shows it, and which entry of the navigation it belongs to."""

    template: ClassVar[str]
    nav: ClassVar[str] = ""


def shown(
    frame: Frame,
    page: PageContext,
    *,
    status: int = 200,
    block: str = "",
    headers: dict[str, str] | None = None,
    cookies: list[Cookie] | None = None,
) -> Response[str]:
    """The page as an answer; with `block` only that block of its template, for a part that is swapped in."""
    return Response(
        rendered(frame, page, block=block),
        status_code=status,
        media_type=HTML,
        headers={"Cache-Control": "no-store", "Vary": "HX-Request", **(headers or {})},
        cookies=[*(cookies or []), *([frame.toast_shown] if frame.toast_shown and not block else [])],
    )


def rendered(frame: Frame, page: PageContext, *, block: str = "") -> str:
    """The page's HTML, or one block of it."""
    template = environment(frame.language).get_template(page.template)
    values: dict[str, Any] = {"page": page, "frame": frame, "fmt": frame.formats}
    if not block:
        return template.render(values)
    return "".join(template.blocks[block](template.new_context(values)))


@lru_cache
def environment(language: Language) -> Environment:
    """The templates in one language. Compiled once a process."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    words = translations(language)
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"asset": asset, "icon": icon, "language": language, "LABELS": LABELS}
    made.filters["label"] = functools.partial(_label, words)
    made.filters["json"] = _json_text
    made.globals["ui"] = made.get_template("layout/macros.html").module
    return made


def _json_text(value: Any) -> str:
    """A value as a spec file would write it, on one line; Jinja's own `tojson` is for scripts and escapes what people read."""
    return json.dumps(value, ensure_ascii=False)


def icon(name: str, size: int = 16) -> Markup:
    """A Tabler outline icon from the sprite; written as icon("name") the build finds it, else it stands in icons.txt."""
    return Markup(
        f'<svg class="icon icon-{size}" width="{size}" height="{size}" aria-hidden="true">'
        f'<use href="{escape(asset("icons.svg"))}#{escape(name)}"/></svg>'
    )


def _label(words: NullTranslations, text: str, context: str = "") -> str:
    """A text of the code in the page's language; `context` where one English word has several Korean ones."""
    return words.pgettext(context, text) if context else words.gettext(text)
