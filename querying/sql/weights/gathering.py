"""Estimates that need all rows at hand: each is a scalar sub-select over arrays of an outer query's rows. Pure.

array_agg() whose arguments are columns of the outer query belongs to the outer query, so this may stand wherever an
aggregate may, under ROLLUP and in windows over aggregates too. Memory: 8 bytes and more for each row of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.weights.pieces import has_columns, part, sql

VALUES: Final = ("_mcpa_x", "_mcpa_y")
# 25 of 50 equal weights are half, whatever the rounding of their sum
TIES: Final = "0.999999999999"


def over_rows(
    formula: str,
    weight: pg.Node,
    *values: pg.Node,
    where: pg.Node | None = None,
    keys: Sequence[pg.Node] = (),
    null_keys: bool = False,
    sorted_values: bool = False,
    more: Sequence[pg.Node] = (),
) -> pg.Node:
    """`formula` holds {base} for rows of _mcpa_w, _mcpa_x and _mcpa_y, all known; $1 and so on are of `more`.

    With `keys` the rows of one key are one: its largest weight and values. `sorted_values` are of types that may lack
    a max(), such as boolean. `null_keys` says that NULL is a key like others.
    """
    text = base(len(values), len(keys), null_keys=null_keys, sorted_values=sorted_values, first=len(more) + 1)
    arrays = [
        part("array_agg($1)", weight if value is weight else of_outer_query(value, weight), where=where)
        for value in (weight, *values, *keys)
    ]
    return sql(formula.replace("{base}", text), *more, *arrays)


def over_people(
    formula: str, weight: pg.Node, *arrays: pg.Node, where: pg.Node, more: Sequence[pg.Node] = ()
) -> pg.Node:
    """As `over_rows`, where each row is one person with all their values: float8[] of one length, side by side."""
    shown = VALUES[: len(arrays)]
    held = [f"_mcpa_a{number}" for number in range(len(arrays))]
    columns = ", ".join(["_mcpa_w float8", *(f"{name} float8[]" for name in held)])
    values = f"ROWS FROM ({', '.join(f'unnest({name})' for name in held)}) AS _mcpa_values ({', '.join(shown)})"
    people = f"unnest(${len(more) + 1}) AS _mcpa_people ({columns})"
    rows = f"{people} CROSS JOIN LATERAL {values} WHERE _mcpa_w IS NOT NULL"
    text = f"(SELECT _mcpa_w, {', '.join(shown)} FROM {rows}) AS _mcpa_base"
    row = pg.Node(row_expr=pg.RowExpr(args=[weight, *arrays], row_format=pg.COERCE_EXPLICIT_CALL, location=-1))
    return sql(formula.replace("{base}", text), *more, part("array_agg($1)", row, where=where))


def of_outer_query(value: pg.Node, weight: pg.Node) -> pg.Node:
    """An aggregate without a column of the outer query would belong to the inner one."""
    return value if has_columns(value) else sql("CASE WHEN $2 IS NOT NULL THEN $1 END", value, weight)


def base(values: int, keys: int, *, null_keys: bool, sorted_values: bool, first: int) -> str:
    shown = VALUES[:values]
    named = [f"_mcpa_k{number}" for number in range(keys)]
    columns = ["_mcpa_w", *shown, *named]
    arrays = ", ".join(f"unnest(${number})" for number in range(first, first + len(columns)))
    rows = f"ROWS FROM ({arrays}) AS _mcpa_rows ({', '.join(columns)})"
    if not keys:
        return f"(SELECT {', '.join(columns)} FROM {rows} WHERE {known(columns)}) AS _mcpa_base"
    largest = {"_mcpa_w": "max(_mcpa_w)"} | {
        name: f"(array_agg({name} ORDER BY {name} DESC NULLS LAST))[1]" if sorted_values else f"max({name})"
        for name in shown
    }
    outputs = ", ".join(f"{value} AS {name}" for name, value in largest.items())
    persons = (
        f"SELECT {outputs} FROM {rows} WHERE {known(['_mcpa_w', *(() if null_keys else named)])} "
        f"GROUP BY {', '.join(named)}"
    )
    having = f" HAVING {known([largest[name] for name in shown])}" if shown else ""
    return f"({persons}{having}) AS _mcpa_base"


def known(columns: Sequence[str]) -> str:
    return " AND ".join(f"{column} IS NOT NULL" for column in columns)


# ── spread, and how two values go together ───────────────────────────────────────────────────────────────────
def around_means(*columns: str) -> str:
    """{base} with deviations from the weighted means, which are _mcpa_mean_x and so on.

    The smallest value is taken away first, so that values which are all the same deviate by exactly 0.
    """
    lowered, centred = ["_mcpa_w"], ["_mcpa_w"]
    for name in columns:
        low, mean = f"min({name}) OVER ()", f"sum(_mcpa_w * {name}) OVER () / sum(_mcpa_w) OVER ()"
        letter = name.removeprefix("_mcpa_")
        lowered += [f"{name} - {low} AS {name}", f"{low} AS _mcpa_low_{letter}"]
        centred += [f"{name} - {mean} AS {name}", f"_mcpa_low_{letter} + {mean} AS _mcpa_mean_{letter}"]
    inner = f"(SELECT {', '.join(lowered)} FROM {{base}}) AS _mcpa_lowered"
    return f"(SELECT {', '.join(centred)} FROM {inner}) AS _mcpa_centred"


W: Final = "sum(_mcpa_w)"
XX: Final = "sum(_mcpa_w * _mcpa_x * _mcpa_x)"
YY: Final = "sum(_mcpa_w * _mcpa_y * _mcpa_y)"
XY: Final = "sum(_mcpa_w * _mcpa_x * _mcpa_y)"
# not sum(w) - 1: that is for weights that count repetitions (R: svyvar)
OF_SAMPLE: Final = "(count(*) / (count(*) - 1.0)::float8)"


def spread(formula: str) -> str:
    return f"(SELECT {formula} FROM {around_means('_mcpa_x')})"


def paired(formula: str) -> str:
    return f"(SELECT {formula} FROM {around_means('_mcpa_x', '_mcpa_y')})"


VAR_POP: Final = f"{XX} / {W}"
VAR_SAMP: Final = f"CASE WHEN count(*) > 1 THEN {XX} / {W} * {OF_SAMPLE} END"

SPREADS: Final[Mapping[str, str]] = {
    "stddev": spread(f"sqrt({VAR_SAMP})"),
    "stddev_pop": spread(f"sqrt({VAR_POP})"),
    "stddev_samp": spread(f"sqrt({VAR_SAMP})"),
    "var_pop": spread(VAR_POP),
    "var_samp": spread(VAR_SAMP),
    "variance": spread(VAR_SAMP),
}
PAIRS: Final[Mapping[str, str]] = {
    "corr": paired(f"CASE WHEN {XX} > 0 AND {YY} > 0 THEN {XY} / (sqrt({XX}) * sqrt({YY})) END"),
    "covar_pop": paired(f"{XY} / {W}"),
    "covar_samp": paired(f"CASE WHEN count(*) > 1 THEN {XY} / {W} * {OF_SAMPLE} END"),
    "regr_avgx": f"(SELECT sum(_mcpa_w * _mcpa_x) / {W} FROM {{base}})",
    "regr_avgy": f"(SELECT sum(_mcpa_w * _mcpa_y) / {W} FROM {{base}})",
    "regr_count": f"(SELECT COALESCE({W}, 0) FROM {{base}})",
    "regr_intercept": paired(f"CASE WHEN {XX} > 0 THEN max(_mcpa_mean_y) - {XY} / {XX} * max(_mcpa_mean_x) END"),
    "regr_r2": paired(f"CASE WHEN {XX} > 0 THEN CASE WHEN {YY} > 0 THEN {XY} / {XX} * ({XY} / {YY}) ELSE 1 END END"),
    "regr_slope": paired(f"CASE WHEN {XX} > 0 THEN {XY} / {XX} END"),
    "regr_sxx": paired(XX),
    "regr_sxy": paired(XY),
    "regr_syy": paired(YY),
}


# ── quantiles ────────────────────────────────────────────────────────────────────────────────────────────────
def quantile(order: str, *, checked: bool) -> str:
    """The first value whose cumulative weight reaches the fraction $1 of the total (R: qrule="math")."""
    whole = "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"  # summed in the same order as the last step
    steps = (
        f"(SELECT _mcpa_x, sum(_mcpa_w) OVER (ORDER BY _mcpa_x {order}) AS _mcpa_reached, "
        f"sum(_mcpa_w) OVER (ORDER BY _mcpa_x {order} {whole}) AS _mcpa_total FROM {{base}}) AS _mcpa_steps"
    )
    wanted = f"_mcpa_reached >= $1 * _mcpa_total * {TIES}" + ("" if checked else " AND $1 >= 0")
    return f"(SELECT _mcpa_x FROM {steps} WHERE {wanted} ORDER BY _mcpa_x {order} LIMIT 1)"


def mode(order: str) -> str:
    """The value with the largest sum of weights, of several the first in order."""
    sums = (
        "(SELECT _mcpa_x, sum(_mcpa_w) AS _mcpa_sum, max(sum(_mcpa_w)) OVER () AS _mcpa_largest "
        "FROM {base} GROUP BY _mcpa_x) AS _mcpa_sums"
    )
    return f"(SELECT _mcpa_x FROM {sums} WHERE _mcpa_sum >= _mcpa_largest * {TIES} ORDER BY _mcpa_x {order} LIMIT 1)"
