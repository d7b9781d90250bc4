"""Command lines: the words are whole, in order, and nothing typed can become an option."""

from __future__ import annotations

import csv
import io

import pytest

from containers.errors import InvalidMount, UnusableImage
from containers.image import ImageConfig
from containers.runtime import Container, Mount, exec_argv, mount_option
from tests.hostile import HOSTILE

SIF = "/shared/images/sha256-ab.sif"
IMAGE = ImageConfig(entrypoint=("python3", "/app/main.py"), cmd=("--train",), working_dir="/app", env=("A=1",))


def test_the_whole_command_line() -> None:
    mounts = [Mount("/training-data/v1", "/training-data/v1")]
    assert exec_argv(SIF, IMAGE, gpus=True, mounts=mounts) == Container(
        options=(
            "--containall",
            "--no-eval",
            "--nv",
            "--pwd",
            "/app",
            "--mount",
            '"type=bind","src=/training-data/v1","dst=/training-data/v1","ro"',
        ),
        command=(SIF, "python3", "/app/main.py", "--train"),
    )


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        (None, None, ("python3", "/app/main.py", "--train")),
        ([], [], ("python3", "/app/main.py", "--train")),
        (None, ["x"], ("python3", "/app/main.py", "x")),
        (["run"], None, ("run",)),  # as in Kubernetes: the image's Cmd belongs to its Entrypoint
        (["run"], ["x", "y"], ("run", "x", "y")),
    ],
)
def test_command_and_args_as_in_kubernetes(
    command: list[str] | None, args: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert exec_argv(SIF, IMAGE, command=command, args=args).command == (SIF, *expected)


def test_hostile_words_arrive_as_typed_behind_the_image() -> None:
    container = exec_argv(SIF, IMAGE, command=["prog", *HOSTILE.values()], args=[*HOSTILE.values()])
    assert container.command == (SIF, "prog", *HOSTILE.values(), *HOSTILE.values())
    assert container.options == ("--containall", "--no-eval", "--pwd", "/app")


@pytest.mark.parametrize("config", [ImageConfig(), ImageConfig(entrypoint=("",)), ImageConfig(cmd=("", "x"))])
def test_an_image_without_a_command_is_refused(config: ImageConfig) -> None:
    with pytest.raises(UnusableImage, match="command"):
        exec_argv(SIF, config)
    assert exec_argv(SIF, config, command=["x"]).command == (SIF, "x")


def test_nul_and_relative_images_are_refused() -> None:
    with pytest.raises(UnusableImage, match="NUL"):
        exec_argv(SIF, IMAGE, args=["a\0b"])
    for image in ("docker://x/y", "-x.sif", "x.sif"):
        with pytest.raises(UnusableImage, match="absolute"):
            exec_argv(image, IMAGE)


@pytest.mark.parametrize("path", ["/a,b", '/a"b', "/a b", "/a=b", "/a:b", "/한국어", "/a'$(id)", "/,ro", '/","type=x'])
def test_mount_paths_survive_the_csv_reader(path: str) -> None:
    rows = list(csv.reader(io.StringIO(mount_option(path, path, read_only=False))))
    assert rows == [["type=bind", f"src={path}", f"dst={path}"]]


@pytest.mark.parametrize("path", ["", "a", "../a", "/a/../b", "//a", "/a/", "/a\nb", "/a\0", "/a\r", "/./a"])
def test_unclear_mount_paths_are_refused(path: str) -> None:
    for source, target in ((path, "/ok"), ("/ok", path)):
        with pytest.raises(InvalidMount):
            mount_option(source, target, read_only=True)


def test_image_config_reads_what_registries_serve() -> None:
    raw = {"Entrypoint": None, "Cmd": ["sh"], "Env": ["PATH=/bin"], "WorkingDir": "", "Labels": {"a": "b"}}
    config = ImageConfig.from_json(raw)
    assert config == ImageConfig(cmd=("sh",), env=("PATH=/bin",))
    assert ImageConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "raw",
    [
        {"Entrypoint": "sh -c id"},
        {"Cmd": [1]},
        {"WorkingDir": "app"},
        {"WorkingDir": 3},
        {"Env": ["A=\0"]},
        {"Env": ["A=`id`"]},
    ],
)
def test_malformed_image_configs_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(UnusableImage):
        ImageConfig.from_json(raw)
