"""The story of a workload in words: its events, the steps' beginnings and ends among them, and advice after a failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from portal.db.models import Event
from portal.services.workloadview import RunView
from portal.web.catalogue import N_

EVENT_WORDS: Final = {
    "state_submitted": N_("Requested"),
    "images_resolved": N_("Images checked and pinned"),
    "state_awaiting_approval": N_("Waits for approval"),
    "state_queued": N_("Entered the queue"),
    "job_submitted": N_("Handed over to Slurm"),
    "state_running": N_("Began to run"),
    "state_saving": N_("Ran to its end; results are being saved"),
    "state_completed": N_("Completed"),
    "state_failed": N_("Failed"),
    "state_cancelled": N_("Cancelled"),
    "state_rejected": N_("Rejected"),
    "cancel_requested": N_("Cancel was asked for"),
    "test_started": N_("Minimal run test started"),
    "test_passed": N_("Test passed"),
    "test_failed": N_("Test failed"),
    "logs_saved": N_("Logs saved"),
    "noted": N_("Use written to AdminComment"),
    "model_saved": N_("Model saved"),
    "no_model": N_("No model was produced"),
    "analysis_started": N_("An Operator looks at it"),
    "analysis_completed": N_("Analysis completed"),
    "analysis_failed": N_("Analysis failed"),
    "analysis_not_started": N_("Its Operator could not be started"),
    "time_limit": N_("The time limit was reached"),
    "changed_outside": N_("Changed in Slurm"),
    "mismatch": N_("Slurm has more than one job of it"),
    "not_reordered": N_("Slurm did not take the new place"),
    "report_refused": N_("The runner's report was not used"),
    "workload_priority": N_("Priority changed"),
    "workload_move": N_("Moved in the queue"),
    "workload_hold": N_("Held"),
    "workload_release": N_("Released"),
    "step_started": N_("Component started"),
    "step_ended": N_("Component ended"),
}
ADVICE: Final = {
    "out_of_memory": N_("Ask for more memory for this component, or make its batches smaller."),
    "time_limit": N_("Raise the time limit, or resume from the checkpoints with a rerun."),
    "node_failure": N_("The node was lost, not your program. Run it again."),
    "image": N_("Check the image's name and tag, then request again."),
    "no_plan": N_("Ask for what the largest node has, or choose another GPU type."),
    "exit": N_("Its last lines above usually name the cause; the whole output is in its log."),
    "signal": N_("The program was ended by a signal; its log tells what it did last."),
    "port_taken": N_("Let the component use ONE_PORT instead of a fixed port."),
    "not_ready": N_("Check what makes the component ready, or allow it more time."),
    "launch": N_("The component could not be launched; run it again, and tell an administrator if that repeats."),
}


@dataclass(frozen=True)
class EventLine:
    """One line of the story; `id` is the event's row, "" for what the runner wrote."""

    id: str
    at: datetime
    source: str
    kind: str
    by: str

    @property
    def word(self) -> str:
        """What happened (a msgid); a kind without words is shown as it is."""
        return EVENT_WORDS.get(self.kind, self.kind)


def story(events: Iterable[Event], view: RunView, source: str) -> tuple[EventLine, ...]:
    """Everything that happened, newest first; `source` keeps only one side's lines."""
    lines = [EventLine(f"event-{one.id}", one.at, one.source, one.kind, one.text) for one in events]
    lines += _steps(view)
    return tuple(sorted((one for one in lines if source in {"", one.source}), key=lambda one: one.at, reverse=True))


def _steps(view: RunView) -> Iterator[EventLine]:
    for step in view.steps:
        if step.started_at is not None:
            yield EventLine(f"began-{step.number}", step.started_at, "runner", "step_started", step.name)
        if step.started_at is not None and step.ended_at is not None:
            yield EventLine(f"ended-{step.number}", step.ended_at, "runner", "step_ended", step.name)


def commands(leader_id: int) -> tuple[str, ...]:
    """What one types to see the same in Slurm, ready to copy."""
    return (
        f"sacct -j {leader_id} --format=JobID,JobName,State,ExitCode,Elapsed,AllocTRES%60",
        f"scontrol show job {leader_id}",
        f"squeue -j {leader_id} -o '%i %T %r %S %N'",
        f"srun --jobid={leader_id} --overlap --pty bash",
    )
