"""The agent's root-owned configuration: who may talk to it, and what it may do to Slurm.

# /etc/one/agent.toml
socket = "/run/one-agent/agent.sock"
allowed_peers = ["one-daemon"]
users_group = "one-users"
min_uid = 1000
partitions = ["a100", "v100"]
accounts = ["lab"]
qos = ["one-high", "one-normal", "one-low", "one-test"]
operator = "one-operator"
rest_socket = "/run/slurmrestd/slurmrestd.sock"
jwt_key = "$CREDENTIALS_DIRECTORY/jwt_hs256.key"
road = "auto"
ledger = "/var/lib/one-agent/ledger.jsonl"
"""

from __future__ import annotations

import os
import pwd
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from slurm.errors import SlurmError


class ConfigError(SlurmError):
    """The configuration is unsafe or wrong; the message names the file, the problem and the cure."""


def _absolute(path: Path) -> Path:
    expanded = Path(os.path.expandvars(path))
    if not expanded.is_absolute():
        raise ValueError(f"must be an absolute path, not {str(path)!r}")
    return expanded


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Powers(BaseModel):
    """What an agent may do to Slurm, and whose jobs are its business."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users_group: str = "one-users"
    min_uid: int = Field(default=1000, ge=1000)
    partitions: frozenset[str] = Field(min_length=1)
    accounts: frozenset[str] = Field(min_length=1)
    qos: frozenset[str] = Field(min_length=1)
    operator: str
    admin_comment: bool = False
    slurm_conf: AbsolutePath = Path("/etc/slurm/slurm.conf")


class AgentConfig(Powers):
    """What `/etc/one/agent.toml` says; paths may name environment variables ($CREDENTIALS_DIRECTORY)."""

    socket: AbsolutePath
    allowed_peers: tuple[str, ...] = Field(min_length=1)
    rest_socket: AbsolutePath
    jwt_key: AbsolutePath
    road: Literal["auto", "native", "rest"] = "auto"
    ledger: AbsolutePath
    rest_timeout_s: float = Field(default=30, gt=0, le=120)

    def peer_uids(self) -> frozenset[int]:
        """The uids of `allowed_peers`. Raises ConfigError when one does not exist."""
        try:
            return frozenset(pwd.getpwnam(name).pw_uid for name in self.allowed_peers)
        except KeyError as missing:
            raise ConfigError(f"allowed_peers: no Unix user of that name: {missing.args[0]}") from missing


def load_config(path: Path, *, owner_uid: int = 0) -> AgentConfig:
    """The configuration, read only from a regular file of `owner_uid` that nobody else can write.

    Raises ConfigError, naming the cure.
    """
    try:
        with path.open("rb") as file:
            _check_file(path, os.fstat(file.fileno()), owner_uid)
            data = tomllib.load(file)
        return AgentConfig.model_validate(data)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path}: {problems}") from error


def _check_file(path: Path, status: os.stat_result, owner_uid: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: not a regular file")
    if status.st_uid != owner_uid:
        raise ConfigError(f"{path}: owned by uid {status.st_uid}, must be uid {owner_uid} (chown root {path})")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path}: group or others may write it (chmod go-w {path})")
