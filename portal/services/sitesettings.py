"""Settings that an admin changes while the portal runs: each change is a revision on top of the settings file.

`effective` is what web and daemon go by. What a request was told when it was handed in stays with its row: a change counts
for requests that come later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import SettingsRevision
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid, NotFound
from portal.settings import Limits, Policy, Section, Settings
from portal.spec.problems import Problem
from slurm.units import memory_mib, memory_text

Value = int | float | bool | str
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "thresholds": ("policy.approval_gpus", "policy.approval_memory"),
    "tests": (
        "policy.test_episodes",
        "policy.test_iterations",
        "policy.test_gpus",
        "policy.test_memory",
        "policy.test_time_limit_min",
        "policy.test_must_rise",
    ),
    "limits": (
        "policy.time_limit_min",
        "policy.cpus_per_gpu",
        "policy.cpus_without_gpu",
        "policy.node_failure_attempts",
        "policy.plan_held_over_used",
        "limits.pending_workloads",
    ),
}
"""What may be changed, by section: each is changed as a whole, by one form."""
CHANGEABLE: Final = frozenset(key for keys in SECTIONS.values() for key in keys)
_MODELS: Final[Mapping[str, type[Section]]] = {"policy": Policy, "limits": Limits}
TEXT_CHARS: Final = 24
MOST: Final = 1_000_000
"""The largest number that a setting without a bound of its own takes."""
HISTORY: Final = 20
OBJECT: Final = "settings"


@dataclass(frozen=True)
class Change:
    """One setting that gets another value."""

    key: str
    old: Value
    new: Value


@dataclass(frozen=True)
class Draft:
    """What a section's form would change, and all settings as they would be then."""

    section: str
    changes: tuple[Change, ...]
    overrides: Mapping[str, Value]
    settings: Settings


async def effective(session: AsyncSession, file: Settings) -> Settings:
    """The settings file with what admins have changed."""
    newest = await _newest(session)
    return file if newest is None else _with(file, newest.overrides)


async def revision(session: AsyncSession) -> int:
    """The number of the newest change; 0 before the first."""
    newest = await _newest(session)
    return 0 if newest is None else newest.id


async def overrides(session: AsyncSession) -> Mapping[str, Value]:
    """What differs from the settings file, by key."""
    newest = await _newest(session)
    return {} if newest is None else {key: value for key, value in newest.overrides.items() if key in CHANGEABLE}


async def history(session: AsyncSession, actor: Actor) -> Sequence[SettingsRevision]:
    """The newest changes first. Raises Forbidden."""
    demand(actor, Permission.SETTINGS_CHANGE)
    query = select(SettingsRevision).order_by(SettingsRevision.id.desc()).limit(HISTORY)
    return (await session.scalars(query)).all()


async def draft(
    session: AsyncSession, actor: Actor, file: Settings, section: str, texts: Mapping[str, str] | None
) -> Draft:
    """What these texts (by the key's last part; a flag that is off is absent) would change; None: back to the file.

    Raises Forbidden, NotFound (no such section), Invalid (every wrong field at once; or nothing would change).
    """
    demand(actor, Permission.SETTINGS_CHANGE)
    if section not in SECTIONS:
        raise NotFound("settings section", section)
    standing = await overrides(session)
    now, kept = _with(file, standing), {key: value for key, value in standing.items() if key not in SECTIONS[section]}
    wanted = {} if texts is None else _parsed(section, texts)
    changed = kept | {key: value for key, value in wanted.items() if value != value_of(file, key)}
    then = _with(file, changed)
    changes = tuple(
        Change(key, value_of(now, key), value_of(then, key))
        for key in SECTIONS[section]
        if value_of(now, key) != value_of(then, key)
    )
    if not changes:
        raise Invalid("nothing_changed", "These are the values that hold already.", "지금 값과 같습니다.")
    return Draft(section, changes, changed, then)


async def change(
    session: AsyncSession, actor: Actor, file: Settings, section: str, texts: Mapping[str, str] | None, *, seen: int
) -> Draft:
    """Make it so, audited; `seen` is the revision that the admin looked at. Raises as `draft`, and Conflict."""
    made = await draft(session, actor, file, section, texts)
    before = {one.key: one.old for one in made.changes}
    after = {one.key: one.new for one in made.changes}
    row = SettingsRevision(
        id=seen + 1, by=actor.name, section=section, before=before, after=after, overrides=dict(made.overrides)
    )
    if await revision(session) != seen or not await _written(session, row):
        raise Conflict(
            "settings_changed",
            "Somebody changed the settings meanwhile. Look at them again.",
            "그 사이 다른 관리자가 설정을 바꿨습니다. 다시 확인하세요.",
        )
    record(session, actor, Action.SETTINGS_CHANGE, OBJECT, section, before=before, after=after)
    return made


def value_of(settings: Settings, key: str) -> Value:
    """`value_of(settings, "policy.approval_gpus")` -> 4."""
    section, _, name = key.partition(".")
    value: Value = getattr(getattr(settings, section), name)
    return value


async def _newest(session: AsyncSession) -> SettingsRevision | None:
    query = select(SettingsRevision).order_by(SettingsRevision.id.desc()).limit(1)
    found: SettingsRevision | None = await session.scalar(query)
    return found


async def _written(session: AsyncSession, row: SettingsRevision) -> bool:
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError:
        return False
    return True


def _with(file: Settings, values: Mapping[str, Value]) -> Settings:
    """A key that this version does not know (any more) is passed over."""
    sections: dict[str, Section] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        if key in CHANGEABLE:
            sections[section] = sections.get(section, getattr(file, section)).model_copy(update={name: value})
    return file.model_copy(update=sections)


def _parsed(section: str, texts: Mapping[str, str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    problems = []
    for key in SECTIONS[section]:
        name = key.partition(".")[2]
        parsed = _value(key, texts.get(name, "").strip())
        if isinstance(parsed, Problem):
            problems.append(parsed)
        else:
            values[key] = parsed
    if problems:
        raise Invalid("invalid_settings", "Some values are not possible.", "쓸 수 없는 값이 있습니다.", problems)
    return values


def _value(key: str, text: str) -> Value | Problem:
    """The text as the settings' own model reads it, or what that model takes."""
    section, _, name = key.partition(".")
    field = _MODELS[section].model_fields[name]
    given = text[:TEXT_CHARS] or ("off" if field.annotation is bool else "")
    try:
        value: Value = getattr(_MODELS[section].model_validate({name: given}), name)
    except ValidationError:
        return _problem(name, field)
    if isinstance(value, str):
        return memory_text(memory_mib(value))
    return value if isinstance(value, bool) or value <= MOST else _problem(name, field)


def _problem(name: str, field: FieldInfo) -> Problem:
    if field.annotation is str:
        return Problem(
            name, "setting_memory", "64GB, 512MB처럼 쓰세요.", "Give an amount such as 64GB or 512MB.", "", ""
        )
    least = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), 0)
    most = next((bound.le for bound in field.metadata if isinstance(bound, Le)), MOST)
    ko, en = ("정수", "a whole number") if field.annotation is int else ("수", "a number")
    return Problem(
        name,
        "setting_range",
        f"{least:,}~{most:,} 사이의 {ko}를 쓰세요.",
        f"Give {en} from {least:,} to {most:,}.",
        "",
        "",
    )
