"""Checkups: what `one doctor` found"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "checkups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("reconcile", sa.Boolean(), nullable=False),
        sa.Column("contents", sa.Boolean(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("parts", JsonColumn, nullable=False),
        sa.Column("findings", JsonColumn, nullable=False),
        sa.Column("compared", JsonColumn, nullable=False),
        sa.ForeignKeyConstraint(["asked_by_id"], ["users.id"], name=op.f("fk_checkups_asked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkups")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("checkups")
