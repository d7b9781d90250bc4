"""The world of the daemon's tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from portal.daemon.context import Context
from portal.db.engine import engine_for, migrate, sessions
from portal.settings import Database, Images, Operators, Settings, Storage
from portal.settings import Slurm as SlurmSettings
from slurm.fake import FakeSlurm
from tests.daemon.world import Conversions, Registry, World, own_uid, people
from tests.store.memory import MemoryStore

OPERATOR_IMAGE = "registry.avatar.io/operator-python:1.0"
SPEC = Path(__file__).parents[1] / "spec" / "data" / "app-spec-example.json"


@pytest.fixture
def example() -> dict[str, Any]:
    """The specification's own example."""
    document: dict[str, Any] = json.loads(SPEC.read_text())
    return document


@pytest.fixture
def small(example: dict[str, Any]) -> dict[str, Any]:
    """The same App under the approval threshold."""
    example["app_id"] = "APP-SMALL1"
    for component in example["tasks"][0]["components"]:
        component["resources"].update(gpu_count=1, memory="16GB")
    return example


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite here; the lab's tests override it with PostgreSQL."""
    return f"sqlite+aiosqlite:///{tmp_path}/one.db"


_MIGRATED: list[bytes] = []
"""A SQLite file with today's tables: the migrations run once a process, which is most of what a small test would cost."""


async def migrated(settings: Settings) -> None:
    """The database with its tables: SQLite's is a copy of the first one made, PostgreSQL's is migrated."""
    url = make_url(settings.database.url)
    if url.get_backend_name() != "sqlite":
        await migrate(settings)
        return
    file = Path(url.database or "")
    if _MIGRATED:
        file.write_bytes(_MIGRATED[0])
    else:
        await migrate(settings)
        _MIGRATED.append(file.read_bytes())


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """A site with people, nodes and images."""
    settings = Settings(
        database=Database(url=database_url),
        storage=Storage(runs=tmp_path / "runs", images=tmp_path / "images", roots=(Path("/training-data"),)),
        images=Images(registries=("registry.avatar.io",)),
        operators=Operators(image=OPERATOR_IMAGE),
        slurm=SlurmSettings(gpu_labels={"tesla_v100": "V100"}),
    )
    for folder in ("runs/.out", "images"):
        (tmp_path / folder).mkdir(parents=True)
    await migrated(settings)
    engine = engine_for(settings)
    slurm, store, registry, conversions = FakeSlurm(), MemoryStore(), Registry(), Conversions(tmp_path / "images")
    context = Context(
        settings=settings,
        sessions=sessions(engine),
        slurm=slurm,
        store=store,  # type: ignore[arg-type]
        resolve_image=registry.resolve,
        converter=conversions,
        uid_of=own_uid,
    )
    made = World(context, slurm, store, registry, conversions, await people(context.sessions))
    await made.round()
    yield made
    await engine.dispose()
