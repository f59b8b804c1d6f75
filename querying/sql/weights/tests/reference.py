"""A slow, obvious second opinion on weighted answers: questions as values, answered from raw rows in plain Python.

Nothing here parses SQL. A question is a small tree of frozen dataclasses; `writing.write` of it is the SQL that an
analyst would send, `answer` is what should come back. What a row is (a person, an event, a cell) is known by
construction and from ../shared/weighting.md alone, never from the product's own code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import combinations
from typing import Final, TypeAlias, TypeVar

from datasets.design import SurveyDesign, Unit

Value: TypeAlias = int | float | str | date | bool | None
RawRow: TypeAlias = Mapping[str, Value]
Place: TypeAlias = tuple[str, str]  # alias, column
Values: TypeAlias = Mapping[Place, Value]

# whose column it is: a person's, a row's (an event's, a dimension's), a weight; keys are "key:level:position"
PERSON, ROW, WEIGHT = "person", "row", "weight"
# what one row of a relation is
ONE_PERSON, EVENTS, CELLS, OTHER = "person", "events", "cells", "other"

SAMPLE_ONLY: Final = frozenset({"min", "max", "bool_or", "bool_and"})
MOMENTS: Final = frozenset({"var_samp", "var_pop", "stddev_samp", "stddev_pop", "variance", "stddev"})
PAIRS: Final = frozenset({"corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept", "regr_r2"})
QUANTILES: Final = frozenset({"percentile_cont", "percentile_disc"})
TIE: Final = 1e-12


Part = TypeVar("Part")

# The data


@dataclass(frozen=True)
class Table:
    """One table: column -> type as PostgreSQL spells it, rows, and whose each column is."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[RawRow]
    owners: Mapping[str, str] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    tables: Mapping[str, Table]
    design: SurveyDesign

    def unit(self, level: str, table: str = "") -> Unit:
        found = (unit for unit in self.design.units if unit.level == level and table in ("", unit.table[1]))
        return next(found)

    def key_of(self, table: str, level: str = PERSON) -> tuple[str, ...]:
        """The columns that hold the key in that table; empty if it does not carry it."""
        for unit in self.design.units:
            if unit.level == level and unit.key:
                if unit.table[1] == table:
                    return unit.key
                for (_, name), columns in unit.carried_by.items():
                    if name == table:
                        return columns
                periods = unit.period_weights
                if periods and periods.table[1] == table:
                    return periods.key
        return ()

    @cached_property
    def weights(self) -> Mapping[str, Mapping[tuple[Value, ...], float]]:
        """Level -> key -> what the unit stands for; units without a valid weight are not in it."""
        return {unit.level: dict(self.weigh_units(unit)) for unit in self.design.units if unit.key and unit.weight}

    def weigh_units(self, unit: Unit) -> Iterator[tuple[tuple[Value, ...], float]]:
        for row in self.tables[unit.table[1]].rows:
            weight = effective(row[unit.weight], unit.scale)
            key = tuple(row[column] for column in unit.key)
            if weight is not None and None not in key:
                yield key, weight

    @cached_property
    def period_weights(self) -> Mapping[tuple[tuple[Value, ...], date], float]:
        """(key, first day of the month) -> what the person stands for in it."""
        found: dict[tuple[tuple[Value, ...], date], float] = {}
        for unit in self.design.units:
            if periods := unit.period_weights:
                for row in self.tables[periods.table[1]].rows:
                    weight, month = effective(row[periods.weight], unit.scale), row[periods.period]
                    if weight is not None and isinstance(month, date):
                        found[tuple(row[column] for column in periods.key), month] = weight
        return found


def effective(weight: Value, scale: float) -> float | None:
    """Valid is w > 0 and finite; NULL, 0, negative and NaN are out of the base."""
    if not isinstance(weight, int | float) or math.isnan(weight) or math.isinf(weight) or weight <= 0:
        return None
    return weight * scale


# The question


@dataclass(frozen=True)
class Col:
    name: str
    of: str


@dataclass(frozen=True)
class Const:
    value: Value


@dataclass(frozen=True)
class Op:
    """`/` gives NULL for a zero divisor and never divides integers; `and`, `or` and comparisons know NULL."""

    sign: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class IsNull:
    of: Expr
    negated: bool = False


@dataclass(frozen=True)
class OneOf:
    of: Expr
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True)
class Case:
    when: Expr
    then: Expr
    otherwise: Expr = Const(None)


@dataclass(frozen=True)
class Month:
    of: Expr


@dataclass(frozen=True)
class Round:
    of: Expr
    digits: int


@dataclass(frozen=True)
class Coalesce:
    of: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Exists:
    query: Select
    negated: bool = False


@dataclass(frozen=True)
class In:
    of: tuple[Col, ...]
    query: Query
    negated: bool = False


@dataclass(frozen=True)
class Scalar:
    query: Select


@dataclass(frozen=True)
class Agg:
    """An aggregate: no arguments is COUNT(*), several with `distinct` a row of them, or the pair of CORR."""

    name: str
    args: tuple[Expr, ...] = ()
    distinct: bool = False
    where: Expr | None = None
    fraction: float | None = None
    descending: bool = False


@dataclass(frozen=True)
class Over:
    """A window over the groups: rank by `of`, sum of `of`, or `of` of the group before."""

    name: str  # sum | rank | lag | row_number
    of: Expr
    order: tuple[Expr, ...] = ()
    descending: bool = False
    partition: tuple[Expr, ...] = ()


Expr: TypeAlias = (
    Col | Const | Op | IsNull | OneOf | Case | Month | Round | Coalesce | Exists | In | Scalar | Agg | Over
)


@dataclass(frozen=True)
class Base:
    table: str
    alias: str


@dataclass(frozen=True)
class Derived:
    query: Query
    alias: str


@dataclass(frozen=True)
class Join:
    """`left` keeps every row of the left side. `on` pairs a column of each side; empty is a cross join."""

    left: Source
    right: Source
    on: tuple[tuple[Col, Col], ...]
    left_outer: bool = False
    also: Expr | None = None  # a further condition in ON


@dataclass(frozen=True)
class Rows:
    """No FROM item: one row without columns."""


Source: TypeAlias = Base | Derived | Join | Rows


@dataclass(frozen=True)
class Select:
    """`sets` is "", rollup, cube or each (GROUPING SETS of one group at a time and the whole).

    `about_one` says that the WHERE ties it to one person of the query around it.
    """

    items: tuple[tuple[str, Expr], ...]
    source: Source
    where: Expr | None = None
    groups: tuple[Expr, ...] = ()
    sets: str = ""
    having: Expr | None = None
    order: tuple[tuple[str, bool], ...] = ()  # output name, descending
    limit: int | None = None
    distinct: bool = False
    about_one: bool = False
    distinct_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetOp:
    sign: str  # union | union all | intersect | except
    left: Query
    right: Query


Query: TypeAlias = Select | SetOp


@dataclass(frozen=True)
class Reading:
    """How the evaluator reads what the specification leaves open; `weighted` False is plain PostgreSQL."""

    weighted: bool = True
    constants_once: bool = False  # AVG(CASE WHEN person THEN 1 ELSE 0 END) over events: persons, not events
    months: tuple[date, ...] = ()  # period rule mean or last: the months of the question


PLAIN: Final = Reading(weighted=False)


# The answer


@dataclass(frozen=True)
class Row:
    values: Values
    unit: tuple[Value, ...] | None = None
    weight: float | None = None


@dataclass
class Relation:
    rows: list[Row]
    grain: str
    owners: dict[Place, str]
    level: str = PERSON


@dataclass
class Answer:
    """`done` is what happened on the way: weighted, sample, per_person, by_query, once, spans, plain."""

    names: tuple[str, ...]
    rows: list[tuple[Value, ...]]
    done: frozenset[str] = frozenset()


def answer(query: Query, world: World, reading: Reading = Reading()) -> Answer:
    evaluator = Evaluator(world, reading)
    relation = evaluator.query(query, {})
    if "by_query" in evaluator.done:
        relation = Evaluator(world, PLAIN).query(query, {})
    names = output_names(query)
    rows = [tuple(row.values["", name] for name in names) for row in relation.rows]
    return Answer(names, rows, frozenset(evaluator.done))


def output_names(query: Query) -> tuple[str, ...]:
    while isinstance(query, SetOp):
        query = query.left
    return tuple(name for name, _ in query.items)


class Evaluator:
    def __init__(self, world: World, reading: Reading) -> None:
        self.world = world
        self.reading = reading
        self.done: set[str] = set()

    # FROM

    def source(self, source: Source, outer: Values) -> Relation:
        match source:
            case Rows():
                return Relation([Row({})], OTHER, {})
            case Base():
                return self.base(source)
            case Derived():
                inner = self.query(source.query, outer)
                rows = [
                    Row({(source.alias, name): value for (_, name), value in row.values.items()}, row.unit, row.weight)
                    for row in inner.rows
                ]
                owners = {(source.alias, name): owner for (_, name), owner in inner.owners.items()}
                return Relation(rows, inner.grain, owners, inner.level)
            case Join():
                return self.join(source, outer)

    def base(self, base: Base) -> Relation:
        table = self.world.tables[base.table]
        owners = {(base.alias, column): table.owners.get(column, ROW) for column in table.columns}
        of = {unit.table[1]: unit for unit in reversed(self.world.design.units) if not unit.shares_table}
        unit = of.get(base.table)
        level = unit.level if unit else PERSON
        key = self.world.key_of(base.table, level)
        grain = ONE_PERSON if unit else EVENTS if key else OTHER
        rows = []
        for number, raw in enumerate(table.rows):
            values = {(base.alias, column): raw[column] for column in table.columns}
            if unit and not unit.key:
                rows.append(Row(values, (number,), effective(raw[unit.weight], unit.scale)))
            elif key:
                identity = tuple(raw[column] for column in key)
                rows.append(Row(values, identity, self.weigh(identity, level, base.table, raw)))
            else:
                rows.append(Row(values))
        return Relation(rows, grain, owners, level)

    def weigh(self, identity: tuple[Value, ...], level: str, table: str, raw: RawRow) -> float | None:
        periods = next((unit.period_weights for unit in self.world.design.units if unit.period_weights), None)
        dated = {name: column for (_, name), column in periods.dates.items()} if periods else {}
        if level != PERSON or table not in dated:
            return self.world.weights.get(level, {}).get(identity)
        day = raw[dated[table]]
        return self.world.period_weights.get((identity, day.replace(day=1))) if isinstance(day, date) else None

    def join(self, join: Join, outer: Values) -> Relation:
        left, right = self.source(join.left, outer), self.source(join.right, outer)
        nothing = dict.fromkeys(right.owners)
        finer = "right" if right.grain in (ONE_PERSON, EVENTS) and self.is_finer(right, left) else "left"
        rows: list[Row] = []
        partners: dict[tuple[object, ...], list[Row]] = {}
        for other in right.rows:
            if None not in (key := tuple(other.values[b.of, b.name] for _, b in join.on)):
                partners.setdefault(comparable(key), []).append(other)
        for one in left.rows:
            matches = partners.get(comparable(tuple(one.values[a.of, a.name] for a, _ in join.on)), [])
            if join.also is not None:
                condition = join.also
                matches = [row for row in matches if self.value(condition, {**one.values, **row.values}) is True]
            rows.extend(merge(one, other, finer) for other in matches)
            if join.left_outer and not matches:
                rows.append(Row({**one.values, **nothing}, one.unit, one.weight))
        grain, level = self.joined_grain(join, left, right)
        owners = dict(left.owners) | dict(right.owners)
        # what belongs to a row of one person belongs to the person, however many rows are joined to it
        for side in (left, right):
            if side.grain == ONE_PERSON and grain == EVENTS:
                owners |= {place: PERSON for place, owner in side.owners.items() if owner == ROW}
        return Relation(rows, grain, owners, level)

    def is_finer(self, one: Relation, other: Relation) -> bool:
        """Persons before households; events, which may weigh something else each month, before their persons."""
        if other.grain not in (ONE_PERSON, EVENTS) or one.level != other.level:
            return other.grain not in (ONE_PERSON, EVENTS) or one.level == PERSON
        return bool(self.world.period_weights) and one.grain == EVENTS

    def joined_grain(self, join: Join, left: Relation, right: Relation) -> tuple[str, str]:
        sides = [side for side in (left, right) if side.grain in (ONE_PERSON, EVENTS)]
        if not sides:
            return (CELLS if CELLS in (left.grain, right.grain) else OTHER), PERSON
        if len(sides) == 2:
            level = PERSON if PERSON in (left.level, right.level) else left.level
            both = all(side.grain == ONE_PERSON for side in sides) and left.level == right.level
            if both or (left.level != right.level and sides[left.level != PERSON].grain == ONE_PERSON):
                return ONE_PERSON, level
            return EVENTS, level
        other = join.right if sides[0] is left else join.left
        declared = isinstance(other, Base) and self.world.tables[other.table].primary_key
        used = {b.name if other is join.right else a.name for a, b in join.on}
        fans_out = not (declared and set(declared) <= used)
        return (EVENTS if fans_out else sides[0].grain), sides[0].level

    # SELECT

    def query(self, query: Query, outer: Values) -> Relation:
        return self.select(query, outer) if isinstance(query, Select) else self.set_operation(query, outer)

    def set_operation(self, query: SetOp, outer: Values) -> Relation:
        left, right = self.query(query.left, outer), self.query(query.right, outer)
        names = output_names(query)
        rename = dict(zip(output_names(query.right), names, strict=True))
        others = [
            Row({("", rename[name]): value for (_, name), value in row.values.items()}, row.unit, row.weight)
            for row in right.rows
        ]
        if query.sign == "union all":
            rows = [*left.rows, *others]
        else:
            first, second = distinct_rows(left.rows), distinct_rows(others)
            keep = {
                "union": [*first.values(), *(row for key, row in second.items() if key not in first)],
                "intersect": [row for key, row in first.items() if key in second],
                "except": [row for key, row in first.items() if key not in second],
            }
            rows = keep[query.sign]
        grain = left.grain
        if left.grain in (ONE_PERSON, EVENTS):
            rows = [self.of_somebody(row, left.owners) for row in rows]
            bare = self.is_key(left.owners, left.level)
            grain = ONE_PERSON if bare and query.sign != "union all" else EVENTS
        return Relation(rows, grain, left.owners, left.level)

    def select(self, query: Select, outer: Values) -> Relation:
        relation = self.source(query.source, outer)
        if query.where is not None:
            where = query.where
            relation.rows = [
                row
                for row in relation.rows
                if self.value(where, outer | dict(row.values)) is True  # type: ignore[operator]
            ]
        expressions = [expression for _, expression in query.items] + ([query.having] if query.having else [])
        if query.groups or any(True for expression in expressions for _ in find(expression, Agg)):
            return self.grouped(query, relation, outer)
        return self.plain_rows(query, relation, outer)

    def plain_rows(self, query: Select, relation: Relation, outer: Values) -> Relation:
        rows = []
        for row in relation.rows:
            values = {("", name): self.value(item, {**outer, **row.values}) for name, item in query.items}
            rows.append(Row(values, row.unit, row.weight))
        owners = {("", name): self.owner(item, relation) for name, item in query.items}
        grain = relation.grain
        if query.distinct:
            rows = list(distinct_rows(rows).values())
            if grain in (ONE_PERSON, EVENTS):
                keyed = self.has_key(owners, relation.level)
                personal = all(owner != ROW for owner in owners.values())
                grain = (ONE_PERSON if personal else EVENTS) if keyed else OTHER
                rows = [self.of_somebody(row, owners) if keyed else Row(row.values) for row in rows]
        rows = cut(query, rows)
        return Relation(rows, grain, owners, relation.level)

    def grouped(self, query: Select, relation: Relation, outer: Values) -> Relation:
        places = [(item.of, item.name) for item in query.groups if isinstance(item, Col)]
        named = {place: relation.owners.get(place, ROW) for place in places}
        unit_rows = relation.grain in (ONE_PERSON, EVENTS)
        per_person = unit_rows and self.has_key(named, relation.level)
        weighted = self.reading.weighted and unit_rows and not per_person and not query.about_one
        aggregates = list(self.aggregates(query))
        own_weights = [agg for agg in aggregates if self.uses_weight(agg, relation)]
        if self.reading.weighted and own_weights:
            self.done.add("by_query")
            weighted = False
        elif weighted:
            # a SELECT with only such aggregates is left alone
            if all(self.is_sample_only(agg, relation) for agg in aggregates):
                self.done.add("sample")
                weighted = False
            else:
                self.done.add("weighted")
                homes = [self.is_household(agg, relation) for agg in aggregates]
                relation.rows = [
                    row
                    for row in relation.rows
                    if (row.weight is not None and not (homes and all(homes)))
                    or (any(homes) and self.weighs_home(row, relation))
                ]
        elif per_person or query.about_one:
            self.done.add("per_person")
            keys = [place for place, owner in named.items() if owner.startswith("key:")]
            if any(row.values[place] is None for row in relation.rows for place in keys):
                self.done.add("nobody")
        rows: list[Row] = []
        for shown in grouping_sets(query):
            rows.extend(self.one_grouping(query, relation, outer, shown, weighted))
        grain = CELLS if unit_rows else relation.grain
        owners = {("", name): self.owner(item, relation) for name, item in query.items}
        if per_person:
            held = {
                ("", name): relation.owners.get((item.of, item.name), ROW)
                for name, item in query.items
                if isinstance(item, Col)
            }
            rows = [self.of_somebody(row, held) for row in rows]
            personal = all(owner != ROW for owner in named.values()) and not any(
                not isinstance(group, Col) and self.owner(group, relation) == ROW for group in query.groups
            )
            grain = ONE_PERSON if personal else EVENTS
            if grain == ONE_PERSON:
                owners = {place: PERSON if owner == ROW else owner for place, owner in owners.items()}
        else:
            rows = [Row(row.values) for row in rows]
        return Relation(self.windows_and_cut(query, rows), grain, owners, relation.level)

    def weighs_home(self, row: Row, relation: Relation) -> bool:
        homes = (place for place, owner in relation.owners.items() if owner == "key:household:0")
        return any((row.values[place],) in self.world.weights["household"] for place in homes)

    def of_somebody(self, row: Row, owners: Mapping[Place, str]) -> Row:
        """A row whose key is NULL stands for nobody, whoever's rows are in it."""
        if all(row.values.get(place) is not None for place, owner in owners.items() if owner.startswith("key:")):
            return row
        self.done.add("nobody")
        return Row(row.values)

    def aggregates(self, query: Select) -> Iterator[Agg]:
        for _, item in query.items:
            yield from find(item, Agg)
        if query.having is not None:
            yield from find(query.having, Agg)

    def one_grouping(
        self, query: Select, relation: Relation, outer: Values, shown: tuple[bool, ...], weighted: bool
    ) -> Iterator[Row]:
        groups: dict[tuple[object, ...], list[Row]] = {}
        keys: dict[tuple[object, ...], tuple[Value, ...]] = {}
        for row in relation.rows:
            values = tuple(
                self.value(group, {**outer, **row.values}) if is_shown else None
                for group, is_shown in zip(query.groups, shown, strict=True)
            )
            groups.setdefault(comparable(values), []).append(row)
            keys[comparable(values)] = values
        if not groups and not any(shown):
            groups[()], keys[()] = [], (None,) * len(query.groups)
        for key, rows in groups.items():
            found = Group(self, relation, rows, dict(zip(query.groups, keys[key], strict=True)), weighted, outer)
            if query.having is not None and found.value(query.having) is not True:
                continue
            known: dict[Place, Value] = {}
            for name, item in query.items:
                known["", name] = None if any(True for _ in find(item, Over)) else found.value(item)
            # what windows need, beside what is shown
            for _, item in query.items:
                for window in find(item, Over):
                    for part in (window.of, *window.order, *window.partition):
                        known["over", repr(part)] = found.value(part)
                if any(True for _ in find(item, Over)):
                    for agg in find(item, Agg):
                        known["over", repr(agg)] = found.value(agg)
            weights = [row.weight for row in rows if row.weight is not None]
            yield Row(known, rows[0].unit if rows else None, weights[0] if weights else None)

    def windows_and_cut(self, query: Select, rows: list[Row]) -> list[Row]:
        for name, item in query.items:
            windows = list(find(item, Over))
            if not windows:
                continue
            results = [window_values(window, rows) for window in windows]
            for number, row in enumerate(rows):
                given = {repr(window): result[number] for window, result in zip(windows, results, strict=True)}
                row.values["", name] = self.value(item, row.values, given)  # type: ignore[index]
        shown = [
            Row({place: value for place, value in row.values.items() if place[0] == ""}, row.unit, row.weight)
            for row in rows
        ]
        return cut(query, shown)

    def settle(self, unit: tuple[Value, ...] | None, weight: float) -> float:
        """What a person weighs in a question that spans several periods, as the design's rule says."""
        periods = next((unit.period_weights for unit in self.world.design.units if unit.period_weights), None)
        if not periods or not self.reading.months or unit is None:
            return weight
        found = [self.world.period_weights.get((unit, month)) for month in self.reading.months]
        known = [one for one in found if one is not None]
        return known[-1] if periods.rule == "last" else math.fsum(known) / len(known)

    # Whose is it?

    def owner(self, item: Expr, relation: Relation) -> str:
        if isinstance(item, Col):
            return relation.owners.get((item.of, item.name), ROW)
        owners = {relation.owners.get((column.of, column.name), ROW) for column in find(item, Col)}
        if any(True for _ in find(item, Agg)) or not owners or ROW in owners:
            return ROW
        return PERSON

    def has_key(self, owners: Mapping[Place, str], level: str) -> bool:
        """Whether these columns hold the whole key of a unit."""
        key = next((unit.key for unit in self.world.design.units if unit.level == level and unit.key), ())
        return bool(key) and {f"key:{level}:{position}" for position in range(len(key))} <= set(owners.values())

    def is_key(self, owners: Mapping[Place, str], level: str) -> bool:
        return self.has_key(owners, level) and all(owner.startswith("key:") for owner in owners.values())

    def uses_weight(self, agg: Agg, relation: Relation) -> bool:
        columns = [column for arg in agg.args for column in find(arg, Col)]
        return any(relation.owners.get((column.of, column.name)) == WEIGHT for column in columns)

    def distinct_level(self, agg: Agg, relation: Relation) -> str:
        """The level whose key is counted, or nothing: COUNT(DISTINCT anything else)."""
        arguments = [arg.then if isinstance(arg, Case) else arg for arg in agg.args]
        named = {
            (column.of, column.name): relation.owners.get((column.of, column.name), ROW)
            for column in arguments
            if isinstance(column, Col)
        }
        levels = (level for level in dict.fromkeys((relation.level, PERSON, "household")) if self.has_key(named, level))
        return next(levels, "")

    def is_sample_only(self, agg: Agg, relation: Relation) -> bool:
        return agg.name in SAMPLE_ONLY or (agg.distinct and not self.distinct_level(agg, relation))

    def is_household(self, agg: Agg, relation: Relation) -> bool:
        return agg.distinct and self.distinct_level(agg, relation) not in ("", relation.level)

    # Values

    def value(self, item: Expr, values: Values, given: Mapping[str, Value] | None = None) -> Value:
        """Of an expression on one row; `given` holds what windows came to."""
        match item:
            case Col():
                return values[item.of, item.name]
            case Const():
                return item.value
            case Op():
                return operate(item.sign, self.value(item.left, values, given), self.value(item.right, values, given))
            case IsNull():
                return (self.value(item.of, values, given) is None) != item.negated
            case OneOf():
                value = self.value(item.of, values, given)
                return None if value is None else (value in item.values) != item.negated
            case Case():
                taken = item.then if self.value(item.when, values, given) is True else item.otherwise
                return self.value(taken, values, given)
            case Month():
                day = self.value(item.of, values, given)
                return day.replace(day=1) if isinstance(day, date) else None
            case Round():
                return rounded(self.value(item.of, values, given), item.digits)
            case Coalesce():
                value = self.value(item.of, values, given)
                return self.value(item.otherwise, values, given) if value is None else value
            case Exists():
                return bool(self.query(item.query, values).rows) != item.negated
            case In():
                return self.is_in(item, values)
            case Scalar():
                rows = self.query(item.query, values).rows
                return next(iter(rows[0].values.values())) if rows else None
            case Agg() | Over():
                if given is not None and repr(item) in given:
                    return given[repr(item)]
                return values["over", repr(item)]

    def is_in(self, item: In, values: Values) -> bool | None:
        wanted = tuple(values[column.of, column.name] for column in item.of)
        unknown = False
        for row in self.query(item.query, values).rows:
            same = [equal(a, b) for a, b in zip(wanted, row.values.values(), strict=True)]
            if all(part is True for part in same):
                return not item.negated
            unknown = unknown or (False not in same)
        return None if unknown else item.negated


@dataclass
class Group:
    """One group of rows, and what its expressions come to."""

    evaluator: Evaluator
    relation: Relation
    rows: list[Row]
    keys: Mapping[Expr, Value]
    weighted: bool
    outer: Values

    def value(self, item: Expr) -> Value:
        if item in self.keys:
            return self.keys[item]
        match item:
            case Agg():
                return self.aggregate(item)
            case Op():
                return operate(item.sign, self.value(item.left), self.value(item.right))
            case Round():
                return rounded(self.value(item.of), item.digits)
            case Coalesce():
                value = self.value(item.of)
                return self.value(item.otherwise) if value is None else value
            case Case():
                return self.value(item.then if self.value(item.when) is True else item.otherwise)
            case IsNull():
                return (self.value(item.of) is None) != item.negated
            case Over():
                return None
            case _:
                return self.evaluator.value(item, self.outer)

    def aggregate(self, agg: Agg) -> Value:
        rows = [row for row in self.rows if agg.where is None or self.of_row(agg.where, row) is True]
        if agg.distinct:
            return self.count_distinct(agg, rows)
        if self.weighted:  # rows that only a household's aggregate keeps have no person's weight
            rows = [row for row in rows if row.weight is not None]
        values = [tuple(self.of_row(arg, row) for arg in agg.args) for row in rows]
        if not self.weighted:
            return plain_aggregate(agg, values)
        weights = [row.weight or 0.0 for row in rows]
        if self.once(agg):
            self.evaluator.done.add("once")
            settle = self.evaluator.settle
            units: dict[object, tuple[tuple[Value, ...], float]] = {}
            for row, value in zip(rows, values, strict=True):
                # an outer join may leave a person's value out of some of their rows
                if row.unit not in units or None in units[row.unit][0]:
                    units[row.unit] = value, settle(row.unit, row.weight or 0.0)
            values = [value for value, _ in units.values()]
            weights = [weight for _, weight in units.values()]
        return weighted_aggregate(agg, values, weights)

    def once(self, agg: Agg) -> bool:
        """Whether each person is to be taken once: what is summed up over events says something of the person."""
        if self.relation.grain != EVENTS or agg.name == "count":
            return False
        owners = [self.evaluator.owner(arg, self.relation) for arg in agg.args if not isinstance(arg, Const)]
        personal = bool(owners) and ROW not in owners
        if personal and all(isinstance(arg, Case) and is_constant(arg) for arg in agg.args):
            return agg.name != "sum" and self.evaluator.reading.constants_once
        return personal

    def count_distinct(self, agg: Agg, rows: list[Row]) -> Value:
        level = self.evaluator.distinct_level(agg, self.relation)
        if self.weighted and not level and agg.name != "count":
            raise NotImplementedError(agg.name)
        seen: dict[tuple[object, ...], float] = {}
        plain: dict[tuple[object, ...], Value] = {}
        for row in rows:
            values = tuple(self.of_row(arg, row) for arg in agg.args)
            if len(values) == 1 and values[0] is None:
                continue
            plain[comparable(values)] = values[0]
            weight = row.weight
            if level and level != self.relation.level:
                weight = self.evaluator.world.weights[level].get(values)
            if level and self.names_unit(agg, values) and weight is not None:
                seen[comparable(values)] = self.evaluator.settle(row.unit, weight)
        if agg.name != "count":
            return plain_aggregate(Agg(agg.name, agg.args), [(value,) for value in plain.values()])
        return math.fsum(seen.values()) if self.weighted and level else len(plain)

    def names_unit(self, agg: Agg, values: tuple[Value, ...]) -> bool:
        """The key is there; what is counted beside it may be NULL."""
        owners = [self.evaluator.owner(arg, self.relation) for arg in agg.args]
        return not any(value is None and owner.startswith("key:") for value, owner in zip(values, owners, strict=True))

    def of_row(self, item: Expr, row: Row) -> Value:
        return self.evaluator.value(item, {**self.outer, **row.values})


def plain_aggregate(agg: Agg, values: list[tuple[Value, ...]]) -> Value:
    """As PostgreSQL computes it: all weights one, without weights."""
    ones = [1.0] * len(values)
    known = [value for value in values if None not in value]
    if agg.name == "sum" and not known:
        return None
    if agg.name == "percentile_cont":
        return interpolated(agg, [numeric(value[0]) for value in known])
    return weighted_aggregate(agg, values, ones)


def weighted_aggregate(agg: Agg, values: list[tuple[Value, ...]], weights: list[float]) -> Value:
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if None not in value]
    base = [weight for _, weight in known]
    total = math.fsum(base)
    match agg.name:
        case "count":
            return total
        case "sum" | "avg":
            if not known:
                return None
            products = math.fsum(weight * numeric(value[0]) for value, weight in known)
            return products if agg.name == "sum" else products / total
        case "min" | "max":
            return (min if agg.name == "min" else max)((value[0] for value, _ in known), default=None)  # type: ignore[type-var]
        case "bool_or":
            return any(value[0] for value, _ in known) if known else None
        case "bool_and":
            return all(value[0] for value, _ in known) if known else None
        case "mode":
            return heaviest([(value[0], weight) for value, weight in known])
        case name if name in QUANTILES:
            return quantile(agg, [(value[0], weight) for value, weight in known], total)
        case name if name in MOMENTS:
            return spread(agg.name, [(numeric(value[0]), weight) for value, weight in known], total)
        case name if name in PAIRS:
            pairs = [(numeric(value[0]), numeric(value[1]), weight) for value, weight in known]
            return paired(agg.name, pairs, total)
        case _:
            raise NotImplementedError(agg.name)


def heaviest(known: list[tuple[Value, float]]) -> Value:
    """The category with the largest sum of weights; of several the smallest."""
    totals: dict[Value, float] = {}
    for value, weight in known:
        totals[value] = totals.get(value, 0.0) + weight
    top = max(totals.values(), default=0.0)
    tied = [value for value, total in totals.items() if total >= top * (1 - TIE)]
    return min(tied, default=None)  # type: ignore[type-var]


def quantile(agg: Agg, known: list[tuple[Value, float]], total: float) -> Value:
    """The smallest x whose cumulative weight reaches the fraction of the total (R: qrule="math")."""
    seen = 0.0
    for value, weight in sorted(known, key=lambda pair: pair[0], reverse=agg.descending):  # type: ignore[arg-type,return-value]
        seen += weight
        if seen >= (agg.fraction or 0.0) * total * (1 - TIE):
            return value
    return None


def interpolated(agg: Agg, values: list[float]) -> Value:
    """PERCENTILE_CONT, of which the weighted form knows nothing."""
    if not values:
        return None
    values = sorted(values, reverse=agg.descending)
    place = (agg.fraction or 0.0) * (len(values) - 1)
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def spread(name: str, known: list[tuple[float, float]], total: float) -> Value:
    """SUM(w*(x-m)^2)/SUM(w), times n/(n-1) for the sample forms (R: svyvar)."""
    count = len(known)
    if count == 0 or (count == 1 and not name.endswith("_pop")):
        return None
    mean = math.fsum(value * weight for value, weight in known) / total
    variance = math.fsum(weight * (value - mean) ** 2 for value, weight in known) / total
    if not name.endswith("_pop"):
        variance *= count / (count - 1)
    return math.sqrt(variance) if name.startswith("stddev") else variance


def paired(name: str, pairs: list[tuple[float, float, float]], total: float) -> Value:
    """corr(y, x) and its kin from weighted centred sums."""
    count = len(pairs)
    if count == 0 or (count == 1 and name == "covar_samp"):
        return None
    y_mean = math.fsum(weight * y for y, _, weight in pairs) / total
    x_mean = math.fsum(weight * x for _, x, weight in pairs) / total
    sxx = math.fsum(weight * (x - x_mean) ** 2 for _, x, weight in pairs)
    syy = math.fsum(weight * (y - y_mean) ** 2 for y, _, weight in pairs)
    sxy = math.fsum(weight * (x - x_mean) * (y - y_mean) for y, x, weight in pairs)
    flat_x, flat_y = len({x for _, x, _ in pairs}) == 1, len({y for y, _, _ in pairs}) == 1
    match name:
        case "covar_pop":
            return sxy / total
        case "covar_samp":
            return sxy / total * count / (count - 1)
        case "corr":
            return None if flat_x or flat_y else sxy / math.sqrt(sxx * syy)
        case "regr_slope":
            return None if flat_x else sxy / sxx
        case "regr_intercept":
            return None if flat_x else y_mean - sxy / sxx * x_mean
        case _:  # regr_r2
            return None if flat_x else 1.0 if flat_y else sxy * sxy / (sxx * syy)


def window_values(window: Over, rows: list[Row]) -> list[Value]:
    """What a window comes to on each row, in PostgreSQL's default frame (peers count as one)."""

    def of(part: Expr, row: Row) -> Value:
        return row.values["over", repr(part)]

    def rank_key(row: Row) -> tuple[object, ...]:
        return tuple(sort_key(of(part, row), window.descending) for part in window.order)

    result: list[Value] = []
    for row in rows:
        mine = [
            other
            for other in rows
            if all(comparable((of(p, other),)) == comparable((of(p, row),)) for p in window.partition)
        ]
        before = [other for other in mine if rank_key(other) < rank_key(row)]
        match window.name:
            case "rank":
                result.append(len(before) + 1)
            case "lag":
                last = max(before, key=rank_key, default=None)
                result.append(of(window.of, last) if last else None)
            case _:
                frame = [other for other in mine if rank_key(other) <= rank_key(row)]
                known = [numeric(value) for other in frame if (value := of(window.of, other)) is not None]
                result.append(math.fsum(known) if known else None)
    return result


def cut(query: Select, rows: list[Row]) -> list[Row]:
    """ORDER BY and LIMIT. NULLs come last, or first where descending."""
    for name, descending in reversed(query.order):
        rows = sorted(rows, key=lambda row: sort_key(row.values["", name], descending))
    if query.distinct_on:
        first: dict[tuple[object, ...], Row] = {}
        for row in rows:
            first.setdefault(comparable(tuple(row.values["", name] for name in query.distinct_on)), row)
        rows = list(first.values())
    return rows[: query.limit] if query.limit is not None else rows


def sort_key(value: Value, descending: bool) -> tuple[object, ...]:
    if value is None:
        return (0 if descending else 1,)
    if isinstance(value, str):
        return (1 if descending else 0, Backwards(value) if descending else value)
    number = value.toordinal() if isinstance(value, date) else numeric(value)
    return (1, -number) if descending else (0, number)


@dataclass(frozen=True)
class Backwards:
    value: str

    def __lt__(self, other: Backwards) -> bool:
        return self.value > other.value


def grouping_sets(query: Select) -> list[tuple[bool, ...]]:
    count = len(query.groups)
    match query.sets:
        case "rollup":
            return [tuple(number < kept for number in range(count)) for kept in range(count, -1, -1)]
        case "cube":
            chosen = [set(kept) for size in range(count + 1) for kept in combinations(range(count), size)]
            return [tuple(number in kept for number in range(count)) for kept in chosen]
        case "each":
            return [tuple(number == kept for number in range(count)) for kept in (*range(count), -1)]
        case _:
            return [(True,) * count]


def merge(left: Row, right: Row, finer: str) -> Row:
    """Both rows as one; `finer` says which side's unit it is."""
    one = left if finer == "left" else right
    return Row({**left.values, **right.values}, one.unit, one.weight)


def distinct_rows(rows: Iterable[Row]) -> dict[tuple[object, ...], Row]:
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        found.setdefault(comparable(tuple(row.values.values())), row)
    return found


def comparable(values: tuple[Value, ...]) -> tuple[object, ...]:
    """Equal where PostgreSQL would group them together: 1 and 1.0, but not 1 and true."""
    return tuple((type(value) is bool, value) for value in values)


def equal(left: Value, right: Value) -> bool | None:
    return None if left is None or right is None else left == right


def numeric(value: Value) -> float:
    if isinstance(value, bool | int | float):
        return float(value)
    raise TypeError(f"{value!r} is no number")


def operate(sign: str, left: Value, right: Value) -> Value:
    if sign == "and":
        return False if left is False or right is False else None if left is None or right is None else True
    if sign == "or":
        return True if left is True or right is True else None if left is None or right is None else False
    if left is None or right is None:
        return None
    left, right = nan_on_top(left), nan_on_top(right)
    match sign:
        case "=":
            return left == right
        case "<>":
            return left != right
        case "<":
            return left < right  # type: ignore[operator]
        case "<=":
            return left <= right  # type: ignore[operator]
        case ">":
            return left > right  # type: ignore[operator]
        case ">=":
            return left >= right  # type: ignore[operator]
    one, other = numeric(left), numeric(right)
    match sign:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case _:
            return one / other if other else None


def nan_on_top(value: Value) -> Value:
    """To PostgreSQL NaN is greater than any number, so that `weight > 0` lets it pass."""
    return math.inf if isinstance(value, float) and math.isnan(value) else value


def rounded(value: Value, digits: int) -> Value:
    if value is None:
        return None
    step = Decimal(1).scaleb(-digits)
    return float(Decimal(repr(numeric(value))).quantize(step, rounding=ROUND_HALF_UP))


def is_constant(case: Case) -> bool:
    return isinstance(case.then, Const) and isinstance(case.otherwise, Const)


def find(item: Expr, kind: type[Part]) -> Iterator[Part]:
    """Every part of that kind, but not inside a sub-select."""
    if isinstance(item, kind):
        yield item
        if kind is Agg:
            return
    match item:
        case Op():
            parts: tuple[Expr, ...] = (item.left, item.right)
        case Case():
            parts = (item.when, item.then, item.otherwise)
        case IsNull() | Month() | Round():
            parts = (item.of,)
        case OneOf():
            parts = (item.of,)
        case Coalesce():
            parts = (item.of, item.otherwise)
        case Over():
            parts = (item.of, *item.order, *item.partition)
        case Agg():
            parts = (*item.args, *((item.where,) if item.where else ()))
        case In():
            parts = item.of
        case _:
            parts = ()
    for part in parts:
        yield from find(part, kind)


# The text


@dataclass(frozen=True)
class Style:
    """One way to spell the same question."""

    ctes: bool = False
    using: bool = False
    natural: bool = False
    comma: bool = False
    ordinals: bool = False
    bare: bool = False
    schema: bool = False
    upper: bool = True


def write(query: Query, world: World, style: Style = Style()) -> str:
    """The question as an analyst would send it."""
    return Writer(world, style).statement(query)


class Writer:
    def __init__(self, world: World, style: Style) -> None:
        self.world = world
        self.style = style
        self.hoisted: dict[Query, tuple[str, str]] = {}  # query -> CTE's name and text
        self.alone = [""]  # the one alias of the SELECT that is being written

    def statement(self, query: Query) -> str:
        text = self.query(query)
        if self.hoisted:
            text = "WITH " + ", ".join(f"{name} AS ({inner})" for name, inner in self.hoisted.values()) + " " + text
        return text if self.style.upper else text.replace("SELECT", "select").replace(" FROM ", " from ")

    def query(self, query: Query) -> str:
        if isinstance(query, SetOp):
            sides = [
                f"({self.query(side)})" if needs_brackets(side) else self.query(side)
                for side in (query.left, query.right)
            ]
            return f" {query.sign.upper()} ".join(sides)
        return self.select(query)

    def select(self, query: Select) -> str:
        source, conditions = self.source(query.source), []
        if self.style.comma and (flat := flatten(query.source)):
            source = ", ".join(self.source(side) for side in flat[0])
            self.alone.append("")
            conditions = [f"{self.expr(a)} = {self.expr(b)}" for a, b in flat[1]]
            self.alone.pop()
        self.alone.append(query.source.alias if isinstance(query.source, Base | Derived) and self.style.bare else "")
        if query.where is not None:
            conditions.append(self.expr(query.where))
        items = ", ".join(f"{self.expr(item)} AS {name}" for name, item in query.items)
        unique = f" DISTINCT ON ({', '.join(query.distinct_on)})" if query.distinct_on else " DISTINCT" * query.distinct
        text = f"SELECT{unique} {items}"
        if not isinstance(query.source, Rows):
            text += f" FROM {source}"
        if conditions:
            text += " WHERE " + " AND ".join(conditions)
        if query.groups:
            text += " GROUP BY " + self.groups(query)
        if query.having is not None:
            text += " HAVING " + self.expr(query.having)
        if query.order:
            numbers = {name: str(number) for number, (name, _) in enumerate(query.items, 1)}
            by = [f"{numbers[n] if self.style.ordinals else n}{' DESC' * descending}" for n, descending in query.order]
            text += " ORDER BY " + ", ".join(by)
        if query.limit is not None:
            text += f" LIMIT {query.limit}"
        self.alone.pop()
        return text

    def groups(self, query: Select) -> str:
        shown = [item for _, item in query.items]
        texts = [self.expr(group) for group in query.groups]
        if query.sets in ("rollup", "cube"):
            return f"{query.sets.upper()} ({', '.join(texts)})"
        if query.sets == "each":
            return f"GROUPING SETS ({', '.join(f'({text})' for text in texts)}, ())"
        if self.style.ordinals:
            texts = [
                str(shown.index(group) + 1) if group in shown else text
                for group, text in zip(query.groups, texts, strict=True)
            ]
        return ", ".join(texts)

    def source(self, source: Source) -> str:
        match source:
            case Base():
                name = f"public.{source.table}" if self.style.schema else source.table
                return name if source.alias == source.table else f"{name} {source.alias}"
            case Derived():
                return self.derived(source)
            case Join():
                return self.join(source)
            case Rows():
                return ""

    def derived(self, source: Derived) -> str:
        if not self.style.ctes:
            return f"({self.query(source.query)}) AS {source.alias}"
        if source.query not in self.hoisted:
            text = self.query(source.query)
            self.hoisted[source.query] = (source.alias, text)
        name = self.hoisted[source.query][0]
        return name if name == source.alias else f"{name} AS {source.alias}"

    def join(self, join: Join) -> str:
        left, right = self.source(join.left), self.source(join.right)
        if isinstance(join.right, Join):
            right = f"({right})"
        if not join.on:
            return f"{left} CROSS JOIN {right}"
        how = "LEFT JOIN" if join.left_outer else "JOIN"
        same = all(a.name == b.name for a, b in join.on)
        shared = shared_columns(join, self.world)
        if self.style.natural and same and join.also is None and shared == {a.name for a, _ in join.on}:
            return f"{left} NATURAL {how} {right}"
        if self.style.using and same and join.also is None:
            return f"{left} {how} {right} USING ({', '.join(a.name for a, _ in join.on)})"
        self.alone.append("")
        conditions = " AND ".join(f"{self.expr(a)} = {self.expr(b)}" for a, b in join.on)
        conditions += f" AND {self.expr(join.also)}" if join.also is not None else ""
        self.alone.pop()
        return f"{left} {how} {right} ON {conditions}"

    def expr(self, item: Expr) -> str:
        match item:
            case Col():
                return item.name if item.of == self.alone[-1] else f"{item.of}.{item.name}"
            case Const():
                return literal(item.value)
            case Op(sign="/"):
                return f"(1.0 * {self.expr(item.left)} / NULLIF({self.expr(item.right)}, 0))"
            case Op():
                return f"({self.expr(item.left)} {item.sign.upper()} {self.expr(item.right)})"
            case IsNull():
                return f"{self.expr(item.of)} IS {'NOT ' * item.negated}NULL"
            case OneOf():
                values = ", ".join(map(literal, item.values))
                return f"{self.expr(item.of)} {'NOT ' * item.negated}IN ({values})"
            case Case():
                text = f"CASE WHEN {self.expr(item.when)} THEN {self.expr(item.then)}"
                return text + (" END" if item.otherwise == Const(None) else f" ELSE {self.expr(item.otherwise)} END")
            case Month():
                return f"date_trunc('month', {self.expr(item.of)})::date"
            case Round():
                return f"ROUND({self.expr(item.of)}, {item.digits})"
            case Coalesce():
                return f"COALESCE({self.expr(item.of)}, {self.expr(item.otherwise)})"
            case Exists():
                return f"{'NOT ' * item.negated}EXISTS ({self.query(item.query)})"
            case In():
                wanted = ", ".join(map(self.expr, item.of))
                wanted = f"({wanted})" if len(item.of) > 1 else wanted
                return f"{wanted} {'NOT ' * item.negated}IN ({self.query(item.query)})"
            case Scalar():
                return f"({self.query(item.query)})"
            case Agg():
                return self.aggregate(item)
            case Over():
                return self.window(item)

    def aggregate(self, agg: Agg) -> str:
        texts = ", ".join(map(self.expr, agg.args))
        if agg.name in QUANTILES or agg.name == "mode":
            fraction = "" if agg.name == "mode" else literal(agg.fraction)
            text = f"{agg.name}({fraction}) WITHIN GROUP (ORDER BY {texts}{' DESC' * agg.descending})"
        elif agg.distinct:
            text = f"{agg.name.upper()}(DISTINCT {f'({texts})' if len(agg.args) > 1 else texts})"
        else:
            text = f"{agg.name.upper()}({texts or '*'})"
        return text if agg.where is None else f"{text} FILTER (WHERE {self.expr(agg.where)})"

    def window(self, over: Over) -> str:
        of = "" if over.name in ("rank", "row_number") else self.expr(over.of)
        by = "PARTITION BY " + ", ".join(map(self.expr, over.partition)) if over.partition else ""
        order = ", ".join(self.expr(part) + " DESC" * over.descending for part in over.order)
        return f"{over.name.upper()}({of}) OVER ({' '.join(filter(None, (by, f'ORDER BY {order}' if order else '')))})"


def needs_brackets(query: Query) -> bool:
    return isinstance(query, SetOp) or bool(query.order) or query.limit is not None


def flatten(source: Source) -> tuple[list[Source], list[tuple[Col, Col]]] | None:
    """The sides and conditions of inner joins, for FROM a, b WHERE; None where a side is kept whole or alone."""
    if (
        not isinstance(source, Join)
        or source.left_outer
        or source.also
        or not source.on
        or isinstance(source.right, Join)
    ):
        return None
    deeper = flatten(source.left) if isinstance(source.left, Join) else ([source.left], [])
    return None if deeper is None else ([*deeper[0], source.right], [*deeper[1], *source.on])


def shared_columns(join: Join, world: World) -> set[str]:
    if not isinstance(join.left, Base) or not isinstance(join.right, Base):
        return set()
    return set(world.tables[join.left.table].columns) & set(world.tables[join.right.table].columns)


def literal(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case date():
            return f"DATE '{value}'"
        case _:
            return repr(value)
