"""The `apptainer exec` command line of a step: options and command as words, never through a shell."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from containers.errors import InvalidMount, UnusableImage
from containers.image import ImageConfig

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the host shown inside the container; both paths absolute and normal (no `..`)."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """`apptainer exec *options ... *command`: the launcher puts the scratch folder and the /one mounts in between."""

    options: tuple[str, ...]
    command: tuple[str, ...]


def exec_argv(
    sif: str | PurePosixPath,
    config: ImageConfig,
    *,
    command: Sequence[str] | None = None,
    args: Sequence[str] | None = None,
    gpus: bool = False,
    mounts: Sequence[Mount] = (),
    folders: Sequence[str] = (),
) -> Container:
    """The words that run `sif`.

    `command` and `args` are the spec's; None or empty means not given, as in Kubernetes: `command` alone replaces the
    image's Entrypoint and Cmd, `args` alone replaces Cmd. The image's own Env is in the SIF; other variables travel
    as APPTAINERENV_<NAME> in the launcher's environment, so no value is ever an argument. `folders` are made empty, on
    the node's scratch.
    Raises UnusableImage (nothing to run) and InvalidMount.
    Source: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
    """
    options = ["--containall", "--no-eval", *(["--nv"] if gpus else []), "--pwd", config.working_dir]
    for mount in mounts:
        options += ["--mount", mount_option(mount.source, mount.target, mount.read_only)]
    for folder in folders:
        options += ["--scratch", _mount_path(folder)]
    return Container(tuple(options), (_image_path(sif), *payload(config, command, args)))


def payload(config: ImageConfig, command: Sequence[str] | None, args: Sequence[str] | None) -> tuple[str, ...]:
    """What runs inside the container. Raises UnusableImage when nobody says what to run, or a word cannot be one."""
    words = (*command, *(args or ())) if command else (*config.entrypoint, *(args or config.cmd))
    if not words or not words[0]:
        raise UnusableImage("the image names no command (Entrypoint or Cmd) and the spec gives none; set `command`")
    if any("\0" in word for word in words):
        raise UnusableImage("a word of the command has a NUL character")
    return words


def mount_option(source: str, target: str, read_only: bool) -> str:
    """The value of one `--mount`: `"type=bind","src=/a,b","dst=/a,b","ro"`.

    Apptainer reads it as a line of CSV, so every field is quoted and quotes are doubled. Raises InvalidMount for
    paths that are relative, not normal, or have control characters (a line end would begin a second mount).
    Source: https://apptainer.org/docs/user/1.4/bind_paths_and_mounts.html
    """
    fields = ["type=bind", f"src={_mount_path(source)}", f"dst={_mount_path(target)}"]
    if read_only:
        fields.append("ro")
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields)


def _mount_path(path: str) -> str:
    if not path.startswith("/") or path.startswith("//") or posixpath.normpath(path) != path:
        raise InvalidMount(f"{path!r} is not an absolute path without `.`, `..` and double slashes")
    if _CONTROL.search(path):
        raise InvalidMount(f"{path!r} has a control character")
    return path


def _image_path(sif: str | PurePosixPath) -> str:
    """An absolute path only: apptainer would take `docker://...` or `-x` for something else."""
    if not str(sif).startswith("/"):
        raise UnusableImage(f"{str(sif)!r} is not the absolute path of a SIF")
    return str(sif)
