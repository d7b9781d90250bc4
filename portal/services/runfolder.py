"""The one way from an attempt's row to the reader of its run directory, whose files must be its owner's."""

from __future__ import annotations

import pwd
from pathlib import Path

from portal.db.models import Attempt, Workload
from portal.rundir import Refused, RunDir
from portal.settings import Settings


def run_folder(settings: Settings, workload: Workload, attempt: Attempt) -> RunDir:
    """The reader of an attempt's run directory. Raises Refused when its Unix user is gone, or it lies elsewhere."""
    unix_user, runs = workload.owner.unix_user or "", settings.storage.runs
    try:
        uid = pwd.getpwnam(unix_user).pw_uid
    except KeyError as error:
        raise Refused(attempt.run_dir, f"there is no Unix user {unix_user!r}") from error
    try:
        relative = str(Path(attempt.run_dir).relative_to(runs))
    except ValueError as error:
        raise Refused(attempt.run_dir, f"it does not lie below {runs}") from error
    return RunDir(runs, relative, uid)
