"""The audit row: written by the function that changes, in the session of the change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Audit


class Action(StrEnum):
    """Every kind of change; `<object>.<verb>`."""

    USER_CREATE = "user.create"
    USER_CHANGE = "user.change"
    USER_DEACTIVATE = "user.deactivate"
    USER_REACTIVATE = "user.reactivate"
    USER_MAPPING = "user.mapping_checked"
    PASSWORD_HAND_OUT = "password.hand_out"
    PASSWORD_CHANGE = "password.change"
    SIGN_IN = "session.begin"
    SIGN_OUT = "session.end"
    TOKEN_CREATE = "token.create"
    TOKEN_REVOKE = "token.revoke"
    SIGN_IN_FAILED = "token.refused"
    APP_CREATE = "app.create"
    APP_VERSION = "app.version"
    APP_ARCHIVE = "app.archive"
    APP_RESTORE = "app.restore"
    APP_SHARE = "app.share"
    DRAFT_OPEN = "draft.open"
    DRAFT_PUBLISH = "draft.publish"
    DRAFT_DISCARD = "draft.discard"
    WORKLOAD_SUBMIT = "workload.submit"
    WORKLOAD_RERUN = "workload.rerun"
    WORKLOAD_STATE = "workload.state"
    WORKLOAD_CANCEL = "workload.cancel"
    WORKLOAD_APPROVE = "workload.approve"
    WORKLOAD_REJECT = "workload.reject"
    WORKLOAD_PRIORITY = "workload.priority"
    WORKLOAD_MOVE = "workload.move"
    WORKLOAD_HOLD = "workload.hold"
    WORKLOAD_RELEASE = "workload.release"
    WORKLOAD_OUTSIDE = "workload.changed_outside"
    TEST_START = "test.start"
    TEST_RESULT = "test.result"
    TEST_ATTACH = "test.attach"
    JOB_SUBMIT = "job.submit"
    JOB_CANCEL = "job.cancel"
    MODEL_SAVE = "model.save"
    MODEL_DOWNLOAD = "model.download"
    IMAGE_CONVERT = "image.convert"
    IMAGE_REMOVE = "image.remove"
    DOCTOR_ASK = "doctor.ask"
    MAINTENANCE_ON = "maintenance.on"
    MAINTENANCE_OFF = "maintenance.off"


@dataclass(frozen=True)
class Actor:
    """Who acts: a signed-in user (with the role and scopes of this request) or a part of the portal (`user_id` None)."""

    name: str
    user_id: int | None = None
    role: str = "system"
    scopes: frozenset[str] = frozenset()
    address: str = ""
    request_id: str = ""
    token_prefix: str = ""


DAEMON = Actor(name="daemon")


def record(
    session: AsyncSession,
    actor: Actor,
    action: Action,
    object_type: str,
    object_id: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    result: str = "ok",
    backend: str = "",
) -> None:
    """Add the audit row to the session of the change, so that both are committed or neither is."""
    session.add(
        Audit(
            actor_id=actor.user_id,
            actor=f"{actor.name} ({actor.token_prefix})" if actor.token_prefix else actor.name,
            action=action.value,
            object_type=object_type,
            object_id=object_id,
            before=before,
            after=after,
            address=actor.address,
            request_id=actor.request_id,
            result=result,
            backend=backend,
        )
    )
