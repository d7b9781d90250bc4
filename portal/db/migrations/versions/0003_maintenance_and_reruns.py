"""The maintenance switch, and which workload another one repeats"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance")),
    )
    with op.batch_alter_table("workloads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rerun_of", sa.String(length=16), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_workloads_rerun_of"), "workloads", ["rerun_of"], ["id"])
        batch_op.create_index(batch_op.f("ix_workloads_rerun_of"), ["rerun_of"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("workloads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workloads_rerun_of"))
        batch_op.drop_constraint(batch_op.f("fk_workloads_rerun_of"), type_="foreignkey")
        batch_op.drop_column("rerun_of")
    op.drop_table("maintenance")
