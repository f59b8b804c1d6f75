"""Outputs that the driver cannot decode as PostgreSQL prints them are asked for as text. Pure.

SELECT a, b FROM t  ->  SELECT q.c1 AS a, CASE WHEN q.c2 IS NOT NULL THEN format('%s', q.c2) END AS b
                        FROM (SELECT a, b FROM t) AS q (c1, c2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.parse import parse_printed, print_tree
from querying.sql.shown import column_node, fill

# format() uses the type's own output function, where a cast to text might be somebody's function
AS_TEXT: Final = "CASE WHEN $1 IS DISTINCT FROM NULL THEN pg_catalog.format('%s', $1) END"
# the digits that PostgreSQL prints for a real, not those of the double nearest to it
AS_DOUBLE: Final = "$1::pg_catalog.text::pg_catalog.float8"
ROWS: Final = "q"


def as_printed(sql: str, names: Sequence[str], templates: Mapping[int, str]) -> str:
    """The printed statement of a plan, with the outputs at these positions wrapped in a template."""
    tree = parse_printed(sql).tree
    inner = tree.stmts[0].stmt
    columns = [f"c{position + 1}" for position in range(len(names))]
    outer = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    for position, (name, column) in enumerate(zip(names, columns, strict=True)):
        value = column_node(ROWS, column)
        value = fill(templates[position], value) if position in templates else value
        outer.target_list.append(pg.Node(res_target=pg.ResTarget(name=name, val=value, location=-1)))
    rows = outer.from_clause.add().range_subselect
    rows.subquery.CopyFrom(inner)
    rows.alias.aliasname = ROWS
    rows.alias.colnames.extend(pg.Node(string=pg.String(sval=column)) for column in columns)
    inner.select_stmt.CopyFrom(outer)
    return print_tree(tree)
