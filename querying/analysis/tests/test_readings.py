"""Questions over the columns of a dataset: what is found, and what is said of what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from config.errors import InvalidRequest
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.conditions import Condition
from datasets.design import PeriodWeights, SurveyDesign, Unit
from datasets.policies import Mask
from datasets.sealing import SealedText
from querying.analysis.fields import fields_of
from querying.analysis.periods import Days, Timing, resolve_timing
from querying.analysis.question import parse_question
from querying.analysis.reading import Asked, read_question

Json = dict[str, Any]  # Any: JSON
PERSONS = TableSpec(
    "public",
    "persons",
    "table",
    (
        ColumnSpec("id", "integer"),
        ColumnSpec("gender", "text", classes=(("Other", ("x", "y")),)),
        ColumnSpec("age", "smallint"),
        ColumnSpec("platform", "text"),
        ColumnSpec("smoker", "boolean"),
        ColumnSpec("born", "date"),
        ColumnSpec("tags", "text[]"),
        ColumnSpec("email", "text", visible=False),
        ColumnSpec("income", "numeric(10,2)", mask=Mask(kind="null")),
        ColumnSpec("weight", "double precision"),
    ),
    primary_key=("id",),
)
USES = TableSpec(
    "public",
    "uses",
    "table",
    (
        ColumnSpec("use_id", "bigint"),
        ColumnSpec("person_id", "integer"),
        ColumnSpec("at", "timestamp with time zone"),
        ColumnSpec("app", "text"),
        ColumnSpec("category", "text"),
        ColumnSpec("platform", "text"),
        ColumnSpec("minutes", "double precision"),
    ),
    primary_key=("use_id",),
)
BUYS = TableSpec(
    "public",
    "buys",
    "table",
    (ColumnSpec("person_id", "integer"), ColumnSpec("category", "text"), ColumnSpec("price", "numeric(8,2)")),
)
SHOPS = TableSpec(
    "public", "shops", "table", tuple(map(ColumnSpec, ("shop_id", "town", "tier"), ("integer", "text", "text")))
)
UNIT = Unit(
    ("public", "persons"),
    ("id",),
    "weight",
    attributes=frozenset({"gender", "platform", "age", "category", "tier"}),
    carried_by={("public", "uses"): ("person_id",), ("public", "buys"): ("person_id",)},
)
DATASET = DatasetSpec(
    dataset_id=1,
    entry_id=1,
    version=1,
    connection_id="1",
    sealed_dsn=SealedText(""),
    name="shop",
    title="",
    description="",
    dataset_type="mixed",
    data_category="mixed",
    tables=(PERSONS, USES, BUYS, SHOPS),
    date_column="at",
    survey_design=SurveyDesign((UNIT,)),
)
PERSONAS = {
    "Buyers of books": (Condition("buys.category", "=", ("Books",)),),
    "Old": (Condition("age", "between", (60, 99)),),
    "Far away": (Condition("shops.tier", "=", ("x",)),),
    "Mixed up": (Condition("buys.category", "=", ("Books",)), Condition("uses.category", "=", ("x",))),
}
DATA = Days(date(2026, 1, 3), date(2026, 4, 10))


def read(said: Json, dataset: DatasetSpec = DATASET) -> Asked:
    question = parse_question({"dataset": "shop", "metrics": ["people"], **said})
    return read_question(question, fields_of(replace(dataset, personas=PERSONAS)))


def timing(said: Json, data: Days = DATA) -> Timing:
    return resolve_timing(read(said), data)


def test_a_name_of_several_tables_is_the_persons_where_it_is_an_attribute() -> None:
    asked = read({"by": ["platform"], "where": [{"column": "uses.platform", "value": "iOS"}]})

    (group,), (term,) = asked.groups, asked.where
    assert group.field is not None
    assert (group.field.spelling, group.of_person) == ("persons.platform", True)
    assert term.of_person is False


def test_only_persons_are_read_where_nothing_is_said_of_events() -> None:
    assert read({"by": ["gender"], "metrics": ["people", {"kind": "mean", "column": "age"}]}).event is None


@pytest.mark.parametrize(
    "said",
    [
        {"by": ["app"]},
        {"where": [{"column": "app", "value": "x"}]},
        {"metrics": [{"kind": "sum", "column": "minutes"}]},
        {"metrics": [{"kind": "people", "column": "uses"}]},
        {"metrics": [{"kind": "events", "column": "minutes"}]},
        {"metrics": [{"kind": "penetration", "column": "public.uses"}], "by": ["gender"]},
        {"metrics": [{"kind": "events", "column": "uses"}], "by": ["month"]},
        {"compare": {"segment": [{"column": "app", "value": "x"}]}},
    ],
)
def test_what_speaks_of_events_reads_their_table(said: Json) -> None:
    event = read(said).event

    assert event is not None
    assert (event.spec.name, event.key, event.date_column) == ("uses", ("person_id",), "at")


def test_a_table_of_one_row_for_each_person_and_date_has_no_events() -> None:
    states = TableSpec(
        "public", "states", "table", (ColumnSpec("person_id", "integer"), ColumnSpec("day", "date")),
        primary_key=("person_id", "day"),
    )  # fmt: skip
    unit = replace(UNIT, carried_by={("public", "uses"): ("person_id",), ("public", "states"): ("person_id",)})
    dataset = replace(DATASET, tables=(PERSONS, USES, states), survey_design=SurveyDesign((unit,)))

    asked = read({"metrics": ["events"]}, dataset)

    assert asked.event is not None
    assert asked.event.spec.name == "uses"
    assert read({"metrics": [{"kind": "events", "column": "states"}]}, dataset).event is not None


def test_a_table_of_weights_by_period_is_not_asked_about() -> None:
    weights = TableSpec("public", "weights", "table", (ColumnSpec("person_id", "integer"), ColumnSpec("month", "date")))
    period = PeriodWeights(("public", "weights"), ("person_id",), "month", "weight", dates={("public", "uses"): "at"})
    unit = replace(UNIT, period_weights=period, carried_by={**UNIT.carried_by, ("public", "weights"): ("person_id",)})
    dataset = replace(DATASET, tables=(*DATASET.tables, weights), survey_design=SurveyDesign((unit,)))

    with pytest.raises(InvalidRequest, match="does not tell whose"):
        read({"by": ["month(weights.month)"]}, dataset)


def test_a_persona_of_events_is_of_persons() -> None:
    asked = read({"where": "buyers of books", "by": ["Old"]})

    assert asked.event is None
    assert asked.groups[0].of_person
    assert asked.where[0].of_person


BAD: list[tuple[Json, str, str]] = [
    ({"by": ["gendre"]}, "`by[0]` 'gendre' is no column of shop", "Nearest: gender"),
    ({"by": ["email"]}, "'email' is no column of shop", "Columns: id, gender, age"),
    ({"by": ["income"]}, "'income' is no column of shop", "Columns: id, gender, age"),
    ({"by": ["weight"]}, "'weight' is a column of the survey design", "execute_query"),
    ({"by": ["town"]}, "stands in shops, which does not tell whose", "execute_query"),
    ({"by": ["category"]}, "`by[0]` 'category' stands in several tables", "uses.category, buys.category"),
    ({"by": ["id"]}, "`by[0]` 'id' tells single persons apart", "in common"),
    ({"by": ["uses.person_id"]}, "tells single persons apart", "in common"),
    ({"by": ["tags"]}, "is of type text[]", "Group by text"),
    ({"by": ["month(app)"]}, "'app' is no date", "cuts a column of dates"),
    ({"by": ["gender", "gender"]}, "are named 'gender'", "Leave one out"),
    ({"by": ["app", "price"]}, "two tables of events: public.buys, public.uses", "second"),
    ({"metrics": ["events"]}, "several tables of events", "uses, buys"),
    ({"metrics": [{"kind": "events", "column": "persons"}]}, "'persons' is of persons", "uses, buys"),
    ({"metrics": [{"kind": "people", "column": "persons"}], "by": ["app"]}, "is about uses", "a call of its own"),
    ({"metrics": [{"kind": "penetration", "column": "age"}]}, "is of persons", "Tables of events"),
    ({"metrics": [{"kind": "mean", "column": "gender"}]}, "'gender' is of type text", "share"),
    ({"metrics": [{"kind": "sum", "column": "smoker"}]}, "'smoker' is of type boolean", "share"),
    ({"metrics": [{"kind": "median", "column": "born"}]}, "'born' is of type date", "group by it"),
    ({"metrics": [{"kind": "per_person", "column": "age"}]}, "is one of the person", "mean"),
    ({"metrics": [{"kind": "ratio", "column": "minutes", "per": "age"}]}, "columns of two tables", "one table"),
    ({"metrics": [{"kind": "share", "column": "app", "value": "x"}]}, "share is of people", "penetration"),
    ({"metrics": [{"kind": "share", "column": "gender"}]}, "`metrics[0].value` is missing", '"value"'),
    ({"metrics": [{"kind": "share", "column": "gender", "value": 1}]}, "'1' does not fit 'gender'", 'as in "Female"'),
    ({"where": [{"column": "age", "value": "30"}]}, "`where[0].value` '30' does not fit 'age'", "as in 25"),
    ({"where": [{"column": "age", "value": True}]}, "'True' does not fit 'age'", "as in 25"),
    ({"where": [{"column": "age", "op": "like", "value": "3%"}]}, "like does not fit 'age'", "between"),
    ({"where": [{"column": "smoker", "op": "like", "value": "t%"}]}, "like does not fit 'smoker'", "is_null"),
    ({"where": [{"column": "gender", "value": "x"}]}, "gender shows x as part of Other", "Write Other"),
    ({"where": [{"column": "born", "value": "2026-W05"}]}, "'2026-W05' does not fit 'born'", "2026-01-31"),
    ({"metrics": [{"kind": "share", "column": "gender", "value": ["y"]}]}, "shows y as part of Other", "Write Other"),
    ({"where": [{"column": "smoker", "value": "yes"}]}, "'yes' does not fit 'smoker'", "true or false"),
    ({"where": [{"column": "at", "value": "soon"}]}, "'soon' does not fit 'at'", "2026-01-31"),
    ({"where": [{"column": "tags", "value": "x"}]}, "= does not fit 'tags'", "is_null"),
    ({"where": "Buyer of books"}, "`where[0]` 'Buyer of books' is no persona of shop", "nearest is Buyers of books"),
    ({"where": "Far away"}, "speaks of shops, which does not tell whose", "conditions themselves"),
    ({"where": "Mixed up"}, "two tables of events", "second"),
    ({"where": "Old", "compare": {"segment": "Old"}}, "`compare.segment` is the same as `where`", "[] for everybody"),
    ({"by": ["day"], "metrics": [{"kind": "events", "column": "buys"}]}, "tells the date is not clear", "month("),
]  # fmt: skip


@pytest.mark.parametrize(("said", "message", "hint"), BAD)
def test_what_does_not_fit_the_dataset_says_what_does(said: Json, message: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(said)

    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (replace(DATASET, survey_design=None), "no confirmed survey design"),
        (replace(DATASET, survey_design=SurveyDesign((replace(UNIT, level="household"),))), "has no persons"),
        (replace(DATASET, tables=(USES,)), "The table of persons of shop is not open to you"),
    ],
)
def test_without_persons_there_is_a_way_out(dataset: DatasetSpec, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        read({}, dataset)

    assert "execute_query" in refused.value.hint


# ── periods ──────────────────────────────────────────────────────────────────────────────────────────────────
APPS: Json = {"by": ["app"]}
ONE_MONTH = Days(date(2026, 3, 1), date(2026, 3, 31))


def test_the_period_follows_the_data_by_month() -> None:
    found = timing(APPS)

    assert (found.days, found.by_month) == (Days(date(2026, 1, 3), date(2026, 3, 31)), True)
    assert found.partial == ("2026-01 (from 2026-01-03)",)


@pytest.mark.parametrize("said", [{"sort": "people"}, {"limit": 3}, {"compare": "columns"}])
def test_one_number_a_group_is_that_of_the_last_full_month(said: Json) -> None:
    found = timing({**APPS, **said})

    assert (found.days, found.by_month, found.partial) == (ONE_MONTH, False, ())


def test_weeks_that_the_period_cuts_are_partial() -> None:
    found = timing({"by": ["week(at)"], "period": {"from": "2026-03-04", "to": "2026-03-17"}})

    assert found.partial == ("week of 2026-03-02 (from 2026-03-04)", "week of 2026-03-16 (to 2026-03-17)")


def test_a_period_that_reaches_beyond_the_data_says_so() -> None:
    found = timing({**APPS, "compare": "previous_period", "period": {"from": "2026-01-01", "to": "2026-01-31"}})

    assert found.previous == Days(date(2025, 12, 1), date(2025, 12, 31))
    assert "2025-12-01 to 2025-12-31 (data: 2026-01-03 to 2026-04-10)" in found.partial


def test_days_in_conditions_are_a_period_already() -> None:
    where = [{"column": "at", "op": "between", "value": ["2026-02-01", "2026-02-10"]}]

    found = timing({**APPS, "where": where})

    assert (found.days, found.by_month) == (Days(date(2026, 2, 1), date(2026, 2, 10)), False)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"metrics": [{"kind": "events", "column": "buys"}], "period": "last_month"}, "has no date column"),
        ({"metrics": [{"kind": "events", "column": "buys"}], "compare": "previous_period"}, "has no date column"),
        ({**APPS, "period": "all", "compare": "previous_period"}, "`period` is open"),
        ({**APPS, "period": {"from": "2026-01-01"}, "compare": "previous_period"}, "`period` is open"),
    ],
)
def test_a_period_that_cannot_be_is_refused(said: Json, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        timing(said)
