from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest

from querying.results import Column, QueryResult, Value, dump_json, render_csv, render_json, render_markdown

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


def one_column(*values: Value) -> QueryResult:
    return QueryResult((Column("x", "text"),), tuple((value,) for value in values))


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
    result = QueryResult((Column("a", "int4"), Column("b", "numeric")), ((1, Decimal("1E+3")), (None, Decimal("0.10"))))

    assert render_markdown(result) == "|a|b|\n|---|---|\n|1|1000|\n|NULL|0.10|"


def test_csv_reads_back() -> None:
    result = QueryResult((Column("a,b", "text"), Column("n", "int4")), tuple((text, 1) for text in HOSTILE))

    rows = list(csv.reader(io.StringIO(render_csv(result), newline="")))

    assert rows[0] == ["a,b", "n"]
    assert [row[0] for row in rows[1:]] == HOSTILE


def test_csv_tells_null_from_empty() -> None:
    assert render_csv(one_column(None, "")) == 'x\n\n""'


def test_json_keeps_every_digit_and_has_no_nan() -> None:
    result = one_column(Decimal("12345678901234567890.123456789"), 9007199254740993, 0.1, "NaN", True, None)

    text = render_json(result)

    assert (
        text
        == '{"columns":["x"],"rows":[[12345678901234567890.123456789],[9007199254740993],[0.1],["NaN"],[true],[null]]}'
    )
    assert json.loads(text)["rows"][3] == ["NaN"]
    with pytest.raises(ValueError, match=r"NaN|compliant"):
        dump_json(float("nan"))
