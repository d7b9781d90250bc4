"""Exit codes of `one`, as docs/cli.md lists them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell apart."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_PERMITTED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    INVALID = 7
    UNAVAILABLE = 8
    CANCELLED = 10
    REJECTED = 11
    DETACHED = 130


_BY_STATUS = {
    401: Exit.NOT_SIGNED_IN,
    403: Exit.NOT_PERMITTED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    413: Exit.INVALID,
    422: Exit.INVALID,
    429: Exit.UNAVAILABLE,
    503: Exit.UNAVAILABLE,
}
_BY_STATE = {"completed": Exit.OK, "failed": Exit.FAILED, "cancelled": Exit.CANCELLED, "rejected": Exit.REJECTED}
ENDED_STATES = frozenset(_BY_STATE)


def exit_of_status(status: int) -> Exit:
    """For an HTTP status that is not success."""
    return _BY_STATUS.get(status, Exit.FAILED)


def exit_of_state(state: str) -> Exit:
    """For the state in which a workload ended."""
    return _BY_STATE[state]


class CliError(Exception):
    """Ends the command with `exit_code`; `lines` go to stderr as they are."""

    def __init__(self, exit_code: Exit, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.exit_code = exit_code
        self.lines = lines
