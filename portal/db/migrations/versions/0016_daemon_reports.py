"""What the daemon tells the web process of GPU use and of itself"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "daemon_reports",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("content", JsonColumn, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_daemon_reports")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("daemon_reports")
