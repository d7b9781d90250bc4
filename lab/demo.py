"""`make demo`: the specification's example App goes the whole road on real Slurm, told step by step and checked at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab import accounting
from lab.accounting import Row
from lab.commandline import One
from lab.hosts import ROOT, LabTrouble, portal_url, until
from lab.people import PEOPLE, TOKEN_NAME, TOKENS

EXAMPLE = ROOT / "examples" / "rl-design-opt" / "app.json"
FORM = ("--form", "together")
"""What the planner chooses by itself on a fresh lab; said here because medians of runs of a second or two are mostly noise."""
UNIX_USER = "kim"
TEST_TIMEOUT_S = 900.0
"""The first test of a fresh lab also converts five images."""
RUN_TIMEOUT_S = 1800.0


class DemoFailed(Exception):
    """The road did something else than it should; the text says what was expected and what was seen."""


@dataclass(frozen=True)
class Played:
    """What the demo made."""

    workload: str
    leaders: tuple[int, ...]
    model_uri: str


def main() -> int:
    """Play the demo; exit code 0 only if everything was as it should be."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        played = play()
    except (DemoFailed, LabTrouble) as error:
        print(f"demo: failed: {error}", file=sys.stderr)
        return 1
    leaders = ",".join(str(leader) for leader in played.leaders)
    print(f"demo: ok workload={played.workload} slurm_jobs={leaders} model={played.model_uri}")
    return 0


def play() -> Played:
    """The whole road once. Raises DemoFailed, LabTrouble."""
    kim, admin = One.of("kim"), One.of("admin")
    show_plan(kim)
    workload = submit(kim)
    pass_test(kim, workload)
    approve(admin, kim, workload)
    run(kim, workload)
    document = expect_state(kim, workload, "completed")
    leaders = tuple(job["jobId"] for job in document["slurmJobs"])
    rows = accounting.settled_rows(leaders)
    model = model_of(kim, workload)
    show_results(rows, document, model)
    check(document, rows, model)
    return Played(workload, leaders, model["uri"])


def show_plan(kim: One) -> None:
    """What would run where, before anything is submitted. Raises DemoFailed."""
    heading(f"{EXAMPLE.relative_to(ROOT)} is checked and planned")
    print(kim.text("validate", str(EXAMPLE)), end="")
    plan = kim.text("plan", str(EXAMPLE), *FORM)
    expect("A100 x 4" in plan and "V100 x 1" in plan, "the plan in words", plan)
    print(plan, end="")


def submit(kim: One) -> str:
    """Submit the example as it is; it must wait for approval, because of rl-agent. Raises DemoFailed."""
    heading("kim (researcher) submits it")
    document = kim.json("submit", str(EXAMPLE), *FORM)
    workload = str(document["id"])
    reasons = [reason["textEn"] for reason in document["approvalReasons"]]
    print(f"{workload}: needs approval: {', '.join(reasons)}")
    wanted = ["rl-agent GPU 4", "rl-agent memory 128GB"]
    expect(reasons == wanted, "rl-agent's 4 GPUs and 128 GB need approval", reasons)
    wait_for_state(kim, workload, "awaiting_approval", TEST_TIMEOUT_S, while_in=("submitted",))
    return workload


def pass_test(kim: One, workload: str) -> None:
    """The minimal run test of exactly this spec runs on Slurm; one that passed before is attached. Raises DemoFailed."""
    heading("the minimal run test")
    if kim.show(workload)["loopTest"]["status"] != "passed":
        kim.streamed("test", workload, "--wait", timeout_s=TEST_TIMEOUT_S)
    else:
        print("passed before for exactly this spec, so it is attached")
    document = kim.show(workload)
    print(json.dumps(document["loopTest"], indent=2, ensure_ascii=False))
    test = kim.show(document["testRun"]["workloadId"])
    print(f"it ran as {test['id']} in Slurm job {job_ids(test)}, QOS {test['slurmJobs'][0]['qos']}")
    expect(document["loopTest"]["status"] == "passed", "the test passes by its own rewards", document["testRun"])


def approve(admin: One, kim: One, workload: str) -> None:
    """An admin approves what was tested. Raises LabTrouble."""
    heading("admin approves")
    print(admin.text("approve", workload, "--spec-hash", str(kim.show(workload)["specHash"])), end="")


def run(kim: One, workload: str) -> None:
    """Its logs as they are written, until it has ended. Raises LabTrouble."""
    heading("it runs on Slurm; the logs as they are written")
    kim.streamed("logs", workload, "--follow", timeout_s=RUN_TIMEOUT_S)


def model_of(kim: One, workload: str) -> dict[str, Any]:
    """The model that this workload made. Raises DemoFailed."""
    app = json.loads(EXAMPLE.read_text())["app_id"]
    mine = [model for model in kim.json("models", "list", "--app", app)["items"] if model["workloadId"] == workload]
    expect(len(mine) == 1, f"one model of {workload}", mine)
    document: dict[str, Any] = kim.json("models", "show", app, str(mine[0]["version"]))
    return document


def show_results(rows: Sequence[Row], document: dict[str, Any], model: dict[str, Any]) -> None:
    """Everything that is left to look at."""
    heading(f"Slurm's accounting of job {job_ids(document)}")
    print(accounting.table(rows))
    heading(f"the model's manifest, {model['uri']}manifest.json")
    print(json.dumps(model["manifest"], indent=2, ensure_ascii=False))
    heading("all of it is left running")
    print(f"API     {portal_url()}/api/v1 (its routes: {portal_url()}/api/v1/schema)")
    for person in PEOPLE:
        if (TOKENS / person.username).exists():
            print(
                f"token   {TOKEN_NAME} of {person.username} ({person.role}): {TOKENS.relative_to(ROOT)}/{person.username}"
            )
    print(
        f"one     ONE_URL={portal_url()} ONE_TOKEN=$(cat {TOKENS.relative_to(ROOT)}/kim) .venv/bin/one show {document['id']}"
    )


def check(document: dict[str, Any], rows: Sequence[Row], model: dict[str, Any]) -> None:
    """What accounting and the model must say. Raises DemoFailed."""
    groups = [row for row in rows if not row.is_step]
    steps = {row.name: row for row in rows if row.is_step}
    leaders = [row for row in groups if "+" not in row.job or row.job.endswith("+0")]
    given_back = [row for row in groups if "gres/gpu:a100=4" in row.tres]
    expect({row.user for row in groups} == {UNIX_USER}, f"every job is {UNIX_USER}'s", [row.user for row in groups])
    expect({row.word for row in leaders} == {"COMPLETED"}, "the leader is COMPLETED", leaders)
    expect(bool(given_back), "a group with gres/gpu:a100=4", groups)
    expect({row.word for row in given_back} == {"CANCELLED"}, "the group of 4 A100 was given back", given_back)
    expect(any("gres/gpu:tesla_v100=" in row.tres for row in groups), "a group with a V100", groups)
    for name in step_names():
        expect(name in steps and steps[name].word == "COMPLETED", f"a step {name} that COMPLETED", list(steps))
    expect(bool(model["manifest"]["files"]), "a model with files", model)
    lineage = model["manifest"]["lineage"]
    expect(lineage["spec_hash"] == document["specHash"], "the model names the spec that ran", lineage)


def step_names() -> list[str]:
    """The steps of the example, one for each component, as Slurm names them."""
    spec = json.loads(EXAMPLE.read_text())
    return [f"{task['task_id']}/{part['component_id']}" for task in spec["tasks"] for part in task["components"]]


def wait_for_state(
    one: One, workload: str, wanted: str, timeout_s: float, *, while_in: Sequence[str] = ()
) -> dict[str, Any]:
    """The workload once it is in this state; any state but those of `while_in` on the way fails. Raises DemoFailed."""

    def look() -> dict[str, Any] | None:
        document = one.show(workload)
        expect(document["state"] in (wanted, *while_in), f"{workload} becomes {wanted}", document)
        return document if document["state"] == wanted else None

    return until(f"{workload} is {wanted}", look, timeout_s=timeout_s)


def expect_state(one: One, workload: str, wanted: str) -> dict[str, Any]:
    """The workload, which must be in this state now. Raises DemoFailed."""
    document = one.show(workload)
    expect(
        document["state"] == wanted,
        f"{workload} is {wanted}",
        {"state": document["state"], **(document["failure"] or {})},
    )
    return document


def expect(holds: bool, what: str, seen: object) -> None:
    """Raises DemoFailed, saying what should be and what was seen."""
    if not holds:
        raise DemoFailed(f"expected: {what}; seen: {seen}")


def job_ids(document: dict[str, Any]) -> str:
    """Leaders and their components: `12 (12, 13)`."""
    return "; ".join(f"{job['jobId']} ({', '.join(map(str, job['componentIds']))})" for job in document["slurmJobs"])


def heading(text: str) -> None:
    """One station of the road."""
    print(f"\n== {text}")


if __name__ == "__main__":
    sys.exit(main())
