"""`one login` in the browser: shows a code, opens the page where its person says yes, waits for the token."""

from __future__ import annotations

import os
import platform
import secrets
import time
import webbrowser
from hashlib import sha256

from portal.cli.context import Cli
from portal.cli.credentials import Credentials
from portal.cli.exits import CliError, Exit
from portal.cli.output import print_note

_SECRET_BYTES = 32
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def token_from_browser(cli: Cli, url: str, *, open_browser: bool) -> str:
    """The token that the portal gives this terminal after a yes. Raises CliError (refused, or nobody answered in time).

    Only this process knows the secret whose hash begins the login, so only it can collect the token.
    """
    verifier = secrets.token_urlsafe(_SECRET_BYTES)
    with cli.api_as(Credentials(url, "")) as api:
        challenge = sha256(verifier.encode()).hexdigest()
        asked = api.post("/login", {"challenge": challenge, "host": platform.node()[:64]})
        address = url + asked["path"]
        print_note(cli.words("browser_login", address=address, code=asked["code"]))
        if open_browser and has_display():
            webbrowser.open(address)
        until = time.monotonic() + asked["expiresInS"]
        while time.monotonic() < until:
            answer = api.post("/login/token", {"verifier": verifier})
            if answer["status"] == "done":
                return str(answer["value"])
            time.sleep(asked["intervalS"])
    raise CliError(Exit.NOT_SIGNED_IN, cli.words("browser_login_over"))


def has_display() -> bool:
    """Whether a browser can be shown; on a login node the address is opened elsewhere."""
    return platform.system() != "Linux" or any(os.environ.get(name) for name in _DISPLAYS)
