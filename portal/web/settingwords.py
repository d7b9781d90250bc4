"""The words of settings: a section's title and each setting's name (msgids), and a value as people read it."""

from __future__ import annotations

from typing import Final

from portal.web.catalogue import N_

SECTION: Final = {
    "thresholds": N_("Approval thresholds"),
    "tests": N_("Minimal run test"),
    "limits": N_("Defaults and limits"),
}
NAME: Final = {
    "policy.approval_gpus": N_("GPUs of one component, from"),
    "policy.approval_memory": N_("Memory of one component, from"),
    "policy.test_episodes": N_("Episodes"),
    "policy.test_iterations": N_("Iterations"),
    "policy.test_gpus": N_("GPUs of one component, at most"),
    "policy.test_memory": N_("Memory of one component, at most"),
    "policy.test_time_limit_min": N_("Time limit (min)"),
    "policy.test_must_rise": N_("Rewards must rise"),
    "policy.time_limit_min": N_("Time limit where none is asked (min)"),
    "policy.cpus_per_gpu": N_("CPUs per GPU"),
    "policy.cpus_without_gpu": N_("CPUs of a component without GPU"),
    "policy.node_failure_attempts": N_("New attempts after a lost node"),
    "policy.plan_held_over_used": N_("GPU time held per GPU time used, at most"),
    "limits.pending_workloads": N_("Waiting requests per user"),
}


def shown_value(value: object) -> str:
    """`✓` and `—` for what is on or off."""
    if isinstance(value, bool):
        return "✓" if value else "—"
    return f"{value:g}" if isinstance(value, float) else str(value)
