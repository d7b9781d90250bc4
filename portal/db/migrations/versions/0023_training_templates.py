"""Templates of training settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "training_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("fields", JsonColumn, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_training_templates_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_templates")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_training_templates_owner_id_name")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("training_templates")
