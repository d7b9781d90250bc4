"""When a site's administrators should be called: alert rules over what Prometheus scrapes, written out as its rule file.

`portal-admin alert-rules` prints it; ansible/roles/prometheus installs the same text. Cases: tests/lab/monitoring.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

GROUP = "one"
HEAD = "# Written by `portal-admin alert-rules`: change portal/domain/alerts.py, not this file."


@dataclass(frozen=True)
class Rule:
    """One alert: fires when `expr` has answers for `hold`; `summary` says what is wrong, `action` what to do."""

    name: str
    expr: str
    hold: str
    severity: str
    summary: str
    action: str


RULES = (
    Rule(
        "OneSlurmUnreachable",
        "max(one_slurm_unreachable) == 1",
        "2m",
        "critical",
        "Slurm does not answer the portal.",
        "Running jobs go on and requests wait. Look at slurmctld and slurmrestd, then at journalctl -u one-agent.",
    ),
    Rule(
        "OneDaemonSilent",
        "absent(one_daemon_started_timestamp_seconds)",
        "3m",
        "critical",
        "No daemon of the portal has told its figures.",
        "Nothing is submitted or saved meanwhile. Look at journalctl -u one-daemon.",
    ),
    Rule(
        "OnePictureOld",
        "min(one_snapshot_age_seconds) > 120 and max(one_slurm_unreachable) == 0",
        "2m",
        "warning",
        "Pages show a picture of the cluster that is {{ $value | humanizeDuration }} old.",
        "The daemon is late. Compare one_daemon_round_seconds of the loop control with one_agent_call_seconds.",
    ),
    Rule(
        "OneAgentErrors",
        "sum(increase(one_agent_call_errors_total[10m])) > 5",
        "0m",
        "warning",
        "Calls to the agent stay without an answer.",
        "Look at journalctl -u one-agent; a restarting agent loses calls, a blocked one waits for slurmctld.",
    ),
    Rule(
        "OneResultsNotSaved",
        'min_over_time(one_backlog{what="save"}[30m]) > 0',
        "0m",
        "warning",
        "{{ $value }} finished runs wait for their results to be saved.",
        "Look at S3 on the portal's page System health; result files stay in the run directories.",
    ),
    Rule(
        "OneWebErrors",
        'sum(rate(one_web_requests_total{status_code=~"5.."}[5m])) / sum(rate(one_web_requests_total[5m])) > 0.05',
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the portal's answers are errors.",
        "Look at journalctl -u one-web; each error has a request id.",
    ),
    Rule(
        "OneTargetDown",
        "up == 0",
        "2m",
        "warning",
        "{{ $labels.job }} on {{ $labels.instance }} does not answer Prometheus.",
        "What it measures is shown as not measured. Look at the service on that host.",
    ),
    Rule(
        "OneNodeDown",
        'max(one_nodes{state="down"}) > 0',
        "5m",
        "warning",
        "{{ $value }} nodes are down.",
        "The portal's page Resources names them with Slurm's reason.",
    ),
    Rule(
        "OneGpuIdle",
        'max by (Hostname, gpu, hpc_job) (avg_over_time(DCGM_FI_DEV_GPU_UTIL{hpc_job!=""}[1h])) < 5',
        "1h",
        "info",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} is held by job {{ $labels.hpc_job }} and does nothing.",
        "The portal's page Resources, By workload, says whose it is.",
    ),
    Rule(
        "OneGpuHot",
        "max by (Hostname, gpu) (DCGM_FI_DEV_GPU_TEMP) > 88",
        "10m",
        "warning",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} has {{ $value }} degrees.",
        "Look at the node's cooling; drain it if it goes on.",
    ),
    Rule(
        "OneApprovalWaits",
        "max(one_approval_oldest_seconds) > 86400",
        "10m",
        "info",
        "A request for approval has waited {{ $value | humanizeDuration }}.",
        "Decide on it on the portal's page Approvals.",
    ),
    Rule(
        "OneDiskFull",
        'min by (instance) (node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}) < 0.05',
        "10m",
        "warning",
        "{{ $labels.instance }} has {{ $value | humanizePercentage }} of its disk left.",
        "Jobs' scratch is there. Make room, or drain the node.",
    ),
)


def rule_file() -> str:
    """The rules as Prometheus reads them: YAML, in which every text is written as JSON."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (HEAD, "groups:", f"  - name: {GROUP}", "    rules:")
    for rule in RULES:
        yield f"      - alert: {rule.name}"
        yield f"        expr: {json.dumps(rule.expr)}"
        yield f"        for: {rule.hold}"
        yield f"        labels: {{severity: {rule.severity}}}"
        yield "        annotations:"
        yield f"          summary: {json.dumps(rule.summary)}"
        yield f"          action: {json.dumps(rule.action)}"
