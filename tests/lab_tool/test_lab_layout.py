"""Names: two checkouts never share one, and Linux' limits hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from onelab.errors import UnknownNode
from onelab.layout import NODES, Layout, Node, cache_root, node_named

IFNAMSIZ_BYTES = 15


def test_two_checkouts_share_no_name() -> None:
    one, two = Layout(Path("/srv/a")), Layout(Path("/srv/b"))
    assert one.lab_id != two.lab_id
    assert one.bridge != two.bridge
    assert {one.machine(node) for node in NODES}.isdisjoint(two.machine(node) for node in NODES)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_interface_names_fit_linux(node: Node) -> None:
    layout = Layout(Path("/srv/a"))
    assert len(layout.bridge) <= IFNAMSIZ_BYTES
    assert len(layout.interface(node)) <= IFNAMSIZ_BYTES


def test_every_ansible_group_of_the_lab_has_a_host() -> None:
    assert {group for node in NODES for group in node.groups} == {
        "slurm_controller",
        "slurm_database",
        "slurm_rest",
        "slurm_compute",
        "simulated_gpus",
        "portal",
        "object_store",
        "registry",
        "postgres",
        "monitoring",
        "keycloak",
    }


@pytest.mark.parametrize("name", ["", "ctl2", "../ctl", "$(id)", "게이트"])
def test_an_unknown_node_is_named(name: str) -> None:
    with pytest.raises(UnknownNode, match="the lab has ctl, svc, gpu1, gpu2, gpu3") as caught:
        node_named(name)
    assert caught.value.name == name


def test_the_cache_can_be_moved() -> None:
    assert cache_root({"ONE_LAB_CACHE": "/big/cache"}) == Path("/big/cache")
    assert cache_root({}) == Path.home() / ".cache" / "one-lab"
