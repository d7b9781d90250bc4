"""How long the server takes for each page with few rows and with many, beside a page without data, and what is sent."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from contextlib import aclosing
from statistics import median, quantiles
from time import perf_counter

import httpx2
from playwright.async_api import Browser, async_playwright

from bench.figures import Figure, Part
from bench.pages.hosted import hosted, signed_in
from bench.pages.laboratory import Laboratory, large_app
from tests.browser import apps

FEW_RUNS, FEW_APPS = 100, 20
TURNS = 30
MOST_MS = 150
BASELINE = "/help/keyboard"
"""A page with the frame of all pages and no data of its own."""
PAGES = (
    "/",
    "/apps",
    "/apps?q=Bench-1&sort=name",
    "/apps/APP-TEMPLATE",
    "/apps/APP-TEMPLATE?tab=versions",
    "/apps/APP-TEMPLATE/builder",
    "/components",
    "/trainer",
    "/trainer?app=APP-TEMPLATE",
    "/workloads",
    "/workloads?status=completed&q=run-7",
    "/workloads/{run}",
    "/workloads/{run}?tab=metrics",
    "/workloads/{run}?tab=events",
    "/workloads/{waits}",
    "/queue",
    "/queue?scope=mine",
    "/approvals",
    "/approvals/{gated}",
    "/resources",
    "/resources?tab=nodes",
    "/resources?tab=workloads",
    "/resources?tab=trends",
    "/resources/nodes/gpu1",
    "/resources/wall",
    "/models",
    "/models?latest=1",
    "/analyses",
    "/notifications",
    "/search?q=run-7",
    "/account",
    "/admin/users",
    "/admin/audit",
    "/admin/health",
    "/admin/health?tab=mismatch",
    "/admin/settings",
)
FIRST_VISIT, CANVAS = "/", "/apps/APP-TEMPLATE/builder"
_MOST_FIRST_KB, _MOST_CANVAS_KB = 700, 900
Seconds = dict[str, list[float]]


def measure(runs: int, apps_count: int) -> Part:
    """p95 of every page at both sizes, as a multiple of the baseline's, and bytes of two first visits."""
    return asyncio.run(_measure(runs, apps_count))


async def _measure(runs: int, apps_count: int) -> Part:
    async with hosted() as (laboratory, address):
        await apps.publish(laboratory.world, "kim", large_app(3))
        await laboratory.grow(FEW_RUNS, FEW_APPS)
        few = await _times(laboratory, address)
        await laboratory.grow(runs, apps_count)
        many = await _times(laboratory, address)
        sent = await _sent(address)
    base = _p95(many[BASELINE])
    figures = [Figure(f"{BASELINE} (baseline), p95", base * 1000, "ms")]
    for page in PAGES:
        now, before = _p95(many[page]), _p95(few[page])
        figures.append(Figure(f"{page}, p95", now * 1000, "ms", at_most=MOST_MS))
        note = f"median {median(many[page]) * 1000:.0f} ms; with {FEW_RUNS} runs p95 {before * 1000:.0f} ms"
        figures.append(Figure(f"{page}, over the baseline", now / base, "", note=note))
    figures += [
        Figure(f"first visit of {FIRST_VISIT}: bytes sent", sent[FIRST_VISIT] / 1000, "kB", at_most=_MOST_FIRST_KB),
        Figure(f"first visit of {CANVAS}: bytes sent", sent[CANVAS] / 1000, "kB", at_most=_MOST_CANVAS_KB),
    ]
    text = (
        f"One web process and a PostgreSQL of their own; an admin, one request at a time, {TURNS} turns over all pages;"
        f" with {FEW_RUNS} runs and {FEW_APPS} Apps first, then with {runs:,} and {apps_count:,}."
        " Bytes are those on the wire of a Chromium that has nothing cached."
    )
    return Part("pages", f"Pages with {runs:,} runs and {apps_count:,} Apps", tuple(figures), text=text)


async def _times(laboratory: Laboratory, address: str) -> Seconds:
    templates = laboratory.templates
    filled = {"run": templates["completed"], "waits": templates["queued"], "gated": templates["awaiting_approval"]}
    found: Seconds = {page: [] for page in (BASELINE, *PAGES)}
    async with aclosing(await signed_in(address, "admin")) as browser:
        for turn in range(TURNS + 1):
            for page, seconds in found.items():
                began = perf_counter()
                answer = await browser.get(page.format(**filled))
                took = perf_counter() - began
                if answer.status_code != httpx2.codes.OK:
                    raise RuntimeError(f"{page} answers {answer.status_code}")
                if turn:  # the first turn fills the caches
                    seconds.append(took)
    return found


async def _sent(address: str) -> dict[str, int]:
    """Bytes of a first visit by page, of everything but the event stream."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            return {page: await _bytes(chromium, address, page) for page in (FIRST_VISIT, CANVAS)}
        finally:
            await chromium.close()


async def _bytes(chromium: Browser, address: str, page: str) -> int:
    """A context of its own, so with an empty cache; the session comes from elsewhere."""
    context = await chromium.new_context()
    async with aclosing(await signed_in(address, "kim")) as browser:
        for cookie in browser.cookies.jar:
            await context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": address}])
        tab = await context.new_page()
        wire = await context.new_cdp_session(tab)
        total = 0

        def add(event: dict[str, float]) -> None:
            nonlocal total
            total += int(event["encodedDataLength"])

        wire.on("Network.loadingFinished", add)
        await wire.send("Network.enable")
        await tab.goto(address + page)
        await tab.wait_for_timeout(3000)
        if re.search("/login", tab.url):
            raise RuntimeError("the browser is not signed in")
        await context.close()
    return total


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]
