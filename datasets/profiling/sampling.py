"""Rows of one table, few and cut short, and full counts by month: under a time limit, an error being an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from datasets.design_checks import quote, quote_table
from datasets.profiling.bounded import bounded
from datasets.profiling.facts import LONGEST_VALUE
from datasets.profiling.introspection import FoundColumn, FoundTable

MOST_ROWS: Final = 2_000
SAMPLED_BLOCKS: Final = 200
WITH_BLOCKS: Final = frozenset({"table", "partitioned table", "materialized view"})
TIMEOUT: Final = "timeout"
NOT_TEXT: Final = "22021"  # of an SQL_ASCII database, in whatever encoding


@dataclass(frozen=True, slots=True)
class Sample:
    """Values by column name, as texts cut at `LONGEST_VALUE` characters; the same number for each.

    `rows` is how many the table has: exact if `complete`, else estimated from the sampled blocks, None for a long view.
    `error` is a SQLSTATE or "timeout"; there are no values then.
    """

    values: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    read: int = 0
    rows: int | None = None
    complete: bool = False
    error: str = ""


async def sample_table(
    connection: asyncpg.Connection, table: FoundTable, *, budget_ms: int, cells: int = 100_000
) -> Sample:
    """Up to 2,000 rows, fewer of a table with more than `cells` / 2,000 columns. The same rows each time.

    Raises `asyncpg.InterfaceError` or `OSError` if the connection broke, nothing else.
    """
    limit = max(1, min(MOST_ROWS, cells // max(1, len(table.columns))))
    try:
        async with bounded(connection, budget_ms=budget_ms):
            return await _read(connection, table, limit)
    except asyncpg.FeatureNotSupportedError:  # a partition that is a foreign table
        return await _sample_first(connection, table, limit, budget_ms)
    except asyncpg.PostgresError as error:
        return Sample(error=_outcome(connection, error))
    except UnicodeDecodeError:
        return Sample(error=NOT_TEXT)


async def _sample_first(connection: asyncpg.Connection, table: FoundTable, limit: int, budget_ms: int) -> Sample:
    try:
        async with bounded(connection, budget_ms=budget_ms):
            return await _read_first(connection, table, limit)
    except asyncpg.PostgresError as error:
        return Sample(error=_outcome(connection, error))


async def fetch_months(
    connection: asyncpg.Connection, table: FoundTable, column: FoundColumn, *, budget_ms: int
) -> Mapping[str, int] | None:
    """Rows by month ("2026-01") of a date column, all rows being read; None if that takes too long or fails.

    Infinities, BC dates and years over 9999 are left out. Raises as `sample_table` does.
    """
    name = quote(column.name)
    statement = f"""
        SELECT pg_catalog.to_char(month, 'YYYY-MM'), number
        FROM (SELECT pg_catalog.date_trunc('month', {name}) AS month, pg_catalog.count(*) AS number
              FROM {_quote(table)}
              WHERE {name} >= '0001-01-01' AND {name} < '10000-01-01' GROUP BY 1) months
        ORDER BY month
    """  # noqa: S608  # quoted catalogue names
    try:
        async with bounded(connection, budget_ms=budget_ms):
            return dict(await connection.fetch(statement))
    except asyncpg.PostgresError as error:
        _outcome(connection, error)
        return None


async def _read(connection: asyncpg.Connection, table: FoundTable, limit: int) -> Sample:
    if table.kind not in WITH_BLOCKS:
        return await _read_first(connection, table, limit)
    blocks = await connection.fetchval(BLOCKS, table.schema, table.name) or 0
    percent = min(100.0, 100 * SAMPLED_BLOCKS / max(1, blocks))
    records = await connection.fetch(_sampled(table, limit), percent)
    if not records and percent < 100:  # most blocks are empty, after a DELETE
        return await _read_first(connection, table, limit)
    seen = len(records)
    if seen == limit:
        # the blocks are in memory by now
        seen = await connection.fetchval(COUNT.format(table=_quote(table)), percent)
    return Sample(
        values=_by_column(table, records),
        read=len(records),
        rows=round(seen * 100 / percent),
        complete=percent == 100 and seen == len(records),
    )


async def _read_first(connection: asyncpg.Connection, table: FoundTable, limit: int) -> Sample:
    """The rows that come first: all that can be had of views and foreign tables."""
    records = await connection.fetch(f"SELECT {_texts(table)} FROM {_quote(table)} AS t LIMIT {limit + 1}")  # noqa: S608  # quoted
    complete = len(records) <= limit
    records = records[:limit]
    rows = len(records) if complete else None
    return Sample(_by_column(table, records), read=len(records), rows=rows, complete=complete)


def _sampled(table: FoundTable, limit: int) -> str:
    """Rows from all over the sampled blocks; values become texts after the choice, so few of them are unpacked.

    hashint8 of the row's number shuffles as random() would, but in the same way each time.
    """
    columns = ", ".join(f"t.{quote(column.name)}" for column in table.columns)
    return f"""
        SELECT {_texts(table)}
        FROM (SELECT {columns} FROM {_quote(table)} AS t TABLESAMPLE SYSTEM ($1) REPEATABLE (0)
              ORDER BY pg_catalog.hashint8(pg_catalog.row_number() OVER ()) LIMIT {limit}) AS t
    """  # noqa: S608  # quoted catalogue names


def _texts(table: FoundTable) -> str:
    return ", ".join(_text(column) for column in table.columns)


def _text(column: FoundColumn) -> str:
    name = f"t.{quote(column.name)}"
    if column.data_type == "bytea":  # a part of it, or all of it would be printed to be cut
        name = f"pg_catalog.substring({name}, 1, {LONGEST_VALUE // 2})"
    return f"pg_catalog.left({name}::pg_catalog.text, {LONGEST_VALUE})"


def _by_column(table: FoundTable, records: Sequence[asyncpg.Record]) -> dict[str, Sequence[str | None]]:
    columns = zip(*(record.values() for record in records), strict=True) if records else ((),) * len(table.columns)
    return {column.name: values for column, values in zip(table.columns, columns, strict=True)}


def _outcome(connection: asyncpg.Connection, error: asyncpg.PostgresError) -> str:
    """The SQLSTATE only: a message may quote values."""
    if connection.is_closed():
        raise asyncpg.InterfaceError(f"The connection broke with SQLSTATE {error.sqlstate}.") from None
    return TIMEOUT if isinstance(error, asyncpg.QueryCanceledError) else str(error.sqlstate)


def _quote(table: FoundTable) -> str:
    return quote_table((table.schema, table.name))


# of the table and what it is made of: partitions, children
BLOCKS = """
WITH RECURSIVE tree AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
    UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
)
SELECT (sum(pg_relation_size(t.oid)) / current_setting('block_size')::int)::bigint FROM tree t
"""

COUNT = "SELECT count(*) FROM {table} TABLESAMPLE SYSTEM ($1) REPEATABLE (0)"
