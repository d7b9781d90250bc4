"""Workloads with their tests, attempts and Slurm jobs; the images that they run, and how long steps took."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db.models.apps import App
from portal.db.models.base import Base, JsonObject, now
from portal.db.models.people import User


class Workload(Base):
    """One request on the road. `spec` is what was asked (overrides applied), `resolved` what runs (digests pinned, hashed).

    `gpu_types` are those of its components that ask for GPUs or shares: `|A100|V100|`, "" for none.
    """

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
    gpu_types: Mapped[str] = mapped_column(Text, default="")
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
    submitted_at: Mapped[datetime] = mapped_column(default=now, index=True)
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
    """One try of a workload: a run directory, the plan made at hand-over, and its Slurm jobs.

    `usage` is what its steps asked for and used (domain/efficiency.py); `noted_at` when sacct was told.
    """

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("workload_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id"))
    number: Mapped[int] = mapped_column()
    run_dir: Mapped[str] = mapped_column(String(512))
    plan: Mapped[JsonObject] = mapped_column()
    outcome: Mapped[str] = mapped_column(String(24), default="")
    report: Mapped[JsonObject | None] = mapped_column()
    usage: Mapped[JsonObject | None] = mapped_column()
    noted_at: Mapped[datetime | None] = mapped_column()
    logs_saved_at: Mapped[datetime | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()
    workload: Mapped[Workload] = relationship(back_populates="attempts")
    jobs: Mapped[list[SlurmJob]] = relationship(
        back_populates="attempt", order_by="SlurmJob.job_index", lazy="selectin"
    )


class SlurmJob(Base):
    """One Slurm job of an attempt, written as an intent (with its nonce) before it is submitted.

    `script` is the batch script as it was made then, compressed; read only where it is asked for.
    """

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
    nodes: Mapped[list[str]] = mapped_column(default=list)
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
    script: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
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


class DurationSample(Base):
    """How long a component ran once, for the plan's expected durations (median of earlier runs)."""

    __tablename__ = "duration_samples"
    id: Mapped[int] = mapped_column(primary_key=True)
    component_id: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[str] = mapped_column(String(80))
    seconds: Mapped[float] = mapped_column()
    at: Mapped[datetime] = mapped_column(default=now)
