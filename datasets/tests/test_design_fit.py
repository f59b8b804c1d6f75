"""A survey design against tables: what its names mean, and what they cannot mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.errors import DesignInvalid
from datasets.catalog import ColumnSpec, DatasetSpec, ForeignKey, TableSpec
from datasets.design import SurveyDesign
from datasets.design_fit import fit_text, parse_design
from datasets.design_published import build_published_design, parse_published_design
from datasets.sealing import SealedText


def table(name: str, columns: dict[str, str], *, schema: str = "public", refers: str = "") -> TableSpec:
    """`refers` are columns that refer to people.id."""
    keys = tuple(ForeignKey((column,), "public", "people", ("id",)) for column in refers.split())
    specs = tuple(ColumnSpec(column, kind, visible=column != "weight") for column, kind in columns.items())
    return TableSpec(schema, name, "table", specs, foreign_keys=keys)


PEOPLE = table("people", {"id": "integer", "home": "integer", "gender": "text", "weight": "numeric(10,4)"})
EVENTS = table("events", {"person": "bigint", "day": "date", "minutes": "double precision"}, refers="person")
WEIGHTS = table("weights", {"person": "integer", "month": "date", "weight": "real"}, refers="person")
CALLS = table("calls", {"person": "integer", "begun": "timestamp(3) with time zone", "ended": "date", "who": "text"})
TABLES = (PEOPLE, EVENTS, WEIGHTS, CALLS)
UNIT = """\
units:
  - table: people
    key: [id]
    weight: weight
    strata: null
    attributes: [gender]
    carried_by: {calls: person}
    period_weights: null
"""
MONTHLY = UNIT.replace(
    "period_weights: null",
    "period_weights: {table: weights, key: person, period: month, weight: weight, dates: {calls: ended}}",
)
HOME = """\
  - table: people
    key: home
    weight: weight
    level: household
"""


def faults_of(text: str, tables: tuple[TableSpec, ...] = TABLES) -> list[str]:
    with pytest.raises(DesignInvalid) as caught:
        parse_design(text, tables)
    return [f"line {fault['line']}: {fault['text']}" for fault in caught.value.context["faults"]]


def warnings_of(text: str, tables: tuple[TableSpec, ...] = TABLES) -> list[str]:
    return [str(warning) for warning in fit_text(text, tables).warnings]


def test_names_are_looked_up_and_foreign_keys_carry_the_unit() -> None:
    (unit,) = parse_design(UNIT, TABLES).units

    assert unit.table == ("public", "people")
    assert unit.carried_by == {
        ("public", "calls"): ("person",),
        ("public", "events"): ("person",),
        ("public", "weights"): ("person",),
    }
    assert unit.attributes == {"gender"}


def test_a_table_of_weights_by_period_is_no_carrier_and_each_carrier_has_its_date() -> None:
    (unit,) = parse_design(MONTHLY, TABLES).units

    weights = unit.period_weights
    assert weights is not None
    assert (weights.table, weights.key, weights.every, weights.rule) == (
        ("public", "weights"),
        ("person",),
        "month",
        "refuse",
    )
    assert weights.dates == {("public", "calls"): "ended", ("public", "events"): "day"}
    assert set(unit.carried_by) == {("public", "calls"), ("public", "events")}


def test_the_length_of_a_period_is_told_by_its_columns_name() -> None:
    weekly = table("weights", {"person": "integer", "week": "date", "weight": "real"})

    (unit,) = parse_design(MONTHLY.replace("period: month", "period: week"), (PEOPLE, EVENTS, weekly, CALLS)).units

    assert unit.period_weights is not None
    assert unit.period_weights.every == "week"


def test_the_datasets_main_date_says_which_of_several_counts() -> None:
    text = MONTHLY.replace(", dates: {calls: ended}", "")

    assert "public.calls has several dates (begun, ended); say in period_weights which one counts" in faults_of(text)[0]
    (unit,) = parse_design(text, TABLES, date_column="public.calls.begun").units
    assert unit.period_weights is not None
    assert unit.period_weights.dates["public", "calls"] == "begun"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("table: people", "table: poeple", "line 2: there is no table poeple; the nearest is public.people"),
        (
            "table: people",
            "table: public.poeple",
            "line 2: there is no table public.poeple; the nearest is public.people",
        ),
        ("key: [id]", "key: [ident]", "line 3: public.people has no column ident"),
        ("weight: weight", "weight: gender", "line 4: public.people.gender is text; a weight must be a number"),
        ("weight: weight", "weight: wieght", "line 4: public.people has no column wieght; the nearest is weight"),
        ("strata: null", "strata: region", "line 5: public.people has no column region"),
        ("[gender]", "[gendr]", "line 6: no table has a column gendr; the nearest are gender"),
        ("{calls: person}", "{cals: person}", "line 7: there is no table cals; the nearest is public.calls"),
        ("{calls: person}", "{calls: id}", "line 7: public.calls has no column id"),
        ("{calls: person}", "{calls: [person, who]}", "line 7: the unit's key has 1 column, this one 2"),
        ("{calls: person}", "{calls: who}", "line 7: public.calls.who is text, the unit's id is integer"),
        ("{calls: person}", "{people: home}", "line 7: people is the unit's own table; carried_by is for others"),
        ("key: [id]", "key: []", "line 7: carried_by needs a key, and key is []"),
        (
            "{calls: person}",
            "{public.calls: person, calls: begun}",
            "line 7: public.calls carries the unit by two keys; say which one",
        ),
        (
            "period_weights: null",
            "period_weights: {table: weights, key: [person, month], period: person, weight: month}",
            "line 8: public.weights.person is integer; a date or a timestamp is needed",
        ),
        (
            "period_weights: null",
            "period_weights: {table: weights, key: [person, month], period: month, weight: weight}",
            "line 8: the unit's key has 1 column, this one 2",
        ),
        (
            "period_weights: null\n",
            "period_weights: null\nmerges: {ncss: {A: [a]}}\n",
            "line 9: no table has a column ncss",
        ),
    ],
)
def test_a_name_that_means_nothing_is_a_fault_with_its_line(old: str, new: str, fault: str) -> None:
    assert old in UNIT
    found = faults_of(UNIT.replace(old, new, 1))

    assert [line for line in found if line.startswith(fault)], found


def test_faults_of_form_and_of_names_are_told_together() -> None:
    found = faults_of(UNIT.replace("table: people", "table: poeple").replace("strata: null", "scale: x"))

    assert found == [
        "line 2: there is no table poeple; the nearest is public.people",
        "line 5: scale must be a number above 0, not 'x'",
    ]


def test_a_name_of_two_schemas_is_a_fault() -> None:
    found = faults_of(UNIT, (*TABLES, replace(PEOPLE, schema="archive")))

    assert found == ["line 2: people stands in several schemas: write public.people or archive.people"]


def test_two_foreign_keys_to_the_unit_have_to_be_told_apart() -> None:
    gifts = table("gifts", {"giver": "integer", "taker": "integer"}, refers="giver taker")

    assert "public.gifts refers to public.people by (giver) and by (taker)" in faults_of(UNIT, (*TABLES, gifts))[0]
    (unit,) = parse_design(UNIT.replace("calls: person", "calls: person, gifts: taker"), (*TABLES, gifts)).units
    assert unit.carried_by["public", "gifts"] == ("taker",)


def test_a_coarser_unit_shares_the_table_of_a_finer_one() -> None:
    people, homes = parse_design(UNIT + HOME, TABLES).units

    assert (people.shares_table, homes.shares_table) == (False, True)


def test_two_units_of_one_level_on_one_table_are_a_fault() -> None:
    assert "line 9: public.people has two units of level person" in faults_of(
        UNIT + HOME.replace("household", "person")
    )


def test_a_unit_that_shares_a_table_needs_a_key() -> None:
    found = faults_of(UNIT + HOME.replace("key: home", "key: []"))

    assert found == ["line 10: a household needs a key here: the table has rows of a finer unit"]


def test_a_table_that_looks_as_if_it_carried_the_key_is_a_warning() -> None:
    diary = table("diary", {"id": "integer", "text": "text"})

    assert "line 2: public.diary has id too but is not in carried_by: it is not weighted" in warnings_of(
        UNIT, (*TABLES, diary)
    )


def test_a_carrier_without_a_date_is_a_fault_where_it_was_named_and_a_warning_where_not() -> None:
    homes = table("diary", {"person": "integer", "note": "text"}, refers="person")

    assert "refers to the unit but has no date" in warnings_of(MONTHLY, (*TABLES, homes))[0]
    named = MONTHLY.replace("{calls: person}", "{calls: person, diary: person}")
    assert faults_of(named, (*TABLES, homes)) == ["line 7: public.diary has no date, so its rows belong to no period"]


def test_a_published_design_is_read_as_it_was_confirmed() -> None:
    design = parse_design(MONTHLY + HOME + "merges: {gender: {All: [f, m]}}\n", TABLES)
    counted = replace(design, units=tuple(replace(unit, units=7, excluded=2) for unit in design.units))

    assert parse_published_design(build_published_design(counted)) == counted


def spec_with(design: SurveyDesign | None) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id="1",
        sealed_dsn=SealedText(""),
        name="panel",
        title="",
        description="",
        dataset_type="mixed",
        data_category="mixed",
        tables=TABLES,
        design={"units": [{"table": "people", "key": "id", "weight": "weight"}]},
        survey_design=design,
    )


def test_keys_of_people_are_those_of_the_confirmed_design_in_each_table() -> None:
    keys = spec_with(parse_design(MONTHLY + HOME, TABLES)).person_keys

    assert set(keys) == {
        frozenset({("public", "people", "id")}),
        frozenset({("public", "people", "home")}),
        frozenset({("public", "calls", "person")}),
        frozenset({("public", "events", "person")}),
        frozenset({("public", "weights", "person")}),
    }


def test_keys_of_people_are_known_from_a_design_that_is_only_recorded() -> None:
    assert frozenset({("public", "people", "id")}) in spec_with(None).person_keys
