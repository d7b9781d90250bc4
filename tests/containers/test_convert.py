"""The convert program: one SIF a digest, the answers of its protocol, and nothing left behind."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from containers import build, cache, convert
from containers.errors import ImageNotFound, RegistryUnauthorized, RegistryUnreachable
from containers.image import ImageConfig, ResolvedImage
from containers.reference import Reference
from containers.registry import RegistryAccess

DIGEST = "sha256:" + "ab" * 32
NAME = "registry.test/env-sim"
CONFIG = ImageConfig(("python3",), ("main.py",), "/app", ("A=1",))
# The stub writes what it was asked and what it saw beside its output, as apptainer would write a SIF.
STUB = """#!/usr/bin/env python3
import json, os, sys, time
sif = sys.argv[-2]
print("INFO: Starting build")
{extra}
with open(sif, "w") as out:
    json.dump({{"argv": sys.argv[1:], "env": dict(os.environ)}}, out)
"""


@pytest.fixture
def settings(tmp_path: Path) -> convert.ConvertSettings:
    access = RegistryAccess(allowed=("registry.test",), ca_file=tmp_path / "ca.crt")
    apptainer = str(tmp_path / "apptainer")
    return convert.ConvertSettings(
        tmp_path / "images", max_bytes=1000, access=access, apptainer=apptainer, timeout_s=20
    )


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> list[Reference]:
    asked: list[Reference] = []

    async def resolve(reference: Reference, access: RegistryAccess) -> ResolvedImage:
        asked.append(reference)
        return ResolvedImage(reference, CONFIG, "amd64", 100)

    monkeypatch.setattr(convert, "resolve", resolve)
    return asked


@pytest.fixture
def apptainer(tmp_path: Path) -> Any:
    def install(extra: str = "") -> None:
        program = tmp_path / "apptainer"
        program.write_text(STUB.format(extra=extra))
        program.chmod(0o755)

    install()
    return install


def ask(settings: convert.ConvertSettings, **request: Any) -> list[dict[str, Any]]:
    line = json.dumps({"reference": NAME, "digest": DIGEST} | request).encode() + b"\n"
    return ask_raw(settings, line)


def ask_raw(settings: convert.ConvertSettings, line: bytes) -> list[dict[str, Any]]:
    out = io.BytesIO()
    ok = convert.serve(io.BytesIO(line), out, settings)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert answers[-1]["ok"] is ok
    assert all("progress" in answer for answer in answers[:-1])
    return answers


def test_a_digest_becomes_a_sif_once(
    settings: convert.ConvertSettings, apptainer: Any, registry: list[Reference]
) -> None:
    answers = ask(settings)
    sif = settings.images / f"sha256-{'ab' * 32}.sif"
    assert answers[-1] == {"ok": True, "sif": str(sif), "size": sif.stat().st_size, "config": CONFIG.to_json()}
    assert {"progress": "INFO: Starting build"} in answers
    assert stat.S_IMODE(sif.stat().st_mode) == 0o644
    assert [path.suffix for path in (settings.images / cache.WORK).iterdir()] == [".lock"]
    assert ask(settings) == [answers[-1]]
    assert len(registry) == 1


def test_what_apptainer_is_told(
    settings: convert.ConvertSettings, apptainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_SECRET", "s3cret")
    login = tmp_path / "registry.json"
    login.write_text('{"auths": {}}')
    told = replace(settings, access=replace(settings.access, credentials=login))
    seen = json.loads(Path(ask(told)[-1]["sif"]).read_text())
    work = settings.images / cache.WORK / f"sha256-{'ab' * 32}"
    expected = ["build", "--disable-cache", "--arch", "amd64", "--mksquashfs-args", build.MKSQUASHFS_ARGS]
    expected += ["--authfile", str(login)]
    assert seen["argv"] == [*expected, str(work / "image.sif"), f"docker://{NAME}@{DIGEST}"]
    environment = {name: value for name, value in seen["env"].items() if not name.startswith("LC_")}
    assert environment == build.build_environment(work, told.access)
    assert environment["SSL_CERT_FILE"] == str(tmp_path / "ca.crt")


def test_insecure_registries_are_built_over_http(settings: convert.ConvertSettings, apptainer: Any) -> None:
    seen = json.loads(
        Path(
            ask(replace(settings, access=RegistryAccess(("registry.test",), ("registry.test",))))[-1]["sif"]
        ).read_text()
    )
    assert "--no-https" in seen["argv"]


@pytest.mark.parametrize(
    ("extra", "error", "message"),
    [
        ("print('FATAL: it broke'); sys.exit(255)", "failed", "FATAL: it broke"),
        ("print('write x: No space left on device'); sys.exit(1)", "no_space", "disk filled up"),
        ("os.kill(os.getpid(), 9)", "failed", "signal 9"),
        ("sys.exit(0)", "failed", "ended with 0"),
    ],
)
def test_a_failed_build_says_why_and_leaves_nothing(
    settings: convert.ConvertSettings, apptainer: Any, extra: str, error: str, message: str
) -> None:
    apptainer(f"sys.stdout.flush(); {extra}" if "kill" in extra else extra)
    answer = ask(settings)[-1]
    assert (answer["ok"], answer["error"]) == (False, error)
    assert message in answer["message"]
    assert [path.name for path in settings.images.iterdir()] == [cache.WORK]
    assert [path.suffix for path in (settings.images / cache.WORK).iterdir()] == [".lock"]


def test_a_build_that_hangs_is_killed_with_its_children(settings: convert.ConvertSettings, apptainer: Any) -> None:
    apptainer("import subprocess; subprocess.run(['sleep', '600'])")
    answer = ask(replace(settings, timeout_s=0.5))[-1]
    assert "longer than" in answer["message"]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ImageNotFound(NAME, "no such image"), "not_found"),
        (RegistryUnreachable(NAME, "no answer"), "unreachable"),
        (RegistryUnauthorized(NAME, "private"), "refused"),
    ],
)
def test_what_the_registry_says_reaches_the_client(
    settings: convert.ConvertSettings, monkeypatch: pytest.MonkeyPatch, error: Exception, word: str
) -> None:
    async def resolve(reference: Reference, access: RegistryAccess) -> ResolvedImage:
        raise error

    monkeypatch.setattr(convert, "resolve", resolve)
    assert ask(settings)[-1] == {"ok": False, "error": word, "message": str(error)}


def test_free_space_is_checked_before_the_download(
    settings: convert.ConvertSettings, apptainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    apptainer("raise SystemExit('must not run')")
    monkeypatch.setattr(convert, "_free_bytes", lambda folder: 100 * convert.SPACE_FACTOR - 1)
    answer = ask(settings)[-1]
    assert answer["error"] == "no_space"
    assert str(settings.images) in answer["message"]


def test_a_full_cache_gives_way_only_where_live_images_are_known(
    settings: convert.ConvertSettings, apptainer: Any
) -> None:
    other = "sha256:" + "cd" * 32
    ask(settings, digest=other)
    small = replace(settings, max_bytes=150)
    ask(small)
    assert len(cache.list_images(settings.images)) == 2
    third = "sha256:" + "ef" * 32
    ask(small, digest=third, in_use=[DIGEST, third])
    assert {image.digest for image in cache.list_images(settings.images)} == {DIGEST, third}


def test_remove(settings: convert.ConvertSettings, apptainer: Any) -> None:
    size = ask(settings)[-1]["size"]
    assert ask_raw(settings, json.dumps({"remove": DIGEST}).encode() + b"\n") == [{"ok": True, "freed": size}]
    assert ask_raw(settings, json.dumps({"remove": DIGEST}).encode() + b"\n") == [{"ok": True, "freed": 0}]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'"x"\n',
        b"\xff\n",
        b'{"reference": "registry.test/a"}\n',
        json.dumps({"reference": NAME, "digest": "sha256:../../x"}).encode() + b"\n",
        json.dumps({"reference": NAME, "digest": 7}).encode() + b"\n",
        json.dumps({"reference": "evil.test/a", "digest": DIGEST}).encode() + b"\n",
        json.dumps({"reference": "registry.test/a --force", "digest": DIGEST}).encode() + b"\n",
        json.dumps({"reference": NAME, "digest": DIGEST, "in_use": ["../x"]}).encode() + b"\n",
        json.dumps({"remove": "../../etc/passwd"}).encode() + b"\n",
        b'{"x": "' + b"x" * convert.MAX_REQUEST_BYTES + b'"}\n',
    ],
)
def test_hostile_requests_are_refused(
    settings: convert.ConvertSettings, registry: list[Reference], line: bytes
) -> None:
    assert ask_raw(settings, line)[-1]["error"] == "refused"
    assert registry == []


def test_a_client_that_goes_away_does_not_stop_the_work(settings: convert.ConvertSettings, apptainer: Any) -> None:
    class Gone(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    line = json.dumps({"reference": NAME, "digest": DIGEST}).encode() + b"\n"
    assert convert.serve(io.BytesIO(line), Gone(), settings)
    assert cache.find(settings.images, DIGEST) is not None


def test_trouble_with_the_folder_is_an_answer(settings: convert.ConvertSettings) -> None:
    settings.images.touch()
    assert ask(settings)[-1]["error"] == "failed"


def test_two_at_once_build_one(settings: convert.ConvertSettings, apptainer: Any, registry: list[Reference]) -> None:
    apptainer("time.sleep(0.3)")
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(settings)[-1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry) == 1
    assert answers[0] == answers[1] == answers[2]


def test_settings_come_from_the_portals_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "portal.toml"
    file.write_text(
        '[storage]\nimages = "/shared/images"\nimages_max_gib = 2\n'
        '[images]\nregistries = ["registry.test"]\nca_file = "/etc/ca.crt"\n[s3]\nendpoint = "x"\n'
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = convert.load_settings(file)
    assert settings.images == Path("/shared/images")
    assert settings.max_bytes == 2 * 1024**3
    assert settings.access == RegistryAccess(("registry.test",), (), Path("/etc/ca.crt"), None)
    (tmp_path / "registry.json").write_text("{}")
    assert convert.load_settings(file).access.credentials == tmp_path / "registry.json"
    assert os.environ["CREDENTIALS_DIRECTORY"] == str(tmp_path)


def test_who_stops_waiting_ends_apptainer(settings: convert.ConvertSettings, apptainer: Any, tmp_path: Path) -> None:
    apptainer("print(os.getpid(), flush=True); time.sleep(60)")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.isdigit():
            raise SystemExit

    reference = Reference("registry.test", "env-sim", None, DIGEST)
    with pytest.raises(SystemExit):
        build.build_sif(reference, tmp_path, settings.access, say, timeout_s=20, program=settings.apptainer)
    assert not Path("/proc", said[-1]).exists()
