"""What cannot be taken back asks first: a page of its own, which scripts show as a dialog over the page one is on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from portal.web.forms import Form
from portal.web.rendering import PageContext


@dataclass(frozen=True)
class Box:
    """A further wish that may be ticked: the field's name and its words."""

    name: str
    text: str


@dataclass(frozen=True)
class Typed:
    """What must be typed to go on: the field's name and its words, and what was typed before."""

    name: str
    text: str
    form: Form = field(default_factory=Form)


@dataclass(frozen=True)
class ConfirmPage(PageContext):
    """Verb and object, the consequence, where the answer goes and where one comes back to."""

    template: ClassVar[str] = "layout/confirm.html"
    title: str
    sentence: str
    action: str
    verb: str
    back: str
    boxes: tuple[Box, ...] = ()
    typed: Typed | None = None
