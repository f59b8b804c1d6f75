"""A confirmed survey design as JSON: what an entry publishes, names looked up and units counted. Pure.

Everything is written out, so that a later version reads what was confirmed and not what it would make of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets.design import LowBase, PeriodWeights, SurveyDesign, TableName, Unit

Document = dict[str, Any]  # Any: JSON


def build_published_design(design: SurveyDesign) -> Document:
    """The inverse of `parse_published_design`."""
    low = design.low_base
    return {
        "units": [_unit_document(unit) for unit in design.units],
        "merges": {column: {label: list(of) for label, of in found.items()} for column, found in design.merges.items()},
        "low_base": {"action": low.action, "minimum": low.minimum, "very_low": low.very_low, "low": low.low},
    }


def parse_published_design(document: Document) -> SurveyDesign:
    """Raises KeyError, TypeError or ValueError for what this version cannot read."""
    units = tuple(_parse_unit(unit) for unit in document["units"])
    if not units:
        raise ValueError("a confirmed survey design has no unit")
    merges = {column: {label: tuple(of) for label, of in found.items()} for column, found in document["merges"].items()}
    return SurveyDesign(units=units, merges=merges, low_base=LowBase(**document["low_base"]))


def _unit_document(unit: Unit) -> Document:
    return {
        "table": list(unit.table),
        "key": list(unit.key),
        "weight": unit.weight,
        "level": unit.level,
        "scale": unit.scale,
        "kind": unit.kind,
        "stratum": unit.stratum,
        "psu": unit.psu,
        "attributes": sorted(unit.attributes),
        "carried_by": [[*table, list(columns)] for table, columns in sorted(unit.carried_by.items())],
        "period_weights": _period_document(unit.period_weights) if unit.period_weights else None,
        "shares_table": unit.shares_table,
        "units": unit.units,
        "excluded": unit.excluded,
        "psus": dict(unit.psus),
    }


def _period_document(weights: PeriodWeights) -> Document:
    return {
        "table": list(weights.table),
        "key": list(weights.key),
        "period": weights.period,
        "weight": weights.weight,
        "every": weights.every,
        "rule": weights.rule,
        "dates": [[*table, column] for table, column in sorted(weights.dates.items())],
    }


def _parse_unit(document: Document) -> Unit:
    weights = document["period_weights"]
    return Unit(
        **{
            **document,
            "table": _table(document["table"]),
            "key": tuple(document["key"]),
            "attributes": frozenset(document["attributes"]),
            "carried_by": _carried(document["carried_by"]),
            "period_weights": _parse_period(weights) if weights is not None else None,
        }
    )


def _parse_period(document: Document) -> PeriodWeights:
    dates: Mapping[TableName, str] = {(schema, table): column for schema, table, column in document["dates"]}
    return PeriodWeights(
        **{**document, "table": _table(document["table"]), "key": tuple(document["key"]), "dates": dates}
    )


def _carried(documents: list[tuple[str, str, list[str]]]) -> Mapping[TableName, tuple[str, ...]]:
    return {(schema, table): tuple(columns) for schema, table, columns in documents}


def _table(document: list[str]) -> TableName:
    schema, table = document
    return schema, table
