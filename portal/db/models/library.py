"""The component library, where its components are used, and what registries said of their images."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.apps import App
from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User


class Component(Base):
    """A component of the library: what holds for all its versions. `tag_lines`: a tag a line, with a line end on both sides."""

    __tablename__ = "components"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    description: Mapped[str] = mapped_column(Text, default="")
    help: Mapped[str] = mapped_column(Text, default="")
    tag_lines: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)
    deprecated_at: Mapped[datetime | None] = mapped_column()
    revision: Mapped[int] = mapped_column()
    owner: Mapped[User] = relationship(lazy="joined")

    # Two people who edit at once: the second is told.
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy's documented hook

    @property
    def tags(self) -> list[str]:
        """Its tags, in the order in which they were given."""
        return self.tag_lines.split()


class ComponentVersion(Base):
    """One version of a component: image, default resources and parameters; immutable once a ready App places it.

    `repository` is what a spec calls `image.registry`.
    """

    __tablename__ = "component_versions"
    __table_args__ = (
        UniqueConstraint("component_id", "version"),
        Index("ix_component_versions_image", "repository", "tag"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[str] = mapped_column(ForeignKey("components.id"))
    version: Mapped[str] = mapped_column(String(64))
    repository: Mapped[str] = mapped_column(String(400))
    tag: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str | None] = mapped_column(String(80))
    resources: Mapped[JsonObject] = mapped_column()
    params: Mapped[list[JsonObject]] = mapped_column(default=list)
    command: Mapped[list[str] | None] = mapped_column()
    args: Mapped[list[str] | None] = mapped_column()
    note: Mapped[str] = mapped_column(Text, default="")
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[User] = relationship(lazy="joined")


class ComponentUse(Base):
    """Where a component is placed: one row a placement in a version of an App, or in its draft (`app_version` None).

    No foreign key to the library: a spec file may name what the library lacks.
    """

    __tablename__ = "component_uses"
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[str] = mapped_column(String(64), index=True)
    component_version: Mapped[str | None] = mapped_column(String(64))
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), index=True)
    app_version: Mapped[str | None] = mapped_column(String(64))
    task_id: Mapped[str] = mapped_column(String(64))
    task_name: Mapped[str] = mapped_column(String(128))
    node_id: Mapped[str] = mapped_column(String(64))
    app: Mapped[App] = relationship(lazy="joined")


class ImageCheck(Base):
    """What a registry says of an image: asked for by the web process (state "checking"), answered by the daemon."""

    __tablename__ = "image_checks"
    reference: Mapped[str] = mapped_column(String(560), primary_key=True)
    repository: Mapped[str] = mapped_column(String(400))
    tag: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str | None] = mapped_column(String(80))
    architecture: Mapped[str] = mapped_column(String(32), default="")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    config: Mapped[JsonObject | None] = mapped_column()
    message: Mapped[str] = mapped_column(Text, default="")
    asked_at: Mapped[datetime] = mapped_column(default=now)
    checked_at: Mapped[datetime | None] = mapped_column()
    retry_at: Mapped[datetime | None] = mapped_column()
