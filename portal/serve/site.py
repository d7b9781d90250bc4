"""The settings of a portal that one person runs: everything beneath the data folder, no file of the site is read."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from portal.serve import seaweed, simulation
from portal.serve.folder import DataFolder
from portal.settings import Daemon, Database, Images, Policy, Settings, Slurm, Storage, Web

POLL_INTERVAL_S = 0.5
ROOTS = (Path("/training-data"),)


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
        daemon=Daemon(poll_interval_s=POLL_INTERVAL_S),
        web=Web(port=port, public_url=url_of(port)),
    )


def url_of(port: int) -> str:
    """Where the portal is; only this machine can reach it."""
    return f"http://{seaweed.LOOPBACK}:{port}"
