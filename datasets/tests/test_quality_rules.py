"""Quality: faults of columns, tables and keys that a profile tells, near misses, and what is never told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from datasets.catalog import ForeignKey
from datasets.profiling.column_quality import judge_column, quoting_needed
from datasets.profiling.detection import EVENT_DATE, ColumnRole, Detection, Guess, PersonUnit
from datasets.profiling.facts import QUANTILES, SAMPLE, ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.keys import FOREIGN, PRIMARY, InferredKey
from datasets.profiling.observations import NOTE, QUALITY, WARNING, Observation
from datasets.profiling.quality import Question, judge_tables, missing_months, questions_of
from datasets.profiling.weights import WeightReading

TODAY = date(2026, 6, 1)
CANARY = "canary-7319"
PEOPLE = ("public", "people")
UNSURE = Guess("mixed", 0.5, ())
ROW_KEY = InferredKey(PRIMARY, PEOPLE, ("id",), 1.0, "", declared=True)
PERSONS = PersonUnit(PEOPLE, ("id",), 0.9, "")
Told = list[tuple[str, str, str, str, int | None]]


def told(observed: Sequence[Observation]) -> Told:
    assert {each.kind for each in observed} <= {QUALITY}
    return [(each.code, each.severity, each.table, each.column, each.count) for each in observed]


def codes(observed: Sequence[Observation]) -> list[str]:
    return [each.code for each in observed]


def shares(**found: float) -> tuple[CommonValue, ...]:
    return tuple(CommonValue(value, share) for value, share in found.items())


def forms(
    found: Mapping[str, float], *, lengths: tuple[int, float, int] = (1, 5.0, 9), nulls: float = 0
) -> ColumnFacts:
    return ColumnFacts(SAMPLE, nulls, 50, lengths=lengths, formats=shares(**found))


def judged(
    facts: ColumnFacts, data_type: str = "text", *, name: str = "x", rows: int | None = 1_000
) -> tuple[Observation, ...]:
    column = FoundColumn(1, name, data_type, True, "")
    return judge_column(column, facts, table="public.people", rows=rows, today=TODAY)


def table(
    *columns: str, name: str = "people", kind: str = "table", row_estimate: int | None = None, keyed: bool = False
) -> FoundTable:
    found = tuple(FoundColumn(place, column, "text", True, "") for place, column in enumerate(columns, 1))
    key = (columns[0],) if keyed else ()
    return FoundTable("public", name, kind, "", row_estimate, 0, found, primary_key=key)


def detection(
    *,
    keys: Sequence[InferredKey] = (ROW_KEY,),
    weights: Sequence[str] = (),
    dates: Sequence[str] = (),
    persons: PersonUnit | None = None,
) -> Detection:
    reading = WeightReading(
        confidence=0.9, reasons=(), kind="projected", scale=1.0, certain=True, level="person", sure=True
    )
    return Detection(
        columns=tuple(ColumnRole(PEOPLE, column, EVENT_DATE, 0.9, ()) for column in dates),
        keys=tuple(keys),
        weights={PEOPLE: dict.fromkeys(weights, reading)} if weights else {},
        persons=persons,
        periods=(),
        dataset_type=UNSURE,
        data_category=UNSURE,
    )


def of_people(
    columns: Mapping[str, ColumnFacts],
    *,
    rows: int | None = 1_000,
    error: str = "",
    found: Detection | None = None,
) -> tuple[Observation, ...]:
    """Of one table, whose key is known unless `found` says otherwise."""
    facts = {PEOPLE: TableFacts(rows=rows, columns=columns, error=error)}
    return judge_tables([table(*(columns.keys() or {"id"}))], facts, found or detection())


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("value", ["1900-01-01", "1970-01-01 00:00:00+00", "9999-12-31", "0001-01-01"])
def test_placeholder_dates_are_told(value: str) -> None:
    facts = ColumnFacts(SAMPLE, 0.0, 90, minimum=value, maximum=value, common=shares(**{value: 0.25}))

    observed = judged(facts, "timestamp(3) with time zone")

    assert told(observed) == [("placeholder_dates", WARNING, "public.people", "x", 250)]


@pytest.mark.parametrize(
    ("data_type", "value", "share"),
    [("date", "1900-01-01", 0.009), ("date", "1900-01-02", 0.5), ("text", "1900-01-01", 0.5)],
    ids=["few", "another day", "no dates"],
)
def test_ordinary_dates_are_no_placeholders(data_type: str, value: str, share: float) -> None:
    assert judged(ColumnFacts(SAMPLE, 0.0, 90, common=shares(**{value: share})), data_type) == ()


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        ("1849-12-31", True),
        ("0044-03-15 BC", True),
        ("1850-01-01", False),
        ("1800-01-01", False),
        ("-infinity", False),
        (None, False),
    ],
)
def test_impossible_dates_are_told(minimum: str | None, expected: bool) -> None:
    observed = judged(ColumnFacts(SAMPLE, 0.0, 90, minimum=minimum), "date")

    assert told(observed) == [("impossible_dates", WARNING, "public.people", "x", None)] * expected


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [
        ("2028-01-01", True),
        ("20260-01-01", True),
        ("2027-12-31", False),
        ("9999-12-31 00:00:00", False),
        ("infinity", False),
        (None, False),
    ],
)
def test_future_dates_are_told(maximum: str | None, expected: bool) -> None:
    observed = judged(ColumnFacts(SAMPLE, 0.0, 90, maximum=maximum), "date")

    assert told(observed) == [("future_dates", WARNING, "public.people", "x", None)] * expected


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "form",
    [
        "9999-99-99",
        "9999-99-99 99:99:99",
        "9999-99-99A99:99:99A",
        "9999/9/99",
        "99.99.9999",
        "9/99/9999 99:99",
        "99-Aaa-9999",
        "Aaaaaaa 9, 9999",
    ],
)
def test_dates_kept_as_text_are_told(form: str) -> None:
    assert told(judged(forms({form: 1.0}))) == [("dates_as_text", NOTE, "public.people", "x", None)]


@pytest.mark.parametrize("form", ["9999-999-99", "99:99", "AA-9999-99-99", "9999", "Aaaa"])
def test_other_texts_are_no_dates(form: str) -> None:
    assert "dates_as_text" not in codes(judged(forms({form: 1.0})))


def test_dates_written_in_two_ways_are_told() -> None:
    observed = judged(forms({"9999-99-99": 0.7, "99.99.9999": 0.2}, nulls=0.1))

    assert told(observed) == [
        ("mixed_formats", WARNING, "public.people", "x", 200),
        ("dates_as_text", NOTE, "public.people", "x", None),
    ]


def test_a_stray_date_of_another_form_is_no_mix() -> None:
    assert codes(judged(forms({"9999-99-99": 0.985, "99.99.9999": 0.015}))) == ["dates_as_text"]


@pytest.mark.parametrize(
    "found", [{"9": 0.5, "99": 0.5}, {"-9.99": 1.0}, {"9,99": 1.0}, {"9,999.99": 1.0}, {"9.999": 1.0}, {"9,999": 1.0}]
)
def test_numbers_kept_as_text_are_told(found: dict[str, float]) -> None:
    assert told(judged(forms(found))) == [("numbers_as_text", NOTE, "public.people", "x", None)]


@pytest.mark.parametrize("form", ["9,99", "9.99"])
def test_decimals_of_one_length_are_no_code(form: str) -> None:
    assert codes(judged(forms({form: 1.0}, lengths=(4, 4.0, 4)))) == ["numbers_as_text"]


@pytest.mark.parametrize(
    ("name", "found", "lengths"),
    [
        ("zip", {"99999": 1.0}, (5, 5.0, 5)),
        ("user_id", {"99": 0.5, "999": 0.5}, (2, 2.5, 3)),
        ("x", {"99": 0.9, "a": 0.1}, (1, 1.9, 2)),
        ("x", {"9 aa": 1.0}, (4, 4.0, 4)),
    ],
    ids=["codes of one length", "an identifier", "some letters", "units"],
)
def test_codes_and_other_texts_are_no_numbers(
    name: str, found: dict[str, float], lengths: tuple[int, float, int]
) -> None:
    assert judged(forms(found, lengths=lengths), name=name) == ()


@pytest.mark.parametrize("form", ["9", "9999-99-99"])
def test_a_few_common_forms_do_not_speak_for_free_texts(form: str) -> None:
    assert judged(forms({form: 0.07})) == ()


def test_many_nulls_do_not_hide_numbers() -> None:
    assert codes(judged(forms({"9": 0.03, "99": 0.02}, nulls=0.95))) == ["numbers_as_text"]


def test_numbers_with_a_point_and_with_a_comma_are_told() -> None:
    observed = judged(forms({"9.99": 0.6, "9,99": 0.3, "9": 0.1}))

    assert told(observed) == [
        ("mixed_formats", WARNING, "public.people", "x", 300),
        ("numbers_as_text", NOTE, "public.people", "x", None),
    ]


@pytest.mark.parametrize(
    "found",
    [
        {"9.99": 0.99, "9,99": 0.01},
        {"99.99": 0.6, "9,999.99": 0.4},
        {"99.99": 0.6, "9,999": 0.4},
        {"99,99": 0.6, "9.999": 0.4},
    ],
    ids=["a stray one", "thousands and decimals", "thousands", "thousands with points"],
)
def test_thousands_and_stray_numbers_are_no_mix(found: dict[str, float]) -> None:
    assert codes(judged(forms(found))) == ["numbers_as_text"]


@pytest.mark.parametrize("form", [" aaa", "aaa ", "aaa\t"])
def test_texts_with_blanks_around_them_are_told(form: str) -> None:
    observed = judged(forms({"aaa": 0.9, form: 0.1}))

    assert told(observed) == [("padded_texts", NOTE, "public.people", "x", 100)]


def test_blanks_are_told_of_free_texts() -> None:
    assert codes(judged(forms({"aaa ": 0.05}))) == ["padded_texts"]


@pytest.mark.parametrize(
    ("data_type", "form"), [("character(5)", "aa   "), ("text", "aa aa"), ("bytea", " aa")], ids=str
)
def test_blanks_that_belong_there_are_not_told(data_type: str, form: str) -> None:
    assert judged(forms({form: 1.0}), data_type) == ()


def test_classes_spelled_differently_are_told() -> None:
    facts = ColumnFacts(SAMPLE, 0.0, 5, common=shares(Male=0.4, male=0.08, MALE=0.02, Female=0.45, **{" female": 0.05}))

    observed = judged(facts)

    assert told(observed) == [("spelled_differently", WARNING, "public.people", "x", 150)]


@pytest.mark.parametrize(
    ("data_type", "common"),
    [("text", shares(male=0.5, female=0.5)), ("text", shares(ab=0.5, a_b=0.5)), ("bytea", shares(a=0.5, A=0.5))],
    ids=["others", "another sign", "no texts"],
)
def test_other_classes_are_not_one(data_type: str, common: tuple[CommonValue, ...]) -> None:
    assert judged(ColumnFacts(SAMPLE, 0.0, 2, common=common), data_type) == ()


def test_at_least_one_row_is_told() -> None:
    (observed,) = judged(forms({"aa": 0.9999, "aa ": 0.0001}), rows=100)

    assert observed.count == 1


def test_rows_that_nobody_counted_are_not_told() -> None:
    (observed,) = judged(forms({"aa ": 1.0}), rows=None)

    assert observed.count is None


def test_nothing_is_told_of_a_column_without_facts() -> None:
    assert [judged(ColumnFacts(), data_type) for data_type in ("text", "date", "integer")] == [(), (), ()]


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("error", "cause"), [("timeout", "took too long"), ("42501", "lacks a right"), ("XX001", "SQLSTATE XX001")]
)
def test_a_table_that_cannot_be_read_is_told(error: str, cause: str) -> None:
    observed = of_people({}, error=error)

    assert told(observed) == [("unreadable", WARNING, "public.people", "", None)]
    assert cause in observed[0].message


def test_tables_for_which_there_was_no_time_are_told_together() -> None:
    tables = [table("id", name=name, keyed=True) for name in ("a", "b", "c")]
    facts = {("public", name): TableFacts(rows=9, error=error) for name, error in (("a", ""), ("b", "budget"))}
    facts["public", "c"] = TableFacts(error="budget")

    observed = judge_tables(tables, facts, detection(keys=[replace(ROW_KEY, table=("public", "a"))]))

    assert told(observed) == [("not_read", NOTE, "", "", 2)]
    assert "2 of 3 tables" in observed[0].message


@pytest.mark.parametrize(("rows", "expected"), [(0, True), (1, False), (None, False)])
def test_an_empty_table_is_told(rows: int | None, expected: bool) -> None:
    assert told(of_people({}, rows=rows)) == [("empty_table", NOTE, "public.people", "", 0)] * expected


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("table", (), True),
        ("partitioned table", (), True),
        ("table", (replace(ROW_KEY, kind=FOREIGN),), True),
        ("table", (replace(ROW_KEY, table=("public", "others")),), True),
        ("table", (ROW_KEY,), False),
        ("view", (), False),
    ],
)
def test_a_table_without_key_is_told(kind: str, keys: Sequence[InferredKey], expected: bool) -> None:
    observed = judge_tables([table("id", kind=kind)], {PEOPLE: TableFacts(rows=10)}, detection(keys=keys))

    assert told(observed) == [("no_key", NOTE, "public.people", "", None)] * expected


@pytest.mark.parametrize("error", ["timeout", "budget"])
def test_facts_of_a_table_that_was_not_read_count_for_nothing(error: str) -> None:
    columns = {
        "a": ColumnFacts(SAMPLE, 1.0, 0),
        "weight": ColumnFacts(SAMPLE, 0.5, minimum="-1", maximum="2"),
        "day": ColumnFacts(SAMPLE, 0.0, months={"2026-01": 3, "2026-03": 3}, counted=True),
    }
    found = detection(keys=(), weights=["weight"], dates=["day"])

    observed = [*of_people(columns, rows=900, error=error, found=found), *of_people({}, rows=0, error=error)]

    assert set(codes(observed)) <= {"unreadable", "not_read"}


def test_a_table_without_facts_counts_for_nothing() -> None:
    found = detection(keys=(), weights=["weight"], dates=["day"])

    assert judge_tables([table("weight", "day", row_estimate=900)], {}, found) == ()


def test_names_to_be_quoted_are_told_together() -> None:
    observed = judge_tables([table("Id", "first name", "age")], {}, detection())

    assert told(observed) == [("odd_names", NOTE, "public.people", "", 2)]
    assert "2 columns must be quoted in SQL: Id, first name." in observed[0].message


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        (["a", "_b", "c1", "d$"], []),
        (["1a", "b-c", "D", ""], ["1a", "b-c", "D", ""]),
        (["name", "Name", "age"], ["name", "Name"]),
    ],
)
def test_names_are_odd_by_signs_and_by_capitals_alone(names: list[str], odd: list[str]) -> None:
    assert quoting_needed(names) == odd


def test_meaningless_names_are_told_together() -> None:
    observed = judge_tables([table("col1", "v2", "q_3", "column", "unnamed_4")], {}, detection())

    assert told(observed) == [("meaningless_names", NOTE, "public.people", "", 4)]


@pytest.mark.parametrize("name", ["v", "covid19", "q1", "phase_2", "vol1"])
def test_names_that_may_mean_something_are_not_told(name: str) -> None:
    assert judge_tables([table(name)], {}, detection()) == ()


def test_one_meaningless_name_is_told_in_the_singular() -> None:
    (observed,) = judge_tables([table("col1")], {}, detection())

    assert observed.message == "1 column says nothing by its name: col1."


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ColumnFacts(SAMPLE, 1.0, 0), ("never_filled", 1_000)),
        (ColumnFacts(SAMPLE, 0.95, 9), ("mostly_null", 950)),
        (ColumnFacts(SAMPLE, 0.999, 1), ("mostly_null", 999)),
        (ColumnFacts(SAMPLE, 0.0, 1), ("constant", 1_000)),
        (ColumnFacts(SAMPLE, 0.94, 9), None),
        (ColumnFacts(SAMPLE, 0.1, 1), None),
        (ColumnFacts(SAMPLE, 0.0, 2), None),
        (ColumnFacts(null_share=1.0), None),
        (ColumnFacts(SAMPLE), None),
    ],
)
def test_columns_that_say_little_are_told(facts: ColumnFacts, expected: tuple[str, int] | None) -> None:
    observed = of_people({"a": facts})

    assert told(observed) == ([(expected[0], NOTE, "public.people", "a", expected[1])] if expected else [])


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("never_filled", ColumnFacts(SAMPLE, 1.0, 0)),
        ("mostly_null", ColumnFacts(SAMPLE, 0.96, 9)),
        ("constant", ColumnFacts(SAMPLE, 0.0, 1)),
    ],
)
def test_many_columns_of_one_fault_are_told_together(code: str, facts: ColumnFacts) -> None:
    apart, together = (of_people(dict.fromkeys(names, facts)) for names in ("abc", "abcdefg"))

    assert [each.column for each in apart] == ["a", "b", "c"]
    assert told(together) == [(code, NOTE, "public.people", "", 7)]
    assert "a, b, c, d, e and 2 more" in together[0].message


def test_no_share_is_told_of_few_rows() -> None:
    assert of_people({"a": ColumnFacts(SAMPLE, 1.0, 0)}, rows=49) == ()


# ── weights and months ───────────────────────────────────────────────────────────────────────────────────────
def weight(*, nulls: float = 0.0, zeros: float = 0.0, minimum: str = "0.1") -> ColumnFacts:
    quantiles = {share: str(0.5 + share) for share in QUANTILES}
    return ColumnFacts(SAMPLE, nulls, 90, minimum, "9", quantiles, shares(**{"0": zeros} if zeros else {}))


@pytest.mark.parametrize(
    ("facts", "count"),
    [
        (weight(nulls=0.1), 100),
        (weight(zeros=0.05, minimum="0"), 50),
        (weight(nulls=0.5, zeros=0.25, minimum="0"), 750),
        (weight(nulls=0.0001), 1),
        (ColumnFacts(SAMPLE, 0.2), 200),
    ],
    ids=["NULL", "zero", "both", "few", "withheld"],
)
def test_rows_without_a_weight_are_told(facts: ColumnFacts, count: int) -> None:
    observed = of_people({"w": facts}, found=detection(weights=["w"]))

    assert told(observed) == [("missing_weight", WARNING, "public.people", "w", count)]


def test_rows_without_a_weight_are_not_counted_where_rows_are_not() -> None:
    observed = of_people({"w": weight(nulls=0.1)}, rows=None, found=detection(weights=["w"]))

    assert told(observed) == [("missing_weight", WARNING, "public.people", "w", None)]


def test_weights_below_zero_are_told() -> None:
    observed = of_people({"w": weight(minimum="-0.5")}, found=detection(weights=["w"]))

    assert told(observed) == [("negative_weight", WARNING, "public.people", "w", None)]


@pytest.mark.parametrize(
    ("facts", "weights"), [(weight(), ["w"]), (weight(nulls=0.1, minimum="-1"), [])], ids=["all above 0", "no weight"]
)
def test_weights_that_all_count_tell_nothing(facts: ColumnFacts, weights: list[str]) -> None:
    assert of_people({"w": facts}, found=detection(weights=weights)) == ()


@pytest.mark.parametrize(
    ("persons", "weights", "expected"), [(PERSONS, [], True), (PERSONS, ["w"], False), (None, [], False)]
)
def test_persons_without_a_weight_are_told(persons: PersonUnit | None, weights: list[str], expected: bool) -> None:
    observed = of_people({"w": weight()}, found=detection(persons=persons, weights=weights))

    assert told(observed) == [("no_weight", NOTE, "public.people", "", None)] * expected


@pytest.mark.parametrize(
    ("facts", "dates", "expected"),
    [
        (ColumnFacts(months={"2025-11": 5, "2026-02": 5, "2026-03": 1}, counted=True), ["day"], True),
        (ColumnFacts(months={"2025-11": 5, "2026-02": 5, "2026-03": 1}), ["day"], False),
        (ColumnFacts(months={"2025-11": 5, "2026-02": 5, "2026-03": 1}, counted=True), [], False),
        (ColumnFacts(months={"2025-12": 5, "2026-01": 5}, counted=True), ["day"], False),
    ],
    ids=["a gap", "not counted", "no date of events", "no gap"],
)
def test_missing_months_are_told(facts: ColumnFacts, dates: list[str], expected: bool) -> None:
    observed = of_people({"day": facts}, found=detection(dates=dates))

    assert told(observed) == [("missing_months", WARNING, "public.people", "day", 2)] * expected


@pytest.mark.parametrize(
    ("filled", "missing"),
    [
        ({"2025-11": 1, "2025-12": 0, "2026-01": 1}, ["2025-12"]),
        ({"2026-02": 1, "2025-12": 1}, ["2026-01"]),
        ({"1970-01": 1, "2026-01": 1, "2026-02": 1}, []),
        ({"2026-01": 1, "2026-02": 0}, []),
        ({}, []),
    ],
    ids=["without rows", "over a year's end", "stray ones", "at the end", "none"],
)
def test_months_are_missing_between_others(filled: dict[str, int], missing: list[str]) -> None:
    assert missing_months(filled) == missing


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
PARENT = InferredKey(
    FOREIGN, PEOPLE, ("household_id",), 0.6, "", references=("public", "households"), referenced=("id",)
)


def asked(
    *tables: FoundTable, facts: TableFacts | None = None, keys: Sequence[InferredKey] = ()
) -> list[tuple[str, str, tuple[str, ...]]]:
    questions = questions_of(tables, {PEOPLE: facts} if facts else {}, detection(keys=keys))
    return [(each.code, ".".join(each.table), each.columns) for each in questions]


def test_orphans_of_likely_keys_are_asked_for() -> None:
    assert asked(table("household_id"), keys=[PARENT]) == [("orphans", "public.people", ("household_id",))]


def test_orphans_of_declared_keys_are_asked_for_where_nothing_enforces_them() -> None:
    declared = replace(PARENT, declared=True, confidence=1.0)
    reference = ForeignKey(("household_id",), "public", "households", ("id",))
    people = replace(table("household_id"), foreign_keys=(reference,))

    enforced, unproven = (
        asked(replace(people, unproven_keys=columns), keys=[declared]) for columns in ((), (("household_id",),))
    )

    assert (enforced, unproven) == ([], [("orphans", "public.people", ("household_id",))])


@pytest.mark.parametrize(
    "key", [replace(PARENT, confidence=0.59), replace(PARENT, kind=PRIMARY)], ids=["unlikely", "primary"]
)
def test_orphans_of_other_keys_are_not_asked_for(key: InferredKey) -> None:
    assert asked(table("household_id"), keys=[key]) == []


def test_the_surest_keys_are_asked_first() -> None:
    keys = [replace(PARENT, columns=(name,), confidence=sure) for name, sure in (("a", 0.7), ("b", 0.9), ("c", 0.8))]

    assert [columns for _, _, columns in asked(table("a", "b", "c"), keys=keys)] == [("b",), ("c",), ("a",)]


def test_repeated_values_of_a_column_named_like_a_key_are_asked_for() -> None:
    people = table("person_id")
    known = TableFacts(rows=100, columns={"person_id": ColumnFacts(SAMPLE, 0.0, 90)})

    assert asked(people, facts=known) == [("duplicate_keys", "public.people", ("person_id",))]


@pytest.mark.parametrize(
    ("people", "rows", "distinct", "error"),
    [
        (table("person_id"), 100, 89, ""),
        (table("person_id"), 100, 100, ""),
        (table("person_id"), 49, 48, ""),
        (table("person_id"), 100, 95, "timeout"),
        (table("person_id"), 100, None, ""),
        (table("person_id", keyed=True), 100, 95, ""),
        (table("person_id", kind="view"), 100, 95, ""),
        (table("person_id", name="visits"), 100, 95, ""),
        (table("person"), 100, 95, ""),
    ],
    ids=["many repeat", "none repeats", "few rows", "not read", "not known", "keyed", "a view", "of others", "no id"],
)
def test_repeated_values_of_other_columns_are_not_asked_for(
    people: FoundTable, rows: int, distinct: int | None, error: str
) -> None:
    columns = {people.columns[0].name: ColumnFacts(SAMPLE, 0.0, distinct)}
    facts = {(people.schema, people.name): TableFacts(rows=rows, columns=columns, error=error)}

    assert questions_of([people], facts, detection(keys=())) == ()


@pytest.mark.parametrize("code", ["orphans", "duplicate_keys"])
@pytest.mark.parametrize(("columns", "column"), [(("a",), "a"), (("a", "b"), "")])
def test_an_answer_is_a_warning_with_its_rows(code: str, columns: tuple[str, ...], column: str) -> None:
    question = Question("SELECT 7", code, "Rows.", PEOPLE, columns)

    assert told([question.observe(7)]) == [(code, WARNING, "public.people", column, 7)]


def test_names_are_quoted_in_questions() -> None:
    people = table('person"id')
    known = TableFacts(rows=100, columns={'person"id': ColumnFacts(SAMPLE, 0.0, 95)})

    (question,) = questions_of([people], {PEOPLE: known}, detection(keys=()))

    assert '"person""id"' in question.sql


# ── what is never told ───────────────────────────────────────────────────────────────────────────────────────
def marked(**changes: object) -> ColumnFacts:
    facts = ColumnFacts(
        SAMPLE, 0.0, 90, CANARY, CANARY, {0.5: CANARY}, shares(**{CANARY: 0.6, CANARY.upper(): 0.4}),
        (11, 11.0, 11), shares(**{CANARY: 1.0}),
    )  # fmt: skip
    return replace(facts, **changes)  # type: ignore[arg-type]  # names of fields and what fits them


def test_no_message_of_a_column_quotes_a_value() -> None:
    written = {
        "dates": {"9999-99-99": 0.5, "99.99.9999": 0.5},
        "numbers": {"9.99": 0.5, "9,99": 0.4, " 9": 0.001, "9": 0.1},
        "padded": {f" {CANARY}": 1.0},
    }
    common = shares(**{f"1970-01-01 {CANARY}": 0.9})

    observed = [
        *(judged(marked(formats=shares(**found))) for found in written.values()),
        judged(marked(common=common, minimum=f"1700-01-01 {CANARY}", maximum=f"7319-01-01 {CANARY}"), "date"),
    ]

    messages = [each for found in observed for each in found]
    assert set(codes(messages)) == {
        "placeholder_dates", "impossible_dates", "future_dates", "mixed_formats", "dates_as_text", "numbers_as_text",
        "padded_texts", "spelled_differently",
    }  # fmt: skip
    assert [each for each in messages if "canary" in each.message.lower() or "7319" in each.message] == []


def test_no_message_of_a_table_quotes_a_value() -> None:
    columns = {
        "Person_Id": marked(distinct=950),
        "col1": marked(null_share=1.0),
        "mostly": marked(null_share=0.97),
        "same": marked(distinct=1),
        "w": marked(null_share=0.1, minimum="-7319", maximum="7319"),
        "day": marked(months={"2026-01": 7319, "2026-03": 7319}, counted=True),
    }
    tables = [table(*columns), table("id", name="a"), table("id", name="b"), table("id", name="c")]
    facts = {
        PEOPLE: TableFacts(rows=1_000, columns=columns),
        **{
            ("public", name): TableFacts(rows=0, columns={"id": marked()}, error=error)
            for name, error in (("a", ""), ("b", "timeout"), ("c", "budget"))
        },
    }
    found = detection(keys=[PARENT], weights=["w"], dates=["day"])
    unweighted = detection(persons=PERSONS)

    observed = [
        *judge_tables(tables, facts, found),
        *judge_tables(tables, facts, unweighted),
        *(question.observe(1) for question in questions_of(tables, facts, found)),
    ]

    assert set(codes(observed)) == {
        "unreadable", "not_read", "empty_table", "no_key", "odd_names", "meaningless_names", "never_filled",
        "mostly_null", "constant", "missing_weight", "negative_weight", "missing_months", "no_weight", "orphans",
        "duplicate_keys",
    }  # fmt: skip
    assert [each for each in observed if "canary" in each.message.lower() or "7319" in each.message] == []


def test_no_statement_quotes_a_value() -> None:
    people = table("person_id")
    known = TableFacts(rows=1_000, columns={"person_id": marked(distinct=950)})

    questions = questions_of([people], {PEOPLE: known}, detection(keys=[PARENT]))

    assert len(questions) == 2
    assert [each for each in questions if "canary" in each.sql.lower()] == []
