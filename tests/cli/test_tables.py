"""Tables as people and pipes see them: columns line up by what a letter takes on the screen, and fold only where they must."""

from __future__ import annotations

import os
import sys

import pytest

from portal.cli import output


def test_korean_takes_two_columns_and_nothing_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["이름", "메모"], [["한글", "x"], ["ab", "a\x1b[2Jb"]])
    assert capsys.readouterr().out == "이름  메모\n한글  x\nab    a [2Jb\n"


def test_a_pipe_gets_long_lines_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_fields([("name", "x" * 400), ("none", ""), ("number", 0)])
    assert capsys.readouterr().out == f"name    {'x' * 400}\nnumber  0\n"


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["ID", "State"], [])
    output.print_fields([])
    assert capsys.readouterr().out == "ID  State\n"


def test_a_narrow_terminal_folds_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.print_table(["ID", "Why"], [["W-1", " ".join(f"word{number}" for number in range(10))]])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 30
    assert all(f"word{number}" in " ".join(lines) for number in range(10))


def test_heads_are_bold_in_a_terminal_that_wants_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(output, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.print_table(["ID"], [["W-1"]])
    assert capsys.readouterr().out == "\x1b[1mID\x1b[0m\nW-1\n"
