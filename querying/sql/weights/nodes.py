"""Small trees that estimates are made of, printed with pg_catalog. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postgast import pg_query_pb2 as pg


def all_of(conditions: Iterable[pg.Node]) -> pg.Node:
    return joined_by(pg.AND_EXPR, conditions)


def any_of(conditions: Iterable[pg.Node]) -> pg.Node:
    return joined_by(pg.OR_EXPR, conditions)


def joined_by(operator: int, conditions: Iterable[pg.Node]) -> pg.Node:
    """Flat, as the parser reads `a AND b AND c`."""
    found: list[pg.Node] = []
    for node in conditions:
        nested = node.HasField("bool_expr") and node.bool_expr.boolop == operator
        found.extend(node.bool_expr.args if nested else [node])
    return found[0] if len(found) == 1 else pg.Node(bool_expr=pg.BoolExpr(boolop=operator, args=found, location=-1))


def add_condition(select: pg.SelectStmt, condition: pg.Node) -> None:
    both = all_of([select.where_clause, condition]) if select.HasField("where_clause") else condition
    select.where_clause.CopyFrom(pg.Node.FromString(both.SerializeToString()))


def scalar(select: pg.SelectStmt) -> pg.Node:
    link = pg.SubLink(sub_link_type=pg.EXPR_SUBLINK, subselect=pg.Node(select_stmt=select), location=-1)
    return pg.Node(sub_link=link)


def select_from(inner: pg.SelectStmt, alias: str, *, groups: Sequence[pg.Node] = ()) -> pg.SelectStmt:
    """SELECT ... FROM (inner) AS alias GROUP BY groups, still without outputs."""
    outer = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE, group_clause=list(groups))
    item = outer.from_clause.add().range_subselect
    item.alias.aliasname = alias
    item.subquery.select_stmt.CopyFrom(inner)
    return outer
