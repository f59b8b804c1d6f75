"""From a question over a dataset to SELECTs as an analyst would write them, without weights. Pure.

people by app            SELECT e.app, COUNT(DISTINCT e.user_id) FROM panel_events AS e GROUP BY 1
mean by gender           SELECT u.gender, AVG(e.duration_min) FROM panel_events AS e JOIN panel_users AS u ON ...
penetration by gender    SELECT u.gender, AVG(CASE WHEN r.user_id IS NOT NULL THEN 1.0 ELSE 0.0 END)
                         FROM panel_users AS u LEFT JOIN (SELECT e.user_id FROM ... GROUP BY 1) AS r ON ...
compared                 f FILTER (WHERE current), f FILTER (WHERE other), f FILTER (...) - f FILTER (...)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import TableSpec
from datasets.design import PeriodWeights
from datasets.persona_fit import MOMENT, NUMBER, TEXT
from querying.analysis.fields import EventTable
from querying.analysis.periods import Days, Timing, bucket_of, start_of
from querying.analysis.question import invalid
from querying.analysis.reading import Asked, Crowd, Filter, Group, Measure, Term, is_of_everyone
from querying.analysis.trees import (
    EVENT,
    PERSON,
    build_select,
    days_node,
    exists_node,
    field_node,
    in_node,
    join_node,
    number_node,
    ordered_by,
    print_select,
    same_key,
    subselect_node,
    table_node,
    term_node,
    value_node,
)
from querying.sql.shown import column_node, fill, text_node
from querying.sql.weights.nodes import all_of, any_of

VALUE: Final = "value"
BEFORE: Final = "before"  # of the other side of a comparison
DIFFERENCE: Final = "difference"
BASE: Final = "base"  # persons behind a number that brings no base of its own
BASE_BEFORE: Final = "base_before"
REACHED: Final = "reached"  # the upper half of a fraction whose lower half is EVERYBODY
REACHED_BEFORE: Final = "reached_before"
EVERYBODY: Final = "everybody"
EVERYBODY_BEFORE: Final = "everybody_before"
OTHERS: Final = "others"  # who is of no persona
ORDERED: Final = frozenset({"median", "quantile"})
SUMS: Final = frozenset({"people", "events", "sum"})
PLAIN_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
MOST_SUMS: Final = 100  # of one statement, below what the pipeline gives errors for
CROWD: Final = "p"
WEIGHTS: Final = "w"


@dataclass(frozen=True)
class Side:
    """One side of a comparison, or all there is: conditions, and days."""

    filters: tuple[Filter, ...]
    days: Days | None = None


@dataclass(frozen=True)
class Output:
    """What a column of a statement is: a part of the measure of that number; of a pair, its two groups."""

    measure: int
    part: str
    pair: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Statement:
    """Its first columns are the groups at these `places` of the question. With `orders` the answer is in its order."""

    sql: str
    places: tuple[int, ...]
    outputs: tuple[Output, ...]
    orders: bool = False


@dataclass(frozen=True)
class Scene:
    """What statements are made of: the question, its groups and sides."""

    asked: Asked
    groups: tuple[Group, ...]
    current: Side
    other: Side | None = None
    limit: int | None = None

    @property
    def event(self) -> EventTable:
        assert self.asked.event is not None
        return self.asked.event

    @property
    def period_weights(self) -> PeriodWeights | None:
        return self.asked.fields.unit.period_weights

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.current,) if self.other is None else (self.current, self.other)


# ── the question's scene ─────────────────────────────────────────────────────────────────────────────────────
def build_scene(asked: Asked, timing: Timing) -> Scene:
    groups = asked.groups
    if timing.by_month:
        assert asked.event is not None
        field = next(
            one
            for one in asked.fields.all
            if one.table is asked.event.spec and one.column.name == asked.event.date_column
        )
        groups = (*groups, Group("month", field=field, bucket="month"))
    other = None
    if timing.previous is not None:
        other = Side(asked.where, timing.previous)
    elif asked.other is not None:
        other = Side(asked.other, timing.days)
    return Scene(asked, groups, Side(asked.where, timing.days), other, asked.question.limit)


def without_last_group(scene: Scene) -> Scene:
    return replace(scene, groups=scene.groups[:-1], limit=None)


def one_side(scene: Scene, side: Side) -> Scene:
    return replace(scene, current=side, other=None)


# ── the days of the data ─────────────────────────────────────────────────────────────────────────────────────
def compose_ends(event: EventTable, *, by_rows: bool) -> tuple[str, ...]:
    """SELECTs of the first and the last day: as two extremes, or `by_rows` as the date of one row each, for where no
    number may be told of which nobody knows how many persons are behind it."""
    source, column = table_node(event.spec, EVENT), column_node(EVENT, event.date_column)
    if not by_rows:
        outputs = [(fill("min($1)", column), "first"), (fill("max($1)", column), "last")]
        return (print_select(build_select(outputs, source=source)),)
    known = [fill("$1 IS NOT NULL", column)]
    orders = [ordered_by(1, descending=descending) for descending in (False, True)]
    return tuple(
        print_select(build_select([(column, "day")], source=source, where=known, order=[order], limit=1))
        for order in orders
    )


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────
def compose(scene: Scene) -> tuple[Statement, ...]:
    """All statements of the scene; one of them orders the rows."""
    parts = [*of_rows(scene), *of_everyone(scene), *of_fractions(scene)]
    first = next((place for place, part in enumerate(parts) if sorts(scene, part)), 0)
    made = [part.build(orders=place == first) for place, part in enumerate(parts)]
    return tuple(made)


@dataclass(frozen=True)
class Part:
    """A statement before it is printed."""

    scene: Scene
    source: pg.Node
    where: tuple[pg.Node, ...]
    places: tuple[int, ...]
    groups: tuple[pg.Node, ...]
    outputs: tuple[Output, ...]
    nodes: tuple[pg.Node, ...]

    def build(self, *, orders: bool) -> Statement:
        is_whole = len(self.places) == len(self.scene.groups)
        names = [name_of(self.scene.groups[place].label, "g", place) for place in self.places]
        names += [self.name(output) for output in self.outputs]
        count = len(self.groups)
        select = build_select(
            zip([*self.groups, *self.nodes], names, strict=True),
            source=self.source,
            where=self.where,
            groups=[number_node(place + 1) for place in range(count)],
            order=self.order() if orders and is_whole else [],
            limit=self.scene.limit if orders and is_whole and not sorted_later(self.scene) else None,
        )
        return Statement(print_select(select), self.places, self.outputs, orders and is_whole)

    def name(self, output: Output) -> str:
        name = name_of(self.scene.asked.measures[output.measure].label, "m", output.measure)
        if output.part == VALUE:
            return name
        return f"{name}_{output.part}" + ("_{}_{}".format(*output.pair) if output.pair != (0, 0) else "")

    def order(self) -> list[pg.Node]:
        sort = self.scene.asked.question.sort
        groups = [ordered_by(place + 1) for place in range(len(self.groups))]
        for place, output in enumerate(self.outputs):
            if sort is not None and output.part == VALUE and self.label(output) == sort.metric:
                return [ordered_by(len(self.groups) + place + 1, descending=sort.descending), *groups]
        return groups

    def label(self, output: Output) -> str:
        return self.scene.asked.measures[output.measure].label


def name_of(label: str, letter: str, place: int) -> str:
    return label if PLAIN_NAME.fullmatch(label) else f"{letter}{place + 1}"


def sorts(scene: Scene, part: Part) -> bool:
    sort = scene.asked.question.sort
    if len(part.places) < len(scene.groups):
        return False
    return sort is None or any(one.part == VALUE and part.label(one) == sort.metric for one in part.outputs)


def sorted_later(scene: Scene) -> bool:
    """Whether the order is by a fraction, which no statement holds as a whole."""
    sort = scene.asked.question.sort
    return sort is not None and any(
        measure.label == sort.metric and is_of_everyone(measure) and not in_one_statement(scene)
        for measure in scene.asked.measures
    )


def of_rows(scene: Scene) -> list[Part]:
    """Measures over rows of events, or of persons where the question is about persons only."""
    numbers = [number for number, one in enumerate(scene.asked.measures) if not is_of_everyone(one)]
    plain = [number for number in numbers if scene.asked.measures[number].kind not in ORDERED]
    ordered = [number for number in numbers if scene.asked.measures[number].kind in ORDERED]
    parts = [row_part(scene, chunk) for chunk in chunks(scene, plain)]
    return parts + [row_part(scene, [number]) for number in ordered]


def chunks(scene: Scene, numbers: Sequence[int]) -> list[list[int]]:
    """As many measures in a statement as errors are given for."""
    found: list[list[int]] = []
    room = 0
    for number in numbers:
        needs = sums_of(scene.asked.measures[number], compared=scene.other is not None)
        if not found or needs > room:
            found.append([])
            room = MOST_SUMS
        found[-1].append(number)
        room -= needs
    return found


def sums_of(measure: Measure, *, compared: bool) -> int:
    """Bases of three sums, totals and pairs of totals; see querying/evidence.py."""
    if measure.kind in SUMS:
        return 11 if compared else 5
    return 20 if compared else 8


def row_part(scene: Scene, numbers: Sequence[int]) -> Part:
    outputs, nodes = [], []
    common, extras = split_sides(scene, scene.sides)
    for number in numbers:
        measure = scene.asked.measures[number]
        for part, sides in parts_of(scene):
            outputs.append(Output(number, part))
            nodes.append(difference([aggregate(scene, measure, extras[side]) for side in sides]))
        if scene.asked.question.weighting == "off":
            add_bases(scene, number, extras, outputs, nodes)
    return rows_part(scene, common, extras, outputs, nodes, numbers)


def add_bases(
    scene: Scene, number: int, extras: Sequence[pg.Node | None], outputs: list[Output], nodes: list[pg.Node]
) -> None:
    """How many persons have a value, for a number that does not tell it by itself."""
    field = scene.asked.measures[number].field
    for part, extra in zip((BASE, BASE_BEFORE), extras, strict=False):
        known = [] if field is None else [fill("$1 IS NOT NULL", field_node(field))]
        known += [] if extra is None else [extra]
        outputs.append(Output(number, part))
        nodes.append(count_people(scene, all_of(known) if known else None))


def rows_part(
    scene: Scene,
    common: Sequence[pg.Node],
    extras: Sequence[pg.Node | None],
    outputs: Sequence[Output],
    nodes: Sequence[pg.Node],
    numbers: Sequence[int],
) -> Part:
    source = source_of(scene, [scene.asked.measures[number] for number in numbers])
    return part_of(scene, source, common, extras, outputs, nodes)


def part_of(
    scene: Scene,
    source: pg.Node,
    common: Sequence[pg.Node],
    extras: Sequence[pg.Node | None],
    outputs: Sequence[Output],
    nodes: Sequence[pg.Node],
) -> Part:
    """Over the rows of either side, by all groups."""
    added = [one for one in extras if one is not None]
    either = [any_of(added)] if len(extras) > 1 and len(added) == len(extras) else []
    groups = tuple(group_node(group) for group in scene.groups)
    return Part(scene, source, (*common, *either), tuple(range(len(groups))), groups, tuple(outputs), tuple(nodes))


def parts_of(scene: Scene) -> list[tuple[str, tuple[int, ...]]]:
    if scene.other is None:
        return [(VALUE, (0,))]
    return [(VALUE, (0,)), (BEFORE, (1,)), (DIFFERENCE, (0, 1))]


def difference(nodes: Sequence[pg.Node]) -> pg.Node:
    return nodes[0] if len(nodes) == 1 else fill("$1 - $2", *nodes)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
def source_of(scene: Scene, measures: Iterable[Measure]) -> pg.Node:
    people = table_node(scene.asked.fields.people, PERSON)
    if scene.asked.event is None:
        return people
    events = table_node(scene.event.spec, EVENT)
    if not needs_people(scene, measures):
        return events
    key = scene.asked.fields.unit.key
    return join_node(events, people, same_key(PERSON, EVENT, key, scene.event.key))


def needs_people(scene: Scene, measures: Iterable[Measure]) -> bool:
    fields = [field for one in measures for field in (one.field, one.per) if field is not None]
    filters = [item for side in scene.sides for item in side.filters]
    return (
        any(field.of_person for field in fields)
        or any(group.of_person for group in scene.groups)
        or any(item.of_person for item in filters)
    )


def aggregate(scene: Scene, measure: Measure, extra: pg.Node | None) -> pg.Node:
    """The measure over the rows for which `extra` holds."""
    if measure.kind == "people":
        return count_people(scene, extra)
    if measure.kind == "events":
        return call("count(*)", extra)
    if measure.kind in ("frequency", "per_person"):
        upper = call("count(*)", extra) if measure.field is None else call("sum($1)", extra, field_node(measure.field))
        return fill("$1::double precision / nullif($2, 0)", upper, count_people(scene, extra))
    assert measure.field is not None
    own = field_node(measure.field)
    if measure.kind == "ratio":
        assert measure.per is not None
        upper, lower = call("sum($1)", extra, own), call("sum($1)", extra, field_node(measure.per))
        return fill("$1::double precision / nullif($2, 0)", upper, lower)
    if measure.kind == "share":
        return call("avg($1)", extra, indicator(measure))
    if measure.kind in ORDERED:
        q = 0.5 if measure.metric.q is None else measure.metric.q
        return call("percentile_cont($1) WITHIN GROUP (ORDER BY $2)", extra, number_node(q), own)
    return call({"sum": "sum($1)", "mean": "avg($1)"}[measure.kind], extra, own)


def indicator(measure: Measure) -> pg.Node:
    assert measure.field is not None
    own = field_node(measure.field)
    chosen = in_node(own, measure.field.kind, measure.metric.value or ())
    return fill("CASE WHEN $1 THEN 1.0 WHEN $2 IS NOT NULL THEN 0.0 END", chosen, own)


def count_people(scene: Scene, extra: pg.Node | None) -> pg.Node:
    if scene.asked.event is None:
        return call("count(*)", extra)
    return count_keys(EVENT, scene.event.key, extra)


def count_keys(alias: str, key: Sequence[str], extra: pg.Node | None) -> pg.Node:
    columns = [column_node(alias, name) for name in key]
    if len(columns) == 1:
        return call("count(DISTINCT $1)", extra, *columns)
    row = pg.Node(row_expr=pg.RowExpr(args=columns, row_format=pg.COERCE_IMPLICIT_CAST, location=-1))
    return call("count(DISTINCT $1)", extra, row)


def call(template: str, extra: pg.Node | None, *values: pg.Node) -> pg.Node:
    if extra is None:
        return fill(template, *values)
    return fill(f"{template} FILTER (WHERE ${len(values) + 1})", *values, extra)


def group_node(group: Group) -> pg.Node:
    if group.crowd is not None:
        return fill(
            "CASE WHEN $1 THEN $2 ELSE $3 END", crowd_node(group.crowd), text_node(group.label), text_node(OTHERS)
        )
    assert group.field is not None
    own = field_node(group.field)
    return fill("date_trunc($1, $2)::date", text_node(group.bucket), own) if group.bucket else own


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────
def split_sides(scene: Scene, sides: Sequence[Side]) -> tuple[list[pg.Node], list[pg.Node | None]]:
    """Conditions that hold on all sides, and what each side adds to them."""
    shared = [item for item in sides[0].filters if all(item in side.filters for side in sides)]
    common = [filter_node(item) for item in shared]
    same_days = all(side.days == sides[0].days for side in sides)
    if same_days and scene.asked.event is not None:
        common += days_condition(scene, sides[0].days)
    extras: list[pg.Node | None] = []
    for side in sides:
        own = [filter_node(item) for item in side.filters if item not in shared]
        own += [] if same_days else days_condition(scene, side.days)
        extras.append(all_of(own) if own else None)
    return common, extras


def days_condition(scene: Scene, days: Days | None) -> list[pg.Node]:
    if days is None or scene.asked.event is None or not scene.event.date_column:
        return []
    node = days_node(column_node(EVENT, scene.event.date_column), days)
    return [node] if node is not None else []


def filter_node(item: Filter) -> pg.Node:
    return term_node(item) if isinstance(item, Term) else crowd_node(item)


def crowd_node(crowd: Crowd) -> pg.Node:
    """Whether somebody is of the persona: own attributes, and a row of events."""
    conditions = [term_node(test) for test in crowd.tests]
    if crowd.event is not None:
        event = crowd.event
        where = [same_key(CROWD, PERSON, event.key, crowd.key)]
        where += [term_node(test, CROWD) for test in crowd.event_tests]
        inner = build_select([(number_node(1), "one")], source=table_node(event.spec, CROWD), where=where)
        conditions.append(exists_node(inner))
    return all_of(conditions) if conditions else value_node("boolean", True)


# ── of everybody ─────────────────────────────────────────────────────────────────────────────────────────────
def in_one_statement(scene: Scene) -> bool:
    """Whether everybody, reached or not, is a row with its group: then a mean over persons says it."""
    return scene.period_weights is None and all(group.of_person for group in scene.groups)


def of_everyone(scene: Scene) -> list[Part]:
    """Means over persons, of whether they were reached or of what they did."""
    numbers = [number for number, one in enumerate(scene.asked.measures) if is_of_everyone(one)]
    if not numbers or not in_one_statement(scene):
        return []
    return [everyone_part(scene, chunk) for chunk in chunks(scene, numbers)]


def everyone_part(scene: Scene, numbers: Sequence[int]) -> Part:
    persons = [of_persons(side) for side in scene.sides]
    common, extras = split_sides(scene, persons)
    source = table_node(scene.asked.fields.people, PERSON)
    key = scene.asked.fields.unit.key
    aliases: list[str] = []
    for place, side in enumerate(scene.sides):
        if place and of_events(side) == of_events(scene.sides[0]):
            aliases.append(aliases[0])
            continue
        alias = f"r{place + 1}"
        on = same_key(alias, PERSON, scene.event.key, key)
        source = join_node(source, subselect_node(reached(scene, side, numbers), alias), on, keeps_left=True)
        aliases.append(alias)
    outputs, nodes = [], []
    for number in numbers:
        for part, sides in parts_of(scene):
            outputs.append(Output(number, part))
            nodes.append(difference([mean_of(scene, number, aliases[side], extras[side]) for side in sides]))
    return part_of(scene, source, common, extras, outputs, nodes)


def of_persons(side: Side) -> Side:
    return Side(tuple(item for item in side.filters if item.of_person))


def of_events(side: Side) -> Side:
    return Side(tuple(item for item in side.filters if not item.of_person), side.days)


def reached(scene: Scene, side: Side, numbers: Sequence[int], within: Sequence[pg.Node] = ()) -> pg.SelectStmt:
    """Each person of the events once, with what the measures need of them."""
    keys = [(column_node(EVENT, name), name) for name in scene.event.key]
    sums = []
    for number in numbers:
        measure = scene.asked.measures[number]
        if measure.kind == "per_person":
            field = measure.field
            sums.append((fill("count(*)") if field is None else fill("sum($1)", field_node(field)), f"x{number}"))
    where = [*within, *(filter_node(item) for item in side.filters if not item.of_person)]
    where += days_condition(scene, side.days)
    groups = [number_node(place + 1) for place in range(len(keys))]
    return build_select([*keys, *sums], source=table_node(scene.event.spec, EVENT), where=where, groups=groups)


def mean_of(scene: Scene, number: int, alias: str, extra: pg.Node | None) -> pg.Node:
    if scene.asked.measures[number].kind == "per_person":
        return call("avg(coalesce($1, 0))", extra, column_node(alias, f"x{number}"))
    known = column_node(alias, scene.event.key[0])
    return call("avg(CASE WHEN $1 IS NOT NULL THEN 1.0 ELSE 0.0 END)", extra, known)


# ── fractions of two statements ──────────────────────────────────────────────────────────────────────────────
def of_fractions(scene: Scene) -> list[Part]:
    """Reach within groups of events, and everybody of the same attributes."""
    numbers = [number for number, one in enumerate(scene.asked.measures) if is_of_everyone(one)]
    if not numbers or in_one_statement(scene):
        return []
    common, extras = split_sides(scene, scene.sides)
    outputs, nodes = [], []
    for number in numbers:
        measure = scene.asked.measures[number]
        for place, extra in enumerate(extras):
            outputs.append(Output(number, REACHED if place == 0 else REACHED_BEFORE))
            nodes.append(upper_half(scene, measure, extra))
    parts = [rows_part(scene, common, extras, outputs, nodes, numbers)]
    everybody = [everybody_part(scene, side, number, numbers) for number, side in enumerate(scene.sides)]
    return parts + everybody


def upper_half(scene: Scene, measure: Measure, extra: pg.Node | None) -> pg.Node:
    if measure.kind == "penetration":
        return count_people(scene, extra)
    return call("count(*)", extra) if measure.field is None else call("sum($1)", extra, field_node(measure.field))


def everybody_part(scene: Scene, side: Side, place: int, numbers: Sequence[int]) -> Part:
    """All persons of the side's attributes, or with weights by period all who have one in it."""
    part = EVERYBODY if place == 0 else EVERYBODY_BEFORE
    outputs = tuple(Output(number, part) for number in numbers)
    filters = [filter_node(item) for item in side.filters if item.of_person]
    weights = scene.period_weights
    if weights is None:
        places = tuple(place for place, group in enumerate(scene.groups) if group.of_person)
        groups = tuple(group_node(scene.groups[place]) for place in places)
        source = table_node(scene.asked.fields.people, PERSON)
        nodes = tuple(call("count(*)", None) for _ in numbers)
        return Part(scene, source, tuple(filters), places, groups, outputs, nodes)
    table = weights_table(scene, weights)
    places = tuple(place for place, group in enumerate(scene.groups) if group.of_person or is_date(scene, group))
    groups = tuple(period_node(scene, scene.groups[place], weights) for place in places)
    nodes = tuple(count_keys(WEIGHTS, weights.key, None) for _ in numbers)
    source = table_node(table, WEIGHTS)
    if filters or any(group.of_person for group in scene.groups):
        people = table_node(scene.asked.fields.people, PERSON)
        source = join_node(source, people, same_key(PERSON, WEIGHTS, scene.asked.fields.unit.key, weights.key))
    return Part(scene, source, (*filters, *period_condition(side, weights)), places, groups, outputs, nodes)


def is_date(scene: Scene, group: Group) -> bool:
    return bool(bucket_of(scene.asked, group))


def weights_table(scene: Scene, weights: PeriodWeights) -> TableSpec:
    table = scene.asked.fields.dataset.by_name.get(weights.table)
    seen = {column.name for column in table.visible_columns} if table is not None else set()
    if table is None or not {*weights.key, weights.period} <= seen:
        what = "How many people there are in a period is not open to you, so neither is what share was reached"
        raise invalid(what, "Ask people in place of penetration.")
    return table


def period_node(scene: Scene, group: Group, weights: PeriodWeights) -> pg.Node:
    if not is_date(scene, group):
        return group_node(group)
    if group.bucket != weights.every:
        what = f"Weights hold for one {weights.every} each, so everybody of a {group.bucket or 'day'} is not known"
        raise invalid(what, f"Ask by {weights.every}, or people in place of penetration.")
    return fill("date_trunc($1, $2)::date", text_node(group.bucket), column_node(WEIGHTS, weights.period))


def period_condition(side: Side, weights: PeriodWeights) -> list[pg.Node]:
    if side.days is None:
        return []
    first = start_of(side.days.first, weights.every) if side.days.first is not None else None
    node = days_node(column_node(WEIGHTS, weights.period), Days(first, side.days.last))
    return [node] if node is not None else []


# ── pairs of groups ──────────────────────────────────────────────────────────────────────────────────────────
def can_be_paired(scene: Scene, measure: Measure) -> bool:
    """Whether a difference of two groups can be one number with an error."""
    if measure.kind in ORDERED:
        return False
    return not is_of_everyone(measure) or in_one_statement(without_last_group(scene))


def compose_pairs(scene: Scene, values: Sequence[str | None]) -> tuple[Statement, ...]:
    """Differences of each two groups of the last column, which has these values."""
    pairs = [(i, j) for i in range(len(values)) for j in range(i + 1, len(values))]
    made = []
    for number, measure in enumerate(scene.asked.measures):
        if can_be_paired(scene, measure):
            size = max(1, MOST_SUMS // sums_of(measure, compared=True))
            make = everyone_pairs if is_of_everyone(measure) else pairs_part
            made += [
                make(scene, number, pairs[start : start + size], values).build(orders=False)
                for start in range(0, len(pairs), size)
            ]
    return tuple(made)


Pairs = Sequence[tuple[int, int]]


def pairs_part(scene: Scene, number: int, pairs: Pairs, values: Sequence[str | None]) -> Part:
    last, measure = scene.groups[-1], scene.asked.measures[number]
    nodes = [difference([aggregate(scene, measure, is_group(last, values[place])) for place in pair]) for pair in pairs]
    common, _ = split_sides(scene, scene.sides)
    part = rows_part(scene, common, [None], outputs_of(number, pairs), nodes, [number])
    return replace(part, scene=without_last_group(scene), places=part.places[:-1], groups=part.groups[:-1])


def everyone_pairs(scene: Scene, number: int, pairs: Pairs, values: Sequence[str | None]) -> Part:
    """Groups of persons are rows of their own; for each group of events it is said who was reached in it."""
    outer, last, key = without_last_group(scene), scene.groups[-1], scene.asked.fields.unit.key
    common, _ = split_sides(scene, [of_persons(scene.current)])
    source = table_node(scene.asked.fields.people, PERSON)
    named = {place: "r" if last.of_person else f"r{place + 1}" for pair in pairs for place in pair}
    for place, alias in {alias: (place, alias) for place, alias in named.items()}.values():
        within = [] if last.of_person else [is_group(last, values[place])]
        select = reached(scene, scene.current, [number], within)
        on = same_key(alias, PERSON, scene.event.key, key)
        source = join_node(source, subselect_node(select, alias), on, keeps_left=True)
    nodes = [
        difference(
            [
                mean_of(scene, number, named[place], is_group(last, values[place]) if last.of_person else None)
                for place in pair
            ]
        )
        for pair in pairs
    ]
    return part_of(outer, source, common, [None], outputs_of(number, pairs), nodes)


def outputs_of(number: int, pairs: Pairs) -> list[Output]:
    return [Output(number, DIFFERENCE, (i + 1, j + 1)) for i, j in pairs]


def is_group(group: Group, value: str | None) -> pg.Node:
    own = group_node(group)
    if value is None:
        return fill("$1 IS NULL", own)
    if group.bucket:
        return fill("$1 = $2", own, value_node(MOMENT, value))
    kind = group.field.kind if group.field is not None else TEXT
    if kind == "boolean":
        return fill("$1 = $2", own, value_node(kind, value in ("t", "true")))
    return fill("$1 = $2", own, value_node(kind if kind in (NUMBER, MOMENT) else TEXT, value))
