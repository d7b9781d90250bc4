"""The agent's two roads for reading Slurm: PySlurm where it is installed, slurmrestd otherwise."""

from __future__ import annotations

import importlib.util
import os

from slurm.agent.config import AgentConfig, ConfigError
from slurm.agent.reader import RestReader, Road
from slurm.agent.restcalls import SlurmRest


def choose_road(config: AgentConfig, calls: SlurmRest) -> Road:
    """The road that the configuration asks for, or the best there is. Raises ConfigError when it asks in vain."""
    obstacle = "road = rest in the configuration" if config.road == "rest" else native_obstacle(config)
    if not obstacle:
        from slurm.agent.native import NativeReader

        chosen = "road = native in the configuration" if config.road == "native" else "PySlurm is installed"
        return Road(NativeReader(calls), chosen)
    if config.road == "native":
        raise ConfigError(f"road = native, but {obstacle}")
    return Road(RestReader(calls), obstacle)


def native_obstacle(config: AgentConfig) -> str:
    """Why PySlurm cannot be used, "" for nothing. Asked before the import: without slurm.conf that ends the process."""
    if not os.access(config.slurm_conf, os.R_OK):
        return f"{config.slurm_conf} cannot be read"
    if importlib.util.find_spec("pyslurm") is None:
        return "PySlurm is not installed"
    return ""
