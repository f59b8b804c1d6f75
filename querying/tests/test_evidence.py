from __future__ import annotations

import math
from dataclasses import replace

import pytest

from querying.evidence import (
    Base,
    CellPlan,
    Estimated,
    EvidencePlan,
    Formula,
    Number,
    Operation,
    flag_of,
    linearise,
    read_evidence,
    smallest,
)

LIMITS = (30, 50, 100)
WEIGHTS, VALUES = (1.0, 2.0, 3.0, 0.5), (10.0, 20.0, 5.0, 8.0)
MEAN = Operation("/", Estimated(0), Estimated(1))


def plan(formula: Formula | None) -> EvidencePlan:
    return EvidencePlan((None, CellPlan(0, formula)), 1, 2, ((0, 0), (0, 1), (1, 1)), persons=4, scale=1000)


def sums() -> str:
    pairs = list(zip(WEIGHTS, VALUES, strict=True))
    numbers = [len(pairs), sum(WEIGHTS), sum(w * w for w in WEIGHTS)]
    numbers += [sum(w * x for w, x in pairs), sum(WEIGHTS)]
    numbers += [sum((w * x) ** 2 for w, x in pairs), sum(w * w * x for w, x in pairs), sum(w * w for w in WEIGHTS)]
    return "{" + ",".join(map(repr, numbers)) + "}"


def test_a_mean_has_the_error_of_its_linearised_values() -> None:
    """R: svymean(~x, svydesign(~1, weights = ~w)) with x = 10, 20, 5, 8 and w = 1, 2, 3, 0.5."""
    nothing, base = read_evidence(plan(MEAN), sums())

    mean = sum(w * x for w, x in zip(WEIGHTS, VALUES, strict=True)) / sum(WEIGHTS)
    scores = [w * (x - mean) / sum(WEIGHTS) for w, x in zip(WEIGHTS, VALUES, strict=True)]
    error = math.sqrt(4 / 3 * sum(score * score for score in scores))
    assert nothing is None
    assert base is not None
    assert (base.n, base.weighted, base.flag) == (4, 6500, "**")
    assert (base.se, base.low) == pytest.approx((error, mean - 1.96 * error))
    assert (base.effective, base.design_effect) == pytest.approx((6.5**2 / 14.25, 4 * 14.25 / 6.5**2))


def test_scale_multiplies_totals_and_their_errors_and_nothing_else() -> None:
    one, thousand = (read_evidence(plan(Estimated(1, scale)), sums())[1] for scale in (1.0, 1000.0))

    assert one is not None
    assert thousand is not None
    assert (thousand.n, thousand.effective) == (one.n, one.effective)
    assert thousand.se == pytest.approx(1000 * (one.se or 0))


@pytest.mark.parametrize(
    "formula",
    [
        MEAN,
        Operation("*", Number(100), MEAN),
        Operation("-", MEAN, Estimated(0)),
        Operation("/", Operation("+", Estimated(0), Number(7)), Operation("*", Estimated(1), Estimated(0))),
    ],
)
def test_the_gradient_is_the_derivative(formula: Formula) -> None:
    totals, step = [71.0, 6.5], 1e-6
    found = linearise(formula, totals)

    assert found is not None
    for number in (0, 1):
        moved = [total + step * (place == number) for place, total in enumerate(totals)]
        beside = linearise(formula, moved)
        assert beside is not None
        assert found[1].get(number, 0.0) == pytest.approx((beside[0] - found[0]) / step, rel=1e-4)


def test_an_empty_group_has_a_base_of_nobody_and_no_error() -> None:
    _, base = read_evidence(plan(MEAN), "{0,NULL,NULL,NULL,NULL,NULL,NULL,NULL}")

    assert base == Base(0, 0.0, 0.0, 0.0, "**")


@pytest.mark.parametrize(
    ("count", "effective", "flag"),
    [(29, 29, "**"), (500, 29.9, "**"), (30, 30, "*"), (49, 40, "*"), (50, 40, "low"), (99, 99, "low"), (100, 30, "")],
)
def test_flags(count: int, effective: float, flag: str) -> None:
    assert flag_of(count, effective, LIMITS) == flag


def test_a_row_is_judged_by_its_weakest_number() -> None:
    strong = Base(400, 1, 300, 1.3)
    unequal, few = replace(strong, effective=20, flag="**"), replace(strong, n=60, flag="low")

    assert smallest([None, strong, few]) is few
    assert smallest([few, unequal]) is unequal
    assert smallest([None]) is None
