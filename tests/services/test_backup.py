"""A backup holds what the portal is, is refused unless whole, and restores into an empty database only."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from portal.db.dump import NotEmpty
from portal.db.models import Audit
from portal.services import backup
from portal.services.audit import Actor
from portal.services.errors import Conflict, Invalid
from portal.settings import Settings
from tests.daemon.world import World
from tests.store.memory import MemoryStore

pytestmark = pytest.mark.anyio
ROOT = Actor(name="portal-admin/root")


@pytest.fixture
async def saved(world: World, small: dict[str, Any], tmp_path: Path) -> tuple[World, Path]:
    """A portal with a stored model, and its backup."""
    await world.submit(small)
    store = world.context.store
    await store.put_bytes("models", "APP-A1/v1/files/weights.bin", b"weights")
    await store.put_json("models", "APP-A1/v1/manifest.json", {"files": ["weights.bin"]})
    folder = tmp_path / "saved"
    await backup.make(world.context.settings, ROOT, store, folder)
    return world, folder


def elsewhere(world: World, path: Path) -> Settings:
    """The same portal with another, still empty, database."""
    database = world.context.settings.database.model_copy(update={"url": f"sqlite+aiosqlite:///{path}"})
    return world.context.settings.model_copy(update={"database": database})


def table(path: Path, name: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()


async def test_every_row_comes_back_and_the_restore_is_on_record(saved: tuple[World, Path], tmp_path: Path) -> None:
    world, folder = saved
    new = tmp_path / "new.db"
    found = await backup.restore(elsewhere(world, new), ROOT, world.context.store, folder)
    assert (found.missing, found.written_back) == ((), ())
    for name in found.note.tables:
        before, after = table(folder / backup.DATABASE, name), table(new, name)
        assert after[: len(before)] == before, name
        assert len(after) - len(before) == (name == "audit"), name
    assert found.note.tables["workloads"] == 1
    with sqlite3.connect(new) as connection:
        (last,) = connection.execute("SELECT action FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    assert last == "portal.restore"


async def test_what_s3_lost_is_named_and_a_manifest_is_put_back(saved: tuple[World, Path], tmp_path: Path) -> None:
    world, folder = saved
    store = world.context.store
    manifest = await store.get_bytes("models", "APP-A1/v1/manifest.json")
    await store.remove("models", "APP-A1/v1/manifest.json")
    first = await backup.restore(elsewhere(world, tmp_path / "1.db"), ROOT, store, folder)
    assert (first.missing, first.written_back) == ((), ("models/APP-A1/v1/manifest.json",))
    assert await store.get_bytes("models", "APP-A1/v1/manifest.json") == manifest

    await store.put_bytes("models", "APP-A1/v1/files/weights.bin", b"weigh")
    await store.remove("models", "APP-A1/v1/manifest.json")
    second = await backup.restore(elsewhere(world, tmp_path / "2.db"), ROOT, store, folder)
    assert set(second.missing) == {"models/APP-A1/v1/files/weights.bin", "models/APP-A1/v1/manifest.json"}
    assert second.written_back == (), "a manifest makes files a model: never with one of them wrong"


async def test_a_database_with_tables_is_left_alone(saved: tuple[World, Path]) -> None:
    world, folder = saved
    audit = len(await world.rows(Audit))
    with pytest.raises(NotEmpty):
        await backup.restore(world.context.settings, ROOT, world.context.store, folder)
    assert len(await world.rows(Audit)) == audit


@pytest.mark.parametrize("harm", ["note", "database", "objects", "backend", "path"])
async def test_a_folder_that_is_no_whole_backup_is_refused(
    saved: tuple[World, Path], tmp_path: Path, harm: str
) -> None:
    world, folder = saved
    note = folder / backup.NOTE
    document = json.loads(note.read_text())
    if harm == "note":
        note.unlink()
    elif harm == "database":
        with (folder / backup.DATABASE).open("ab") as file:
            file.write(b"x")
    elif harm == "objects":
        (folder / backup.OBJECTS).unlink()
    elif harm == "backend":
        note.write_text(json.dumps({**document, "backend": "postgresql"}))
    else:
        note.write_text(json.dumps({**document, "files": {"../../etc/passwd": "0"}}))
    new = tmp_path / "new.db"
    with pytest.raises(Invalid, match="cannot be restored"):
        await backup.restore(elsewhere(world, new), ROOT, world.context.store, folder)
    assert not new.exists() or not table(new, "sqlite_master")


async def test_a_backup_never_mixes_with_what_is_there(saved: tuple[World, Path]) -> None:
    world, folder = saved
    with pytest.raises(Conflict, match="not empty"):
        await backup.make(world.context.settings, ROOT, world.context.store, folder)


async def test_no_key_of_an_object_leads_out_of_the_folder(world: World, tmp_path: Path) -> None:
    store = world.context.store
    assert isinstance(store, MemoryStore)
    await store.put_json("models", "../../manifest.json", {})
    with pytest.raises(Invalid, match="no path"):
        await backup.make(world.context.settings, ROOT, store, tmp_path / "saved")
    assert not (tmp_path / "manifest.json").exists()
