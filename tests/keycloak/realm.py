"""The realm of the tests: people and groups, an OpenID Connect client and a SAML client for the portal, and another of each."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PORTAL = "http://localhost:8000"
ADMIN_PASSWORD = "only-on-loopback-1"
PASSWORD = "correct-horse-1"
SECRET = "the-secret-of-the-client-1"
ENTITY_ID = f"{PORTAL}/sso/saml/metadata"
PEOPLE = {"kim": "hpc-researchers", "lead": "hpc-admins", "guest": "", "twin": "hpc-researchers", "gone": ""}


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """The key that Keycloak signs with; the tests hold it too, so that they can sign what Keycloak never would."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    return signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def realm(name: str) -> dict[str, Any]:
    """What Keycloak imports; the realm `other` has the same people and clients, and keys of its own."""
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "groups": [{"name": "hpc-admins"}, {"name": "hpc-researchers"}],
        "users": [_user(username, group) for username, group in PEOPLE.items()],
        "clients": [_oidc("one"), _oidc("another"), _saml(ENTITY_ID), _saml("https://another.example/saml")],
        **({"components": {"org.keycloak.keys.KeyProvider": [_key()]}} if name == "one" else {}),
    }


def _key() -> dict[str, Any]:
    config = {"priority": ["200"], "algorithm": ["RS256"], "privateKey": [pem()]}
    return {"name": "known to the tests", "providerId": "rsa", "config": config}


def _user(username: str, group: str) -> dict[str, Any]:
    return {
        "username": username,
        "enabled": True,
        "email": f"{username}@lab.example",
        "emailVerified": True,
        "firstName": username.capitalize(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        "groups": [f"/{group}"] if group else [],
    }


def _oidc(client_id: str) -> dict[str, Any]:
    groups = {"full.path": "false", "claim.name": "groups", "id.token.claim": "true", "access.token.claim": "true"}
    return {
        "clientId": client_id,
        "protocol": "openid-connect",
        "publicClient": False,
        "secret": SECRET,
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": True,
        "redirectUris": [f"{PORTAL}/sso/oidc/callback"],
        "attributes": {"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": f"{PORTAL}/login"},
        "protocolMappers": [
            {
                "name": "groups",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-group-membership-mapper",
                "config": groups,
            }
        ],
    }


def _saml(entity_id: str) -> dict[str, Any]:
    return {
        "clientId": entity_id,
        "protocol": "saml",
        "redirectUris": [f"{PORTAL}/sso/saml/acs"],
        "frontchannelLogout": True,
        "attributes": {
            "saml.assertion.signature": "true",
            "saml.server.signature": "false",
            "saml.client.signature": "false",
            "saml.authnstatement": "true",
            "saml.force.post.binding": "true",
            "saml_name_id_format": "persistent",
            "saml_force_name_id_format": "true",
            "saml.signature.algorithm": "RSA_SHA256",
            "saml.assertion.lifespan": "60",
            "saml_assertion_consumer_url_post": f"{PORTAL}/sso/saml/acs",
        },
        "protocolMappers": [
            _attribute("username", "username", "saml-user-property-mapper"),
            _attribute("email", "email", "saml-user-property-mapper"),
            _attribute("name", "firstName", "saml-user-property-mapper"),
            {
                "name": "groups",
                "protocol": "saml",
                "protocolMapper": "saml-group-membership-mapper",
                "config": {
                    "attribute.name": "groups",
                    "attribute.nameformat": "Basic",
                    "full.path": "false",
                    "single": "true",
                },
            },
        ],
    }


def _attribute(name: str, source: str, mapper: str) -> dict[str, Any]:
    config = {"attribute.name": name, "attribute.nameformat": "Basic", "user.attribute": source}
    return {"name": name, "protocol": "saml", "protocolMapper": mapper, "config": config}
