"""Parts that weighted SQL is put together from: templates with PostgreSQL's own names, conditions, checks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.parse import parse_tree, print_tree
from querying.sql.shown import fill
from querying.sql.walk import LEAVES, children, names, unwrap, walk
from querying.sql.weights.refusing import Unsupported

BUILT_IN: Final = "pg_catalog"
# keeps an interval, and whole numbers would be divided as whole numbers later
AS_FLOAT: Final = "1.0::float8 * $1"
# what the printer puts before IS NOT NULL without brackets
LOOSE: Final = frozenset({"bool_expr", "boolean_test", "json_is_predicate", "null_test", "xml_expr"})
DISTINCT: Final = frozenset({pg.AEXPR_DISTINCT, pg.AEXPR_NOT_DISTINCT})


def sql(template: str, *values: pg.Node) -> pg.Node:
    """The template, in which a bare name means PostgreSQL's own, with its parameters replaced by copies of nodes."""
    return fill(with_schemas(template), *values)


@lru_cache(maxsize=256)
def with_schemas(template: str) -> str:
    """sum($1 * $2)  ->  pg_catalog.sum($1 OPERATOR(pg_catalog.*) $2)"""
    tree = parse_tree(f"SELECT {template}")
    for message in walk(tree.stmts[0].stmt):
        named = None
        if isinstance(message, pg.FuncCall):
            named = message.funcname
        elif isinstance(message, pg.TypeName):
            named = message.names
        elif isinstance(message, pg.A_Expr) and message.kind == pg.AEXPR_OP:
            named = message.name
        if named is not None and len(named) == 1:
            named.insert(0, pg.Node(string=pg.String(sval=BUILT_IN)))
    return print_tree(tree).removeprefix("SELECT ")


def part(template: str, *values: pg.Node, where: pg.Node | None = None, over: pg.WindowDef | None = None) -> pg.Node:
    """A call of one aggregate, with its FILTER and OVER."""
    node = sql(template, *values)
    if where is not None:
        node.func_call.agg_filter.CopyFrom(where)
    if over is not None:
        node.func_call.over.CopyFrom(over)
    return node


def name_of(call: pg.FuncCall) -> str:
    """The aggregate's name; '' where it is not one of PostgreSQL's own."""
    *schemas, name = names(call.funcname)
    return name if schemas in ([], [BUILT_IN]) else ""


def filter_of(call: pg.FuncCall) -> pg.Node | None:
    return call.agg_filter if call.HasField("agg_filter") else None


def every(*conditions: pg.Node | None) -> pg.Node | None:
    """All of these conditions; None for none."""
    given: list[pg.Node] = []
    for condition in conditions:
        if condition is None:
            continue
        nested = condition.HasField("bool_expr") and condition.bool_expr.boolop == pg.AND_EXPR
        # the parser takes (a AND b) AND c for one AND of three
        given.extend(condition.bool_expr.args if nested else [condition])
    if len(given) < 2:
        return given[0] if given else None
    return pg.Node(bool_expr=pg.BoolExpr(boolop=pg.AND_EXPR, args=given, location=-1))


def is_known(values: Iterable[pg.Node]) -> pg.Node | None:
    """That count() would count these; a row of several values always counts."""
    return every(*(is_not_null(value) for value in values if not value.HasField("row_expr")))


def is_not_null(value: pg.Node) -> pg.Node:
    is_loose = value.WhichOneof("node") in LOOSE or (value.HasField("a_expr") and value.a_expr.kind in DISTINCT)
    return sql("$1::bool IS NOT NULL" if is_loose else "$1 IS NOT NULL", value)


def is_null(value: pg.Node) -> pg.Node:
    test = is_not_null(value)
    test.null_test.nulltesttype = pg.IS_NULL
    return test


def has_columns(*values: pg.Node) -> bool:
    """Whether these refer to columns outside of sub-selects."""
    stack = list(values)
    while stack:
        message = unwrap(stack.pop())
        if isinstance(message, pg.ColumnRef):
            return True
        if message is not None and type(message) not in LEAVES and not isinstance(message, pg.SelectStmt):
            stack.extend(children(message))
    return False


def check_call(call: pg.FuncCall, *, takes: Sequence[int]) -> None:
    """Raise unless it is a call with so many arguments, of distinct values only where that makes no difference."""
    name = (name_of(call) or ".".join(names(call.funcname))).upper()
    arguments = call.agg_order if call.agg_within_group else call.args
    if call.agg_distinct:
        raise Unsupported(
            f"{name}(DISTINCT ...) would leave out people who have the same value",
            f"Write {name}(x) without DISTINCT, or SELECT DISTINCT in a sub-select to describe the values themselves.",
            call,
        )
    if call.func_variadic or len(arguments) not in takes or any(map(is_named, call.args)):
        raise Unsupported(f"{name}() is written with arguments that cannot be weighted", "Give it plain columns.", call)
    if any(is_star(argument) for argument in call.args):
        raise Unsupported(f"{name}(table.*) cannot be weighted", f"Write {name}(*) or {name}(column).", call)


def is_named(node: pg.Node) -> bool:
    return bool(node.HasField("named_arg_expr"))


def is_star(node: pg.Node) -> bool:
    return any(field.HasField("a_star") for field in node.column_ref.fields)
