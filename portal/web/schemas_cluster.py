"""The cluster's side in JSON: plans, reasons, queue lines, nodes, status, checkups."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from portal.db.models import Checkup, Repair
from portal.domain import reasons
from portal.domain.approval import approval_sentence
from portal.domain.findings import Finding, words_of
from portal.domain.repairs import offers
from portal.services import doctor
from portal.services.cluster import Amount, ClusterView, NodeView
from portal.services.gpuuse import GpuUse, by_type
from portal.services.maintenance import Notice
from portal.services.planning import PlanPreview
from portal.services.queueentry import QueueEntry
from portal.services.why import Why
from portal.services.workloads import DryRun
from portal.web.language import Language
from portal.web.problems import problem_document
from portal.web.schemas import time_text


def preview_document(preview: PlanPreview, language: Language) -> dict[str, Any]:
    """A plan as data and in words; `scripts`, one a Slurm job, where they were asked for."""
    words = preview.words_ko if language == "ko" else preview.words_en
    return {"plan": preview.plan, "words": list(words), "scripts": list(preview.scripts)}


def dry_run_document(found: DryRun, language: Language) -> dict[str, Any]:
    """What a submit would become."""
    korean = language == "ko"
    sentence_ko, sentence_en = approval_sentence(found.approval)
    return {
        **preview_document(found.preview, language),
        "kind": found.kind,
        "needsApproval": bool(found.approval),
        "approvalReasons": [reason.as_json() for reason in found.approval],
        "approval": sentence_ko if korean else sentence_en,
        "problems": [problem_document(problem, language) for problem in found.warnings],
    }


def why_document(why: Why, language: Language) -> dict[str, Any]:
    """Why a workload is where it is; `kind` is the class: turn, resources, limit, hold, never, running, ended."""
    return {
        "kind": why.kind,
        "code": why.code,
        "text": why.text_ko if language == "ko" else why.text_en,
        "position": why.position,
        "estimatedStart": time_text(why.estimated_start),
    }


def queue_document(entry: QueueEntry, language: Language) -> dict[str, Any]:
    """One waiting line; a private workload of others has neither id nor name."""
    korean = language == "ko"
    private = "비공개 워크로드" if korean else "Private workload"
    return {
        "order": entry.order,
        "id": entry.workload_id,
        "name": private if entry.private else entry.name,
        "private": entry.private,
        "external": entry.phase == "external",
        "priority": entry.priority,
        "resources": entry.resources,
        "applicant": entry.applicant,
        "state": entry.state,
        "phase": entry.phase,
        "submittedAt": time_text(entry.submitted_at),
        "slurmId": entry.slurm_id,
        "slurmPriority": entry.slurm_priority,
        "reasonCode": entry.slurm_reason,
        "reason": _reason(entry, korean=korean),
        "estimatedStart": time_text(entry.estimated_start),
        "held": entry.held,
        "changedOutsideAt": time_text(entry.changed_outside_at),
        "applying": entry.applying,
    }


def cluster_document(view: ClusterView, gpus: GpuUse | None) -> dict[str, Any]:
    """All nodes and the sums over them; memory in MiB; `used` null is not measured.

    `gpuUse` is what Prometheus tells of the GPUs; null where the site has none.
    """
    told = by_type(view, gpus) if gpus else {}
    for label, use in told.items():
        view.gpus[label].used = min(use.busy, view.gpus[label].allocated)
    return {
        "at": time_text(view.at),
        "unreachableSince": time_text(view.unreachable_since),
        "fakeGpus": view.fake_gpus,
        "simulated": view.simulated,
        "gpus": {label: asdict(amount) for label, amount in view.gpus.items()},
        "shares": {label: asdict(amount) for label, amount in view.shares.items()},
        "cpus": asdict(view.cpus),
        "memoryMib": asdict(view.memory_mib),
        "nodes": [_node(node) for node in view.nodes],
        "gpuUse": gpus and _gpu_use(gpus),
    }


def _gpu_use(gpus: GpuUse) -> dict[str, Any]:
    readings = [{**asdict(one), "busy": one.is_busy, "simulated": one.is_simulated} for one in gpus.readings]
    return {"at": gpus.at and time_text(gpus.at), "problem": gpus.problem, "readings": readings}


def status_document(found: dict[str, Any]) -> dict[str, Any]:
    """Slurm's version and road, freshness, and workloads by state."""
    slurm = found["slurm"]
    return {
        "slurm": slurm
        and {
            "slurm": slurm["slurm"],
            "road": slurm["road"],
            "roadReason": slurm["road_reason"],
            "rest": slurm["rest"],
            "problems": slurm["problems"],
            "unknownKeys": slurm["unknown_keys"],
        },
        "at": time_text(found["snapshot_at"]),
        "unreachableSince": time_text(found["unreachable_since"]),
        "fakeGpus": found["fake_gpus"],
        "simulated": found["simulated"],
        "workloads": found["workloads"],
    }


def maintenance_document(notice: Notice | None, language: Language) -> dict[str, Any]:
    """Whether hand-over is stopped; `text` says so in a sentence, empty while it is not."""
    if notice is None:
        return {"on": False, "since": None, "by": None, "reason": None, "text": ""}
    text = notice.text_ko if language == "ko" else notice.text_en
    return {"on": True, "since": time_text(notice.since), "by": notice.by, "reason": notice.reason, "text": text}


def _reason(entry: QueueEntry, *, korean: bool) -> str:
    if not entry.slurm_reason or entry.slurm_reason == "None":
        return ""
    reason = reasons.explain(entry.slurm_reason, reasons.Facts(ahead=entry.order - 1))
    return reason.text_ko if korean else reason.text_en


def _node(node: NodeView) -> dict[str, Any]:
    def amounts(found: dict[str, Amount]) -> dict[str, Any]:
        return {label: asdict(amount) for label, amount in found.items()}

    return {
        "name": node.name,
        "state": node.state,
        "slurmState": node.slurm_state,
        "reason": node.reason,
        "reasonUser": node.reason_user,
        "reasonAt": node.reason_at,
        "partitions": list(node.partitions),
        "gpus": amounts(node.gpus),
        "shares": amounts(node.shares),
        "cpus": asdict(node.cpus),
        "memoryMib": asdict(node.memory_mib),
    }


def checkup_document(checkup: Checkup, language: Language) -> dict[str, Any]:
    """A checkup with what it found; `findings` are addressed by `kind` and `id`."""
    return {
        "id": checkup.id,
        "state": checkup.state,
        "askedAt": time_text(checkup.asked_at),
        "doneAt": time_text(checkup.done_at),
        "reconcile": checkup.reconcile,
        "contents": checkup.contents,
        "days": checkup.days,
        "parts": checkup.parts or [],
        "compared": checkup.compared or {},
        "findings": [_finding(finding, language) for finding in doctor.findings_of(checkup)],
    }


def _finding(finding: Finding, language: Language) -> dict[str, Any]:
    message, cure = words_of(finding, language)
    return {
        "code": finding.code.value,
        "kind": finding.kind,
        "id": finding.id,
        "workload": finding.about or None,
        "system": finding.system,
        "portal": finding.portal,
        "other": finding.other,
        "message": message,
        "cure": cure,
        "offers": [
            {"side": offer.side.value, "says": offer.ko if language == "ko" else offer.en} for offer in offers(finding)
        ],
    }


def repair_document(repair: Repair) -> dict[str, Any]:
    """One side of a mismatch that the daemon is to take, or took."""
    return {
        "id": repair.id,
        "state": repair.state,
        "askedAt": time_text(repair.asked_at),
        "askedBy": repair.asked_by.username,
        "doneAt": time_text(repair.done_at),
        "code": repair.code,
        "object": repair.object_id,
        "workload": repair.workload_id or None,
        "side": repair.side,
        "result": repair.result,
    }
