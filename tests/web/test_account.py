"""Tokens and Apps over HTTP: scopes, one's own things, and uploads."""

from __future__ import annotations

import json
from typing import Any

from tests.web.conftest import Site


async def token(site: Site, *scopes: str, who: str = "kim") -> str:
    made = await site.post(who, "/tokens", {"name": "t", "scopes": list(scopes), "days": 30}, status=201)
    site.values["temporary"] = made["value"]
    return str(made["id"])


async def test_me(site: Site) -> None:
    me = await site.get("kim", "/me")
    assert (me["username"], me["role"], me["unixUser"], me["slurmAccount"]) == ("kim", "researcher", "kim", "lab")
    assert me["scopes"] == ["download", "read", "submit"]


async def test_a_token_without_the_scope_is_told_which(site: Site, small: dict[str, Any]) -> None:
    await token(site, "read")
    assert (await site.get("temporary", "/me"))["scopes"] == ["read"]
    refused = await site.post("temporary", "/workloads", {"spec": small}, status=403)
    assert (refused["code"], "`submit`" in refused["detail"]) == ("scope_missing", True)
    wider = await site.post("temporary", "/tokens", {"name": "x", "scopes": ["submit"]}, status=403)
    assert wider["code"] == "scope_too_wide"


async def test_a_revoked_token_stops_at_once(site: Site) -> None:
    token_id = await token(site, "read")
    async with site.client("kim") as client:
        revoked = await client.delete(f"/api/v1/tokens/{token_id}")
        assert revoked.json()["revokedAt"]
    async with site.client("park") as client:
        assert (await client.delete(f"/api/v1/tokens/{token_id}")).status_code == 404
    async with site.client("temporary") as client:
        answer = await client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    listed = await site.get("kim", "/tokens")
    assert "value" not in json.dumps(listed)


async def test_other_schemes_and_broken_headers(site: Site) -> None:
    async with site.client() as client:
        for header in ("", "Basic abc", "Bearer", "Bearer  ", "one_x", "Bearer " + "x" * 5000):
            answer = await client.get("/api/v1/me", headers={"Authorization": header})
            assert (answer.status_code, answer.json()["code"][:6]) == (401, "token_"), header


async def test_the_role_decides_before_the_scope(site: Site, small: dict[str, Any]) -> None:
    refused = await site.post("viewer", "/workloads", {"spec": small}, status=403)
    assert refused["detail"] == "Not permitted. This needs the researcher role."


async def test_upload_show_and_versions(site: Site, small: dict[str, Any]) -> None:
    made = await site.post("kim", "/apps", small, status=201)
    assert (await site.post("kim", "/apps", small, status=201)) == made
    app = await site.get("viewer", f"/apps/{small['app_id']}")
    assert [version["version"] for version in app["versions"]] == ["1.0.0"]
    version = await site.get("viewer", f"/apps/{small['app_id']}/versions/1.0.0")
    assert version["spec"] == small
    await site.post("viewer", "/apps", small, status=403)
    copied = await site.post("park", "/apps?asNewApp=APP-COPY", small, status=201)
    assert copied["appId"] == "APP-COPY"
    bad = await site.post("park", "/apps?asNewApp=a/b", small, status=422)
    assert bad["problems"][0]["path"] == "$.app_id"


async def test_duplicate_keys_inside_a_spec_are_found_at_every_door(site: Site, small: dict[str, Any]) -> None:
    spec = json.dumps(small)[:-1] + ', "name": "again"}'
    async with site.client("kim", **{"Content-Type": "application/json"}) as client:
        checked = (await client.post("/api/v1/validate", content=spec)).json()
        assert [problem["code"] for problem in checked["problems"] if problem["severity"] == "error"] == [
            "duplicate_key"
        ]
        uploaded = await client.post("/api/v1/apps", content=spec)
        submitted = await client.post("/api/v1/workloads", content=f'{{"spec": {spec}}}')
    assert [answer.status_code for answer in (uploaded, submitted)] == [422, 422]
    assert submitted.json()["problems"][0]["path"] == "$.spec"
