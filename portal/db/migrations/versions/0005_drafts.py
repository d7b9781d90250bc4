"""Drafts of Apps and their saves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "drafts",
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("base_version", sa.String(length=64), nullable=True),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("layout", JsonColumn, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.Column("saved_by_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_drafts_app_id")),
        sa.ForeignKeyConstraint(["saved_by_id"], ["users.id"], name=op.f("fk_drafts_saved_by_id")),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_drafts")),
    )
    op.create_table(
        "draft_saves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.Column("saved_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_draft_saves_app_id")),
        sa.ForeignKeyConstraint(["saved_by_id"], ["users.id"], name=op.f("fk_draft_saves_saved_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_saves")),
    )
    with op.batch_alter_table("draft_saves", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draft_saves_app_id"), ["app_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("draft_saves", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_draft_saves_app_id"))

    op.drop_table("draft_saves")
    op.drop_table("drafts")
