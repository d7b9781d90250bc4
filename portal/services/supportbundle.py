"""A zip for whoever helps: what was asked, planned and reported, the events, the ends of the logs, the Slurm ids; no secrets.

Values whose name says that they are secret are masked, in the spec and in the logs' lines; names stay, so that one sees that
something was set. What cannot be read now is named in the bundle instead of failing it.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Event, SlurmJob, Workload, now
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import logs, workloads
from portal.services.access import demand, workload_facts
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.logwindow import window_before
from portal.services.planning import names_of, plan_of
from portal.settings import Settings
from portal.spec.load import load_resolved
from portal.store.s3 import ObjectStore
from slurm.plan.explain import explain

TAIL_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024
"""Of all logs' ends together, before they are compressed."""
MASK = "(masked)"
_SECRET_NAME = re.compile(r"(?i)token|secret|passw|credential|api_?key|access_?key|private_?key|authorization")
_SECRET_IN_LINE = re.compile(
    r"(?i)((?:[\w-]*(?:token|secret|passw(?:or)?d|credential|api[_-]?key|access[_-]?key|private[_-]?key)[\w-]*)[\"']?\s*[=:]\s*"
    r"|authorization:\s*\w+\s+)[^\s,;]+"
)


async def bundle(
    session: AsyncSession, actor: Actor, settings: Settings, store: ObjectStore, workload_id: str
) -> tuple[str, bytes]:
    """The file's name and its bytes. Raises NotFound, Forbidden."""
    workload = await workloads.get(session, actor, workload_id)
    demand(actor, Permission.WORKLOAD_ARCHIVE, workload_facts(workload), role=RESEARCHER)
    events = await workloads.events(session, actor, workload.id)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in _documents(workload, events).items():
            archive.writestr(f"{workload.id}/{name}", json.dumps(document, ensure_ascii=False, indent=2, default=str))
        async for name, text in _logs(session, actor, settings, store, workload):
            archive.writestr(f"{workload.id}/logs/{name}", text)
        archive.writestr(f"{workload.id}/README.txt", _readme(workload, actor))
    return f"{workload.id}-support.zip", held.getvalue()


def masked(value: Any, name: str = "") -> Any:
    """The value without what a name like TOKEN or password gives away, however deep."""
    if name and _SECRET_NAME.search(name) and not isinstance(value, Mapping):
        return MASK
    if isinstance(value, Mapping):
        return {key: masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """Lines without what follows `token=`, `password:` and the like."""
    return _SECRET_IN_LINE.sub(lambda found: found.group(1) + MASK, text)


def _documents(workload: Workload, events: list[Event]) -> dict[str, Any]:
    documents: dict[str, Any] = {
        "workload.json": _workload(workload),
        "spec.json": masked(workload.resolved or workload.spec),
        "events.json": [
            {
                "at": _time(event.at),
                "source": event.source,
                "kind": event.kind,
                "text": event.text,
                "data": masked(event.data),
            }
            for event in events
        ],
        "slurm.json": [_job(attempt, job) for attempt in workload.attempts for job in attempt.jobs],
    }
    names = names_of(load_resolved(workload.resolved or workload.spec))
    for attempt in workload.attempts:
        words, _korean = explain(plan_of(attempt.plan), names)
        documents[f"a{attempt.number}/plan.json"] = {"words": words, "plan": attempt.plan}
        documents[f"a{attempt.number}/report.json"] = masked(attempt.report)
    return documents


def _workload(workload: Workload) -> dict[str, Any]:
    plain = (
        "id",
        "name",
        "kind",
        "app_id",
        "app_version",
        "state",
        "phase",
        "decision",
        "priority",
        "held",
        "spec_hash",
    )
    times = ("submitted_at", "queued_at", "started_at", "ended_at", "unknown_since", "cancel_requested_at")
    return {
        **{name: getattr(workload, name) for name in plain},
        **{name: _time(getattr(workload, name)) for name in times},
        "owner": workload.owner.username,
        "unix_user": workload.owner.unix_user,
        "time_limit_min": workload.time_limit_min,
        "options": masked(workload.options),
        "failure": masked(workload.failure),
        "rerun_of": workload.rerun_of,
    }


def _job(attempt: Attempt, job: SlurmJob) -> dict[str, Any]:
    plain = (
        "job_index",
        "name",
        "leader_id",
        "component_ids",
        "after_jobs",
        "status",
        "state",
        "reason",
        "applied_qos",
    )
    times = ("submitted_at", "started_at", "ended_at", "estimated_start")
    return {
        "attempt": attempt.number,
        "run_dir": attempt.run_dir,
        **{name: getattr(job, name) for name in plain},
        **{name: _time(getattr(job, name)) for name in times},
        "accounting": job.accounting,
    }


async def _logs(
    session: AsyncSession, actor: Actor, settings: Settings, store: ObjectStore, workload: Workload
) -> AsyncIterator[tuple[str, str]]:
    """The end of every log of the newest attempt; where they cannot be read, a file that says why."""
    left = MOST_BYTES
    try:
        found = await logs.open_logs(session, actor, settings, store, workload.id)
        for file in found.files:
            if left <= 0:
                yield "more.txt", f"Left out beyond {MOST_BYTES} bytes.\n"
                return
            window = await window_before(found, file, limit=min(TAIL_BYTES, left))
            left -= len(window.data)
            yield file.path, masked_text(window.text)
    except ServiceError as error:
        yield "unreadable.txt", f"{error.message_en}\n{error.message_ko}\n"


def _readme(workload: Workload, actor: Actor) -> str:
    return (
        f"Support bundle of {workload.id}, made by {actor.name} at {_time(now())}.\n"
        f"Logs are their last {TAIL_BYTES // 1024} KB. Values named like secrets are {MASK}; look before you pass it on.\n"
    )


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
