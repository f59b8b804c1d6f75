"""What is told of faults in the data, from facts and the answers of a few statements."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from datasets.profiling.column_quality import judge_column
from datasets.profiling.detection import detect
from datasets.profiling.facts import ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.observations import Observation
from datasets.profiling.quality import judge_tables, missing_months, questions_of

TODAY = date(2026, 6, 1)


def column(name: str, data_type: str = "text") -> FoundColumn:
    return FoundColumn(1, name, data_type, True, "")


def told(
    data_type: str = "text", name: str = "c", rows: int | None = 1000, **facts: Any
) -> list[tuple[str, int | None]]:
    """Codes and counts of one column; `facts` are fields of its facts, `formats` and `common` as dicts."""
    made = ColumnFacts("sample")
    for field, value in facts.items():
        if field in {"formats", "common"}:
            value = tuple(CommonValue(one, share) for one, share in value.items())
        made = replace(made, **{field: value})
    found = judge_column(column(name, data_type), made, table="public.t", rows=rows, today=TODAY)
    return [(one.code, one.count) for one in found]


def table(name: str, *columns: FoundColumn, **values: Any) -> FoundTable:  # Any: fields
    return FoundTable("public", name, "table", "", None, 0, columns, **values)


def judged(made: FoundTable, rows: int | None = 1000, error: str = "", **columns: ColumnFacts) -> list[Observation]:
    facts = {("public", made.name): TableFacts(rows=rows, sampled=100, columns=columns, error=error)}
    return list(judge_tables([made], facts, detect([made], facts)))


def codes(*arguments: Any, **facts: Any) -> set[tuple[str, str, int | None]]:
    return {(one.code, one.column, one.count) for one in judged(*arguments, **facts)}


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"minimum": "1066-10-14", "maximum": "2026-01-01"}, "impossible_dates"),
        ({"minimum": "0044-03-15 BC", "maximum": "2026-01-01"}, "impossible_dates"),
        ({"minimum": "2026-01-01", "maximum": "2062-01-01"}, "future_dates"),
        ({"common": {"1970-01-01": 0.02}}, "placeholder_dates"),
        ({"common": {"9999-12-31": 0.5}}, "placeholder_dates"),
    ],
)
def test_dates_that_cannot_be_are_told(facts: dict[str, Any], code: str) -> None:
    assert code in [found for found, _ in told("date", **facts)]


@pytest.mark.parametrize(
    "facts",
    [
        {"minimum": "1912-04-14", "maximum": "2027-12-31"},
        {"common": {"1970-01-01": 0.005, "2026-01-01": 0.5}},
        {"minimum": "infinity", "maximum": None},
    ],
)
def test_dates_that_can_be_are_not(facts: dict[str, Any]) -> None:
    assert told("date", **facts) == []


def test_placeholders_are_counted_and_told_once() -> None:
    facts: dict[str, Any] = {
        "common": {"1970-01-01": 0.05, "2026-01-01": 0.5},
        "minimum": "1970-01-01",
        "maximum": "9999-12-31",
    }

    assert told("timestamp without time zone", **facts) == [("placeholder_dates", 50)]


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_dates_in_texts_and_in_several_forms_are_told() -> None:
    assert told(formats={"9999-99-99": 1.0}) == [("dates_as_text", None)]
    assert told(formats={"9999-99-99": 0.9, "99/99/9999": 0.1}) == [("mixed_formats", 100), ("dates_as_text", None)]
    assert told(formats={"9999-99-99": 0.5, "aaaa": 0.5}) == []
    assert told("date", formats={"9999-99-99": 1.0}) == []


def test_numbers_in_texts_are_told_and_codes_are_not() -> None:
    assert told(formats={"99.99": 0.6, "9.9": 0.4}, lengths=(3, 4.0, 5)) == [("numbers_as_text", None)]
    assert told(formats={"99.99": 0.6, "99,99": 0.4}, lengths=(5, 5.0, 5))[0] == ("mixed_formats", 400)
    assert told(formats={"99999": 1.0}, lengths=(5, 5.0, 5)) == []
    assert told(name="user_id", formats={"999": 0.5, "9999": 0.5}, lengths=(3, 3.5, 4)) == []


def test_classes_that_differ_by_capitals_or_blanks_are_told() -> None:
    assert told(common={"Male": 0.5, "male": 0.1, "Female": 0.4}) == [("spelled_differently", 100)]
    assert told(common={"New  York": 0.5, "new york": 0.2, "Rome": 0.2, "ROME": 0.1}) == [("spelled_differently", 300)]
    assert told(common={"Male": 0.5, "Female": 0.5}) == []


def test_blanks_around_values_are_told() -> None:
    assert told(formats={"aaaa ": 0.2, "aaaa": 0.8}) == [("padded_texts", 200)]
    assert told("character(5)", formats={"aaaa ": 1.0}) == []


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_table_that_is_empty_or_unreadable_is_told() -> None:
    people = table("things", column("id", "integer"), primary_key=("id",))

    assert codes(people, 0) == {("empty_table", "", 0)}
    (unreadable,) = judged(people, None, "42501")
    assert (unreadable.code, unreadable.message) == (
        "unreadable",
        "Its rows could not be read: the role lacks a right on it.",
    )
    assert codes(people, 1000) == set()


def test_tables_for_which_there_was_no_time_are_one_note() -> None:
    tables = [table(f"t{number}", column("id", "integer"), primary_key=("id",)) for number in range(5)]
    facts = {("public", one.name): TableFacts(rows=10, error="budget") for one in tables[:3]}

    (note,) = judge_tables(tables, facts, detect(tables, facts))

    assert (note.code, note.count, "3 of 5 tables" in note.message) == ("not_read", 3, True)


def test_a_table_without_any_key_is_told() -> None:
    filled = {"id": ColumnFacts("sample", 0.0, 1000, "1", "1000")}

    assert ("no_key", "", None) in codes(table("people", column("kind")), 1000)
    assert not any(code == "no_key" for code, _, _ in codes(table("people", column("id", "integer")), 1000, **filled))


def test_columns_that_tell_little_are_told_apart_or_together() -> None:
    names = ("a", "b", "c", "d", "e")
    people = table("things", *(column(name) for name in names), primary_key=("a",))
    empty, same = ColumnFacts("sample", 1.0, 0), ColumnFacts("sample", 0.0, 1)
    sparse = ColumnFacts("sample", 0.96, 5)

    assert codes(people, b=empty, c=same, d=sparse) == {
        ("never_filled", "b", 1000),
        ("constant", "c", 1000),
        ("mostly_null", "d", 960),
    }
    assert codes(people, **dict.fromkeys(("b", "c", "d", "e"), same)) == {("constant", "", 4)}
    assert codes(people, 20, b=same) == set()
    assert codes(people, b=ColumnFacts("sample", 0.94, 5)) == set()


def test_names_that_need_quotes_or_say_nothing_are_told() -> None:
    odd = table("t", column("id"), column("Order"), column("two words"), primary_key=("id",))
    twins = table("t", column("id"), column("kind"), column("Kind"), primary_key=("id",))
    vague = table("t", column("id"), column("col7"), column("v1"), primary_key=("id",))

    assert codes(odd) == {("odd_names", "", 2)}
    assert codes(twins) == {("odd_names", "", 2)}
    assert codes(vague) == {("meaningless_names", "", 2)}


# ── weights and months ───────────────────────────────────────────────────────────────────────────────────────
PANEL = table(
    "panel_users", column("user_id", "integer"), column("weight", "double precision"), primary_key=("user_id",)
)
KEY = ColumnFacts("sample", 0.0, 1000, "1", "1000")
WEIGHT = ColumnFacts("sample", 0.0, 900, "100.5", "900.5", {0.05: "150.1", 0.5: "400.2", 0.95: "800.3"})


def test_rows_without_a_weight_are_counted() -> None:
    assert codes(PANEL, user_id=KEY, weight=WEIGHT) == set()
    assert ("missing_weight", "weight", 30) in codes(PANEL, user_id=KEY, weight=replace(WEIGHT, null_share=0.03))
    zeros = replace(WEIGHT, minimum="0", common=(CommonValue("0", 0.02),))
    assert ("missing_weight", "weight", 20) in codes(PANEL, user_id=KEY, weight=zeros)


def test_persons_without_any_weight_are_told() -> None:
    people = table("panel_users", column("user_id", "integer"), primary_key=("user_id",))

    assert ("no_weight", "", None) in codes(people, user_id=KEY)


def test_months_between_others_without_rows_are_told_where_all_rows_were_counted() -> None:
    visits = table(
        "visits", column("user_id", "integer"), column("event_date", "date"), primary_key=("user_id", "event_date")
    )
    months = {"2026-01": 5, "2026-02": 5, "2026-04": 5, "2026-05": 5}
    dates = ColumnFacts("sample", 0.0, 90, "2026-01-01", "2026-05-31", months=months, counted=True)

    assert ("missing_months", "event_date", 1) in codes(visits, event_date=dates)
    assert codes(visits, event_date=replace(dates, counted=False)) == set()


def test_gaps_are_months_between_others() -> None:
    assert missing_months({"2025-11": 1, "2026-02": 3, "2026-03": 1}) == ["2025-12", "2026-01"]
    assert missing_months({"2026-02": 3, "2026-01": 1}) == []
    # a stray row of long ago
    assert missing_months({"1990-01": 1, "2026-01": 3, "2026-02": 3}) == []
    assert missing_months({}) == []


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_only_keys_that_nothing_enforces_are_asked_about() -> None:
    people = table("people", column("people_id", "integer"))
    nearly = {("public", "people"): TableFacts(rows=1000, columns={"people_id": ColumnFacts("sample", 0.0, 980)})}
    unique = {("public", "people"): TableFacts(rows=1000, columns={"people_id": ColumnFacts("sample", 0.0, 1000)})}
    few = {("public", "people"): TableFacts(rows=1000, columns={"people_id": ColumnFacts("sample", 0.0, 400)})}

    def asked(made: FoundTable, facts: dict[tuple[str, str], TableFacts]) -> list[str]:
        return [question.code for question in questions_of([made], facts, detect([made], facts))]

    assert asked(people, nearly) == ["duplicate_keys"]
    assert asked(people, unique) == asked(people, few) == []
    assert asked(replace(people, primary_key=("people_id",)), nearly) == []
