"""The audit row: written by the function that changes, in the session of the change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Audit
from portal.domain.auditchain import Keeping


class Action(StrEnum):
    """Every kind of change; `<object>.<verb>`."""

    USER_CREATE = "user.create"
    USER_CHANGE = "user.change"
    USER_DEACTIVATE = "user.deactivate"
    USER_REACTIVATE = "user.reactivate"
    USER_LINK = "user.link"
    USER_MAPPING = "user.mapping_checked"
    USER_MAPPING_ASK = "user.mapping_ask"
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
    COMPONENT_CREATE = "component.create"
    COMPONENT_CHANGE = "component.change"
    COMPONENT_VERSION = "component.version"
    COMPONENT_IMAGE = "component.image_verified"
    COMPONENT_DEPRECATE = "component.deprecate"
    COMPONENT_RESTORE = "component.restore"
    WORKLOAD_SUBMIT = "workload.submit"
    WORKLOAD_RERUN = "workload.rerun"
    WORKLOAD_EDIT = "workload.edit"
    WORKLOAD_STATE = "workload.state"
    WORKLOAD_CANCEL = "workload.cancel"
    WORKLOAD_APPROVE = "workload.approve"
    WORKLOAD_REJECT = "workload.reject"
    WORKLOAD_PRIORITY = "workload.priority"
    WORKLOAD_MOVE = "workload.move"
    WORKLOAD_HOLD = "workload.hold"
    WORKLOAD_RELEASE = "workload.release"
    WORKLOAD_OUTSIDE = "workload.changed_outside"
    WORKLOAD_DOWNLOAD = "workload.download"
    TEST_START = "test.start"
    TEST_RESULT = "test.result"
    TEST_ATTACH = "test.attach"
    JOB_SUBMIT = "job.submit"
    JOB_CANCEL = "job.cancel"
    MODEL_SAVE = "model.save"
    MODEL_DOWNLOAD = "model.download"
    MODEL_RENAME = "model.rename"
    MODEL_ALIAS = "model.alias"
    MODEL_NOTE = "model.note"
    MODEL_ARCHIVE = "model.archive"
    MODEL_RESTORE = "model.restore"
    MODEL_PURGE = "model.purge"
    MODEL_PURGED = "model.purged"
    MODEL_SAVE_AGAIN = "model.save_again"
    OPERATOR_UPLOAD = "operator.upload"
    OPERATOR_ARCHIVE = "operator.archive"
    OPERATOR_RESTORE = "operator.restore"
    OPERATOR_DOWNLOAD = "operator.download"
    ANALYSIS_START = "analysis.start"
    ANALYSIS_SAVE = "analysis.save"
    ANALYSIS_DOWNLOAD = "analysis.download"
    IMAGE_CONVERT = "image.convert"
    IMAGE_REMOVE = "image.remove"
    DOCTOR_ASK = "doctor.ask"
    REPAIR_ASK = "repair.ask"
    REPAIR_DONE = "repair.done"
    AUDIT_EXPORT = "audit.export"
    AUDIT_VERIFY = "audit.verify"
    AUDIT_EXPIRE = "audit.expire"
    REQUEST_REFUSED = "request.refused"
    APP_EDITOR_ADD = "app.editor_add"
    APP_EDITOR_REMOVE = "app.editor_remove"
    MAINTENANCE_ON = "maintenance.on"
    MAINTENANCE_OFF = "maintenance.off"
    SETTINGS_CHANGE = "settings.change"
    WEBHOOK_SET = "webhook.set"
    WEBHOOK_REMOVE = "webhook.remove"
    TEMPLATE_SAVE = "training_template.save"
    TEMPLATE_REMOVE = "training_template.remove"
    PORTAL_BACKUP = "portal.backup"
    PORTAL_RESTORE = "portal.restore"


_ACCESS = {
    Action.SIGN_IN,
    Action.SIGN_OUT,
    Action.SIGN_IN_FAILED,
    Action.MODEL_DOWNLOAD,
    Action.DOCTOR_ASK,
    Action.AUDIT_EXPORT,
    Action.AUDIT_VERIFY,
    Action.REQUEST_REFUSED,
}
_RUNS = {Action.WORKLOAD_STATE, Action.JOB_SUBMIT, Action.JOB_CANCEL, Action.IMAGE_CONVERT, Action.USER_MAPPING}


def keeping_of(action: str) -> Keeping:
    """The class of an action's rows: who came and looked, what the daemon did, and everything else: what people changed."""
    if action == Action.AUDIT_EXPIRE:
        return Keeping.EVER
    return Keeping.ACCESS if action in _ACCESS else Keeping.RUNS if action in _RUNS else Keeping.CHANGES


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
    token_ends_at: datetime | None = None


DAEMON = Actor(name="daemon")


def shown_name(actor: Actor) -> str:
    """Who acted, and with which token."""
    return f"{actor.name} ({actor.token_prefix})" if actor.token_prefix else actor.name


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
            actor=shown_name(actor),
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
