"""SAML against a real Keycloak: the way in, and every assertion that must not lead in."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import update

from portal.auth.sso.saml import SamlProvider
from portal.db.engine import transaction
from portal.db.models import SsoFlow, now
from tests.keycloak.browser import Browser, Posted, posted
from tests.keycloak.conftest import Portal
from tests.keycloak.realm import ENTITY_ID

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.whole,
    pytest.mark.xdist_group("keycloak"),
    # pysaml2 leaves its temporary files to the garbage collector where it refuses an answer.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_in_with_the_groups_role(portal: Portal, browser: Browser) -> None:
    answer = await browser.by_saml("lead", goal="/apps")
    assert (answer.status_code, answer.headers["location"]) == (303, "/apps")
    user = await portal.user("lead")
    assert user is not None
    assert (user.role, user.display_name, user.email) == ("admin", "Lead", "lead@lab.example")
    assert (await browser.get("/")).status_code == 200
    (row,) = await portal.audit()
    assert row.after is not None
    assert row.after["by"] == "saml"


async def test_one_person_by_both_ways_is_one_account(portal: Portal, browser: Browser, other_browser: Browser) -> None:
    await browser.by_saml("twin")
    await other_browser.by_oidc("twin")
    (first, second) = await portal.sessions()
    assert first.user_id == second.user_id


async def test_a_session_by_saml_ends_within_the_hour_because_nobody_can_be_asked_again(
    portal: Portal, browser: Browser
) -> None:
    await browser.by_saml("kim")
    with time_machine.travel(now() + timedelta(minutes=portal.settings.sso.unconfirmed_session_min - 1)):
        assert (await browser.get("/")).status_code == 200
    with time_machine.travel(now() + timedelta(minutes=portal.settings.sso.unconfirmed_session_min, seconds=1)):
        assert (await browser.get("/")).status_code == 303


async def test_an_assertion_serves_once(portal: Portal, browser: Browser) -> None:
    form = await browser.assertion("kim")
    first = await browser.post(form)
    assert first.status_code == 303
    assert (await browser.post(form)).status_code == 403, "before the browser came for its session"
    flow = browser.portal.cookies["one_sso"]
    assert (await browser.get(first.headers["location"])).status_code == 303
    assert (await browser.post(form)).status_code == 403, "and after"
    browser.portal.cookies.set("one_sso", flow)
    assert (await browser.get(first.headers["location"])).status_code == 403
    assert len(await portal.sessions()) == 1


async def test_a_replayed_assertion_does_not_fit_another_sign_in(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    stolen = await browser.assertion("kim")
    own = await other_browser.assertion("lead")
    mixed = Posted(own.address, {**own.fields, "SAMLResponse": stolen.fields["SAMLResponse"]})
    await refused(portal, other_browser, mixed)


async def test_an_assertion_is_worth_nothing_in_another_browser(
    portal: Portal, browser: Browser, other_browser: Browser
) -> None:
    """Login CSRF too: who is made to post somebody's assertion gets no session from it."""
    answer = await browser.post(await browser.assertion("kim"))
    assert (await other_browser.get(answer.headers["location"])).status_code == 403
    await other_browser.get("/sso/saml/start")
    assert (await other_browser.get(answer.headers["location"])).status_code == 403
    assert await portal.sessions() == []
    assert (await browser.get(answer.headers["location"])).status_code == 303, "and it still serves whose it is"


@pytest.mark.parametrize("state", ["", "x", "가", "A" * 5000])
async def test_a_wrong_relay_state_is_refused(portal: Portal, browser: Browser, state: str) -> None:
    form = await browser.assertion("kim")
    await refused(portal, browser, Posted(form.address, {**form.fields, "RelayState": state}))


async def test_an_expired_assertion_is_refused(portal: Portal, browser: Browser) -> None:
    form = await browser.assertion("kim")
    with time_machine.travel(now() + timedelta(minutes=5)):
        await refused(portal, browser, form)


async def test_an_assertion_from_the_future_is_refused(portal: Portal, browser: Browser) -> None:
    form = await browser.assertion("kim")
    with time_machine.travel(now() - timedelta(minutes=5)):
        await refused(portal, browser, form)


async def test_an_assertion_for_another_audience_is_refused(portal: Portal, browser: Browser, keycloak: str) -> None:
    """Signed by the same Keycloak, sent to our address, in answer to our request's id: but made for another portal."""
    form = await assertion_for(portal, browser, "https://another.example/saml")
    await refused(portal, browser, form, why="udience")


async def test_without_the_change_the_same_way_leads_in(portal: Portal, browser: Browser) -> None:
    """The counter-proof of the test above."""
    assert (await browser.post(await assertion_for(portal, browser, ENTITY_ID))).status_code == 303


async def assertion_for(portal: Portal, browser: Browser, entity_id: str, realm: str = "one") -> Posted:
    """What Keycloak answers a portal of this name, with the flow of a browser that waits for it."""
    left = await browser.get("/sso/saml/start")
    state = re.search(r"RelayState=([^&]+)", left.headers["location"])
    assert state is not None
    own = portal.app.state.providers.saml
    asked = portal.settings.sso.saml
    assert asked is not None
    url = asked.metadata_url.replace("/realms/one/", f"/realms/{realm}/")
    other = SamlProvider(asked.model_copy(update={"metadata_url": url}), own._fetcher, entity_id, own._acs)
    place, request_id = await other.address(state.group(1))
    async with transaction(portal.world.maker) as session:
        await session.execute(update(SsoFlow).values(request_id=request_id))
    return posted(await browser.at_keycloak(place, "kim"))


async def test_an_answer_to_no_request_is_refused(portal: Portal, browser: Browser) -> None:
    form = await browser.assertion("kim")
    async with transaction(portal.world.maker) as session:
        await session.execute(update(SsoFlow).values(request_id="id-of-another-request"))
    await refused(portal, browser, form)


@pytest.mark.parametrize("how", ["no signature", "another name", "another audience", "no audience", "moved assertion"])
async def test_an_assertion_that_was_changed_is_refused(portal: Portal, browser: Browser, how: str) -> None:
    form = await browser.assertion("kim")
    xml = b64decode(form.fields["SAMLResponse"]).decode()
    if how == "no signature":
        changed = re.sub(r"<dsig:Signature.*?</dsig:Signature>", "", xml, flags=re.DOTALL)
    elif how == "another name":
        changed = xml.replace(">kim<", ">lead<")
    elif how == "another audience":
        changed = xml.replace(f"<saml:Audience>{ENTITY_ID}", "<saml:Audience>https://another.example/saml")
    elif how == "no audience":
        changed = re.sub(r"<saml:AudienceRestriction>.*?</saml:AudienceRestriction>", "", xml, flags=re.DOTALL)
    else:
        changed = wrapped(xml)
    assert changed != xml
    fields = {**form.fields, "SAMLResponse": b64encode(changed.encode()).decode()}
    await refused(portal, browser, replace(form, fields=fields))


def wrapped(xml: str) -> str:
    """Signature wrapping: a forged assertion first, the signed one hidden behind it, where a careless reader finds both."""
    found = re.search(r"<saml:Assertion .*?</saml:Assertion>", xml, flags=re.DOTALL)
    assert found is not None
    signed = found.group()
    forged = re.sub(r"<dsig:Signature.*?</dsig:Signature>", "", signed, flags=re.DOTALL)
    forged = re.sub(r'\bID="[^"]+"', 'ID="ID_forged"', forged).replace(">kim<", ">lead<")
    return xml.replace(signed, forged + signed)


async def test_an_assertion_of_another_issuer_is_refused(portal: Portal, browser: Browser, keycloak: str) -> None:
    """The other realm has the same clients and people, another name and other keys."""
    form = await assertion_for(portal, browser, ENTITY_ID, realm="other")
    await refused(portal, browser, form)
    xml = b64decode(form.fields["SAMLResponse"]).decode()
    renamed = xml.replace(f"{keycloak}/realms/other", f"{keycloak}/realms/one")
    fields = {**form.fields, "SAMLResponse": b64encode(renamed.encode()).decode()}
    await refused(portal, browser, replace(form, fields=fields), count=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        "PHg+",
        b64encode(b"<x/>").decode(),
        b64encode(b"\x00\xff").decode(),
        b64encode(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>').decode(),
        "A" * 400_000,
    ],
)
async def test_what_is_no_assertion_is_refused_and_breaks_nothing(portal: Portal, browser: Browser, text: str) -> None:
    form = await browser.assertion("kim")
    await refused(portal, browser, replace(form, fields={**form.fields, "SAMLResponse": text}))


async def test_the_portals_own_metadata_names_where_answers_go(portal: Portal, browser: Browser) -> None:
    answer = await browser.get("/sso/saml/metadata")
    assert answer.status_code == 200
    assert f'entityID="{ENTITY_ID}"' in answer.text
    assert 'WantAssertionsSigned="true"' in answer.text
    assert "/sso/saml/acs" in answer.text


async def refused(portal: Portal, browser: Browser, form: Posted, *, why: str = "", count: int = 1) -> None:
    """No session, a page that says so, and an audit row with the reason."""
    answer = await browser.post(form)
    assert answer.status_code == 403, answer.text
    assert "set-cookie" not in answer.headers
    assert await portal.sessions() == []
    rows = await portal.audit(result="refused")
    assert len(rows) == count
    assert rows[-1].after is not None
    assert why in rows[-1].after["why"]
