"""Command lines: compared whole, with paths that would break careless quoting."""

from __future__ import annotations

import shlex
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from onelab.base import PACKAGES, mmdebstrap_argv
from onelab.builder import Step, nspawn_argv, registry_settings
from onelab.cli import parser, without_dashes
from onelab.configure import playbook_argv
from onelab.inventory import render, ssh_argv
from onelab.layout import Layout, node_named
from onelab.mounts import mount_points, overlay_options
from onelab.node import nspawn_argv as boot_argv
from onelab.nspawn import bind

LAYOUT = Layout(Path("/srv/one"))
HOSTILE = ["$(id)", "a b", "'; echo foo", "*", "한국어", "-o", "", "new\nline"]


def test_a_node_boots_with_these_words() -> None:
    lab_id = LAYOUT.lab_id
    assert boot_argv(LAYOUT, node_named("gpu1")) == [
        "systemd-nspawn",
        "-q",
        "-D",
        "/srv/one/.lab/nodes/gpu1/root",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--hostname=gpu1",
        f"--machine={lab_id}-gpu1",
        f"--network-bridge=one-{lab_id}",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--capability=all",
        "--console=pipe",
        "--bind=/dev/fuse:/dev/fuse",
        "--bind=/srv/one/.lab/shared:/shared",
        "--bind=/srv/one/.lab/training-data:/training-data",
    ]


def test_separators_in_paths_are_quoted() -> None:
    assert bind(Path("/a:b"), "/in") == r"--bind=/a\:b:/in"
    assert bind(Path("/a\\b"), "/in", read_only=True) == r"--bind-ro=/a\\b:/in"
    options = overlay_options([Path("/top:1"), Path("/base,2")], Path("/u,p"), Path("/w:k"))
    assert options.startswith(r"lowerdir=/top\:1:/base\,2,upperdir=/u\,p,workdir=/w:k,index=off")


def test_mount_points_are_unescaped() -> None:
    table = "36 35 0:30 / /srv/a\\040b rw - overlay overlay rw\n37 35 0:31 / /srv/c rw shared:1 - tmpfs tmpfs rw\n"
    assert mount_points(table) == [Path("/srv/a b"), Path("/srv/c")]


@pytest.mark.parametrize("word", HOSTILE)
def test_an_argument_arrives_over_ssh_as_typed(word: str) -> None:
    argv = ssh_argv(LAYOUT, "10.0.0.1", ["printf", "%s", word])
    assert argv[-4:-1] == ["root", "10.0.0.1", "--"]
    assert shlex.split(argv[-1]) == ["printf", "%s", word]


def test_a_build_step_sees_the_registries_but_may_write_only_its_folders() -> None:
    step = Step(Path("/r/x.py"), ("1.0",), writable={"/out": Path("/cache/tmp/x")}, readable={"/in/a": Path("/srv/a")})
    argv = nspawn_argv(Path("/base"), "m1", step, {"PIP_CERT": "/etc/ca.crt"}, (Path("/etc/ca.crt"),))
    assert argv[:6] == ["systemd-nspawn", "-q", "-D", "/base", "--machine=m1", "--volatile=overlay"]
    assert [word for word in argv if word.startswith("--bind=")] == ["--bind=/cache/tmp/x:/out"]
    assert [word for word in argv if word.startswith("--bind-ro=")] == [
        "--bind-ro=/r/x.py:/recipe.py",
        "--bind-ro=/etc/ca.crt:/etc/ca.crt",
        "--bind-ro=/srv/a:/in/a",
    ]
    assert argv[-3:] == ["/usr/bin/python3", "/recipe.py", "1.0"]


def test_only_registry_settings_are_passed_on() -> None:
    environ = {"PIP_INDEX_URL": "x", "UV_DEFAULT_INDEX": "y", "https_proxy": "z", "AWS_SECRET": "s", "HOME": "/root"}
    assert registry_settings(environ) == {"PIP_INDEX_URL": "x", "UV_DEFAULT_INDEX": "y", "https_proxy": "z"}


def test_the_base_takes_only_pinned_packages_from_sid() -> None:
    argv = mmdebstrap_argv("forky", Path("/t"), Path("/pin"))
    assert f"--include={','.join(PACKAGES)}" in argv
    assert "--setup-hook=upload /pin /etc/apt/preferences.d/sid" in argv
    assert argv[-4:] == [
        "forky",
        "/t",
        "deb http://deb.debian.org/debian forky main",
        "deb http://deb.debian.org/debian sid main",
    ]


def test_ansible_gets_both_inventories_and_paths_with_spaces() -> None:
    layout = Layout(Path("/srv/my one"))
    argv = playbook_argv(layout, "ansible-playbook", Path("/w h/x.whl"), Path("/images"), ["--tags", "portal"])
    assert argv == [
        "ansible-playbook",
        *("-i", "/srv/my one/ansible/inventories/lab"),
        *("-i", "/srv/my one/.lab/inventory.yml"),
        *("-e", '{"one_wheel": "/w h/x.whl"}'),
        *("-e", '{"one_images_dir": "/images"}'),
        *("-e", '{"one_lab_ca_dir": "/srv/my one/.lab/ca"}'),
        *("--tags", "portal"),
        "/srv/my one/ansible/site.yml",
    ]


def test_inventory_whole() -> None:
    golden = Path(__file__).with_name("inventory.golden.yml").read_text()
    assert render(LAYOUT, IPv4Network("10.178.175.0/24")) == golden


@pytest.mark.parametrize("word", HOSTILE)
def test_exec_keeps_the_command_apart_from_its_own_options(word: str) -> None:
    options = parser().parse_args(["exec", "ctl", "--", "sinfo", "--purge", word])
    assert (options.node, without_dashes(options.command)) == ("ctl", ["sinfo", "--purge", word])
