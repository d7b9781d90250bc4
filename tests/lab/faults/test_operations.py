"""What keeps a portal alive for years: a backup that was restored, and an upgrade with runs in flight."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import on, portal_url, until
from tests.lab.faults.breaking import active
from tests.lab.faults.held import LONG_S, completes, going_on, held_app, held_pair
from tests.lab.faults.stories import Story, agree_in_the_end
from tests.lab.road_harness import agree, app, component, model_files, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
UNITS = ("one-web", "one-daemon")
FOLDER = "/var/lib/one-backups/drill"
ASIDE = "one_aside"
WHOLE_NODE_CPUS = 32
"""Of gpu3: such a run waits while anything else is there, and needs no approval."""
LISTS = {"workloads": "id", "models": "name", "apps": "id"}


def psql(statement: str, database: str = "postgres") -> str:
    words = ("psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align", f"--dbname={database}")
    return on("svc", "runuser", "-u", "postgres", "--", *words, f"--command={statement}").strip()


@contextmanager
def portal_stopped() -> Iterator[None]:
    on("svc", "systemctl", "stop", *UNITS)
    try:
        yield
    finally:
        on("svc", "systemctl", "start", *UNITS)
        until("the portal is back", _is_back, timeout_s=LONG_S)


def _is_back() -> bool:
    if not all(active("svc", unit) for unit in (*UNITS, "one-agent")):
        return False
    words = ("curl", "--silent", "--fail", "--max-time", "5", f"{portal_url()}/healthz")
    return bool(on("svc", *words, check=False))


@contextmanager
def database_lost() -> Iterator[None]:
    """An empty database in the place of the portal's; the old one comes back when what follows fails."""
    psql(f"ALTER DATABASE one RENAME TO {ASIDE}")
    psql("CREATE DATABASE one OWNER one_daemon TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    psql("GRANT CONNECT ON DATABASE one TO one_web")
    try:
        yield
    except BaseException:
        psql("DROP DATABASE one WITH (FORCE)")
        psql(f"ALTER DATABASE {ASIDE} RENAME TO one")
        raise
    psql(f"DROP DATABASE {ASIDE}")


def listed(one: One) -> dict[str, list[str]]:
    """What this person's lists name."""
    return {path: [str(item[key]) for item in one.asked(f"{path}?size=200")["items"]] for path, key in LISTS.items()}


def test_a_backup_restores_the_portal_with_runs_in_flight(kim: One, admin: One, story: Story, tmp_path: Path) -> None:
    """The database is lost while a job runs, and comes back from a backup."""
    done = submitted(kim, app(component("DONE-001", "open('/one/model/w', 'w').write('w')")), tmp_path)
    done.reaches("completed")
    runs = submitted(kim, held_app(gpu_type="V100", gpu_count=1), tmp_path)
    story.watch("run in flight", runs)
    going_on(runs)
    before = listed(kim)
    on("svc", "rm", "--recursive", "--force", FOLDER)
    with portal_stopped():
        made = json.loads(on("svc", "portal-admin", "backup", FOLDER, "-o", "json", timeout_s=120))
        refused = on("svc", "portal-admin", "restore", FOLDER, check=False)
        assert "Restored" not in refused, "the database was not empty"
        story.note("portal stopped, database dropped and restored from the backup")
        with database_lost():
            back = json.loads(on("svc", "portal-admin", "restore", FOLDER, "-o", "json", timeout_s=120))
    assert back["tables"] == made["tables"]
    assert back["tables"]["workloads"] >= 2
    assert (back["missing"], back["writtenBack"], back["settingsDiffer"]) == ([], [], False)
    assert listed(kim) == before
    assert model_files(done)
    completes(runs)
    agree(runs, state="completed")
    assert on("svc", "portal-admin", "audit", "verify").startswith("Intact")
    agree_in_the_end(admin, story)
    on("svc", "rm", "--recursive", "--force", FOLDER)


def test_an_upgrade_loses_no_run_in_flight(kim: One, admin: One, story: Story, tmp_path: Path) -> None:
    """Every unit is stopped, the tables are migrated and all is started again, as the playbook does, with runs in flight."""
    running = submitted(kim, held_app(gpu_type="V100", gpu_count=1), tmp_path)
    going_on(running)
    pair = submitted(kim, held_pair(), tmp_path)
    going_on(pair)
    waits = submitted(kim, held_app(gpu_type="V100", gpu_count=1, cpus=WHOLE_NODE_CPUS), tmp_path)
    waits.is_pending()
    before = {run.id: run.leaders() for run in (running, pair, waits)}
    for label, run in (("running", running), ("hetjob", pair), ("waiting", waits)):
        story.watch(label, run)
    story.note("one-web, one-daemon and one-agent stopped")
    on("svc", "systemctl", "stop", "one-web", "one-daemon", "one-agent")
    on("svc", "portal-admin", "migrate")
    on("svc", "systemctl", "start", "one-agent", "one-daemon", "one-web")
    until("the portal is back", _is_back, timeout_s=LONG_S)
    for run in (running, pair, waits):
        completes(run)
        agree(run, state="completed")
        assert run.leaders() == before[run.id], "the same Slurm job, not another one"
    agree_in_the_end(admin, story)
