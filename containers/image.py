"""What an image says about itself: the part of the OCI image config that running it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from containers.errors import UnusableImage
from containers.reference import Reference


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The image's own command. `working_dir` is absolute, `/` if the image names none; `env` items are `NAME=value`."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = "/"
    env: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> ImageConfig:
        """Read `{"Entrypoint": [...]|null, "Cmd": [...]|null, "WorkingDir": "/app", "Env": ["PATH=/bin"]}`.

        Raises UnusableImage for other shapes. Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
        """
        working_dir = config.get("WorkingDir") or "/"
        if not isinstance(working_dir, str) or not working_dir.startswith("/") or "\0" in working_dir:
            raise UnusableImage("the image's WorkingDir is not an absolute path")
        env = _words(config, "Env")
        for variable in env:
            if "`" in variable:
                # Apptainer 1.4.5 writes it unquoted into the SIF's environment script: nothing starts any more.
                raise UnusableImage(f"the image's variable {variable.partition('=')[0]} has a backtick in its value")
        return cls(_words(config, "Entrypoint"), _words(config, "Cmd"), working_dir, env)

    def to_json(self) -> dict[str, Any]:
        """The same shape again, as the convert protocol and the SIF's side file carry it."""
        return {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "WorkingDir": self.working_dir,
            "Env": list(self.env),
        }


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image pinned: `reference.digest` is `architecture`'s manifest; `size` is its layers' bytes, compressed."""

    reference: Reference
    config: ImageConfig
    architecture: str
    size: int

    @property
    def digest(self) -> str:
        """The manifest's digest, `sha256:...`."""
        assert self.reference.digest is not None
        return self.reference.digest


def _words(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = config.get(key) or []
    if not isinstance(words, list) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise UnusableImage(f"the image's {key} is not a list of words")
    return tuple(words)
