"""Answers on the demo datasets, against SQL that a statistician writes by hand and errors computed person by person."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shlex
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datasets.catalog import DatasetSpec
from datasets.conditions import OPERATORS, Condition
from datasets.design import SUPPRESS, LowBase
from logs_analytics.models import QueryLog
from querying.analysis.answers import HIDDEN, logit_interval
from querying.analysis.periods import Days
from querying.analysis.question import KINDS
from querying.analysis.rendering import structure_of
from querying.analysis.tests.worlds import (
    PERSONAS,
    Json,
    answer_of,
    ask,
    error_of,
    numbers,
    rows_of,
    serve,
    values,
)
from querying.engine import Engine
from querying.management.commands.analyze import Command, build_document

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = "FROM panel_users WHERE weight > 0"
EVENTS = "FROM panel_events JOIN panel_users USING (user_id) WHERE weight > 0"
MARCH = "event_date BETWEEN '2026-03-01' AND '2026-03-31'"
ALL: Json = {"dataset": "panel_in", "period": "all"}

# A question, and SQL with weights that gives its groups and numbers.
BY_HAND: dict[str, tuple[Json, str]] = {
    "people": (
        {"metrics": ["people"], "by": ["gender"]},
        f"SELECT gender, sum(weight) * 1000 {PEOPLE} GROUP BY 1",
    ),
    "reach": (
        {"metrics": [{"kind": "people", "column": "panel_events"}], "by": ["app"]},
        f"SELECT app, sum(weight) * 1000 FROM (SELECT DISTINCT app, user_id, weight {EVENTS}) AS x GROUP BY 1",
    ),
    "events": (
        {"metrics": ["events"], "by": ["platform", "gender"]},
        f"SELECT platform, gender, sum(weight) * 1000 {EVENTS} GROUP BY 1, 2",
    ),
    "sum": (
        {"metrics": [{"kind": "sum", "column": "duration_min"}], "by": ["category"]},
        f"SELECT category, sum(weight * duration_min) * 1000 {EVENTS} GROUP BY 1",
    ),
    "mean": (
        {"metrics": [{"kind": "mean", "column": "duration_min"}], "by": ["nccs"]},
        "SELECT nccs, sum(weight * duration_min) / sum(weight) FILTER (WHERE duration_min IS NOT NULL) "
        f"{EVENTS} GROUP BY 1",
    ),
    "share": (
        {"metrics": [{"kind": "share", "column": "nccs", "value": ["A", "A1"]}], "by": ["gender"]},
        f"SELECT gender, sum(weight) FILTER (WHERE nccs IN ('A', 'A1')) / sum(weight) {PEOPLE} GROUP BY 1",
    ),
    "share of people reached": (
        {"metrics": [{"kind": "share", "column": "gender", "value": "Female"}], "by": ["app"]},
        "SELECT app, sum(weight) FILTER (WHERE gender = 'Female') / sum(weight) "
        f"FROM (SELECT DISTINCT app, user_id, gender, weight {EVENTS}) AS x GROUP BY 1",
    ),
    "per person": (
        {"metrics": [{"kind": "per_person", "column": "duration_min"}], "by": ["app"]},
        "SELECT app, sum(weight * minutes) / sum(weight) FROM (SELECT app, user_id, weight, sum(duration_min) AS "
        f"minutes {EVENTS} GROUP BY 1, 2, 3) AS x GROUP BY 1",
    ),
    "events per person": (
        {"metrics": ["per_person"], "by": ["gender"]},
        f"SELECT gender, sum(weight * n) / sum(weight) FROM (SELECT gender, user_id, weight, count(*) AS n {EVENTS} "
        "GROUP BY 1, 2, 3) AS x GROUP BY 1",
    ),
    "per everyone": (
        {"metrics": [{"kind": "per_person", "column": "duration_min", "per": "everyone"}], "by": ["gender"],
         "where": [{"column": "app", "value": "BGMI"}]},
        "SELECT gender, sum(weight * coalesce(minutes, 0)) / sum(weight) FROM panel_users LEFT JOIN (SELECT user_id, "
        "sum(duration_min) AS minutes FROM panel_events WHERE app = 'BGMI' GROUP BY 1) AS x USING (user_id) "
        "WHERE weight > 0 GROUP BY 1",
    ),
    "per everyone by app": (
        {"metrics": [{"kind": "per_person", "per": "everyone"}], "by": ["app"]},
        f"SELECT app, sum(weight) / (SELECT sum(weight) {PEOPLE}) {EVENTS} GROUP BY 1",
    ),
    "frequency": (
        {"metrics": ["frequency"], "by": ["app"]},
        f"SELECT app, sum(weight * n) / sum(weight) FROM (SELECT app, user_id, weight, count(*) AS n {EVENTS} "
        "GROUP BY 1, 2, 3) AS x GROUP BY 1",
    ),
    "median": (
        {"metrics": [{"kind": "median", "column": "duration_min"}], "by": ["app"]},
        "SELECT app, min(duration_min) FILTER (WHERE below >= 0.5 * whole) FROM (SELECT app, duration_min, "
        "sum(weight) OVER (PARTITION BY app ORDER BY duration_min) AS below, "
        f"sum(weight) OVER (PARTITION BY app) AS whole {EVENTS} AND duration_min IS NOT NULL) AS x GROUP BY 1",
    ),
    "quantile": (
        {"metrics": [{"kind": "quantile", "column": "duration_min", "q": 0.9}]},
        "SELECT min(duration_min) FILTER (WHERE below >= 0.9 * whole) FROM (SELECT duration_min, "
        "sum(weight) OVER (ORDER BY duration_min) AS below, sum(weight) OVER () AS whole "
        f"{EVENTS} AND duration_min IS NOT NULL) AS x",
    ),
    "ratio": (
        {"metrics": [{"kind": "ratio", "column": "duration_min", "per": "event_id"}], "by": ["gender"]},
        f"SELECT gender, sum(weight * duration_min) / sum(weight * event_id) {EVENTS} GROUP BY 1",
    ),
    "penetration": (
        {"metrics": ["penetration"], "by": ["gender"], "where": [{"column": "app", "value": "YouTube"}]},
        "SELECT gender, sum(weight) FILTER (WHERE user_id IN (SELECT user_id FROM panel_events WHERE app = 'YouTube')) "
        f"/ sum(weight) {PEOPLE} GROUP BY 1",
    ),
    "penetration by app": (
        {"metrics": ["penetration"], "by": ["gender", "app"], "where": [{"column": "nccs", "op": "!=", "value": "E"}]},
        "SELECT gender, app, sum(weight) / min(everybody) FROM (SELECT DISTINCT gender, app, user_id, weight "
        f"{EVENTS} AND nccs <> 'E') AS x JOIN (SELECT gender, sum(weight) AS everybody {PEOPLE} AND nccs <> 'E' "
        "GROUP BY 1) AS y USING (gender) GROUP BY 1, 2",
    ),
    "every operator": (
        {"metrics": ["people"], "where": [
            {"column": "app", "op": "like", "value": "%e%"},
            {"column": "platform", "op": "in", "value": ["iOS", "Web"]},
            {"column": "duration_min", "op": "between", "value": [2, 20.5]},
            {"column": "state", "op": "!=", "value": "UP"},
            {"column": "nccs", "op": "is_null", "value": False}, {"column": "gender", "op": "=", "value": "Male"},
            {"column": "event_date", "op": "between", "value": ["2026-01-05", "2026-02-20"]}]},
        "SELECT sum(weight) * 1000 FROM panel_users WHERE weight > 0 AND gender = 'Male' AND state <> 'UP' AND user_id "
        "IN (SELECT user_id FROM panel_events WHERE app LIKE '%e%' AND platform IN ('iOS', 'Web') "
        "AND duration_min BETWEEN 2 AND 20.5 AND event_date BETWEEN '2026-01-05' AND '2026-02-20')",
    ),
    **{
        bucket: (
            {"metrics": ["people"], "by": [bucket]},
            "SELECT bucket::text, sum(weight) * 1000 FROM (SELECT DISTINCT "
            f"date_trunc('{bucket}', event_date)::date AS bucket, user_id, weight {EVENTS}) AS x GROUP BY 1",
        )
        for bucket in ("day", "week", "month", "quarter")
    },
    "a persona as a condition": (
        {"metrics": ["people"], "where": "Young women"},
        f"SELECT sum(weight) * 1000 {PEOPLE} AND gender = 'Female' AND age_group IN ('15-17', '18-24')",
    ),
    "a persona as a group": (
        {"metrics": ["people"], "by": ["upper class"]},
        "SELECT CASE WHEN nccs IN ('A', 'A1') THEN 'Upper class' ELSE 'others' END, sum(weight) * 1000 "
        f"{PEOPLE} GROUP BY 1",
    ),
    "the days of a period": (
        {"metrics": ["people"], "period": {"from": "2026-03-01", "to": "2026-03-31"}},
        f"SELECT sum(weight) * 1000 {PEOPLE} AND user_id IN (SELECT user_id FROM panel_events WHERE {MARCH})",
    ),
    "the last month of the data": (
        {"metrics": ["people"], "period": "last_month"},
        f"SELECT sum(weight) * 1000 {PEOPLE} AND user_id IN (SELECT user_id FROM panel_events WHERE {MARCH})",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
async def test_answers_as_weighted_sql_by_hand(name: str, demo_engine: Engine, panel_url: str) -> None:
    question, sql = BY_HAND[name]

    analysis = await answer_of(demo_engine, {**ALL, **question})

    expected = {row[:-1]: float(row[-1]) for row in rows_of(panel_url, sql)}
    assert {key: number.value for key, number in numbers(analysis).items()} == pytest.approx(expected)
    assert analysis.plan.weighting == "weighted"


async def test_several_metrics_answer_as_each_alone(demo_engine: Engine) -> None:
    names = ("sum", "mean", "frequency", "median", "ratio", "penetration by app")
    metrics = [metric for name in names for metric in BY_HAND[name][0]["metrics"]]
    question = {**ALL, "by": ["category", "gender"]}

    together = await answer_of(demo_engine, {**question, "metrics": metrics})

    for place, metric in enumerate(metrics):
        alone = await answer_of(demo_engine, {**question, "metrics": [metric]})
        assert numbers(together, place) == numbers(alone)


async def test_a_share_of_yrbs_is_the_published_one(demo_engine: Engine) -> None:
    question = {"dataset": "yrbs2015", "metrics": [{"kind": "share", "column": "qn8", "value": 1}]}

    number = numbers(await answer_of(demo_engine, question))[()]

    assert number.value == pytest.approx(0.814, abs=0.0005)
    assert number.low == pytest.approx(0.770, abs=0.0005)
    assert number.high == pytest.approx(0.851, abs=0.0005)
    assert number.n == 8757


async def test_the_groups_of_nhanes_are_those_of_r(demo_engine: Engine) -> None:
    question = {
        "dataset": "nhanes2009",
        "metrics": [{"kind": "share", "column": "hi_chol", "value": 1}],
        "by": ["race"],
    }

    found = numbers(await answer_of(demo_engine, question))

    assert found[("1",)].value == pytest.approx(0.10149166545397181)
    assert [number.n for _, number in sorted(found.items())] == [2532, 3450, 1406, 458]


async def test_weights_of_a_month_are_those_of_the_month(demo_engine: Engine, panel_url: str) -> None:
    question = {"dataset": "panel_in_monthly", "metrics": ["people", "penetration"]}

    analysis = await answer_of(demo_engine, {**question, "by": ["month"]})

    reach = {
        month: float(reached)
        for month, reached in rows_of(
            panel_url,
            "SELECT month::text, sum(weight) * 1000 FROM panel_weights_monthly AS w WHERE weight > 0 AND EXISTS "
            "(SELECT FROM panel_events AS e WHERE e.user_id = w.user_id AND date_trunc('month', event_date) = month) "
            "GROUP BY 1",
        )
    }
    everybody = dict(rows_of(panel_url, "SELECT month::text, sum(weight) * 1000 FROM panel_weights_monthly GROUP BY 1"))
    assert {key: number.value for (key,), number in numbers(analysis).items()} == pytest.approx(reach)
    shares = {month: reach[month] / everybody[month] for month in reach}
    assert {key: number.value for (key,), number in numbers(analysis, 1).items()} == pytest.approx(shares)


async def test_a_day_named_in_conditions_has_the_weights_of_its_month(demo_engine: Engine) -> None:
    """Also everybody of that day, who are those of its month."""
    day = {"column": "event_date", "op": "between", "value": ["2026-02-03", "2026-02-09"]}
    question = {"dataset": "panel_in_monthly", "metrics": ["penetration"], "by": ["gender"]}

    named = numbers(await answer_of(demo_engine, {**question, "where": [day]}))
    as_period = await answer_of(demo_engine, {**question, "period": {"from": "2026-02-03", "to": "2026-02-09"}})

    assert named == numbers(as_period)
    assert all(number.value for number in named.values())


@pytest.mark.parametrize("compare", [None, {"segment": [{"column": "gender", "value": "Male"}]}], ids=str)
async def test_weights_of_several_months_are_refused_in_the_words_of_a_question(
    compare: Any, demo_engine: Engine
) -> None:
    question = {"dataset": "panel_in_monthly", "metrics": ["people"], "by": ["app"], "period": "all"}

    error = await error_of(demo_engine, {**question, "compare": compare})

    assert error.code == "weighting_unsupported"
    assert '"by": ["month"]' in error.hint


async def test_reach_over_months_with_weights_of_each_is_refused_with_the_way_out(demo_engine: Engine) -> None:
    question = {"dataset": "panel_in_monthly", "metrics": ["people"], "period": "all", "by": ["app"]}

    error = await error_of(demo_engine, question)

    assert error.code == "weighting_unsupported"
    assert '"by": ["month"]' in error.hint
    assert "line" not in error.message


# ── bases and errors ─────────────────────────────────────────────────────────────────────────────────────────
Sample = dict[int, tuple[float, dict[str, str]]]  # weight and attributes by person


def sample_of(url: str) -> Sample:
    rows = rows_of(url, "SELECT user_id, weight, gender, age_group FROM panel_users WHERE weight > 0")
    return {user: (weight, {"gender": gender, "age_group": age}) for user, weight, gender, age in rows}


def error_of_total(scores: list[float], persons: int) -> float:
    """Of a sum over persons, with replacement: each person's part of it is one draw."""
    mean = sum(scores) / persons
    squares = sum((score - mean) ** 2 for score in scores) + (persons - len(scores)) * mean**2
    return math.sqrt(persons / (persons - 1) * squares)


def error_of_ratio(upper: dict[int, float], lower: dict[int, float], persons: int) -> float:
    ratio = sum(upper.values()) / sum(lower.values())
    users = upper.keys() | lower.keys()
    scores = [(upper.get(user, 0.0) - ratio * lower.get(user, 0.0)) / sum(lower.values()) for user in users]
    return error_of_total(scores, persons)


async def test_penetration_within_events_has_the_error_of_a_ratio(demo_engine: Engine, panel_url: str) -> None:
    analysis = await answer_of(demo_engine, {**ALL, "metrics": ["penetration"], "by": ["app", "gender"]})

    sample = sample_of(panel_url)
    users = defaultdict(set)
    for user, app in rows_of(panel_url, "SELECT DISTINCT user_id, app FROM panel_events"):
        users[app].add(user)
    for (app, gender), number in numbers(analysis).items():
        everybody = {user: weight for user, (weight, who) in sample.items() if who["gender"] == gender}
        reached = {user: weight for user, weight in everybody.items() if user in users[app]}
        error = error_of_ratio(reached, everybody, len(sample))
        assert number.se == pytest.approx(error)
        assert number.n == len(everybody)
        assert (number.low, number.high) == pytest.approx(logit_interval(number.value, error, number.effective, 0))


async def test_both_ways_to_penetration_agree(demo_engine: Engine) -> None:
    """By attributes a mean over persons says it; beside a group of events two statements do."""
    where = [{"column": "app", "value": "Netflix"}]

    one = await answer_of(demo_engine, {**ALL, "metrics": ["penetration"], "by": ["gender"], "where": where})
    two = await answer_of(demo_engine, {**ALL, "metrics": ["penetration"], "by": ["gender", "app"], "where": where})

    for gender in ("Female", "Male"):
        mean, ratio = numbers(one)[(gender,)], numbers(two)[gender, "Netflix"]
        assert (mean.value, mean.se, mean.n) == pytest.approx((ratio.value, ratio.se, ratio.n))


@pytest.mark.parametrize(
    ("metric", "totals"),
    [
        ("people", lambda rows: (float(bool(rows)), None)),
        ("events", lambda rows: (float(len(rows)), None)),
        ({"kind": "mean", "column": "duration_min"}, lambda rows: (sum(rows.known), float(len(rows.known)))),
        ({"kind": "per_person", "column": "duration_min"}, lambda rows: (sum(rows.known), float(bool(rows)))),
    ],
)
async def test_a_difference_of_periods_has_the_error_of_each_persons_difference(
    metric: Any, totals: Callable[[Uses], tuple[float, float | None]], demo_engine: Engine, panel_url: str
) -> None:
    question = {"dataset": "panel_in", "metrics": [metric], "compare": "previous_period",
                "where": [{"column": "app", "value": "Instagram"}]}  # fmt: skip

    analysis = await answer_of(demo_engine, question)

    weights = {user: weight for user, (weight, _) in sample_of(panel_url).items()}
    found = rows_of(
        panel_url, "SELECT user_id, to_char(event_date, 'MM'), duration_min FROM panel_events WHERE app = 'Instagram'"
    )
    scores: dict[int, float] = defaultdict(float)
    estimates = {}
    for month, sign in (("03", 1.0), ("02", -1.0)):
        uses: dict[int, Uses] = defaultdict(Uses)
        for user, at, minutes in found:
            if at == month and user in weights:
                uses[user].append(minutes)
        parts = {user: totals(rows) for user, rows in uses.items()}
        upper = {user: weights[user] * part[0] for user, part in parts.items()}
        lower = {user: weights[user] * (part[1] or 0.0) for user, part in parts.items()}
        whole = sum(lower.values())
        estimates[month] = sum(upper.values()) / whole if whole else 1000 * sum(upper.values())
        for user in parts:
            score = (upper[user] - estimates[month] * lower[user]) / whole if whole else 1000 * upper[user]
            scores[user] += sign * score
    error = error_of_total(list(scores.values()), len(weights))
    current, before, difference = analysis.grid.rows[0].numbers
    assert (current.value, before.value) == pytest.approx((estimates["03"], estimates["02"]))
    assert difference.value == pytest.approx(estimates["03"] - estimates["02"])
    assert difference.se == pytest.approx(error)
    assert difference.significant == (abs(estimates["03"] - estimates["02"]) > 1.96 * error)


class Uses(list[float | None]):
    @property
    def known(self) -> list[float]:
        return [minutes for minutes in self if minutes is not None]


async def test_a_segment_replaces_the_conditions_on_its_columns(demo_engine: Engine, panel_url: str) -> None:
    where = [{"column": "gender", "value": "Female"}, {"column": "app", "value": "YouTube"}]
    men = {"segment": [{"column": "gender", "value": "Male"}], "label": "men"}

    analysis = await answer_of(demo_engine, {**ALL, "metrics": ["people"], "where": where, "compare": men})

    reach = dict(
        rows_of(
            panel_url,
            "SELECT gender, sum(weight) * 1000 FROM panel_users WHERE weight > 0 AND user_id IN "
            "(SELECT user_id FROM panel_events WHERE app = 'YouTube') GROUP BY 1",
        )
    )
    women, other, difference = (number.value for number in analysis.grid.rows[0].numbers)
    assert (women, other) == pytest.approx((reach["Female"], reach["Male"]))
    assert difference == pytest.approx(reach["Female"] - reach["Male"])
    assert analysis.grid.headings[1].label == "people (men)"


async def test_a_segment_without_conditions_is_everybody(demo_engine: Engine) -> None:
    question = {**ALL, "metrics": [{"kind": "share", "column": "nccs", "value": "A"}], "compare": {"segment": []}}

    analysis = await answer_of(demo_engine, {**question, "where": "Young women"})

    alone = await answer_of(demo_engine, {**ALL, "metrics": question["metrics"]})
    assert analysis.grid.rows[0].numbers[1].value == pytest.approx(alone.grid.rows[0].numbers[0].value)


async def test_a_difference_on_a_small_base_is_not_tested(demo_engine: Engine) -> None:
    small = [{"column": "nccs", "value": "E"}, {"column": "gender", "value": "Female"}]

    analysis = await answer_of(
        demo_engine, {**ALL, "metrics": ["penetration"], "where": small, "compare": {"segment": []}}
    )

    difference = analysis.grid.rows[0].numbers[2]
    assert difference.se is not None
    assert difference.significant is None


async def test_weights_of_two_months_are_compared_side_by_side_without_a_test(demo_engine: Engine) -> None:
    question = {"dataset": "panel_in_monthly", "metrics": ["people"], "compare": "previous_period"}

    answer = await ask(demo_engine, question)

    assert answer.value is not None
    current, before, difference = answer.value.grid.rows[0].numbers
    months = await answer_of(demo_engine, {**question, "compare": None, "by": ["month"]})
    assert current.value == numbers(months)[("2026-03-01",)].value
    assert before.value == numbers(months)[("2026-02-01",)].value
    assert difference.significant is None
    assert "no difference is tested" in answer.text


async def test_letters_say_which_groups_are_lower(demo_engine: Engine, panel_url: str) -> None:
    question = {**ALL, "metrics": ["penetration"], "by": ["age_group"], "where": [{"column": "app", "value": "BGMI"}]}

    analysis = await answer_of(demo_engine, {**question, "compare": "columns"})

    sample = sample_of(panel_url)
    users = {user for (user,) in rows_of(panel_url, "SELECT DISTINCT user_id FROM panel_events WHERE app = 'BGMI'")}
    found = numbers(analysis)
    expected = {}
    for (own,), number in found.items():
        letters = ""
        for letter, (other,) in zip("ABCDEF", found, strict=True):
            scores = []
            for user, (weight, who) in sample.items():
                score = 0.0
                for group, sign in ((own, 1), (other, -1)):
                    if who["age_group"] == group and own != other:
                        base = found[(group,)]
                        assert base.value is not None
                        assert base.weighted is not None
                        score += sign * weight * ((user in users) - base.value) / (base.weighted / 1000)
                scores.append(score)
            enough = min(number.effective or 0, found[(other,)].effective or 0) >= 30
            difference = (number.value or 0) - (found[(other,)].value or 0)
            if own != other and enough and difference > 1.96 * error_of_total(scores, len(sample)):
                letters += letter
        expected[(own,)] = letters
    assert {key: number.letters for key, number in found.items()} == expected
    assert any(expected.values())


async def test_letters_of_many_metrics_and_groups_are_asked_in_several_statements(demo_engine: Engine) -> None:
    metrics: list[Any] = ["people", {"kind": "mean", "column": "duration_min"}]

    analysis = await answer_of(
        demo_engine, {**ALL, "metrics": metrics, "by": ["gender", "category"], "compare": "columns"}
    )

    alone = await answer_of(
        demo_engine,
        {**ALL, "metrics": metrics[1:], "by": ["category"], "compare": "columns",
         "where": [{"column": "gender", "value": "Male"}]},
    )  # fmt: skip
    for (category,), number in numbers(alone).items():
        assert numbers(analysis, 1)["Male", category].letters == number.letters
    assert any(number.letters for number in numbers(analysis).values())


async def test_letters_compare_who_is_of_a_persona_with_the_others(demo_engine: Engine) -> None:
    question = {**ALL, "metrics": [{"kind": "share", "column": "nccs", "value": ["A", "A1"]}], "by": ["Young women"]}

    analysis = await answer_of(demo_engine, {**question, "compare": "columns"})

    segment = {"segment": [], "label": "all"}
    found = numbers(analysis)
    assert set(found) == {("Young women",), ("others",)}
    users = await answer_of(
        demo_engine, {**ALL, "metrics": question["metrics"], "where": "Young women", "compare": segment}
    )
    assert users.grid.rows[0].numbers[0].value == pytest.approx(found[("Young women",)].value)


async def test_an_attribute_that_only_events_hold_is_a_persons_with_one_of_them(
    demo_engine: Engine, demos: dict[str, DatasetSpec], panel_url: str
) -> None:
    design = demos["panel_in"].survey_design
    assert design is not None
    (unit,) = design.units
    units = (replace(unit, attributes=unit.attributes | {"app"}),)
    users = {"YouTube users": (Condition("app", "=", ("YouTube",)),)}
    denormalised = replace(demos["panel_in"], survey_design=replace(design, units=units), personas=users, entry_id=98)
    engine = serve(demo_engine, {"panel_in": denormalised})

    analysis = await answer_of(engine, {**ALL, "metrics": ["people"], "by": ["YouTube users"]})

    who = "user_id IN (SELECT user_id FROM panel_events WHERE app = 'YouTube')"
    expected = rows_of(panel_url, f"SELECT {who}, sum(weight) * 1000 {PEOPLE} GROUP BY 1")
    assert {label == ("YouTube users",): number.value for label, number in numbers(analysis).items()} == {
        known: pytest.approx(total) for known, total in expected
    }


async def test_merged_classes_are_applied_and_said(demo_engine: Engine, demos: dict[str, DatasetSpec]) -> None:
    merged = replace(demos["panel_in"], merges={"nccs": {"Upper": ("A", "A1")}}, entry_id=99)
    engine = serve(demo_engine, {"panel_in": merged})
    question = {**ALL, "metrics": ["people"], "by": ["nccs"]}
    labels = [{"column": "nccs", "op": "in", "value": ["Upper", "E"]}]

    answer = await ask(engine, {**question, "where": labels})
    refused = await error_of(engine, {**question, "where": [{"column": "nccs", "value": "A1"}]})

    assert answer.value is not None
    assert set(numbers(answer.value)) == {("E",), ("Upper",)}
    assert "Merged: nccs: Upper = A, A1." in answer.text
    assert "Upper" in refused.message
    assert "line" not in refused.message


# ── few persons withheld ─────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def discreet(demo_engine: Engine, demos: dict[str, DatasetSpec]) -> Engine:
    """The engine, where the panel withholds what rests on fewer than 30 persons."""
    design = demos["panel_in"].survey_design
    assert design is not None
    withholding = replace(design, low_base=LowBase(SUPPRESS, 120, 150, 200))
    return serve(demo_engine, {"panel_in": replace(demos["panel_in"], survey_design=withholding, entry_id=97)})


SMALL_GROUPS: list[Json] = [
    {"metrics": ["people"], "by": ["gender", "nccs"], "total": True},
    {"metrics": ["people", {"kind": "share", "column": "gender", "value": "Female"}], "by": ["state", "nccs"]},
    {"metrics": ["penetration", "events", {"kind": "per_person", "per": "everyone"}], "by": ["nccs", "gender"]},
    {"metrics": ["penetration", {"kind": "median", "column": "duration_min"}], "by": ["nccs", "app"], "total": True},
    {"metrics": ["people", "penetration"], "by": ["nccs", "month"], "compare": "columns"},
    {"metrics": ["people"], "by": ["state"], "where": [{"column": "nccs", "value": "A"}],
     "compare": {"segment": [{"column": "nccs", "value": "E"}]}},
]  # fmt: skip


@pytest.mark.parametrize("question", SMALL_GROUPS, ids=str)
async def test_whoever_is_withheld_is_in_no_number_that_is_left(question: Json, discreet: Engine) -> None:
    """Of an answer that withholds nothing, the rows that are shown and no others; totals of nobody withheld."""
    shown = {"panel_in": replace(discreet.catalog.datasets["panel_in"], entry_id=96)}
    design = shown["panel_in"].survey_design
    assert design is not None
    withholding = await answer_of(discreet, {**ALL, **question})
    open_design = replace(design, low_base=replace(design.low_base, action="flag"))
    known = await answer_of(
        serve(discreet, {"panel_in": replace(shown["panel_in"], survey_design=open_design)}), {**ALL, **question}
    )

    weak = {row.groups for row in known.grid.rows if any(number.flag == "**" for number in row.numbers)}
    hidden = [row for row in withholding.grid.rows if row.is_withheld]
    assert weak
    assert weak <= {row.groups for row in hidden}
    assert list(withholding.grid.rows[-len(hidden) :]) == hidden
    assert {number for row in hidden for number in row.numbers} == {HIDDEN}
    whole = values(known.grid.rows)
    assert all(whole[row.groups] == values([row])[row.groups] for row in withholding.grid.rows if row not in hidden)
    if question.get("total"):
        assert withholding.total is not None
        above = {groups[:-1] for groups in {row.groups for row in hidden}}
        assert {row.groups for row in withholding.total.rows if row.is_withheld} >= above


async def test_a_total_beside_rows_that_a_limit_leaves_out_is_withheld(discreet: Engine) -> None:
    question = {**ALL, "metrics": ["people"], "by": ["gender"], "total": True}

    whole = await ask(discreet, question)
    limited = await ask(discreet, {**question, "limit": 1})

    assert "|**total**|509991836|1473|" in whole.text
    assert "|**total**||**|" in limited.text
    assert "withheld" in limited.text
    assert limited.value is not None
    assert structure_of(limited.value)["total"] == [
        {"groups": [], "cells": [{"value": None, "withheld": True, "flag": "**"}]}
    ]


async def test_the_period_follows_the_data_where_few_are_withheld(discreet: Engine) -> None:
    analysis = await answer_of(discreet, {"dataset": "panel_in", "metrics": ["people"], "by": ["app"], "limit": 3})

    assert analysis.timing.days == Days(date(2026, 3, 1), date(2026, 3, 31))


async def test_unweighted_numbers_are_refused_where_few_are_withheld(discreet: Engine) -> None:
    error = await error_of(discreet, {**ALL, "metrics": ["people"], "weighting": "off"})

    assert error.code == "base_unknown"
    assert "unweighted numbers do not tell their base" in error.hint


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_without_a_period_it_answers_the_full_months_of_the_data(demo_engine: Engine) -> None:
    answer = await ask(demo_engine, {"dataset": "panel_in", "metrics": ["events"]})

    assert answer.value is not None
    assert [key for (key,) in numbers(answer.value)] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert "follows the data" in answer.text


async def test_a_total_is_a_reach_of_its_own_and_no_sum(demo_engine: Engine, panel_url: str) -> None:
    analysis = await answer_of(demo_engine, {**ALL, "metrics": ["people"], "by": ["gender", "app"], "total": True})

    assert analysis.total is not None
    reach = rows_of(
        panel_url,
        f"SELECT gender, sum(weight) * 1000 {PEOPLE} AND user_id IN (SELECT user_id FROM panel_events) GROUP BY 1",
    )
    assert {key: value[0] for key, value in values(analysis.total.rows).items()} == pytest.approx(
        {(gender,): number for gender, number in reach}
    )


@pytest.mark.parametrize("metric", ["people", "events", "penetration", {"kind": "median", "column": "duration_min"}])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_the_first_rows_are_the_highest_or_lowest(metric: Any, order: str, demo_engine: Engine) -> None:
    question = {**ALL, "metrics": ["frequency", metric], "by": ["app"]}
    label = metric if isinstance(metric, str) else "median_duration_min"

    analysis = await answer_of(demo_engine, {**question, "sort": {"metric": label, "order": order}, "limit": 4})

    everything = await answer_of(demo_engine, question)
    ordered = sorted(
        numbers(everything, 1).items(),
        key=lambda item: (-(item[1].value or 0) if order == "desc" else item[1].value or 0, item[0]),
    )
    assert [row.groups for row in analysis.grid.rows] == [key for key, _ in ordered[:4]]
    assert values(analysis.grid.rows) == {key: values(everything.grid.rows)[key] for key, _ in ordered[:4]}


async def test_unweighted_answers_are_those_of_the_sample(demo_engine: Engine, panel_url: str) -> None:
    question = {**ALL, "metrics": ["people", {"kind": "mean", "column": "duration_min"}, "penetration"], "by": ["app"]}

    analysis = await answer_of(demo_engine, {**question, "weighting": "off"})

    expected = rows_of(
        panel_url,
        "SELECT app, count(DISTINCT user_id)::float, avg(duration_min), "
        "count(DISTINCT user_id)::float / (SELECT count(*) FROM panel_users) FROM panel_events JOIN panel_users "
        "USING (user_id) GROUP BY 1",
    )
    assert analysis.plan.weighting == "off"
    for app, *numbers_by_hand in expected:
        assert values(analysis.grid.rows)[(app,)] == pytest.approx(tuple(numbers_by_hand))
        assert numbers(analysis)[(app,)].n == numbers_by_hand[0]


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ({**ALL, "metrics": ["people", "penetration"], "by": ["app"], "compare": "columns", "where": [
            {"column": "app", "op": "in", "value": ["YouTube", "Netflix"]}], "total": True}, "answered"),
        ({**ALL, "metrics": ["people"], "by": ["colour"]}, "refused"),
        ({**ALL, "dataset": "panel_in_monthly", "metrics": [{"kind": "people", "column": "panel_events"}]}, "refused"),
        ({"dataset": "nowhere", "metrics": ["people"]}, "refused"),
        ({**ALL, "metrics": [{"kind": "sum", "column": "event_id"}], "by": ["app"], "where": [
            {"column": "duration_min", "op": "=", "value": 10**400}]}, "failed"),
    ],
)  # fmt: skip
async def test_each_outcome_is_recorded_once(question: Json, outcome: str, demo_engine: Engine) -> None:
    answer = await ask(demo_engine, question)

    row = await QueryLog.objects.aget()
    assert (row.id, row.outcome, row.query_type, row.tool) == (answer.id, outcome, "analyze", "analyze")
    assert row.datasets == [question["dataset"]]
    assert json.loads(row.query_text)["metrics"]
    if outcome == "answered":
        assert "panel_events" in row.sql_executed
        assert (row.weighting, row.row_count) == ("weighted", 3)


async def test_an_answer_that_nobody_waits_for_is_recorded_once(demo_engine: Engine) -> None:
    question = {**ALL, "metrics": ["people", "frequency"], "by": ["gender", "category"], "compare": "columns"}
    asking = asyncio.ensure_future(ask(demo_engine, question))
    await asyncio.sleep(0.03)  # of the second or so that it takes

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    row = await QueryLog.objects.aget()
    assert (row.outcome, row.query_type) == ("cancelled", "analyze")


async def test_the_demo_datasets_have_their_personas(demos: dict[str, DatasetSpec], demo_engine: Engine) -> None:
    error = await error_of(demo_engine, {**ALL, "metrics": ["people"], "where": "Young woman"})

    assert all(name in error.hint for name in PERSONAS)
    assert "nearest is Young women" in error.hint


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────
PAGE = Path(__file__).resolve().parents[3] / "docs" / "analyze.md"
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)]


@pytest.mark.parametrize("question", EXAMPLES, ids=str)
async def test_the_examples_of_the_page_are_answered(question: Json, demo_engine: Engine) -> None:
    analysis = await answer_of(demo_engine, question)

    assert analysis.grid.rows
    assert analysis.plan.weighting == "weighted"


WEIGHTING_PAGE = PAGE.with_name("weighting.md")
COMMAND = re.compile(r"```bash\n\S+ manage.py analyze (.*?)\n```\n```text\n(.*?)```", flags=re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), COMMAND.findall(WEIGHTING_PAGE.read_text()))
async def test_the_commands_of_the_page_on_weighting_answer_as_it_says(
    command: str, shown: str, demo_engine: Engine
) -> None:
    parser = Command().create_parser("manage.py", "analyze")

    answer = await ask(demo_engine, build_document(vars(parser.parse_args(shlex.split(command)))))

    parts = [re.escape(part) for part in shown.strip().split("\n...\n")]
    assert re.match("\n(?:.*\n)*?".join(parts) + "\n", answer.text)


def test_both_commands_are_on_the_page_on_weighting() -> None:
    assert len(COMMAND.findall(WEIGHTING_PAGE.read_text())) == 2


def test_every_kind_and_operator_is_on_the_page() -> None:
    cells = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in BACKQUOTED.findall(cell)}

    assert {*KINDS, *OPERATORS} <= named


BACKQUOTED = re.compile(r"`([^`]+)`")
