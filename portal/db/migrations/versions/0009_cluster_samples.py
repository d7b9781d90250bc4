"""Samples of the cluster over time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "cluster_samples",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("span_s", sa.Integer(), nullable=False),
        sa.Column("reading", JsonColumn, nullable=False),
        sa.Column("notes", JsonColumn, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_samples")),
        sa.UniqueConstraint("span_s", "at", name=op.f("uq_cluster_samples_span_s_at")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("cluster_samples")
