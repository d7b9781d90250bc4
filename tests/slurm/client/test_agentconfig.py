"""The agent trusts only a root-owned file that nobody else can write, and names what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.agent.config import AgentConfig, ConfigError, load_config
from slurm.agent.roads import choose_road, native_obstacle
from slurm.protocol import RESULTS
from tests.slurm.client.replay import calls

TEXT = """
socket = "/run/one-agent/agent.sock"
allowed_peers = ["root"]
partitions = ["a100"]
accounts = ["lab"]
qos = ["one-high"]
operator = "one-operator"
rest_socket = "/run/slurmrestd/slurmrestd.sock"
jwt_key = "$CREDENTIALS_DIRECTORY/jwt_hs256.key"
ledger = "/var/lib/one-agent/ledger.jsonl"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/one-agent.service")
    path = tmp_path / "agent.toml"
    path.write_text(TEXT)
    path.chmod(0o644)
    return path


def load(path: Path) -> object:
    return load_config(path, owner_uid=os.getuid())


def test_a_good_file(file: Path) -> None:
    config = load_config(file, owner_uid=os.getuid())
    assert config.jwt_key == Path("/run/credentials/one-agent.service/jwt_hs256.key")
    assert (config.users_group, config.min_uid, config.road) == ("one-users", 1000, "auto")
    assert config.peer_uids() == {0}


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod go-w"):
        load(file)


def test_a_file_of_another_owner(file: Path) -> None:
    with pytest.raises(ConfigError, match=f"owned by uid {os.getuid()}, must be uid {os.getuid() + 1}"):
        load_config(file, owner_uid=os.getuid() + 1)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="not a regular file"):
        load(Path("/dev/null"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("min_uid = 999", "min_uid"),
        ('surprise = "x"', "surprise"),
        ('road = "scenic"', "road"),
        ("rest_timeout_s = 0", "rest_timeout_s"),
        ("not toml", "not TOML"),
    ],
)
def test_wrong_values_are_named(file: Path, line: str, says: str) -> None:
    file.write_text(TEXT + line)
    with pytest.raises(ConfigError, match=says):
        load(file)


def test_all_problems_at_once(file: Path) -> None:
    file.write_text(TEXT.replace('operator = "one-operator"\n', "").replace('"/run/one-agent', '"run/one-agent'))
    with pytest.raises(ConfigError, match=r"operator: Field required.*socket: .*absolute"):
        load(file)


def test_an_unknown_peer(file: Path) -> None:
    file.write_text(TEXT.replace('"root"', '"nobody-here"'))
    with pytest.raises(ConfigError, match="nobody-here"):
        load_config(file, owner_uid=os.getuid()).peer_uids()


def test_the_road_is_chosen_and_explained(file: Path, tmp_path: Path) -> None:
    config = load_config(file, owner_uid=os.getuid()).model_copy(update={"slurm_conf": tmp_path / "slurm.conf"})
    made, _ = calls("26.05/v0.0.42")
    missing = f"{tmp_path}/slurm.conf cannot be read"
    assert native_obstacle(config) == missing
    road = choose_road(config, made)
    assert (road.reader.name, road.reason) == ("rest", missing)
    with pytest.raises(ConfigError, match=f"road = native, but {missing}"):
        choose_road(config.model_copy(update={"road": "native"}), made)
    road = choose_road(config.model_copy(update={"road": "rest"}), made)
    assert (road.reader.name, road.reason) == ("rest", "road = rest in the configuration")


@pytest.mark.parametrize("name", [*AgentConfig.model_fields, *RESULTS])
def test_every_setting_and_verb_is_in_the_docs(name: str) -> None:
    assert f"`{name}`" in (Path(__file__).resolve().parents[3] / "docs/agent.md").read_text()
