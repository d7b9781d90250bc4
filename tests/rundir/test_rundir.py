"""What a hostile job can leave in its folder, and what the portal makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portal.rundir import Limits, Missing, Refused, RunDir


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "runs/kim/W-1/a1/model").mkdir(parents=True)
    (tmp_path / "secret").write_text("not yours")
    return tmp_path / "runs"


@pytest.fixture
def a1(root: Path) -> Path:
    return root / "kim/W-1/a1"


@pytest.fixture
def rundir(root: Path) -> RunDir:
    return RunDir(
        root, "kim/W-1/a1", os.getuid(), Limits(file_bytes=1000, tree_files=5, tree_bytes=3000, line_bytes=50)
    )


def test_reads_a_plain_file_by_offset(rundir: RunDir, a1: Path) -> None:
    (a1 / "log").write_bytes(b"0123456789")
    assert rundir.read("log", 3, 4) == b"3456"
    assert rundir.read("log", 10) == b""
    assert rundir.size("log") == 10


def test_absent_is_missing_not_refused(rundir: RunDir) -> None:
    with pytest.raises(Missing):
        rundir.read("steps/T/N/t0/stdout.log")
    assert rundir.tree("nowhere").files == ()


@pytest.mark.parametrize("path", ["../../../../secret", "/etc/passwd", "model/../../../../../secret", "a\0b"])
def test_paths_cannot_leave(rundir: RunDir, path: str) -> None:
    with pytest.raises((Refused, Missing)):
        rundir.read(path)


def test_symlinks_anywhere_are_refused(rundir: RunDir, a1: Path, root: Path) -> None:
    (a1 / "link").symlink_to(root.parent / "secret")
    (a1 / "steps").symlink_to(root.parent)
    with pytest.raises(Refused, match="symbolic link"):
        rundir.read("link")
    with pytest.raises(Refused, match="symbolic link"):
        rundir.read("steps/secret")
    with pytest.raises(Refused, match="symbolic link"):
        RunDir(root, "kim/W-1/a1", os.getuid()).read("steps/secret")


def test_a_symlinked_run_folder_is_refused(root: Path, a1: Path) -> None:
    (root / "kim/W-2").symlink_to(root / "kim/W-1")
    (a1 / "log").write_text("x")
    with pytest.raises(Refused, match="symbolic link"):
        RunDir(root, "kim/W-2/a1", os.getuid()).read("log")


def test_special_files_do_not_block_and_are_refused(rundir: RunDir, a1: Path) -> None:
    os.mkfifo(a1 / "fifo")
    (a1 / "folder").mkdir()
    for name in ("fifo", "folder"):
        with pytest.raises(Refused, match="not a regular file"):
            rundir.read(name)


def test_hard_links_and_foreign_owners_are_refused(root: Path, rundir: RunDir, a1: Path) -> None:
    (a1 / "one").write_text("x")
    os.link(a1 / "one", a1 / "two")
    with pytest.raises(Refused, match="hard links"):
        rundir.read("one")
    (a1 / "own").write_text("x")
    with pytest.raises(Refused, match="belongs to uid"):
        RunDir(root, "kim/W-1/a1", os.getuid() + 1).read("own")


def test_a_terabyte_of_holes_is_refused_by_its_size(rundir: RunDir, a1: Path) -> None:
    with (a1 / "model/big").open("wb") as file:
        file.truncate(1 << 40)
    listing = rundir.tree("model")
    assert listing.files == ()
    assert [str(problem) for problem in listing.refused] == [f"model/big: {1 << 40} bytes, more than 1000"]


def test_listing_names_what_it_refuses_and_keeps_the_rest(rundir: RunDir, a1: Path, root: Path) -> None:
    (a1 / "model/한글 $(id)").write_text("ok")
    (a1 / "model/sub").mkdir()
    (a1 / "model/sub/w.safetensors").write_text("weights")
    (a1 / "model/link").symlink_to(root.parent / "secret")
    os.mkfifo(a1 / "model/fifo")
    listing = rundir.tree("model")
    assert [file.path for file in listing.files] == ["sub/w.safetensors", "한글 $(id)"]
    assert {problem.path: problem.why for problem in listing.refused} == {
        "model/link": "a symbolic link",
        "model/fifo": "not a regular file",
    }


def test_too_many_files_or_bytes_refuse_the_tree(rundir: RunDir, a1: Path) -> None:
    for number in range(6):
        (a1 / f"model/{number}").write_text("x")
    with pytest.raises(Refused, match="more than 5 files"):
        rundir.tree("model")


def test_a_copy_is_hashed_as_it_is_read(rundir: RunDir, a1: Path) -> None:
    (a1 / "f").write_bytes(b"abc")
    with rundir.stable("f") as reader:
        assert (reader.size, reader.read(2), reader.read()) == (3, b"ab", b"c")
    assert reader.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("content", [b"longer than it was", b"ab", b"xyz"])
def test_a_file_swapped_grown_or_cut_while_copied_is_refused(rundir: RunDir, a1: Path, content: bytes) -> None:
    (a1 / "f").write_bytes(b"abc")
    os.utime(a1 / "f", ns=(0, 0))

    def copy_it() -> None:
        with rundir.stable("f") as reader:
            (a1 / "f").write_bytes(content)
            reader.read()

    with pytest.raises(Refused, match="changed while"):
        copy_it()


def test_names_of_one_folder(rundir: RunDir, a1: Path) -> None:
    (a1 / "steps/T/N/t0").mkdir(parents=True)
    (a1 / "steps/T/N/out").mkdir()
    assert rundir.names("steps/T/N") == ["out", "t0"]
    assert rundir.names("steps/none") == []


def test_json_lines_resume_by_offset_and_count_the_bad(rundir: RunDir, a1: Path) -> None:
    path = a1 / "events.0.jsonl"
    path.write_bytes(b'{"t": 1}\nnot json\n[1]\n{"t": 2, "long": "' + b"x" * 60 + b'"}\n{"t": 3}\n{"t": 4')
    found, bad, offset = rundir.read_json_lines("events.0.jsonl")
    assert (found, bad) == ([{"t": 1}, {"t": 3}], 3)
    with path.open("ab") as file:
        file.write(b"}\n")
    assert rundir.read_json_lines("events.0.jsonl", offset)[0] == [{"t": 4}]
    assert rundir.read_json_lines("absent.jsonl") == ([], 0, 0)
