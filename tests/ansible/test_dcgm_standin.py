"""The stand-in for dcgm-exporter: DCGM's names and labels, a load only on GPUs that a step holds, and never taken for real."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from types import ModuleType

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from portal.domain.gpuuse import QUERIES, SIMULATED_MODEL, readings_of
from tests.ansible.conftest import ROLES

PROGRAM = ROLES / "dcgm_standin" / "files" / "dcgm_standin.py"


@pytest.fixture(scope="module")
def standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dcgm_standin", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_tasks_of_a_step_hold_gpus(standin: ModuleType) -> None:
    task = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}
    found = standin.holders(
        iter(
            [
                {**task, "SLURM_STEP_GPUS": "2,3", "CUDA_VISIBLE_DEVICES": "0,1"},
                {**task, "SLURM_JOB_ID": "8", "CUDA_VISIBLE_DEVICES": "5"},
                {"SLURM_JOB_ID": "9", "SLURM_JOB_GPUS": "6", "CUDA_VISIBLE_DEVICES": "6"},
                {**task, "CUDA_VISIBLE_DEVICES": "NoDevFiles"},
                {"CUDA_VISIBLE_DEVICES": "7"},
            ]
        )
    )
    assert found == {2: "7", 3: "7", 5: "8"}, "a batch script holds GPUs for its steps and uses none"


def test_the_page_is_what_the_portal_asks_prometheus_for(standin: ModuleType) -> None:
    text = standin.page(standin.gpus_of(["A100:2:81920", "V100:1:32768"]), {1: "42"}, 1000.0)
    lines = [(sample.name, sample) for family in text_string_to_metric_families(text) for sample in family.samples]
    answers = {
        key: [(sample.labels, sample.value) for name, sample in lines if name == query.split()[-1]]
        for key, query in QUERIES.items()
    }
    first, held, last = readings_of(answers)
    assert [one.percent for one in (first, last)] == [0, 0], "nobody holds them"
    assert 55 <= held.percent <= 95
    assert (held.jobs, held.memory_total_mib, last.memory_total_mib) == ((42,), 81920, 32768)
    assert all(one.is_simulated for one in (first, held, last))
    assert standin.SIMULATED == SIMULATED_MODEL


@pytest.fixture
def served(standin: ModuleType) -> Iterator[str]:
    server = standin.ThreadingHTTPServer(("127.0.0.1", 0), standin.handler_for(standin.gpus_of(["A100:1:1024"])))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_serves_figures_and_nothing_else(served: str) -> None:
    answer = httpx2.get(f"{served}/metrics", timeout=10)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'modelName="Simulated A100"' in answer.text
    assert httpx2.get(f"{served}/etc/passwd", timeout=10).status_code == 404
