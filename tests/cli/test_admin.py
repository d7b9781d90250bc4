"""`portal-admin` on an empty database: migrate, people, mapping, tokens; every change audited."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from portal.cli.admin import app
from portal.settings import load_settings


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ONE_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("ONE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/admin.db")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code == code, (args, result.stdout, result.stderr, result.exception)
    return result


def test_before_the_first_migration(tmp_path: Path) -> None:
    assert run("revision").stdout == "none\n"
    told = run("user", "list", code=8)
    assert "portal-admin migrate" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_house_from_nothing(tmp_path: Path) -> None:
    first = run("migrate").stdout
    assert run("migrate").stdout == first == run("revision").stdout
    run("user", "add", "admin", "--role", "admin", "--name", "관리자")
    run("user", "add", "kim", "--role", "researcher", "--unix-user", "kim", "--slurm-account", "lab")
    run("user", "add", "kim", "--role", "researcher", code=6)
    run("user", "add", "kim", "--role", "viewer", "--exist-ok")
    run("user", "add", "x y", "--role", "viewer", code=7)
    run("user", "add", "lee", "--role", "boss", code=2)
    people = {user["username"]: user for user in json.loads(run("user", "list", "-o", "json").stdout)["items"]}
    assert people["kim"]["role"] == "researcher"
    assert people["admin"]["displayName"] == "관리자"
    run("user", "deactivate", "admin", code=6)
    run("user", "change", "kim", "--role", "admin")
    run("user", "deactivate", "admin")
    run("user", "reactivate", "admin")
    run("map", "kim", code=2)
    run("map", "kim", "--none")
    run("map", "kim", "--unix-user", "kim", "--slurm-account", "lab")
    once = run("user", "password", "kim").stdout.strip()
    assert len(once) == 17
    run("user", "password", "nobody", code=5)
    value = run("token", "make", "kim", "--name", "demo").stdout.strip()
    assert value.startswith("one_")
    run("token", "make", "nobody", "--name", "x", code=5)
    run("token", "make", "kim", "--name", "x", "--scope", "fly", code=2)
    run("token", "revoke", "1")
    run("token", "revoke", "7", code=5)
    with sqlite3.connect(tmp_path / "admin.db") as database:
        rows = database.execute("SELECT actor, action, object_id FROM audit ORDER BY id").fetchall()
        stored = "\n".join(database.iterdump())
    database.close()
    assert all(actor.startswith("portal-admin/") for actor, _, _ in rows)
    assert [action for _, action, _ in rows] == [
        "user.create",
        "user.create",
        "user.change",
        "user.deactivate",
        "user.reactivate",
        "user.change",
        "user.change",
        "password.hand_out",
        "token.create",
        "token.revoke",
    ]
    assert value not in stored
    assert once not in stored
