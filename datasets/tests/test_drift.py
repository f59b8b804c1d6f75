"""What is told of a database that is no longer as it was approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from datasets.catalog import ForeignKey
from datasets.design import PeriodWeights, SurveyDesign, Unit
from datasets.design_published import build_published_design
from datasets.profiling.drift import find_drift
from datasets.profiling.facts import ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.observations import Observation

PUBLISHED_ON, TODAY = date(2026, 3, 1), date(2026, 6, 1)
USERS, EVENTS, MONTHLY = ("public", "users"), ("public", "events"), ("public", "monthly")
TYPES = {
    "id": "bigint",
    "user_id": "bigint",
    "weight": "double precision",
    "region": "text",
    "income": "numeric(10,2)",
    "day": "date",
    "note": "character varying(20)",
    "month": "date",
}
DESIGN = SurveyDesign(
    units=(
        Unit(
            table=USERS,
            key=("id",),
            weight="weight",
            stratum="region",
            carried_by={EVENTS: ("user_id",)},
            period_weights=PeriodWeights(MONTHLY, ("user_id",), "month", "weight"),
        ),
    )
)


def found(name: tuple[str, str], *columns: str, key: tuple[str, ...] = (), **types: str) -> FoundTable:
    made = tuple(
        FoundColumn(place, column, types.get(column, TYPES.get(column, "text")), True, "")
        for place, column in enumerate(columns, start=1)
    )
    return FoundTable(*name, "table", "", None, 0, made, primary_key=key)


TABLES = (
    found(USERS, "id", "weight", "region", "income", "day", "note", key=("id",)),
    found(EVENTS, "id", "user_id", "day"),
    found(MONTHLY, "user_id", "month", "weight", key=("user_id", "month")),
    found(("public", "other"), "id", "note"),
)


def published(
    tables: tuple[FoundTable, ...] = TABLES, *, hidden: tuple[str, ...] = (), design: SurveyDesign | None = DESIGN
) -> Mapping[str, Any]:  # Any: JSON
    return {
        "survey_design": build_published_design(design) if design else None,
        "tables": [
            {
                "schema": table.schema,
                "name": table.name,
                "primary_key": list(table.primary_key),
                "unique_keys": [],
                "foreign_keys": [],
                "columns": [
                    {"name": column.name, "type": column.data_type, "visible": column.name not in hidden}
                    for column in table.columns
                ],
            }
            for table in tables
        ],
    }


def without(name: tuple[str, str], *columns: str) -> tuple[FoundTable, ...]:
    """The tables, this one without the columns, or gone where none is named."""
    kept = []
    for table in TABLES:
        if (table.schema, table.name) != name:
            kept.append(table)
        elif columns:
            kept.append(replace(table, columns=tuple(c for c in table.columns if c.name not in columns)))
    return tuple(kept)


def seen(rows: int = 10_000, error: str = "", **columns: ColumnFacts) -> dict[tuple[str, str], TableFacts]:
    return {USERS: TableFacts(rows=rows, sampled=100, columns=columns, error=error)}


def drift(
    before: Mapping[tuple[str, str], TableFacts] | None = None,
    now: Mapping[tuple[str, str], TableFacts] | None = None,
    tables: tuple[FoundTable, ...] = TABLES,
    **options: Any,  # Any: of `published`
) -> list[tuple[str, str, str, str]]:
    return [
        (one.code, one.severity, one.table, one.column) for one in observe(before or {}, now or {}, tables, **options)
    ]


def observe(
    before: Mapping[tuple[str, str], TableFacts],
    now: Mapping[tuple[str, str], TableFacts],
    tables: tuple[FoundTable, ...] = TABLES,
    **options: Any,  # Any: as above
) -> tuple[Observation, ...]:
    return find_drift(published(**options), before, tables, now, published_on=PUBLISHED_ON, today=TODAY)


def spread(low: float, middle: float, high: float, **values: Any) -> ColumnFacts:  # Any: fields
    quantiles = {0.05: str(low), 0.25: str((low + middle) / 2), 0.5: str(middle), 0.95: str(high)}
    return ColumnFacts("sample", 0.0, values.pop("distinct", 900), str(low), str(high), quantiles, **values)


def classes(**shares: float) -> ColumnFacts:
    common = tuple(CommonValue(value, share) for value, share in shares.items())
    return ColumnFacts("sample", 0.0, len(shares), common=common)


# ── structure ────────────────────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_told_where_nothing_changed() -> None:
    facts = seen(income=spread(1, 50, 99), region=classes(a=0.5, b=0.5))

    assert drift(facts, facts) == []


@pytest.mark.parametrize(
    ("name", "severity"),
    [(USERS, "alarm"), (EVENTS, "alarm"), (MONTHLY, "alarm"), (("public", "other"), "warning")],
)
def test_a_dropped_table_is_an_alarm_where_the_design_needs_it(name: tuple[str, str], severity: str) -> None:
    assert drift(tables=without(name)) == [("table_dropped", severity, ".".join(name), "")]
    assert drift(tables=without(name), design=None) == [("table_dropped", "warning", ".".join(name), "")]


@pytest.mark.parametrize(
    ("name", "column", "severity"),
    [
        (USERS, "weight", "alarm"),
        (USERS, "region", "alarm"),
        (EVENTS, "user_id", "alarm"),
        (MONTHLY, "month", "alarm"),
        (USERS, "income", "warning"),
        (("public", "other"), "note", "warning"),
    ],
)
def test_a_dropped_column_is_an_alarm_where_the_design_needs_it(
    name: tuple[str, str], column: str, severity: str
) -> None:
    told = [one for one in drift(tables=without(name, column)) if one[0] != "key_lost"]

    assert told == [("column_dropped", severity, ".".join(name), column)]


def test_a_dropped_column_that_nobody_saw_is_a_note_unless_the_design_needs_it() -> None:
    assert drift(tables=without(USERS, "income"), hidden=("income",))[0][1] == "note"
    assert drift(tables=without(USERS, "weight"), hidden=("weight",))[0][1] == "alarm"


@pytest.mark.parametrize(
    ("column", "data_type", "told"),
    [
        ("weight", "text", [("column_retyped", "alarm", "public.users", "weight")]),
        ("income", "text", [("column_retyped", "warning", "public.users", "income")]),
        ("note", "text[]", [("column_retyped", "warning", "public.users", "note")]),
        ("note", "character varying(50)", []),
        ("note", "character varying", []),
        ("note", "character varying(5)", [("column_retyped", "warning", "public.users", "note")]),
        ("weight", "double precision", []),
        ("income", "numeric(10,0)", [("column_retyped", "warning", "public.users", "income")]),
        ("income", "numeric(11,4)", [("column_retyped", "warning", "public.users", "income")]),
        ("income", "numeric", []),
        ("income", "numeric(12,4)", []),
    ],
)
def test_another_type_is_told_and_another_length_is_not(column: str, data_type: str, told: list[object]) -> None:
    users = found(USERS, *(one.name for one in TABLES[0].columns), key=("id",), **{column: data_type})

    assert drift(tables=(users, *TABLES[1:])) == told


def test_new_tables_and_columns_are_notes() -> None:
    users = found(USERS, *(one.name for one in TABLES[0].columns), "a", "b", "c", "d", "e", "f", key=("id",))
    new = found(("public", "fresh"), "id")

    told = observe({}, {}, (users, *TABLES[1:], new))

    assert [(one.code, one.severity, one.table, one.count) for one in told] == [
        ("new_columns", "note", "public.users", 6),
        ("new_table", "note", "public.fresh", None),
    ]
    assert "a, b, c, d, e and 1 more" in told[0].message


def test_a_table_that_the_reviewer_left_out_is_not_new() -> None:
    document, other = published(TABLES[:3]), ("public", "other")
    dates = {"published_on": PUBLISHED_ON, "today": TODAY}

    assert find_drift(document, {other: TableFacts(rows=5)}, TABLES, {}, **dates) == ()
    assert [one.code for one in find_drift(document, {}, TABLES, {}, **dates)] == ["new_table"]


def test_the_table_of_units_with_weights_by_period_alone_is_needed() -> None:
    periods = PeriodWeights(MONTHLY, ("user_id",), "month", "weight")
    design = SurveyDesign(units=(Unit(table=USERS, period_weights=periods),))

    assert drift(tables=without(USERS), design=design) == [("table_dropped", "alarm", "public.users", "")]


def test_a_lost_key_of_units_is_an_alarm_whatever_the_order_of_its_columns() -> None:
    design = SurveyDesign(units=(Unit(table=MONTHLY, key=("month", "user_id"), weight="weight"),))
    tables = (*TABLES[:2], replace(TABLES[2], primary_key=()), TABLES[3])

    assert drift(tables=tables, design=design) == [("key_lost", "alarm", "public.monthly", "")]


def test_a_lost_key_is_an_alarm_where_units_have_it() -> None:
    keyless = tuple(replace(table, primary_key=()) for table in TABLES)
    by_index = (replace(TABLES[0], primary_key=(), unique_keys=(("id",),)), *TABLES[1:])

    assert drift(tables=keyless) == [
        ("key_lost", "alarm", "public.users", "id"),
        ("key_lost", "alarm", "public.monthly", ""),
    ]
    assert drift(tables=by_index) == []


# ── volume ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (10_000, 4_900, ("rows_fell", "warning")),
        (10_000, 5_100, None),
        (10_000, 30_001, ("rows_grew", "note")),
        (10_000, 29_000, None),
        (10_000, 0, ("rows_fell", "alarm")),
        (0, 0, None),
        (50, 10, None),
        (50, 0, ("rows_fell", "alarm")),
    ],
)
def test_rows_that_fall_or_grow_much_are_told(before: int, now: int, told: tuple[str, str] | None) -> None:
    expected = [(*told, "public.users", "")] if told else []

    assert drift(seen(before), seen(now)) == expected


def test_a_table_that_was_not_read_is_not_empty() -> None:
    assert drift(seen(), seen(0, error="timeout")) == []
    assert drift(seen(0, error="42501"), seen()) == []
    assert drift(seen(), {}) == []
    assert drift({}, seen(0)) == []


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("column", "before", "now", "severity"),
    [
        ("income", 0.1, 0.31, "warning"),
        ("income", 0.1, 0.29, ""),
        ("weight", 0.01, 0.04, "alarm"),
        ("weight", 0.01, 0.025, ""),
        ("income", 0.5, 0.1, ""),
    ],
)
def test_more_nulls_are_told_and_of_weights_sooner(column: str, before: float, now: float, severity: str) -> None:
    earlier, later = (
        {USERS: TableFacts(10_000, columns={column: ColumnFacts("sample", share)})} for share in (before, now)
    )
    told = drift(earlier, later)

    assert told == ([("nulls_rose", severity, "public.users", column)] if severity else [])


def test_a_number_whose_middle_left_nine_tenths_has_shifted() -> None:
    before = seen(income=spread(10, 50, 90))

    assert drift(before, seen(income=spread(60, 95, 140))) == [
        ("distribution_shifted", "warning", "public.users", "income")
    ]
    assert drift(before, seen(income=spread(40, 80, 140))) == []
    assert drift(seen(), seen(income=spread(60, 95, 140))) == []


def test_numbers_that_grow_with_the_table_have_not_shifted() -> None:
    later = spread(9_000, 12_000, 15_000)

    assert drift(seen(id=spread(1, 500, 999)), seen(id=later)) == []
    assert drift(seen(income=spread(1, 500, 999, distinct=9_900)), seen(income=later)) == []
    tables = (replace(TABLES[0], foreign_keys=(ForeignKey(("income",), "public", "other", ("id",)),)), *TABLES[1:])
    document = dict(published())
    document["tables"][0]["foreign_keys"] = [{"columns": ["income"]}]
    told = find_drift(
        document,
        seen(income=spread(1, 500, 999)),
        tables,
        seen(income=later),
        published_on=PUBLISHED_ON,
        today=TODAY,
    )
    assert told == ()


def test_keys_that_only_the_design_names_have_not_shifted() -> None:
    earlier, later = (
        {EVENTS: TableFacts(10_000, columns={"user_id": facts})}
        for facts in (spread(1, 500, 999), spread(9_000, 12_000, 15_000))
    )

    assert drift(earlier, later) == []


def test_a_number_that_was_nearly_always_the_same_shifts_too() -> None:
    assert drift(seen(income=spread(0, 0, 0)), seen(income=spread(50, 60, 70))) == [
        ("distribution_shifted", "warning", "public.users", "income")
    ]
    assert drift(seen(income=spread(0, 0, 0)), seen(income=spread(0, 0, 70))) == []


def test_weights_with_another_mean_are_an_alarm() -> None:
    before = seen(weight=spread(0.5, 1.0, 2.0))

    assert drift(before, seen(weight=spread(0.6, 1.2, 2.4))) == [("weight_changed", "alarm", "public.users", "weight")]
    assert drift(before, seen(weight=spread(0.52, 1.04, 2.08))) == []


def test_one_large_weight_more_is_no_other_weighting() -> None:
    before = spread(0.5, 1.0, 2.0)

    assert drift(seen(weight=before), seen(weight=replace(before, maximum="1000"))) == []


def test_a_design_that_cannot_be_read_is_none() -> None:
    document = {**published(), "survey_design": {"units": [{"of": "another version"}]}}

    told = find_drift(document, {}, without(USERS), {}, published_on=PUBLISHED_ON, today=TODAY)

    assert [(one.code, one.severity) for one in told] == [("table_dropped", "warning")]


def test_classes_that_come_and_go_are_counted_and_not_named() -> None:
    told = observe(seen(region=classes(canary_a=0.7, canary_b=0.3)), seen(region=classes(canary_a=0.6, canary_c=0.4)))

    assert [(one.code, one.count) for one in told] == [("classes_appeared", 1), ("classes_vanished", 1)]
    assert not any("canary" in one.message for one in told)


def test_classes_of_which_not_all_were_known_are_not_compared() -> None:
    assert drift(seen(region=classes(a=0.5, b=0.2)), seen(region=classes(a=0.5, c=0.5))) == []
    assert drift(seen(region=classes(a=0.7, b=0.3)), seen(region=classes(a=0.5))) == []
    assert drift(seen(region=classes(a=0.7, b=0.3)), seen(region=classes(a=0.695, b=0.3, c=0.005))) == []


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────
def days(last: str, months: Mapping[str, int] | None = None, *, counted: bool = True) -> ColumnFacts:
    return ColumnFacts("sample", 0.0, 90, "2025-01-01", last, months=months or {}, counted=counted)


def test_months_that_lost_their_rows_are_told() -> None:
    before = seen(day=days("2026-02-28", {"2026-01": 5, "2026-02": 5}))

    assert drift(before, seen(day=days("2026-05-31", {"2026-02": 5, "2026-05": 1}))) == [
        ("months_lost", "warning", "public.users", "day")
    ]
    assert drift(before, seen(day=days("2026-05-31", {"2026-01": 1, "2026-02": 5, "2026-05": 1}))) == []
    assert drift(before, seen(day=days("2026-05-31", {"2026-05": 1}, counted=False))) == []


def test_months_of_hidden_columns_are_counted_and_not_named() -> None:
    before = seen(day=days("2026-05-31", {"2026-01": 5, "2026-05": 5}))
    now = seen(day=days("2026-05-31", {"2026-05": 5}))

    assert "2026-01" in observe(before, now)[0].message
    (told,) = observe(before, now, hidden=("day",))
    assert (told.code, told.count) == ("months_lost", 1)
    assert "2026" not in told.message


def test_how_old_a_table_is_does_not_tell_its_newest_date() -> None:
    (told,) = observe(seen(day=days("2026-02-27")), seen(day=days("2026-05-01")))

    assert (told.code, told.count) == ("not_fresh", None)
    assert "31" not in told.message


def test_dates_that_went_back_are_told() -> None:
    before = seen(day=days("2026-02-10", {"2026-01": 5, "2026-02": 5}))

    told = [one[0] for one in drift(before, seen(day=days("2026-01-31", {"2026-01": 5})))]

    assert "dates_went_back" in told
    assert "months_lost" not in told


@pytest.mark.parametrize(
    ("then", "now", "is_told"),
    [
        ("2026-02-27", "2026-05-01", True),
        ("2026-02-27", "2026-05-25", False),
        ("2025-12-31", "2025-12-31", False),  # no feed when it was approved
        ("2026-02-27", "2027-01-01", False),
    ],
)
def test_what_was_fresh_and_is_not_any_more_is_told(then: str, now: str, is_told: bool) -> None:
    told = drift(seen(day=days(then)), seen(day=days(now)))

    assert told == ([("not_fresh", "warning", "public.users", "day")] if is_told else [])


def test_no_message_holds_a_value() -> None:
    marked = "canary-7319"
    before = seen(
        20_000,
        region=classes(**{marked: 0.7, "b": 0.3}),
        income=spread(7319, 7320, 7321),
        weight=spread(1.7319, 2.7319, 3.7319),
        note=ColumnFacts("sample", 0.0, 2, marked, marked, common=(CommonValue(marked, 1.0),)),
        day=days("2026-02-27", {"2026-02": 7}),
    )
    now = seen(
        7_000,
        region=classes(**{f"{marked}-2": 0.7, "c": 0.3}),
        income=spread(17319, 27320, 37321),
        weight=spread(11.7319, 12.7319, 13.7319),
        note=ColumnFacts("sample", 0.9, 1, common=(CommonValue(f"{marked}-3", 1.0),)),
        day=days("2026-01-07", {"2026-01": 3}),
    )

    told = observe(before, now)

    assert len({one.code for one in told}) >= 7
    assert not any("canary" in one.message or "7319" in one.message or "732" in one.message for one in told)
