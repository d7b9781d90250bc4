"""What is known only when a job is handed to Slurm: its nonce, its predecessors' ids, the time that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from slurm.submission import Submission


@dataclass(frozen=True)
class JobMark:
    """Which Slurm job this is; written into its name, comment and wckey, so that it can be found again.

    `nonce` is 16 hex digits, new for each intent to submit.
    """

    app_id: str
    workload: str
    attempt: int
    job_index: int
    nonce: str

    @property
    def name(self) -> str:
        """`one-APP-A1B2C3-W-ABC234-a1-j0-0123456789abcdef`."""
        return f"one-{self.app_id}-{self.workload}-a{self.attempt}-j{self.job_index}-{self.nonce}"

    @property
    def comment(self) -> str:
        """`one:W-ABC234:a1:j0:0123456789abcdef`."""
        return f"one:{self.workload}:a{self.attempt}:j{self.job_index}:{self.nonce}"

    @property
    def wckey(self) -> str:
        """`one-app-a1b2c3`; Slurm folds it to lower case."""
        return f"one-{self.app_id}".lower()


def for_hand_over(
    submission: Submission, mark: JobMark, *, predecessors: Sequence[int] = (), time_limit_min: int | None = None
) -> Submission:
    """The submission as Slurm gets it: the same name, comment, dependency and time limit on every component.

    `predecessors` are the numeric leader ids that must have ended well; `time_limit_min` what is left of the workload's.
    """
    return replace(
        submission,
        components=tuple(
            replace(
                component,
                name=mark.name,
                comment=mark.comment,
                wckey=mark.wckey,
                dependency=dependency(predecessors),
                time_limit_min=component.time_limit_min if time_limit_min is None else time_limit_min,
            )
            for component in submission.components
        ),
    )


def dependency(predecessors: Sequence[int]) -> str:
    """Slurm's dependency text: (120, 124) -> "afterok:120:124"; "" for none.

    Source: https://slurm.schedmd.com/sbatch.html#OPT_dependency (26.05): ids of one kind are joined by colons.
    """
    return "".join(["afterok", *(f":{leader}" for leader in predecessors)]) if predecessors else ""
