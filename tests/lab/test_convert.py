"""Conversion on the lab: the real unit, registry and apptainer, with images nobody should trust."""

from __future__ import annotations

import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .convert_harness import (
    REGISTRY,
    Workshop,
    ask,
    ask_raw,
    on,
    on_ok,
    program,
    request,
    run_as_researcher,
    tar_of,
    workshop,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOSTILE = [
    "$(id)",
    "`id`",
    "$HOME",
    "a,b",
    '"',
    "'",
    "two\nlines",
    ":",
    "",
    "-n",
    "--help",
    "한국어",
    "../x",
    "; id",
    "\\",
]


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


def nonce() -> dict[str, bytes]:
    """Makes an image that was never converted before."""
    return {"nonce": str(time.time_ns()).encode()}


def test_a_digest_is_converted_once_by_its_own_user(shop: Workshop) -> None:
    image = shop.push("once", tar_of(program("/bin/echo") | nonce()), {"Entrypoint": ["/bin/echo"], "Cmd": ["hello"]})
    first = ask(image)
    answer = first[-1]
    assert answer["ok"], answer
    assert answer["sif"].endswith(f"/{image.digest.replace(':', '-')}.sif")
    assert answer["config"] == image.config.to_json()
    assert any("Creating SIF" in line.get("progress", "") for line in first)
    assert on_ok("svc", "stat", "-c", "%U %a", answer["sif"]).split() == [b"one-convert", b"644"]
    assert ask(image) == [answer]
    assert on_ok("svc", "ls", "-A", f"{answer['sif'].rsplit('/', 1)[0]}/.work").decode().count(".lock") >= 1
    assert run_as_researcher(image, answer["sif"]).stdout == b"hello\n"


def test_many_at_once_build_one(shop: Workshop) -> None:
    image = shop.push("many", tar_of(program("/bin/echo") | nonce()), {"Entrypoint": ["/bin/echo"]})
    answers: list[list[dict[str, Any]]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(image))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [lines[-1]["ok"] for lines in answers] == [True, True, True]
    assert sorted(len(lines) > 1 for lines in answers) == [False, False, True]


def test_an_image_without_a_shell_runs_with_words_as_typed(shop: Workshop) -> None:
    config = {"Entrypoint": ["/bin/echo", "$(id)", "`id`", "; id", "$HOME"], "WorkingDir": "/"}
    image = shop.push("noshell", tar_of(program("/bin/echo") | nonce()), config)
    sif = ask(image)[-1]["sif"]
    done = run_as_researcher(image, sif, HOSTILE)
    assert done.stdout.decode() == " ".join(["$(id)", "`id`", "; id", "$HOME", *HOSTILE]) + "\n", done.stderr


def test_an_images_environment_is_kept_or_the_image_refused(shop: Workshop) -> None:
    value = "it's 한국어; a,b|c <x> & ~ !y }"
    layer = tar_of(program("/usr/bin/printenv") | nonce())
    image = shop.push("env", layer, {"Entrypoint": ["/usr/bin/printenv", "TRAP"], "Env": [f"TRAP={value}"]})
    done = run_as_researcher(image, ask(image)[-1]["sif"])
    assert done.stdout.decode() == value + "\n", done.stderr
    digest = shop.push_raw("env-trap", layer, {"Entrypoint": ["/usr/bin/printenv"], "Env": ["TRAP=`id`"]})
    answer = ask_raw(request(f"{REGISTRY}/lab-convert/env-trap", digest))[-1]
    assert answer["error"] == "refused"
    assert "TRAP has a backtick" in answer["message"]


def test_a_layer_cannot_leave_its_folder(shop: Workshop) -> None:
    escape = "one-escape"
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
    hard = tarfile.TarInfo("passwd")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../../../../../etc/passwd"
    up = {f"{'../' * 12}tmp/{escape}": b"x", f"/tmp/{escape}": b"x", f"out/{escape}": b"x"}
    for name, extra in (("escape-up", {link: b""}), ("escape-link", {hard: b""})):
        files = program("/bin/echo") | nonce() | (up if name == "escape-up" else {})
        image = shop.push(name, tar_of(files, extra), {"Entrypoint": ["/bin/echo", "inside"]})
        answer = ask(image)[-1]
        assert answer["ok"] or answer["error"] == "failed", answer
    found = on_ok("svc", "find", "/tmp", "/var/tmp", "/shared", "-xdev", "-name", escape)
    assert found == b""
    assert on_ok("svc", "stat", "-c", "%h", "/etc/passwd") == b"1\n"


def test_a_setuid_program_of_an_image_gives_nothing(shop: Workshop) -> None:
    files = program("/usr/bin/id")
    setuid = tarfile.TarInfo("id")
    setuid.mode, setuid.size = 0o4755, len(files["usr/bin/id"])
    layer = tar_of(files | nonce(), {setuid: files["usr/bin/id"]})
    image = shop.push("setuid", layer, {"Entrypoint": ["/id", "-u"]})
    done = run_as_researcher(image, ask(image)[-1]["sif"])
    assert done.stdout == b"2001\n", done.stderr


def test_missing_images_and_foreign_registries() -> None:
    missing = "sha256:" + "0" * 64
    for name, error in (
        (f"{REGISTRY}/env-sim", "not_found"),
        (f"{REGISTRY}/no-such", "not_found"),
        ("docker.io/a/b", "refused"),
    ):
        answer = ask_raw(request(name, missing))[-1]
        assert (answer["ok"], answer["error"]) == (False, error), answer
        assert name in answer["message"] or "docker.io" in answer["message"]


@pytest.mark.parametrize(
    "reference",
    ["$(id)", "--help", f"{REGISTRY}/a --sandbox", f"{REGISTRY}/../a", f"{REGISTRY}/a\n", "/etc", "한국어", ""],
)
def test_hostile_references_are_refused(reference: str) -> None:
    answer = ask_raw(request(reference, "sha256:" + "0" * 64))
    assert [line["error"] for line in answer] == ["refused"]


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"\xff\n", b"[]\n", b'{"remove": "../../etc/passwd"}\n'])
def test_lines_that_are_no_request_are_refused(line: bytes) -> None:
    assert [answer["error"] for answer in ask_raw(line)] == ["refused"]


def test_the_unit_leaves_no_process_and_no_failure() -> None:
    listed = on_ok("svc", "systemctl", "list-units", "--all", "--plain", "--no-legend", "one-convert@*").decode()
    assert "running" not in listed
    assert on("svc", "pgrep", "-u", "one-convert").stdout == b""
