"""Which nodes a Slurm job runs on, and samples of each node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn

revision = "0022"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("slurm_jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("nodes", JsonColumn, nullable=False, server_default="[]"))
    with op.batch_alter_table("cluster_samples", schema=None) as batch_op:
        batch_op.add_column(sa.Column("nodes", JsonColumn, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("cluster_samples", schema=None) as batch_op:
        batch_op.drop_column("nodes")
    with op.batch_alter_table("slurm_jobs", schema=None) as batch_op:
        batch_op.drop_column("nodes")
