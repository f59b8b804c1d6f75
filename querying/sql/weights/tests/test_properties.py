"""What must hold of every answer whatever the reference thinks: weights of one, scaled weights, order, fan-out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from querying.sql.weights.tests import reference as ref
from querying.sql.weights.tests.conftest import Database, Outcome, ask_product, differences, is_weighed
from querying.sql.weights.tests.questions import REFUSED, Maker, Question, is_census, make_world, populate, seeded
from querying.sql.weights.tests.reference import (
    Agg,
    Expr,
    Op,
    Over,
    Select,
    SetOp,
    Table,
    Value,
    World,
    answer,
)

WORLDS: Final = int(os.environ.get("WEIGHTING_FUZZ", "50"))
SEEDS: Final = st.integers(0, 2**32 - 1)
REAL_DATABASE: Final = settings(
    max_examples=WORLDS,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

pytestmark = pytest.mark.skipif(not is_weighed(), reason="nothing is weighted yet")


def ask_all(database: Database, world: World, questions: list[Question]) -> list[Outcome]:
    with database.holding(world):
        return [ask_product(database, world, question.sql(world)) for question in questions]


# Weights of one


@REAL_DATABASE
@given(SEEDS)
def test_weights_of_one_give_the_unweighted_answer(database: Database, seed: int) -> None:
    world, questions = seeded(seed, ones=True, complete=True)

    with database.holding(world):
        for question in questions:
            outcome = ask_product(database, world, question.sql(world))
            if outcome.refusal or question.expect == REFUSED or is_documented_otherwise(world, question):
                continue
            _, unweighted = database.ask(question.sql(world))
            found = differences(unweighted, outcome.rows)
            assert not outcome.fault, f"{outcome.fault}\n{outcome.sql}"
            assert not found, f"{question.sql(world)}\n{found}\n{outcome.sql}"


def is_documented_otherwise(world: World, question: Question) -> bool:
    """Persons are taken once where events would count, PERCENTILE_CONT does not interpolate, NULL is nobody."""
    done = (answer(question.query, world, reading).done for reading in question.readings)
    return any(one & {"once", "nobody"} for one in done) or "percentile_cont" in repr(question.query)


# Whole weights


@REAL_DATABASE
@given(SEEDS)
def test_an_estimate_is_what_is_counted_in_the_population(database: Database, seed: int) -> None:
    """Each person copied as often as they weigh, with all their events, and then no weights at all."""
    world, questions = seeded(seed, whole=True)
    wanted = [
        question
        for question in questions
        if question.expect != REFUSED and is_census(question, answer(question.query, world).done)
    ]

    outcomes = ask_all(database, world, wanted)

    with database.holding(populate(world)):
        for question, outcome in zip(wanted, outcomes, strict=True):
            if not outcome.refusal:
                _, counted = database.ask(question.sql(world))
                found = differences(counted, outcome.rows)
                assert not found, f"{question.sql(world)}\n{found}\n{outcome.sql}"


# Weights times a thousand


@REAL_DATABASE
@given(SEEDS)
def test_weights_times_a_thousand_change_totals_only(database: Database, seed: int) -> None:
    world, questions = seeded(seed)
    plain = [bared for question in questions if (bared := bare(question))]

    before = ask_all(database, world, plain)
    after = ask_all(database, scale_weights(world, 1000), plain)

    for question, one, other in zip(plain, before, after, strict=True):
        assert (one.refusal, one.label) == (other.refusal, other.label)
        if one.label == "weighted":
            assert isinstance(question.query, Select)
            powers = [degree(item, question.query) for _, item in question.query.items]
            expected = [tuple(map(scaled, row, powers)) for row in one.rows]
            found = differences(expected, other.rows)
            assert not found, f"{question.sql(world)}\n{found}\n{one.sql}"


def bare(question: Question) -> Question | None:
    """Without what compares a total with a constant; None where that lies deeper."""
    query = question.query
    if (
        question.text
        or isinstance(query, SetOp)
        or question.name not in ("aggregated", "semi_join", "window", "rollup")
    ):
        return None
    return replace(question, query=replace(query, having=None, order=(), limit=None))


def scaled(value: Value, power: int) -> Value:
    return value * 1000**power if isinstance(value, int | float) and not isinstance(value, bool) else value


def degree(item: Expr, query: Select) -> int:
    """1 for what counts people, 0 for what is said of them."""
    match item:
        case Agg(name="count", distinct=True):
            return int(all(not isinstance(arg, ref.Col) or is_key(arg) for arg in item.args[:1]))
        case Agg():
            return int(item.name in ("count", "sum"))
        case Op(sign="*"):
            return degree(item.left, query) + degree(item.right, query)
        case Op(sign="/"):
            return degree(item.left, query) - degree(item.right, query)
        case Op(sign="-" | "+"):
            return degree(item.left, query)
        case Over():
            return 0 if item.name == "rank" else degree(item.of, query)
        case ref.Round() | ref.Coalesce():
            return degree(item.of, query)
        case _:
            return 0


def is_key(column: ref.Col) -> bool:
    return column.name.removeprefix("e_") in ("user_id", "user_name", "country", "user_no")


def scale_weights(world: World, factor: float) -> World:
    def larger(table: Table) -> Table:
        weights = [column for column, owner in table.owners.items() if owner == ref.WEIGHT]
        rows = [dict(row) | {column: times(row[column], factor) for column in weights} for row in table.rows]
        return replace(table, rows=rows)

    # a condition on the weight itself would see other weights: none compares with more than 0 but own_weights'
    return replace(world, tables={name: larger(table) for name, table in world.tables.items()})


def times(weight: Value, factor: float) -> Value:
    return weight * factor if isinstance(weight, int | float) and not math.isnan(weight) else weight


# Order


@REAL_DATABASE
@given(SEEDS)
def test_the_order_of_rows_changes_nothing(database: Database, seed: int) -> None:
    world, questions = seeded(seed)
    random = Random(seed)
    shuffled = {
        name: replace(table, rows=random.sample(list(table.rows), len(table.rows)))
        for name, table in world.tables.items()
    }

    before = ask_all(database, world, questions)
    after = ask_all(database, replace(world, tables=shuffled), questions)

    for question, one, other in zip(questions, before, after, strict=True):
        assert (one.refusal, one.label, one.sql) == (other.refusal, other.label, other.sql)
        found = differences(one.rows, other.rows)
        assert not found, f"{question.sql(world)}\n{found}\n{one.sql}"


# Fan-out


@REAL_DATABASE
@given(SEEDS)
def test_more_rows_for_the_same_events_change_no_reach(database: Database, seed: int) -> None:
    random = Random(seed)
    world = make_world(random)
    questions = list(reach_questions(random, world))

    before = ask_all(database, world, questions)
    after = ask_all(database, split_events(world, random), questions)

    for question, one, other in zip(questions, before, after, strict=True):
        assert (one.refusal, one.label, one.sql) == (other.refusal, other.label, other.sql)
        found = differences(one.rows, other.rows)
        assert not found, f"{question.sql(world)}\n{found}\n{one.sql}"


def reach_questions(random: Random, world: World) -> Iterator[Question]:
    """Reach, what is said of persons, and sums of what was split."""
    maker = Maker(random, world)
    for _ in range(6):
        scope = random.choice([maker.events, maker.events_of_persons, maker.events_by_topic])()
        scope = replace(scope, numbers=tuple(column for column in scope.numbers if column.name == "minutes"))
        group = random.choice(scope.texts)
        # a condition on minutes would see other minutes
        where = maker.maybe_condition(replace(scope, numbers=()))
        items: list[tuple[str, Expr]] = [
            ("reach", Agg("count", scope.key, distinct=True)),
            ("age", Agg("avg", (scope.traits[0],))),
            ("minutes", Agg("sum", scope.numbers)),
            ("per_user", Op("/", Agg("sum", scope.numbers), Agg("count", scope.key, distinct=True))),
        ]
        query = Select((("d1", group), *items), scope.source, where=where, groups=(group,))
        yield Question("reach", query, "either", maker.style())


def split_events(world: World, random: Random) -> World:
    """Each event becomes one, two or four rows that share its minutes."""
    events = world.tables["events"]
    rows: list[ref.RawRow] = []
    for row in events.rows:
        parts = random.choice([1, 2, 4])
        minutes = row["minutes"]
        share = minutes / parts if isinstance(minutes, int | float) else None
        rows.extend([dict(row) | {"minutes": share}] * parts)
    rows = [dict(row) | {"event_id": number} for number, row in enumerate(rows, 1)]
    return replace(world, tables={**world.tables, "events": replace(events, rows=rows)})
