"""Accounts, how they came in, and what lets them in again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.base import Base, JsonObject, now


class User(Base):
    """A person or service account; `unix_user` and `slurm_account` say whom its jobs run as (None: cannot submit)."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    email: Mapped[str] = mapped_column(String(254), default="")
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    unix_user: Mapped[str | None] = mapped_column(String(64), unique=True)
    slurm_account: Mapped[str | None] = mapped_column(String(64))
    mapping_state: Mapped[str] = mapped_column(String(16), default="unchecked")
    mapping_asked_at: Mapped[datetime | None] = mapped_column()
    mapping_checked_at: Mapped[datetime | None] = mapped_column()
    mapping_says: Mapped[str] = mapped_column(String(300), default="")
    password_hash: Mapped[str | None] = mapped_column(String(256))
    password_temporary: Mapped[bool] = mapped_column(default=False)
    signed_in_at: Mapped[datetime | None] = mapped_column()
    language: Mapped[str] = mapped_column(String(2), default="")
    theme: Mapped[str] = mapped_column(String(8), default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="")
    single_keys: Mapped[bool] = mapped_column(default=True)
    rows_per_page: Mapped[int] = mapped_column(default=50)
    notice_ways: Mapped[JsonObject | None] = mapped_column()
    notice_wait_min: Mapped[int] = mapped_column(default=10)
    notice_webhook: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Identity(Base):
    """A person as an identity provider knows one, and what its last sign-in gave the account by the site's rules.

    `given_*` is None where the rules gave nothing or a person changed it since; `own_role` is the role without the rules.
    Until `trusted_until` the account's API tokens count; then the provider must vouch for the person again.
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    provider: Mapped[str] = mapped_column(String(8))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    given_role: Mapped[str | None] = mapped_column(String(16))
    own_role: Mapped[str] = mapped_column(String(16))
    given_unix_user: Mapped[str | None] = mapped_column(String(64))
    given_account: Mapped[str | None] = mapped_column(String(64))
    waiting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    confirmed_at: Mapped[datetime] = mapped_column(default=now)
    trusted_until: Mapped[datetime] = mapped_column()
    user: Mapped[User] = relationship(lazy="joined")


class SsoFlow(Base):
    """A sign-in that is at an identity provider: whose browser (the SHA-256 of its cookie), and what came back by SAML."""

    __tablename__ = "sso_flows"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(64), unique=True)
    provider: Mapped[str] = mapped_column(String(8))
    goal: Mapped[str] = mapped_column(String(2000))
    address: Mapped[str] = mapped_column(String(64), default="", index=True)
    request_id: Mapped[str] = mapped_column(String(128), default="")
    arrived: Mapped[JsonObject | None] = mapped_column()
    ends_at: Mapped[datetime] = mapped_column(index=True)


class CliLogin(Base):
    """A `one login` that waits for its person at a browser; only hashes of its secrets are kept."""

    __tablename__ = "cli_logins"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16), unique=True)
    challenge: Mapped[str] = mapped_column(String(64), unique=True)
    host: Mapped[str] = mapped_column(String(64), default="")
    address: Mapped[str] = mapped_column(String(64), default="", index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    refused: Mapped[bool] = mapped_column(default=False)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    user: Mapped[User | None] = relationship(lazy="joined")


class BrowserSession(Base):
    """One signed-in browser; only the SHA-256 of its cookie is kept. Ends by the clock, by signing out or with the account.

    Of a session by SSO also whose identity, the provider's own id of it, what asks the provider again (`sealed` with the
    cookie, so that the database alone opens nothing), when that was tried last and when the provider last said yes.
    """

    __tablename__ = "browser_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    browser: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identities.id"), index=True)
    provider_sid: Mapped[str | None] = mapped_column(String(255), index=True)
    sealed: Mapped[str | None] = mapped_column(Text)
    asked_at: Mapped[datetime | None] = mapped_column()
    confirmed_at: Mapped[datetime | None] = mapped_column()
    user: Mapped[User] = relationship(lazy="joined")
    identity: Mapped[Identity | None] = relationship(lazy="joined")


class SignInTries(Base):
    """Failed sign-ins under one key (a name, an address, both together) since the last good one."""

    __tablename__ = "sign_in_tries"
    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    tries: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(default=now)


class Token(Base):
    """An API token; only the SHA-256 of its value is kept."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column()
    last_address: Mapped[str] = mapped_column(String(64), default="")
    revoked_at: Mapped[datetime | None] = mapped_column()
    user: Mapped[User] = relationship(lazy="joined")
