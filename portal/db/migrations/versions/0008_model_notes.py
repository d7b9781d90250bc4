"""Aliases and notes of models, archived ones, and one word for a model that could not be saved"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moved_by_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_alias_moves_app_id")),
        sa.ForeignKeyConstraint(["moved_by_id"], ["users.id"], name=op.f("fk_alias_moves_moved_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
        sa.UniqueConstraint("app_id", "alias", "number", name=op.f("uq_alias_moves_app_id_alias_number")),
    )
    op.create_table(
        "model_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("saved_by_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_notes_model_id")),
        sa.ForeignKeyConstraint(["saved_by_id"], ["users.id"], name=op.f("fk_model_notes_saved_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_notes")),
    )
    with op.batch_alter_table("model_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_notes_model_id"), ["model_id"], unique=False)

    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.add_column(sa.Column("archived_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE models SET state = 'save_failed' WHERE state = 'failed'")


def downgrade() -> None:
    """Take back."""
    op.execute("UPDATE models SET state = 'failed' WHERE state = 'save_failed'")
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.drop_column("archived_at")

    with op.batch_alter_table("model_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_model_notes_model_id"))

    op.drop_table("model_notes")
    op.drop_table("alias_moves")
