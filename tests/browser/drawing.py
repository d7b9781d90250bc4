"""The Builder under a walker's hands: its canvas, its inspector, its tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.person import Person


@dataclass(frozen=True)
class Drawing:
    """The Builder that `person` has open."""

    person: Person

    @property
    def canvas(self) -> Locator:
        """The drawing."""
        return self.person.page.locator(".b-canvas")

    @property
    def inspector(self) -> Locator:
        """The form of the selected component."""
        return self.person.page.locator(".b-inspector")

    @property
    def header(self) -> Locator:
        """Name, state, buttons, summary."""
        return self.person.page.locator(".b-head")

    @property
    def said(self) -> Locator:
        """The sentence that the Builder said last."""
        return self.person.page.locator("#b-say")

    def tab(self, both: str) -> None:
        """Open a tab."""
        self.person.page.get_by_role("tab", name=self.person.say(both), exact=True).click()

    def view(self, both: str) -> None:
        """Canvas, outline or JSON."""
        self.person.button(both, self.person.page.locator(".b-task-bar")).click()

    def node(self, name: str) -> Locator:
        """A component on the canvas."""
        return self.canvas.locator("[data-cell-id][role=group]").filter(has_text=name)

    def edges(self) -> set[str]:
        """Connections on the canvas, by the components' ids: `CL-REF-001→CL-REF-002`."""
        ids = self.canvas.locator(".x6-edge").evaluate_all("all => all.map(one => one.getAttribute('data-cell-id'))")
        return set(ids)

    def has_edges(self, wanted: set[str]) -> None:
        """Wait until exactly these connections are drawn; one that was refused is gone a moment after its release."""
        expect(self.canvas.locator(".x6-edge")).to_have_count(len(wanted))
        assert self.edges() == wanted

    def drag_from_palette(self, name: str, x: int, y: int) -> None:
        """Drag a component of the palette to a place of the canvas, in pixels from its corner."""
        entry = self.person.page.locator(".b-palette .b-entry").filter(has_text=name)
        entry.drag_to(self.canvas, target_position={"x": x, "y": y})
        expect(self.node(name)).to_be_visible()

    def pull(self, source: str, target: str) -> None:
        """Press at the right port of `source` and move to the left port of `target`, without releasing."""
        mouse = self.person.page.mouse
        mouse.move(*self._port(source, "out"))
        mouse.down()
        x, y = self._port(target, "in")
        mouse.move(x - 30, y - 6, steps=4)
        mouse.move(x, y, steps=4)

    def connect(self, source: str, target: str) -> None:
        """Draw a connection, whether it is taken or not."""
        self.pull(source, target)
        self.person.page.mouse.up()

    def _port(self, name: str, group: str) -> tuple[float, float]:
        box = self.node(name).locator(f"[port-group={group}]").bounding_box()
        assert box is not None, f"{name} has no {group} port in sight"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def select(self, name: str) -> None:
        """Click a component; the inspector shows it."""
        self.node(name).click()
        expect(self.inspector.get_by_role("heading", name=name)).to_be_visible()

    def saved(self) -> None:
        """Wait until the server has everything."""
        word = self.person.say("저장됨|Saved")
        expect(self.header.locator(".b-save")).to_have_text(re.compile(rf"{word} \d\d:\d\d"))

    @contextmanager
    def saves(self) -> Iterator[None]:
        """Do something that the server has to be told, and wait until it was."""
        self.saved()
        with self.person.page.expect_response(lambda answer: answer.request.method == "PUT") as waiting:
            yield
        assert waiting.value.ok, f"not saved: {waiting.value.status}"
        self.saved()

    def picture(self) -> Any:
        """What is drawn: every component's place and text, and every connection's way."""
        return self.canvas.locator(".x6-graph-svg-stage").evaluate(
            """stage => [...stage.querySelectorAll("[data-cell-id]")].map(cell => [
                 cell.getAttribute("data-cell-id"), cell.getAttribute("transform"), cell.textContent,
                 [...cell.querySelectorAll("path")].map(path => path.getAttribute("d")).join("|")]).sort()"""
        )
