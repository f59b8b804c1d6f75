"""What a database's catalogue says: tables, columns, keys, comments, estimates. Knows asyncpg, not Django.

Everything is read in one READ ONLY transaction with a handful of statements, whatever the number of tables.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import asyncpg

from datasets.additions import RoutineName
from datasets.catalog import ForeignKey
from datasets.connections import ConnectionTarget, set_locally
from datasets.design_checks import quote, quote_table
from datasets.profiling.additions import FoundAdditions, FoundView, Members, fetch_additions, fetch_members, fetch_views
from datasets.profiling.bounded import reading

DATE_TYPES = {"date", "timestamp without time zone", "timestamp with time zone"}
DATE_RANGE_TIMEOUT_MS = 5_000
DATE_RANGES_BUDGET_S = 10
CATALOGUE_LIMIT_S = 30
DATE_RANGE_COLUMNS = 20
NO_VIEW = FoundView()


@dataclass(frozen=True, slots=True)
class FoundColumn:
    position: int
    name: str
    data_type: str
    nullable: bool
    comment: str


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """`columns` is empty where it is over an expression; a condition (`partial`) may quote values and is not read."""

    method: str
    columns: tuple[str, ...]
    unique: bool
    partial: bool


@dataclass(frozen=True, slots=True)
class FoundTable:
    schema: str
    name: str
    kind: str
    comment: str
    row_estimate: int | None
    size_bytes: int
    columns: tuple[FoundColumn, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    definitions: tuple[str, ...] = ()
    routines: tuple[RoutineName, ...] = ()
    indexes: tuple[FoundIndex, ...] = ()
    partition_key: str = ""  # RANGE (day)
    partitions: int | None = None
    unproven_keys: tuple[tuple[str, ...], ...] = ()  # columns of foreign keys that are NOT VALID or not enforced


@dataclass(frozen=True, slots=True)
class FoundDates:
    """The span of one date column; `column` is schema.table.column."""

    column: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Profile:
    tables: tuple[FoundTable, ...]
    dates: tuple[FoundDates, ...] = ()
    database_comment: str = ""
    additions: FoundAdditions = field(default_factory=FoundAdditions)

    @property
    def row_count(self) -> int:
        return sum(table.row_estimate or 0 for table in self.tables)

    @property
    def size_bytes(self) -> int:
        return sum(table.size_bytes for table in self.tables)


@dataclass(slots=True)
class _Keys:
    primary: tuple[str, ...] = ()
    unique: list[tuple[str, ...]] = field(default_factory=list)
    foreign: list[ForeignKey] = field(default_factory=list)
    unproven: list[tuple[str, ...]] = field(default_factory=list)


async def fetch_profile(target: ConnectionTarget) -> Profile:
    """The profile of every table and view that the role can read; raises `ProfilingFailed` or a `PreflightError`."""
    async with reading(target, what="catalogue", limit_s=CATALOGUE_LIMIT_S) as (connection, untaken):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if untaken:  # behind a pooler
                await connection.execute(set_locally(untaken))
            members = await fetch_members(connection)
            additions = await fetch_additions(connection, members)
            tables = await _fetch_tables(connection, members)
            comment = await connection.fetchval(DATABASE_COMMENT) or ""
        dates = await _fetch_dates(connection, tables)
        return Profile(tables=tables, dates=dates, database_comment=comment, additions=additions)


async def _fetch_tables(connection: asyncpg.Connection, members: Members) -> tuple[FoundTable, ...]:
    columns: dict[int, list[FoundColumn]] = defaultdict(list)
    for row in await connection.fetch(COLUMNS):
        columns[row["oid"]].append(
            FoundColumn(row["position"], row["name"], row["data_type"], row["nullable"], row["comment"])
        )
    keys: dict[int, _Keys] = defaultdict(_Keys)
    for row in await connection.fetch(KEYS):
        _add_key(keys[row["oid"]], row)
    indexes: dict[int, list[FoundIndex]] = defaultdict(list)
    for row in await connection.fetch(INDEXES):
        indexes[row["oid"]].append(FoundIndex(row["method"], tuple(row["columns"]), row["unique"], row["partial"]))
    rows = await connection.fetch(TABLES)
    views = await fetch_views(connection, members, [row["oid"] for row in rows if row["kind"] == "view"])
    return tuple(
        _build_table(
            row, columns[row["oid"]], keys[row["oid"]], views.get(row["oid"], NO_VIEW), tuple(indexes[row["oid"]])
        )
        for row in rows
        if columns[row["oid"]]
    )


def _add_key(keys: _Keys, row: Any) -> None:  # Any: an asyncpg record of KEYS
    columns = tuple(row["columns"])
    if row["kind"] == "p":
        keys.primary = columns
    elif row["kind"] == "u":
        keys.unique.append(columns)
    else:
        referenced = tuple(row["ref_columns"])
        keys.foreign.append(ForeignKey(columns, row["ref_schema"], row["ref_table"], referenced))
        if not row["proven"]:
            keys.unproven.append(columns)


def _build_table(
    row: Any,  # Any: an asyncpg record of TABLES
    columns: list[FoundColumn],
    keys: _Keys,
    view: FoundView,
    indexes: tuple[FoundIndex, ...],
) -> FoundTable:
    return FoundTable(
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        comment=row["comment"],
        row_estimate=row["row_estimate"],
        size_bytes=row["size_bytes"],
        columns=tuple(columns),
        primary_key=keys.primary,
        unique_keys=tuple(keys.unique),
        foreign_keys=tuple(keys.foreign),
        definitions=view.definitions,
        routines=view.routines,
        indexes=indexes,
        partition_key=row["partition_key"],
        partitions=row["partitions"],
        unproven_keys=tuple(keys.unproven),
    )


async def _fetch_dates(connection: asyncpg.Connection, tables: tuple[FoundTable, ...]) -> tuple[FoundDates, ...]:
    """Spans of the date columns of the largest tables, each under its own time limit; a slow one is left out."""
    until = time.monotonic() + DATE_RANGES_BUDGET_S
    largest = sorted(tables, key=lambda table: -(table.row_estimate or 0))
    candidates = [(table, column) for table in largest for column in table.columns if column.data_type in DATE_TYPES]
    found = []
    for table, column in candidates[:DATE_RANGE_COLUMNS]:
        left_ms = round(1000 * (until - time.monotonic()))
        if left_ms <= 0:
            break
        found.append(await _fetch_span(connection, table, column, min(left_ms, DATE_RANGE_TIMEOUT_MS)))
    return tuple(span for span in found if span is not None)


async def _fetch_span(
    connection: asyncpg.Connection, table: FoundTable, column: FoundColumn, limit_ms: int
) -> FoundDates | None:
    name = quote(column.name)
    # infinity has no date; a BC date or a year over 9999 has no Python date and is left out of the span
    statement = (
        f"SELECT min({name})::date, max({name})::date FROM {quote_table((table.schema, table.name))} "
        f"WHERE {name} BETWEEN '0001-01-01' AND '9999-12-31'"
    )
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {limit_ms}")
            start, end = await connection.fetchrow(statement)
    except asyncpg.PostgresError:
        return None
    return FoundDates(f"{table.schema}.{table.name}.{column.name}", start, end) if start else None


VISIBLE = """
    c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(temp|toast)'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
"""

DATABASE_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"

# a partitioned table's estimate and size are those of its leaves; -1 means never analysed
TABLES = f"""
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                      WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
       CASE WHEN c.relkind = 'p' THEN (SELECT sum(greatest(l.reltuples, 0))::bigint FROM pg_partition_tree(c.oid) t
                                       JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf)
            WHEN c.relkind = 'v' OR c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS row_estimate,
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint
                                       FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
            WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) ELSE 0 END AS size_bytes,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) ELSE '' END AS partition_key,
       CASE WHEN c.relkind = 'p' THEN (SELECT count(*)::int FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
            END AS partitions
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {VISIBLE}
ORDER BY 2, 3
"""

COLUMNS = f"""
SELECT c.oid, a.attnum::int AS position, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS data_type,
       NOT a.attnotnull AS nullable, coalesce(col_description(c.oid, a.attnum), '') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE {VISIBLE} AND has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY c.oid, a.attnum
"""

# constraints first, then unique indexes without expression or condition, which promise the same
KEYS = f"""
SELECT c.oid, k.contype::text AS kind,
       (SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum) AS columns,
       fn.nspname::text AS ref_schema, f.relname::text AS ref_table,
       (SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS ref_columns,
       k.convalidated AS proven
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f')
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE {VISIBLE}
UNION ALL
SELECT c.oid, 'u',
       (SELECT array_agg(a.attname::text ORDER BY u.place)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum WHERE u.place <= i.indnkeyatts),
       NULL, NULL, NULL, true
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
WHERE {VISIBLE} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
ORDER BY 1, 2, 3
"""

# of a part of a table with partitions there are as many again
INDEXES = f"""
SELECT c.oid, m.amname::text AS method, i.indisunique AS unique, i.indpred IS NOT NULL AS partial,
       CASE WHEN i.indexprs IS NOT NULL THEN '{{}}'::text[]
            ELSE (SELECT array_agg(a.attname::text ORDER BY u.place)
                  FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, place)
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum WHERE u.place <= i.indnkeyatts)
            END AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
WHERE {VISIBLE}
ORDER BY c.oid, x.relname
"""
