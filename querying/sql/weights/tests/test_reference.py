"""The reference is right: it agrees with PostgreSQL where nothing is weighted, with svy and R where something is."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import polars
import pytest
import svy
from hypothesis import HealthCheck, given, settings

from datasets.demo.databases import HERE as DEMO
from datasets.design import PeriodWeights, SurveyDesign, Unit
from querying.sql.weights.tests import reference as ref
from querying.sql.weights.tests.conftest import Database, differences, same_value
from querying.sql.weights.tests.questions import (
    COUNT,
    Question,
    is_census,
    make_world,
    populate,
    seeded,
    worlds_and_questions,
)
from querying.sql.weights.tests.reference import (
    PLAIN,
    Agg,
    Base,
    Case,
    Col,
    Const,
    Derived,
    Expr,
    Join,
    Month,
    OneOf,
    Op,
    Over,
    Query,
    Select,
    SetOp,
    Table,
    World,
    answer,
)

TRUTH: Final = Path(__file__).with_name("weighted_sql.jsonl")
REAL_DATABASE: Final = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], derandomize=True
)


# PostgreSQL


def test_unweighted_it_answers_as_postgresql_does(database: Database) -> None:
    faults: list[str] = []
    shapes: Counter[str] = Counter()
    for seed in range(150):
        world, questions = seeded(seed, count=10)
        with database.holding(world):
            for question in questions:
                shapes[question.name] += 1
                faults.extend(unweighted_differences(database, world, question))

    assert not faults, "\n\n".join(faults[:10])
    assert len(shapes) >= 35, sorted(shapes)


@REAL_DATABASE
@given(worlds_and_questions())
def test_unweighted_it_answers_as_postgresql_does_on_odd_examples(
    database: Database, case: tuple[World, list[Question]]
) -> None:
    world, questions = case
    with database.holding(world):
        faults = [fault for question in questions for fault in unweighted_differences(database, world, question)]
    assert not faults, "\n".join(faults)


def unweighted_differences(database: Database, world: World, question: Question) -> list[str]:
    if question.text and question.name in ("ntile", "recursive"):  # the description language has no such thing
        return []
    sql = question.sql(world)
    _, got = database.ask(sql)
    expected = answer(question.query, world, PLAIN)
    if question.name == "row_windows":
        expected.rows = [row[-2:] for row in expected.rows]
    found = differences(expected.rows, got, ordered=is_ordered(question.query))
    return [f"{question.name}: {sql}\n  {found}"] if found else []


def is_ordered(query: Query) -> bool:
    return isinstance(query, Select) and bool(query.order)


def test_with_weights_of_one_it_answers_as_if_there_were_none() -> None:
    compared = 0
    for seed in range(400):
        world, questions = seeded(seed, ones=True, complete=True)
        for question in questions:
            weighted, plain = answer(question.query, world, question.readings[0]), answer(question.query, world, PLAIN)
            if (
                weighted.done & {"once", "nobody"}
                or asks_for_interpolation(question.query)
                or question.expect == "refused"
            ):
                continue  # documented: persons once where events would count, one kind of quantile; rows without a key
            found = differences(plain.rows, weighted.rows)
            assert not found, f"{seed} {question.sql(world)}\n{found}"
            compared += 1
    assert compared > 2000


def test_an_estimate_is_what_postgresql_counts_in_the_population(database: Database) -> None:
    """Each person copied as often as they weigh, with all their events, and then no weights at all."""
    compared: Counter[str] = Counter()
    for seed in range(150):
        world, questions = seeded(seed, whole=True)
        with database.holding(populate(world)):
            for question in questions:
                estimate = answer(question.query, world, question.readings[0])
                if question.text or question.expect == "refused" or not is_census(question, estimate.done):
                    continue
                _, counted = database.ask(question.sql(world))
                found = differences(counted, estimate.rows)
                assert not found, f"{seed} {question.sql(world)}\n{found}"
                compared[question.name] += 1
    assert compared.total() > 500, compared


def asks_for_interpolation(query: Query) -> bool:
    return "percentile_cont" in repr(query)


# svy


PERSONS = Base("persons", "p")


def col(name: str) -> Col:
    return Col(name, "p")


def to_sample(world: World) -> svy.Sample:
    """The persons with a valid weight, as svy wants them."""
    rows = [dict(row) | {"one": 1.0} for row in world.tables["persons"].rows]
    valid = [row for row in rows if ref.effective(row["weight"], 1) is not None]
    schema = {"weight": polars.Float64, "age": polars.Float64, "score": polars.Float64, "one": polars.Float64}
    frame = polars.DataFrame(valid, schema_overrides=schema, infer_schema_length=None)
    return svy.Sample(frame, svy.Design(wgt="weight"))


def one(estimate: svy.Estimate | list[svy.Estimate]) -> svy.Estimate:
    assert isinstance(estimate, svy.Estimate)
    return estimate


def by_level(estimates: list[svy.ParamEst]) -> dict[Any, float]:  # Any: svy's levels
    return {found.by_level[0] if found.by_level else None: found.est for found in estimates}


def reference_by(world: World, item: Expr, by: str | None = None, where: Expr | None = None) -> dict[Any, Any]:
    groups = (col(by),) if by else ()
    shown: tuple[tuple[str, Expr], ...] = (("d", col(by) if by else Const(None)), ("a", item))
    query = Select(shown if by else shown[1:], PERSONS, where=where, groups=groups)
    rows = answer(query, world).rows
    return {row[0] if by else None: row[-1] for row in rows}


@cache
def panels() -> tuple[World, ...]:
    """Worlds with enough persons that every domain has some."""
    found = []
    for seed in range(2000):
        world = make_world(Random(seed), months=False)
        unit = replace(world.design.units[0], scale=1.0)
        world = replace(world, design=replace(world.design, units=(unit, *world.design.units[1:])))
        valid = [row for row in world.tables["persons"].rows if ref.effective(row["weight"], 1) is not None]
        if len(valid) >= 5 and any(row["age"] is None for row in valid) and len({row["gender"] for row in valid}) == 3:
            found.append(world)
    return tuple(found[:25])


def test_there_are_panels_to_compare_with_svy() -> None:
    assert len(panels()) == 25


@pytest.mark.parametrize("name", ["mean", "total"])
@pytest.mark.parametrize("by", [None, "gender"])
@pytest.mark.parametrize("column", ["age", "score", "one"])
def test_means_and_totals_are_those_of_svy(name: str, by: str | None, column: str) -> None:
    item: Expr = {"one": COUNT}.get(column, Agg("sum", (col(column),)))
    if name == "mean":
        item = Agg("avg", (Const(1) if column == "one" else col(column),))
    for world in panels():
        sample = to_sample(world)
        # svy's domains leave NULL out, where SQL makes it a group of its own
        estimate = getattr(sample.estimation, name)(column, by=by, drop_nulls=True)

        ours = {key: value for key, value in reference_by(world, item, by).items() if not by or key is not None}

        assert agree(by_level(estimate.estimates), ours)


def test_a_domain_is_that_of_svy() -> None:
    for world in panels():
        where = svy.col("gender") == "f"
        estimate = one(to_sample(world).estimation.mean("age", where=where, drop_nulls=True))

        ours = reference_by(world, Agg("avg", (col("age"),)), where=Op("=", col("gender"), Const("f")))

        assert agree({None: estimate.estimates[0].est}, ours)


@pytest.mark.parametrize("by", [None, "gender"])
def test_ratios_are_those_of_svy(by: str | None) -> None:
    both = Op("and", ref.IsNull(col("age"), negated=True), ref.IsNull(col("score"), negated=True))
    item = Op("/", Agg("sum", (col("score"),)), Agg("sum", (col("age"),)))
    for world in panels():
        estimate = one(to_sample(world).estimation.ratio("score", "age", by=by, drop_nulls=True))

        # svy takes the rows that have both; SQL only does if told to
        ours = {key: value for key, value in reference_by(world, item, by, both).items() if not by or key is not None}

        assert agree(by_level(estimate.estimates), ours)


def test_proportions_are_those_of_svy() -> None:
    for world in panels():
        estimate = one(to_sample(world).estimation.prop("gender", drop_nulls=True))
        theirs = {found.y_level: found.est for found in estimate.estimates}

        known = ref.IsNull(col("gender"), negated=True)
        share = Op("/", COUNT, Over("sum", COUNT))
        ours = reference_by(world, share, "gender", known)

        assert agree(theirs, ours)


def agree(theirs: Mapping[Any, Any], ours: Mapping[Any, Any]) -> bool:
    """svy calls a total or mean of nothing NaN or 0, or leaves the domain out."""
    known = {key: value for key, value in ours.items() if value is not None}
    valued = {key: value for key, value in theirs.items() if not math.isnan(value)}
    return all(same_value(known.get(key, 0.0), valued.get(key, 0.0)) for key in {*known, *valued})


# R: the truth file


def read_table(folder: str, name: str, columns: Mapping[str, str], owners: Mapping[str, str]) -> Table:
    convert: dict[str, Callable[[str], ref.Value]] = {
        "int": int,
        "float": float,
        "text": str,
        "date": date.fromisoformat,
    }
    with (DEMO / "data" / folder / f"{name}.csv").open(encoding="utf-8") as file:
        rows = [
            {c: None if raw[c] in ("", "NA") else convert[t](raw[c]) for c, t in columns.items()}
            for raw in csv.DictReader(file)
        ]
    return Table(name, columns, rows, owners)


@cache
def demo_world(months: bool = False) -> World:
    """The three demo datasets as one world, designs of scale 1."""
    users = {"user_id": "int"} | dict.fromkeys(("gender", "age_group", "nccs", "townclass", "state"), "text")
    traits = dict.fromkeys(("gender", "age_group", "nccs", "townclass", "state"), ref.PERSON)
    events = {"event_id": "int", "user_id": "int", "event_date": "date", "app": "text"}
    events |= {"category": "text", "platform": "text", "duration_min": "float"}
    key = {"user_id": "key:person:0"}
    nhanes = {"wtmec2yr": "float", "hi_chol": "int", "race": "int", "agecat": "text", "riagendr": "int"}
    weight = {"weight": ref.WEIGHT}
    monthly = {"user_id": "int", "month": "date", "weight": "float"}
    tables = [
        read_table("panel_in", "panel_users", users | {"weight": "float"}, traits | key | weight),
        read_table("panel_in", "panel_events", events, key),
        read_table("panel_in", "panel_weights_monthly", monthly, weight),
        read_table("nhanes2009", "nhanes_chol", nhanes, {"wtmec2yr": ref.WEIGHT}),
        read_table("yrbs2015", "yrbs", {"weight": "float", "qn8": "int"}, weight),
    ]
    held = ("public", "panel_events")
    periods = PeriodWeights(
        ("public", "panel_weights_monthly"), ("user_id",), "month", "weight", dates={held: "event_date"}
    )
    panel = Unit(
        ("public", "panel_users"),
        ("user_id",),
        "" if months else "weight",
        carried_by={held: ("user_id",)},
        period_weights=periods if months else None,
    )
    others = (Unit(("public", "nhanes_chol"), weight="wtmec2yr"), Unit(("public", "yrbs"), weight="weight"))
    return World({table.name: table for table in tables}, SurveyDesign((panel, *others)))


def demo_questions() -> dict[str, Select]:
    """The truth file's questions as far as they are about rows, groups and aggregates (not text formatting)."""
    n, y = Base("nhanes_chol", "n"), Base("yrbs", "y")
    u, e = Base("panel_users", "u"), Base("panel_events", "e")
    high, race, sex, age = (Col(name, "n") for name in ("hi_chol", "race", "riagendr", "agecat"))
    app, day, user, minutes = (Col(name, "e") for name in ("app", "event_date", "user_id", "duration_min"))
    qn8, month, march = Col("qn8", "y"), Month(Col("event_date", "e")), Op(">=", day, Const(date(2026, 3, 1)))
    reach = Agg("count", (user,), distinct=True)
    percent = Op("*", Agg("avg", (high,)), Const(100))
    young = Case(OneOf(age, ("(0,19]", "(19,39]")), Const("under 40"), age)
    helmet = Case(Op("=", qn8, Const(1)), Const(100.0), Case(Op("=", qn8, Const(2)), Const(0)))
    joined = Join(e, u, ((user, Col("user_id", "u")),))
    per_user = Op("/", Agg("sum", (minutes,)), reach)

    def is_app(name: str) -> Expr:
        return Op("=", app, Const(name))

    def users_of(name: str) -> Select:
        return Select((("user_id", user),), e, where=is_app(name))

    persona = tuple((name, Col(name, "u")) for name in ("gender", "age_group", "nccs", "townclass"))
    days = Select(
        (("user_id", user), ("d", Agg("count", (day,), distinct=True))),
        e,
        where=Op("and", is_app("WhatsApp"), march),
        groups=(user,),
    )
    video = Select(
        (
            ("user_id", user),
            ("video", Agg("bool_or", (Op("=", Col("category", "e"), Const("Video")),))),
            ("apps", Agg("count", (app,), distinct=True)),
        ),
        e,
        groups=(user,),
    )
    by_month = Select((("month", month), ("reach", reach)), e, where=is_app("JioHotstar"), groups=(month,))
    m, r = Col("month", "m"), Col("reach", "m")
    first = Op("and", Op(">=", day, Const(date(2026, 1, 1))), Op("<", day, Const(date(2026, 2, 1))))
    total = Agg("sum", (minutes,))
    weight = Col("weight", "u")
    return {
        "nh01": Select((("n", COUNT),), n),
        "nh02": Select((("pct", percent), ("n", Agg("count", (high,)))), n),
        "nh03": Select((("race", race), ("pct", percent)), n, groups=(race,)),
        "nh04": Select((("race", race), ("riagendr", sex), ("pct", percent)), n, groups=(race, sex)),
        "nh05": Select((("agecat", age), ("n", COUNT)), n, where=Op("=", high, Const(1)), groups=(age,)),
        "nh06": Select((("age", young), ("pct", percent)), n, groups=(young,)),
        "yr01": Select((("pct", Agg("avg", (helmet,))),), y),
        "yr02": Select((("n", Agg("count", (qn8,))),), y),
        "pn01": Select((("n", COUNT),), u),
        "pn02": Select((("reach", reach),), e, where=Op("and", is_app("YouTube"), first)),
        "pn03": Select((("month", month), ("app", app), ("reach", reach)), e, groups=(month, app)),
        "pn05": Select(
            (*persona, ("reach", reach), ("mins", per_user)),
            joined,
            where=Op("and", is_app("YouTube"), march),
            groups=tuple(column for _, column in persona),
        ),
        "pn06": Select(
            (("app", app), ("per_session", Agg("avg", (minutes,))), ("per_user", per_user)),
            e,
            where=march,
            groups=(app,),
        ),
        "pn07": Select((("reach", COUNT),), Derived(SetOp("union", users_of("Netflix"), users_of("JioHotstar")), "t")),
        "pn09": Select((("users", COUNT),), Derived(days, "t"), where=Op(">=", Col("d", "t"), Const(3))),
        "pn10": Select((("days", Agg("count", (day,), distinct=True)),), e, where=is_app("BGMI")),
        "pn13": Select(
            (
                ("platform", Col("platform", "e")),
                ("pct", Op("/", Op("*", total, Const(100.0)), Over("sum", total))),
            ),
            e,
            groups=(Col("platform", "e"),),
        ),
        "pn14": Select((("month", month), ("reach", reach)), e, where=is_app("Instagram"), groups=(month,)),
        "pn18": Select(
            (("video", Col("video", "v")), ("users", COUNT), ("avg_apps", Agg("avg", (Col("apps", "v"),)))),
            Derived(video, "v"),
            groups=(Col("video", "v"),),
        ),
        "pn19": Select((("month", m), ("reach", r)), Derived(by_month, "m")),
        "pn20": Select((("events", COUNT),), e),
        "pn21": Select(
            (("month", month), ("reach", reach)), e, where=is_app("Flipkart"), groups=(month,), sets="rollup"
        ),
        "pn23": Select((("n", COUNT),), u, where=Op(">", weight, Const(0))),
        "pn24": Select((("avg_w", Agg("avg", (weight,))), ("max_w", Agg("max", (weight,)))), u),
        "pn27": Select(
            (
                ("a", Agg("sum", (Const(1),))),
                ("b", Agg("count", (Const(1),))),
                ("c", Agg("count", (Col("event_id", "e"),))),
                ("d", Agg("count", (minutes,))),
            ),
            e,
        ),
    }


@cache
def truth() -> dict[str, dict[str, Any]]:  # Any: a case of the truth file
    lines = TRUTH.read_text(encoding="utf-8").splitlines()
    return {case["id"]: case for case in map(json.loads, lines)}


@pytest.mark.parametrize("name", demo_questions())
def test_it_answers_as_r_does(name: str) -> None:
    query, case = demo_questions()[name], truth()[name]

    got = answer(query, demo_world(months=(name == "pn14")))

    wanted = [*case["key_columns"], *(column for column in case["value_columns"] if column in got.names)]
    assert set(wanted) <= set(got.names)
    expected = [tuple(spelled(row[column]) for column in wanted) for row in case["expected"]]
    shown = [tuple(spelled(row[got.names.index(column)]) for column in wanted) for row in got.rows]
    assert not differences(expected, shown), differences(expected, shown)


def spelled(value: Any) -> ref.Value:
    """As the truth file spells it: months as text, keys as text, the total of a ROLLUP as ALL."""
    match value:
        case None:
            return "ALL"
        case bool():
            return str(value).lower()
        case date():
            return f"{value:%Y-%m}"
        case str() if value.isdigit():
            return int(value)
        case _:
            return value  # type: ignore[no-any-return]
