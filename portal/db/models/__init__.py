"""The tables, by what they are about."""

from __future__ import annotations

from portal.db.models.apps import App, AppEditor, AppVersion, Draft, DraftSave, TrainingTemplate
from portal.db.models.base import Base, JsonColumn, JsonObject, UtcDateTime, now
from portal.db.models.library import Component, ComponentUse, ComponentVersion, ImageCheck
from portal.db.models.notices import Notice, NoticeDelivery, Webhook
from portal.db.models.people import BrowserSession, CliLogin, Identity, SignInTries, SsoFlow, Token, User
from portal.db.models.records import Audit, AuditCheck, AuditSeal, AuditSealRow, Event, Refusal
from portal.db.models.results import AliasMove, Analysis, Model, ModelNote, Operator, OperatorVersion, Upload
from portal.db.models.runs import Attempt, DurationSample, Image, LoopTest, SlurmJob, Workload
from portal.db.models.site import (
    Checkup,
    ClusterSample,
    ClusterState,
    DaemonReport,
    Maintenance,
    Repair,
    SettingsRevision,
)

__all__ = [
    "AliasMove",
    "Analysis",
    "App",
    "AppEditor",
    "AppVersion",
    "Attempt",
    "Audit",
    "AuditCheck",
    "AuditSeal",
    "AuditSealRow",
    "Base",
    "BrowserSession",
    "Checkup",
    "CliLogin",
    "ClusterSample",
    "ClusterState",
    "Component",
    "ComponentUse",
    "ComponentVersion",
    "DaemonReport",
    "Draft",
    "DraftSave",
    "DurationSample",
    "Event",
    "Identity",
    "Image",
    "ImageCheck",
    "JsonColumn",
    "JsonObject",
    "LoopTest",
    "Maintenance",
    "Model",
    "ModelNote",
    "Notice",
    "NoticeDelivery",
    "Operator",
    "OperatorVersion",
    "Refusal",
    "Repair",
    "SettingsRevision",
    "SignInTries",
    "SlurmJob",
    "SsoFlow",
    "Token",
    "TrainingTemplate",
    "Upload",
    "User",
    "UtcDateTime",
    "Webhook",
    "Workload",
    "now",
]
