"""Analyses to look at: figures of two runs to compare, a failing Operator, one on its way, and what is only handed out."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable

from portal.db.models import Workload
from portal.serve.demo import OPERATOR
from portal.services import analyses
from tests.daemon.world import World


def results(top: float) -> dict[str, bytes]:
    """What a reward Operator leaves."""
    points = [(number, round(top * (1 - math.exp(-number / 8)), 2)) for number in range(1, 26)]
    lower = [(x, round(y * 0.8, 2)) for x, y in points]
    chart = {
        "title": "구간별 보상",
        "x": "구간",
        "y": "보상",
        "lines": [{"name": "평균", "points": points}, {"name": "하위 10%", "points": lower}],
    }
    table = "구간,평균 보상,하위 10%\n" + "".join(
        f"{x},{y},{low}\n" for (x, y), (_, low) in zip(points, lower, strict=True)
    )
    figures = {"mean_reward": round(top * 0.91, 2), "best_reward": top, "stable": top > 92, "component": "rl-agent"}
    return {
        "summary.json": json.dumps(figures).encode(),
        "reward.chart.json": json.dumps(chart, ensure_ascii=False).encode(),
        "rewards.csv": table.encode(),
        "settings.json": b'{"window": 25, "quantile": 0.1}',
        "report.html": b"<h1>report</h1><script>alert(1)</script>",
        "states.pkl": b"\x80\x04.",
    }


async def lay(world: World, run: Callable[..., Awaitable[None]]) -> None:
    """kim looks at her runs of Policy-Search."""
    code = OPERATOR.read_bytes()
    operator = await world.upload(code, filename=OPERATOR.name, name="보상 요약")
    other = await world.upload(code + b"# drift\n", filename="drift_check.py", name="드리프트 점검")
    runs = [one for one in await world.rows(Workload) if one.app_id == "APP-POLICY" and one.kind == "rl"]
    for workload, top in zip(sorted(runs, key=lambda one: one.name), (91.0, 95.0), strict=False):
        found = await world.analyse(workload.id, operator)
        await run(world, found, out=results(top))
    failed = await world.analyse(runs[0].id, other)
    await run(world, failed, fail=analyses.STEP)
