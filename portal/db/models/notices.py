"""What people are told, and by which way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User


class Notice(Base):
    """One thing that one person was told; `data` are its facts, put into words where they are read."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_user_id_id", "user_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(24))
    object_id: Mapped[str] = mapped_column(String(200))
    data: Mapped[JsonObject] = mapped_column()
    browser: Mapped[bool] = mapped_column(default=False)
    told_at: Mapped[datetime] = mapped_column(default=now, index=True)
    read_at: Mapped[datetime | None] = mapped_column()
    user: Mapped[User] = relationship()
    deliveries: Mapped[list[NoticeDelivery]] = relationship(back_populates="notice", order_by="NoticeDelivery.id")


class NoticeDelivery(Base):
    """One notice on its way out: waiting, sending, sent, failed (given up) or off (nowhere to send it to)."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel"),
        Index("ix_notice_deliveries_state_try_at", "state", "try_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    channel: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[datetime] = mapped_column(default=now)
    error: Mapped[str] = mapped_column(String(300), default="")
    done_at: Mapped[datetime | None] = mapped_column()
    notice: Mapped[Notice] = relationship(back_populates="deliveries")


class Webhook(Base):
    """Where a person's own program takes notices; `secret` signs them, so it is kept as it is, and shown once."""

    __tablename__ = "webhooks"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime] = mapped_column(default=now)
