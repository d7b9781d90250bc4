"""What people wrote, shown as Markdown or handed out as CSV: neither runs anything."""

from __future__ import annotations

import csv
import io

import pytest

from portal.web.csvfile import csv_file
from portal.web.markdown import html_of
from tests.hostile import HOSTILE


def read(rows: list[tuple[object, ...]]) -> list[list[str]]:
    """The rows of the file below its head, as a reader of CSV finds them."""
    text = csv_file("x.csv", ["a", "b"], rows).content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_text(text: str) -> None:
    ((cell, number),) = read([(text, -1)])
    assert (cell.startswith("'"), number) == (True, "-1")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_comes_back_from_csv_as_it_was(text: str) -> None:
    rows = read([(f"x{text}", 1)])
    assert rows == [[f"x{text}", "1"]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# a", "<h3>a</h3>"),
        ("**a** `b` ~~c~~", "<p><strong>a</strong> <code>b</code> <s>c</s></p>"),
        ("[a](https://x.example/)", '<a href="https://x.example/" rel="noopener noreferrer nofollow">a</a>'),
        ("| a |\n|---|\n| b |", "<td>b</td>"),
        ("a\nb", "<br>"),
    ],
)
def test_markdown(text: str, wanted: str) -> None:
    assert wanted in html_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![p](https://evil.example/p.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "<a href=x style=color:red>",
        "[x]( java\tscript:alert(1) )",
    ],
)
def test_markdown_lets_nothing_of_their_own_through(text: str) -> None:
    made = str(html_of(text))
    for tag in ("<script", "<img", "<a href=x", 'href="javascript', 'href="data', " onerror=", " style="):
        assert tag not in made.replace("&lt;img src=x onerror=", "").replace("&lt;a href=x style=", ""), made
