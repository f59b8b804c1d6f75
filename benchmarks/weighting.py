"""Milliseconds that an estimate of the population takes, beside the same question unweighted.

Then what it takes to say what the estimate rests on: persons behind it, and standard errors. Starts a PostgreSQL of its
own with 100,000 persons, a million persons and a million events in it, profiles it as production does, and stops it
again. The texts of a question are those that the product sends; asyncpg runs them with the product's session settings,
in turns, and no statement is kept. Prints docs/performance.md's table; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import asyncpg

from benchmarks.plan import load, median_ms, panel
from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.connections import parse_dsn
from datasets.design import SurveyDesign, Unit
from datasets.profiling.introspection import fetch_profile
from datasets.system_config import SystemSettings
from querying.sessions import session_settings
from querying.sql.plan import QueryRequest, build_plan

PERSONS, PEOPLE = 100_000, 1_000_000
AT_PERSONS, AT_REACH = 1.3, 1.5  # the most that weighting may cost, times the unweighted question
AT_ERRORS: Final = 2.2  # and bases and errors, times the estimate alone
TITLES: Final = ("unweighted", "weighted", "with bases", "with errors", "by hand")
PLAN_ROUNDS: Final = 200
# 2 of 100 weights are none: NULL, 0, negative, NaN, infinite
PERSON_ROWS: Final = """
SELECT i AS user_id,
    (ARRAY['Male', 'Female'])[1 + floor(random() * 2)::int] AS gender,
    (ARRAY['15-17', '18-24', '25-34', '35-44', '45-54', '55+'])[1 + floor(random() * 6)::int] AS age_group,
    (ARRAY['A1', 'A', 'B', 'C', 'D', 'E'])[1 + floor(random() * 6)::int] AS nccs,
    'State ' || floor(power(random(), 2) * 30)::int AS state,
    CASE WHEN random() > 0.03 THEN round(random_normal(300, 120)::numeric) END AS income,
    CASE WHEN random() < 0.02 THEN (ARRAY[NULL, '0', '-1', 'NaN', 'Infinity']::float8[])[1 + floor(random() * 5)::int]
        ELSE exp(random_normal(0, 0.5)) END AS weight
FROM generate_series(1, :rows) AS i
"""
# a few persons and apps have most of the events; the persons' ids say nothing of how much they do
PANEL: Final = """
SELECT setseed(0.5);
CREATE TABLE panel_users AS :persons;
ALTER TABLE panel_users ADD PRIMARY KEY (user_id);
CREATE TABLE people AS :people;
ALTER TABLE people ADD PRIMARY KEY (user_id);
CREATE TABLE panel_events AS SELECT i AS event_id,
    (floor(power(random(), 2) * 100000)::bigint * 7919 % 100000)::int + 1 AS user_id,
    date '2026-01-01' + floor(random() * 90)::int AS event_date,
    'App ' || floor(power(random(), 3) * 50)::int AS app,
    (ARRAY['Android', 'iOS', 'Web', 'CTV'])[1 + floor(power(random(), 2) * 4)::int] AS platform,
    CASE WHEN random() > 0.05 THEN round((random() * random() * 60)::numeric, 1)::float8 END AS duration_min
    FROM generate_series(1, 1000000) AS i;
ALTER TABLE panel_events ADD PRIMARY KEY (event_id);
""".replace(":persons", PERSON_ROWS.replace(":rows", str(PERSONS))).replace(
    ":people", PERSON_ROWS.replace(":rows", str(PEOPLE))
)
# those of the demo panel; the first alone answers an unweighted COUNT(DISTINCT user_id)
INDEXES: Final = """
CREATE INDEX ON panel_events (user_id, event_date);
CREATE INDEX ON panel_events (event_date);
CREATE INDEX ON panel_events (app, event_date);
"""
ANALYST: Final = Principal(person="ana", datasets=None)
SETTINGS: Final = SystemSettings()
ATTRIBUTES: Final = frozenset({"gender", "age_group", "nccs", "state", "income"})
DESIGN: Final = SurveyDesign(
    units=(
        Unit(
            ("public", "panel_users"),
            ("user_id",),
            "weight",
            scale=1000,
            attributes=ATTRIBUTES,
            carried_by={("public", "panel_events"): ("user_id",)},
            units=PERSONS,
        ),
        Unit(("public", "people"), ("user_id",), "weight", scale=1000, attributes=ATTRIBUTES, units=PEOPLE),
    )
)


@dataclass
class Question:
    """`target`: what the ratio of weighted to unweighted may be at most; 0 where nothing is promised.

    `by_hand`: the shortest SQL with the same estimates, unscaled.
    """

    name: str
    sql: str
    target: float = 0.0
    by_hand: str = ""
    times: tuple[list[float], ...] = field(default_factory=lambda: ([], [], [], [], []))  # ms, by TITLES

    @property
    def medians(self) -> tuple[float, ...]:
        return tuple(statistics.median(times) if times else 0.0 for times in self.times)


VALID: Final = "weight > 0 AND weight < 'Infinity'"
ESTIMATES: Final = (
    "sum(weight), sum(weight * income) / sum(weight) FILTER (WHERE income IS NOT NULL), sum(weight * income)"
)
REACH: Final = (
    f"SELECT sum(weight) FROM public.panel_users WHERE {VALID} AND user_id IN (SELECT user_id FROM public.panel_events"
)
QUESTIONS: Final = (
    Question(
        "persons: count",
        "SELECT count(*) AS n FROM panel_users",
        AT_PERSONS,
        by_hand=f"SELECT sum(weight) FROM public.panel_users WHERE {VALID}",
    ),
    Question(
        "persons: estimates",
        "SELECT count(*) AS n, avg(income) AS mean, sum(income) AS total FROM panel_users",
        AT_PERSONS,
        by_hand=f"SELECT {ESTIMATES} FROM public.panel_users WHERE {VALID}",
    ),
    Question(
        "persons: by one attribute",
        "SELECT gender, count(*) AS n, avg(income) AS mean, sum(income) AS total FROM panel_users GROUP BY 1",
        AT_PERSONS,
        by_hand=f"SELECT gender, {ESTIMATES} FROM public.panel_users WHERE {VALID} GROUP BY 1",
    ),
    Question(
        "persons: by two",
        "SELECT age_group, state, count(*) AS n, avg(income) AS mean, sum(income) AS total FROM panel_users "
        "GROUP BY 1, 2",
        AT_PERSONS,
        by_hand=f"SELECT age_group, state, {ESTIMATES} FROM public.panel_users WHERE {VALID} GROUP BY 1, 2",
    ),
    Question(
        "a million persons: count",
        "SELECT count(*) AS n FROM people",
        AT_PERSONS,
        by_hand=f"SELECT sum(weight) FROM public.people WHERE {VALID}",
    ),
    Question(
        "a million persons: estimates",
        "SELECT count(*) AS n, avg(income) AS mean, sum(income) AS total FROM people",
        AT_PERSONS,
        by_hand=f"SELECT {ESTIMATES} FROM public.people WHERE {VALID}",
    ),
    Question(
        "a million persons: by one attribute",
        "SELECT gender, count(*) AS n, avg(income) AS mean, sum(income) AS total FROM people GROUP BY 1",
        AT_PERSONS,
        by_hand=f"SELECT gender, {ESTIMATES} FROM public.people WHERE {VALID} GROUP BY 1",
    ),
    Question(
        "a million persons: by two",
        "SELECT age_group, state, count(*) AS n, avg(income) AS mean, sum(income) AS total FROM people GROUP BY 1, 2",
        AT_PERSONS,
        by_hand=f"SELECT age_group, state, {ESTIMATES} FROM public.people WHERE {VALID} GROUP BY 1, 2",
    ),
    Question(
        "a million persons: share of each",
        "SELECT nccs, 100.0 * count(*) / sum(count(*)) OVER () AS share FROM people GROUP BY 1",
        AT_PERSONS,
    ),
    Question(
        "persons: median",
        "SELECT gender, percentile_cont(0.5) WITHIN GROUP (ORDER BY income) AS median FROM panel_users GROUP BY 1",
    ),
    Question("persons: variance", "SELECT gender, variance(income) AS spread FROM panel_users GROUP BY 1"),
    Question(
        "events: by app",
        "SELECT app, sum(duration_min) AS minutes, avg(duration_min) AS mean FROM panel_events GROUP BY 1",
    ),
    Question(
        "events: by app, persons joined",
        "SELECT app, sum(duration_min) AS minutes, avg(duration_min) AS mean "
        "FROM panel_events e JOIN panel_users u USING (user_id) GROUP BY 1",
    ),
    Question(
        "events: by attribute",
        "SELECT gender, sum(duration_min) AS minutes, avg(duration_min) AS mean "
        "FROM panel_events e JOIN panel_users u USING (user_id) GROUP BY 1",
    ),
    Question(
        "events: median", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_min) AS median FROM panel_events"
    ),
    Question("events: variance", "SELECT app, variance(duration_min) AS spread FROM panel_events GROUP BY 1"),
    Question(
        "reach: whole", "SELECT count(DISTINCT user_id) AS reach FROM panel_events", AT_REACH, by_hand=f"{REACH})"
    ),
    Question(
        "reach: one app",
        "SELECT count(DISTINCT user_id) AS r FROM panel_events WHERE app = 'App 9'",
        AT_REACH,
        by_hand=f"{REACH} WHERE app = 'App 9')",
    ),
    Question("reach: by app", "SELECT app, count(DISTINCT user_id) AS reach FROM panel_events GROUP BY 1", AT_REACH),
    Question(
        "reach: by app and month",
        "SELECT app, date_trunc('month', event_date) AS m, count(DISTINCT user_id) AS reach FROM panel_events "
        "GROUP BY 1, 2",
        AT_REACH,
    ),
    Question(
        "reach: with FILTER",
        "SELECT app, count(DISTINCT user_id) AS reach, count(DISTINCT user_id) FILTER (WHERE platform = 'iOS') AS ios "
        "FROM panel_events GROUP BY 1",
        AT_REACH,
    ),
    Question(
        "reach: by attribute",
        "SELECT gender, count(DISTINCT e.user_id) AS reach "
        "FROM panel_events e JOIN panel_users u USING (user_id) GROUP BY 1",
        AT_REACH,
    ),
    Question(
        "reach: by app, with ROLLUP",
        "SELECT app, count(DISTINCT user_id) AS reach FROM panel_events GROUP BY ROLLUP (app)",
        AT_REACH,
    ),
    Question(
        "minutes per user",
        "SELECT app, sum(duration_min) / count(DISTINCT user_id) AS minutes FROM panel_events GROUP BY 1",
        AT_REACH,
    ),
    Question(
        "per person, then over persons",
        "SELECT count(*) AS n, avg(minutes) AS mean FROM "
        "(SELECT user_id, sum(duration_min) AS minutes FROM panel_events GROUP BY user_id) AS t",
    ),
    Question(
        "events: share of the total",
        "SELECT app, 100.0 * sum(duration_min) / sum(sum(duration_min)) OVER () AS share FROM panel_events GROUP BY 1",
    ),
)


async def furnish(url: str, *, indexes: bool) -> DatasetSpec:
    connection = await asyncpg.connect(url)
    await connection.execute(PANEL + (INDEXES if indexes else ""))
    # and what autovacuum would do in time, and might do in the midst of it
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()
    dataset = load(await fetch_profile(parse_dsn(url, unix_sockets=False)))
    return replace(dataset, survey_design=DESIGN, design_decision="confirmed")


def texts_of(question: Question, dataset: DatasetSpec) -> list[str]:
    """Unweighted; the estimate alone; with bases; with errors, too; and by hand, where that is given."""

    def text(sql: str, **wanted: str) -> str:
        request = QueryRequest("panel", sql, **wanted)  # type: ignore[arg-type]  # texts only
        plan = build_plan(request, dataset=dataset, principal=ANALYST, settings=SETTINGS)
        assert wanted.get("weighting") == "off" or plan.weighting == "weighted", f"{question.name}: {plan.weighting}"
        return plan.sql

    # of a statement that is only explained nobody asks what its numbers rest on
    alone = text(f"EXPLAIN {question.sql}").removeprefix("EXPLAIN ")
    texts = [text(question.sql, weighting="off"), alone, text(question.sql, uncertainty="off"), text(question.sql)]
    return [*texts, *filter(None, [question.by_hand])]


async def measure(connection: asyncpg.Connection, question: Question, texts: Sequence[str], rounds: int) -> None:
    """In turns, every other time in the opposite order."""
    for text in texts:
        await connection.fetch(text)
    for turn in range(rounds):
        for which in range(len(texts))[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            await connection.fetch(texts[which])
            question.times[which].append(1000 * (time.perf_counter() - start))


async def show_plans(connection: asyncpg.Connection, question: Question, texts: Sequence[str]) -> None:
    for title, text in zip(TITLES, texts, strict=False):
        lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, SETTINGS) {text}")
        print(f"\n== {question.name}: {title}\n{text}\n")
        print("\n".join(line[0] for line in lines), flush=True)


def planning_ms(question: Question, dataset: DatasetSpec) -> tuple[float, float]:
    """Of our own plan, made anew, unweighted and weighted."""

    def plan(weighting: str) -> object:
        request = QueryRequest("panel", question.sql, weighting=weighting)
        return build_plan(request, dataset=dataset, principal=ANALYST, settings=SETTINGS)

    return median_ms(lambda: plan("off"), PLAN_ROUNDS), median_ms(lambda: plan("auto"), PLAN_ROUNDS)


def line_of(question: Question, planning: tuple[float, float]) -> str:
    plain, weighted, with_bases, with_errors, by_hand = question.medians
    ratio, errors = weighted / plain, with_errors / weighted
    least = f"{by_hand / plain:.2f}" if by_hand else ""
    target = f"{question.target}{'' if ratio <= question.target else ', missed'}" if question.target else ""
    return (
        f"| {question.name} | {plain:.1f} | {weighted:.1f} | {ratio:.2f} | {least} | {target} "
        f"| {with_bases / weighted:.2f} | {errors:.2f}{'' if errors <= AT_ERRORS else ', missed'} "
        f"| {planning[0]:.2f} | {planning[1]:.2f} |"
    )


async def run(url: str, questions: Sequence[Question], *, rounds: int, plans: bool, indexes: bool) -> list[str]:
    dataset = await furnish(url, indexes=indexes)
    # as for a question that is new: parsed and planned by PostgreSQL each time
    settings = session_settings(600_000)
    connection = await asyncpg.connect(url, statement_cache_size=0, server_settings=settings)
    lines = []
    for question in questions:
        texts = texts_of(question, dataset)
        await measure(connection, question, texts, rounds)
        lines.append(line_of(question, planning_ms(question, dataset)))
        if plans:
            await show_plans(connection, question, texts)
    await connection.close()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each text that a median is taken of")
    parser.add_argument("--plans", action="store_true", help="print EXPLAIN (ANALYZE, BUFFERS) of both texts, too")
    parser.add_argument("--only", default="", help="questions whose name matches this regular expression")
    parser.add_argument("--bare", action="store_true", help="events without indexes but for their primary key")
    options = parser.parse_known_args()[0]  # make bench gives all scripts the same arguments
    questions = [question for question in QUESTIONS if re.search(options.only, question.name)]
    load_average = os.getloadavg()[0]
    with panel() as url:
        lines = asyncio.run(run(url, questions, rounds=options.rounds, plans=options.plans, indexes=not options.bare))
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, load {load_average:.2f}\n")
    print(
        "| question | unweighted, ms | weighted, ms | ratio | by hand | at most | with bases | with errors "
        "| planned in, ms | weighted, ms |"
    )
    print("|---|---:|---:|---:|---:|---|---:|---:|---:|---:|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
