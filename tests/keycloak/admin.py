"""Keycloak's own administrator, over its REST API: what happens to people and keys while they are signed in."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2

from tests.keycloak.realm import ADMIN_PASSWORD


class KeycloakAdmin:
    """One realm's administrator."""

    def __init__(
        self, base: str, realm: str = "one", password: str = ADMIN_PASSWORD, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._base, self._realm, self._password = base, realm, password
        self._client = httpx2.Client(timeout=60, verify=verify)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def user(self, username: str) -> dict[str, Any]:
        """The person as Keycloak shows it."""
        (found,) = self._ask("GET", f"/users?username={username}&exact=true").json()
        return dict(found)

    def add(self, username: str, password: str) -> None:
        """Somebody new, in no group."""
        name = {"firstName": username, "lastName": "New", "email": f"{username}@example.org", "emailVerified": True}
        known_by = {"type": "password", "value": password, "temporary": False}
        self._ask("POST", "/users", {"username": username, "enabled": True, **name, "credentials": [known_by]})

    def remove(self, username: str) -> None:
        self._ask("DELETE", f"/users/{self.user(username)['id']}")

    def enable(self, username: str, enabled: bool) -> None:
        user = self.user(username)
        self._ask("PUT", f"/users/{user['id']}", {**user, "enabled": enabled})

    def leave_groups(self, username: str) -> None:
        user_id = self.user(username)["id"]
        for group in self._ask("GET", f"/users/{user_id}/groups").json():
            self._ask("DELETE", f"/users/{user_id}/groups/{group['id']}")

    def join(self, username: str, group: str) -> None:
        user_id = self.user(username)["id"]
        (found,) = self._ask("GET", f"/groups?search={group}&exact=true").json()
        self._ask("PUT", f"/users/{user_id}/groups/{found['id']}")

    def sign_out(self, username: str) -> None:
        """End all of the person's sessions."""
        self._ask("POST", f"/users/{self.user(username)['id']}/logout")

    def new_key(self) -> str:
        """From now on Keycloak signs with a key of its own making; the id of the component, to take it away again."""
        config = {"priority": ["300"], "algorithm": ["RS256"], "keySize": ["2048"]}
        component = {
            "name": "rotated",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": config,
        }
        answer = self._ask("POST", "/components", component)
        return str(answer.headers["location"]).rsplit("/", 1)[1]

    def drop_key(self, component: str) -> None:
        self._ask("DELETE", f"/components/{component}")

    def _ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        asked = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": "root",
            "password": self._password,
        }
        answer = self._client.post(f"{self._base}/realms/master/protocol/openid-connect/token", data=asked)
        headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        found = self._client.request(
            method, f"{self._base}/admin/realms/{self._realm}{path}", json=body, headers=headers
        )
        return found.raise_for_status()
