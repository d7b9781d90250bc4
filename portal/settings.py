"""The site's settings: one TOML file (ONE_SETTINGS, default /etc/one/portal.toml), secrets from files, ONE_* overrides."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEFAULT_FILE = "/etc/one/portal.toml"


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the rows are. PostgreSQL or SQLite, as an SQLAlchemy async URL without its password."""

    url: str = "sqlite+aiosqlite:////var/lib/one/one.db"


class ObjectStore(Section):
    """S3: `endpoint` is host:port. The web's key can only read."""

    endpoint: str = "localhost:9000"
    region: str = "us-east-1"
    secure: bool = True
    access_key: str = "one"
    bucket_prefix: str = ""


class Slurm(Section):
    """How jobs are limited and ordered in Slurm. nice = `nice_base` + rank; new places are made `nice_step` apart."""

    agent_socket: Path = Path("/run/one-agent/agent.sock")
    qos_high: str = "one-high"
    qos_normal: str = "one-normal"
    qos_low: str = "one-low"
    qos_test: str = "one-test"
    nice_base: int = 400_000_000
    nice_step: int = 1_000
    gpu_labels: dict[str, str] = Field(default_factory=dict, description="gres type -> label shown, where they differ")
    fake_gpus: bool = Field(default=False, description="the GPUs of this site are simulated and pages say so")
    simulated: bool = Field(default=False, description="there is no Slurm: the whole cluster is played, and all say so")


class Policy(Section):
    """What the site decides: thresholds, defaults and limits."""

    approval_gpus: Annotated[int, Field(ge=1)] = 4
    approval_memory: str = "128GB"
    cpus_per_gpu: Annotated[int, Field(ge=1)] = 2
    cpus_without_gpu: Annotated[int, Field(ge=1)] = 2
    time_limit_min: Annotated[int, Field(ge=1)] = 24 * 60
    plan_held_over_used: Annotated[float, Field(ge=1)] = 2.5
    node_failure_attempts: Annotated[int, Field(ge=0, le=3)] = 1
    test_episodes: Annotated[int, Field(ge=10, le=1000)] = 10
    test_iterations: Annotated[int, Field(ge=5, le=20)] = 5
    test_gpus: Annotated[int, Field(ge=1)] = 1
    test_memory: str = "16GB"
    test_time_limit_min: Annotated[int, Field(ge=1)] = 30
    test_must_rise: bool = False


class Limits(Section):
    """What one user may ask of the portal at once. The first is counted in the database, the others by each web process."""

    pending_workloads: Annotated[int, Field(ge=1, description="requests that wait: live and not yet running")] = 200
    log_streams: Annotated[int, Field(ge=1, description="logs followed at the same time")] = 32
    live_pages: Annotated[int, Field(ge=1, description="pages open that change by themselves")] = 64
    api_calls_per_minute: Annotated[int, Field(ge=10, description="with a token, whatever the answer")] = 1200
    slow_client_s: Annotated[
        float, Field(gt=0, description="an event stream that takes nothing this long is dropped")
    ] = 30


class Storage(Section):
    """Shared file system: run directories, the SIF cache, and the roots a spec's storage.path may lie under."""

    runs: Path = Path("/shared/runs")
    images: Path = Path("/shared/images")
    images_max_gib: Annotated[int, Field(ge=1)] = 200
    scratch: Path = Path("/tmp")
    roots: tuple[Path, ...] = (Path("/training-data"),)


class Images(Section):
    """Registries that images may come from, and the conversion service."""

    registries: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    ca_file: Path | None = None
    convert_socket: Path = Path("/run/one-convert.sock")


class Daemon(Section):
    """How often the loops look."""

    poll_interval_s: Annotated[float, Field(gt=0)] = 2.0
    snapshot_interval_s: Annotated[float, Field(gt=0)] = 3.0


class Web(Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = Field("http://localhost:8000", description="where browsers see it; https makes cookies Secure")
    session_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24 * 7
    session_idle_min: Annotated[int, Field(ge=1)] = 24 * 60
    time_zone: str = Field("Asia/Seoul", description="of people who chose none")


class Settings(BaseSettings):
    """All settings. Secrets (`s3_secret_key`, `database_password`) are files of that name in $CREDENTIALS_DIRECTORY."""

    model_config = SettingsConfigDict(env_prefix="ONE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    database: Database = Database()
    s3: ObjectStore = ObjectStore()
    slurm: Slurm = Slurm()
    policy: Policy = Policy()
    limits: Limits = Limits()
    storage: Storage = Storage()
    images: Images = Images()
    daemon: Daemon = Daemon()
    web: Web = Web()
    s3_secret_key: SecretStr = SecretStr("")
    database_password: SecretStr = SecretStr("")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: code, ONE_* environment, credential files, the TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get("ONE_SETTINGS", DEFAULT_FILE))
        # systemd's credentials are named without the prefix that environment variables have.
        credentials = SecretsSettingsSource(
            settings_cls, secrets_dir=os.environ.get("CREDENTIALS_DIRECTORY"), env_prefix=""
        )
        return init_settings, env_settings, credentials, toml


@lru_cache
def load_settings() -> Settings:
    """The process's settings, read once. Raises pydantic.ValidationError naming each wrong key."""
    return Settings()
