"""Logins for registries: read from a Docker config.json, shown to the registry that asks, never printed."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from containers.errors import ContainersError

CREDENTIAL_NAME = "registry.json"  # file in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= puts it
DOCKER_HUB_KEY = "https://index.docker.io/v1/"  # what `docker login` writes for docker.io
_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password that `repr` does not show."""

    user: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for: `basic`, or `bearer` with a token of `realm` for `service`."""

    scheme: str
    realm: str
    service: str


def credentials_file() -> Path | None:
    """The Docker config.json that systemd handed over, or None."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory, CREDENTIAL_NAME) if directory else None
    return path if path and path.is_file() else None


def find_login(path: Path | None, registry: str) -> Login | None:
    """The login for `registry` in `{"auths": {"registry.avatar.io": {"auth": base64("user:password")}}}`.

    Raises ContainersError (with the file's name and nothing of its content) when the file cannot be read.
    """
    if path is None:
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8")).get("auths", {})
        key = DOCKER_HUB_KEY if registry == "docker.io" else registry
        entry = entries.get(key) or entries.get(f"https://{key}")
        if not entry:
            return None
        user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (OSError, ValueError, AttributeError, TypeError, KeyError, binascii.Error):
        raise ContainersError(f"{path} is not a readable Docker config.json with an `auths` table") from None
    return Login(user, password)


def challenge(header: str) -> Challenge | None:
    """Read `Bearer realm="https://auth.example/token",service="registry",scope="..."`; None for other schemes.

    Source: https://distribution.github.io/distribution/spec/auth/token/
    """
    scheme, _, rest = header.partition(" ")
    values = dict(_PARAMETER.findall(rest))
    if scheme.lower() == "basic":
        return Challenge("basic", values.get("realm", ""), "")
    if scheme.lower() == "bearer" and "realm" in values:
        return Challenge("bearer", values["realm"], values.get("service", ""))
    return None
