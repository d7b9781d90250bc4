"""Sign-in on the lab through the real Keycloak's own form, by OpenID Connect and by SAML; who is new waits; who left is out."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from html import unescape

import httpx2
import pytest

from lab.hosts import CA_FILE, PORTAL_PORT, address, on, secret
from tests.lab.keycloak import keycloak_admin

pytestmark = [pytest.mark.lab, pytest.mark.beside]
FORM = re.compile(r'<form[^>]*\baction="([^"]+)"', re.IGNORECASE)
HIDDEN = re.compile(r'<input[^>]*\bname="(\w+)"[^>]*\bvalue="([^"]*)"', re.IGNORECASE)
TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


@pytest.fixture
def browser() -> Iterator[httpx2.Client]:
    """Follows links as a browser does, and trusts the lab's authority."""
    trust = ssl.create_default_context(cafile=str(CA_FILE))
    base = f"http://{address('svc')}:{PORTAL_PORT}"
    with httpx2.Client(base_url=base, verify=trust, follow_redirects=True, timeout=30) as client:
        yield client


def sign_in(browser: httpx2.Client, username: str, kind: str) -> httpx2.Response:
    """From the portal's button through Keycloak's form to where it leads."""
    page = browser.get("/login")
    assert f"/sso/{kind}/start" in page.text, "the provider answers, so its button is a link"
    form = browser.get(f"/sso/{kind}/start", params={"next": "/account"})
    assert "kc-form-login" in form.text, form.text
    fields = {"username": username, "password": secret("keycloak_people")}
    answer = browser.post(unescape(_found(FORM, form)), data=fields)
    if kind == "saml":
        posted = {name: unescape(value) for name, value in HIDDEN.findall(answer.text)}
        answer = browser.post(unescape(_found(FORM, answer)), data=posted)
    return answer


def _found(pattern: re.Pattern[str], page: httpx2.Response) -> str:
    found = pattern.search(page.text)
    assert found is not None, page.text
    return found.group(1)


@pytest.mark.parametrize("kind", ["oidc", "saml"])
def test_kim_signs_in_and_is_the_kim_whom_ansible_made(browser: httpx2.Client, kind: str) -> None:
    page = sign_in(browser, "kim", kind)
    assert (page.status_code, page.url.path) == (200, "/account")
    assert "김연구원" in page.text
    assert "SSO" in page.text


def test_the_admin_signs_in_and_out_at_both(browser: httpx2.Client) -> None:
    sign_in(browser, "admin", "oidc")
    users = browser.get("/admin/users")
    assert users.status_code == 200
    out = browser.post("/logout", data={"form_token": _found(TOKEN, users)})
    place = re.search(r'content="0; url=([^"]+)"', out.text)
    assert place is not None, out.text
    assert browser.get(unescape(place.group(1))).url.path == "/login"
    assert browser.get("/admin/users").url.path == "/login"
    assert "kc-form-login" in browser.get("/sso/oidc/start").text, "Keycloak asks for the password again"


def test_somebody_new_waits_for_a_role_and_an_admin_sees_it(browser: httpx2.Client) -> None:
    sign_in(browser, "newcomer", "oidc")
    home = browser.get("/").text
    assert "역할 배정을 기다리고 있습니다" in home
    assert "HPC 관리자" in home
    assert browser.get("/trainer").status_code == 403
    browser.cookies.clear()
    sign_in(browser, "admin", "saml")
    assert "newcomer" in browser.get("/admin/users", params={"status": "waiting"}).text


def test_signed_out_by_keycloaks_admin_is_signed_out_here_at_once(browser: httpx2.Client) -> None:
    """Back-channel logout, from Keycloak's process to the portal's."""
    sign_in(browser, "park", "oidc")
    assert browser.get("/account").url.path == "/account"
    with keycloak_admin() as keycloak:
        keycloak.sign_out("park")
    assert browser.get("/account").url.path == "/login"


def test_the_clients_secret_is_in_no_file_that_the_web_process_owns() -> None:
    value = secret("oidc_client")
    assert value not in on("svc", "cat", "/etc/one/portal.toml")
    shown = on("svc", "stat", "--format=%U %a", "/etc/one/credentials/oidc_client_secret")
    assert shown.strip() == "root 600"
