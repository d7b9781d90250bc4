"""`one audit verify` through the API and `portal-admin audit` on the database: what was changed is named, in both languages."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from portal.cli import admin, adminaudit, asked
from portal.daemon import auditing
from portal.settings import load_settings
from tests.cli.conftest import Road
from tests.store.memory import MemoryStore

FAILED, NOT_PERMITTED, UNAVAILABLE = 1, 4, 8


@pytest.fixture
def daemon(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that works whenever the command waits."""
    monkeypatch.setattr(time, "sleep", lambda _: road.do(auditing.keep_log, road.world.context))


def tampered(tmp_path: Path, statement: str) -> None:
    """As somebody who owns the file."""
    with sqlite3.connect(tmp_path / "one.db") as database:
        database.execute("DROP TRIGGER IF EXISTS audit_no_update")
        database.execute(statement)
    database.close()


@pytest.mark.usefixtures("daemon")
def test_a_row_changed_by_sql_is_named(road: Road, tmp_path: Path) -> None:
    said = road.one("admin", "audit", "verify")
    assert said.startswith("Intact: ")
    assert "Head of the chain: " in said
    tampered(tmp_path, "UPDATE audit SET actor = 'somebody' WHERE id = 2")
    said = road.one("admin", "audit", "verify", code=FAILED)
    assert "! row_changed: Record 2 was changed after it was sealed (seal 1).\nNOT INTACT: " in said
    assert "기록 2의 내용이 봉인된 뒤 바뀌었습니다" in road.one("admin", "--lang", "ko", "audit", "verify", code=FAILED)
    (finding,) = road.json("admin", "audit", "verify", code=FAILED)["findings"]
    assert (finding["code"], finding["row"], finding["seal"]) == ("row_changed", 2, 1)


def test_only_admins_ask_and_an_absent_daemon_is_said(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.one("kim", "audit", "verify", code=NOT_PERMITTED)
    monkeypatch.setattr(asked, "TAKEN_UP_S", 0.0)
    road.one("admin", "audit", "verify", code=UNAVAILABLE)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A migrated database with a few rows, and a store."""
    store = MemoryStore()
    monkeypatch.setenv("ONE_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("ONE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/one.db")
    monkeypatch.setattr(adminaudit, "ObjectStore", lambda _: store)
    load_settings.cache_clear()
    portal_admin("migrate")
    portal_admin("user", "add", "admin", "--role", "admin")
    return store


def portal_admin(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(admin.app, list(args))
    assert result.exit_code == code, (args, result.stdout, result.stderr, result.exception)
    return result


def test_portal_admin_verifies_the_database_itself(house: MemoryStore, tmp_path: Path) -> None:
    assert "Intact: 0 rows under 0 seals, 0 expired, 1 not sealed yet" in portal_admin("audit", "verify").stdout
    house.down = True
    assert "heads_not_compared" in portal_admin("audit", "verify", code=FAILED).stdout


def test_portal_admin_says_what_would_expire_and_takes_it(house: MemoryStore) -> None:
    said = portal_admin("audit", "expire", "--dry-run")
    assert [line.split()[0] for line in said.stdout.splitlines()[1:]] == ["changes", "runs", "access"]
    assert "Nothing was deleted." in said.stderr
    document = json.loads(portal_admin("audit", "expire", "-o", "json").stdout)
    assert (document["dryRun"], {one["rows"] for one in document["items"]}) == (False, {0})
