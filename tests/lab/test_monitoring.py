"""Monitoring on the lab: every target answers, GPU use reaches the pages and says that it is simulated, silence is not 0."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from lab.commandline import One
from lab.hosts import ROOT, SHARED, LabTrouble, on, portal_url, until
from portal.domain.alerts import RULES, rule_file
from portal.domain.dashboard import PANELS
from tests.lab.road_harness import Run, app, component, submitted

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
PROMETHEUS = "http://127.0.0.1:9090/api/v1"
SCRAPE_S = 15
PATIENCE_S = 150.0
CASES = Path(__file__).parent / "monitoring" / "alerts-test.yml"
GPUS = {"gpu1": "A100", "gpu2": "A100", "gpu3": "V100"}
METRIC = re.compile(r"\b(?:one|DCGM_FI|node|up)(?:_[A-Za-z0-9_]+)?\b(?=[{\[) ]|$)")
HOLD = "import time; print('holding', flush=True); time.sleep(600)"


def asked(path: str, **query: str) -> Any:
    """What Prometheus answers, on its own host."""
    text = on("svc", "curl", "--silent", "--show-error", "--max-time", "10", f"{PROMETHEUS}/{path}?{urlencode(query)}")
    answer = json.loads(text)
    assert answer["status"] == "success", text
    return answer["data"]


def values(query: str) -> dict[frozenset[tuple[str, str]], float]:
    """The newest values by their labels."""
    return {frozenset(one["metric"].items()): float(one["value"][1]) for one in asked("query", query=query)["result"]}


def readings(one: One) -> list[dict[str, Any]]:
    """What the portal shows of each GPU."""
    use = one.json("nodes")["gpuUse"]
    assert use is not None, "the lab's portal has a Prometheus"
    found: list[dict[str, Any]] = use["readings"]
    return found


def holding(one: One, specs: Path, **resources: Any) -> Run:
    """A run that holds what it asks for until it is cancelled."""
    run = submitted(one, app(component("HOLD-001", HOLD, **resources)), specs)
    run.says("holding")
    return run


@contextmanager
def stopped(node: str, unit: str) -> Iterator[None]:
    """A unit that is down meanwhile."""
    on(node, "systemctl", "stop", unit)
    try:
        yield
    finally:
        on(node, "systemctl", "start", unit)


def test_every_target_is_up() -> None:
    targets = asked("targets", state="active")["activeTargets"]
    health = {(target["labels"]["job"], target["labels"]["instance"]): target["health"] for target in targets}
    assert set(health.values()) == {"up"}, health
    found = {job for job, _instance in health}
    assert found >= {"portal", "prometheus", "slurm-nodes", "slurm-jobs", "slurm-scheduler", "node", "dcgm"}
    for job, port in (("node", 9100), ("dcgm", 9400)):
        assert {instance for name, instance in health if name == job} == {f"{node}:{port}" for node in GPUS}


def test_slurmctlds_own_figures_agree_with_the_portals(kim: One) -> None:
    told = {dict(labels)["node"]: cpus for labels, cpus in values("slurm_node_cpus").items()}
    assert told == {node["name"]: node["cpus"]["total"] for node in kim.json("nodes")["nodes"]}
    assert sum(values("one_nodes").values()) == len(told) == len(GPUS)


def test_rules_are_the_installed_ones_and_pass_promtool() -> None:
    """Installed as written in code, known to Prometheus, and tried on cases that fire and cases that must not."""
    assert on("svc", "cat", "/etc/prometheus/one-rules.yml") == rule_file()
    assert (ROOT / "ansible/roles/prometheus/files/one-rules.yml").read_text() == rule_file()
    loaded = asked("rules", type="alert")["groups"]
    assert [rule["name"] for group in loaded for rule in group["rules"]] == [rule.name for rule in RULES]
    assert {rule["health"] for group in loaded for rule in group["rules"]} == {"ok"}
    folder = SHARED / "promtool"
    folder.mkdir(exist_ok=True)
    try:
        (folder / "one-rules.yml").write_text(rule_file())
        shutil.copy(CASES, folder)
        on("svc", "promtool", "check", "rules", "/shared/promtool/one-rules.yml")
        on("svc", "promtool", "test", "rules", f"/shared/promtool/{CASES.name}")
        wrong = CASES.read_text().replace("severity: critical", "severity: info", 1)
        (folder / CASES.name).write_text(wrong)
        with pytest.raises(LabTrouble, match="FAILED"):
            on("svc", "promtool", "test", "rules", f"/shared/promtool/{CASES.name}")
    finally:
        shutil.rmtree(folder)
    covered = set(re.findall(r"alertname: (\w+)", CASES.read_text()))
    assert covered == {rule.name for rule in RULES}, "a rule without a case"


def test_rules_and_dashboard_name_only_metrics_that_exist() -> None:
    queries = [rule.expr for rule in RULES] + [query for panel in PANELS for query, _legend in panel.queries]
    named = {name for query in queries for name in METRIC.findall(query)}
    assert len(named) > 12, named
    known = set(asked("label/__name__/values"))
    counted_when_something_happens = {"one_agent_call_errors_total"}
    assert named - known <= counted_when_something_happens, named - known


def test_metrics_are_for_prometheus_only() -> None:
    answer = httpx2.get(f"{portal_url()}/metrics", timeout=10)
    assert answer.status_code == 403, "this machine is none of monitoring.scrapers"
    code = on(
        "svc", "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "127.0.0.1:8000/metrics"
    )
    assert code == "403", "the address alone does not do"


def test_a_running_jobs_gpus_work_and_say_that_they_are_simulated(kim: One, specs: Path) -> None:
    run = holding(kim, specs, gpu_type="A100", gpu_count=2)
    try:
        ids = set(run.component_ids())

        def held() -> list[dict[str, Any]] | None:
            mine = [gpu for gpu in readings(kim) if ids & set(gpu["jobs"])]
            return mine if len(mine) == 2 and all(gpu["busy"] for gpu in mine) else None

        gpus = until("both GPUs show a load", held, timeout_s=PATIENCE_S)
        assert all(gpu["simulated"] and GPUS[gpu["node"]] == "A100" for gpu in gpus), gpus
        assert all(0 < gpu["memory_used_mib"] < gpu["memory_total_mib"] == 81920 for gpu in gpus), gpus
        cluster = kim.json("nodes")
        # What ran in the five minutes before counts too: use is a mean over them.
        busy = [one for one in cluster["gpuUse"]["readings"] if one["busy"] and GPUS[one["node"]] == "A100"]
        assert cluster["gpus"]["A100"]["used"] == len(busy) >= 2
        assert len(cluster["gpuUse"]["readings"]) == 24

        def told() -> bool:
            in_use = {dict(labels)["type"]: value for labels, value in values("one_gpus_in_use").items()}
            return bool(in_use.get("A100") == kim.json("nodes")["gpus"]["A100"]["used"])

        until("the portal's own figure agrees", told, timeout_s=PATIENCE_S)
    finally:
        kim.text("cancel", run.id)


def test_a_silent_exporter_is_not_measured_and_never_0(kim: One) -> None:
    until("V100s are measured", lambda: kim.json("nodes")["gpus"]["V100"]["used"] is not None, timeout_s=PATIENCE_S)
    with stopped("gpu3", "dcgm-standin"):
        until("V100s are not measured", lambda: kim.json("nodes")["gpus"]["V100"]["used"] is None, timeout_s=PATIENCE_S)
        assert kim.json("nodes")["gpus"]["A100"]["used"] is not None, "the other nodes go on"
        assert not [gpu for gpu in readings(kim) if gpu["node"] == "gpu3"]
    until("V100s are measured", lambda: kim.json("nodes")["gpus"]["V100"]["used"] is not None, timeout_s=PATIENCE_S)


def test_a_silent_prometheus_leaves_every_type_unknown(kim: One) -> None:
    with stopped("svc", "prometheus"):

        def unknown() -> bool:
            found = kim.json("nodes")
            return bool(found["gpuUse"]["problem"]) and all(one["used"] is None for one in found["gpus"].values())

        until("no type is measured", unknown, timeout_s=PATIENCE_S)
    until("GPUs are measured", lambda: not kim.json("nodes")["gpuUse"]["problem"], timeout_s=PATIENCE_S)


SHARE = """
import os, time
names = ("LD_PRELOAD", "CUDA_DEVICE_SM_LIMIT", "CUDA_DEVICE_MEMORY_LIMIT", "CUDA_DEVICE_MEMORY_SHARED_CACHE")
print("share", *(f"{name}={os.environ.get(name)}" for name in names), "gpu=" + os.environ["CUDA_VISIBLE_DEVICES"])
print("preloaded", "/one/lib/libvgpu.so" in open("/proc/self/maps").read(), "lock", os.path.isdir("/tmp/vgpulock"))
print("from", time.time(), flush=True)
time.sleep(20)
print("to", time.time(), flush=True)
"""


def test_two_halves_run_together_on_one_gpu_each_with_its_limit(kim: One, specs: Path) -> None:
    half: dict[str, Any] = {"gpu_type": "V100", "gpu_shards": 2, "cpus": 1}
    run = submitted(kim, app(component("A-001", SHARE, **half), component("B-001", SHARE, **half)), specs)
    run.reaches("running")
    until("four shares are used", lambda: kim.json("nodes")["shares"]["V100"]["allocated"] == 4, timeout_s=PATIENCE_S)
    run.reaches("completed")
    logs = [run.logs("--component", node) for node in ("A-001", "B-001")]
    for said in logs:
        assert "LD_PRELOAD=/one/lib/libvgpu.so CUDA_DEVICE_SM_LIMIT=50 CUDA_DEVICE_MEMORY_LIMIT=16384m" in said, said
        assert "preloaded True lock True" in said, said
    assert len({gpu for said in logs for gpu in re.findall(r"gpu=(\d+)", said)}) == 1, "both halves are of one GPU"
    begins, ends = (
        [float(one) for said in logs for one in re.findall(rf"\b{word} ([0-9.]+)", said)] for word in ("from", "to")
    )
    assert max(begins) < min(ends), "at the same time"
    assert not run.now()["needsApproval"]


def test_halves_of_two_people_share_one_gpu_too(kim: One, park: One, specs: Path) -> None:
    half: dict[str, Any] = {"gpu_type": "V100", "gpu_shards": 2, "cpus": 1}
    runs = [submitted(one, app(component("A-001", SHARE, **half)), specs) for one in (kim, park)]
    until("four shares are used", lambda: kim.json("nodes")["shares"]["V100"]["allocated"] == 4, timeout_s=PATIENCE_S)
    for run in runs:
        run.reaches("completed")
    assert len({gpu for run in runs for gpu in re.findall(r"gpu=(\d+)", run.logs())}) == 1, "Slurm fills one GPU first"
