"""What stands in an aggregate's place so that it estimates the population. Pure functions on nodes, no scopes.

COUNT(*)  ->  COALESCE(SUM(w), 0)        AVG(x)  ->  SUM(w * x) / NULLIF(SUM(w) FILTER (WHERE x IS NOT NULL), 0)

A weight is an expression over at least one column that gives float8 > 0, or NULL where a row is out of the base.
Formulas are those of R's survey (svymean, svytotal, svyvar, svyquantile with qrule="math"). Values of array types are
not for mode() and percentile_disc().
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.walk import names
from querying.sql.weights.gathering import PAIRS, SPREADS, over_rows
from querying.sql.weights.ordered_sets import ORDERED, check_order, ordered
from querying.sql.weights.pieces import (
    AS_FLOAT,
    check_call,
    every,
    filter_of,
    is_known,
    is_not_null,
    is_star,
    name_of,
    part,
    sql,
)
from querying.sql.weights.refusing import Unsupported

ESTIMATED: Final = ORDERED | SPREADS.keys() | PAIRS.keys() | {"avg", "count", "sum"}
COUNT: Final = "(SELECT COALESCE(sum(_mcpa_w), 0) FROM {base})"
OVER_PERSONS: Final = {
    "avg": "(SELECT sum(_mcpa_w * _mcpa_x) / sum(_mcpa_w) FROM {base})",
    "sum": "(SELECT sum(_mcpa_w * _mcpa_x) FROM {base})",
}
# of a window's frame_options (nodes/parsenodes.h)
FRAME_ROWS, FRAME_GROUPS = 0x4, 0x8
WHOLE_PARTITION: Final = 0x20 | 0x100  # from UNBOUNDED PRECEDING to UNBOUNDED FOLLOWING
FRAME_EXCLUDES: Final = 0x8000 | 0x10000 | 0x20000


def estimate(call: pg.FuncCall, weight: pg.Node, *, person: Sequence[pg.Node] = ()) -> pg.Node:
    """The estimate for an aggregate over rows; with a `person`'s key each person counts once, with one value.

    A person's value is the largest of its rows that pass FILTER. Raises `Unsupported`.
    """
    check_estimate(call)
    name, where = name_of(call), filter_of(call)
    if name == "count":
        where = every(where, is_known(call.args))
        return over_rows(COUNT, weight, where=where, keys=person) if person else counted(weight, where)
    if name in ORDERED:
        return ordered(call, weight, person)
    if name in SPREADS:
        return over_rows(SPREADS[name], weight, sql(AS_FLOAT, call.args[0]), where=where, keys=person)
    if name in PAIRS:
        y, x = (sql(AS_FLOAT, argument) for argument in call.args)
        return over_rows(PAIRS[name], weight, x, y, where=where, keys=person)
    if person:
        return over_rows(OVER_PERSONS[name], weight, call.args[0], where=where, keys=person)
    return summed(call, weight)


def check_estimate(call: pg.FuncCall) -> None:
    name = name_of(call)
    if name not in ESTIMATED or call.agg_within_group != (name in ORDERED):
        written = ".".join(names(call.funcname)).removeprefix("pg_catalog.").upper()
        raise Unsupported(
            f"{written}() cannot be weighted",
            "Use COUNT, SUM, AVG, STDDEV, VARIANCE, CORR, REGR_*, MODE, PERCENTILE_CONT or PERCENTILE_DISC.",
            call,
        )
    if call.HasField("over"):
        hint = "Aggregate in a sub-select with GROUP BY, and use the window outside."
        raise Unsupported(f"{name.upper()}() OVER (...) of rows cannot be weighted", hint, call)
    check_call(call, takes=arity(name, call))
    if name in ORDERED:
        check_order(call)


def arity(name: str, call: pg.FuncCall) -> Sequence[int]:
    if name == "count":
        return (0,) if call.agg_star else (1,)
    return (2,) if name in PAIRS else (1,)


# ── distinct units ───────────────────────────────────────────────────────────────────────────────────────────
def count_units(call: pg.FuncCall, weight: pg.Node, keys: Sequence[pg.Node] = ()) -> pg.Node:
    """COUNT(DISTINCT e) where each row is another e."""
    return counted(weight, of_somebody(call, keys))


def reach(call: pg.FuncCall, weight: pg.Node, keys: Sequence[pg.Node] = ()) -> pg.Node:
    """COUNT(DISTINCT e) over rows where one e may have several: what the different e weigh, NULL left out.

    In COUNT(DISTINCT (a, b)) NULL is a value, as PostgreSQL counts it, save for `keys`.
    """
    value = call.args[0]
    parts = tuple(value.row_expr.args) if value.HasField("row_expr") else (value,)
    if any(item.HasField("row_expr") or is_star(item) for item in parts):
        hint = "Name the columns in one row: COUNT(DISTINCT (a, b))."
        raise Unsupported("COUNT(DISTINCT ...) of rows within rows cannot be weighted", hint, call)
    return over_rows(COUNT, weight, where=of_somebody(call, keys), keys=parts, null_keys=True)


def of_somebody(call: pg.FuncCall, keys: Sequence[pg.Node]) -> pg.Node | None:
    """FILTER, and that what is counted is somebody."""
    return every(filter_of(call), *map(is_not_null, keys), is_known(call.args))


# ── how many people a weight stands for ──────────────────────────────────────────────────────────────────────
def scaled(value: pg.Node, call: pg.FuncCall, scale: float) -> pg.Node:
    """Counts and sums times the scale; means, shares, quantiles and moments are without one."""
    if scale == 1 or name_of(call) not in ("count", "sum"):
        return value
    return sql(f"$1 * {scale!r}::float8", value)


# ── in place ─────────────────────────────────────────────────────────────────────────────────────────────────
def counted(weight: pg.Node, where: pg.Node | None, over: pg.WindowDef | None = None) -> pg.Node:
    return sql("COALESCE($1, 0)", part("sum($1)", weight, where=where, over=over))


def summed(call: pg.FuncCall, weight: pg.Node, over: pg.WindowDef | None = None) -> pg.Node:
    """sum() and avg(), without a cast: float8 * x is float8 for numbers, and interval or money for these."""
    where, value = filter_of(call), call.args[0]
    total = part("sum($1 * $2)", weight, value, where=where, over=over)
    if name_of(call) == "sum":
        return total
    base = part("sum($1)", weight, where=every(where, is_known([value])), over=over)
    return sql("$1 / NULLIF($2, 0)", total, base)


# ── windows over rows ────────────────────────────────────────────────────────────────────────────────────────
def estimate_window(call: pg.FuncCall, weight: pg.Node, *, windows: Iterable[pg.Node] = ()) -> pg.Node:
    """COUNT, SUM and AVG OVER (...) of rows. `windows` is the SELECT's WINDOW clause: a named window must be in it."""
    name = name_of(call)
    if name not in ("avg", "count", "sum"):
        what = f"{names(call.funcname)[-1].upper()}() OVER (...) of rows cannot be weighted"
        raise Unsupported(what, "Weighted windows are COUNT, SUM and AVG; use GROUP BY in a sub-select first.", call)
    check_call(call, takes=arity(name, call))
    check_frame(call, {window.window_def.name: window.window_def for window in windows})
    if name == "count":
        return counted(weight, every(filter_of(call), is_known(call.args)), call.over)
    return summed(call, weight, call.over)


def check_frame(call: pg.FuncCall, named: Mapping[str, pg.WindowDef]) -> None:
    """Raise for frames that count rows of the sample, those of the named windows that it refers to too."""
    definition, wanted = call.over, call.over.refname or call.over.name
    while True:
        options = definition.frame_options
        counts_rows = options & (FRAME_ROWS | FRAME_GROUPS) and options & WHOLE_PARTITION != WHOLE_PARTITION
        if counts_rows or options & FRAME_EXCLUDES:
            raise Unsupported(
                "a window frame that counts rows of the sample (ROWS, GROUPS, EXCLUDE) cannot be weighted",
                "Leave the frame out or write RANGE; for a moving average aggregate per day in a sub-select first.",
                call,
            )
        if not wanted:
            return
        if wanted not in named:
            raise Unsupported(f"the window {wanted} is not known here", "Write it out: OVER (PARTITION BY x).", call)
        definition, wanted = named[wanted], named[wanted].refname
