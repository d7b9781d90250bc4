"""The administrator of the lab's Keycloak."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from lab.hosts import CA_FILE, address, secret
from tests.keycloak.admin import KeycloakAdmin

PORT = 8443


@contextmanager
def keycloak_admin() -> Iterator[KeycloakAdmin]:
    """Over TLS, trusting the lab's own authority."""
    trust = ssl.create_default_context(cafile=str(CA_FILE))
    made = KeycloakAdmin(f"https://{address('svc')}:{PORT}", "lab", secret("keycloak_admin"), trust)
    try:
        yield made
    finally:
        made.close()
