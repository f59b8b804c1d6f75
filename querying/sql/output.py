"""Every output is asked for as text, as PostgreSQL itself prints it: nothing is lost to a driver's types. Pure.

SELECT a, b, c FROM t  ->  SELECT q.c1::text AS a, q.c2::bpchar AS b,
                                  CASE WHEN q.c3 IS NOT NULL THEN format('%s', q.c3) END AS c
                           FROM (SELECT a, b, c FROM t) AS q (c1, c2, c3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# PostgreSQL's own casts, which nobody can replace; bool's gives a word. Text is cast too: what a description that is
# out of date takes for text must not come as a number.
SURELY_CAST: Final = frozenset({"bool", "text", "varchar"})
# types that have no function for their cast to text, so that it is their output function
PLAINLY_CAST: Final = frozenset(
    {
        "bytea",
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "json",
        "jsonb",
        "numeric",
        "oid",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "uuid",
    }
)
AS_PADDED: Final = "$1::pg_catalog.bpchar"  # a cast to text would take the blanks at its end away
AS_CAST: Final = "$1::pg_catalog.text"
# format() uses the type's own output function, where a cast to text might be somebody's function
AS_TEXT: Final = "CASE WHEN $1 IS DISTINCT FROM NULL THEN pg_catalog.format('%s', $1) END"
ROWS: Final = "q"


def template_of(type_name: str, *, has_own_cast: bool) -> str:
    """How to ask for a value of this built-in or added type; `has_own_cast` where somebody added a cast to text."""
    if type_name == "bpchar":
        return AS_PADDED
    if type_name in SURELY_CAST:
        return AS_CAST
    return AS_CAST if type_name in PLAINLY_CAST and not has_own_cast else AS_TEXT


def as_text(sql: str, names: Sequence[str], templates: Sequence[str]) -> str:
    """The printed statement of a plan, which is one SELECT, with each of its outputs put into its template.

    Put together as text: what is put together is our own print, and parsing it again would cost 0.6 ms.
    """
    columns = [f"c{position + 1}" for position in range(len(names))]
    outputs = [
        f"{template.replace('$1', f'{ROWS}.{column}')} AS {quote(name)}"
        for name, column, template in zip(names, columns, templates, strict=True)
    ]
    return f"SELECT {', '.join(outputs)} FROM ({sql}) AS {ROWS} ({', '.join(columns)})"  # noqa: S608


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
