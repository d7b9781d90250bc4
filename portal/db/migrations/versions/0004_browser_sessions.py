"""Sign-in: passwords, browser sessions, failed tries, what a person prefers, and whether the Slurm mapping holds"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from portal.db.models import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "browser_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_browser_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_sessions")),
        sa.UniqueConstraint("sha256", name=op.f("uq_browser_sessions_sha256")),
    )
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_browser_sessions_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_browser_sessions_ends_at"), ["ends_at"], unique=False)

    op.create_table(
        "sign_in_tries",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_tries")),
    )
    added: tuple[sa.Column[Any], ...] = (
        sa.Column("mapping_state", sa.String(length=16), nullable=False, server_default="unchecked"),
        sa.Column("mapping_checked_at", UtcDateTime(), nullable=True),
        sa.Column("password_hash", sa.String(length=256), nullable=True),
        sa.Column("password_temporary", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("signed_in_at", UtcDateTime(), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False, server_default=""),
        sa.Column("theme", sa.String(length=8), nullable=False, server_default=""),
        sa.Column("time_zone", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("single_keys", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("rows_per_page", sa.Integer(), nullable=False, server_default="50"),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        for column in added:
            batch_op.add_column(column)
