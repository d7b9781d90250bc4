"""OpenID Connect against a real Keycloak: the way in and out, and every way that must not lead in."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import update

from portal.auth.sso.keys import REFETCH_S
from portal.db.engine import transaction
from portal.db.models import Identity, now
from portal.services import accounts, tokens
from portal.services.tokens import Scope
from tests.daemon.world import ADMIN_TOOL
from tests.keycloak.admin import KeycloakAdmin
from tests.keycloak.browser import Browser
from tests.keycloak.conftest import Portal
from tests.keycloak.realm import PASSWORD, PORTAL, SECRET, pem
from tests.web.test_signin import token_in

pytestmark = [pytest.mark.anyio, pytest.mark.whole, pytest.mark.xdist_group("keycloak")]


async def test_in_with_the_groups_role_and_mapping_and_out_at_both(portal: Portal, browser: Browser) -> None:
    answer = await browser.by_oidc("lead", goal="/apps")
    assert (answer.status_code, answer.headers["location"]) == (303, "/apps")
    assert "one_sso=" in answer.headers["set-cookie"]
    user = await portal.user("lead")
    assert user is not None
    assert (user.role, user.email, user.unix_user) == ("admin", "lead@lab.example", None)
    home = await browser.get("/")
    assert home.status_code == 200

    out = await browser.portal.post("/logout", data={"form_token": token_in(home)})
    assert await portal.sessions() == []
    place = out.text.split('content="0; url=')[1].split('"')[0].replace("&amp;", "&")
    assert "/protocol/openid-connect/logout?" in place
    gone = await browser.keycloak.get(place)
    assert (gone.status_code, gone.headers["location"]) == (302, f"{PORTAL}/login")
    left = await browser.get("/sso/oidc/start")
    asked = await browser.keycloak.get(left.headers["location"])
    assert "kc-form-login" in asked.text, "signed out at Keycloak too: it asks for the password again"


async def test_the_first_sign_in_makes_a_viewer_who_is_told_whom_to_ask(portal: Portal, browser: Browser) -> None:
    await browser.by_oidc("guest")
    user = await portal.user("guest")
    assert user is not None
    assert (user.role, user.unix_user, user.slurm_account) == ("viewer", None, None)
    home = (await browser.get("/")).text
    assert "역할 배정을 기다리고 있습니다" in home
    assert "hpc@lab.example" in home
    assert (await browser.get("/trainer")).status_code == 403
    made = (await portal.audit("user.create"))[-1]
    assert (made.actor, made.object_id) == ("sso-oidc", "guest")


async def test_an_account_without_password_is_linked_and_one_with_a_password_never(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    before = await portal.user("kim")
    await browser.by_oidc("kim")
    after = await portal.user("kim")
    assert before is not None
    assert after is not None
    assert (before.id, before.unix_user) == (after.id, after.unix_user), "a mapping made by hand stays"
    assert [row.object_id for row in await portal.audit("user.link")] == ["kim"]


async def test_a_code_is_worth_nothing_in_another_browser(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    stolen = await browser.code("kim")
    await other_browser.get("/sso/oidc/start")
    answer = await other_browser.get(stolen)
    assert answer.status_code == 403
    assert await portal.sessions() == []
    (row,) = await portal.audit(result="refused")
    assert row.after == {"why": "sso_not_begun_here", "by": "oidc"}
    assert (await browser.get(stolen)).status_code == 303, "and it still serves whose it is"


async def test_a_code_serves_once(portal: Portal, browser: Browser) -> None:
    address = await browser.code("kim")
    flow = browser.portal.cookies["one_sso"]
    assert (await browser.get(address)).status_code == 303
    browser.portal.cookies.set("one_sso", flow)
    assert (await browser.get(address)).status_code == 403
    assert len(await portal.sessions()) == 1


async def test_a_stolen_code_with_the_state_of_the_thief_fails_at_pkce(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    stolen = httpx2.URL(await browser.code("kim")).params["code"]
    own = httpx2.URL(await other_browser.code("lead"))
    answer = await other_browser.get(str(own.copy_set_param("code", stolen)))
    assert answer.status_code == 403
    assert await portal.sessions() == []
    (row,) = await portal.audit(result="refused")
    assert row.after is not None
    assert row.after["why"] == "token endpoint: invalid_grant"


async def test_nobody_is_signed_in_as_another_by_a_link(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    """Login CSRF: the attacker sends his own answer to a victim who began nothing, or something else."""
    attackers = await browser.code("lead")
    assert (await other_browser.get(attackers)).status_code == 403
    assert "one_session" not in other_browser.portal.cookies
    await other_browser.get("/sso/oidc/start")
    assert (await other_browser.get(attackers)).status_code == 403
    assert await portal.sessions() == []


async def test_a_wrong_state_is_refused(portal: Portal, browser: Browser) -> None:
    address = httpx2.URL(await browser.code("kim"))
    for state in ("", "x", "가", address.params["state"][:-1]):
        assert (await browser.get(str(address.copy_set_param("state", state)))).status_code == 403
    assert await portal.sessions() == []


async def test_a_session_planted_before_is_not_the_one_after(portal: Portal, browser: Browser) -> None:
    browser.portal.cookies.set("one_session", "planted-by-somebody")
    browser.portal.cookies.set("one_visit", "planted-too")
    answer = await browser.by_oidc("kim")
    cookies = answer.headers.get_list("set-cookie")
    assert any(cookie.startswith("one_session=") and "planted" not in cookie for cookie in cookies)
    browser.portal.cookies.clear()
    browser.portal.cookies.set("one_session", "planted-by-somebody")
    assert (await browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "goal", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%0d%0ax", "javascript:0"]
)
async def test_a_sign_in_leads_to_no_other_site(portal: Portal, browser: Browser, goal: str) -> None:
    left = await browser.portal.get("/sso/oidc/start", params={"next": goal})
    back = await browser.at_keycloak(left.headers["location"], "kim")
    answer = await browser.get(back.headers["location"])
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "\n" not in location


async def test_a_person_deactivated_here_gets_no_session(portal: Portal, browser: Browser) -> None:
    await browser.by_oidc("kim")
    async with transaction(portal.world.maker) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "kim")
    assert await portal.sessions() == []
    answer = await browser.by_oidc("kim")
    assert answer.status_code == 403
    assert "This account is deactivated" in answer.text or "비활성화된 계정" in answer.text
    (row,) = await portal.audit(result="refused")
    assert (row.object_id, row.after) == ("kim", {"why": "deactivated", "by": "oidc"})


async def test_a_person_deactivated_at_keycloak_is_out_within_the_recheck(
    portal: Portal, browser: Browser, at_keycloak: KeycloakAdmin
) -> None:
    await browser.by_oidc("gone")
    at_keycloak.enable("gone", False)
    try:
        assert (await browser.get("/")).status_code == 200, "the session is believed for recheck_min"
        with time_machine.travel(now() + timedelta(minutes=portal.settings.sso.recheck_min, seconds=1)):
            assert (await browser.get("/")).status_code == 303
        assert await portal.sessions() == []
        (row,) = await portal.audit("session.end")
        assert (row.object_id, row.after) == ("gone", {"sessions": 1, "why": "token endpoint: invalid_grant"})
        back = await browser.at_keycloak((await browser.get("/sso/oidc/start")).headers["location"], "gone")
        assert not back.is_redirect, "and Keycloak lets nobody in"
    finally:
        at_keycloak.enable("gone", True)


async def test_groups_that_change_at_keycloak_change_the_role_at_the_recheck(
    portal: Portal, browser: Browser, at_keycloak: KeycloakAdmin
) -> None:
    await browser.by_oidc("twin")
    twin = await portal.user("twin")
    assert twin is not None
    assert (twin.role, twin.unix_user, twin.slurm_account) == ("researcher", "u-twin", "lab")
    at_keycloak.leave_groups("twin")
    try:
        with time_machine.travel(now() + timedelta(minutes=portal.settings.sso.recheck_min, seconds=1)):
            assert (await browser.get("/")).status_code == 200
        twin = await portal.user("twin")
        assert twin is not None
        assert (twin.role, twin.unix_user, twin.slurm_account) == ("viewer", None, None)
        assert (await browser.get("/trainer")).status_code == 403
    finally:
        at_keycloak.join("twin", "hpc-researchers")


async def test_a_session_outlives_a_provider_that_is_down_for_the_grace_only(portal: Portal, browser: Browser) -> None:
    await browser.by_oidc("kim")
    portal.way.cut = True
    sso = portal.settings.sso
    begun = now()
    with time_machine.travel(begun + timedelta(minutes=sso.recheck_min + 1)):
        assert (await browser.get("/")).status_code == 200
    with time_machine.travel(begun + timedelta(minutes=sso.recheck_min + sso.recheck_grace_min + 2)):
        assert (await browser.get("/")).status_code == 303
    assert await portal.sessions() == []


async def test_while_the_provider_is_down_its_button_says_so_and_local_accounts_sign_in(
    portal: Portal, browser: Browser
) -> None:
    portal.way.cut = True
    page = await browser.get("/login")
    assert page.text.count("연결할 수 없음") == 2
    assert 'name="password"' in page.text
    answer = await browser.get("/sso/oidc/start")
    assert answer.status_code == 503


async def test_signed_out_at_keycloak_is_signed_out_here_by_the_back_channel(
    portal: Portal, browser: Browser, keycloak: str
) -> None:
    await browser.by_oidc("kim")
    (session,) = await portal.sessions()
    claims = {
        "iss": f"{keycloak}/realms/one",
        "aud": "one",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "jti": "1",
        "sid": session.provider_sid,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }
    wrong: dict[str, Any]
    for wrong in ({"aud": "another"}, {"iss": "https://evil.example"}, {"events": {}}, {"nonce": "x"}, {"exp": 1}):
        answer = await browser.portal.post(
            "/sso/oidc/backchannel", data={"logout_token": await signed(keycloak, {**claims, **wrong})}
        )
        assert answer.status_code == 400
    assert (await browser.get("/")).status_code == 200
    answer = await browser.portal.post("/sso/oidc/backchannel", data={"logout_token": await signed(keycloak, claims)})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (await browser.get("/")).status_code == 303


async def kid_of(keycloak: str, key: RSAKey) -> str:
    """The id under which Keycloak shows this key."""
    async with httpx2.AsyncClient() as client:
        shown = (await client.get(f"{keycloak}/realms/one/protocol/openid-connect/certs")).json()["keys"]
    return str(next(one["kid"] for one in shown if one["n"] == key.as_dict(private=False)["n"]))


async def signed(keycloak: str, claims: dict[str, Any], key: RSAKey | None = None, **header: str) -> str:
    """Signed with the very key that Keycloak signs with, unless told otherwise."""
    own = RSAKey.import_key(pem())
    heads = {"alg": "RS256", "kid": await kid_of(keycloak, own), **header}
    return jwt.encode(heads, claims, key or own)


async def claims_for(keycloak: str, browser: Browser) -> tuple[str, dict[str, Any]]:
    """An answer of Keycloak that waits to be exchanged, and the claims that its ID token will have."""
    left = await browser.get("/sso/oidc/start")
    nonce = httpx2.URL(left.headers["location"]).params["nonce"]
    address = (await browser.at_keycloak(left.headers["location"], "kim")).headers["location"]
    moment = int(time.time())
    return address, {
        "iss": f"{keycloak}/realms/one",
        "aud": "one",
        "azp": "one",
        "sub": "somebody",
        "iat": moment,
        "exp": moment + 300,
        "nonce": nonce,
        "preferred_username": "kim",
    }


async def test_a_forged_token_that_is_right_in_all_things_is_believed(
    portal: Portal, browser: Browser, keycloak: str
) -> None:
    """The counter-proof: what the next tests change is what they are refused for."""
    address, claims = await claims_for(keycloak, browser)
    portal.way.id_token = await signed(keycloak, claims)
    assert (await browser.get(address)).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"aud": "another", "azp": "another"}, "aud"),
        ({"aud": ["one", "another"], "azp": "another"}, "azp"),
        ({"iss": "https://evil.example/realms/one"}, "iss"),
        ({"nonce": "of-another-sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"iat": 32_503_680_000}, "issued in the future"),
        ({"exp": "soon"}, "exp"),
        ({"sub": None}, "sub"),
    ],
)
async def test_a_token_with_keycloaks_key_and_a_wrong_claim_is_refused(
    portal: Portal, browser: Browser, keycloak: str, wrong: dict[str, Any], why: str
) -> None:
    address, claims = await claims_for(keycloak, browser)
    changed = {name: value for name, value in {**claims, **wrong}.items() if value is not None}
    portal.way.id_token = await signed(keycloak, changed)
    assert (await browser.get(address)).status_code == 403
    assert await portal.sessions() == []
    (row,) = await portal.audit(result="refused")
    assert row.after is not None
    assert why in row.after["why"]


@pytest.mark.parametrize("how", ["another key", "client secret", "none", "tampered", "other realm", "unknown kid"])
async def test_a_token_that_keycloaks_key_did_not_sign_is_refused(
    portal: Portal, browser: Browser, keycloak: str, how: str
) -> None:
    address, claims = await claims_for(keycloak, browser)
    right = await signed(keycloak, claims)
    kid = await kid_of(keycloak, RSAKey.import_key(pem()))
    if how == "another key":
        token = await signed(keycloak, claims, RSAKey.generate_key(2048))
    elif how == "client secret":
        token = jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(SECRET))
    elif how == "none":
        head = jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(SECRET)).split(".")
        token = f"eyJhbGciOiJub25lIiwia2lkIjoieCJ9.{head[1]}."
    elif how == "tampered":
        first, _, last = right.split(".")
        token = ".".join(
            (first, (await signed(keycloak, {**claims, "preferred_username": "lead"})).split(".")[1], last)
        )
    elif how == "other realm":
        token = await token_of(keycloak, "other", "one")
    else:
        token = await signed(keycloak, claims, kid="nobody-knows")
    portal.way.id_token = token
    assert (await browser.get(address)).status_code == 403
    assert await portal.sessions() == []


async def test_a_real_token_for_another_client_is_refused(portal: Portal, browser: Browser, keycloak: str) -> None:
    address, _ = await claims_for(keycloak, browser)
    portal.way.id_token = await token_of(keycloak, "one", "another")
    assert (await browser.get(address)).status_code == 403
    (row,) = await portal.audit(result="refused")
    assert row.after is not None
    assert "aud" in row.after["why"]


async def token_of(keycloak: str, realm: str, client_id: str) -> str:
    """An ID token that Keycloak itself made for this client."""
    asked = {
        "grant_type": "password",
        "client_id": client_id,
        "client_secret": SECRET,
        "username": "kim",
        "password": PASSWORD,
        "scope": "openid",
    }
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{keycloak}/realms/{realm}/protocol/openid-connect/token", data=asked)
    return str(answer.raise_for_status().json()["id_token"])


async def test_a_new_key_of_keycloak_is_fetched_and_not_in_a_storm(
    portal: Portal, browser: Browser, other_browser: Browser, at_keycloak: KeycloakAdmin
) -> None:
    await browser.by_oidc("kim")
    component = at_keycloak.new_key()
    try:
        assert (await other_browser.by_oidc("lead")).status_code == 403, "fetched a moment ago: no storm"
        assert fetched(portal) == 1
        portal.clock.ahead_s += REFETCH_S
        assert (await other_browser.by_oidc("lead")).status_code == 303
        assert fetched(portal) == 2
    finally:
        at_keycloak.drop_key(component)


def fetched(portal: Portal) -> int:
    """How often the portal asked for Keycloak's keys."""
    return portal.way.asked.count("/realms/one/protocol/openid-connect/certs")


async def test_api_tokens_of_a_person_whom_the_provider_does_not_confirm_any_more_rest(
    portal: Portal, browser: Browser
) -> None:
    await browser.by_oidc("twin")
    async with transaction(portal.world.maker) as session:
        _, value = await tokens.make_token(session, ADMIN_TOOL, "twin", name="t", scopes=[Scope.READ], days=90)
    headers = {"Authorization": f"Bearer {value}"}
    assert (await browser.portal.get("/api/v1/me", headers=headers)).status_code == 200
    with time_machine.travel(now() + timedelta(days=portal.settings.sso.token_days, minutes=1)):
        answer = await browser.portal.get("/api/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_unconfirmed")
    async with transaction(portal.world.maker) as session:
        await session.execute(update(Identity).values(trusted_until=now() - timedelta(minutes=1)))
    assert (await browser.portal.get("/api/v1/me", headers=headers)).status_code == 401
    await browser.by_oidc("twin")
    assert (await browser.portal.get("/api/v1/me", headers=headers)).status_code == 200
