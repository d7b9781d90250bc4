"""/metrics: who may read it, and that what it says is counted in the database, the daemon's own figures too."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from portal.daemon import figures
from portal.db.engine import transaction
from portal.db.models import DaemonReport
from portal.settings import Monitoring
from slurm.errors import SlurmUnreachable
from tests.web.conftest import Site


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """As Prometheus would read it."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped(site: Site, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    async with site.client(**headers) as client:
        response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return values(response.text)


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def test_it_counts_work_and_cluster_without_asking_slurm(
    site: Site, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.world.submit(small)
    await site.world.round()

    async def refuse() -> None:
        raise AssertionError("a scrape asked Slurm")

    monkeypatch.setattr(site.world.slurm, "snapshot", refuse)
    monkeypatch.setattr(site.world.slurm, "version", refuse)
    found = await scraped(site)
    assert sum(number for (name, _), number in found.items() if name == "one_workloads") == 1
    assert value(found, "one_gpus", type="A100", state="total") == 16
    assert value(found, "one_nodes", state="active") == 3
    assert value(found, "one_slurm_unreachable") == 0
    assert value(found, "one_snapshot_age_seconds") < 60
    assert {"one_attempts", "one_backlog", "one_approval_oldest_seconds"} <= {name for name, _ in found}
    assert any(name == "one_web_requests_total" for name, _ in await scraped(site)), "requests of this process"


async def test_an_unreachable_slurm_shows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.world.round()

    async def away() -> None:
        raise SlurmUnreachable("gone")

    monkeypatch.setattr(site.world.slurm, "version", away)
    await site.world.round()
    assert value(await scraped(site), "one_slurm_unreachable") == 1


async def test_the_daemons_figures_pass_through_the_database_until_they_are_old(site: Site) -> None:
    figures.agent_called("snapshot", 0.2, True)
    figures.agent_called("submit", 3.0, False)
    with figures.timed("control"):
        pass
    await figures.Telling()(site.world.context)
    found = await scraped(site)
    assert value(found, "one_agent_call_seconds_count", verb="snapshot") >= 1
    assert value(found, "one_agent_call_errors_total", verb="submit") >= 1
    assert value(found, "one_daemon_round_seconds_count", loop="control") >= 1
    async with transaction(site.world.maker) as session:
        row = await session.get_one(DaemonReport, "figures")
        row.at -= timedelta(minutes=5)
    assert not any(name.startswith("one_daemon_round") for name, _ in await scraped(site)), "an end, not a standstill"


async def test_only_scrapers_with_the_token_may_read_it(site: Site) -> None:
    def settle(**changes: Any) -> None:
        site.app.state.settings = site.world.context.settings.model_copy(update=changes)

    settle(monitoring=Monitoring(scrapers=(IPv4Network("192.0.2.0/24"),)))
    async with site.client() as client:
        assert (await client.get("/metrics")).status_code == 403
    async with site.client("admin") as client:
        assert (await client.get("/metrics")).status_code == 403, "people have pages"
    settle(metrics_token=SecretStr("let-me-see"))
    for sent in ({}, {"Authorization": "Bearer let-me-sea"}, {"Authorization": "let-me-see"}):
        async with site.client(**sent) as client:
            answer = await client.get("/metrics")
            assert (answer.status_code, "one_workloads" in answer.text) == (403, False)
    await scraped(site, Authorization="Bearer let-me-see")
