"""The component library, where its components are placed, and what registries say of images"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from portal.db.models import JsonColumn, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "components",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("help", sa.Text(), nullable=False),
        sa.Column("tag_lines", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("deprecated_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_components_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_components")),
        sa.UniqueConstraint("name", name=op.f("uq_components_name")),
    )
    op.create_index(op.f("ix_components_owner_id"), "components", ["owner_id"], unique=False)
    op.create_table(
        "component_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("component_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("repository", sa.String(length=400), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("resources", JsonColumn, nullable=False),
        sa.Column("params", JsonColumn, nullable=False),
        sa.Column("command", JsonColumn, nullable=True),
        sa.Column("args", JsonColumn, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["component_id"], ["components.id"], name=op.f("fk_component_versions_component_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_component_versions_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_component_versions")),
        sa.UniqueConstraint("component_id", "version", name=op.f("uq_component_versions_component_id_version")),
    )
    op.create_index("ix_component_versions_image", "component_versions", ["repository", "tag"], unique=False)
    uses = op.create_table(
        "component_uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("component_id", sa.String(length=64), nullable=False),
        sa.Column("component_version", sa.String(length=64), nullable=True),
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("app_version", sa.String(length=64), nullable=True),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("task_name", sa.String(length=128), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_component_uses_app_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_component_uses")),
    )
    op.create_index(op.f("ix_component_uses_app_id"), "component_uses", ["app_id"], unique=False)
    op.create_index(op.f("ix_component_uses_component_id"), "component_uses", ["component_id"], unique=False)
    op.create_table(
        "image_checks",
        sa.Column("reference", sa.String(length=560), nullable=False),
        sa.Column("repository", sa.String(length=400), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("architecture", sa.String(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("config", JsonColumn, nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_image_checks")),
    )
    rows = list(_placements())
    if rows:
        op.bulk_insert(uses, rows)


def downgrade() -> None:
    """Take back."""
    op.drop_table("image_checks")
    op.drop_table("component_uses")
    op.drop_table("component_versions")
    op.drop_table("components")


def _placements() -> Iterator[dict[str, Any]]:
    """What the specs that are there already place: published ones are right, of a draft only what can be read."""
    connection = op.get_bind()
    versions = sa.table("app_versions", sa.column("app_id"), sa.column("version"), sa.column("spec", JsonColumn))
    for app_id, version, spec in connection.execute(sa.select(versions)):
        yield from _of_spec(app_id, version, spec)
    for app_id, text in connection.execute(sa.select(sa.table("drafts", sa.column("app_id"), sa.column("spec")))):
        yield from _of_spec(app_id, None, json.loads(text))


def _of_spec(app_id: str, version: str | None, spec: Any) -> Iterator[dict[str, Any]]:
    for task in _objects(spec, "tasks"):
        for component in _objects(task, "components"):
            found = component.get("component_id")
            if isinstance(found, str) and found:
                yield {
                    "component_id": found[:64],
                    "component_version": str(component["component_version"])[:64]
                    if component.get("component_version")
                    else None,
                    "app_id": app_id,
                    "app_version": version,
                    "task_id": str(task.get("task_id", ""))[:64],
                    "task_name": str(task.get("name", ""))[:128],
                    "node_id": str(component.get("node_id") or found)[:64],
                }


def _objects(holder: Any, key: str) -> list[dict[str, Any]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
