"""The tables: users, Apps, components, workloads with their attempts and Slurm jobs, images, tests, models, events, audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy import types as sql_types
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

JsonObject = dict[str, Any]
JsonColumn = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(sql_types.TypeDecorator[datetime]):
    """Aware datetimes in UTC on every database (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values; store UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"naive datetime: {value!r}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    """The present moment in UTC; the one clock of every row."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations are the same on SQLite and PostgreSQL."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's documented hook
        datetime: UtcDateTime,
        JsonObject: JsonColumn,
        list[str]: JsonColumn,
        list[JsonObject]: JsonColumn,
        list[int]: JsonColumn,
    }


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
    created_at: Mapped[datetime] = mapped_column(default=now)


class BrowserSession(Base):
    """One signed-in browser; only the SHA-256 of its cookie is kept. Ends by the clock, by signing out or with the account."""

    __tablename__ = "browser_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    browser: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    ends_at: Mapped[datetime] = mapped_column(index=True)
    user: Mapped[User] = relationship(lazy="joined")


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


class Workload(Base):
    """One request on the road. `spec` is what was asked (overrides applied), `resolved` what runs (digests pinned, hashed)."""

    __tablename__ = "workloads"
    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key"),
        Index("ix_workloads_state_submitted_at", "state", "submitted_at"),
    )
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), index=True)
    app_version: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[str] = mapped_column(String(24))
    phase: Mapped[str] = mapped_column(String(24), default="")
    unknown_since: Mapped[datetime | None] = mapped_column()
    needs_approval: Mapped[bool] = mapped_column(default=False)
    approval_reasons: Mapped[list[JsonObject]] = mapped_column(default=list)
    decision: Mapped[str] = mapped_column(String(16), default="awaiting")
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column()
    reject_reason: Mapped[str] = mapped_column(Text, default="")
    approved_hash: Mapped[str | None] = mapped_column(String(64))
    spec: Mapped[JsonObject] = mapped_column()
    resolved: Mapped[JsonObject | None] = mapped_column()
    spec_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    options: Mapped[JsonObject] = mapped_column(default=dict)
    time_limit_min: Mapped[int] = mapped_column()
    priority: Mapped[str] = mapped_column(String(8), default="normal")
    queue_rank: Mapped[int] = mapped_column(BigInteger, default=0)
    held: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(Text, default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    cancel_requested_at: Mapped[datetime | None] = mapped_column()
    cancel_requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    cancel_reason: Mapped[str] = mapped_column(Text, default="")
    failure: Mapped[JsonObject | None] = mapped_column()
    rerun_of: Mapped[str | None] = mapped_column(ForeignKey("workloads.id"), index=True)
    submitted_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime | None] = mapped_column()
    started_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()
    revision: Mapped[int] = mapped_column()
    owner: Mapped[User] = relationship(lazy="joined", foreign_keys=[owner_id])
    app: Mapped[App] = relationship(lazy="joined")
    tests: Mapped[list[LoopTest]] = relationship(
        primaryjoin="foreign(LoopTest.spec_hash) == Workload.spec_hash",
        order_by="LoopTest.id",
        viewonly=True,
        lazy="selectin",
    )
    attempts: Mapped[list[Attempt]] = relationship(
        back_populates="workload", order_by="Attempt.number", lazy="selectin"
    )

    # Two writers at once: the second gets StaleDataError and starts again from what the first one wrote.
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy's documented hook

    @property
    def test(self) -> LoopTest | None:
        """The minimal run test that counts for this request: one of exactly its spec hash, a passed one before the newest."""
        passed = [test for test in self.tests if test.status == "passed"]
        return passed[-1] if passed else (self.tests[-1] if self.tests else None)


class LoopTest(Base):
    """A minimal run test of one spec hash, for every request of that hash; `run_id` is the workload that produced it."""

    __tablename__ = "loop_tests"
    id: Mapped[int] = mapped_column(primary_key=True)
    spec_hash: Mapped[str] = mapped_column(String(64), index=True)
    requested_for_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), index=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), unique=True)
    status: Mapped[str] = mapped_column(String(16), default="running")
    episodes: Mapped[int | None] = mapped_column()
    size: Mapped[JsonObject] = mapped_column(default=dict)
    results: Mapped[JsonObject | None] = mapped_column()
    executed_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    executed_at: Mapped[datetime | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    executed_by: Mapped[User] = relationship(lazy="joined")


class Attempt(Base):
    """One try of a workload: a run directory, the plan made at hand-over, and its Slurm jobs."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("workload_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"))
    number: Mapped[int] = mapped_column()
    run_dir: Mapped[str] = mapped_column(String(512))
    plan: Mapped[JsonObject] = mapped_column()
    outcome: Mapped[str] = mapped_column(String(24), default="")
    report: Mapped[JsonObject | None] = mapped_column()
    logs_saved_at: Mapped[datetime | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()
    workload: Mapped[Workload] = relationship(back_populates="attempts")
    jobs: Mapped[list[SlurmJob]] = relationship(
        back_populates="attempt", order_by="SlurmJob.job_index", lazy="selectin"
    )


class SlurmJob(Base):
    """One Slurm job of an attempt, written as an intent (with its nonce) before it is submitted."""

    __tablename__ = "slurm_jobs"
    __table_args__ = (UniqueConstraint("attempt_id", "job_index"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    job_index: Mapped[int] = mapped_column()
    nonce: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    after_jobs: Mapped[list[int]] = mapped_column()
    status: Mapped[str] = mapped_column(String(24), default="intent")
    leader_id: Mapped[int | None] = mapped_column(index=True)
    component_ids: Mapped[list[int]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(String(24), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    estimated_start: Mapped[datetime | None] = mapped_column()
    applied_qos: Mapped[str] = mapped_column(String(64), default="")
    applied_nice: Mapped[int | None] = mapped_column(BigInteger)
    applied_held: Mapped[bool] = mapped_column(default=False)
    reorder_error: Mapped[str] = mapped_column(String(200), default="")
    slurm_priority: Mapped[int | None] = mapped_column(BigInteger)
    changed_outside_at: Mapped[datetime | None] = mapped_column()
    cancel_sent_at: Mapped[datetime | None] = mapped_column()
    accounting: Mapped[JsonObject | None] = mapped_column()
    submitted_at: Mapped[datetime | None] = mapped_column()
    started_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()
    attempt: Mapped[Attempt] = relationship(back_populates="jobs")


class Image(Base):
    """One image by digest and its conversion to a SIF."""

    __tablename__ = "images"
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    reference: Mapped[str] = mapped_column(String(512))
    state: Mapped[str] = mapped_column(String(16), default="wanted")
    progress: Mapped[str] = mapped_column(String(200), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    sif_path: Mapped[str | None] = mapped_column(String(512))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    config: Mapped[JsonObject | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    converted_at: Mapped[datetime | None] = mapped_column()
    used_at: Mapped[datetime | None] = mapped_column()
    retry_at: Mapped[datetime | None] = mapped_column()


class Model(Base):
    """One stored model version of an App; files and lineage are in its manifest. Archived ones are only out of the lists."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("app_id", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id"), index=True)
    version: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column(String(160))
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16), default="saving")
    error: Mapped[str] = mapped_column(Text, default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    bucket: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(512))
    manifest: Mapped[JsonObject | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column()
    workload: Mapped[Workload] = relationship(lazy="joined")


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


class ClusterState(Base):
    """The newest snapshot of the cluster (one row, id 1), written by the daemon, read by every page and command."""

    __tablename__ = "cluster_state"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime | None] = mapped_column()
    unreachable_since: Mapped[datetime | None] = mapped_column()
    snapshot: Mapped[JsonObject | None] = mapped_column()
    version: Mapped[JsonObject | None] = mapped_column()


class ClusterSample(Base):
    """The cluster at one moment, or the mean of `span_s` seconds from then on (portal/domain/samples.py)."""

    __tablename__ = "cluster_samples"
    __table_args__ = (UniqueConstraint("span_s", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column()
    span_s: Mapped[int] = mapped_column()
    reading: Mapped[JsonObject] = mapped_column()
    notes: Mapped[JsonObject] = mapped_column(default=dict)


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


class Maintenance(Base):
    """The switch that stops hand-over to Slurm: one row (id 1) while it is on, none while it is off."""

    __tablename__ = "maintenance"
    id: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(default=now)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))


class DurationSample(Base):
    """How long a component ran once, for the plan's expected durations (median of earlier runs)."""

    __tablename__ = "duration_samples"
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[str] = mapped_column(String(80))
    seconds: Mapped[float] = mapped_column()
    at: Mapped[datetime] = mapped_column(default=now)
