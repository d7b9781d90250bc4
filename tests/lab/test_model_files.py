"""The files of a stored model deleted for good: the web process asks, the daemon deletes in MinIO, the manifest stays."""

from __future__ import annotations

import pytest

from lab.commandline import One
from lab.hosts import until
from tests.lab.minio import keys
from tests.lab.road_harness import SOON_S, Run, app, component

pytestmark = [pytest.mark.lab, pytest.mark.beside]
MODEL = "open('/one/model/weights.bin', 'wb').write(bytes(1000)); print('written', flush=True)"
CONFLICT = 6


def test_deleted_files_are_gone_and_their_manifest_stays(kim: One) -> None:
    spec = app(component("A-001", MODEL))
    run = Run(kim, kim.told("workloads", {"spec": spec, "timeLimitMin": 5})["id"])
    run.reaches("completed")
    which = (spec["app_id"], "1")
    model = kim.json("models", "show", *which)
    assert keys("models", f"{spec['app_id']}/v1/") == ["files/weights.bin", "manifest.json"]
    kim.text("models", "purge", *which, "--name", model["name"])
    until("its files are deleted", lambda: kim.json("models", "show", *which)["state"] == "purged", timeout_s=SOON_S)
    assert keys("models", f"{spec['app_id']}/v1/") == ["manifest.json"]
    assert kim.run("models", "download", *which).code == CONFLICT
    assert kim.json("models", "show", *which)["manifest"] == model["manifest"]
