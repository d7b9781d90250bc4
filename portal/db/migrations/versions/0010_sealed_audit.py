"""Audit rows that no statement changes, their seals, refusals that are counted, and co-editors of Apps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEPT_DAYS = 90
"""No audit row younger than this can be deleted by any statement; the settings may keep them longer, never shorter.

A migration that makes the table anew (SQLite's batch mode) must make the triggers again.
"""
GUARDED = {"audit": "at", "audit_seal_rows": "at", "audit_seals": ""}
"""Table -> the column that says how old a row is; "" where no row is ever deleted."""


def upgrade() -> None:
    """Apply."""
    _seals()
    _refusals()
    _editors()
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _seals() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.Column("closes_at", UtcDateTime(), nullable=True),
        sa.Column("newest_at", UtcDateTime(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("rows_sha256", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_table(
        "audit_seal_rows",
        sa.Column("row_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seal", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("keeping", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["seal"], ["audit_seals.number"], name=op.f("fk_audit_seal_rows_seal")),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_audit_seal_rows")),
    )
    with op.batch_alter_table("audit_seal_rows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_seal_rows_seal"), ["seal"], unique=False)
    op.create_table(
        "audit_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("found", JsonColumn, nullable=True),
        sa.ForeignKeyConstraint(["asked_by_id"], ["users.id"], name=op.f("fk_audit_checks_asked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checks")),
    )


def _refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("object_type", sa.String(length=24), nullable=False),
        sa.Column("object_id", sa.String(length=80), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_refusals_actor_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_refusals")),
    )
    with op.batch_alter_table("refusals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refusals_actor_id"), ["actor_id"], unique=False)


def _editors() -> None:
    op.create_table(
        "app_editors",
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_app_editors_app_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_app_editors_user_id")),
        sa.PrimaryKeyConstraint("app_id", "user_id", name=op.f("pk_app_editors")),
    )
    with op.batch_alter_table("app_editors", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_app_editors_user_id"), ["user_id"], unique=False)


def _guard_postgresql() -> None:
    """Also against the tables' owner, whom no grant holds back; only dropping the trigger gets past it."""
    op.execute(f"""
        CREATE FUNCTION one_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND TG_NARGS > 0 THEN
                IF (to_jsonb(OLD) ->> TG_ARGV[0])::timestamptz < now() - interval '{KEPT_DAYS} days' THEN
                    RETURN OLD;
                END IF;
            END IF;
            RAISE EXCEPTION 'the audit log is append-only: % of %', TG_OP, TG_TABLE_NAME;
        END $$
    """)
    for table, column in GUARDED.items():
        argument = f"'{column}'" if column else ""
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION one_audit_kept({argument})"
        )
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION one_audit_kept()"
        )


def _guard_sqlite() -> None:
    for table, column in GUARDED.items():
        young = f"WHEN OLD.{column} >= datetime('now', '-{KEPT_DAYS} days') " if column else ""
        for verb, when in (("UPDATE", ""), ("DELETE", young)):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {when}"
                f"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: {verb} of {table}'); END"
            )


def downgrade() -> None:
    """Undo."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in GUARDED:
        names = (
            (f"{table}_kept", f"{table}_not_emptied") if postgresql else (f"{table}_no_update", f"{table}_no_delete")
        )
        for name in names:
            op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if postgresql else ""))
    if postgresql:
        op.execute("DROP FUNCTION one_audit_kept()")
    for table in ("app_editors", "refusals", "audit_checks", "audit_seal_rows", "audit_seals"):
        op.drop_table(table)
