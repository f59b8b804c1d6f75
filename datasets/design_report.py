"""What the check of a survey design found in the data: counts and sums as values, as JSON, as words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from datasets.design import SurveyDesign

EXTREME: Final = 5  # times the median of the valid weights
NOT_COUNTED: Final = "not counted within the time limit"

Document = dict[str, Any]  # Any: JSON
Lines = tuple[tuple[str, str], ...]  # what, how much


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """Of one column of weights. Valid is above 0 and finite; sums and ratios are over the valid ones.

    `total` is their sum times the scale; `efficiency` is Kish's, 100 * sum(w)^2 / (n * sum(w^2)); `extreme` lie above
    five times the median.
    """

    rows: int
    valid: int
    nulls: int
    zero: int
    negative: int
    not_finite: int
    extreme: int
    total: float | None
    efficiency: float | None
    largest_over_median: float | None


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """Of weights by period; `missing` are units without a valid weight in any of them, dates as ISO writes them."""

    table: str
    every: str
    periods: int
    first: str
    last: str
    missing: int
    weights: WeightFacts


@dataclass(frozen=True, slots=True)
class CarriedFacts:
    """Rows of a table that speaks of the unit; `unknown` ones have no key or one that no unit has, None: too slow."""

    table: str
    rows: int | None
    unknown: int | None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    table: str
    level: str
    key: tuple[str, ...]
    scale: float
    kind: str
    units: int
    weights: WeightFacts | None
    periods: PeriodFacts | None
    carried: tuple[CarriedFacts, ...] = ()
    psus: Mapping[str, int] | None = None

    @property
    def excluded(self) -> int:
        """Units without a valid weight."""
        if self.weights is not None:
            return self.weights.rows - self.weights.valid
        return self.periods.missing if self.periods is not None else 0


@dataclass(frozen=True, slots=True)
class DesignReport:
    """One for each unit of the design, in its order; `warnings` are worth a look and refuse nothing."""

    units: tuple[UnitFacts, ...]
    warnings: tuple[str, ...] = ()


def counted(design: SurveyDesign, report: DesignReport) -> SurveyDesign:
    """The design with the counts of its units."""
    pairs = zip(design.units, report.units, strict=True)
    return replace(
        design,
        units=tuple(
            replace(unit, units=facts.units, excluded=facts.excluded, psus=facts.psus or {}) for unit, facts in pairs
        ),
    )


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────
def build_report_document(report: DesignReport) -> Document:
    """The inverse of `parse_report`."""
    return asdict(report)


def parse_report(document: Document) -> DesignReport:
    units = tuple(_parse_unit(unit) for unit in document["units"])
    return DesignReport(units=units, warnings=tuple(document["warnings"]))


def _parse_unit(document: Mapping[str, Any]) -> UnitFacts:  # Any: JSON
    weights, periods = document["weights"], document["periods"]
    return UnitFacts(
        **{
            **document,
            "key": tuple(document["key"]),
            "weights": WeightFacts(**weights) if weights else None,
            "periods": PeriodFacts(**{**periods, "weights": WeightFacts(**periods["weights"])}) if periods else None,
            "carried": tuple(CarriedFacts(**carried) for carried in document["carried"]),
        }
    )


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────
def describe_unit(facts: UnitFacts) -> Lines:
    """Everything that was found, as pairs of words and numbers."""
    key = ", ".join(facts.key) or "none, each row is a unit"
    lines = [("Level", facts.level), ("Key", key), ("Units", f"{facts.units:,}")]
    if facts.weights is not None:
        lines += _describe_weights(facts.weights, facts, "")
    if facts.periods is not None:
        lines += _describe_periods(facts.periods, facts)
    if facts.psus is not None:
        lines.append(("Strata and PSUs", _describe_psus(facts.psus)))
    for carried in facts.carried:
        lines.append((f"Rows of {carried.table}", _describe_carried(carried)))
    return tuple(lines)


def _describe_weights(weights: WeightFacts, facts: UnitFacts, of: str) -> list[tuple[str, str]]:
    total = "Stand for" if facts.kind == "projected" else "Sum of weights"
    scale = f" (sum of weights x {facts.scale:,g})" if facts.scale != 1 else ""
    return [
        (f"Valid weights{of}", f"{weights.valid:,} of {weights.rows:,}"),
        (f"Left out{of}", _describe_invalid(weights)),
        (f"{total}{of and f'{of}, on average'}", f"{_number(weights.total)}{scale}"),
        (f"Efficiency{of}", "–" if weights.efficiency is None else f"{weights.efficiency:.1f} %"),
        (f"Largest over median{of}", _number(weights.largest_over_median)),
        (f"Extreme{of}", f"{weights.extreme:,} above {EXTREME} times the median"),
    ]


def _describe_invalid(weights: WeightFacts) -> str:
    counts = {
        "NULL": weights.nulls,
        "zero": weights.zero,
        "negative": weights.negative,
        "NaN or infinite": weights.not_finite,
    }
    found = [f"{count:,} {name}" for name, count in counts.items() if count]
    return ", ".join(found) or "none"


def _describe_periods(periods: PeriodFacts, facts: UnitFacts) -> list[tuple[str, str]]:
    span = f"{periods.periods:,} ({periods.every}s from {periods.first} to {periods.last})"
    # sums over periods would count each person several times
    total = None if periods.weights.total is None else periods.weights.total / max(periods.periods, 1)
    return [
        ("Weights by period", periods.table),
        ("Periods", span),
        ("Units without any weight", f"{periods.missing:,}"),
        *_describe_weights(replace(periods.weights, total=total), facts, " by period"),
    ]


def _describe_psus(psus: Mapping[str, int]) -> str:
    if not psus:
        return "too many strata: no standard errors"
    lonely = sum(count < 2 for count in psus.values())
    alone = f"; {lonely:,} with one PSU only: no standard errors until it is merged with another" if lonely else ""
    return f"{len(psus):,}, {sum(psus.values()):,}{alone}"


def _describe_carried(carried: CarriedFacts) -> str:
    if carried.rows is None or carried.unknown is None:
        return NOT_COUNTED
    return f"{carried.rows:,}, {carried.unknown:,} of them without a unit"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def render_report(report: DesignReport) -> str:
    """Plain text, one fact a line."""
    blocks = []
    for facts in report.units:
        lines = describe_unit(facts)
        width = max(len(label) for label, _ in lines)
        blocks.append("\n".join([facts.table, *(f"  {label:<{width}}  {value}" for label, value in lines)]))
    return "\n".join([*blocks, *(f"Warning: {warning}" for warning in report.warnings)])
