"""An Operator on the lab: uploaded with a request, run by Slurm as the researcher in a real container, its results in MinIO."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lab.commandline import One
from lab.hosts import SHARED, LabTrouble, as_user, on, until
from tests.lab.minio import content, keys
from tests.lab.road_harness import PATIENCE_S, TASK, Run, app, component, submitted

pytestmark = [pytest.mark.lab, pytest.mark.beside]
WORK = """
import json
open("/one/out/value.json", "w").write(json.dumps({"value": 42}))
open("/one/model/weights.txt", "w").write("weights")
with open("/one/metrics.jsonl", "a") as file:
    for episode in range(1, 11):
        file.write(json.dumps({"episode": episode, "reward": 10.0 * episode}) + "\\n")
"""
HELPER = "def mean(values):\n    return sum(values) / len(values)\n"
OPERATOR = """
import collections, csv, json, operator, os, pwd
from lib.helper import mean

assert operator.itemgetter(0)([7]) == 7, "Python's own module, not this file"
value = json.load(open("/one/in/TASK-001/WORK/value.json"))["value"]
rewards = [json.loads(line)["reward"] for line in open("/one/run/metrics/TASK-001/WORK.jsonl")]
model = open("/one/run/model/weights.txt").read()
refused = []
for path in ("/one/in/TASK-001/WORK/new", "/one/run/model/new", "/one/operator/new"):
    try:
        open(path, "w")
    except OSError as error:
        refused.append(error.errno)
summary = {"value": value, "mean": mean(rewards), "model": model, "read_only": len(refused) == 3, "uid": os.getuid(),
           "run": os.environ["ONE_ANALYSED_RUN"], "app": json.load(open("/one/config/app.json"))["tasks"][0]["task_id"]}
json.dump(summary, open("/one/out/summary.json", "w"))
with open("/one/out/rewards.csv", "w", newline="") as file:
    csv.writer(file).writerows([("episode", "reward"), *enumerate(rewards, 1)])
json.dump({"title": "Reward", "lines": [{"name": "reward", "points": list(enumerate(rewards, 1))}]},
          open("/one/out/reward.chart.json", "w"))
open("/one/out/report.html", "w").write("<script>alert(1)</script>")
print("looked at", collections.Counter([value]))
"""


def zipped(folder: Path) -> Path:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {"operator.py": OPERATOR, "lib/__init__.py": "", "lib/helper.py": HELPER}.items():
            archive.writestr(name, text)
    path = folder / "lab-reward.zip"
    path.write_bytes(held.getvalue())
    return path


def analysis_of(one: One, workload_id: str, *states: str) -> dict[str, Any]:
    """The newest analysis of a workload, once it is in one of these states."""

    def look() -> dict[str, Any] | None:
        found = one.json("analyses", "list", "--workload", workload_id)["items"]
        return found[0] if found and found[0]["state"] in states else None

    return until(f"an analysis of {workload_id} is {states}", look, timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def run(kim: One, specs: Path) -> Run:
    """A finished run that asked for an Operator."""
    spec = app(component("WORK", WORK))
    made = submitted(kim, spec, specs, "--operator", str(zipped(specs)))
    made.reaches("completed")
    return made


def test_it_runs_as_the_researcher_and_its_results_are_in_minio(kim: One, run: Run, tmp_path: Path) -> None:
    found = analysis_of(kim, run.id, "completed")
    assert found["operator"]["form"] == "zip"
    figures = found["figures"]
    uid = float(on("ctl", "id", "-u", "kim").strip())
    assert figures == {
        "value": 42.0,
        "mean": 55.0,
        "model": "weights",
        "read_only": "true",
        "uid": uid,
        "run": run.id,
        "app": TASK,
    }
    prefix = f"{run.id}/{found['id']}/"
    names = ["report.html", "reward.chart.json", "rewards.csv", "summary.json"]
    assert keys("analysis", prefix) == [*(f"files/{name}" for name in names), "manifest.json"]
    manifest = json.loads(content("analysis", f"{prefix}manifest.json"))
    assert manifest["lineage"]["unix_user"] == "kim"
    assert "data-loader:1.0@sha256:" in manifest["lineage"]["image"]
    analysis = Run(kim, found["id"])
    assert "looked at Counter({42: 1})" in analysis.logs()
    (leader,) = analysis.leaders()
    row = on("ctl", "sacct", "-X", "-n", "-P", "-j", str(leader), "--format=User,State,QOS,AllocTRES").strip()
    user, state, qos, tres = row.split("|")
    assert (user, state, qos) == ("kim", "COMPLETED", "one-normal")
    assert "cpu=4" in tres
    assert "gres/gpu" not in tres
    kim.run("analyses", "download", found["id"], "--to", str(tmp_path))
    assert (tmp_path / "rewards.csv").read_text().splitlines()[:2] == ["episode,reward", "1,10.0"]


def test_the_operators_lie_where_nobody_lists_them_and_only_while_they_run(kim: One, run: Run) -> None:
    analysis_of(kim, run.id, "completed")
    folder = SHARED / "runs" / ".operators"
    with pytest.raises(LabTrouble, match="Permission denied"):
        as_user("gpu1", "park", "ls", "/shared/runs/.operators")
    until("the Operator was taken away", lambda: not any(folder.iterdir()), timeout_s=PATIENCE_S)


def test_a_failing_operator_leaves_the_workload_completed(kim: One, run: Run, specs: Path) -> None:
    bad = specs / "failing.py"
    bad.write_text("raise SystemExit('nothing to see')\n")
    made = kim.json("analyses", "run", run.id, str(bad))
    assert Run(kim, made["id"]).reaches("failed")["failure"]["cause"] == "step"
    assert run.now()["state"] == "completed"
    assert keys("analysis", f"{run.id}/{made['id']}/") == []
    again = kim.json("analyses", "again", analysis_of(kim, run.id, "failed")["id"])
    assert again["operator"]["ref"] == made["operator"]["ref"]


def test_nobody_runs_a_program_on_anothers_run(park: One, run: Run, specs: Path) -> None:
    code = specs / "mine.py"
    code.write_text("print(1)\n")
    ran = park.run("analyses", "run", run.id, str(code))
    assert ran.code != 0
    assert (
        on("ctl", "sacct", "-X", "-n", "-P", "-u", "park", "--format=JobName", "-S", "now-1minutes").count(run.id) == 0
    )
