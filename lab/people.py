"""The lab's portal users and their API tokens: made where they are missing, kept in `.lab/tokens/NAME` (0600)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import httpx2

from lab.hosts import STATE, LabTrouble, on, portal_url, until

TOKENS = STATE / "tokens"
TOKEN_NAME = "lab"
ANSWER_TIMEOUT_S = 10.0
PORTAL_UP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Person:
    """A portal user; `unix_user` is None for those who submit nothing."""

    username: str
    role: str
    display_name: str
    unix_user: str | None = None


PEOPLE = (
    Person("admin", "admin", "관리자"),
    Person("kim", "researcher", "김연구원", "kim"),
    Person("park", "researcher", "박연구원", "park"),
    Person("lee", "researcher", "이연구원", "lee"),
    Person("choi", "researcher", "최연구원", "choi"),
    Person("jung", "researcher", "정연구원", "jung"),
    Person("viewer", "viewer", "뷰어"),
)
SLURM_ACCOUNT = "lab"


def ensure_people() -> None:
    """Make the users that the portal does not know yet, and map those that are mapped otherwise. Raises LabTrouble."""
    users = json.loads(on("svc", "portal-admin", "user", "list", "-o", "json"))["items"]
    known = {user["username"]: user["unixUser"] for user in users}
    for person in PEOPLE:
        mapping = ("--unix-user", person.unix_user, "--slurm-account", SLURM_ACCOUNT) if person.unix_user else ()
        if person.username not in known:
            who = (person.username, "--role", person.role, "--name", person.display_name)
            on("svc", "portal-admin", "user", "add", *who, *mapping)
        elif known[person.username] != person.unix_user:
            on("svc", "portal-admin", "map", person.username, *(mapping or ("--none",)))


def token(username: str) -> str:
    """This user's token: the kept one while the portal takes it, else a new one. Raises LabTrouble."""
    path = TOKENS / username
    kept = path.read_text().strip() if path.exists() else ""
    if kept and _accepted(kept):
        return kept
    ensure_people()
    made = on("svc", "portal-admin", "token", "make", username, "--name", TOKEN_NAME).strip()
    _keep(path, made)
    return made


def _accepted(value: str) -> bool:
    """Whether the portal knows the token; a portal that just starts is waited for."""
    status = until("an answer of the portal", lambda: _status(value), timeout_s=PORTAL_UP_TIMEOUT_S)
    if status not in (httpx2.codes.OK, httpx2.codes.UNAUTHORIZED):
        raise LabTrouble(f"{portal_url()}/api/v1/me answers {status}")
    return status == httpx2.codes.OK


def _status(value: str) -> int | None:
    try:
        headers = {"Authorization": f"Bearer {value}"}
        return httpx2.get(f"{portal_url()}/api/v1/me", headers=headers, timeout=ANSWER_TIMEOUT_S).status_code
    except httpx2.TransportError:
        return None


def _keep(path: Path, value: str) -> None:
    """Write the token so that nobody else can read it, whole or not at all."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(value + "\n")
    temporary.replace(path)
