"""What `one` does when things are not as hoped: errors, lost connections, Ctrl-C, pipes, hostile words."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portal.cli import output, watching
from portal.cli.api import Api
from portal.cli.credentials import Credentials
from portal.cli.download import target_of
from portal.cli.exits import CliError, Exit, exit_of_status
from portal.cli.watching import LogPrinter, follow
from portal.cli.words import _WORDS, Words, chosen_language
from tests.cli.conftest import answers, events, problem, signed_in

ENGLISH = Words("en")
LOG = {"step": "T/A", "nodeId": "A", "stream": "stdout", "iteration": 0, "try": 1, "offset": 0}


def api(transport: httpx2.BaseTransport) -> Api:
    return Api(Credentials("http://localhost", "one_t"), ENGLISH, transport)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 3), (403, 4), (404, 5), (409, 6), (413, 7), (422, 7), (429, 8), (503, 8), (500, 1), (418, 1)],
)
def test_every_refusal_has_its_exit_code(one: Any, status: int, code: int) -> None:
    signed_in()
    transport, _ = answers(problem(status, problems=[{"path": "$.x", "message": "is wrong", "cure": "Fix it."}]))
    result = one("show", "W-AAAAAA", transport=transport)
    assert result.exit_code == code == exit_of_status(status)
    assert result.stdout == ""
    assert "the detail" in result.stderr
    assert "$.x: is wrong Fix it." in result.stderr
    assert ("Request id r1" in result.stderr) == (status >= 500)


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"[]", b"", b"\xff"])
def test_answers_that_are_not_ours(one: Any, body: bytes) -> None:
    signed_in()
    for status in (200, 502):
        transport, _ = answers(httpx2.Response(status, content=body))
        result = one("list", "-o", "json", transport=transport)
        if status == 200 and body == b"[]":
            continue
        assert result.exit_code in (1, 8)
        assert "Traceback" not in result.output


def test_no_answer_is_said_and_the_work_goes_on(one: Any) -> None:
    signed_in()
    transport, asked = answers(httpx2.ConnectError("refused"))
    result = one("list", transport=transport)
    assert (result.exit_code, len(asked)) == (8, 1)
    assert "http://localhost is unreachable: refused. Running jobs go on." in result.stderr


def test_a_submit_is_repeated_with_the_same_key(one: Any, tmp_path: Path, small: dict[str, Any]) -> None:
    signed_in()
    (tmp_path / "app.json").write_text(json.dumps(small))
    made = {"id": "W-1", "state": "submitted", "phase": "", "needsApproval": False}
    transport, asked = answers(httpx2.ReadTimeout("slow"), httpx2.ConnectError("x"), httpx2.Response(201, json=made))
    result = one("submit", "app.json", "--set", "training_config.episodes=5", transport=transport)
    assert result.exit_code == 0
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert len(asked) == 3
    assert json.loads(asked[-1].content)["overrides"] == {"training_config.episodes": 5}


def test_not_signed_in(one: Any) -> None:
    result = one("list")
    assert result.exit_code == 3
    assert "one login" in result.stderr


def test_a_login_others_can_read_is_refused(one: Any, tmp_path: Path) -> None:
    signed_in()
    (tmp_path / "config" / "one" / "credentials.json").chmod(0o644)
    result = one("list")
    assert result.exit_code == 3
    assert "chmod 600" in result.stderr


def test_variables_go_before_the_file(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in()
    monkeypatch.setenv("ONE_TOKEN", "one_other")
    monkeypatch.setenv("ONE_URL", "http://localhost:1234/")
    transport, asked = answers(httpx2.Response(200, json={"items": [], "total": 0, "page": 1, "size": 50}))
    assert one("list", transport=transport).exit_code == 0
    assert asked[0].headers["Authorization"] == "Bearer one_other"
    assert asked[0].url.port == 1234


def test_following_resumes_where_the_connection_was_lost() -> None:
    transport, asked = answers(
        events(("state", "1;", {"state": "running", "phase": ""}), ("log", "1;a=4", {**LOG, "text": "one\n"})),
        httpx2.ConnectError("down"),
        events(("log", "1;a=8", {**LOG, "text": "two\n"}), ("end", "1;a=8", {"state": "completed", "phase": ""})),
    )
    written: list[str] = []
    slept: list[float] = []
    with api(transport) as portal:
        state = follow(portal, ENGLISH, "W-1", LogPrinter(written.append), sleep=slept.append)
    assert state == "completed"
    assert "".join(written) == "[A] one\n[A] two\n"
    assert [request.headers.get("Last-Event-ID") for request in asked] == [None, "1;a=4", "1;a=4"]
    assert slept == [1.0, 2.0]


def test_following_stops_when_the_portal_says_so() -> None:
    gone = {"code": "token_revoked", "status": 401, "detail": "This token was revoked."}
    transport, _ = answers(events(("error", "", gone)))
    with api(transport) as portal, pytest.raises(CliError) as stopped:
        follow(portal, ENGLISH, "W-1", LogPrinter(lambda _: None))
    assert stopped.value.exit_code is Exit.NOT_SIGNED_IN


def test_ctrl_c_detaches_and_says_so(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Api, "events", interrupted)
    result = one("logs", "-f", "W-1")
    assert result.exit_code == 130
    assert "Detached; W-1 goes on. Watch again: one logs -f W-1" in result.stderr


def test_lines_of_many_files_do_not_mix() -> None:
    written: list[str] = []
    printer = LogPrinter(written.append)
    printer.show("A", "A:stdout", "half")
    printer.show("A", "A:stdout", " line\nnext")
    printer.show("B", "B:stdout", "other\n")
    printer.show("A", "A:stdout", "end\n")
    printer.finish()
    assert "".join(written) == "[A] half line\n[A] next\n[B] other\n[A] end\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 안녕\n", "plain 안녕\n"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;ZXZpbA==\x1b\\x", "x"),
        ("a\x1bcb", "ab"),
        ("a\x9b31mb\x00\x07\x08", "a31mb"),
        ("\x1b", ""),
    ],
)
def test_a_terminal_is_not_obeyed_by_logs(text: str, shown: str) -> None:
    assert output.for_terminal(text) == shown


def test_table_cells_are_one_printable_line() -> None:
    assert output.plain("a\nb\x1b[31m") == "a b [31m"
    assert output.plain(None) == ""


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a\\..\\x", "a\0b", ".."])
def test_a_manifest_cannot_write_elsewhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(CliError):
        target_of(tmp_path, path, ENGLISH)
    assert target_of(tmp_path, "a/b.bin", ENGLISH) == tmp_path / "a" / "b.bin"


def model(data: bytes, digest: str | None = None) -> httpx2.Response:
    entry = {"path": "m/w.bin", "size": len(data), "sha256": digest or sha256(data).hexdigest()}
    return httpx2.Response(200, json={"manifest": {"files": [entry]}})


def test_a_download_goes_on_where_it_stopped(one: Any, tmp_path: Path) -> None:
    signed_in()
    part = tmp_path / "out" / "m" / "w.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"hel")
    transport, asked = answers(model(b"hello"), httpx2.ReadError("lost"), httpx2.Response(206, content=b"lo"))
    result = one("models", "download", "APP-1", "1", "--to", "out", transport=transport)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "m" / "w.bin").read_bytes() == b"hello"
    assert not part.exists()
    assert [request.headers.get("Range") for request in asked] == [None, "bytes=3-", "bytes=3-"]


def test_a_server_without_ranges_starts_again(one: Any, tmp_path: Path) -> None:
    signed_in()
    part = tmp_path / "APP-1-v1" / "m" / "w.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"xyz")
    transport, _ = answers(model(b"hello"), httpx2.Response(200, content=b"hello"))
    assert one("models", "download", "APP-1", "1", transport=transport).exit_code == 0
    assert part.with_name("w.bin").read_bytes() == b"hello"


def test_wrong_bytes_are_not_kept(one: Any, tmp_path: Path) -> None:
    signed_in()
    transport, _ = answers(model(b"hello", "0" * 64), httpx2.Response(200, content=b"hello"))
    result = one("models", "download", "APP-1", "1", transport=transport)
    assert result.exit_code == 1
    assert "sha256 differs" in result.stderr
    assert list(tmp_path.rglob("w.bin*")) == []


def test_another_file_is_not_overwritten(one: Any, tmp_path: Path) -> None:
    signed_in()
    target = tmp_path / "APP-1-v1" / "m" / "w.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    transport, _ = answers(model(b"hello"))
    assert one("models", "download", "APP-1", "1", transport=transport).exit_code == 6
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        (None, {}, "ko"),
        (None, {"LANG": "C.UTF-8"}, "ko"),
        (None, {"LANG": "en_US.UTF-8"}, "en"),
        (None, {"LANG": "en_US.UTF-8", "LC_ALL": "ko_KR.UTF-8"}, "ko"),
        (None, {"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        (None, {"LANG": "de_DE", "ONE_LANG": "en"}, "en"),
        ("ko", {"ONE_LANG": "en"}, "ko"),
    ],
)
def test_the_language(option: str | None, environment: dict[str, str], expected: str) -> None:
    assert chosen_language(option, environment) == expected


def test_both_languages_have_the_same_blanks() -> None:
    for key, texts in _WORDS.items():
        korean, english = ({name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts)
        assert korean == english, key


def test_korean_by_default(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANG")
    assert "먼저 로그인하세요" in one("list").stderr
    assert "Sign in first" in one("--lang", "en", "list").stderr


def test_starting_is_quick_and_imports_little() -> None:
    code = (
        "import sys; import portal.cli.main\n"
        "print([n for n in ('litestar', 'sqlalchemy', 'networkx', 'pydantic', 'httpx2', 'portal.db') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.strip() == "[]"


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom portal.cli import main\n"
        "from portal.cli.output import print_line\n"
        "def loud(): [print_line('x' * 1000) for _ in range(1000)]\n"
        "main.app.command('loud')(loud)\n"
        "main.app(['loud'])\n"
    )
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.read(read, 10)
    os.close(read)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_waits_between_tries_grow() -> None:
    assert list(watching.RETRY_STEPS_S) == sorted(watching.RETRY_STEPS_S)
