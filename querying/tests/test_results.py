from __future__ import annotations

import csv
import io
import json

import pytest

from querying.evidence import Base
from querying.results import Cell, Column, QueryResult, dump_json, render, render_markdown

HOSTILE = [
    "a|b",
    "line\nbreak",
    "cr\r\nlf",
    "para\u2029graph",
    "<script>alert(1)</script>",
    "`code`",
    "back\\slash|",
    "| --- |\n|injected|row|",
]


def one_column(*cells: Cell, kind: str = "text") -> QueryResult:
    return QueryResult((Column("x", kind),), tuple((cell,) for cell in cells))


def whole(result: QueryResult, form: str) -> str:
    return render(result, form, max_tokens=1_000_000).text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_stands_in_a_cell_stays_in_its_cell(text: str) -> None:
    lines = render_markdown(one_column(text)).splitlines()

    assert len(lines) == 3
    cell = lines[2]
    assert cell.startswith("|")
    assert cell.endswith("|")
    inner = cell[1:-1].replace("\\\\", "")
    assert "|" not in inner.replace("\\|", "")
    assert "<script" not in cell


def test_a_category_reaches_the_model_as_it_is_stored() -> None:
    assert render_markdown(one_column("<1L", "R&D", "a < b > c")).splitlines()[2:] == ["|<1L|", "|R&D|", "|a < b > c|"]


def test_markdown_has_no_padding_and_every_digit() -> None:
    result = QueryResult((Column("a", "int4"), Column("b", "numeric")), (("1", "1000"), (None, "0.10")))

    assert render_markdown(result) == "|a|b|\n|---|---|\n|1|1000|\n|NULL|0.10|"


def test_csv_reads_back() -> None:
    result = QueryResult((Column("a,b", "text"), Column("n", "int4")), tuple((text, "1") for text in HOSTILE))

    rows = list(csv.reader(io.StringIO(whole(result, "csv"), newline="")))

    assert rows[0] == ["a,b", "n"]
    assert [row[0] for row in rows[1:]] == HOSTILE


def test_csv_tells_null_from_empty() -> None:
    assert whole(one_column(None, ""), "csv") == 'x\n\n""\n'


def test_json_keeps_every_digit_and_has_no_nan() -> None:
    columns = tuple(
        Column(name, kind) for name, kind in [("n", "numeric"), ("i", "int8"), ("f", "float8"), ("b", "bool")]
    )
    result = QueryResult(
        columns,
        (
            ("12345678901234567890.123456789", "9007199254740993", "0.1", "true"),
            ("NaN", None, "-Infinity", "false"),
            ("1", "2", "1e+20", None),
        ),
    )

    text = whole(result, "json")

    assert text == (
        '{"columns":["n","i","f","b"],"rows":[[12345678901234567890.123456789,9007199254740993,0.1,true],'
        '["NaN",null,"-Infinity",false],[1,2,1e+20,null]]}'
    )
    assert json.loads(text)["rows"][1] == ["NaN", None, "-Infinity", False]
    with pytest.raises(ValueError, match=r"NaN|compliant"):
        dump_json(float("nan"))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("0.3333333333333333", "0.333333"),
        ("163.6421875", "163.642"),
        ("23.5000000000000000", "23.5"),
        ("12345678.91", "12345678.91"),
        ("12345678.914999", "12345678.91"),
        ("123456789012345678901.123456", "123456789012345678901.12"),
        ("12345678901234567890", "12345678901234567890"),
        ("-0.000012345678", "-1.23457e-05"),
        ("1.2345678e-07", "1.23457e-07"),
        ("1e+20", "1e+20"),
        ("0.10", "0.1"),
        ("1234567.10", "1234567.1"),
        ("1234567.00", "1234567"),
        ("1234500", "1234500"),
        ("100", "100"),
        ("0.0000000000000000", "0"),
        ("-99.99999999", "-100"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_numbers_keep_what_matters(number: str, shown: str) -> None:
    result = one_column(number, None, kind="numeric")
    assert render(result, "markdown", max_tokens=10_000, digits=6).text.splitlines()[2:] == [f"|{shown}|", "|NULL|"]
    assert render(result, "csv", max_tokens=10_000, digits=6).text == f"x\n{number}\n\n"


@pytest.mark.parametrize("form", ["markdown", "csv", "json"])
def test_an_answer_holds_as_many_rows_as_its_budget(form: str) -> None:
    result = one_column(*(f"value {number}" for number in range(1000)))

    shown = render(result, form, max_tokens=500)

    assert shown.truncated_by == "tokens"
    assert 50 < shown.rows < 250
    assert shown.tokens <= 500
    larger = render(result, form, max_tokens=550)
    assert larger.rows > shown.rows
    assert larger.text.startswith(shown.text.removesuffix("]}").removesuffix("\n"))


def test_a_row_that_does_not_fit_leaves_the_head() -> None:
    shown = render(one_column("word " * 5000), "markdown", max_tokens=500)

    assert (shown.text, shown.rows, shown.truncated_by) == ("|x|\n|---|", 0, "tokens")


def test_a_result_without_columns_has_rows() -> None:
    assert render_markdown(QueryResult((), ((), ()))) == "||\n||\n||\n||"


def test_a_description_that_is_out_of_date_breaks_nothing() -> None:
    result = one_column("a|b", "7", kind="int4")

    assert result.rows == (("a|b",), (7,))
    assert whole(result, "json") == '{"columns":["x"],"rows":[["a|b"],[7]]}'
    assert whole(result, "markdown").splitlines()[2] == "|a\\|b|"


@pytest.mark.parametrize(
    ("moments", "shown"),
    [
        (["2026-01-31 10:20:30+00", "2026-01-31 10:20:00+00"], ["2026-01-31 10:20:30", "2026-01-31 10:20:00"]),
        (["2026-01-31 10:20:00+00", None], ["2026-01-31 10:20", "NULL"]),
        (["2026-01-01 00:00:00", "2026-02-01 00:00:00"], ["2026-01-01", "2026-02-01"]),
        (["2026-01-01 00:00:00+00", "2026-02-01 00:30:00+00"], ["2026-01-01 00:00", "2026-02-01 00:30"]),
        (["2026-01-01 00:00:00.5", "2026-02-01 00:00:00"], ["2026-01-01 00:00:00.5", "2026-02-01 00:00:00"]),
        (["0044-03-15 00:00:00 BC", "2026-02-01 00:00:00"], ["0044-03-15 00:00:00 BC", "2026-02-01 00:00:00"]),
        (["infinity", "2026-02-01 00:00:00+00"], ["infinity", "2026-02-01 00:00:00+00"]),
    ],
)
def test_times_keep_what_tells_them_apart(moments: list[Cell], shown: list[str]) -> None:
    result = one_column(*moments, kind="timestamptz")

    assert render(result, "markdown", max_tokens=10_000, digits=6).text.splitlines()[2:] == [
        f"|{one}|" for one in shown
    ]
    assert render(result, "markdown", max_tokens=10_000).text.splitlines()[2] == f"|{moments[0]}|"


def test_shows_the_weakest_base_of_what_a_row_shows() -> None:
    withheld, known = Base(0, 0, 0, 0, "**", withheld=True), Base(120, 120, 90, 1.3)
    columns = (Column("g", "text"), Column("people", "float8"), Column("share", "float8"))
    bases = ((None, known, withheld), (None, withheld, withheld))

    text = render_markdown(QueryResult(columns, (("a", "5", None), ("b", None, None)), bases=bases))

    assert text == "|g|people|share|n|\n|---|---|---|---|\n|a|5|NULL|120|\n|b|NULL|NULL|**|"
