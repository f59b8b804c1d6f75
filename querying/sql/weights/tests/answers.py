"""What PostgreSQL answers, and whether two answers are the same."""

from __future__ import annotations

import math
from decimal import Decimal

import psycopg

from querying.sql.parse import parse_tree
from querying.sql.plan import QueryPlan

Answer = tuple[tuple[str, ...], list[tuple[object, ...]]]  # names of columns, rows


def run(session: psycopg.Connection, sql: str) -> Answer:
    cursor = session.execute(sql.encode())
    return tuple(column.name for column in cursor.description or ()), cursor.fetchall()


def without_evidence(planned: QueryPlan, answer: Answer) -> Answer:
    """What the caller asked for."""
    names, rows = answer
    return answer if planned.evidence is None else (names[:-1], [row[:-1] for row in rows])


def is_ordered(sql: str) -> bool:
    return bool(parse_tree(sql).stmts[0].stmt.select_stmt.sort_clause)


def assert_same(
    found: list[tuple[object, ...]], expected: list[tuple[object, ...]], *, ordered: bool, sql: str
) -> None:
    left = list(found)
    for row in expected:
        place = next((place for place, other in enumerate(left[:1] if ordered else left) if same(other, row)), None)
        assert place is not None, f"{row} is missing from {left}\n{sql}"
        del left[place]
    assert not left, f"too much: {left}\n{sql}"


def same(found: object, expected: object) -> bool:
    """Numbers to 1e-9, whether PostgreSQL computes them exactly or not."""
    if isinstance(found, tuple | list) and isinstance(expected, tuple | list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if is_number(found) and is_number(expected):
        ours, theirs = float(str(found)), float(str(expected))
        return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
