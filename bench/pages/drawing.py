"""From the pointer's move to the picture, in the Builder, with few components on the canvas and with many."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing
from statistics import median, quantiles

from playwright.async_api import Page, async_playwright

from bench.figures import Figure, Part
from bench.pages.hosted import hosted, signed_in
from bench.pages.laboratory import large_app
from tests.browser import apps

FEW = 3
MOVES, TURNS = 60, 4
_WATCH = """() => {
  window.moves = [];
  window.addEventListener("pointermove", () => {
    const began = performance.now();
    // A message after the frame's own work comes when the frame is handed over to be shown.
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.moves.push(performance.now() - began);
      channel.port2.postMessage(0);
    });
  }, { capture: true });
}"""
_NODE = ".b-canvas [data-cell-id][role=group]"


def measure(components: int) -> Part:
    """Medians and p95 of both, in turns in one browser."""
    return asyncio.run(_measure(components))


async def _measure(components: int) -> Part:
    found: dict[int, list[float]] = {FEW: [], components: []}
    async with hosted() as (laboratory, address), async_playwright() as playwright:
        for count in found:
            await apps.publish(laboratory.world, "kim", large_app(count))
        chromium = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = await chromium.new_context(viewport={"width": 1440, "height": 900})
        async with aclosing(await signed_in(address, "kim")) as browser:
            for cookie in browser.cookies.jar:
                await context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": address}])
        for _ in range(TURNS):
            for count, seconds in found.items():
                tab = await context.new_page()
                await tab.goto(f"{address}/apps/APP-LARGE{count}/builder?tab=task&view=canvas")
                seconds += [one / 1000 for one in await _drag(tab, count)]
                await tab.close()
        await chromium.close()
    few, many = (quantiles(found[count], n=20)[-1] for count in (FEW, components))
    figures = (
        Figure(f"{FEW} components (baseline): move to picture, p95", few * 1000, "ms"),
        Figure(
            f"{components} components: move to picture, p95",
            many * 1000,
            "ms",
            note=f"median {median(found[components]) * 1000:.1f} ms",
        ),
        Figure("ratio", many / few, ""),
    )
    text = f"{TURNS} drags of {MOVES} moves each, in turns, in Chromium without a graphics card (software drawing)."
    return Part("builder", f"Dragging in the Builder with {components} components", figures, text=text)


async def _drag(tab: Page, count: int) -> list[float]:
    """Milliseconds from each move of the pointer to the frame that shows it."""
    nodes = tab.locator(_NODE)
    await nodes.nth(count - 1).wait_for(state="attached")
    box = await nodes.first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await tab.mouse.move(x, y)
    await tab.mouse.down()
    await tab.mouse.move(x + 5, y + 5)
    await tab.evaluate(_WATCH)
    for number in range(MOVES):
        await tab.mouse.move(x + 5 + number, y + 5 + number)
        await tab.wait_for_timeout(20)
    moves: list[float] = await tab.evaluate("window.moves")
    await tab.mouse.up()
    if len(moves) < MOVES / 2:
        raise RuntimeError(f"only {len(moves)} of {MOVES} moves were drawn")
    return moves
