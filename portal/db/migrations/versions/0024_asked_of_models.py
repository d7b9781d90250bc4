"""What people ask the daemon to do with a stored model's files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("models", sa.Column("asked", sa.String(length=8), nullable=False, server_default=""))


def downgrade() -> None:
    """Undo."""
    op.drop_column("models", "asked")
