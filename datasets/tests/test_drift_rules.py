"""Drift: what changed since a dataset was approved, what is too little to tell, what is never told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from datasets.design import PeriodWeights, SurveyDesign, Unit
from datasets.design_published import build_published_design
from datasets.profiling.drift import find_drift
from datasets.profiling.facts import QUANTILES, SAMPLE, ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.observations import ALARM, DRIFT, NOTE, WARNING, Observation

APPROVED = date(2026, 3, 2)
TODAY = date(2026, 6, 1)
CANARY = "canary-7319"
PEOPLE = ("public", "people")
WEIGHTS = ("public", "weights")
EVENTS = ("public", "events")
Document = dict[str, Any]  # Any: JSON of a catalog entry
UNIT = Unit(
    table=PEOPLE,
    key=("id",),
    weight="weight",
    stratum="region",
    carried_by={EVENTS: ("person_id",)},
    period_weights=PeriodWeights(WEIGHTS, ("person_id",), "month", "weight", dates={EVENTS: "day"}),
)


def table(
    columns: str,
    name: str = "people",
    *,
    primary_key: tuple[str, ...] = (),
    unique_keys: tuple[tuple[str, ...], ...] = (),
) -> FoundTable:
    """`columns` are names and types: "id integer, day date"."""
    pairs = [each.split(" ", 1) for each in columns.split(", ")]
    found = tuple(FoundColumn(place, name, kind, True, "") for place, (name, kind) in enumerate(pairs, 1))
    return FoundTable("public", name, "table", "", None, 0, found, primary_key=primary_key, unique_keys=unique_keys)


def published(
    *tables: FoundTable,
    design: Unit | None = None,
    hidden: str = "",
    foreign: Sequence[Mapping[str, object]] = (),
) -> Document:
    return {
        "tables": [
            {
                "schema": each.schema,
                "name": each.name,
                "kind": each.kind,
                "primary_key": list(each.primary_key),
                "unique_keys": [list(key) for key in each.unique_keys],
                "foreign_keys": list(foreign),
                "columns": [
                    {
                        "name": column.name,
                        "type": column.data_type,
                        "nullable": True,
                        "description": "",
                        "visible": column.name != hidden,
                    }
                    for column in each.columns
                ],
            }
            for each in tables
        ],
        "survey_design": build_published_design(SurveyDesign((design,))) if design else None,
    }


def drift(
    document: Document,
    *tables: FoundTable,
    before: Mapping[str, TableFacts] | None = None,
    now: Mapping[str, TableFacts] | None = None,
) -> list[Observation]:
    earlier, later = ({("public", name): facts for name, facts in (given or {}).items()} for given in (before, now))
    return list(find_drift(document, earlier, tables, later, published_on=APPROVED, today=TODAY))


def column_drift(
    data_type: str,
    before: ColumnFacts,
    now: ColumnFacts,
    *,
    name: str = "x",
    design: Unit | None = None,
    rows: int = 5_000,
) -> list[Observation]:
    """Of a table of one column, as many rows as before."""
    only = table(f"{name} {data_type}")
    facts = [{"people": TableFacts(rows=rows, columns={name: each})} for each in (before, now)]
    return drift(published(only, design=design), only, before=facts[0], now=facts[1])


def told(observed: Sequence[Observation]) -> list[tuple[str, str, str, str, int | None]]:
    assert {each.kind for each in observed} <= {DRIFT}
    return [(each.code, each.severity, each.table, each.column, each.count) for each in observed]


def numbers(start: float, end: float, *, distinct: int = 100, null_share: float = 0.0) -> ColumnFacts:
    """Spread evenly."""
    quantiles = {share: str(start + share * (end - start)) for share in QUANTILES}
    return ColumnFacts(SAMPLE, null_share, distinct, str(start), str(end), quantiles)


def classes(*, null_share: float = 0.0, distinct: int | None = None, **shares: float) -> ColumnFacts:
    common = tuple(CommonValue(value, share) for value, share in shares.items())
    return ColumnFacts(SAMPLE, null_share, len(common) if distinct is None else distinct, common=common)


def months(*filled: str, counted: bool = True) -> ColumnFacts:
    return ColumnFacts(SAMPLE, 0.0, months=dict.fromkeys(filled, 40), counted=counted)


def newest(day: date) -> ColumnFacts:
    return ColumnFacts(SAMPLE, 0.0, minimum="2020-01-01", maximum=f"{day} 10:00:00")


# ── structure ────────────────────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_told_of_a_database_that_is_as_it_was() -> None:
    people = table("id integer, region text, weight real, born date", primary_key=("id",))
    facts = {
        "people": TableFacts(
            rows=5_000,
            columns={
                "id": numbers(1, 5_000, distinct=5_000),
                "region": classes(N=0.5, S=0.5),
                "weight": numbers(1, 3),
                "born": months("1950-01", "1990-12"),
            },
        )
    }

    assert drift(published(people, design=UNIT), people, before=facts, now=facts) == []


@pytest.mark.parametrize(
    ("name", "design", "severity"),
    [
        ("people", UNIT, ALARM),
        ("events", UNIT, ALARM),
        ("weights", UNIT, ALARM),
        ("products", UNIT, WARNING),
        ("people", None, WARNING),
    ],
)
def test_a_table_that_is_gone_is_told(name: str, design: Unit | None, severity: str) -> None:
    observed = drift(published(table("id integer", name), design=design))

    assert told(observed) == [("table_dropped", severity, f"public.{name}", "", None)]


def test_a_table_of_that_name_in_another_schema_is_not_the_one() -> None:
    people = table("id integer")

    observed = drift(published(people), replace(people, schema="old"))

    assert told(observed) == [
        ("table_dropped", WARNING, "public.people", "", None),
        ("new_table", NOTE, "old.people", "", None),
    ]


def test_a_new_table_is_a_note() -> None:
    people = table("id integer")

    observed = drift(published(people), people, table("id integer", "orders"))

    assert told(observed) == [("new_table", NOTE, "public.orders", "", None)]


@pytest.mark.parametrize(
    ("dropped", "design", "severity"),
    [
        ("people.id", UNIT, ALARM),
        ("people.weight", UNIT, ALARM),
        ("people.region", UNIT, ALARM),
        ("events.person_id", UNIT, ALARM),
        ("events.day", UNIT, ALARM),
        ("weights.person_id", UNIT, ALARM),
        ("weights.month", UNIT, ALARM),
        ("weights.weight", UNIT, ALARM),
        ("people.age", UNIT, WARNING),
        ("people.weight", None, WARNING),
        ("events.weight", UNIT, WARNING),
    ],
)
def test_a_column_that_is_gone_is_told(dropped: str, design: Unit | None, severity: str) -> None:
    name, column = dropped.split(".")

    observed = drift(published(table(f"{column} integer, other text", name), design=design), table("other text", name))

    assert told(observed) == [("column_dropped", severity, f"public.{name}", column, None)]


@pytest.mark.parametrize(("column", "severity"), [("age", NOTE), ("weight", ALARM)])
def test_a_hidden_column_that_is_gone_matters_to_the_design_alone(column: str, severity: str) -> None:
    document = published(table(f"{column} integer, other text"), design=UNIT, hidden=column)

    observed = drift(document, table("other text"))

    assert told(observed) == [("column_dropped", severity, "public.people", column, None)]


@pytest.mark.parametrize(
    ("column", "hidden", "severity"),
    [("weight", "", ALARM), ("weight", "weight", ALARM), ("age", "", WARNING), ("age", "age", NOTE)],
)
def test_a_column_of_another_type_is_told(column: str, hidden: str, severity: str) -> None:
    document = published(table(f"{column} integer"), design=UNIT, hidden=hidden)

    observed = drift(document, table(f"{column} text"))

    assert told(observed) == [("column_retyped", severity, "public.people", column, None)]


@pytest.mark.parametrize(
    ("earlier", "later", "retyped"),
    [
        ("character varying(20)", "character varying(40)", False),
        ("timestamp(3) without time zone", "timestamp without time zone", False),
        ("integer[]", "integer[]", False),
        ("timestamp without time zone", "timestamp with time zone", True),
        ("integer", "integer[]", True),
        ("date", "text", True),
    ],
)
def test_a_type_with_another_length_is_the_same(earlier: str, later: str, retyped: bool) -> None:
    observed = drift(published(table(f"x {earlier}")), table(f"x {later}"))

    assert [each.code for each in observed] == ["column_retyped"] * retyped


def test_new_columns_are_told_together() -> None:
    observed = drift(published(table("id integer")), table("id integer, age integer, sex text"))

    assert told(observed) == [("new_columns", NOTE, "public.people", "", 2)]


def test_many_new_columns_are_named_in_part() -> None:
    (observed,) = drift(published(table("a text")), table("a text, b text, c text, d text, e text, f text, g text"))

    assert "b, c, d, e, f and 1 more" in observed.message


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("key", "design", "severity", "column"),
    [
        (("id",), UNIT, ALARM, "id"),
        (("id",), replace(UNIT, shares_table=True), WARNING, "id"),
        (("id",), None, WARNING, "id"),
        (("email",), UNIT, WARNING, "email"),
        (("id", "email"), replace(UNIT, key=("email", "id")), ALARM, ""),
        (("id", "email"), UNIT, WARNING, ""),
    ],
)
def test_a_key_that_is_gone_is_told(key: tuple[str, ...], design: Unit | None, severity: str, column: str) -> None:
    people = table("id integer, email text")

    observed = drift(published(replace(people, primary_key=key), design=design), people)

    assert told(observed) == [("key_lost", severity, "public.people", column, None)]


def test_a_lost_key_of_weights_by_period_is_an_alarm() -> None:
    weights = table("month date, person_id integer, weight real", "weights", unique_keys=(("month", "person_id"),))

    observed = drift(published(weights, design=UNIT), replace(weights, unique_keys=()))

    assert told(observed) == [("key_lost", ALARM, "public.weights", "", None)]


def test_lost_keys_of_several_columns_are_one_observation_as_grave_as_the_gravest() -> None:
    people = table("a text, b text, c text")
    keyed = replace(people, primary_key=("a", "b"), unique_keys=(("b", "c"),))

    observed = drift(published(keyed, design=replace(UNIT, key=("b", "c"))), people)

    assert told([each for each in observed if each.code == "key_lost"]) == [
        ("key_lost", ALARM, "public.people", "", None)
    ]
    assert "(a, b) or (b, c)" in observed[-1].message


@pytest.mark.parametrize(
    ("primary_key", "unique_keys"),
    [
        (("a", "b"), ()),
        (("b", "a"), ()),
        ((), (("a", "b"),)),
        (("a",), ()),
        (("c",), (("b",),)),
    ],
)
def test_a_key_that_another_one_keeps_unique_is_not_lost(
    primary_key: tuple[str, ...], unique_keys: tuple[tuple[str, ...], ...]
) -> None:
    people = table("a text, b text, c text")

    observed = drift(
        published(replace(people, primary_key=("a", "b"))),
        replace(people, primary_key=primary_key, unique_keys=unique_keys),
    )

    assert observed == []


# ── volume ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (10_000, 4_999, ("rows_fell", WARNING, 4_999)),
        (10_000, 5_000, None),
        (10_000, 30_001, ("rows_grew", NOTE, 30_001)),
        (10_000, 30_000, None),
        (90, 1, None),  # of so few rows a hundred more or less is no news
        (20, 119, None),
        (20, 120, ("rows_grew", NOTE, 120)),
        (0, 5_000, ("rows_grew", NOTE, 5_000)),
        (0, 0, None),
        (10, 0, ("rows_fell", WARNING, 0)),
        (None, 5_000, None),
        (5_000, None, None),
    ],
)
def test_rows_that_fell_or_grew_are_told(
    before: int | None, now: int | None, expected: tuple[str, str, int] | None
) -> None:
    people = table("id integer")

    observed = drift(
        published(people), people, before={"people": TableFacts(rows=before)}, now={"people": TableFacts(rows=now)}
    )

    assert [(each.code, each.severity, each.count) for each in observed] == ([expected] if expected else [])


@pytest.mark.parametrize(("rows", "severity"), [(0, ALARM), (1_000, WARNING)])
def test_an_empty_table_of_the_design_is_an_alarm(rows: int, severity: str) -> None:
    people = table("id integer")
    before, now = ({"people": TableFacts(rows=number)} for number in (10_000, rows))

    observed = drift(published(people, design=UNIT), people, before=before, now=now)

    assert told(observed) == [("rows_fell", severity, "public.people", "", rows)]


@pytest.mark.parametrize("error", ["timeout", "budget", "42501"])
@pytest.mark.parametrize("unread", ["before", "now"])
def test_facts_of_a_table_that_was_not_read_count_for_nothing(error: str, unread: str) -> None:
    people = table("x text, day date")
    facts = {
        "before": TableFacts(rows=9_000, columns={"x": classes(a=1.0), "day": newest(APPROVED)}),
        "now": TableFacts(rows=1, columns={"x": ColumnFacts(null_share=1.0), "day": newest(APPROVED)}),
    }
    facts[unread] = replace(facts[unread], error=error)

    observed = drift(published(people), people, before={"people": facts["before"]}, now={"people": facts["now"]})

    assert observed == []


@pytest.mark.parametrize("missing", ["before", "now"])
def test_a_table_without_facts_counts_for_nothing(missing: str) -> None:
    people = table("x text, day date")
    known = {"people": TableFacts(rows=9_000, columns={"x": classes(a=1.0), "day": newest(APPROVED)})}

    observed = drift(published(people), people, **{"before": known, "now": known, missing: {}})

    assert observed == []


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("before", "now", "rose"),
    [(0.0, 0.2, True), (0.1, 0.35, True), (0.1, 0.25, False), (0.9, 0.1, False), (None, 0.9, False)],
)
def test_nulls_that_rose_are_told(before: float | None, now: float, rose: bool) -> None:
    observed = column_drift("uuid", ColumnFacts(null_share=before), ColumnFacts(null_share=now))

    assert told(observed) == [("nulls_rose", WARNING, "public.people", "x", None)] * rose


@pytest.mark.parametrize(("now", "rose"), [(0.03, True), (0.015, False)])
def test_few_rows_without_a_weight_are_an_alarm(now: float, rose: bool) -> None:
    observed = column_drift(
        "real", ColumnFacts(null_share=0.0), ColumnFacts(null_share=now), name="weight", design=UNIT
    )

    assert told(observed) == [("nulls_rose", ALARM, "public.people", "weight", None)] * rose


@pytest.mark.parametrize("data_type", ["integer", "numeric(10,2)", "double precision"])
def test_numbers_that_lie_elsewhere_are_told(data_type: str) -> None:
    observed = column_drift(data_type, numbers(0, 100), numbers(100, 200))

    assert told(observed) == [("distribution_shifted", WARNING, "public.people", "x", None)]


@pytest.mark.parametrize(
    ("data_type", "before", "now"),
    [
        ("integer", numbers(0, 100), numbers(40, 140)),
        ("integer", numbers(0, 100), ColumnFacts(SAMPLE, 0.0)),
        ("text", numbers(0, 100), numbers(100, 200)),
    ],
    ids=["within nine tenths", "of no known value", "of texts"],
)
def test_numbers_that_moved_a_little_are_no_shift(data_type: str, before: ColumnFacts, now: ColumnFacts) -> None:
    assert column_drift(data_type, before, now) == []


@pytest.mark.parametrize(
    ("name", "distinct", "key", "refers"),
    [
        ("x", 50, "primary", False),
        ("x", 50, "unique", False),
        ("x", 50, "", True),
        ("x", 4_600, "", False),
        ("session_id", 50, "", False),
    ],
    ids=["primary key", "unique key", "foreign key", "nearly unique", "named so"],
)
def test_identifiers_that_grow_are_no_shift(name: str, distinct: int, key: str, refers: bool) -> None:
    only = table(
        f"{name} integer",
        primary_key=(name,) if key == "primary" else (),
        unique_keys=((name,),) if key == "unique" else (),
    )
    foreign = [{"columns": [name], "ref_schema": "public", "ref_table": "t", "ref_columns": ["id"]}] if refers else []
    before, now = (
        {"people": TableFacts(rows=5_000, columns={name: numbers(start, start + 5_000, distinct=distinct)})}
        for start in (0, 9_000)
    )

    observed = drift(published(only, foreign=foreign), only, before=before, now=now)

    assert observed == []


@pytest.mark.parametrize(("end", "changed"), [(2.4, True), (1.6, True), (2.1, False)])
def test_a_mean_weight_that_changed_is_an_alarm(end: float, changed: bool) -> None:
    observed = column_drift("real", numbers(0, 2), numbers(0, end), name="weight", design=UNIT)

    assert told(observed) == [("weight_changed", ALARM, "public.people", "weight", None)] * changed


def test_weights_by_period_are_weights() -> None:
    weights = table("weight real", "weights")
    before, now = ({"weights": TableFacts(rows=5_000, columns={"weight": numbers(0, end)})} for end in (2, 3))

    observed = drift(published(weights, design=UNIT), weights, before=before, now=now)

    assert told(observed) == [("weight_changed", ALARM, "public.weights", "weight", None)]


def test_a_column_named_weight_is_none_without_a_design() -> None:
    assert column_drift("real", numbers(0, 2), numbers(0, 3), name="weight") == []


@pytest.mark.parametrize("data_type", ["text", "character varying(9)", "boolean", "public.mood"])
def test_new_classes_are_told(data_type: str) -> None:
    observed = column_drift(data_type, classes(a=0.6, b=0.4), classes(a=0.5, b=0.3, c=0.1, d=0.1))

    assert told(observed) == [("classes_appeared", NOTE, "public.people", "x", 2)]


@pytest.mark.parametrize("data_type", ["text", "character varying(9)", "boolean", "public.mood"])
def test_classes_that_are_gone_are_told(data_type: str) -> None:
    observed = column_drift(data_type, classes(a=0.5, b=0.3, c=0.2), classes(a=1.0))

    assert told(observed) == [("classes_vanished", NOTE, "public.people", "x", 2)]


@pytest.mark.parametrize(
    ("data_type", "before", "now"),
    [
        ("text", classes(a=0.6, b=0.4), classes(a=0.6, b=0.395, c=0.005)),
        ("text", classes(a=0.6, b=0.395, c=0.005), classes(a=0.6, b=0.4)),
        ("text", classes(a=0.2, b=0.1, distinct=900), classes(c=0.2, d=0.1, distinct=900)),
        ("text", classes(a=0.5, b=0.5, distinct=61), classes(c=1.0)),
        ("text", classes(a=0.5, b=0.5), ColumnFacts(SAMPLE, 0.0, 2)),
        ("integer", classes(a=0.6, b=0.4), classes(c=1.0)),
    ],
    ids=["rare now", "rare before", "free texts", "too many", "withheld now", "numbers"],
)
def test_what_may_be_chance_is_no_class(data_type: str, before: ColumnFacts, now: ColumnFacts) -> None:
    assert column_drift(data_type, before, now) == []


def test_nothing_is_compared_of_columns_of_an_empty_table() -> None:
    people = table("x text")
    before, now = (
        {"people": TableFacts(rows=rows, columns={"x": facts})}
        for rows, facts in ((20, classes(a=1.0)), (0, ColumnFacts(null_share=1.0)))
    )

    observed = drift(published(people), people, before=before, now=now)

    assert [each.code for each in observed] == ["rows_fell"]


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("data_type", ["date", "timestamp(3) with time zone"])
def test_lost_months_are_told(data_type: str) -> None:
    observed = column_drift(
        data_type, months("2025-12", "2026-01", "2026-02", "2026-03"), months("2026-01", "2026-03"), name="day"
    )

    assert told(observed) == [("months_lost", WARNING, "public.people", "day", 2)]


def test_lost_months_are_named_in_part() -> None:
    (observed,) = column_drift("date", months(*(f"2025-{month:02}" for month in range(1, 13))), months("2025-12"))

    assert "2025-01, 2025-02, 2025-03, 2025-04, 2025-05 and 6 more" in observed.message


@pytest.mark.parametrize("left", [("2026-01",), ()])
def test_dates_that_went_back_are_told(left: tuple[str, ...]) -> None:
    observed = column_drift("date", months("2026-01", "2026-02"), months(*left), name="day")

    assert told(observed) == [("dates_went_back", WARNING, "public.people", "day", 2 - len(left))]


def test_dates_that_all_went_on_did_not_go_back() -> None:
    observed = column_drift("date", months("2026-01", "2026-02"), months("2026-03"))

    assert [each.code for each in observed] == ["months_lost"]


@pytest.mark.parametrize(
    ("data_type", "before", "now"),
    [
        ("date", months("2026-01"), months("2026-01", "2026-02")),
        ("date", months("2026-01", counted=False), months("2026-02")),
        ("date", months("2026-01"), months("2026-02", counted=False)),
        ("text", months("2026-01"), months("2026-02")),
        ("date", replace(months("2026-01"), months={"2026-01": 3, "2025-12": 0}), months("2026-01")),
    ],
    ids=["none lost", "not counted before", "not counted now", "no dates", "had no rows"],
)
def test_months_that_were_not_counted_are_not_lost(data_type: str, before: ColumnFacts, now: ColumnFacts) -> None:
    assert column_drift(data_type, before, now) == []


def test_a_table_that_is_not_fresh_any_more_is_told() -> None:
    observed = column_drift("date", newest(APPROVED), newest(TODAY - timedelta(days=15)), name="day")

    assert told(observed) == [("not_fresh", WARNING, "public.people", "day", None)]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (APPROVED, TODAY - timedelta(days=14)),
        (APPROVED - timedelta(days=8), APPROVED),
        (APPROVED + timedelta(days=30), APPROVED + timedelta(days=30)),
        (APPROVED, TODAY + timedelta(days=1)),
    ],
    ids=["a fortnight old", "old when approved", "in the future when approved", "in the future now"],
)
def test_a_table_that_was_never_fresh_or_still_is_tells_nothing(before: date, now: date) -> None:
    assert column_drift("date", newest(before), newest(now)) == []


def test_a_second_date_that_was_not_fresh_hides_nothing() -> None:
    people = table("day date, planned date")
    before = TableFacts(rows=90, columns={"day": newest(APPROVED), "planned": newest(APPROVED + timedelta(days=60))})
    now = TableFacts(rows=90, columns={"day": newest(APPROVED), "planned": newest(APPROVED + timedelta(days=60))})

    observed = drift(published(people), people, before={"people": before}, now={"people": now})

    assert told(observed) == [("not_fresh", WARNING, "public.people", "day", None)]


def test_a_second_date_that_is_recent_makes_a_table_fresh() -> None:
    people = table("day date, loaded date")
    before = TableFacts(rows=90, columns={"day": newest(APPROVED), "loaded": newest(APPROVED)})
    now = TableFacts(rows=90, columns={"day": newest(APPROVED), "loaded": newest(TODAY)})

    observed = drift(published(people), people, before={"people": before}, now={"people": now})

    assert observed == []


@pytest.mark.parametrize("maximum", [None, "0044-03-15 BC", "10000-01-01", CANARY])
def test_a_newest_date_that_cannot_be_read_tells_nothing(maximum: str | None) -> None:
    facts = ColumnFacts(SAMPLE, 0.0, maximum=maximum)

    assert column_drift("date", facts, facts) == []


# ── what is never told ───────────────────────────────────────────────────────────────────────────────────────
def test_no_message_quotes_a_value() -> None:
    people = table(
        "id integer, weight real, income integer, sex text, tag text, old text, day date, seen date, gone text",
        primary_key=("id",),
    )
    now_there = replace(
        people,
        primary_key=(),
        columns=(
            *(replace(each, data_type="xml") if each.name == "old" else each for each in people.columns[:-1]),
            FoundColumn(10, "added", "text", True, ""),
        ),
    )
    events = table("day date, person_id integer", "events")
    marked = ColumnFacts(
        SAMPLE, 0.0, 1, CANARY, CANARY, {0.05: CANARY}, (CommonValue(CANARY, 1.0),), None, (CommonValue(CANARY, 1.0),)
    )
    before = {
        "people": TableFacts(
            rows=9_000,
            columns={
                "id": replace(marked, null_share=0.0),
                "weight": replace(numbers(7319, 7320), common=marked.common),
                "income": replace(numbers(7319, 7320), common=marked.common),
                "sex": marked,
                "tag": marked,
                "old": marked,
                "day": months("2026-01", "2026-02", "2026-03"),
                "seen": months("2026-01", "2026-02"),
            },
        ),
        "events": TableFacts(rows=9_000, columns={"day": newest(APPROVED)}),
    }
    now = {
        "people": TableFacts(
            rows=90,
            columns={
                "id": ColumnFacts(SAMPLE, 1.0, common=marked.common),
                "weight": numbers(73190, 73200),
                "income": numbers(73190, 73200),
                "sex": replace(marked, common=(CommonValue(f"{CANARY}b", 1.0),)),
                "tag": replace(marked, common=(CommonValue(f"{CANARY}c", 1.0),)),
                "old": marked,
                "day": months("2026-01", "2026-03"),
                "seen": months("2026-01"),
            },
        ),
        "events": TableFacts(rows=90_000, columns={"day": newest(APPROVED)}),
    }
    document = published(people, events, table("id integer", "lost"), design=UNIT)

    observed = drift(document, now_there, events, table("id integer", "new"), before=before, now=now)

    assert {each.code for each in observed} == {
        "table_dropped", "column_dropped", "column_retyped", "new_table", "new_columns", "key_lost", "rows_fell",
        "rows_grew", "nulls_rose", "distribution_shifted", "weight_changed", "classes_appeared", "classes_vanished",
        "months_lost", "dates_went_back", "not_fresh",
    }  # fmt: skip
    assert [each for each in observed if CANARY in each.message or "7319" in each.message] == []


def test_of_one_code_table_and_column_there_is_one() -> None:
    people = table("a text, b text, c text", primary_key=("a", "b"), unique_keys=(("b", "c"), ("c", "b"), ("c",)))
    bare = replace(people, primary_key=(), unique_keys=())

    observed = drift(published(people), bare)

    keys = [(each.code, each.table, each.column) for each in observed]
    assert sorted(keys) == sorted(set(keys))
