"""What a payload leaves can be read by the portal's group, links are left alone, and what cannot be shared is named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from slurm.inside.launcher_results import share_with_group


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_group_may_read_files_and_enter_folders(tmp_path: Path) -> None:
    model = tmp_path / "model/deep"
    model.mkdir(parents=True)
    weights = model / "weights.safetensors"
    weights.write_bytes(b"w")
    weights.chmod(0o600)
    model.chmod(0o700)
    assert share_with_group([str(tmp_path / "model")]) == []
    assert (mode(weights), mode(model)) == (0o640, 0o750)


def test_links_and_special_files_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o600)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "fifo", 0o600)
    assert share_with_group([str(folder)]) == []
    assert mode(outside) == 0o600
    assert mode(folder / "fifo") == 0o600


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    (refused,) = share_with_group([str(tmp_path / "none")])
    assert refused == f"{tmp_path}/none: No such file or directory"
