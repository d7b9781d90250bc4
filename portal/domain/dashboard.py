"""A Grafana dashboard over what Prometheus scrapes: GPUs held and used, work, and how the portal itself is.

`portal-admin dashboard` prints it for Grafana's import; it asks for the data source there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TITLE, UID = "OnE: GPUs, work, portal", "one-portal"
COLUMNS, WIDTH, HEIGHT = 24, 12, 8
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One chart: queries with the name of their lines (Grafana's legend format), and the unit of its axis."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"


PANELS = (
    Panel(
        "GPUs: total, allocated, in use",
        (
            ('max by (type) (one_gpus{state="total"})', "{{type}} total"),
            ('max by (type) (one_gpus{state="allocated"})', "{{type}} allocated"),
            ("max by (type) (one_gpus_in_use)", "{{type}} in use"),
        ),
    ),
    Panel(
        "GPUs allocated but idle",
        (('max by (type) (one_gpus{state="allocated"}) - max by (type) (one_gpus_in_use)', "{{type}}"),),
    ),
    Panel("GPU use by node", (("avg by (Hostname) (DCGM_FI_DEV_GPU_UTIL)", "{{Hostname}}"),), "percent"),
    Panel(
        "GPU memory by node",
        (("sum by (Hostname) (DCGM_FI_DEV_FB_USED)", "{{Hostname}}"),),
        "decmbytes",
    ),
    Panel("Workloads by state", (("max by (state) (one_workloads) > 0", "{{state}}"),)),
    Panel("Waiting for the daemon", (("max by (what) (one_backlog)", "{{what}}"),)),
    Panel(
        "Slurm as the portal sees it",
        (
            ("max(one_slurm_unreachable)", "unreachable"),
            ("min(one_snapshot_age_seconds)", "age of the picture"),
        ),
        "s",
    ),
    Panel(
        "Calls to the agent, 95 of 100 are faster",
        (("histogram_quantile(0.95, sum by (verb, le) (rate(one_agent_call_seconds_bucket[5m])))", "{{verb}}"),),
        "s",
    ),
    Panel(
        "Rounds of the daemon, 95 of 100 are faster",
        (("histogram_quantile(0.95, sum by (loop, le) (rate(one_daemon_round_seconds_bucket[5m])))", "{{loop}}"),),
        "s",
    ),
    Panel(
        "Answers of the web process",
        (("sum by (status_code) (rate(one_web_requests_total[5m]))", "{{status_code}}"),),
        "reqps",
    ),
    Panel("Nodes by state", (("max by (state) (one_nodes)", "{{state}}"),)),
    Panel("Targets that do not answer", (("up == 0", "{{job}} {{instance}}"),)),
)


def document() -> dict[str, Any]:
    """The dashboard as Grafana imports it. Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/ (v11)."""
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": UID,
        "title": TITLE,
        "tags": ["one"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    for number, panel in enumerate(PANELS):
        at = number * WIDTH
        yield {
            "id": number + 1,
            "title": panel.title,
            "type": "timeseries",
            "datasource": _SOURCE,
            "gridPos": {"x": at % COLUMNS, "y": at // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
                for place, (query, legend) in enumerate(panel.queries)
            ],
        }
