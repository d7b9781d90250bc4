"""What Slurm's accounting says of jobs: one row for every het group and step, as `sacct` prints them for an admin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from lab.hosts import on, until

FIELDS = ("JobID", "JobName", "User", "State", "ExitCode", "Elapsed", "NodeList", "AllocTRES")
LIVE = frozenset({"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"})
SETTLED_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Row:
    """A line of sacct: `12+1|one-APP-...|kim|CANCELLED by 2001|0:0|00:01:10|gpu1|billing=8,cpu=8,gres/gpu:a100=4,...`."""

    job: str
    name: str
    user: str
    state: str
    exit_code: str
    elapsed: str
    nodes: str
    tres: str

    @property
    def is_step(self) -> bool:
        """Whether it is a step (`12+1.3`), not a het group (`12+1`) or a plain job."""
        return "." in self.job

    @property
    def word(self) -> str:
        """The state without who did it: CANCELLED of `CANCELLED by 2001`."""
        return self.state.split()[0]


def rows(leaders: Sequence[int]) -> list[Row]:
    """All rows of these jobs as accounting has them now. Raises LabTrouble."""
    ids = ",".join(str(leader) for leader in leaders)
    text = on("ctl", "sacct", "--parsable2", "--noheader", f"--jobs={ids}", f"--format={','.join(FIELDS)}")
    return [Row(*line.split("|")) for line in text.splitlines()]


def settled_rows(leaders: Sequence[int]) -> list[Row]:
    """The rows once none is live any more: accounting lags a little behind. Raises LabTrouble."""

    def ended() -> list[Row] | None:
        found = rows(leaders)
        return found if found and not any(row.word in LIVE for row in found) else None

    return until(f"the end of jobs {list(leaders)} in sacct", ended, timeout_s=SETTLED_TIMEOUT_S)


def table(found: Sequence[Row]) -> str:
    """The rows in columns under sacct's own headings."""
    lines = [FIELDS, *(astuple(row) for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(FIELDS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
