"""When a Slurm mapping was asked to be checked, what the check said, and from where a token was used last"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mapping_asked_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("mapping_says", sa.String(length=300), nullable=False, server_default=""))
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_address", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_column("last_address")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("mapping_says")
        batch_op.drop_column("mapping_asked_at")
