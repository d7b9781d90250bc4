"""What a hostile job can leave in its folder, and what the portal makes of it."""

from __future__ import annotations

import os
import socket
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
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


def test_json_lines_one_by_one_and_the_bad_in_their_places(rundir: RunDir, a1: Path) -> None:
    path = a1 / "events.0.jsonl"
    path.write_bytes(b'{"t": 1}\nnot json\n[1]\n\n{"t": 2, "long": "' + b"x" * 60 + b'"}\n\xff\n{"t": 3}\n{"t": 4')
    assert list(rundir.json_lines("events.0.jsonl")) == [{"t": 1}, None, None, None, None, {"t": 3}]
    with path.open("ab") as file:
        file.write(b"}\n")
    assert list(rundir.json_lines("events.0.jsonl"))[-1] == {"t": 4}
    assert list(rundir.json_lines("absent.jsonl")) == []


def test_values_that_python_alone_reads_are_no_json(rundir: RunDir, a1: Path) -> None:
    (a1 / "m").write_text('{"t": ' + "9" * 40 + '}\n{"t": NaN}\n{"t": -Infinity}\n' + "[" * 45 + "\n")
    whole, nan, infinity, nested = rundir.json_lines("m")
    assert (whole, nan, infinity, nested) == ({"t": int("9" * 40)}, {"t": "NaN"}, {"t": "-Infinity"}, None)


@pytest.mark.parametrize(
    ("caps", "why"), [({"max_lines": 3}, "more than 3 lines"), ({"max_bytes": 30}, "more than 30 bytes")]
)
def test_a_file_of_too_many_lines_is_refused_after_the_last_allowed_one(
    rundir: RunDir, a1: Path, caps: dict[str, int], why: str
) -> None:
    (a1 / "m").write_text('{"t": 1}\n' * 10)
    found: list[object] = []
    with pytest.raises(Refused, match=why):
        found.extend(rundir.json_lines("m", **caps))
    assert found == [{"t": 1}] * 3


@pytest.mark.parametrize("content", [b"{}\n" * 1_000_000, b"x" * 9_000_000, b'{"a":' * 1_000_000 + b"\n"])
def test_what_is_in_memory_is_bounded(a1: Path, root: Path, content: bytes) -> None:
    (a1 / "m").write_bytes(content)
    rundir = RunDir(root, "kim/W-1/a1", os.getuid(), Limits(lines=20_000))
    tracemalloc.start()
    try:
        with suppress(Refused):
            for _line in rundir.json_lines("m"):
                pass
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_sockets_and_device_nodes_are_refused(
    rundir: RunDir, a1: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.chdir(a1)  # a socket's path may have 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("model/socket")
        with pytest.raises(Refused, match="not a regular file"):
            rundir.read("model/socket")
    assert [str(problem) for problem in rundir.tree("model").refused] == ["model/socket: not a regular file"]
    with pytest.raises(Refused, match="not a regular file"):
        RunDir(Path("/"), "dev", 0).read("null")


def test_names_that_are_no_text_are_refused_and_shown_on_one_line(rundir: RunDir, a1: Path) -> None:
    for name in (b"\xff\xfe", b"two\nlines", "\u202egpj.exe".encode(), b"ok"):
        Path(os.fsdecode(os.fsencode(a1 / "model") + b"/" + name)).write_bytes(b"")
    listing = rundir.tree("model")
    assert [file.path for file in listing.files] == ["ok"]
    assert len(listing.refused) == 3
    for problem in listing.refused:
        assert problem.why == "its name has characters that cannot be shown"
        assert str(problem).isprintable()
        str(problem).encode()


def test_a_path_that_s3_would_not_take_is_refused(rundir: RunDir, a1: Path) -> None:
    folder = a1 / "model"
    for _ in range(4):
        folder /= "d" * 250
    folder.mkdir(parents=True)
    (folder / "f").write_text("x")
    (problem,) = rundir.tree("model").refused
    assert "more than 800 bytes" in problem.why


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("/etc")])
def test_a_folder_of_too_many_things_is_refused_and_never_listed_whole(
    root: Path, a1: Path, make: Callable[[Path], None]
) -> None:
    for number in range(21):
        make(a1 / f"model/{number}")
    rundir = RunDir(root, "kim/W-1/a1", os.getuid(), Limits(tree_entries=20))
    with pytest.raises(Refused, match="more than 20 files and folders"):
        rundir.tree("model")
    with pytest.raises(Refused, match="more than 20 files and folders"):
        rundir.names("model")


def test_refusals_beyond_a_number_are_counted(root: Path, a1: Path) -> None:
    for number in range(9):
        (a1 / f"model/{number}").symlink_to("/etc")
    listing = RunDir(root, "kim/W-1/a1", os.getuid(), Limits(refusals=2)).tree("model")
    assert [str(problem) for problem in listing.refused] == [
        "model/0: a symbolic link",
        "model/1: a symbolic link",
        "model: 7 more refused in it",
    ]


def test_a_folder_that_is_none_is_refused_not_empty(rundir: RunDir, a1: Path) -> None:
    (a1 / "steps").symlink_to("/etc")
    (a1 / "file").write_text("")
    for name, why in (("steps", "a symbolic link"), ("file", "not a folder")):
        with pytest.raises(Refused, match=why):
            rundir.names(name)
        assert [problem.why for problem in rundir.tree(name).refused] == [why]


def test_a_folder_that_is_swapped_for_a_link_while_it_is_read_never_leads_outside(
    rundir: RunDir, a1: Path, root: Path
) -> None:
    """The same name is by turns a folder and a link to a folder with a file of that name."""
    (root.parent / "outside").mkdir()
    (root.parent / "outside/log").write_text("not yours")
    real, link, name = a1 / "real", a1 / "link", a1 / "steps"
    real.mkdir()
    (real / "log").write_text("yours")
    link.symlink_to(root.parent / "outside")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for from_path, back in ((real, real), (link, link)):
                from_path.rename(name)
                name.rename(back)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for _ in range(1000):
            try:
                seen.add(rundir.read("steps/log"))
                rundir.tree("steps")
            except (Missing, Refused) as error:
                seen.add(type(error).__name__.encode())
    finally:
        done.set()
        swapper.join()
    assert seen <= {b"yours", b"Missing", b"Refused"}, seen
