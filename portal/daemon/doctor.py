"""Carries out checkups: the parts, then two looks at portal, Slurm and S3; only what both looks found is a disagreement."""

from __future__ import annotations

import anyio

from portal.daemon.context import Context
from portal.daemon.partchecks import check_parts
from portal.daemon.reconciling import Look, look
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Checkup
from portal.domain.findings import Code, Finding, seen_twice
from portal.services import doctor
from portal.services.doctor import Part, Result, Wishes

BETWEEN_LOOKS = 4
"""Rounds of the daemon between two looks: what it was about to notice it has noticed by then."""


async def serve(context: Context) -> None:
    """Carry out what was asked for."""
    async with transaction(context.sessions) as session:
        wanted = [checkup.id for checkup in await doctor.begin(session)]
    await each(context, wanted, _serve_one)


async def _serve_one(context: Context, checkup_id: int) -> None:
    async with reading(context.sessions) as session:
        checkup = await session.get_one(Checkup, checkup_id)
    result = await examine(context, Wishes(checkup.reconcile, checkup.contents, checkup.days))
    async with transaction(context.sessions) as session:
        await doctor.finish(session, checkup_id, result)


async def examine(context: Context, wishes: Wishes) -> Result:
    """What is wrong now."""
    parts = await check_parts(context)
    findings = [_failed(part) for part in parts if not part.ok]
    found = await _twice(context, wishes) if wishes.reconcile else Look()
    return Result(parts, (*findings, *found.findings), found.compared)


async def _twice(context: Context, wishes: Wishes) -> Look:
    """A second look only where the first found something."""
    first = await look(context, wishes)
    if not first.findings:
        return first
    await anyio.sleep(BETWEEN_LOOKS * context.settings.daemon.poll_interval_s)
    second = await look(context, wishes)
    return Look(list(seen_twice(first.findings, second.findings)), second.compared)


def _failed(part: Part) -> Finding:
    code = Code.PRIORITY_SCHEME if part.name == "priorities" else Code.PART_FAILED
    return Finding(code, "part", part.name, "", part.says, "site")
