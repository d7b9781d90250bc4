"""Built files: compressed where the browser takes it, never anything outside the folder."""

from __future__ import annotations

import gzip

import pytest

from portal.web.staticfiles import FOLDER, asset
from tests.web.conftest import Site


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate, br", "br"), ("gzip;q=1.0", "gzip"), ("identity", None), ("", None)]
)
async def test_a_script_comes_as_the_browser_takes_it(site: Site, accepted: str, encoding: str | None) -> None:
    plain = (FOLDER / asset("app.js").removeprefix("/static/")).read_bytes()
    async with (
        site.client() as browser,
        browser.stream("GET", asset("app.js"), headers={"accept-encoding": accepted}) as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding"
    if encoding is None:
        assert raw == plain
    else:
        assert len(raw) < len(plain) / 2
    if encoding == "gzip":
        assert gzip.decompress(raw) == plain


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "manifest.json.gz", "no.js"]
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    async with site.client() as browser:
        assert (await browser.get(f"/static/{path}")).status_code in (303, 404)


async def test_packed_names_have_no_address_of_their_own(site: Site) -> None:
    async with site.client() as browser:
        assert (await browser.get(f"{asset('app.js')}.gz")).status_code == 404
        assert (await browser.head(asset("app.js"))).status_code == 200
