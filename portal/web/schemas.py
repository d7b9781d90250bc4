"""Rows -> the JSON of the API: a workload with the specification's fields 4.3 and 5.2 letter by letter, and its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from portal.db.models import (
    AliasMove,
    App,
    AppVersion,
    Attempt,
    Event,
    Image,
    LoopTest,
    Model,
    SlurmJob,
    Token,
    User,
    Workload,
)
from portal.domain.approval import TestStatus
from portal.domain.looptest import loop_test
from portal.domain.permissions import ADMIN
from portal.domain.resources_text import resources_text
from portal.services import mapping
from portal.services.audit import Actor
from portal.services.telling import NOTIFY
from portal.spec.load import load_resolved
from portal.web.schemas_efficiency import efficiency_documents

_TRAINING_FIELDS = {
    "episodes": "episodes",
    "learning_rate": "learningRate",
    "batch_size": "batchSize",
    "gamma": "gamma",
    "max_steps_per_episode": "maxStepsPerEpisode",
    "env_config": "envConfig",
    "reward_params": "rewardParams",
    "goal_conditions": "goalConditions",
}
_TEST_RESULTS = ("convergence", "avgReward", "finalReward", "successRate", "avgDuration", "log")


def workload_document(workload: Workload) -> dict[str, Any]:
    """A workload as lists show it."""
    document = {
        "id": workload.id,
        "name": workload.name,
        "kind": workload.kind,
        "state": workload.state,
        "phase": workload.phase,
        "unknownSince": time_text(workload.unknown_since),
        "decision": workload.decision,
        "decidedAt": time_text(workload.decided_at),
        "rejectReason": workload.reject_reason,
        "priority": workload.priority,
        "held": workload.held,
        "appId": workload.app_id,
        "appVersion": workload.app_version,
        "owner": _person(workload.owner),
        "resources": resources_text(load_resolved(workload.resolved or workload.spec)),
        "specHash": workload.spec_hash,
        "timeLimitMin": workload.time_limit_min,
        "note": workload.note,
        "submittedAt": time_text(workload.submitted_at),
        "queuedAt": time_text(workload.queued_at),
        "startedAt": time_text(workload.started_at),
        "endedAt": time_text(workload.ended_at),
        "cancelRequestedAt": time_text(workload.cancel_requested_at),
        "cancelReason": workload.cancel_reason,
        "failure": workload.failure,
        "rerunOf": workload.rerun_of,
        "operator": workload.options.get("operator"),
        "notify": workload.options.get(NOTIFY, []),
        "slurmJobs": [_job(attempt, job) for attempt in workload.attempts for job in attempt.jobs],
    }
    return {**document, **_training(workload), **_approval(workload)}


def workload_detail(workload: Workload, actor: Actor) -> dict[str, Any]:
    """One workload in full: what runs and what became of every attempt; the run directory for its owner and admins."""
    inside = actor.role == ADMIN or actor.user_id == workload.owner_id
    return {
        **workload_document(workload),
        "spec": workload.resolved or workload.spec,
        "attempts": [_attempt(attempt, with_path=inside) for attempt in workload.attempts],
    }


def loop_test_document(test: LoopTest | None) -> dict[str, Any]:
    """The specification's loopTest (5.2); pending while nothing was run."""
    if test is None:
        return loop_test(TestStatus.PENDING)
    results = {name: value for name, value in (test.results or {}).items() if name in _TEST_RESULTS}
    return loop_test(
        TestStatus(test.status),
        episodes=test.episodes,
        results=results or None,
        executed_by=test.executed_by.username,
        executed_at=test.executed_at,
    )


def event_document(event: Event) -> dict[str, Any]:
    """One line of a workload's history."""
    return {
        "id": event.id,
        "at": time_text(event.at),
        "source": event.source,
        "kind": event.kind,
        "text": event.text,
        "data": event.data,
    }


def app_document(app: App) -> dict[str, Any]:
    """An App without its versions."""
    return {
        "id": app.id,
        "name": app.name,
        "owner": _person(app.owner),
        "visibility": app.visibility,
        "shareLogs": app.share_logs,
        "createdAt": time_text(app.created_at),
        "archivedAt": time_text(app.archived_at),
    }


def version_document(version: AppVersion, *, with_spec: bool) -> dict[str, Any]:
    """One App version, with the spec file as it was given if asked for."""
    document = {
        "appId": version.app_id,
        "version": version.version,
        "contentSha256": version.content_sha256,
        "createdAt": time_text(version.created_at),
    }
    return {**document, "spec": version.spec} if with_spec else document


def model_document(model: Model, aliases: Sequence[str]) -> dict[str, Any]:
    """A stored model, without its manifest."""
    return {
        "appId": model.app_id,
        "version": model.version,
        "name": model.name,
        "aliases": list(aliases),
        "workloadId": model.workload_id,
        "workloadName": model.workload.name,
        "state": model.state,
        "asked": model.asked,
        "error": model.error,
        "sizeBytes": model.size_bytes,
        "uri": f"s3://{model.bucket}/{model.prefix}",
        "createdAt": time_text(model.created_at),
        "archivedAt": time_text(model.archived_at),
    }


def alias_document(move: AliasMove) -> dict[str, Any]:
    """One move of an alias; a version of null is nowhere."""
    return {
        "alias": move.alias,
        "from": move.from_version,
        "version": move.version,
        "reason": move.reason,
        "by": move.moved_by.username,
        "at": time_text(move.at),
    }


def image_document(image: Image) -> dict[str, Any]:
    """An image and its conversion."""
    return {
        "digest": image.digest,
        "reference": image.reference,
        "state": image.state,
        "progress": image.progress,
        "error": image.error,
        "sizeBytes": image.size_bytes,
        "createdAt": time_text(image.created_at),
        "convertedAt": time_text(image.converted_at),
        "usedAt": time_text(image.used_at),
    }


def user_document(user: User, actor: Actor) -> dict[str, Any]:
    """The asker himself, with what his token may do."""
    return {
        "username": user.username,
        "displayName": user.display_name,
        "email": user.email,
        "role": user.role,
        "scopes": sorted(actor.scopes),
        "unixUser": user.unix_user,
        "slurmAccount": user.slurm_account,
    }


def person_document(user: User) -> dict[str, Any]:
    """A person as admins see one; `mapping` is null without a Slurm mapping."""
    return {
        "username": user.username,
        "displayName": user.display_name,
        "email": user.email,
        "role": user.role,
        "active": user.active,
        "unixUser": user.unix_user,
        "slurmAccount": user.slurm_account,
        "mapping": mapping.shown_state(user) or None,
        "mappingCheckedAt": time_text(user.mapping_checked_at),
        "mappingSays": user.mapping_says,
        "signedInAt": time_text(user.signed_in_at),
        "createdAt": time_text(user.created_at),
    }


def token_document(token: Token) -> dict[str, Any]:
    """A token without its value, which nobody has any more."""
    return {
        "id": token.id,
        "user": token.user.username,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "createdAt": time_text(token.created_at),
        "expiresAt": time_text(token.expires_at),
        "lastUsedAt": time_text(token.last_used_at),
        "lastAddress": token.last_address,
        "revokedAt": time_text(token.revoked_at),
    }


def _training(workload: Workload) -> dict[str, Any]:
    """Fields of 4.3; a general workload has no trainingConfig."""
    config = (workload.resolved or workload.spec).get("training_config")
    if workload.kind != "rl" or config is None:
        return {"isTrainingRequest": False}
    shown = {ours: config[theirs] for theirs, ours in _TRAINING_FIELDS.items() if theirs in config}
    return {"isTrainingRequest": True, "trainingConfig": shown}


def _approval(workload: Workload) -> dict[str, Any]:
    """Fields of 5.2; loopTest exists only where approval is needed."""
    if not workload.needs_approval:
        return {"needsApproval": False}
    document: dict[str, Any] = {
        "needsApproval": True,
        "approvalReasons": workload.approval_reasons,
        "loopTest": loop_test_document(workload.test),
    }
    if workload.test is not None:
        known = {name: value for name, value in (workload.test.results or {}).items() if name not in _TEST_RESULTS}
        document["testRun"] = {"workloadId": workload.test.run_id, "size": workload.test.size, "details": known}
    return document


def _attempt(attempt: Attempt, *, with_path: bool) -> dict[str, Any]:
    document = {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "report": attempt.report,
        "createdAt": time_text(attempt.created_at),
        "startedAt": time_text(attempt.started_at),
        "endedAt": time_text(attempt.ended_at),
        "efficiency": efficiency_documents(attempt),
    }
    return {**document, "runDir": attempt.run_dir} if with_path else document


def _job(attempt: Attempt, job: SlurmJob) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "index": job.job_index,
        "jobId": job.leader_id,
        "componentIds": job.component_ids,
        "name": job.name,
        "afterJobs": job.after_jobs,
        "status": job.status,
        "state": job.state,
        "reason": job.reason,
        "qos": job.applied_qos,
        "nice": job.applied_nice,
        "slurmPriority": job.slurm_priority,
        "changedOutsideAt": time_text(job.changed_outside_at),
        "estimatedStart": time_text(job.estimated_start),
        "submittedAt": time_text(job.submitted_at),
        "startedAt": time_text(job.started_at),
        "endedAt": time_text(job.ended_at),
    }


def _person(user: User) -> dict[str, str]:
    return {"username": user.username, "displayName": user.display_name}


def time_text(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, milliseconds: 2026-02-09T05:30:00.000Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
