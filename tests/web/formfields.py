"""The fields of a form as a browser would send them, read from a page."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx2


class _Fields(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.inside = form_id, False
        self.fields: dict[str, str] = {}
        self.select = self.textarea = ""

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in pairs}
        if tag == "form":
            self.inside = given.get("id") == self.form_id
        name = given.get("name", "")
        if not self.inside:
            return
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.fields[name] = given.get("value", "")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and ("selected" in given or self.select not in self.fields):
            self.fields[self.select] = given.get("value", "")
        elif tag == "textarea":
            self.textarea, self.fields[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        self.select = "" if tag == "select" else self.select
        self.textarea = "" if tag == "textarea" else self.textarea

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.fields[self.textarea] += data if self.fields[self.textarea] else data.removeprefix("\n")


def fields_in(page: httpx2.Response, form_id: str) -> dict[str, str]:
    """Name -> value of the form with this id; buttons are not pressed."""
    reader = _Fields(form_id)
    reader.feed(page.text)
    assert reader.fields, f"no form {form_id}"
    return reader.fields
