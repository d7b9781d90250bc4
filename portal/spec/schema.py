"""The App spec's JSON Schema (draft 2020-12), as published at /api/v1/schema/app-spec.json."""

from __future__ import annotations

from functools import cache
from typing import Any

from portal.spec.models import AppSpec

SCHEMA_PATH = "/api/v1/schema/app-spec.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def app_spec_schema() -> dict[str, Any]:
    """The schema; treat it as read-only. It says what shape is right; graph and site rules are the portal's alone."""
    schema = AppSpec.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, "$id": SCHEMA_PATH, **schema, "title": "OnE App spec"}
