"""The cache: complete folders or none, and a key for each content."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from onelab.cache import Cache, content_key, locked, remove
from onelab.errors import StillMounted


def test_keys_tell_parts_apart() -> None:
    keys = {content_key("ab", "c"), content_key("a", "bc"), content_key("abc"), content_key("", "abc"), content_key()}
    assert len(keys) == 5
    assert content_key("한국어", "$(id)") == content_key("한국어", "$(id)")


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(target: Path) -> None:
        built.append(target)
        (target / "file").write_text("x")

    cache = Cache(tmp_path)
    first = cache.get("kind", "key", build)
    assert cache.get("kind", "key", build) == first == tmp_path / "kind" / "key"
    assert (first / "file").read_text() == "x"
    assert built == [tmp_path / "tmp" / "kind-key"]
    assert not built[0].exists()


def test_a_failed_build_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def broken(target: Path) -> None:
        (target / "half").write_text("x")
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        cache.get("kind", "key", broken)
    assert not (tmp_path / "kind").exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list(cache.get("kind", "key", lambda target: None).iterdir()) == []


def test_what_a_killed_build_left_is_not_taken_over(tmp_path: Path) -> None:
    leftover = tmp_path / "tmp" / "kind-key" / "half"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("x")
    folder = Cache(tmp_path).get("kind", "key", lambda target: (target / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_tree_with_a_mount_in_it_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.setattr("onelab.cache.mounts_below", lambda path: [path / "root"])
    with pytest.raises(StillMounted, match="root is mounted in it"):
        remove(tree)
    assert tree.exists()


def test_removing_takes_files_folders_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert (tmp_path / "folder" / "deep").exists()
    for name in ("folder", "file", "absent"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_who_waits_for_a_lock_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    entered = threading.Event()

    def wait() -> None:
        said.append("waiting")
        entered.set()

    def second() -> None:
        with locked(tmp_path / "lock", wait):
            said.append("in")

    with locked(tmp_path / "lock", lambda: said.append("first had to wait")):
        other = threading.Thread(target=second)
        other.start()
        assert entered.wait(timeout=10)
        said.append("out")
    other.join(timeout=10)
    assert said == ["waiting", "out", "in"]
