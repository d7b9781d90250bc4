"""Sign-in by identity providers, and `one login` by way of the browser"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _identities()
    _flows()
    _cli_logins()
    added: tuple[sa.Column[Any], ...] = (
        sa.Column("identity_id", sa.Integer(), nullable=True),
        sa.Column("provider_sid", sa.String(length=255), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
    )
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        for column in added:
            batch_op.add_column(column)
        batch_op.create_foreign_key(
            batch_op.f("fk_browser_sessions_identity_id"), "identities", ["identity_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_browser_sessions_identity_id"), ["identity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_browser_sessions_provider_sid"), ["provider_sid"], unique=False)


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=8), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("given_role", sa.String(length=16), nullable=True),
        sa.Column("own_role", sa.String(length=16), nullable=False),
        sa.Column("given_unix_user", sa.String(length=64), nullable=True),
        sa.Column("given_account", sa.String(length=64), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=False),
        sa.Column("trusted_until", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_user_id"), ["user_id"], unique=False)


def _flows() -> None:
    op.create_table(
        "sso_flows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=8), nullable=False),
        sa.Column("goal", sa.String(length=2000), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("arrived", JsonColumn, nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sso_flows")),
        sa.UniqueConstraint("sha256", name=op.f("uq_sso_flows_sha256")),
        sa.UniqueConstraint("state", name=op.f("uq_sso_flows_state")),
    )
    with op.batch_alter_table("sso_flows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sso_flows_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_sso_flows_ends_at"), ["ends_at"], unique=False)


def _cli_logins() -> None:
    op.create_table(
        "cli_logins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cli_logins_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cli_logins")),
        sa.UniqueConstraint("code", name=op.f("uq_cli_logins_code")),
        sa.UniqueConstraint("challenge", name=op.f("uq_cli_logins_challenge")),
    )
    with op.batch_alter_table("cli_logins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cli_logins_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_cli_logins_ends_at"), ["ends_at"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_sessions_provider_sid"))
        batch_op.drop_index(batch_op.f("ix_browser_sessions_identity_id"))
        batch_op.drop_constraint(batch_op.f("fk_browser_sessions_identity_id"), type_="foreignkey")
        for name in ("confirmed_at", "asked_at", "sealed", "provider_sid", "identity_id"):
            batch_op.drop_column(name)
    for table in ("cli_logins", "sso_flows", "identities"):
        op.drop_table(table)
