"""What the planner's statistics know of all tables of a database, and whether they can be believed. Knows asyncpg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from datasets.profiling.bounded import STATEMENT_TIMEOUT_MS, bounded
from datasets.profiling.facts import LONGEST_VALUE, MOST_COMMON, STATISTICS, ColumnFacts, CommonValue
from datasets.profiling.introspection import VISIBLE
from datasets.profiling.values import MOMENTS, NUMBERS, Spread, order_of, spread_of

STALE_SHARE: Final = 0.2
PREFETCH: Final = 100
BOOLEANS: Final = {"t": "true", "f": "false"}


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """`rows` is None where no count can be believed; `widths` are mean stored bytes by column.

    `stale`: never analysed as far as the server knows (a standby and a server after a crash do not know), or more
    than a fifth of the rows changed since. Columns of which nothing was collected are not in `columns`.
    """

    rows: int | None
    stale: bool
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)


async def fetch_statistics(connection: asyncpg.Connection) -> Mapping[tuple[str, str], TableStatistics]:
    """By schema and name, of all tables and materialized views that the role can read; two statements.

    Foreign tables have none: nobody counts what changes in them. Raises what asyncpg raises.
    """
    async with bounded(connection, budget_ms=STATEMENT_TIMEOUT_MS):
        found = {(row["schema"], row["name"]): _build_table(row) for row in await connection.fetch(TABLES)}
        columns: dict[tuple[str, str], dict[str, ColumnFacts]] = {table: {} for table in found}
        widths: dict[tuple[str, str], dict[str, int]] = {table: {} for table in found}
        # by cursor: one column's arrays at a time, whatever the statistics target is
        async for row in connection.cursor(COLUMNS, sorted(NUMBERS | MOMENTS), prefetch=PREFETCH):
            table = row["schema"], row["name"]
            # a parent's own rows are a part of what a query of it reads
            if table in found and (row["inherited"] or row["column"] not in columns[table]):
                columns[table][row["column"]] = _build_column(row, found[table].rows)
                widths[table][row["column"]] = row["avg_width"]
    return {
        table: TableStatistics(known.rows, known.stale, columns[table], widths[table]) for table, known in found.items()
    }


def _build_table(row: Any) -> TableStatistics:  # Any: an asyncpg record of TABLES
    if row["uncounted"] or row["rows"] < 0 or not (row["analysed"] or row["rows"]):
        return TableStatistics(rows=None, stale=True)
    rows = round(row["rows"])
    changed = row["changed"] > STALE_SHARE * rows
    # partitions are analysed on their own and the table's statistics stay as they are
    outgrown = row["kind"] == "p" and abs(row["own_rows"] - rows) > STALE_SHARE * rows
    return TableStatistics(rows=rows, stale=not row["analysed"] or changed or outgrown)


def _build_column(row: Any, rows: int | None) -> ColumnFacts:  # Any: an asyncpg record of COLUMNS
    spread = _spread(row)
    return ColumnFacts(
        source=STATISTICS,
        null_share=row["null_frac"],
        distinct=_distinct(row["n_distinct"], rows),
        minimum=spread.minimum,
        maximum=spread.maximum,
        quantiles=spread.quantiles,
        common=tuple(_common(row)),
    )


def _distinct(n_distinct: float, rows: int | None) -> int | None:
    """pg_stats.n_distinct: a count, or with a minus sign a share of the rows; 0 means not known."""
    if n_distinct < 0:
        return None if rows is None else round(-n_distinct * rows)
    return round(n_distinct) or None


def _common(row: Any) -> Iterator[CommonValue]:  # Any: as above
    written = BOOLEANS if row["data_type"] == "boolean" else {}
    for value, share in list(zip(row["values"] or (), row["shares"] or (), strict=False))[:MOST_COMMON]:
        yield CommonValue(written.get(value, value)[:LONGEST_VALUE], share)


def _spread(row: Any) -> Spread:  # Any: as above
    """Of the most common values and the histogram's bounds, between which the other rows lie evenly."""
    key_of = order_of(row["data_type"])
    if key_of is None:
        return Spread()
    weighted = list(zip(row["values"] or (), row["shares"] or (), strict=False))
    bounds = row["bounds"] or ()
    if bounds:
        rest = max(0.0, 1 - row["null_frac"] - sum(share for _, share in weighted))
        bin_share = rest / (len(bounds) - 1)
        weighted += [(bound, bin_share) for bound in bounds[1:-1]]
        weighted += [(bounds[0], bin_share / 2), (bounds[-1], bin_share / 2)]
    return spread_of(weighted, key_of)


# rows, changes and doubts of a table with partitions or children are those of all of them
TABLES = f"""
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid AS member
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm') AND {VISIBLE}
    UNION SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.member
)
SELECT n.nspname::text AS schema, r.relname::text AS name, r.relkind::text AS kind, r.reltuples::float8 AS own_rows,
       pg_stat_get_last_analyze_time(r.oid) IS NOT NULL
       OR pg_stat_get_last_autoanalyze_time(r.oid) IS NOT NULL AS analysed,
       bool_or(m.relkind <> 'p' AND m.relpages > 0 AND m.reltuples <= 0) AS uncounted,
       CASE WHEN r.relkind <> 'p' AND r.reltuples < 0 THEN -1
            ELSE coalesce(sum(greatest(m.reltuples, 0)::float8) FILTER (WHERE m.relkind <> 'p'), 0) END AS rows,
       coalesce(sum(pg_stat_get_mod_since_analyze(m.oid)) FILTER (WHERE m.relkind <> 'p'), 0)::float8 AS changed
FROM tree t JOIN pg_class m ON m.oid = t.member
JOIN pg_class r ON r.oid = t.root JOIN pg_namespace n ON n.oid = r.relnamespace
GROUP BY r.oid, n.nspname, r.relname, r.relkind, r.reltuples
"""  # noqa: S608  # constants

# Texts of anyarray are read as text[] where elements are parted by commas; box and the like part them by semicolons.
# Of types without a kept order the first values do, cut as all values are.
COLUMNS = f"""
WITH RECURSIVE domain AS (
    SELECT oid, typbasetype AS base FROM pg_type WHERE typtype = 'd'
    UNION ALL SELECT d.oid, t.typbasetype FROM domain d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
)
SELECT s.schemaname::text AS schema, s.tablename::text AS name, s.attname::text AS column, k.data_type,
       s.null_frac::float8, s.n_distinct::float8, s.avg_width, s.inherited,
       CASE WHEN t.typdelim <> ',' THEN NULL
            WHEN k.data_type = ANY ($1::text[]) THEN s.most_common_vals::text::text[]
            ELSE ARRAY(SELECT left(u.value, {LONGEST_VALUE})
                       FROM unnest(s.most_common_vals::text::text[]) WITH ORDINALITY u(value, place)
                       WHERE u.place <= {MOST_COMMON} ORDER BY u.place) END AS values,
       s.most_common_freqs::float8[] AS shares,
       CASE WHEN k.data_type = ANY ($1::text[]) THEN s.histogram_bounds::text::text[] END AS bounds
FROM pg_stats s
JOIN pg_namespace n ON n.nspname = s.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename AND c.relkind IN ('r', 'p', 'm')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (
    SELECT format_type(coalesce((SELECT d.base FROM domain d JOIN pg_type b ON b.oid = d.base
                                 WHERE d.oid = t.oid AND b.typtype <> 'd'), t.oid), NULL) AS data_type
) k
WHERE {VISIBLE}
"""  # noqa: S608  # constants
