"""The SIF folder: what counts as an image, what goes when it is full, and who may touch what at the same time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from containers import cache
from containers.errors import ConversionFailed, InvalidReference


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def put(images: Path, letter: str, *, size: int = 100, used_at: float = 0) -> str:
    path = cache.sif_path(images, digest(letter))
    path.write_bytes(b"x" * size)
    side = {"reference": f"r.test/{letter}:1", "config": {"Cmd": [letter]}}
    cache.side_path(images, digest(letter)).write_text(json.dumps(side))
    os.utime(path, (used_at, used_at))
    return digest(letter)


def test_images_are_listed_longest_unused_first(tmp_path: Path) -> None:
    assert cache.list_images(tmp_path / "missing") == ()
    put(tmp_path, "a", used_at=30)
    put(tmp_path, "b", used_at=10)
    put(tmp_path, "c", used_at=20)
    assert [image.digest[7] for image in cache.list_images(tmp_path)] == ["b", "c", "a"]
    found = cache.find(tmp_path, digest("a"))
    assert found is not None
    assert (found.size, found.used_at, found.reference, found.config.cmd) == (100, 30, "r.test/a:1", ("a",))
    cache.touch(found)
    assert cache.list_images(tmp_path)[-1].digest == digest("a")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"reference": "x", "config": {"Cmd": "sh"}}'])
def test_an_image_with_a_broken_side_file_does_not_count(tmp_path: Path, content: str) -> None:
    put(tmp_path, "a")
    cache.side_path(tmp_path, digest("a")).write_text(content)
    assert cache.find(tmp_path, digest("a")) is None


def test_eviction_keeps_what_is_used_and_stops_when_it_fits(tmp_path: Path) -> None:
    for age, letter in enumerate("abcd"):
        put(tmp_path, letter, used_at=age)
    assert cache.evict(tmp_path, 400, ()) == ()
    assert cache.evict(tmp_path, 400, {digest("a")}, wanted=150) == (digest("b"), digest("c"))
    assert [image.digest for image in cache.list_images(tmp_path)] == [digest("a"), digest("d")]
    assert sorted(path.suffix for path in tmp_path.glob("sha256-*")) == [".json", ".json", ".sif", ".sif"]


def test_eviction_passes_over_a_locked_image(tmp_path: Path) -> None:
    put(tmp_path, "a", used_at=1)
    put(tmp_path, "b", used_at=2)
    with cache.locked(tmp_path, digest("a"), timeout_s=0):
        assert cache.evict(tmp_path, 100, ()) == (digest("b"),)


def test_one_holder_a_digest(tmp_path: Path) -> None:
    with cache.locked(tmp_path, digest("a"), timeout_s=0):
        with pytest.raises(ConversionFailed), cache.locked(tmp_path, digest("a"), timeout_s=0):
            pass
        with cache.locked(tmp_path, digest("b"), timeout_s=0):
            pass
    with cache.locked(tmp_path, digest("a"), timeout_s=0):
        pass


def test_the_work_folder_removes_leftovers_before_and_after(tmp_path: Path) -> None:
    left = tmp_path / cache.WORK / cache.sif_path(tmp_path, digest("a")).stem
    (left / "rootfs" / "locked").mkdir(parents=True)
    (left / "rootfs" / "locked" / "file").touch()
    (left / "rootfs" / "link").symlink_to(tmp_path)
    (left / "rootfs" / "locked").chmod(0)
    (tmp_path / "precious").touch()
    with cache.work_folder(tmp_path, digest("a")) as work:
        assert work == left
        assert list(work.iterdir()) == []
        assert work.stat().st_mode & 0o777 == 0o700
        (work / "half.sif").touch()
    assert not left.exists()
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("text", ["", "../x", "sha256:../../etc/passwd", "sha256:" + "A" * 64, "sha256:" + "a" * 63])
def test_only_digests_become_paths(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidReference):
        cache.sif_path(tmp_path, text)
