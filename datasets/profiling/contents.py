"""What is in the tables, one after the other over one connection, within a budget of time. Knows asyncpg, not Django.

Short tables come first: most of a database is known soon, and a table that takes long costs none of the others.
What an earlier profile had no time for comes before them, so that it is not left out night after night.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import asyncpg

from datasets.connections import ConnectionTarget
from datasets.profiling.bounded import bounded, reading
from datasets.profiling.column_quality import judge_column
from datasets.profiling.facts import ColumnFacts, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.keys import rows_of
from datasets.profiling.observations import Observation
from datasets.profiling.personal import ABOUT_THINGS, Personal, find_personal
from datasets.profiling.quality import NO_TIME, Question
from datasets.profiling.sampling import Sample, fetch_months, sample_table
from datasets.profiling.statistics import TableStatistics, fetch_statistics
from datasets.profiling.summaries import table_facts

TABLE_BUDGET_MS: Final = 5_000
CHECK_BUDGET_MS: Final = 4_000
CELLS: Final = 4_000_000  # sampled values of a database: some 20 s of work
MOST_CELLS, FEWEST_CELLS = 100_000, 2_000
CONTENTS: Final = "contents"
SLACK_S: Final = 30.0  # for what is being read when the time is over
PERSONAL_VALUES: Final = 300  # more of them change no decision, and cost
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TableContents:
    """`facts` hold no value of a column that may be personal; `observed` was noticed while they still did."""

    facts: TableFacts
    personal: Mapping[str, Personal] = field(default_factory=dict)
    observed: tuple[Observation, ...] = ()


async def read_contents(
    target: ConnectionTarget,
    tables: Sequence[FoundTable],
    *,
    known: Collection[Name],
    first: Collection[Name] = (),
    budget_s: float,
    today: date,
) -> AsyncGenerator[tuple[FoundTable, TableContents]]:
    """Contents of each table that is not `known` yet. What is left when the time is over has the planner's alone.

    `first` come those that an earlier profile had no time for, then the shortest.

    A table that cannot be read says so in its facts. Raises `ProfilingFailed` where the connection breaks.
    """
    until = time.monotonic() + budget_s
    cells = max(FEWEST_CELLS, min(MOST_CELLS, CELLS // max(1, len(tables))))
    async with reading(target, what=CONTENTS, limit_s=budget_s + SLACK_S) as (connection, _):
        statistics = await fetch_statistics(connection)
        ordered = sorted(tables, key=lambda table: (table.row_estimate or 0, table.schema, table.name))
        for table in sorted(ordered, key=lambda table: (table.schema, table.name) not in first):
            name = (table.schema, table.name)
            if name not in known:
                left_ms = round(1000 * (until - time.monotonic()))
                sample = await _sample(connection, table, left_ms, cells)
                yield table, build_contents(table, statistics.get(name), sample, today=today)


async def fetch_answers(
    target: ConnectionTarget, questions: Sequence[Question], *, budget_s: float
) -> list[tuple[Question, int]]:
    """What statements about keys say; those that take too long, or fail, are left out."""
    answers = await fetch_rows(target, [question.sql for question in questions], budget_s=budget_s)
    return [(question, int(row[0])) for question, row in zip(questions, answers, strict=True) if row is not None]


async def fetch_rows(
    target: ConnectionTarget, statements: Sequence[str], *, budget_s: float
) -> list[asyncpg.Record | None]:
    """The one row of each statement, None where it took too long or failed."""
    until = time.monotonic() + budget_s
    rows: list[asyncpg.Record | None] = [None] * len(statements)
    if statements:
        async with reading(target, what=CONTENTS, limit_s=budget_s + SLACK_S) as (connection, _):
            for place, sql in enumerate(statements):
                left_ms = round(1000 * (until - time.monotonic()))
                if left_ms > 0:
                    rows[place] = await _fetch_row(connection, sql, min(left_ms, CHECK_BUDGET_MS))
    return rows


async def count_months(
    target: ConnectionTarget, columns: Sequence[tuple[FoundTable, FoundColumn]], *, budget_s: float
) -> dict[tuple[Name, str], Mapping[str, int]]:
    """Rows by month of date columns, all rows being read; columns for which the time was too short are left out."""
    until = time.monotonic() + budget_s
    counted: dict[tuple[Name, str], Mapping[str, int]] = {}
    if columns:
        async with reading(target, what=CONTENTS, limit_s=budget_s + SLACK_S) as (connection, _):
            for table, column in columns:
                left_ms = round(1000 * (until - time.monotonic()))
                limit_ms = min(left_ms, TABLE_BUDGET_MS)
                months = await fetch_months(connection, table, column, budget_ms=limit_ms) if left_ms > 0 else None
                if months is not None:
                    counted[(table.schema, table.name), column.name] = months
    return counted


async def _sample(connection: asyncpg.Connection, table: FoundTable, left_ms: int, cells: int) -> Sample:
    if left_ms <= 0:
        return Sample(error=NO_TIME)
    return await sample_table(connection, table, budget_ms=min(TABLE_BUDGET_MS, left_ms), cells=cells)


async def _fetch_row(connection: asyncpg.Connection, sql: str, budget_ms: int) -> asyncpg.Record | None:
    try:
        async with bounded(connection, budget_ms=budget_ms):
            return await connection.fetchrow(sql)
    except asyncpg.PostgresError:
        if connection.is_closed():
            raise asyncpg.InterfaceError("The connection broke.") from None
        return None


def build_contents(
    table: FoundTable, statistics: TableStatistics | None, sample: Sample, *, today: date
) -> TableContents:
    """What is known of a table, of columns that may be personal without their values."""
    facts = table_facts(table, statistics, sample)
    qualified, rows = f"{table.schema}.{table.name}", rows_of(table, facts)
    personal: dict[str, Personal] = {}
    observed: list[Observation] = []
    kept: dict[str, ColumnFacts] = {}
    for column in table.columns:
        known = facts.columns.get(column.name, ColumnFacts())
        observed += judge_column(column, known, table=qualified, rows=rows, today=today)
        values = sample.values.get(column.name, ())[:PERSONAL_VALUES] or [one.value for one in known.common]
        found = find_personal(column, values)
        if found is not None:
            personal[column.name] = found
        is_kept = found is None or found.confidence < ABOUT_THINGS
        kept[column.name] = known if is_kept else known.without_values()
    return TableContents(replace(facts, columns=kept), personal, tuple(observed))
