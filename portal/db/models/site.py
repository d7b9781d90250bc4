"""The site as it is: what Slurm and the daemon last said, checks and repairs, maintenance, settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User


class ClusterState(Base):
    """The newest snapshot of the cluster (one row, id 1), written by the daemon, read by every page and command."""

    __tablename__ = "cluster_state"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime | None] = mapped_column()
    unreachable_since: Mapped[datetime | None] = mapped_column()
    snapshot: Mapped[JsonObject | None] = mapped_column()
    version: Mapped[JsonObject | None] = mapped_column()


class ClusterSample(Base):
    """The cluster at one moment, or the mean of `span_s` seconds from then on (portal/domain/samples.py).

    `nodes` has a reading like `reading` for each node; it is large, and read only by node.
    """

    __tablename__ = "cluster_samples"
    __table_args__ = (UniqueConstraint("span_s", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column()
    span_s: Mapped[int] = mapped_column()
    reading: Mapped[JsonObject] = mapped_column()
    notes: Mapped[JsonObject] = mapped_column(default=dict)
    nodes: Mapped[JsonObject] = mapped_column(default=dict, deferred=True)


class DaemonReport(Base):
    """What the daemon tells the web process of one thing, over and over: GPU use, its own figures (services/reports.py)."""

    __tablename__ = "daemon_reports"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column()
    content: Mapped[JsonObject] = mapped_column()


class Checkup(Base):
    """One `one doctor`: asked for by an admin, carried out by the daemon, kept with what it found."""

    __tablename__ = "checkups"
    id: Mapped[int] = mapped_column(primary_key=True)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime] = mapped_column(default=now)
    reconcile: Mapped[bool] = mapped_column(default=False)
    contents: Mapped[bool] = mapped_column(default=False)
    days: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(String(16), default="wanted")
    done_at: Mapped[datetime | None] = mapped_column()
    parts: Mapped[list[JsonObject]] = mapped_column(default=list)
    findings: Mapped[list[JsonObject]] = mapped_column(default=list)
    compared: Mapped[JsonObject] = mapped_column(default=dict)


class Repair(Base):
    """One mismatch that an admin has the daemon mend, and for whose side: asked for once, carried out once, kept."""

    __tablename__ = "repairs"
    id: Mapped[int] = mapped_column(primary_key=True)
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime] = mapped_column(default=now)
    code: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(200))
    workload_id: Mapped[str] = mapped_column(String(16), default="")
    side: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(16), default="wanted", index=True)
    result: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None] = mapped_column()
    asked_by: Mapped[User] = relationship(lazy="joined")


class Maintenance(Base):
    """The switch that stops hand-over to Slurm: one row (id 1) while it is on, none while it is off."""

    __tablename__ = "maintenance"
    id: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(default=now)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))


class SettingsRevision(Base):
    """One change of the site's settings; `overrides` is all that then differs from the file. The newest counts."""

    __tablename__ = "settings_revisions"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=now)
    by: Mapped[str] = mapped_column(String(80))
    section: Mapped[str] = mapped_column(String(24))
    before: Mapped[JsonObject] = mapped_column()
    after: Mapped[JsonObject] = mapped_column()
    overrides: Mapped[JsonObject] = mapped_column()
