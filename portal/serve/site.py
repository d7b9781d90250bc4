"""The settings of a portal that one person runs; no file of the site is read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from portal.serve import seaweed, simulation
from portal.serve.discover import Granted
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder, SharedFolder, write_private
from portal.settings import Daemon, Database, Images, Operators, Policy, Settings, Slurm, Storage, Web

POLL_INTERVAL_S = 0.5
ROOTS = (Path("/training-data"),)
REGISTRIES = ("docker.io", "ghcr.io", "quay.io", "nvcr.io", "registry.gitlab.com")
"""Public ones, which may be used without an option."""
OPEN_TABLES = frozenset({"slurm", "policy", "sharing", "operators", "limits", "storage", "images", "daemon"})
"""Tables of a file of settings that count here; the others are `one serve`'s own business."""
SCRAPE_SECRET = "metrics_token"


class ServeSettings(Settings):
    """Settings made in code: a site's /etc/one/portal.toml and ONE_* variables belong to other processes."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Code only."""
        return (init_settings,)


def simulated(folder: DataFolder, *, port: int, s3_port: int) -> Settings:
    """A site whose cluster, registries and images are played."""
    return ServeSettings(
        database=Database(url=f"sqlite+aiosqlite:///{folder.database}"),
        s3=seaweed.s3_settings(s3_port),
        s3_secret_key=SecretStr(folder.secret(seaweed.SECRET)),
        slurm=Slurm(gpu_labels=simulation.GPU_LABELS, fake_gpus=True, simulated=True),
        policy=Policy(),
        storage=Storage(runs=folder.runs, images=folder.images, roots=ROOTS),
        images=Images(registries=simulation.REGISTRIES),
        operators=Operators(image=simulation.OPERATOR_IMAGE),
        daemon=Daemon(poll_interval_s=POLL_INTERVAL_S),
        web=Web(port=port, public_url=url_of(port)),
    )


def real(
    folder: DataFolder,
    shared: SharedFolder,
    granted: Granted,
    *,
    port: int,
    s3_port: int,
    apptainer: str,
    registries: tuple[str, ...],
    extra: Mapping[str, Any],
) -> Settings:
    """A portal on real Slurm. Defaults give way to `extra` (`read_extra`), which gives way to what is decided here.

    The order in the queue is Slurm's: what jobs lose by a nice value they would lose to everybody. Raises ServeError
    (settings_wrong).
    """
    qos = dict.fromkeys(("qos_high", "qos_normal", "qos_low", "qos_test"), granted.qos)
    usual: dict[str, dict[str, Any]] = {
        "slurm": {**qos, "nice_base": 0, "nice_step": 0},
        "storage": {"roots": (Path.home(), shared.path)},
        "images": {"registries": REGISTRIES, "apptainer": apptainer},
    }
    tables: dict[str, Any] = {name: {**usual.get(name, {}), **extra.get(name, {})} for name in (*usual, *extra)}
    tables["storage"] |= {"runs": shared.runs, "images": shared.images}
    tables["images"]["registries"] = (*tables["images"]["registries"], *registries)
    try:
        return ServeSettings(
            database=Database(url=f"sqlite+aiosqlite:///{folder.database}"),
            s3=seaweed.s3_settings(s3_port),
            s3_secret_key=SecretStr(folder.secret(seaweed.SECRET)),
            metrics_token=SecretStr(folder.secret(SCRAPE_SECRET)),
            web=Web(port=port, public_url=url_of(port)),
            **tables,
        )
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ServeError("settings_wrong", why=problems) from error


def read_extra(path: Path | None) -> Mapping[str, Any]:
    """The tables of a file like the portal's own (docs/settings.md). Raises ServeError (settings_wrong)."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ServeError("settings_wrong", why=f"{path}: {error}") from error
    for name, table in tables.items():
        if name not in OPEN_TABLES or not isinstance(table, dict):
            raise ServeError("settings_wrong", why=f"{path}: [{name}] is not one of {', '.join(sorted(OPEN_TABLES))}")
    return tables


def write_convert_settings(path: Path, settings: Settings) -> None:
    """What `one-convert` reads: TOML of two tables, without secrets."""
    images, storage = settings.images, settings.storage
    tables: dict[str, dict[str, object]] = {
        "storage": {"images": str(storage.images), "images_max_gib": storage.images_max_gib},
        "images": {
            "registries": list(images.registries),
            "insecure_registries": list(images.insecure_registries),
            "apptainer": images.apptainer,
            **({"ca_file": str(images.ca_file)} if images.ca_file else {}),
        },
    }
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    write_private(path, "\n".join([*lines, ""]))


def _toml(value: object) -> str:
    """A number, text or list of texts; JSON's forms of them are TOML's too, but for one character."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def url_of(port: int) -> str:
    """Where the portal is; only this machine can reach it."""
    return f"http://{seaweed.LOOPBACK}:{port}"
