"""What each number of a result rests on: base, effective base, design effect, standard error, interval. Pure.

A statement gives, beside its estimates, sums over persons with weight w: for each base the persons n, sum(w) and
sum(w^2); for each total T_k = sum(w v_k), and for pairs of totals of one number S_kl = sum(w^2 v_k v_l). A number is a
formula over totals with gradient g, and by Taylor linearisation (with replacement; R's survey, svydesign(~1, weights))

    variance = N / (N - 1) * (g' S g - (g' T)^2 / N)

where N is the number of persons with a valid weight in the whole dataset, whoever is in the group. Of a stratified or
clustered sample the statement gives the covariances V of the totals themselves, and variance = g' V g.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Z_95: Final = 1.96
FLAGS: Final = ("**", "*", "low", "")  # the worst first


# ── what a statement gives ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Estimated:
    """A total, times the scale."""

    total: int
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Operation:
    """`sign` is one of + - * /."""

    sign: str
    left: Formula
    right: Formula


Formula = Number | Estimated | Operation


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One output column: its base, and its formula where its error can be computed."""

    base: int
    formula: Formula | None = None


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """How the last output is read: float8[] of three for each base, then the totals, then the pairs of totals.

    `cells` by output column, None where it is no estimate. `persons` have a valid weight in the dataset. A
    `scale` turns sums of weights into people. Below `thresholds` (minimum, very low, low) a base is flagged. Of a
    `clustered` sample the pairs are covariances. Of UNION ALL each row has the number of its arm before these, and is
    read as that of the `arms` says, none where that is None.
    """

    cells: tuple[CellPlan | None, ...]
    bases: int
    totals: int
    pairs: tuple[tuple[int, int], ...]
    persons: int
    scale: float
    thresholds: tuple[int, int, int] = (30, 50, 100)
    clustered: bool = False
    arms: tuple[EvidencePlan | None, ...] = ()


# ── what is known of a number ────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Base:
    """`n` persons of the sample with a valid weight, standing for `weighted` people; `effective` is Kish's.

    `se` and the interval of 95 % are None where no error is computed (quantiles, variances, windows). `flag` is **
    where n or the effective base is below the minimum, * where n is very low, low where it is low.
    """

    n: int
    weighted: float
    effective: float
    design_effect: float
    flag: str = ""
    se: float | None = None
    low: float | None = None
    high: float | None = None
    withheld: bool = False  # with the estimate: nothing of it is said


def read_evidence(plan: EvidencePlan, text: str | None) -> tuple[Base | None, ...]:
    """The bases of one row, by output column."""
    if text is None:
        return (None,) * len(plan.cells)
    values = [0.0 if value == "NULL" else float(value) for value in text.strip("{}").split(",")]
    if plan.arms:
        own = plan.arms[int(values.pop(0))]
        assert own is not None
        plan = own
    return tuple(None if cell is None else read_cell(plan, cell, values) for cell in plan.cells)


def read_cell(plan: EvidencePlan, cell: CellPlan, values: Sequence[float]) -> Base | None:
    count, weights, squares = values[3 * cell.base : 3 * cell.base + 3]
    if math.isnan(count):  # an outer join found no row
        return None
    effective = weights * weights / squares if squares else 0.0
    base = (
        round(count),
        weights * plan.scale,
        effective,
        count / effective if effective else 0.0,
        flag_of(count, effective, plan.thresholds),
    )
    if cell.formula is None:
        return Base(*base)
    first = 3 * plan.bases
    totals = values[first : first + plan.totals]
    products = dict(zip(plan.pairs, values[first + plan.totals :], strict=True))
    found = linearise(cell.formula, totals)
    if found is None:
        return Base(*base)
    value, gradient = found
    error = standard_error(gradient, totals, products, None if plan.clustered else plan.persons)
    if not math.isfinite(error):  # of a stratum that nobody has counted yet
        return Base(*base)
    return Base(*base, error, value - Z_95 * error, value + Z_95 * error)


def flag_of(count: float, effective: float, thresholds: tuple[int, int, int]) -> str:
    minimum, very_low, low = thresholds
    if min(count, effective) < minimum:
        return "**"
    return "*" if count < very_low else "low" if count < low else ""


def smallest(bases: Sequence[Base | None]) -> Base | None:
    """The one that a row is to be judged by: flagged before others, then of the fewest persons."""
    known = [base for base in bases if base is not None]
    return min(known, key=lambda base: (FLAGS.index(base.flag), base.n), default=None)


def linearise(formula: Formula, totals: Sequence[float]) -> tuple[float, dict[int, float]] | None:
    """The formula's value and its derivative by each total; None where it divides by 0."""
    if isinstance(formula, Number):
        return formula.value, {}
    if isinstance(formula, Estimated):
        return formula.scale * totals[formula.total], {formula.total: formula.scale}
    left, right = linearise(formula.left, totals), linearise(formula.right, totals)
    if left is None or right is None:
        return None
    (x, dx), (y, dy) = left, right
    if formula.sign == "/":
        if not y:
            return None
        value, by_left, by_right = x / y, 1 / y, -x / (y * y)
    elif formula.sign == "*":
        value, by_left, by_right = x * y, y, x
    else:
        sign = 1.0 if formula.sign == "+" else -1.0
        value, by_left, by_right = x + sign * y, 1.0, sign
    keys = {**dx, **dy}
    return value, {key: by_left * dx.get(key, 0.0) + by_right * dy.get(key, 0.0) for key in keys}


def standard_error(
    gradient: dict[int, float], totals: Sequence[float], products: dict[tuple[int, int], float], persons: int | None
) -> float:
    """`products` are sums over `persons`, or the covariances themselves."""
    square = sum(gradient[k] * gradient[m] * products[min(k, m), max(k, m)] for k in gradient for m in gradient)
    if persons is None:
        return math.sqrt(max(0.0, square)) if math.isfinite(square) else math.nan
    linear = sum(by * totals[k] for k, by in gradient.items())
    return math.sqrt(max(0.0, (square - linear * linear / persons) * persons / (persons - 1)))
