"""Operators, their uploads, and what they found out; the batch scripts of Slurm jobs; the GPU types of workloads"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "operators",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_operators_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_operators_owner_id_name")),
    )
    op.create_table(
        "operator_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operator_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(128), nullable=False),
        sa.Column("form", sa.String(4), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_operator_versions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_versions")),
        sa.UniqueConstraint("operator_id", "number", name=op.f("uq_operator_versions_operator_id_number")),
    )
    op.create_index(op.f("ix_operator_versions_sha256"), "operator_versions", ["sha256"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operator_version_id", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_version_id"], ["operator_versions.id"], name=op.f("fk_uploads_operator_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("operator_version_id", name=op.f("uq_uploads_operator_version_id")),
    )
    op.create_table(
        "analyses",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("workload_id", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("operator_version_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(32), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(512), nullable=False),
        sa.Column("manifest", JsonColumn, nullable=True),
        sa.Column("figures", JsonColumn, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_version_id"], ["operator_versions.id"], name=op.f("fk_analyses_operator_version_id")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["workloads.id"], name=op.f("fk_analyses_run_id")),
        sa.ForeignKeyConstraint(["workload_id"], ["workloads.id"], name=op.f("fk_analyses_workload_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_analyses")),
    )
    op.create_index(op.f("ix_analyses_operator_version_id"), "analyses", ["operator_version_id"])
    op.create_index(op.f("ix_analyses_workload_id"), "analyses", ["workload_id"])
    op.add_column("slurm_jobs", sa.Column("script", sa.LargeBinary(), nullable=True))
    op.add_column("workloads", sa.Column("gpu_types", sa.Text(), nullable=False, server_default=""))
    _fill_gpu_types()


def _fill_gpu_types() -> None:
    """Of the workloads that are there; the words of portal/domain/resources_text.py at this revision."""
    workloads = sa.table(
        "workloads", sa.column("id", sa.String), sa.column("spec", JsonColumn), sa.column("gpu_types", sa.Text)
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(workloads.c.id, workloads.c.spec)).all():
        parts = [part["resources"] for task in row.spec.get("tasks", ()) for part in task.get("components", ())]
        types = sorted(
            {
                one["gpu_type"]
                for one in parts
                if one.get("gpu_type") and (one.get("gpu_count") or one.get("gpu_shards"))
            }
        )
        if types:
            named = workloads.update().where(workloads.c.id == row.id).values(gpu_types=f"|{'|'.join(types)}|")
            connection.execute(named)


def downgrade() -> None:
    """Undo."""
    op.drop_column("workloads", "gpu_types")
    op.drop_column("slurm_jobs", "script")
    for table in ("analyses", "uploads", "operator_versions", "operators"):
        op.drop_table(table)
