"""How many persons share each combination of attributes, in one statement. Knows asyncpg, not Django.

Names come from the profile and are quoted, values travel as parameters; nothing of a caller's text is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from datasets.catalog import ColumnSpec
from datasets.check_sessions import open_check
from datasets.connections import ConnectionTarget
from datasets.design import Unit
from datasets.design_checks import equal, quote, quote_table

SIZES: Final = (2, 3)  # how many attributes a combination has
MOST_COLUMNS: Final = 8  # so 84 ways to group at most
IF_SLOW: Final = "Write the persona by hand, or run ANALYZE on the table and try again."


@dataclass(frozen=True, slots=True)
class Combination:
    """Column and value of each attribute, and the unweighted number of persons with a valid weight."""

    values: tuple[tuple[str, str], ...]
    base: int


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    parameters: tuple[object, ...]


async def count_combinations(
    target: ConnectionTarget, unit: Unit, columns: tuple[ColumnSpec, ...], *, at_least: int, most: int
) -> tuple[Combination, ...]:
    """The largest combinations of two or three of the unit's own columns, the largest first.

    One scan of the unit's table. Classes of `ColumnSpec.classes` count as one value. Raises what `open_check` raises.
    """
    columns = columns[:MOST_COLUMNS]
    if len(columns) < min(SIZES):
        return ()
    statement = build_statement(unit, columns, at_least=at_least, most=most)
    async with open_check(target, what="The count of combinations", if_slow=IF_SLOW) as connection:
        rows = await connection.fetch(statement.sql, *statement.parameters)
    return tuple(_combination(tuple(row.values()), columns) for row in rows)


def _combination(row: tuple[object, ...], columns: tuple[ColumnSpec, ...]) -> Combination:
    """`row` is the base, the value of each column, and for each column 1 where it was not grouped by."""
    values, apart = row[1 : 1 + len(columns)], row[1 + len(columns) :]
    pairs = zip(columns, values, apart, strict=True)
    return Combination(
        values=tuple((column.name, str(value)) for column, value, left_out in pairs if not left_out),
        base=int(str(row[0])),
    )


def build_statement(unit: Unit, columns: tuple[ColumnSpec, ...], *, at_least: int, most: int) -> Statement:
    parameters: list[object] = [at_least, most]
    names = [f"c{number}" for number in range(len(columns))]
    shown = [f"{_shown(column, parameters)} AS {name}" for column, name in zip(columns, names, strict=True)]
    # a person on several rows is counted once for each combination
    keys = [f"u.{quote(key)} AS k{number}" for number, key in enumerate(unit.key)] if unit.shares_table else []
    select = f"SELECT {'DISTINCT ' if unit.shares_table else ''}{', '.join([*keys, *shown])}"
    known = " AND ".join(f"(grouping({name}) = 1 OR {name} IS NOT NULL)" for name in names)
    apart = ", ".join(f"grouping({name}) AS g{number}" for number, name in enumerate(names))
    sql = (
        f"WITH persons AS ({select} FROM {quote_table(unit.table)} AS u WHERE {valid_weight(unit)})"
        f" SELECT count(*) AS base, {', '.join(names)}, {apart} FROM persons"
        f" GROUP BY GROUPING SETS ({', '.join(_groupings(names))})"
        f" HAVING count(*) >= $1 AND {known} ORDER BY base DESC, {', '.join(names)} LIMIT $2"
    )
    return Statement(sql, tuple(parameters))


def _groupings(names: list[str]) -> Iterator[str]:
    for size in SIZES:
        for chosen in combinations(names, size):
            yield f"({', '.join(chosen)})"


def _shown(column: ColumnSpec, parameters: list[object]) -> str:
    """The value as callers see it, as text."""
    value = f"u.{quote(column.name)}::text"
    if not column.classes:
        return value
    cases = []
    for label, members in column.classes:
        parameters += [list(members), label]
        cases.append(f"WHEN {value} = ANY (${len(parameters) - 1}::text[]) THEN ${len(parameters)}::text")
    return f"CASE {' '.join(cases)} ELSE {value} END"


def valid_weight(unit: Unit) -> str:
    """Whether the person of row `u` has a weight, in some period where there are weights by period alone."""
    weights = unit.period_weights
    if unit.weight or weights is None:
        return _is_valid(f"u.{quote(unit.weight)}")
    of_person = f"{equal('p', weights.key, 'u', unit.key)} AND {_is_valid(f'p.{quote(weights.weight)}')}"
    return f"EXISTS (SELECT 1 FROM {quote_table(weights.table)} AS p WHERE {of_person})"


def _is_valid(weight: str) -> str:
    # NaN is above Infinity in PostgreSQL's order
    return f"{weight}::float8 > 0 AND {weight}::float8 < 'Infinity'"
