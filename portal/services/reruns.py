"""Running an ended workload again: the same pinned images, spec and options as a new workload that passes every gate anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User, Workload
from portal.domain.lifecycle import TERMINAL, State
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import analyses
from portal.services.access import demand, readable_workload, workload_facts
from portal.services.audit import Action, Actor
from portal.services.errors import Conflict, Invalid
from portal.services.intake import Entry, earlier_one, enter, mapped_owner
from portal.services.site import site_rules
from portal.settings import Settings
from portal.spec.load import LoadedSpec, load_spec
from portal.spec.overrides import apply_overrides
from portal.spec.problems import Problem, SpecError, errors_of
from portal.spec.rules import site_problems

RERUN_KINDS = frozenset({"rl", "general"})
RESUME_FROM = "resume_from"
"""The option with the folder of checkpoints that the new run begins with."""
_KEPT_OPTIONS = ("form", "smallest", "run_test")


@dataclass(frozen=True)
class RerunRequest:
    """What the new run has otherwise than the old one; `resume` gives it the old one's checkpoints."""

    resume: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    idempotency_key: str | None = None


async def rerun(
    session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, request: RerunRequest
) -> Workload:
    """A new workload of the asker from one that has ended.

    Images stay what they were, so without overrides the spec hash does too: a passed test of it counts, an approval is
    asked for again. Raises NotFound, Forbidden, Conflict (not ended, a test, nothing to resume), Invalid, TooMany.
    """
    if (earlier := await earlier_one(session, actor, request.idempotency_key)) is not None:
        return earlier
    old = await readable_workload(session, actor, workload_id)
    demand(actor, Permission.WORKLOAD_RERUN, workload_facts(old), role=RESEARCHER)
    _check_ended(old)
    owner = await mapped_owner(session, actor)
    loaded = _loaded(settings, old, request.overrides)
    options = {name: old.options[name] for name in _KEPT_OPTIONS if name in old.options}
    if old.owner_id == owner.id and analyses.OPTION in old.options:
        options[analyses.OPTION] = old.options[analyses.OPTION]
    if request.resume:
        options[RESUME_FROM] = _checkpoints(old, owner)
    entry = Entry(
        spec=loaded.spec,
        document=loaded.document,
        kind=old.kind,
        app_id=old.app_id,
        app_version=old.app_version,
        owner=owner,
        time_limit_min=old.time_limit_min,
        options=options,
        name=old.name,
        note=request.note,
        idempotency_key=request.idempotency_key,
        rerun_of=old.id,
        action=Action.WORKLOAD_RERUN,
        facts={"rerun_of": old.id, "resume": request.resume, "overrides": dict(request.overrides)},
    )
    return await enter(session, actor, settings, entry)


def _check_ended(old: Workload) -> None:
    if old.kind == analyses.KIND:
        raise Conflict(
            "not_rerunnable",
            f"{old.id} is an analysis. Run its Operator again: `one analyses again {old.id}`.",
            f"{old.id}은(는) 분석입니다. 다시 분석하세요: `one analyses again {old.id}`.",
        )
    if old.kind not in RERUN_KINDS:
        raise Conflict(
            "not_rerunnable",
            f"{old.id} is a minimal run test. Start the test again on its request: `one test ID`.",
            f"{old.id}은(는) 최소 실행 테스트입니다. 신청한 워크로드에서 다시 시작하세요: `one test ID`.",
        )
    if State(old.state) not in TERMINAL:
        raise Conflict(
            "not_ended",
            f"{old.id} has not ended (it is {old.state}). Wait for its end, or cancel it first: `one cancel {old.id}`.",
            f"{old.id}은(는) 아직 끝나지 않았습니다 (지금: {old.state}). 끝나기를 기다리거나 먼저 취소하세요: "
            f"`one cancel {old.id}`.",
        )


def _loaded(settings: Settings, old: Workload, overrides: Mapping[str, Any]) -> LoadedSpec:
    """What ran, with its digests; what was asked where images were never resolved. Raises Invalid with every problem."""
    document = old.resolved or old.spec
    try:
        loaded = load_spec(apply_overrides(document, overrides) if overrides else document)
    except SpecError as error:
        raise _invalid(error.problems) from error
    problems = site_problems(loaded.spec, site_rules(settings))  # the site may allow less than it did then
    if errors_of(problems):
        raise _invalid(problems)
    return loaded


def _invalid(found: tuple[Problem, ...] | list[Problem]) -> Invalid:
    count = len(errors_of(found))
    return Invalid("spec_invalid", f"The spec has {count} problems.", f"입력을 확인하세요 ({count}건).", found)


def _checkpoints(old: Workload, owner: User) -> str:
    """The old run's folder of checkpoints. Raises Conflict: it is somebody else's, or nothing ever ran.

    Only the same Unix user may have it: the job copies it as that user, so nobody reads what one could not read anyway.
    """
    if old.owner_id != owner.id:
        raise Conflict(
            "not_your_checkpoints",
            f"{old.id} is not yours: only its owner can resume it. Without --resume it begins anew.",
            f"{old.id}은(는) 본인의 워크로드가 아닙니다. 이어서 실행은 소유자만 할 수 있습니다. --resume 없이는 새로 시작합니다.",
        )
    if not old.attempts:
        raise Conflict(
            "nothing_to_resume",
            f"{old.id} never ran, so there is nothing to resume. Run it again without --resume.",
            f"{old.id}은(는) 실행된 적이 없어 이어갈 것이 없습니다. --resume 없이 다시 실행하세요.",
        )
    folder = PurePosixPath(old.attempts[-1].run_dir).parent
    if folder.parent.name != owner.unix_user:
        raise Conflict(
            "other_unix_user",
            f"{old.id} ran as Unix user {folder.parent.name}, you are {owner.unix_user} now: its checkpoints are not yours.",
            f"{old.id}은(는) Unix 사용자 {folder.parent.name}(으)로 실행되었고 지금은 {owner.unix_user}입니다: "
            "체크포인트를 이어 쓸 수 없습니다.",
        )
    return str(folder / "checkpoint")
