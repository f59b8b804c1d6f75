"""mode(), percentile_cont() and percentile_disc() WITHIN GROUP (ORDER BY x): how they are written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.weights.gathering import mode, over_rows, quantile
from querying.sql.weights.pieces import AS_FLOAT, filter_of, name_of, sql
from querying.sql.weights.refusing import Unsupported

QUANTILES: Final = frozenset({"percentile_cont", "percentile_disc"})
ORDERED: Final = QUANTILES | {"mode"}
WRITE_ARRAY: Final = "Write ARRAY[0.25, 0.5, 0.75]."


def check_order(call: pg.FuncCall) -> None:
    name = name_of(call)
    sort = call.agg_order[0].sort_by
    if sort.sortby_dir == pg.SORTBY_USING or len(call.args) != (name in QUANTILES):
        raise Unsupported(
            f"{name.upper()}() is written in a way that cannot be weighted",
            f"Write {name}({'0.5' if name in QUANTILES else ''}) WITHIN GROUP (ORDER BY x).",
            call,
        )
    for fraction in fractions_of(call):
        number = constant(fraction)
        if number is not None and not 0 <= number <= 1:
            raise Unsupported(f"{name.upper()}({number:g}) is not between 0 and 1", "Write the median as 0.5.", call)


def ordered(call: pg.FuncCall, weight: pg.Node, person: Sequence[pg.Node]) -> pg.Node:
    name, sort = name_of(call), call.agg_order[0].sort_by
    order = "DESC" if sort.sortby_dir == pg.SORTBY_DESC else "ASC"
    is_cont = name == "percentile_cont"
    value = sql(AS_FLOAT, sort.node) if is_cont else sort.node

    def one(formula: str, *more: pg.Node) -> pg.Node:
        return over_rows(
            formula, weight, value, where=filter_of(call), keys=person, sorted_values=not is_cont, more=more
        )

    if name == "mode":
        return one(mode(order))
    return for_each(call.args[0], lambda p: one(quantile(order, checked=constant(p) is not None), p))


def interpolated(call: pg.FuncCall, make: Callable[..., pg.Node]) -> pg.Node:
    """percentile_cont(), where `make` puts a formula over the values at hand."""
    order = "DESC" if call.agg_order[0].sort_by.sortby_dir == pg.SORTBY_DESC else "ASC"
    return for_each(call.args[0], lambda p: make(quantile(order, checked=constant(p) is not None), p))


def for_each(fraction: pg.Node, make: Callable[[pg.Node], pg.Node]) -> pg.Node:
    """ARRAY[0.25, 0.75] gives an array of quantiles."""
    inner = without_cast(fraction)
    if inner.HasField("a_array_expr"):
        items = [for_each(item, make) for item in inner.a_array_expr.elements]
        return pg.Node(a_array_expr=pg.A_ArrayExpr(elements=items, location=-1))
    return make(fraction)


def fractions_of(call: pg.FuncCall) -> list[pg.Node]:
    """Every fraction, without casts; raises where they are an array that is not written out."""
    found: list[pg.Node] = []
    stack = list(call.args)
    while stack:
        node = stack.pop()
        inner = without_cast(node)
        if inner.HasField("a_array_expr"):
            if not inner.a_array_expr.elements:
                raise Unsupported("An empty array of fractions has no quantiles", WRITE_ARRAY, call)
            stack.extend(inner.a_array_expr.elements)
        elif is_array(node):
            raise Unsupported("Fractions in an array that is not written out cannot be weighted", WRITE_ARRAY, call)
        else:
            found.append(inner)
    return found


def is_array(node: pg.Node) -> bool:
    while node.HasField("type_cast"):
        if node.type_cast.type_name.array_bounds:
            return True
        node = node.type_cast.arg
    return bool(node.a_const.sval.sval.lstrip().startswith("{"))


def without_cast(node: pg.Node) -> pg.Node:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return node


def constant(node: pg.Node) -> float | None:
    """The number that is written out, None for anything else."""
    value = without_cast(node).a_const
    if value.HasField("ival"):
        return float(value.ival.ival)
    try:
        return float(value.fval.fval or value.sval.sval)
    except ValueError:
        return None
