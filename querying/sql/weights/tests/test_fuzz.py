"""Every question is answered rightly or refused: the product against the reference, on random worlds.

WEIGHTING_FUZZ=5000 makes that many worlds, WEIGHTING_SEED=n begins elsewhere, WEIGHTING_SHAPE=name keeps one shape.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings

from querying.sql.weights.tests.conftest import Database, Outcome, ask_product, differences, is_weighed, stored
from querying.sql.weights.tests.questions import EXACT, REFUSED, Question, seeded, worlds_and_questions
from querying.sql.weights.tests.reference import Answer, Select, World, answer

WORLDS: Final = int(os.environ.get("WEIGHTING_FUZZ", "250"))
FIRST: Final = int(os.environ.get("WEIGHTING_SEED", "0"))
SHAPE: Final = os.environ.get("WEIGHTING_SHAPE", "")

pytestmark = pytest.mark.skipif(not is_weighed(), reason="nothing is weighted yet")


def test_every_answer_is_right_or_refused(database: Database) -> None:
    faults: dict[str, list[str]] = {}
    outcomes: Counter[tuple[str, str]] = Counter()
    for seed in range(FIRST, FIRST + WORLDS):
        world, questions = seeded(seed)
        with database.holding(world):
            asked = [(question, judge(database, world, question)) for question in questions]
        for question, (verdict, outcome) in asked:
            outcomes[question.name, outcome.refusal or outcome.label] += 1
            if verdict and SHAPE in question.name:
                faults.setdefault(f"{question.name}: {kind(verdict)}", []).append(
                    f"{seed} {question.sql(world)}\n    {verdict}\n    {outcome.sql}"
                )

    assert not faults, report(faults)
    assert outcomes["aggregated", "weighted"] > WORLDS


@settings(
    max_examples=max(60, WORLDS // 5),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(worlds_and_questions())
def test_odd_examples_too(database: Database, case: tuple[World, list[Question]]) -> None:
    world, questions = case
    with database.holding(world):
        verdicts = [(question.sql(world), *judge(database, world, question)) for question in questions]
    faults = [f"{sql}\n{verdict}\n{outcome.sql}\n{show(world)}" for sql, verdict, outcome in verdicts if verdict]
    assert not faults, "\n\n".join(faults)


def judge(database: Database, world: World, question: Question) -> tuple[str, Outcome]:
    """What is wrong with the product's answer; empty if nothing is."""
    outcome = ask_product(database, world, question.sql(world))
    if outcome.fault:
        return f"FAULT {outcome.fault}", outcome
    if outcome.refusal:
        unwanted = question.expect == EXACT
        return (f"REFUSED {outcome.refusal}: {outcome.message}" if unwanted else ""), outcome
    if question.expect == REFUSED:
        return f"ANSWERED ({outcome.label}) {list(outcome.rows)}", outcome
    right = [answer(question.query, world, reading) for reading in question.readings]
    if question.name == "row_windows":
        right = [replace(one, names=one.names[-2:], rows=[row[-2:] for row in one.rows]) for one in right]
    verdicts = [
        compare(one, outcome, ordered=isinstance(question.query, Select) and bool(question.query.order))
        for one in right
    ]
    return ("" if "" in verdicts else verdicts[0]), outcome


def compare(right: Answer, outcome: Outcome, *, ordered: bool) -> str:
    if right.names != outcome.names:
        return f"NAMES expected {right.names} got {outcome.names}"
    if found := differences(right.rows, outcome.rows, ordered=ordered):
        return f"WRONG ({outcome.label}) {found}"
    weighted, labelled = "weighted" in right.done, outcome.label in ("weighted", "mixed")
    if weighted != labelled and right.rows:
        return f"LABEL {outcome.label}, but done {sorted(right.done)}"
    return ""


def kind(verdict: str) -> str:
    words = verdict.split()
    return " ".join(words[:2]) if words[0] in ("WRONG", "LABEL") else verdict[:90]


def report(faults: dict[str, list[str]]) -> str:
    lines = [f"{sum(map(len, faults.values()))} faults of {len(faults)} kinds"]
    for name, found in sorted(faults.items(), key=lambda pair: -len(pair[1])):
        lines.append(f"\n== {len(found)} times {name}\n  " + min(found, key=len))
    return "\n".join(lines)


def show(world: World) -> str:
    tables = [
        f"{table.name}: " + "; ".join(", ".join(stored(value) for value in row.values()) for row in table.rows)
        for table in world.tables.values()
    ]
    return "\n".join([*tables, repr(world.design)])
