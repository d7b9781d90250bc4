"""Apps: their versions, who edits them, drafts, and templates of the settings with which they are trained."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, cast, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User


class AppEditor(Base):
    """A person who may edit an App beside its owner (D6)."""

    __tablename__ = "app_editors"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    added_at: Mapped[datetime] = mapped_column(default=now)


class App(Base):
    """An App; its content lives in immutable versions."""

    __tablename__ = "apps"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    visibility: Mapped[str] = mapped_column(String(16), default="lab")
    share_logs: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column()
    owner: Mapped[User] = relationship(lazy="joined")
    editor_ids: Mapped[str | None] = column_property(
        select(func.aggregate_strings(cast(AppEditor.user_id, String), " "))
        .where(AppEditor.app_id == id)
        .scalar_subquery()
    )
    """Its co-editors' ids with spaces between them: read with the App itself, whatever loads it."""

    def __init__(self, **given: Any) -> None:
        """A new App has none."""
        super().__init__(editor_ids=None, **given)

    @property
    def co_editors(self) -> frozenset[int]:
        """The users who may edit it beside its owner, as of when it was read."""
        return frozenset(int(one) for one in (self.editor_ids or "").split())


class AppVersion(Base):
    """One immutable version of an App: the spec as it was given and the hash of its content."""

    __tablename__ = "app_versions"
    __table_args__ = (UniqueConstraint("app_id", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"))
    version: Mapped[str] = mapped_column(String(64))
    spec: Mapped[JsonObject] = mapped_column()
    content_sha256: Mapped[str] = mapped_column(String(64))
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    app: Mapped[App] = relationship(lazy="joined")


class Draft(Base):
    """The one open draft of an App, saved as one draws; `spec` is JSON text because JSONB forgets the order of keys."""

    __tablename__ = "drafts"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), primary_key=True)
    base_version: Mapped[str | None] = mapped_column(String(64))
    spec: Mapped[str] = mapped_column(Text)
    layout: Mapped[JsonObject] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    saved_at: Mapped[datetime] = mapped_column(default=now)
    saved_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    revision: Mapped[int] = mapped_column()
    saved_by: Mapped[User] = relationship(lazy="joined")
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy's documented hook


class DraftSave(Base):
    """What a draft was at one of its revisions; the newest are kept."""

    __tablename__ = "draft_saves"
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), index=True)
    revision: Mapped[int] = mapped_column()
    spec: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[datetime] = mapped_column(default=now)
    saved_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class TrainingTemplate(Base):
    """Settings of a training under a name: the Trainer's fields that belong to no component. `shared`: everybody finds it."""

    __tablename__ = "training_templates"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(80))
    fields: Mapped[JsonObject]
    shared: Mapped[bool] = mapped_column(default=False)
    saved_at: Mapped[datetime] = mapped_column(default=now)

    owner: Mapped[User] = relationship(lazy="joined")
