"""The newest workloads of all are found by an index: the first page of every list"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("ix_workloads_submitted_at"), "workloads", ["submitted_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_workloads_submitted_at"), table_name="workloads")
