"""What runs leave: models with aliases and notes; Operators and their analyses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User
from portal.db.models.runs import Workload


class Model(Base):
    """One stored model version of an App; files and lineage are in its manifest. Archived ones are only out of the lists.

    `asked` is what the daemon is to do with its files (portal.services.modelfates), "" for nothing.
    """

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("app_id", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), index=True)
    version: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column(String(160))
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16), default="saving")
    error: Mapped[str] = mapped_column(Text, default="")
    asked: Mapped[str] = mapped_column(String(8), default="", server_default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    bucket: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(512))
    manifest: Mapped[JsonObject | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column()
    workload: Mapped[Workload] = relationship(lazy="joined")


class Operator(Base):
    """A saved Operator: somebody's program that looks at a finished run. What it does is in its versions."""

    __tablename__ = "operators"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column()
    owner: Mapped[User] = relationship(lazy="joined")


class OperatorVersion(Base):
    """One uploaded file of an Operator, never changed; `stored_at` is when the daemon had moved it to S3."""

    __tablename__ = "operator_versions"
    __table_args__ = (UniqueConstraint("operator_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(ForeignKey("operators.id"))
    number: Mapped[int] = mapped_column()
    filename: Mapped[str] = mapped_column(String(128))
    form: Mapped[str] = mapped_column(String(4))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    stored_at: Mapped[datetime | None] = mapped_column()
    operator: Mapped[Operator] = relationship(lazy="joined")


class Upload(Base):
    """The bytes of an uploaded Operator until the daemon has moved them to S3; capped in size by the portal."""

    __tablename__ = "uploads"
    id: Mapped[int] = mapped_column(primary_key=True)
    operator_version_id: Mapped[int] = mapped_column(ForeignKey("operator_versions.id"), unique=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Analysis(Base):
    """What an Operator finds out about a finished run: `run_id` is the workload of kind analysis that runs it.

    `place` is the folder beside the run directories where the daemon lays the Operator down for the job: a random name,
    so that nobody guesses it; "" once it is taken away again. `figures` are those of its summary.json.
    """

    __tablename__ = "analyses"
    run_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), primary_key=True)
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), index=True)
    attempt: Mapped[int] = mapped_column()
    operator_version_id: Mapped[int] = mapped_column(ForeignKey("operator_versions.id"), index=True)
    place: Mapped[str] = mapped_column(String(32), default="")
    placed_at: Mapped[datetime | None] = mapped_column()
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    error: Mapped[str] = mapped_column(Text, default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    bucket: Mapped[str] = mapped_column(String(64), default="")
    prefix: Mapped[str] = mapped_column(String(512), default="")
    manifest: Mapped[JsonObject | None] = mapped_column()
    figures: Mapped[JsonObject] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    stored_at: Mapped[datetime | None] = mapped_column()
    run: Mapped[Workload] = relationship(lazy="joined", foreign_keys=[run_id])
    workload: Mapped[Workload] = relationship(lazy="joined", foreign_keys=[workload_id])
    version: Mapped[OperatorVersion] = relationship(lazy="joined")


class AliasMove(Base):
    """An alias of an App's models going from one version to another, never changed; where an alias is, its newest row says.

    `version` None takes the alias away, `from_version` None gives it for the first time or again. `number` counts the
    moves of one alias, so that of two people who move it at once one is refused.
    """

    __tablename__ = "alias_moves"
    __table_args__ = (UniqueConstraint("app_id", "alias", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"))
    alias: Mapped[str] = mapped_column(String(32))
    number: Mapped[int] = mapped_column()
    from_version: Mapped[int | None] = mapped_column()
    version: Mapped[int | None] = mapped_column()
    reason: Mapped[str] = mapped_column(Text, default="")
    moved_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(default=now)
    moved_by: Mapped[User] = relationship(lazy="joined")


class ModelNote(Base):
    """A model's note in Markdown as it was saved once; the newest is the note, the others are its history."""

    __tablename__ = "model_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    saved_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(default=now)
    saved_by: Mapped[User] = relationship(lazy="joined")
