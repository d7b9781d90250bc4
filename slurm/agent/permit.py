"""What the agent's configuration allows: whose jobs, on which partitions, accounts and QOS."""

from __future__ import annotations

import grp
import os
import pwd
import re

from slurm.agent.config import Powers
from slurm.errors import NotPermitted, SlurmRefused
from slurm.submission import MAX_COMPONENTS, Component, Submission

_NAME = re.compile(r"one-[A-Za-z0-9._-]{1,190}")
_GRES = re.compile(r"(gpu(:[A-Za-z0-9_.-]+)?|shard):[1-9][0-9]{0,6}")
_DEPENDENCY = re.compile(r"(after|afterany|afterok)(:[1-9][0-9]*)+(,(after|afterany|afterok)(:[1-9][0-9]*)+)*")
_CONSTRAINT = re.compile(r"[A-Za-z0-9_.&|()\[\]*,-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORBIDDEN_VARIABLES = ("SLURM_", "SBATCH_", "LD_")
"""SLURM_JWT in a job breaks every srun of it and gives the token away (measured); LD_* would change the runner."""


def check_submission(config: Powers, submission: Submission) -> None:
    """Raises NotPermitted, or SlurmRefused for more components than a hetjob can have."""
    check_owner(config, submission.owner)
    if not 1 <= len(submission.components) <= MAX_COMPONENTS:
        raise SlurmRefused(f"a job has 1 to {MAX_COMPONENTS} components, not {len(submission.components)}")
    for component in submission.components:
        _check_component(config, component)
    _check_equal(submission)
    _check_job(submission)


def check_owner(config: Powers, owner: str) -> None:
    """Raises NotPermitted unless this is an ordinary Unix user in the users' group."""
    try:
        user = pwd.getpwnam(owner)
        group = grp.getgrnam(config.users_group)
    except (KeyError, ValueError) as error:
        raise NotPermitted(f"no Unix user {owner!r} or no group {config.users_group} on this host") from error
    if user.pw_uid < config.min_uid:
        raise NotPermitted(f"{owner} has uid {user.pw_uid}, below {config.min_uid}")
    if group.gr_gid not in os.getgrouplist(owner, user.pw_gid):
        raise NotPermitted(f"{owner} is not in the group {config.users_group}")


def check_listed(what: str, value: str, allowed: frozenset[str]) -> None:
    """Raises NotPermitted unless the value is listed."""
    if value not in allowed:
        raise NotPermitted(f"{what} {value!r} is not among those that the agent may use: {', '.join(sorted(allowed))}")


def check_note(text: str) -> None:
    """Raises NotPermitted unless this is one line that every terminal shows as it is."""
    if not text.isprintable():
        raise NotPermitted(f"a comment of one printable line, not {text!r:.80}")


def _check_component(config: Powers, component: Component) -> None:
    check_listed("partition", component.partition, config.partitions)
    check_listed("account", component.account, config.accounts)
    check_listed("QOS", component.qos, config.qos)
    for what, value, pattern in (
        ("job name", component.name, _NAME),
        ("gres", component.gres or "gpu:1", _GRES),
        ("dependency", component.dependency or "afterok:1", _DEPENDENCY),
        ("constraint", component.constraint or "x", _CONSTRAINT),
    ):
        if not pattern.fullmatch(value):
            raise NotPermitted(f"{what} {value!r:.80} is not of the form {pattern.pattern}")
    for what, text in (("comment", component.comment), ("wckey", component.wckey)):
        if _CONTROL.search(text) or len(text) > 1024:
            raise NotPermitted(f"{what} {text!r:.80}: control characters or more than 1024")
    for what, number in (
        ("nodes", component.nodes),
        ("cpus", component.cpus),
        ("memory_mib", component.memory_mib),
        ("time_limit_min", component.time_limit_min),
    ):
        if number < 1:
            raise NotPermitted(f"{what} {number} is not positive")
    if component.nice < 0:
        raise NotPermitted(f"nice {component.nice} is negative: jobs start from the base")


def _check_equal(submission: Submission) -> None:
    """Unequal ones leave components behind that never end (measured)."""
    first = submission.components[0]
    for what in ("name", "account", "time_limit_min", "dependency", "hold"):
        if any(getattr(component, what) != getattr(first, what) for component in submission.components):
            raise NotPermitted(f"{what} must be the same on every component")


def _check_job(submission: Submission) -> None:
    for what, path in (("working_directory", submission.working_directory), ("output", submission.output)):
        if not os.path.isabs(path) or _CONTROL.search(path):
            raise NotPermitted(f"{what} {path!r:.80} must be an absolute path")
    if not submission.script.startswith("#!/") or "\x00" in submission.script:
        raise NotPermitted("the script must begin with #!/ and hold no NUL")
    for variable in submission.environment:
        name, equals, _ = variable.partition("=")
        if not equals or not name.isidentifier() or name.startswith(_FORBIDDEN_VARIABLES) or "\x00" in variable:
            raise NotPermitted(f"environment variable {name!r:.80} is not allowed")
