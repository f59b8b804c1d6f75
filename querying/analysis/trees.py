"""Small trees of a caller's SQL: columns, conditions, selects. Printed from the tree, never from text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import TableSpec
from datasets.conditions import Scalar
from datasets.persona_fit import BOOLEAN, MOMENT, NUMBER
from querying.analysis.fields import Field
from querying.analysis.periods import LENGTH_OF_DAY, Days
from querying.analysis.reading import Term
from querying.sql.parse import parse_tree, print_tree
from querying.sql.shown import column_node, fill, text_node
from querying.sql.walk import unwrap
from querying.sql.weights.nodes import all_of

PERSON: Final = "u"
EVENT: Final = "e"
LARGEST_INTEGER: Final = 2**31 - 1


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────
def value_node(kind: str, value: Scalar) -> pg.Node:
    if kind == BOOLEAN:
        return pg.Node(a_const=pg.A_Const(boolval=pg.Boolean(boolval=bool(value)), location=-1))
    if kind == NUMBER:
        return number_node(float(value) if isinstance(value, str) and not is_whole(value) else value)
    if kind == MOMENT:
        return moment_node(str(value))
    return text_node(str(value))


def is_whole(text: str) -> bool:
    return text.lstrip("-").isdigit()


def number_node(value: Scalar) -> pg.Node:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, int) and abs(number) <= LARGEST_INTEGER:
        return pg.Node(a_const=pg.A_Const(ival=pg.Integer(ival=number), location=-1))
    return pg.Node(a_const=pg.A_Const(fval=pg.Float(fval=repr(number)), location=-1))


def moment_node(text: str) -> pg.Node:
    """A day as a date, a day with a time as a timestamp."""
    return fill("$1::date" if len(text) == LENGTH_OF_DAY else "$1::timestamptz", text_node(text))


def day_node(day: date) -> pg.Node:
    return moment_node(day.isoformat())


# ── columns and conditions ───────────────────────────────────────────────────────────────────────────────────
def field_node(field: Field, alias: str = "") -> pg.Node:
    own = column_node(alias or (PERSON if field.of_person else EVENT), field.column.name)
    return fill("$1::text", own) if field.is_enum else own


def term_node(test: Term, alias: str = "") -> pg.Node:
    own, kind = field_node(test.field, alias), test.field.kind
    if test.op == "is_null":
        return fill("$1 IS NULL" if test.values[0] else "$1 IS NOT NULL", own)
    if kind == MOMENT:
        return date_term(test, own)
    if test.op == "like":
        return fill("$1 LIKE $2", own, text_node(str(test.values[0])))
    if test.op == "in":
        return in_node(own, kind, test.values)
    values = [value_node(kind, value) for value in test.values]
    return fill({"=": "$1 = $2", "!=": "$1 <> $2", "between": "$1 BETWEEN $2 AND $3"}[test.op], own, *values)


def in_node(own: pg.Node, kind: str, values: Sequence[Scalar]) -> pg.Node:
    items = pg.Node(list=pg.List(items=[value_node(kind, value) for value in values]))
    name = [pg.Node(string=pg.String(sval="="))]
    return pg.Node(a_expr=pg.A_Expr(kind=pg.AEXPR_IN, name=name, lexpr=own, rexpr=items, location=-1))


def date_term(test: Term, own: pg.Node) -> pg.Node:
    """A day means the whole of it, also where the column holds moments."""
    if test.op in ("=", "!=", "in"):
        spans = [within_node(own, str(value), str(value)) for value in test.values]
        node = spans[0] if len(spans) == 1 else pg.Node(bool_expr=pg.BoolExpr(boolop=pg.OR_EXPR, args=spans))
        return fill("NOT ($1)", node) if test.op == "!=" else node
    return within_node(own, str(test.values[0]), str(test.values[1]))


def within_node(own: pg.Node, first: str, last: str) -> pg.Node:
    if len(last) == LENGTH_OF_DAY:
        after = day_node(datetime.fromisoformat(last).date() + timedelta(days=1))
        return fill("$1 >= $2 AND $1 < $3", own, moment_node(first), after)
    return fill("$1 >= $2 AND $1 <= $3", own, moment_node(first), moment_node(last))


def days_node(own: pg.Node, days: Days) -> pg.Node | None:
    """From the first on, and before the day after the last."""
    parts = []
    if days.first is not None:
        parts.append(fill("$1 >= $2", own, day_node(days.first)))
    if days.last is not None and days.last < date.max:
        parts.append(fill("$1 < $2", own, day_node(days.last + timedelta(days=1))))
    return all_of(parts) if parts else None


def same_key(left: str, right: str, left_key: Sequence[str], right_key: Sequence[str]) -> pg.Node:
    pairs = zip(left_key, right_key, strict=True)
    return all_of([fill("$1 = $2", column_node(left, one), column_node(right, other)) for one, other in pairs])


# ── selects ──────────────────────────────────────────────────────────────────────────────────────────────────
def table_node(table: TableSpec, alias: str) -> pg.Node:
    named = pg.RangeVar(schemaname=table.schema, relname=table.name, inh=True, relpersistence="p", location=-1)
    named.alias.aliasname = alias
    return pg.Node(range_var=named)


def subselect_node(select: pg.SelectStmt, alias: str) -> pg.Node:
    inner = pg.RangeSubselect(alias=pg.Alias(aliasname=alias))
    inner.subquery.select_stmt.CopyFrom(select)
    return pg.Node(range_subselect=inner)


def join_node(left: pg.Node, right: pg.Node, on: pg.Node, *, keeps_left: bool = False) -> pg.Node:
    kind = pg.JOIN_LEFT if keeps_left else pg.JOIN_INNER
    return pg.Node(join_expr=pg.JoinExpr(jointype=kind, larg=left, rarg=right, quals=on))


def build_select(
    outputs: Iterable[tuple[pg.Node, str]],
    *,
    source: pg.Node,
    where: Iterable[pg.Node] = (),
    groups: Sequence[pg.Node] = (),
    order: Sequence[pg.Node] = (),
    limit: int | None = None,
) -> pg.SelectStmt:
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    for node, name in outputs:
        target = select.target_list.add().res_target
        target.name, target.location = name, -1
        target.val.CopyFrom(node)
    select.from_clause.add().CopyFrom(source)
    conditions = list(where)
    if conditions:
        select.where_clause.CopyFrom(all_of(conditions))
    select.group_clause.extend(groups)
    select.sort_clause.extend(order)
    if limit is not None:
        select.limit_count.CopyFrom(number_node(limit))
        select.limit_option = pg.LIMIT_OPTION_COUNT
    return select


def ordered_by(place: int, *, descending: bool = False) -> pg.Node:
    """The output at this place, from 1; NULL last."""
    item = pg.SortBy(location=-1, sortby_nulls=pg.SORTBY_NULLS_LAST if descending else pg.SORTBY_NULLS_DEFAULT)
    item.sortby_dir = pg.SORTBY_DESC if descending else pg.SORTBY_DEFAULT
    item.node.CopyFrom(number_node(place))
    return pg.Node(sort_by=item)


def exists_node(select: pg.SelectStmt) -> pg.Node:
    link = pg.SubLink(sub_link_type=pg.EXISTS_SUBLINK, subselect=pg.Node(select_stmt=select), location=-1)
    return pg.Node(sub_link=link)


def print_select(select: pg.SelectStmt) -> str:
    tree = parse_tree("SELECT 1")
    root: Any = unwrap(tree.stmts[0].stmt)  # Any: one of 270 message types
    root.CopyFrom(select)
    return print_tree(tree)
