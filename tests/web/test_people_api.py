"""User administration and the audit log for programs: the same rules as the pages."""

from __future__ import annotations

from tests.web.conftest import Site

NEW = {"username": "choi", "displayName": "최연구원", "role": "researcher", "unixUser": "choi", "slurmAccount": "lab"}


async def test_a_person_from_the_first_day_to_the_last(site: Site) -> None:
    made = await site.post("admin", "/users", NEW, status=201)
    assert (made["mapping"], len(made["password"])) == ("unchecked", 17)
    async with site.client("admin") as client:
        changed = (
            await client.patch("/api/v1/users/choi", json={"role": "viewer", "unixUser": None, "slurmAccount": None})
        ).json()
        assert (changed["role"], changed["unixUser"], changed["displayName"]) == ("viewer", None, "최연구원")
        half = await client.patch("/api/v1/users/choi", json={"unixUser": "choi"})
        assert (half.status_code, half.json()["code"]) == (422, "mapping_incomplete")
        last = await client.post("/api/v1/users/admin/deactivate", json={})
        assert (last.status_code, last.json()["code"]) == (409, "own_account")
    gone = await site.post("admin", "/users/choi/deactivate", {"cancelWaiting": True})
    assert (gone["active"], gone["cancelled"]) == (False, 0)
    listed = await site.get("admin", "/users", status="deactivated")
    assert [person["username"] for person in listed["items"]] == ["choi"]
    assert (await site.post("admin", "/users/choi/reactivate"))["active"]
    assert (await site.get("admin", "/users/choi"))["sessions"] == 0
    assert (await site.post("admin", "/users/kim/mapping-check", status=202))["mapping"] == "unchecked"
    again = await site.post("admin", "/users", NEW, status=409)
    assert again["code"] == "user_exists"
    log = await site.get("admin", "/audit", object="user:choi")
    assert [row["action"] for row in log["items"]] == [
        "user.reactivate",
        "user.deactivate",
        "user.change",
        "user.change",
        "password.hand_out",
        "user.create",
    ]
    assert "password" not in str([row["after"] for row in log["items"]])


async def test_only_admins_with_the_scope(site: Site) -> None:
    for who in ("kim", "viewer"):
        refused = await site.post(who, "/users", NEW, status=403)
        assert refused["detail"] == "Not permitted. This needs the admin role."
    made = await site.post("admin", "/tokens", {"name": "r", "scopes": ["read"], "days": 1}, status=201)
    site.values["reading"] = made["value"]
    assert (await site.post("reading", "/users", NEW, status=403))["code"] == "scope_missing"
