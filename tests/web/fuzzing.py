"""What the fuzz of the pages sends: the forms that the pages hold, filled with hostile values by a seeded dice."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlencode

from tests.hostile import HOSTILE, LONE_SURROGATE, NOT_IDS, NUL, TOO_LONG
from tests.web.access_bodies import FORM, JSON

SCRIPT, IMAGE = "<script>fuzz()</script>", "\"'><img src=x onerror=fuzz()>"
ELSEWHERE = "fuzz.example"
SUM = str(7919 * 7907)
"""What a template or a shell would make of `EVALUATED`."""
EVALUATED = ("{{7919*7907}}", "${7919*7907}", "{% set x = 7919*7907 %}{{ x }}", "$((7919*7907))", "$(id)")
TEXTS = (
    *HOSTILE.values(),
    *EVALUATED,
    NUL,
    TOO_LONG,
    SCRIPT,
    IMAGE,
    "javascript:fuzz()",
    f"//{ELSEWHERE}/",
    f"/\\{ELSEWHERE}",
    f"https://{ELSEWHERE}/",
    f"/x\r\nX-Fuzz: 1\r\n\r\n{SCRIPT}",
    f"/x\nLocation: https://{ELSEWHERE}/",
    "-1",
    "9" * 400,
    str(2**31),
    str(2**63),
    "1e309",
    "NaN",
    "١٢",
)
NOT_UTF8 = (b"\xff\xfe", b"\xc0\xaf..", b"\xed\xa0\x80", "한".encode("euc-kr"))
NO_JSON = (b"", b"{", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b'"' + TOO_LONG.encode() + b'"')
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    [],
    {},
    [[]],
    {"": None},
    ["x"] * 3,
    LONE_SURROGATE,
)
BOUNDARY = "fuzz-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Case:
    """One request: address and body as they go over the wire."""

    address: str
    content: bytes
    kind: str


@dataclass
class PageForm:
    """A form of a page: where it goes, how, and its fields as a browser would send them."""

    action: str
    multipart: bool = False
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[PageForm] = []
        self.inside = False
        self.select = ""

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in pairs}
        if tag == "form":
            # A hidden form without an address is a script's, which gives it one of another form's.
            self.inside = given.get("method") == "post" and not ("hidden" in given and not given.get("action"))
            if self.inside:
                self.found.append(PageForm(given.get("action", ""), "multipart" in given.get("enctype", "")))
            return
        if tag in ("button", "input") and self.inside and given.get("formaction"):
            form = self.found[-1]
            self.found.append(PageForm(given["formaction"], form.multipart, form.fields))
        name = given.get("name", "")
        if tag == "option" and self.inside and self.select:
            self.found[-1].fields.setdefault(self.select, given.get("value", ""))
        elif tag in ("input", "textarea", "button", "select") and self.inside and name:
            self.select = name if tag == "select" else ""
            if tag != "select":
                self.found[-1].fields.setdefault(name, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


def forms_of(text: str) -> list[PageForm]:
    """Every form of a page that changes something, unchecked boxes and all buttons among its fields."""
    reader = _Forms()
    reader.feed(text)
    return reader.found


@dataclass
class Dice:
    """Makes cases; the same seed makes the same ones. `private` are ids of things that the asker may not know."""

    random: random.Random
    private: tuple[str, ...] = ()

    def text(self) -> str:
        """One hostile text."""
        return self.random.choice((*TEXTS, *self.private))

    def address(self, path: str, places: Mapping[str, str], query: str = "") -> str:
        """The path with its places filled, one of them in a third of the cases with what is no id."""
        names = re.findall(r"\{(\w+)\}", path)
        bad = self.random.choice(names) if names and self.random.random() < 1 / 3 else ""
        other = self.random.choice((*NOT_IDS, *self.private, SCRIPT, str(2**31), "1.5"))

        def value(found: re.Match[str]) -> str:
            return quote(other if found.group(1) == bad else places[found.group(1)], safe=":")

        return re.sub(r"\{(\w+)\}", value, path + query)

    def form(self, address: str, fields: Mapping[str, str], multipart: bool) -> Case:
        """A form with one hostile field, with all of them, with a field twice, with bytes that are no text, or none."""
        names = list(fields) or ["fuzz"]
        one = self.random.choice(names)
        way = self.random.choice(("one", "one", "all", "twice", "bytes", "missing", "file"))
        pairs: list[tuple[str, str | bytes]] = [(name, fields.get(name, "")) for name in names if name != one]
        if way == "all":
            pairs = [(name, self.text()) for name in names]
        elif way in ("one", "file"):
            pairs.append((one, self.text()))
        elif way == "twice":
            pairs += [(one, fields.get(one, "")), (one, self.text()), (one, self.text())]
        elif way == "bytes":
            pairs.append((one, self.random.choice(NOT_UTF8)))
        if way == "file" or multipart:
            return Case(address, _multipart(pairs, one if way == "file" else "", self.text()), MULTIPART)
        raw = self.random.random() < 1 / 2
        content = [f"{quote(name, safe='')}=".encode() + _quoted(value, raw=raw) for name, value in pairs]
        return Case(address, b"&".join(content), FORM)

    def document(self, address: str, good: Any) -> Case:
        """JSON with one place of another type or a hostile text, or what is no JSON."""
        if self.random.random() < 1 / 6:
            return Case(address, self.random.choice(NO_JSON), JSON)
        changed = copy.deepcopy(good) or {"fuzz": 1}
        places = list(_places(changed))
        holder, key = self.random.choice(places)
        odd = self.random.choice(ODD) if self.random.random() < 1 / 2 else self.text()
        if isinstance(holder, dict) and self.random.random() < 1 / 8:
            holder[self.text()] = odd
        else:
            holder[key] = odd
        return Case(address, json.dumps(changed).encode(), JSON)


def _places(value: Any) -> list[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = []
    for key, inner in list(pairs):
        found += [(value, key), *_places(inner)]
    return found


def _quoted(value: str | bytes, *, raw: bool) -> bytes:
    if isinstance(value, bytes):
        return value if raw else quote_from_bytes(value, safe="").encode()
    return urlencode({"": value})[1:].encode()


def _multipart(pairs: list[tuple[str, str | bytes]], as_file: str, filename: str) -> bytes:
    parts = []
    for name, value in pairs:
        file = f'; filename="{filename}"' if name == as_file else ""
        raw = value if isinstance(value, bytes) else value.encode()
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + raw)
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
