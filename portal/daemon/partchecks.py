"""Does every part of the portal do what is needed of it: one check a part, each saying in words what it saw."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from datetime import timedelta

from alembic.script import ScriptDirectory
from sqlalchemy import select

from containers.errors import ContainersError, ConversionFailed
from containers.reference import parse
from portal.daemon.context import Context
from portal.daemon.prometheus import PrometheusError
from portal.db.engine import alembic_config, reading, revision
from portal.db.models import Image, now
from portal.domain.priority import MAX_PRIORITY, Level, PriorityScale, scheme_problems
from portal.services import cluster, gpuuse
from portal.services.doctor import Part
from portal.store.s3 import BUCKETS, StoreError
from slurm.errors import SlurmError

PICTURE_MAX_AGE = timedelta(seconds=60)
LEAST_FREE = 0.01
RUNS_MODE = 0o3773
"""Everybody may make a folder of one's own there, nobody may remove another's (docs/install.md)."""
PROBE = "doctor/probe.txt"
NO_IMAGE = "sha256:" + "0" * 64
NO_PROMETHEUS = "not asked: no Prometheus is configured (monitoring.prometheus)"
Says = tuple[bool, str]


async def check_parts(context: Context) -> tuple[Part, ...]:
    """Every part, in the order of the road; one that does not answer keeps no other from being asked."""
    checks: tuple[tuple[str, Callable[[Context], Awaitable[Says]]], ...] = (
        ("database", _database),
        ("slurm", _slurm),
        ("picture", _picture),
        ("priorities", _priorities),
        ("registry", _registry),
        ("converter", _converter),
        ("runs", _runs),
        ("s3", _s3),
        ("prometheus", _prometheus),
        ("dcgm", _dcgm),
    )
    return tuple([Part(name, *await check(context)) for name, check in checks])


async def _database(context: Context) -> Says:
    found = await revision(context.settings)
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if found != newest:
        return False, f"tables are at revision {found}, this version needs {newest}: portal-admin migrate"
    return True, f"revision {found}"


async def _slurm(context: Context) -> Says:
    """The agent, slurmctld and slurmdbd: what does not answer is named by the error; then what the site lacks."""
    try:
        version = await context.slurm.version()
    except SlurmError as error:
        return False, str(error)
    if version.problems:
        return False, "; ".join(version.problems)
    return True, f"Slurm {version.slurm} by {version.road}, REST {version.rest or 'none'}"


async def _picture(context: Context) -> Says:
    """Whether the snapshot that every page shows is fresh."""
    async with reading(context.sessions) as session:
        row = await cluster.state_row(session)
    if row.unreachable_since is not None:
        return False, f"Slurm is unreachable since {row.unreachable_since:%Y-%m-%d %H:%M:%S} UTC"
    if row.at is None:
        return False, "there is no snapshot yet: see journalctl -u one-daemon"
    age = now() - row.at
    fresh = -PICTURE_MAX_AGE < age < PICTURE_MAX_AGE
    return fresh, f"the snapshot is {age.total_seconds():.0f} s old" + ("" if fresh else ": journalctl -u one-daemon")


async def _priorities(context: Context) -> Says:
    """Whether Slurm's weights leave the queue's order to QOS and nice (domain.priority)."""
    scale = PriorityScale.of(context.settings)
    if scale.is_fixed:
        return True, "the order is Slurm's own (slurm.nice_base = 0)"
    try:
        setup = await context.slurm.priority_setup()
    except SlurmError as error:
        return False, str(error)
    problems = [f"there is no QOS {name}" for name in (*scale.qos.values(), scale.qos_test) if name not in setup.qos]
    if not problems:
        levels = {level: setup.qos[scale.qos[level]] for level in Level}
        weight, highest = setup.weights.get("QOS", 0), max(setup.qos.values())
        problems += scheme_problems(levels, weight=weight, highest_qos=highest, nice_base=scale.nice_base)
    if sum(setup.weights.values()) > MAX_PRIORITY:
        problems.append(f"the PriorityWeight* settings add up to {sum(setup.weights.values())}, 2^32 or more")
    return not problems, "; ".join(problems) or f"PriorityWeightQOS={setup.weights['QOS']}, nice from {scale.nice_base}"


async def _registry(context: Context) -> Says:
    """Asked for the image that was seen last, by its digest."""
    async with reading(context.sessions) as session:
        image = await session.scalar(select(Image).order_by(Image.created_at.desc()).limit(1))
    if image is None:
        return True, "not asked: no image was ever used"
    reference = f"{image.reference}@{image.digest}"
    try:
        await context.resolve_image(parse(reference))
    except ContainersError as error:
        return False, f"{reference}: {error}"
    return True, f"has {reference}"


async def _converter(context: Context) -> Says:
    """Asked to remove an image that does not exist, which is answered and changes nothing."""
    try:
        await context.converter.remove(NO_IMAGE)
    except ConversionFailed as error:
        return False, f"{error.error}: {error}"
    return True, "answers"


async def _runs(context: Context) -> Says:
    """The folder of the run directories; that the nodes can write there only a job shows."""
    runs = context.settings.storage.runs
    try:
        found, usage = runs.stat(), shutil.disk_usage(runs)
    except OSError as error:
        return False, f"{runs}: {error.strerror}"
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid() and mode != RUNS_MODE:
        return False, f"{runs} has mode {mode:o}: chmod {RUNS_MODE:o} {runs}"
    free = f"{usage.free // 2**30} of {usage.total // 2**30} GiB free"
    return usage.free >= usage.total * LEAST_FREE, f"{runs}: {free}"


async def _s3(context: Context) -> Says:
    """Writes, reads and removes a small object, and looks into every bucket."""
    text = now().isoformat().encode()
    try:
        for bucket in BUCKETS:
            await context.store.list_keys(bucket, PROBE)
        await context.store.put_bytes("analysis", PROBE, text, "text/plain")
        same = await context.store.get_bytes("analysis", PROBE) == text
        await context.store.remove("analysis", PROBE)
    except StoreError as error:
        return False, str(error)
    return same, f"{len(BUCKETS)} buckets" if same else "an object came back with other bytes"


async def _prometheus(context: Context) -> Says:
    """Whether the site's Prometheus answers questions."""
    if context.prometheus is None:
        return True, NO_PROMETHEUS
    try:
        found = await context.prometheus.ask({"up": "sum by (job) (up)"})
    except PrometheusError as error:
        return False, str(error)
    return True, f"{context.settings.monitoring.prometheus} scrapes {len(found['up'])} jobs"


async def _dcgm(context: Context) -> Says:
    """Whether every GPU of the nodes that take jobs has a figure; of what the daemon read last."""
    async with reading(context.sessions) as session:
        told = await gpuuse.newest(session, context.settings)
        view = await cluster.nodes(session, context.settings)
    if told is None:
        return True, NO_PROMETHEUS
    if told.problem:
        return False, told.problem
    with_gpus = [node for node in view.nodes if node.gpus and node.state == "active"]
    silent = [node.name for node in with_gpus if gpuuse.of_node(node, told) is None]
    if silent:
        return (
            False,
            f"not every GPU has figures on {', '.join(silent)}: see dcgm-exporter there, and Prometheus' targets",
        )
    fake = " (simulated)" if any(one.is_simulated for one in told.readings) else ""
    return True, f"{len(told.readings)} GPUs have figures{fake}"
