"""A simulated cluster and its played runners as JSON and back, so that a simulation can be stopped and goes on later.

Only what is needed again is kept: the scripts of jobs that have not ended, and the newest of those that have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from slurm.fake.cluster import FakeCluster, FakeJob
from slurm.fake.played import PlayedRunners, Playing
from slurm.fake.story import Cut
from slurm.submission import Component, Submission

KEPT_ENDED = 500
_SHARED = ("component", "submission")


def fingerprint(cluster: FakeCluster) -> tuple[object, ...]:
    """Changes with everything that people or Slurm can change; what the runners have written is not in it."""
    jobs = ((job.job_id, job.state, job.qos, job.nice, job.held) for job in cluster.jobs.values())
    return (cluster.next_id, tuple(jobs), tuple(cluster.down), tuple(cluster.drained))


def cluster_text(cluster: FakeCluster) -> str:
    """The jobs, by leader, and the nodes' troubles."""
    leaders = [job for job in cluster.jobs.values() if job.is_leader]
    live = [job for job in leaders if any(one.live for one in cluster.components(job.job_id))]
    ended = [job for job in leaders if job not in live]
    kept = [*ended[-KEPT_ENDED:], *live]
    document = {
        "now": cluster.now,
        "next_id": cluster.next_id,
        "down": cluster.down,
        "drained": cluster.drained,
        "jobs": [_job_document(cluster, leader, has_script=leader in live) for leader in kept],
    }
    return json.dumps(document)


def take_up(cluster: FakeCluster, text: str) -> None:
    """Put the jobs of `cluster_text` into a new cluster."""
    document = json.loads(text)
    cluster.now, cluster.next_id = document["now"], document["next_id"]
    cluster.down, cluster.drained = document["down"], document["drained"]
    for kept in document["jobs"]:
        submission = _submission(kept["submission"])
        for fields in kept["components"]:
            component = submission.components[fields["job_id"] - fields["leader_id"]]
            fields["nodes"] = tuple(fields["nodes"])
            cluster.jobs[fields["job_id"]] = FakeJob(**fields, component=component, submission=submission)


def runners_text(runners: PlayedRunners) -> str:
    """How far each running job's story is told."""
    return json.dumps([asdict(playing) for playing in runners.playing.values()])


def take_up_runners(runners: PlayedRunners, text: str) -> None:
    """Go on with the stories of `runners_text`."""
    for fields in json.loads(text):
        cut = fields.pop("cut")
        runners.go_on(Playing(**fields, cut=Cut(**cut) if cut else None))


def _job_document(cluster: FakeCluster, leader: FakeJob, *, has_script: bool) -> dict[str, Any]:
    submission = leader.submission if has_script else replace(leader.submission, script="")
    jobs = [
        {name: value for name, value in vars(job).items() if name not in _SHARED}
        for job in cluster.components(leader.job_id)
    ]
    return {"submission": asdict(submission), "components": jobs}


def _submission(fields: Mapping[str, Any]) -> Submission:
    components = tuple(Component(**component) for component in fields["components"])
    return Submission(**{**fields, "environment": tuple(fields["environment"]), "components": components})
