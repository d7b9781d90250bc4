"""What happened: events of workloads, the sealed audit log, refused requests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db.models.base import Base, JsonObject, now


class Event(Base):
    """What happened to a workload, in order, from the portal, Slurm or the runner."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    source: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(48))
    text: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[JsonObject] = mapped_column(default=dict)


class Audit(Base):
    """Who did what to what, when, from where, with which result; never changed. The actor's name stays with the row."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(48), index=True)
    object_type: Mapped[str] = mapped_column(String(24))
    object_id: Mapped[str] = mapped_column(String(80), index=True)
    before: Mapped[JsonObject | None] = mapped_column()
    after: Mapped[JsonObject | None] = mapped_column()
    address: Mapped[str] = mapped_column(String(64), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")
    result: Mapped[str] = mapped_column(String(16), default="ok")
    backend: Mapped[str] = mapped_column(Text, default="")


class AuditSeal(Base):
    """A batch of audit rows and the seal before it under one hash; never changed (portal/domain/auditchain.py)."""

    __tablename__ = "audit_seals"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime] = mapped_column()
    closes_at: Mapped[datetime | None] = mapped_column()
    newest_at: Mapped[datetime | None] = mapped_column()
    rows: Mapped[int] = mapped_column()
    rows_sha256: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str] = mapped_column(String(64))
    head: Mapped[str] = mapped_column(String(64))


class AuditSealRow(Base):
    """Which audit row is under which seal, and what it was then; outlives the row until the whole seal has expired."""

    __tablename__ = "audit_seal_rows"
    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seal: Mapped[int] = mapped_column(ForeignKey("audit_seals.number"), index=True)
    at: Mapped[datetime] = mapped_column()
    keeping: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))


class AuditCheck(Base):
    """One verification of the audit log: asked for by an admin (or nobody: the daily one), carried out by the daemon."""

    __tablename__ = "audit_checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[str] = mapped_column(String(16), default="wanted")
    done_at: Mapped[datetime | None] = mapped_column()
    found: Mapped[JsonObject | None] = mapped_column()


class Refusal(Base):
    """Equal refusals of one person: the first has its audit row, the others are counted until the minute is over."""

    __tablename__ = "refusals"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(48))
    object_type: Mapped[str] = mapped_column(String(24))
    object_id: Mapped[str] = mapped_column(String(80))
    since: Mapped[datetime] = mapped_column(default=now)
    count: Mapped[int] = mapped_column(default=1)
