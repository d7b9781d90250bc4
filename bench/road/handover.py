"""Hand-over: workloads through daemon, PostgreSQL and agent to Slurm, beside plain REST submissions of the same hetjobs."""

from __future__ import annotations

import secrets
from statistics import quantiles

from pydantic import TypeAdapter

from bench.figures import Figure, Part
from bench.road.lab import (
    folder,
    nothing_starts,
    number,
    post,
    program,
    quoted,
    small_app,
    sql,
    until,
)
from containers.image import ImageConfig
from lab.hosts import on
from portal.compile import JobMark, RunnableImage, RunRequest, compile_run, for_hand_over, resolve
from portal.domain.priority import Place
from portal.services.site import site_policy
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.load import load_resolved
from slurm.inventory import inventory_from
from slurm.records import Snapshot
from slurm.submission import Submission

CONNECTIONS = 8
ROUNDS = 2
FIRST = 64
"""Two batches of the daemon, begun while the agent was away and looked for first: the clock starts after them."""
DIGEST = "sha256:" + "0" * 64


def measure(count: int) -> Part:
    """`count` hand-overs and as many plain submissions in turns, then `count` from POST to the committed row."""
    app = f"APP-B{secrets.token_hex(4).upper()}"
    template = folder() / "template.json"
    template.write_bytes(TypeAdapter(Submission).dump_json(same_hetjob(app)))
    plain, handed, share = [], [], count // ROUNDS
    with nothing_starts():
        _warm(app)
        for turn in range(ROUNDS):
            plain.append(_plain(share, f"one-bench-{app}-{turn}"))
            handed.append(_handed_over(app, share))
        plain.append(_plain(share, f"one-bench-{app}-last"))
        rate, posts = _from_post(app, count)
    baseline, through = sum(plain) / len(plain), len(handed) / sum(1 / one for one in handed)
    p95 = quantiles(posts, n=20)[-1] * 1000
    return Part(
        "handover",
        f"Hand-over of {count:,} hetjobs of two groups, script {len(same_hetjob(app).script) // 1024} KiB",
        (
            Figure(f"plain REST over {CONNECTIONS} connections", baseline, "jobs/s", note=_each(plain)),
            Figure("daemon, PostgreSQL, agent: every row committed", through, "jobs/s", note=_each(handed)),
            Figure("ratio", through / baseline, "", at_least=0.8),
            Figure("end to end from the first POST", rate, "jobs/s"),
            Figure("ratio, end to end", rate / baseline, "", at_least=0.25),
            Figure("POST /workloads meanwhile, p95", p95, "ms", at_most=150),
        ),
    )


def _each(rates: list[float]) -> str:
    return "turns: " + ", ".join(f"{rate:.1f}" for rate in rates)


def same_hetjob(app: str) -> Submission:
    """What the daemon makes of the App, compiled here from the portal's own snapshot."""
    taken = TypeAdapter(Snapshot).validate_json(sql("select snapshot from cluster_state where id = 1")[0][0])
    settings = Settings()
    spec = load_resolved(small_app(app))
    pinned = resolve(spec, {component.image.reference: DIGEST for _path, _task, component in components_of(spec)})
    request = RunRequest(
        workload="W-BENCH1",
        attempt=1,
        spec=pinned,
        owner="kim",
        account="lab",
        place=Place(settings.slurm.qos_normal, settings.slurm.nice_base),
        time_limit_min=settings.policy.time_limit_min,
    )
    inventory = inventory_from(taken.nodes, taken.partitions, {"tesla_v100": "V100"})
    images = {DIGEST: RunnableImage(f"{settings.storage.images}/bench.sif", ImageConfig(entrypoint=("/main",)))}
    run = compile_run(request, inventory, images, site_policy(settings))
    return for_hand_over(run.jobs[0].submission, JobMark(app, "W-BENCH1", 1, 0, "0" * 16))


def _warm(app: str) -> None:
    """The first workload also converts images; it is not counted."""
    made = post(small_app(app), 1, connections=1)
    until("the first workload is in Slurm", lambda: _submitted(made.ids) == 1)


def _plain(count: int, mark: str) -> float:
    """Submissions a second, without anything around them."""
    answer = program("plain", "/shared/bench/template.json", str(count), str(CONNECTIONS), mark)
    if answer["submitted"] != count:
        raise RuntimeError(f"plain REST: {answer['submitted']} of {count} were taken")
    return count / float(answer["seconds"])


def _handed_over(app: str, count: int) -> float:
    """Hand-overs a second of workloads that are all ready: the agent is away until they are."""
    on("svc", "systemctl", "stop", "one-agent")
    made = post(small_app(app), count, connections=4)
    queued = f"select count(*) from workloads where state = 'queued' and id in ({quoted(made.ids)})"
    until(f"{count} workloads are ready", lambda: number(queued) == count)
    on("svc", "systemctl", "start", "one-agent")
    until(f"{count} workloads are in Slurm", lambda: _submitted(made.ids) == count)
    moments = sorted(_moments(made.ids))
    return (count - FIRST) / (moments[-1] - moments[FIRST - 1])


def _from_post(app: str, count: int) -> tuple[float, list[float]]:
    """Hand-overs a second from the first POST to the last committed row, and how long each POST took."""
    made = post(small_app(app), count, connections=4)
    until(f"{count} workloads are in Slurm", lambda: _submitted(made.ids) == count)
    return count / (max(_moments(made.ids)) - made.began), made.seconds


def _submitted(ids: list[str]) -> int:
    return len(_moments(ids))


def _moments(ids: list[str]) -> list[float]:
    """When each Slurm job of these workloads was handed over, in epoch seconds."""
    found = sql(
        "select extract(epoch from j.submitted_at) from slurm_jobs j join attempts a on a.id = j.attempt_id"
        f" where j.status = 'submitted' and a.workload_id in ({quoted(ids)})"
    )
    return [float(row[0]) for row in found]
