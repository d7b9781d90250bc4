"""The portal's address and the token of `one login`: one file that only its owner reads, or two variables."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from portal.cli.exits import CliError, Exit
from portal.cli.words import Words

URL_VARIABLE = "ONE_URL"
TOKEN_VARIABLE = "ONE_TOKEN"


@dataclass(frozen=True)
class Credentials:
    """Where the portal is and who asks."""

    url: str
    token: str


def credentials_path() -> Path:
    """`$XDG_CONFIG_HOME/one/credentials.json` or what the platform has for it."""
    from platformdirs import user_config_path

    return user_config_path("one") / "credentials.json"


def find(words: Words) -> Credentials | None:
    """ONE_URL and ONE_TOKEN, each before the stored one; None when one of both is missing.

    Raises CliError when the stored file can be read by others or is broken.
    """
    url, token = os.environ.get(URL_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, "")
    if not (url and token):
        stored = _read(credentials_path(), words)
        url, token = url or (stored.url if stored else ""), token or (stored.token if stored else "")
    return Credentials(url, token) if url and token else None


def stored_url() -> str:
    """The address used last, "" without one: a new login need not repeat it."""
    try:
        return str(json.loads(credentials_path().read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def store(credentials: Credentials) -> Path:
    """Write the file with mode 0600, whole or not at all."""
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": credentials.url, "token": credentials.token}, file)
    temporary.replace(path)
    return path


def forget() -> None:
    """Remove the file; none is fine."""
    credentials_path().unlink(missing_ok=True)


def _read(path: Path, words: Words) -> Credentials | None:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise CliError(Exit.NOT_SIGNED_IN, words("open_credentials", path=path))
        document = json.loads(path.read_text())
        return Credentials(str(document["url"]), str(document["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CliError(Exit.NOT_SIGNED_IN, words("unreadable_file", path=path, why=error)) from error
