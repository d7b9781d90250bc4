"""docs/settings.md from portal/settings.py: `python -m tests.settingsreference`; a test fails when it is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from annotated_types import BaseMetadata
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from portal.settings import Settings

FILE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Made from `portal/settings.py` by `make settings-reference`; a test fails when it is stale.

One TOML file, `/etc/one/portal.toml` (another by `ONE_SETTINGS`), which Ansible writes from `portal_settings_site`. Unknown keys
are errors. An environment variable wins over the file, key by key: `ONE_S3__ENDPOINT` for `endpoint` below `[s3]`. Admins change
`[policy]` and some of `[limits]` in the browser while the portal runs (관리 → 설정); such a change lies on top of the file.
"""
SECRETS = """
## Secrets

Files of these names in `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential): never in the settings file, the environment or argv.

"""


def reference() -> str:
    """The whole page."""
    fields = Settings.model_fields
    secrets = [name for name, field in fields.items() if field.annotation is SecretStr]
    parts = [_section(name, model) for name, model in _sections(fields)]
    return HEAD + "".join(parts) + SECRETS + "".join(f"- `{name}`\n" for name in secrets)


def _sections(fields: Mapping[str, FieldInfo], above: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the file, with the dotted name it has there; those within others after them."""
    for name, field in fields.items():
        model, is_list = _model_of(field)
        if model is not None:
            dotted = f"{above}{name}"
            yield f"[[{dotted}]]" if is_list else f"[{dotted}]", model
            yield from _sections(model.model_fields, f"{dotted}.")


def _model_of(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    found = [one for one in _types(field.annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    return (found[0] if found else None), "tuple" in str(field.annotation)


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _types(inner)


def _section(title: str, model: type[BaseModel]) -> str:
    rows = [_row(name, field) for name, field in model.model_fields.items() if _model_of(field)[0] is None]
    says = " ".join((model.__doc__ or "").split())
    table = "| key | default | what |\n|---|---|---|\n" + "".join(rows)
    return f"\n## `{title}`\n\n{says}\n" + (f"\n{table}" if rows else "")


def _row(name: str, field: FieldInfo) -> str:
    what = "; ".join(part for part in (field.description or "", _range(field)) if part)
    default = "**needed**" if field.is_required() else f"`{_shown(field.get_default(call_default_factory=True))}`"
    return f"| `{name}` | {default} | {what.replace('|', chr(92) + '|')} |\n"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return json.dumps([str(item) for item in value])
    return json.dumps(value) if isinstance(value, (bool, int, float, str, dict)) else json.dumps(str(value))


def _range(field: FieldInfo) -> str:
    """`>= 1, <= 50`, from the constraints."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    found = [
        f"{signs[name]} {getattr(one, name)}"
        for one in field.metadata
        if isinstance(one, BaseMetadata)
        for name in signs
        if hasattr(one, name)
    ]
    choices = re.findall(r"Literal\[(.*?)\]", str(field.annotation))
    return ", ".join([*found, *(f"one of {one}" for one in choices)])


if __name__ == "__main__":
    FILE.write_text(reference())
