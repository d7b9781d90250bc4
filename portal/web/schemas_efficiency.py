"""What a run asked for and used, as the API gives it."""

from __future__ import annotations

from typing import Any

from portal.db.models import Attempt
from portal.domain.efficiency import Report
from portal.services import efficiency


def efficiency_documents(attempt: Attempt) -> list[dict[str, Any]]:
    """One a component that began; [] before the run has ended and was measured."""
    return [_document(report) for report in efficiency.reports(attempt)]


def _document(report: Report) -> dict[str, Any]:
    """What one component asked for and used, a node; null: not measured. `maxRssMib` is sacct's."""
    asked, used = report.asked, report.used
    return {
        "step": report.step,
        "asked": {"nodes": asked.nodes, "cpus": asked.cpus, "memoryMib": asked.memory_mib, "gpus": asked.gpus},
        "used": {
            "cores": used.cores,
            "peakMemoryMib": used.peak_memory_mib,
            "maxRssMib": report.max_rss_mib,
            "gpuPercent": used.gpu_percent,
            "gpuMemoryMib": used.gpu_memory_mib,
            "measuredS": used.span_s,
            "samples": used.samples,
        },
        "advice": [{"code": one.code, "textKo": one.ko, "textEn": one.en} for one in report.advice],
    }
