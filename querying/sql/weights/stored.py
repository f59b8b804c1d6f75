"""The rows of a stored table, by what the survey design says of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datasets.catalog import ColumnSpec
from datasets.design import SurveyDesign, Unit
from querying.sql.information_schema import CATALOGUE
from querying.sql.scopes import TableUse
from querying.sql.weights.grain import NO_UNITS, Fact, Kind, Rows, key_names
from querying.sql.weights.joined import finest

KEEPS_APART: Final = frozenset({"hash"})  # masks under which different keys look different
CUT_BY_SAMPLE: Final = "TABLESAMPLE takes a part of the sample, whose weights do not add up to the population"


def table_rows(use: TableUse, design: SurveyDesign) -> Rows:
    """The rows of a stored table, by what the design says of it."""
    spec = use.spec
    name = (spec.schema, spec.name)
    if spec.kind == CATALOGUE:
        return Rows(Kind.PLAIN, exact=False)
    own = [number for number, unit in enumerate(design.units) if unit.table == name]
    carried = [number for number, unit in enumerate(design.units) if number not in own and keys_in(unit, name)]
    facts = {column.name: fact_of_column(column, name, own, design) for column in spec.visible_columns}
    kind = Kind.PERSON if own else Kind.EVENT if carried else Kind.PLAIN
    unique = {frozenset(key) for key in (spec.primary_key, *spec.unique_keys) if key}
    for number in own:
        if not design.units[number].shares_table and design.units[number].key:
            unique.add(key_names(number, len(design.units[number].key)))
    for number, unit in enumerate(design.units):
        weights = unit.period_weights
        if weights is not None and weights.table == name:
            unique.add(key_names(number, len(unit.key)) | {weights.period})
    units = frozenset((*own, *carried))
    return Rows(
        kind,
        tuple(facts.items()),
        unit=finest(own or carried, design) if units else None,
        units=units,
        unique=frozenset(unique),
        cut=CUT_BY_SAMPLE if units and is_sampled(use) else "",
        dated=frozenset(number for number in units if has_date(design.units[number], name)),
    )


def is_sampled(use: TableUse) -> bool:
    return bool(use.node.range_subselect.subquery.select_stmt.from_clause[0].HasField("range_table_sample"))


def has_date(unit: Unit, table: tuple[str, str]) -> bool:
    weights = unit.period_weights
    return weights is not None and (weights.table == table or table in weights.dates)


def keys_in(unit: Unit, table: tuple[str, str]) -> tuple[str, ...]:
    """The columns of this table that hold the unit's key."""
    if unit.table == table:
        return unit.key
    weights = unit.period_weights
    if weights is not None and weights.table == table:
        return weights.key
    return unit.carried_by.get(table, ())


def fact_of_column(spec: ColumnSpec, table: tuple[str, str], own: Sequence[int], design: SurveyDesign) -> Fact:
    column = spec.name
    key: tuple[int, int] | None = None
    fixed: set[int] = set()
    dates: set[int] = set()
    weight = False
    for number, unit in enumerate(design.units):
        keys, weights = keys_in(unit, table), unit.period_weights
        if column in keys:
            if spec.mask is None or spec.mask.kind in KEEPS_APART:
                key = key or (number, keys.index(column))
            fixed.add(number)
        if (number in own and not unit.shares_table) or (column in unit.attributes and (keys or number in own)):
            fixed.add(number)
        # a table that speaks of the unit may hold a copy of its weight
        weight = weight or (column == unit.weight and bool(keys or unit.table == table))
        if weights is not None:
            weight = weight or (weights.table == table and column == weights.weight)
            if weights.dates.get(table) == column or (weights.table == table and column == weights.period):
                dates.add(number)
    shown = frozenset(dates) if spec.mask is None else NO_UNITS
    raw = key is not None and spec.mask is None and not spec.classes
    return Fact(key=key, raw=raw, fixed=frozenset(fixed), weight=weight, date=shown, pins=shown)
