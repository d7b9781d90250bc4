"""Links below a storage root lead no further than the owner of the job may go himself, however they are swapped."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import STATE, as_user, on
from tests.lab.road_harness import app, component, refused, submitted

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(600)]
ROOT_ONLY = "/root/.ssh"
SECRET = "authorized_keys"
LOOKS = """
import os, sys
try:
    print("found", sorted(os.listdir(sys.argv[1])))
except OSError as error:
    print("found nothing:", error.strerror)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the training data, open to everybody; the same on every host below /training-data."""
    made = STATE / "training-data" / f"links-{secrets.token_hex(4)}"
    made.mkdir(mode=0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def swapped(path: Path) -> Iterator[None]:
    """`path` is now a real folder, now a link to what only root may read, changing as fast as this machine can."""
    over = threading.Event()
    good, bad = (path.with_name(f"{path.name}.{name}") for name in ("good", "bad"))
    good.mkdir()
    (good / "mine").touch()

    def swap() -> None:
        while not over.is_set():
            for target in (good.name, ROOT_ONLY):
                bad.symlink_to(target)
                os.replace(bad, path)

    thread = threading.Thread(target=swap)
    path.symlink_to(good.name)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def seen_by_a_job(kim: One, path: str, specs: Path) -> str:
    """What a component finds at this storage path."""
    looks = {**component("LOOKS-001", LOOKS), "args": [path]}
    run = submitted(kim, app(looks, storage={"type": "distributed", "path": path}), specs)
    run.reaches("completed", "failed")
    return run.logs()


def test_a_link_to_what_only_root_may_read(kim: One, specs: Path, folder: Path) -> None:
    assert SECRET in on("gpu1", "ls", ROOT_ONLY), "there is something to find"
    assert as_user("gpu1", "kim", "ls", ROOT_ONLY, check=False) == "", "but not for kim"
    (folder / "out").symlink_to(ROOT_ONLY)
    said = seen_by_a_job(kim, f"/training-data/{folder.name}/out", specs)
    assert SECRET not in said
    assert "['mine']" not in said


def test_a_link_that_is_swapped_while_the_job_starts(kim: One, specs: Path, folder: Path) -> None:
    with swapped(folder / "race"):
        said = seen_by_a_job(kim, f"/training-data/{folder.name}/race", specs)
    assert SECRET not in said


def test_a_path_that_climbs_out_is_refused_before_anything_runs(kim: One, specs: Path, folder: Path) -> None:
    for path in (f"/training-data/{folder.name}/../../etc", "/training-data/../etc", "/etc"):
        spec = app(component("LOOKS-001", LOOKS), storage={"type": "distributed", "path": path})
        assert "$.storage.path" in refused(kim, spec, specs).stderr
