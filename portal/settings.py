"""The site's settings: one TOML file (ONE_SETTINGS, default /etc/one/portal.toml), secrets from files, ONE_* overrides."""

from __future__ import annotations

import os
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from slurm.units import memory_mib

DEFAULT_FILE = "/etc/one/portal.toml"


def _memory(text: str) -> str:
    if memory_mib(text) < 1:
        raise ValueError(f"{text!r} is no memory at all")
    return text


Memory = Annotated[str, AfterValidator(_memory)]
"""An amount of memory, of at least one MiB: "64GB", "512MB"."""


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the rows are. PostgreSQL or SQLite, as an SQLAlchemy async URL without its password."""

    url: str = "sqlite+aiosqlite:////var/lib/one/one.db"


class ObjectStore(Section):
    """S3: `endpoint` is host:port. The web's key can only read."""

    endpoint: str = Field("localhost:9000", description="host:port")
    region: str = "us-east-1"
    secure: bool = Field(default=True, description="with TLS")
    access_key: str = Field("one", description="the secret key is the credential `s3_secret_key`")
    bucket_prefix: str = Field("", description="before the names specs, models, tests, logs, analysis")


class Slurm(Section):
    """How jobs are limited and ordered in Slurm. nice = `nice_base` + rank; new places are made `nice_step` apart."""

    agent_socket: Path = Path("/run/one-agent/agent.sock")
    qos_high: str = "one-high"
    qos_normal: str = "one-normal"
    qos_low: str = "one-low"
    qos_test: str = "one-test"
    nice_base: int = Field(
        400_000_000,
        description="so that moving up needs no negative nice (docs/admins.md); 0: the order is Slurm's own",
    )
    nice_step: int = Field(1_000, description="between one new workload and the next")
    admin_comment: bool = Field(
        default=False, description="what a run used is written to Slurm's AdminComment; the agent's own switch too"
    )
    gpu_labels: dict[str, str] = Field(default_factory=dict, description="gres type -> label shown, where they differ")
    fake_gpus: bool = Field(default=False, description="the GPUs of this site are simulated and pages say so")
    simulated: bool = Field(default=False, description="there is no Slurm: the whole cluster is played, and all say so")


class Policy(Section):
    """What the site decides: thresholds, defaults and limits; admins change them while the portal runs (sitesettings.py)."""

    approval_gpus: Annotated[int, Field(ge=1, description="a component with as many needs approval")] = 4
    approval_memory: Annotated[Memory, Field(description="a component with as much needs approval")] = "128GB"
    cpus_per_gpu: Annotated[int, Field(ge=1, description="of a component that names no CPUs")] = 2
    cpus_without_gpu: Annotated[int, Field(ge=1, description="of a component that names no CPUs and no GPU")] = 2
    time_limit_min: Annotated[int, Field(ge=1, description="of a request that names none")] = 24 * 60
    plan_held_over_used: Annotated[
        float, Field(ge=1, description="a plan may hold so many times the GPU time it uses before it is staged")
    ] = 2.5
    node_failure_attempts: Annotated[int, Field(ge=0, le=3, description="new attempts after a lost node")] = 1
    test_episodes: Annotated[int, Field(ge=10, le=1000)] = 10
    test_iterations: Annotated[int, Field(ge=5, le=20)] = 5
    test_gpus: Annotated[int, Field(ge=1)] = 1
    test_memory: Memory = "16GB"
    test_time_limit_min: Annotated[int, Field(ge=1)] = 30
    test_must_rise: bool = Field(default=False, description="a test passes only when its rewards rise")


class Sharing(Section):
    """What keeps a GPU share to its part (SC-06). Without a library nothing does, and pages say so."""

    library: Path | None = Field(None, description="HAMi-core's libvgpu.so, at this path on every node that has shares")
    gpu_memory: dict[str, str] = Field(
        default_factory=dict, description='memory of one GPU by its label: {V100 = "32GB"}'
    )


class Operators(Section):
    """Programs that people upload to look at a finished run: in which image they run, and how large they may be."""

    image: str = Field("", description="with python3 in it; empty: this site has no Operators")
    cpus: Annotated[int, Field(ge=1)] = 4
    memory: str = "16GB"
    time_limit_min: Annotated[int, Field(ge=1)] = 60
    max_mb: Annotated[int, Field(ge=1, le=50, description="of an uploaded file")] = 50
    results_max_mb: Annotated[int, Field(ge=1, description="of all that one analysis leaves in /one/out")] = 2048


class Limits(Section):
    """What one user may ask of the portal at once. The first is counted in the database, the others by each web process."""

    pending_workloads: Annotated[int, Field(ge=1, description="requests that wait: live and not yet running")] = 200
    log_streams: Annotated[int, Field(ge=1, description="logs followed at the same time")] = 32
    live_pages: Annotated[int, Field(ge=1, description="pages open that change by themselves")] = 64
    api_calls_per_minute: Annotated[int, Field(ge=10, description="with a token, whatever the answer")] = 1200
    slow_client_s: Annotated[
        float, Field(gt=0, description="an event stream that takes nothing this long is dropped")
    ] = 30


class AuditLog(Section):
    """How many days audit rows are kept before the daemon takes them, by class; expiries are kept for ever."""

    keep_changes_days: Annotated[int, Field(ge=90, description="what people changed")] = 3 * 365
    keep_runs_days: Annotated[int, Field(ge=90, description="what the daemon did: states, jobs, images, mappings")] = (
        3 * 365
    )
    keep_access_days: Annotated[int, Field(ge=90, description="sign-ins, refusals, downloads, exports, checks")] = 365


class Storage(Section):
    """Shared file system: run directories, the SIF cache, and the roots a spec's storage.path may lie under."""

    runs: Path = Path("/shared/runs")
    images: Path = Path("/shared/images")
    images_max_gib: Annotated[int, Field(ge=1, description="of converted images; the longest unused go first")] = 200
    scratch: Path = Field(Path("/tmp"), description="node-local; a container's /tmp lies there")
    roots: tuple[Path, ...] = Field(
        (Path("/training-data"),), description="a spec's storage.path lies under one of them"
    )


class Images(Section):
    """Registries that images may come from, and the conversion service."""

    registries: tuple[str, ...] = Field((), description="host or host:port")
    insecure_registries: tuple[str, ...] = Field((), description="those of them without TLS")
    ca_file: Path | None = Field(None, description="the site's own certificates")
    convert_socket: Path = Path("/run/one-convert.sock")
    apptainer: str = Field("apptainer", description="the program, where images are converted and on the nodes")


class Daemon(Section):
    """How often the loops look."""

    poll_interval_s: Annotated[float, Field(gt=0, description="between two rounds of each loop")] = 2.0


class Monitoring(Section):
    """Prometheus: what the portal reads from it, and who may read the portal's own figures."""

    prometheus: Annotated[str, Field(pattern=r"^(https?://[^/\s?#]+(/[^\s?#]*)?)?$")] = Field(
        "", description="address of the Prometheus that has DCGM's figures; only the daemon asks it; empty: none"
    )
    scrapers: tuple[IPvAnyNetwork, ...] = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")), description="addresses that may read /metrics"
    )


class Web(Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = Field("http://localhost:8000", description="where browsers see it; https makes cookies Secure")
    session_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24 * 7
    session_idle_min: Annotated[int, Field(ge=1)] = 24 * 60
    time_zone: str = Field("Asia/Seoul", description="of people who chose none")


class SsoRule(Section):
    """Whom it fits (members of `group`, or those whose `claim` has `value`) and what they get; see docs/sso.md."""

    group: str = ""
    claim: str = ""
    value: str = ""
    role: Literal["viewer", "researcher", "admin"] | None = None
    unix_user: str = Field("", description="a name, or with {claim} the value of a claim: {username}")
    slurm_account: str = ""


class Oidc(Section):
    """An OpenID Connect provider; the client's secret is the credential `oidc_client_secret`."""

    name: str = Field("SSO", description="on the sign-in button")
    issuer: str = Field(description="as the provider writes it; /.well-known/openid-configuration lies below it")
    client_id: str = "one"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claim: str = "preferred_username"
    groups_claim: str = "groups"
    allow_http: bool = Field(default=False, description="an issuer without TLS: only for a trial on one machine")


class Saml(Section):
    """A SAML 2.0 identity provider; exactly one of `metadata_url` and `metadata_file` names its metadata."""

    name: str = Field("SAML", description="on the sign-in button")
    metadata_url: str = ""
    metadata_file: Path | None = None
    entity_id: str = Field("", description="of this portal; empty: <web.public_url>/sso/saml/metadata")
    username_attribute: str = "username"
    name_attribute: str = "name"
    email_attribute: str = "email"
    groups_attribute: str = "groups"
    allow_http: bool = Field(default=False, description="metadata without TLS: only for a trial on one machine")


class Sso(Section):
    """Sign-in by identity providers; without one only local accounts sign in."""

    oidc: Oidc | None = None
    saml: Saml | None = None
    rules: tuple[SsoRule, ...] = ()
    contact: str = Field("", description="whom somebody without a role asks: a name, an address, a room")
    link_existing: bool = Field(
        default=False, description="a new sign-in gets the account of that name without password"
    )
    recheck_min: Annotated[int, Field(ge=1, description="how often a session by OIDC is confirmed again")] = 5
    recheck_grace_min: Annotated[int, Field(ge=0, description="how long sessions outlive a provider that is down")] = 60
    unconfirmed_session_min: Annotated[
        int, Field(ge=5, description="a session whose provider cannot be asked again (SAML) ends after this")
    ] = 60
    token_days: Annotated[int, Field(ge=1, description="API tokens of SSO accounts rest after so long unconfirmed")] = 7


class Notify(Section):
    """How notices leave the portal: the site's SMTP server, and where people's webhooks may be. Only the daemon sends."""

    smtp_host: str = Field("", description="empty: this site sends no e-mail")
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = Field("", description="empty: without signing in; the password is the credential `smtp_password`")
    smtp_ca_file: Path | None = None
    sender: Annotated[str, Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$")] = "one@localhost"
    webhook_http: bool = Field(default=False, description="webhooks without TLS too")
    webhook_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks that are not public and may be called all the same"
    )
    keep_days: Annotated[int, Field(ge=1, description="older notices are deleted")] = 90


class Settings(BaseSettings):
    """All settings. Secrets are files of that name in $CREDENTIALS_DIRECTORY: `s3_secret_key`, `database_password`,
    `oidc_client_secret`, `smtp_password`, and `metrics_token`, which who reads /metrics must send (empty: only its address
    is looked at).
    """

    model_config = SettingsConfigDict(env_prefix="ONE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    database: Database = Database()
    s3: ObjectStore = ObjectStore()
    slurm: Slurm = Slurm()
    policy: Policy = Policy()
    sharing: Sharing = Sharing()
    operators: Operators = Operators()
    limits: Limits = Limits()
    audit: AuditLog = AuditLog()
    storage: Storage = Storage()
    images: Images = Images()
    daemon: Daemon = Daemon()
    monitoring: Monitoring = Monitoring()
    web: Web = Web()
    sso: Sso = Sso()
    notify: Notify = Notify()
    s3_secret_key: SecretStr = SecretStr("")
    database_password: SecretStr = SecretStr("")
    metrics_token: SecretStr = SecretStr("")
    oidc_client_secret: SecretStr = SecretStr("")
    smtp_password: SecretStr = SecretStr("")

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
        toml = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        # systemd's credentials are named without the prefix that environment variables have.
        credentials = SecretsSettingsSource(
            settings_cls, secrets_dir=os.environ.get("CREDENTIALS_DIRECTORY"), env_prefix=""
        )
        return init_settings, env_settings, credentials, toml


def settings_file() -> Path:
    """Where the settings are, or would be."""
    return Path(os.environ.get("ONE_SETTINGS", DEFAULT_FILE))


@lru_cache
def load_settings() -> Settings:
    """The process's settings, read once. Raises pydantic.ValidationError naming each wrong key."""
    return Settings()
