"""An Operator from its upload to its results, on the fake Slurm; and that it never changes the run that it looks at."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from portal.compile.analysis import COMMAND, OPERATOR_AT
from portal.daemon.operators import folder_of
from portal.db.models import Analysis, Notice, OperatorVersion, Upload
from portal.domain.failure import words_of
from portal.services import analyses, operators
from portal.services.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from portal.services.reruns import RerunRequest, rerun
from portal.settings import Operators
from slurm.fake.played import job_in
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
CODE = b"print('looking')\n"
RESULTS = {
    "summary.json": b'{"mean": 25.5}',
    "rewards.csv": b"episode,reward\n1,10\n",
    "page.html": b"<script>1</script>",
}


async def analysis_of(world: World, run_id: str) -> Analysis:
    async with world.maker() as session:
        return await session.get_one(Analysis, run_id)


async def completed(world: World, spec: dict[str, Any], **wishes: Any) -> str:
    workload_id = await world.submit(spec, **wishes)
    await finished(world, workload_id, rewards=RISING)
    return workload_id


async def test_what_a_request_asks_for_runs_after_success(world: World, small: dict[str, Any]) -> None:
    operator = await world.upload(CODE)
    workload_id = await completed(world, small, operator=operator)
    (analysis,) = await world.rows(Analysis)
    assert (analysis.workload_id, analysis.attempt, operators.reference(analysis.version)) == (workload_id, 1, operator)
    run_id = analysis.run_id
    await finished(world, run_id, out=RESULTS)
    run = await world.workload(run_id)
    assert (run.state, run.kind, run.needs_approval, run.owner.username) == ("completed", "analysis", False, "kim")
    (component,) = world.slurm.submissions[-1].components
    assert (component.gres, component.cpus, component.qos) == ("", 4, "one-normal")
    analysis = await analysis_of(world, run_id)
    assert (analysis.state, analysis.figures, analysis.size_bytes) == (
        "stored",
        {"mean": 25.5},
        sum(map(len, RESULTS.values())),
    )
    manifest = await world.store.get_json("analysis", f"{workload_id}/{run_id}/manifest.json")
    assert [file["path"] for file in manifest["files"]] == sorted(RESULTS)
    assert manifest["lineage"]["operator"] == operator
    assert manifest["lineage"]["image"].startswith("registry.avatar.io/operator-python:1.0@sha256:")
    assert await world.store.get_bytes("analysis", f"{workload_id}/{run_id}/files/page.html") == RESULTS["page.html"]
    assert [model.workload_id for model in await world.models()] == [workload_id], "an analysis makes no model"
    assert (await world.events(workload_id))[-2:] == ["analysis_started", "analysis_completed"]
    state = "workload.state"
    assert await world.actions(run_id) == ["analysis.start", state, "job.submit", state, state, "analysis.save", state]
    told = [(row.kind, row.object_id, row.data) for row in await world.rows(Notice)]
    assert told[-1] == ("analysis_ended", run_id, {"name": run.name, "result": "completed"})
    assert [kind for kind, _, _ in told].count("analysis_ended") == 1


async def test_the_job_reads_the_run_and_nothing_else(world: World, small: dict[str, Any]) -> None:
    workload_id = await completed(world, small)
    run_id = await world.analyse(workload_id, await world.upload(CODE))
    for _ in range(3):
        await world.round()
    job = job_in(world.slurm.submissions[-1].script)
    run_dir = (await world.workload(workload_id)).attempts[0].run_dir
    place = folder_of(world.context.settings, (await analysis_of(world, run_id)).place)
    options = " ".join(job["steps"][0]["container"]["options"])
    for source, target in (
        (place, "/one/operator"),
        (f"{run_dir}/model", "/one/run/model"),
        (f"{run_dir}/steps/TASK-001/CL-REF-002/out", "/one/in/TASK-001/CL-REF-002"),
        (f"{run_dir}/steps/TASK-001/CL-REF-002/metrics.jsonl", "/one/run/metrics/TASK-001/CL-REF-002.jsonl"),
    ):
        assert f'"src={source}","dst={target}","ro"' in options
    assert options.count("--mount") == options.count('"ro"') == 2 + 2 * 5
    assert "training-data" not in options
    assert job["env"] == {"ONE_ANALYSED_RUN": workload_id}
    assert job["config"]["app"]["tasks"][0]["task_id"] == "TASK-001", "/one/config tells of the run that is looked at"


async def test_an_upload_goes_to_s3_and_is_laid_down_only_while_it_is_needed(
    world: World, small: dict[str, Any]
) -> None:
    workload_id = await completed(world, small)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("operator.py", CODE)
        archive.writestr("lib/helper.py", b"x = 1\n")
    operator = await world.upload(held.getvalue(), filename="tools.zip")
    assert len(await world.rows(Upload)) == 1
    world.store.down = True
    run_id = await world.analyse(workload_id, operator)
    for _ in range(3):
        await world.round()
    assert (await world.workload(run_id)).state in {"submitted", "queued"}, "it waits for S3"
    assert len(await world.rows(Upload)) == 1
    world.store.down = False
    for _ in range(3):
        await world.round()
    assert await world.rows(Upload) == []
    (version,) = await world.rows(OperatorVersion)
    assert version.stored_at is not None
    assert world.store.objects["analysis", f"operators/{version.sha256}"] == held.getvalue()
    place = folder_of(world.context.settings, (await analysis_of(world, run_id)).place)
    files = {str(file.relative_to(place)): stat.S_IMODE(file.stat().st_mode) for file in place.rglob("*")}
    assert files == {"operator.py": 0o644, "lib": 0o755, "lib/helper.py": 0o644}
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o711, "nobody lists the others"
    await finished(world, run_id)
    await world.round()
    assert not place.exists()
    assert (await analysis_of(world, run_id)).place == ""


async def test_a_failing_operator_leaves_the_workload_as_it_is(world: World, small: dict[str, Any]) -> None:
    workload_id = await completed(world, small, operator=await world.upload(CODE))
    (analysis,) = await world.rows(Analysis)
    await finished(world, analysis.run_id, fail=analyses.STEP)
    await world.round()
    assert (await world.workload(analysis.run_id)).state == "failed"
    assert (await world.workload(workload_id)).state == "completed"
    assert (await world.events(workload_id))[-1] == "analysis_failed"
    again = await world.analyse(workload_id, operators.reference(analysis.version))
    await finished(world, again, out=RESULTS)
    assert (await analysis_of(world, again)).state == "stored"


async def test_results_past_their_caps_or_refused_are_named(world: World, small: dict[str, Any]) -> None:
    run_id = await world.analyse(await completed(world, small), await world.upload(CODE))
    for _ in range(3):
        await world.round()
    out = Path((await world.workload(run_id)).attempts[0].run_dir, "steps", analyses.STEP, "out")
    out.mkdir(parents=True)
    os.symlink("/etc/passwd", out / "passwd.csv")
    (out / "summary.json").write_text('{"a": [1]}')
    await world.play(run_id)
    for _ in range(2):
        await world.round()
    analysis = await analysis_of(world, run_id)
    assert analysis.manifest is not None
    assert [file["path"] for file in analysis.manifest["files"]] == ["summary.json"]
    assert analysis.manifest["refused"] == [f"steps/{analyses.STEP}/out/passwd.csv: a symbolic link"]
    assert (analysis.figures, analysis.error) == ({}, "summary.json: a: no number and no short text")


async def test_only_ones_own_finished_runs_and_ones_own_operators(world: World, small: dict[str, Any]) -> None:
    waiting = await world.submit(small)
    kims = await world.upload(CODE)
    parks = await world.upload(CODE, who="park")
    with pytest.raises(Conflict, match="completed"):
        await world.analyse(waiting, kims)
    await finished(world, waiting)
    with pytest.raises(Forbidden):
        await world.analyse(waiting, parks, who="park")
    with pytest.raises(Forbidden):
        await world.analyse(waiting, kims, who="admin")
    with pytest.raises(NotFound):
        await world.analyse(waiting, parks)
    with pytest.raises(NotFound):
        await world.submit(small, operator=parks)
    run_id = await world.analyse(waiting, kims)
    await finished(world, run_id)
    with pytest.raises(Conflict, match="run of an App"):
        await world.analyse(run_id, kims)
    with pytest.raises(Conflict, match="one analyses again"):
        async with world.maker() as session:
            await rerun(session, world.actors["kim"], world.context.settings, run_id, RerunRequest())


async def test_the_same_name_is_the_next_version_and_the_same_file_the_same(world: World) -> None:
    first = await world.upload(CODE, name="거리 분석")
    assert await world.upload(CODE, name="거리 분석") == first
    second = await world.upload(CODE + b"# 2\n", name="거리 분석")
    assert (first.split(":")[0], first[-2:], second[-2:]) == (second.split(":")[0], ":1", ":2")
    async with world.maker() as session:
        kim = world.actors["kim"]
        (line,) = await operators.mine(session, kim)
        assert [version.number for version in line.versions] == [2, 1]
        await operators.archive(session, kim, line.operator.id)
        assert await operators.mine(session, kim) == []
        with pytest.raises(Conflict, match="archived"):
            await operators.find(session, kim, second)
        with pytest.raises(NotFound):
            await operators.archive(session, world.actors["park"], line.operator.id, back=True)


async def test_bad_uploads_are_refused_with_every_reason_and_nobody_fills_the_database(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        await world.upload(b"\0", filename="x.zip")
    assert [problem.path for problem in caught.value.problems] == ["file"]
    with pytest.raises(Invalid):
        await world.upload(CODE, name="a\nb")
    for number in range(operators.MAX_WAITING):
        await world.upload(CODE + str(number).encode(), name=f"o{number}")
    with pytest.raises(TooMany):
        await world.upload(b"print(2)", name="one more")
    assert len(await world.rows(Upload)) == operators.MAX_WAITING


async def test_a_site_without_an_image_runs_none(world: World, small: dict[str, Any]) -> None:
    operator = await world.upload(CODE)
    workload_id = await world.submit(small, operator=operator)
    off = world.context.settings.model_copy(update={"operators": Operators()})
    object.__setattr__(world.context, "settings", off)
    await finished(world, workload_id, rewards=RISING)
    assert (await world.events(workload_id))[-1] == "analysis_not_started"
    assert await world.rows(Analysis) == []
    with pytest.raises(Conflict, match=r"operators\.image"):
        await world.upload(CODE)


async def test_a_run_whose_folder_is_gone_says_so(world: World, small: dict[str, Any]) -> None:
    workload_id = await completed(world, small)
    run_dir = Path((await world.workload(workload_id)).attempts[0].run_dir)
    run_dir.rename(run_dir.with_name("elsewhere"))
    run_id = await world.analyse(workload_id, await world.upload(CODE))
    for _ in range(4):
        await world.round()
    run = await world.workload(run_id)
    assert (run.state, run.failure) == ("failed", {"cause": "run_gone", "workload": workload_id})
    assert workload_id in words_of(run.failure or {})[1]


def test_an_operator_does_not_hide_a_module_of_python(tmp_path: Path) -> None:
    """The entry is called operator.py, as a module of the standard library that half of it imports."""
    (tmp_path / "operator.py").write_text(
        "import collections, dataclasses, operator, sys\nimport helper\n"
        "assert operator.itemgetter(0)([7]) == 7\nprint(helper.x, __name__, sys.argv)\n"
    )
    (tmp_path / "helper.py").write_text("x = 'helped'\n")
    words = [word.replace(OPERATOR_AT, str(tmp_path)) for word in COMMAND]
    done = subprocess.run(
        [sys.executable, "-S", *words[1:]], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=True
    )
    assert done.stdout.split()[:2] == ["helped", "__main__"]
