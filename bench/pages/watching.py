"""The queue page with tens of thousands of jobs in Slurm, while two hundred people have it open."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from statistics import median, quantiles
from time import perf_counter

import httpx2

from bench.figures import Figure, Part
from bench.pages.hosted import hosted, signed_in
from bench.pages.laboratory import Laboratory, crowd

RUNS, APPS = 10_000, 200
WATCHERS = 200
LOOKS = 60
ROUND_S = 5.0
WINDOW_S = 60.0
FIRST_ROW = b'<tr id="row-'
_LIVE = re.compile(r'data-live="([^"]+)"')
_LIMIT_S = 0.5


def measure(jobs: int) -> Part:
    """First rows alone and with all watchers, what Slurm is asked meanwhile, and the static page beside them."""
    return asyncio.run(_measure(jobs))


async def _measure(jobs: int) -> Part:
    async with hosted() as (laboratory, address):
        await laboratory.grow(RUNS, APPS)
        like = (await laboratory.slurm.snapshot()).jobs[0]
        laboratory.slurm.crowd = crowd(like, jobs)
        await laboratory.world.round()
        seen: dict[int, tuple[list[float], list[float], float]] = {}
        for watchers in (1, WATCHERS):
            async with _watched(address, watchers):
                seen[watchers] = await _look(laboratory, address)
    figures = []
    for watchers, (rows, static, asked) in seen.items():
        who = f"{watchers} watching"
        limit = _LIMIT_S if watchers == WATCHERS else None
        note = f"median {median(rows) * 1000:.0f} ms"
        figures += [
            Figure(f"{who}: first rows of the queue, p95", quantiles(rows, n=20)[-1], "s", at_most=limit, note=note),
            Figure(f"{who}: a static file (baseline), p95", quantiles(static, n=20)[-1], "s"),
            Figure(f"{who}: requests to Slurm a minute", asked, "", at_most=seen[1][2] * 1.1 if watchers > 1 else None),
        ]
    text = (
        f"{jobs:,} waiting jobs from outside beside {round(RUNS * 0.05):,} of the portal, of all of which one in a hundred"
        f" changes with every reading of Slurm. Everybody who watches holds the page's event stream open and takes what comes."
        f" The daemon goes round every {ROUND_S:.0f} s on the"
        f" simulated Slurm, which counts; with all of this on one machine."
    )
    return Part("watchers", f"The queue with {jobs:,} jobs and {WATCHERS} watchers", tuple(figures), text=text)


async def _look(laboratory: Laboratory, address: str) -> tuple[list[float], list[float], float]:
    """Seconds to the first rows and to a static file, in turns, over at least WINDOW_S; requests to Slurm a minute."""
    rows: list[float] = []
    static: list[float] = []
    rounds = asyncio.create_task(_rounds(laboratory))
    began, asked = perf_counter(), laboratory.slurm.asked
    try:
        async with aclosing(await signed_in(address, "park")) as browser:
            logo = re.search(r'/static/logo[^"]+', (await browser.get("/help")).text)
            assert logo is not None
            while len(rows) < LOOKS or perf_counter() - began < WINDOW_S:
                rows.append(await _first_rows(browser))
                start = perf_counter()
                await browser.get(logo[0])
                static.append(perf_counter() - start)
                await asyncio.sleep(0.2)
    finally:
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
    return rows, static, (laboratory.slurm.asked - asked) * 60 / (perf_counter() - began)


async def _rounds(laboratory: Laboratory) -> None:
    """The daemon, in time with the clock."""
    while True:
        began = perf_counter()
        await laboratory.world.round(ROUND_S, only=("control",))
        await asyncio.sleep(max(ROUND_S - (perf_counter() - began), 0))


async def _first_rows(browser: httpx2.AsyncClient) -> float:
    began = perf_counter()
    held = b""
    async with browser.stream("GET", "/queue") as answer:
        async for part in answer.aiter_bytes():
            held = held[-len(FIRST_ROW) :] + part
            if FIRST_ROW in held:
                return perf_counter() - began
    raise RuntimeError("the queue shows no row")


@asynccontextmanager
async def _watched(address: str, count: int) -> AsyncIterator[None]:
    """That many open queue pages of kim's, park's and the admins'."""
    names = ("kim", "park", "admin", "boss")
    browsers = [await signed_in(address, name, connections=2 * count) for name in names]
    tasks = []
    for number in range(count):
        browser = browsers[number % len(names)]
        topics = [html.unescape(one) for one in _LIVE.findall((await browser.get("/queue")).text)]
        tasks.append(asyncio.create_task(_stream(browser, ",".join(topics))))
    await asyncio.sleep(2)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for browser in browsers:
            await browser.aclose()


async def _stream(browser: httpx2.AsyncClient, topics: str) -> None:
    async with browser.stream("GET", "/events", params={"topics": topics}, timeout=None) as answer:
        answer.raise_for_status()
        async for _ in answer.aiter_bytes():
            pass
