"""Results of Operators as they are shown, and what is wrong with those that are not."""

from __future__ import annotations

import json

import pytest

from portal.domain.analysisresult import (
    MAX_FIGURES,
    MAX_IMAGE_BYTES,
    MAX_ROWS,
    Unshown,
    chart_of,
    figures_of,
    grid_of,
    image_type,
    kind_of,
    pretty,
)


def test_the_name_says_how_a_file_is_shown() -> None:
    names = [
        "summary.json", "a/summary.json", "r.chart.json", "t.CSV", "d.json", "report.html", "p.pkl", "x.svg",
        "a/b.PNG", "c.jpeg",
    ]  # fmt: skip
    assert [kind_of(name) for name in names] == [
        "figures", "json", "chart", "table", "json", "file", "file", "file", "image", "image",
    ]  # fmt: skip


def test_figures_are_numbers_truths_and_short_texts() -> None:
    data = '{"mean": 91.25, "n": 3, "passed": true, "verdict": "좋음"}'.encode()
    assert figures_of(data) == {"mean": 91.25, "n": 3.0, "passed": "true", "verdict": "좋음"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "no JSON object"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": 1e400}', "no number"),
        ('{"a": ' + "9" * 400 + "}", "no number"),
        ('{"a": {"b": 1}}', "no number"),
        ('{"a\\u0000": 1}', "cannot be shown"),
        ('{"": 1}', "cannot be shown"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (json.dumps(dict.fromkeys(map(str, range(MAX_FIGURES + 1)), 1)), "more than"),
    ],
)
def test_figures_that_are_none(text: str, why: str) -> None:
    with pytest.raises(Unshown, match=why):
        figures_of(text.encode())


def test_a_declared_chart() -> None:
    chart = chart_of(
        b'{"title": "Reward", "x": "episode", "lines": [{"name": "raw", "points": [[1, 2.5], [2, null]]}]}'
    )
    assert chart.title == "Reward"
    assert chart.lines[0].points == ((1.0, 2.5), (2.0, None))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"title": "x", "lines": []}', "lines"),
        ('{"title": "x", "script": "1", "lines": [{"name": "a", "points": [[1, 1]]}]}', "script"),
        ('{"title": "x", "lines": [{"name": "a", "points": [[1, 1e999]]}]}', "not finite"),
        ('{"lines": [{"name": "a", "points": [[1, 1]]}]}', "title"),
        ('"<script>"', "no chart"),
    ],
)
def test_a_chart_that_is_none(text: str, why: str) -> None:
    with pytest.raises(Unshown, match=why):
        chart_of(text.encode())


def test_a_table_is_read_with_its_separator_and_cut() -> None:
    assert grid_of("\ufeff이름;값\n가;1\n나;2\n".encode()).rows == (("가", "1"), ("나", "2"))
    many = "a,b\n" + "".join(f"{number},x\n" for number in range(MAX_ROWS + 5))
    cut = grid_of(many.encode())
    assert (len(cut.rows), cut.is_cut) == (MAX_ROWS, True)
    ragged = grid_of(b"a,b\n1\n1,2,3\n")
    assert ragged.rows == (("1", ""), ("1", "2"))
    half = grid_of(b"a,b\n1,2\n3", is_whole=False)
    assert (half.rows, half.is_cut) == ((("1", "2"),), True)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe\x00", b"a,b\n\0,1\n", b'a,"' + b"x" * 200_000])
def test_what_is_no_table(data: bytes) -> None:
    with pytest.raises(Unshown):
        grid_of(data)


def test_json_is_set_in_order() -> None:
    assert pretty('{"b":1,"가":[2]}'.encode()) == '{\n  "b": 1,\n  "가": [\n    2\n  ]\n}'


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


def test_an_image_is_what_its_first_bytes_say() -> None:
    assert image_type("a.png", 100, PNG) == "image/png"
    assert image_type("A.JPG", MAX_IMAGE_BYTES, b"\xff\xd8\xff\xe0") == "image/jpeg"


@pytest.mark.parametrize(
    ("path", "size", "head", "why"),
    [
        ("a.png", 10, b"<svg onload=x>", "no PNG image"),
        ("a.png", 0, b"", "no PNG image"),
        ("a.jpeg", 100, PNG, "no JPEG image"),
        ("a.png", MAX_IMAGE_BYTES + 1, PNG, "more than 8 MB"),
    ],
)
def test_what_is_no_image_says_why(path: str, size: int, head: bytes, why: str) -> None:
    with pytest.raises(Unshown, match=why):
        image_type(path, size, head)
