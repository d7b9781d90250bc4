"""What a successful Operator left in /one/out goes to the bucket of analyses, its manifest last."""

from __future__ import annotations

from typing import Any

from portal.daemon.context import Context
from portal.daemon.filecopy import copy_files
from portal.db.engine import reading, transaction
from portal.db.models import Analysis, Attempt, Workload, now
from portal.domain.analysisresult import MAX_SHOWN_BYTES, SUMMARY, Figures, Unshown, figures_of
from portal.rundir import Limits, Listing, Missing, Refused, RunDir
from portal.services import analyses, operators
from portal.services.audit import DAEMON, Action, record
from portal.store import layout

OUT = f"steps/{analyses.STEP}/out"
MAX_FILES = 1000
FORMAT = 1


async def save_analysis(context: Context, run: Workload, attempt: Attempt) -> None:
    """Store the results; a repeated call stores the same again, and one that was finished does nothing.

    A folder past its caps stores nothing; that, and each file that is refused, is named.
    """
    async with reading(context.sessions) as session:
        analysis = await session.get_one(Analysis, run.id)
    if analysis.state != "waiting":
        return
    most = context.settings.operators.results_max_mb << 20
    rundir = context.rundir(attempt.run_dir, run.owner.unix_user or "", Limits(tree_files=MAX_FILES, tree_bytes=most))
    try:
        listing = rundir.tree(OUT)
    except Refused as error:
        listing = Listing((), (error,))
    refused = [str(problem) for problem in listing.refused]
    prefix = layout.analysis_prefix(analysis.workload_id, run.id)
    stored = await copy_files(context, rundir, OUT, listing, (operators.BUCKET, prefix), refused)
    document = {
        "format": FORMAT,
        "created_at": now().isoformat(timespec="seconds"),
        "size_bytes": sum(file.size for file in stored),
        "files": [vars(file) for file in stored],
        "refused": refused,
        "lineage": _lineage(analysis, run, attempt),
    }
    figures, trouble = _figures(rundir)
    await context.store.put_json(operators.BUCKET, prefix + layout.MANIFEST, document)
    await _publish(context, run.id, prefix, document, figures, trouble)


async def _publish(
    context: Context, run_id: str, prefix: str, document: dict[str, Any], figures: Figures, trouble: str
) -> None:
    async with transaction(context.sessions) as session:
        analysis = await session.get_one(Analysis, run_id)
        analysis.state, analysis.stored_at = "stored", now()
        analysis.manifest, analysis.size_bytes = document, document["size_bytes"]
        analysis.bucket, analysis.prefix = f"{context.settings.s3.bucket_prefix}{operators.BUCKET}", prefix
        analysis.figures, analysis.error = dict(figures), trouble
        after = {
            "uri": f"s3://{analysis.bucket}/{prefix}",
            "files": len(document["files"]),
            "refused": document["refused"],
        }
        record(session, DAEMON, Action.ANALYSIS_SAVE, "analysis", run_id, after=after)


def _lineage(analysis: Analysis, run: Workload, attempt: Attempt) -> dict[str, Any]:
    """Which Operator looked at which run, in which image, as whom."""
    (task,) = (run.resolved or {})["tasks"]
    image = task["components"][0]["image"]
    return {
        "analysis": run.id,
        "workload": analysis.workload_id,
        "attempt": analysis.attempt,
        "spec_hash": analysis.workload.spec_hash,
        "operator": operators.reference(analysis.version),
        "operator_name": analysis.version.operator.name,
        "operator_sha256": analysis.version.sha256,
        "image": f"{image['registry']}:{image['tag']}@{image['digest']}",
        "owner": run.owner.username,
        "unix_user": run.owner.unix_user,
        "slurm_jobs": {str(job.leader_id): job.component_ids for job in attempt.jobs},
    }


def _figures(rundir: RunDir) -> tuple[Figures, str]:
    """The figures of summary.json, and why there are none where the file cannot be used."""
    try:
        with rundir.open(f"{OUT}/{SUMMARY}") as file:
            data = file.read(MAX_SHOWN_BYTES + 1)
        if len(data) > MAX_SHOWN_BYTES:
            return {}, f"{SUMMARY}: more than {MAX_SHOWN_BYTES} bytes"
        return figures_of(data), ""
    except Missing:
        return {}, ""
    except Unshown as error:
        return {}, f"{SUMMARY}: {error.why_en}"
    except Refused as error:
        return {}, str(error)
