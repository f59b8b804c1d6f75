"""An aggregate in two halves: over the rows of one person, then over persons. Pure.

sum(x)   ->  sum(x) AS s per person, then sum(w * s)
avg(x)   ->  sum(x) AS s, count(x) AS c, then sum(w * s) / nullif(sum(w * c), 0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.weights.estimators import check_estimate, counted, estimate, of_somebody
from querying.sql.weights.evidence import Piece, Total, ordered_values, piece_of_call
from querying.sql.weights.gathering import PAIRS, SPREADS, over_people
from querying.sql.weights.ordered_sets import ORDERED, interpolated
from querying.sql.weights.pieces import (
    AS_FLOAT,
    every,
    filter_of,
    has_columns,
    is_known,
    is_not_null,
    is_null,
    is_star,
    name_of,
    part,
    sql,
)
from querying.sql.weights.refusing import Unsupported

NEVER_WEIGHTED: Final = frozenset({"bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "every", "max", "min"})
PROJECTED: Final = "COALESCE(sum($1 * $2), 0)"


@dataclass(frozen=True)
class Split:
    """`inner`: aggregates over one person's rows. `outer`: from their values and the weight to the estimate.

    `piece`: what the estimate rests on, from these values; None where it is none.
    """

    inner: tuple[pg.Node, ...]
    outer: Callable[[Sequence[pg.Node], pg.Node], pg.Node]
    piece: Callable[[Sequence[pg.Node]], Piece] | None = None


def split(call: pg.FuncCall, *, once: bool) -> Split | None:
    """The halves of an aggregate over rows, or (`once`) over values of persons; None where it has none."""
    name, where = name_of(call), filter_of(call)
    if call.HasField("over"):
        return None
    if name in NEVER_WEIGHTED and len(call.args) == 1 and not call.func_variadic:
        return Split((pg.Node(func_call=call),), lambda values, _: sql(f"{name}($1)", values[0]))
    try:
        check_estimate(call)
    except Unsupported:
        return None  # the reason is said where the aggregate is weighted in its place
    if once:
        return split_once(call)
    if name == "count":
        return Split((pg.Node(func_call=call),), lambda values, weight: sql(PROJECTED, weight, values[0]), times)
    if name == "percentile_cont" or name in SPREADS or name in PAIRS:
        return split_gathered(call)
    if name not in ("avg", "sum"):
        return None
    total, count = part("sum($1)", call.args[0], where=where), part("count($1)", call.args[0], where=where)
    if name == "sum":
        rests = added if where is None else added_by_some
        return Split((total,), lambda values, weight: sql("sum($1 * $2)", weight, values[0]), rests)
    return Split(
        (total, count),
        lambda values, weight: sql("sum($1 * $2) / NULLIF(sum($1 * $3), 0)", weight, *values),
        lambda values: Piece(sql("$1 > 0", values[1]), total_of(values[0]), total_of(values[1])),
    )


def split_gathered(call: pg.FuncCall) -> Split:
    """What needs all values at hand: those of each person first."""
    name, where = name_of(call), filter_of(call)
    values = [sql(AS_FLOAT, value) for value in (*call.args, *ordered_values(call))]
    if name == "percentile_cont":
        values = values[len(call.args) :]
    known = every(where, is_known(values))
    inner = tuple(part("array_agg($1)", value, where=known) for value in values)

    def outer(arrays: Sequence[pg.Node], weight: pg.Node) -> pg.Node:
        def make(formula: str, *more: pg.Node) -> pg.Node:
            return over_people(formula, weight, *reversed(arrays), where=is_not_null(arrays[0]), more=more)

        if name == "percentile_cont":
            return interpolated(call, make)
        return make(SPREADS[name] if name in SPREADS else PAIRS[name])

    return Split(inner, outer, lambda arrays: Piece(is_not_null(arrays[0])))


def split_once(call: pg.FuncCall) -> Split | None:
    name, where = name_of(call), filter_of(call)
    if name == "count":
        return Split(
            (pg.Node(func_call=call),),
            lambda values, weight: counted(weight, sql("$1 > 0", values[0])),
            lambda values: met_by(sql("$1 > 0", values[0])),
        )
    if name in ORDERED and has_columns(*call.args):
        return None
    values = [call.agg_order[0].sort_by.node] if name in ORDERED else list(call.args)
    inner = tuple(largest(value, where, has_max=name not in ORDERED) for value in values)
    return Split(
        inner,
        lambda given, weight: estimate(over_values(call, given), weight),
        lambda given: piece_of_call(over_values(call, given), is_number=True),
    )


def over_values(call: pg.FuncCall, values: Sequence[pg.Node]) -> pg.FuncCall:
    """The same aggregate over these, without its FILTER."""
    copy = pg.FuncCall()
    copy.CopyFrom(call)
    copy.ClearField("agg_filter")
    if call.agg_within_group:
        copy.agg_order[0].sort_by.node.CopyFrom(values[0])
        return copy
    del copy.args[:], copy.agg_order[:]
    copy.args.extend(values)
    return copy


def largest(value: pg.Node, where: pg.Node | None, *, has_max: bool) -> pg.Node:
    """The person's value; what mode() and percentile_disc() take may be of a type without max(), such as boolean."""
    if has_max:
        return part("max($1)", value, where=where)
    return sql("($1)[1]", part("array_agg($1 ORDER BY $1 DESC NULLS LAST)", value, where=where))


def split_reach(call: pg.FuncCall, keys: Sequence[pg.Node] = ()) -> Split:
    """COUNT(DISTINCT e), where e tells the person: whether any row counts."""
    met = sql("bool_or($1)", of_somebody(call, keys) or sql("true"))
    return Split((met,), lambda values, weight: counted(weight, values[0]), lambda values: met_by(values[0]))


def split_pairs(call: pg.FuncCall, others: Sequence[pg.Node], keys: Sequence[pg.Node] = ()) -> Split | None:
    """COUNT(DISTINCT (key, x)), given its part that is not of the key; NULL is a value of it."""
    if len(others) != 1 or is_star(others[0]) or others[0].HasField("row_expr"):
        return None
    where = of_somebody(call, keys)
    distinct = part("count(DISTINCT $1)", others[0], where=where)
    without = part("bool_or($1)", is_null(others[0]), where=where)
    pairs = sql("$1 + CASE WHEN $2 THEN 1 ELSE 0 END", distinct, without)
    return Split((pairs,), lambda values, weight: sql(PROJECTED, weight, values[0]), times)


# ── what an estimate rests on ────────────────────────────────────────────────────────────────────────────────
def total_of(value: pg.Node) -> Total:
    return Total(sql("$1::float8", value), is_not_null(value))


def times(values: Sequence[pg.Node]) -> Piece:
    """How often each person did something."""
    return Piece(sql("$1 > 0", values[0]), total_of(values[0]), is_scaled=True)


def added(values: Sequence[pg.Node]) -> Piece:
    """What is not known adds nothing, of whoever did something."""
    return Piece(None, total_of(values[0]), is_scaled=True)


def added_by_some(values: Sequence[pg.Node]) -> Piece:
    return Piece(is_not_null(values[0]), total_of(values[0]), is_scaled=True)


def met_by(condition: pg.Node | None) -> Piece:
    return Piece(condition, Total(where=condition), is_scaled=True)
