"""Weights that hold for one period each: which period a row has, and which periods a question spans. Pure.

date_trunc('month', event_date)                   the value tells the month, and is a date of it
to_char(event_date, 'YYYY-MM')                    the value tells the month
event_date >= '2026-01-01' AND event_date < '2026-02-01'      one month
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.design import SurveyDesign
from querying.sql.shown import fill
from querying.sql.walk import names
from querying.sql.weights.grain import NO_UNITS, Fact, Spans
from querying.sql.weights.moments import (
    EVER,
    LENGTHS,
    Span,
    constant_text,
    folded,
    span_of,
    span_of_parts,
    span_of_text,
    whole_number,
)

FactOf = Callable[[pg.Node], Fact]

# What a value must be cut to, or finer, to tell the period.
FINE_ENOUGH: Final[Mapping[str, frozenset[str]]] = {
    "day": frozenset({"day"}),
    "week": frozenset({"day", "week"}),
    "month": frozenset({"day", "month"}),
    "quarter": frozenset({"day", "month", "quarter"}),
    "year": frozenset({"day", "month", "quarter", "year"}),
}
WITHIN_A_DAY: Final = frozenset({"hour", "microseconds", "milliseconds", "minute", "second"})
MOMENT_TYPES: Final = frozenset({"date", "timestamp", "timestamptz"})
PATTERNS: Final[Mapping[str, tuple[re.Pattern[str], ...]]] = {
    "day": (re.compile("YYYY"), re.compile("MM|MON"), re.compile("DD")),
    "week": (re.compile("IYYY"), re.compile("IW")),
    "month": (re.compile("YYYY"), re.compile("MM|MON")),
    "quarter": (re.compile("YYYY"), re.compile("Q|MM|MON")),
    "year": (re.compile("YYYY"),),
}
PARTS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "day": (frozenset({"year", "month", "day"}), frozenset({"year", "doy"})),
    "week": (frozenset({"isoyear", "week"}),),
    "month": (frozenset({"year", "month"}),),
    "quarter": (frozenset({"year", "quarter"}), frozenset({"year", "month"})),
    "year": (frozenset({"year"}),),
}
PERIOD: Final = "pg_catalog.date_trunc({every}, $1)::pg_catalog.date"
SWAPPED: Final = {"<": ">", "<=": ">=", "=": "=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Spell:
    """Weights of periods as one SELECT uses them: by the period of each row, or by a rule over those of the span."""

    every: str
    rule: str = ""  # '': by row
    span: Span = EVER

    @property
    def by_row(self) -> bool:
        return not self.rule


def period_of(node: pg.Node, every: str) -> pg.Node:
    """The first day of the period in which a moment lies."""
    return fill(PERIOD.format(every=f"'{every}'"), node)


# ── what a value tells ───────────────────────────────────────────────────────────────────────────────────────
def date_fact(node: pg.Node, fact_of: FactOf, design: SurveyDesign) -> tuple[frozenset[int], frozenset[int]]:
    """Units whose period can be computed from the value, and those whose period it tells."""
    if node.HasField("type_cast"):
        if names(node.type_cast.type_name.names)[-1] not in MOMENT_TYPES:
            return NO_UNITS, NO_UNITS
        inner = fact_of(node.type_cast.arg)
        return inner.date, inner.pins
    if not node.HasField("func_call") or len(node.func_call.args) < 2:
        return NO_UNITS, NO_UNITS
    name, (first, second) = names(node.func_call.funcname)[-1], list(node.func_call.args)[:2]
    if name == "date_trunc":
        length = constant_text(first).lower()
        inner = fact_of(second)
        units = frozenset(unit for unit in inner.date if is_fine_enough(length, every_of(unit, design)))
        return units, units
    if name == "to_char":
        pattern = constant_text(second).upper()
        units = frozenset(
            unit
            for unit in fact_of(first).date
            if all(wanted.search(pattern) for wanted in PATTERNS[every_of(unit, design)])
        )
        return NO_UNITS, units
    return NO_UNITS, NO_UNITS


def is_fine_enough(length: str, every: str) -> bool:
    return length in FINE_ENOUGH[every] or length in WITHIN_A_DAY


def every_of(unit: int, design: SurveyDesign) -> str:
    weights = design.units[unit].period_weights
    return weights.every if weights is not None else "day"


def pinned_by_groups(items: Sequence[pg.Node], fact_of: FactOf, design: SurveyDesign) -> frozenset[int]:
    """Units with one period in each group: GROUP BY the month, or its year and number."""
    found = {unit for item in items for unit in fact_of(item).pins}
    parts: dict[int, set[str]] = {}
    for item in items:
        field, inner = extracted(item)
        if inner is not None:
            for unit in fact_of(inner).date:
                parts.setdefault(unit, set()).add(field)
    for unit, has in parts.items():
        if any(wanted <= has for wanted in PARTS[every_of(unit, design)]):
            found.add(unit)
    return frozenset(found)


def extracted(node: pg.Node) -> tuple[str, pg.Node | None]:
    """extract(month FROM x) and date_part('month', x)."""
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    if not node.HasField("func_call") or names(node.func_call.funcname)[-1] not in ("date_part", "extract"):
        return "", None
    field, inner = node.func_call.args
    return constant_text(field).lower(), inner


# ── which periods a question spans ───────────────────────────────────────────────────────────────────────────
def narrowed(conditions: Iterable[pg.Node], fact_of: FactOf, design: SurveyDesign, spans: Spans) -> dict[int, Span]:
    """The spans that remain under these conditions, all of which hold."""
    found = dict(spans)
    parts: dict[int, dict[str, int]] = {}
    for condition in conditions:
        for value, operator, constant in comparisons(condition):
            narrow(found, parts, value, operator, constant, fact_of, design)
    for unit, has in parts.items():
        if "year" in has:
            span = span_of_parts(has)
            found[unit] = found.get(unit, EVER).within(span)
    return found


def narrow(
    found: dict[int, Span],
    parts: dict[int, dict[str, int]],
    value: pg.Node,
    operator: str,
    constant: pg.Node,
    fact_of: FactOf,
    design: SurveyDesign,
) -> None:
    field, inner = extracted(value)
    if inner is not None:
        number = whole_number(constant)
        if operator == "=" and number is not None:
            for unit in fact_of(inner).date:
                parts.setdefault(unit, {})[field] = number
        return
    if value.HasField("func_call") and names(value.func_call.funcname)[-1] == "to_char":
        units, span = fact_of(value.func_call.args[0]).date, span_of_text(constant_text(constant))
        if operator != "=" or span is None:
            return
    else:
        units = fact_of(value).date
        moment = folded(constant)
        span = None if moment is None or not units else span_of(operator, moment, cut_to(value))
    if span is not None:
        for unit in units:
            found[unit] = found.get(unit, EVER).within(span)


def comparisons(condition: pg.Node) -> Iterator[tuple[pg.Node, str, pg.Node]]:
    """`value operator constant` as written, turned round, or as two of BETWEEN."""
    expression = condition.a_expr
    if not condition.HasField("a_expr"):
        return
    if expression.kind == pg.AEXPR_BETWEEN:
        low, high = expression.rexpr.list.items
        yield expression.lexpr, ">=", low
        yield expression.lexpr, "<=", high
    elif expression.kind == pg.AEXPR_IN and len(expression.rexpr.list.items) == 1 and names(expression.name)[-1] == "=":
        yield expression.lexpr, "=", expression.rexpr.list.items[0]
    elif expression.kind == pg.AEXPR_OP and names(expression.name)[-1] in SWAPPED:
        operator = names(expression.name)[-1]
        yield expression.lexpr, operator, expression.rexpr
        yield expression.rexpr, SWAPPED[operator], expression.lexpr


def cut_to(value: pg.Node) -> str:
    """The length to which a value is cut: `date_trunc('month', x)` to the month, a plain column to nothing."""
    while value.HasField("type_cast"):
        if names(value.type_cast.type_name.names)[-1] == "date" and not value.type_cast.arg.HasField("func_call"):
            return "day"
        value = value.type_cast.arg
    if value.HasField("func_call") and names(value.func_call.funcname)[-1] == "date_trunc":
        length = constant_text(value.func_call.args[0]).lower()
        return length if length in LENGTHS else ""
    return ""
