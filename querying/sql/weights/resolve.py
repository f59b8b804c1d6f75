"""Whose rows every SELECT of a statement reads and gives, from the innermost outwards. Pure.

A SELECT that aggregates does it for one unit at a time (GROUP BY the key: nothing is weighted), for the population
(its aggregates are estimates), or over what is weighted already or has no unit (nothing is weighted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec
from datasets.design import SurveyDesign
from querying.sql.allowed_functions import ROW_SOURCES
from querying.sql.classes import conjuncts
from querying.sql.govern import grouped_item
from querying.sql.raw_rows import plain_groups, without_disguise
from querying.sql.scopes import Reading, Relation, Scope, TableUse, WithQuery
from querying.sql.shown import column_node
from querying.sql.stars import output_name
from querying.sql.walk import names, unwrap, walk
from querying.sql.weights.arms import combined_columns, listed
from querying.sql.weights.grain import (
    CONSTANT,
    NO_UNITS,
    PLAIN,
    SINGLE,
    UNKNOWN,
    Fact,
    Kind,
    Rows,
    Spans,
    Unique,
    combine_facts,
    key_names,
)
from querying.sql.weights.joined import NO_KEY, Joined, Term, equalities, finest, join
from querying.sql.weights.moments import EVER, Span
from querying.sql.weights.periods import date_fact, every_of, narrowed, pinned_by_groups
from querying.sql.weights.shapes import is_aggregate, is_distinct, is_grouped, is_limited, is_outside
from querying.sql.weights.sources import NOT_KNOWN, Sources, computed, own_nodes
from querying.sql.weights.stored import table_rows

RANKS: Final = frozenset({"dense_rank", "first_value", "last_value", "nth_value", "rank", "row_number"})
NOT_A_VALUE: Final = frozenset({"!~", "!~*", "!~~", "!~~*", "<", "<=", "<>", "=", ">", ">=", "~", "~*", "~~", "~~*"})
CUT_BY_LIMIT: Final = "LIMIT or OFFSET cuts the sample, not the population"
CUT_BY_RANK: Final = "its rows are numbered by their place in the sample"
CUT_BY_DISTINCT_ON: Final = "DISTINCT ON keeps some rows of the sample"
KEY_IN_SETS: Final = "grouping sets over the key mix persons with groups of them"
LATERAL: Final = "a LATERAL sub-select over units is not modelled"
RECURSIVE: Final = "a recursive WITH query over units is not modelled"
MIXED_ARMS: Final = "a set operation of rows of different kinds is not modelled"


class Level(Enum):
    """What a SELECT does with its rows."""

    ROWS = "rows"  # gives them on, one by one
    UNIT = "unit"  # aggregates within one unit
    POPULATION = "population"  # aggregates over units: estimates
    CELLS = "cells"  # aggregates what is weighted, or has no unit


@dataclass
class Resolved:
    """One SELECT: what it reads, what it does, what it gives. `joined` is None for VALUES and set operations."""

    scope: Scope
    level: Level
    rows: Rows
    joined: Joined | None = None
    unit: int | None = None  # of level UNIT: within which unit
    groups: tuple[pg.Node, ...] = ()  # what GROUP BY means
    has_sets: bool = False  # grouping sets
    pinned: frozenset[int] = NO_UNITS  # units with one weighting period in each group
    correlated: tuple[Message, ...] = ()  # sub-selects among what it computes that name something of it
    spans: Spans = field(default_factory=dict)


@dataclass
class Resolver:
    reading: Reading
    dataset: DatasetSpec
    design: SurveyDesign
    sources: Sources = field(init=False)
    _done: dict[Scope, Resolved] = field(default_factory=dict)
    _open: set[Scope] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sources = Sources(self.reading)
        self.scope_of_select = {id(scope.select): scope for scope in self.reading.scopes}

    def resolve(self, scope: Scope) -> Resolved:
        found = self._done.get(scope)
        if found is None:
            if scope in self._open:
                return Resolved(scope, Level.ROWS, replace(PLAIN, opaque=RECURSIVE, exact=False))
            self._open.add(scope)
            found = self._done[scope] = self._resolve(scope)
            self._open.discard(scope)
        return found

    def _resolve(self, scope: Scope) -> Resolved:
        if scope.arms:
            return Resolved(scope, Level.ROWS, self.combined(scope))
        if scope.select.values_lists:
            return Resolved(scope, Level.ROWS, listed(scope))
        joined = join(scope, [self.rows_of(item) for item in scope.relations], design=self.design, sources=self.sources)
        if joined.kind is Kind.PERSON and self.spreads(scope):
            joined.kind = Kind.EVENT
            if joined.unit is not None and not self.width(joined.unit):
                joined.conflict = joined.conflict or NO_KEY
        return self.grouped(scope, joined) if is_grouped(scope) else self.given_on(scope, joined)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────
    def spans(self, scope: Scope, joined: Joined) -> Spans:
        """The time in which the joined rows lie, for units whose weights hold for a period."""
        if not any(unit.period_weights for unit in self.design.units):
            return {}
        found: dict[int, Span] = {}
        for rows in joined.rows:
            for unit, span in rows.spans.items():
                found[unit] = found.get(unit, EVER).within(span)
        joins = [(item, condition) for item in scope.joins for condition in conjuncts(item.quals)]
        conditions = [
            *conjuncts(scope.select.where_clause),
            *(one for item, one in joins if item.jointype == pg.JOIN_INNER or self.is_of_nullable(one, joined)),
        ]
        return narrowed(conditions, lambda node: self.fact_of(node, joined), self.design, found)

    def is_of_nullable(self, condition: pg.Node, joined: Joined) -> bool:
        """Whether a condition of an outer join is about the rows that it may leave out only."""
        own = [source for source in self.sources.within(condition) if source.scope is joined.scope]
        return all(
            source.relation is not None and joined.place_of(source.relation) in joined.nullable for source in own
        )

    def pinned(self, spans: Spans) -> frozenset[int]:
        return frozenset(unit for unit, span in spans.items() if span.is_one(every_of(unit, self.design)))

    # ── relations ────────────────────────────────────────────────────────────────────────────────────────────
    def rows_of(self, relation: Relation) -> Rows:
        source = relation.source
        if isinstance(source, TableUse):
            return table_rows(source, self.design).renamed(relation.aliases)
        if isinstance(source, WithQuery):
            if source.query is None:
                return PLAIN
            rows = self.resolve(source.query).rows
            return rows.renamed(names(source.node.aliascolnames)).renamed(relation.aliases)
        if isinstance(source, Scope):
            rows = self.resolve(source).rows.renamed(relation.aliases)
            lateral = isinstance(relation.item, pg.RangeSubselect) and relation.item.lateral
            return replace(rows, opaque=LATERAL) if lateral and rows.units else rows
        return PLAIN

    # ── a SELECT without aggregates ──────────────────────────────────────────────────────────────────────────
    def given_on(self, scope: Scope, joined: Joined) -> Resolved:
        """Its rows are those of its FROM clause, or the distinct ones of its outputs."""
        columns, exact = self.outputs(scope, joined)
        rows = Rows(
            joined.kind,
            columns,
            exact,
            unit=joined.unit,
            units=joined.units if joined.kind.has_unit else NO_UNITS,
            unique=self.kept_unique(scope, joined, columns),
            cut=self.cut_of(scope, joined),
            opaque=joined.conflict or next((rows.opaque for rows in joined.rows if rows.opaque), ""),
            dated=dated(joined),
            spread=frozenset(unit for rows in joined.rows for unit in rows.spread),
            spans=self.spans(scope, joined),
        )
        pinned = self.pinned(rows.spans)
        if scope.select.distinct_clause:
            rows = self.distinct(scope, joined, rows, pinned)
        return Resolved(scope, Level.ROWS, rows, joined, pinned=pinned, spans=rows.spans)

    def distinct(self, scope: Scope, joined: Joined, rows: Rows, pinned: frozenset[int]) -> Rows:
        if not is_distinct(scope):  # DISTINCT ON: one row of each person, or a cut of the sample
            if not rows.kind.has_unit:
                return rows
            facts = [self.fact_of(node, joined) for node in scope.select.distinct_clause]
            chosen = self.by_key(replace(rows, unique=frozenset()), facts, exact=True, pinned=pinned)
            return chosen if chosen.kind is Kind.PERSON else replace(rows, cut=rows.cut or CUT_BY_DISTINCT_ON)
        shown = [name for name, _ in rows.columns]
        is_plain = rows.exact and len(set(shown)) == len(shown)
        unique = rows.unique | {frozenset(shown)} if is_plain else rows.unique
        if not rows.kind.has_unit:
            return replace(rows, unique=unique)
        return self.by_key(replace(rows, unique=unique), [fact for _, fact in rows.columns], rows.exact, pinned)

    def by_key(self, rows: Rows, facts: Sequence[Fact], exact: bool, pinned: frozenset[int]) -> Rows:
        """Rows that are distinct in these columns: persons, something of persons, or just values."""
        shown = {fact.key for fact in facts if fact.key is not None}
        units = frozenset(
            unit
            for unit in rows.units
            if self.width(unit) and all((unit, part) in shown for part in range(self.width(unit)))
        )
        if not units:
            return replace(rows, kind=Kind.VALUES, unit=None, units=NO_UNITS, dated=NO_UNITS, spread=NO_UNITS)
        persons = [unit for unit in units if exact and all(unit in fact.fixed or fact.constant for fact in facts)]
        one_period = pinned | {unit for fact in facts for unit in fact.pins}
        rows = replace(
            rows,
            kind=Kind.PERSON if persons else Kind.EVENT,
            unit=finest(persons or units, self.design),
            units=units,
            dated=rows.dated & one_period,
            spread=rows.spread | (rows.dated - one_period),
        )
        if not persons:
            return rows
        unique = {key_names(unit, self.width(unit)) for unit in persons}
        return replace(rows, unique=rows.unique | unique)

    def width(self, unit: int) -> int:
        return len(self.design.units[unit].key)

    def cut_of(self, scope: Scope, joined: Joined) -> str:
        if not joined.kind.has_unit:
            return next((rows.cut for rows in joined.rows if rows.cut), "")
        if is_limited(scope):
            return CUT_BY_LIMIT
        if any(self.ranks_the_sample(scope, joined, node) for node in own_nodes(*computed(scope.select))):
            return CUT_BY_RANK
        return next((rows.cut for rows in joined.rows if rows.cut), "") or self.cut_by_filter(scope)

    def cut_by_filter(self, scope: Scope) -> str:
        """`user_id IN (SELECT ... LIMIT 100)` cuts as LIMIT itself does."""
        for condition in (*(item.quals for item in scope.joins), scope.select.where_clause):
            for node in own_nodes(condition):
                if not node.HasField("sub_link") or node.sub_link.sub_link_type == pg.EXISTS_SUBLINK:
                    continue
                inner = self.scope_of_select.get(id(node.sub_link.subselect.select_stmt))
                rows = PLAIN if inner is None else self.resolve(inner).rows
                if rows.kind.has_unit and rows.cut:
                    return rows.cut
        return ""

    def ranks_the_sample(self, scope: Scope, joined: Joined, node: pg.Node) -> bool:
        call = node.func_call
        if not node.HasField("func_call") or not call.HasField("over") or names(call.funcname)[-1] not in RANKS:
            return False
        return not self.is_within_unit(scope, joined, call.over)

    def is_within_unit(self, scope: Scope, joined: Joined, window: pg.WindowDef) -> bool:
        """Whether PARTITION BY holds the whole key of a unit."""
        parts = list(window.partition_clause)
        for name in filter(None, (window.name, window.refname)):
            parts += [
                part
                for item in scope.select.window_clause
                if item.window_def.name == name
                for part in item.window_def.partition_clause
            ]
        found = {self.fact_of(part, joined).key for part in map(without_disguise, parts)}
        return any(
            self.width(unit) and all((unit, part) in found for part in range(self.width(unit))) for unit in joined.units
        )

    def kept_unique(self, scope: Scope, joined: Joined, columns: tuple[tuple[str, Fact], ...]) -> Unique:
        select = scope.select
        if select.limit_option == pg.LIMIT_OPTION_COUNT and select.limit_count.a_const.ival.ival == 1:
            return SINGLE
        if self.spreads(scope):
            return frozenset()
        if not select.from_clause:
            return SINGLE
        found: set[frozenset[str]] = set()
        if joined.kind is Kind.PERSON and joined.unit is not None and self.width(joined.unit):
            found.add(key_names(joined.unit, self.width(joined.unit)))
        if len(joined.drivers) == 1:
            (driver,) = joined.drivers
            shown = self.plain_outputs(scope, joined)
            for unique in joined.rows[driver].unique:
                roots = {joined.root(Term(driver, name)) for name in unique}
                given = [shown[root] for root in roots] if roots <= shown.keys() else []
                if given and all(sum(name == other for other, _ in columns) == 1 for name in given):
                    found.add(frozenset(given))
        return frozenset(found)

    def spreads(self, scope: Scope) -> bool:
        """Whether a function among its outputs or groups gives several rows for one, as unnest(tags) does."""
        sources = ROW_SOURCES | self.dataset.vocabulary.row_sources
        roots = [*scope.select.target_list, *scope.select.group_clause, *scope.select.sort_clause]
        calls = [node.func_call for node in own_nodes(*roots) if node.HasField("func_call")]
        return any(names(call.funcname)[-1] in sources for call in calls)

    def plain_outputs(self, scope: Scope, joined: Joined) -> dict[Term, str]:
        """Roots of columns that are given on as they are, with their names outside."""
        found: dict[Term, str] = {}
        for target in scope.select.target_list:
            value = target.res_target.val
            if not value.HasField("column_ref"):
                continue
            parts = names(value.column_ref.fields)
            if parts[-1] == "*":
                for place, item in enumerate(scope.relations):
                    if len(parts) == 1 or item.name == parts[-2]:
                        for name in joined.rows[place].facts:
                            found.setdefault(joined.root(Term(place, name)), name)
                continue
            source = self.sources.of(value.column_ref)
            if source.relation is not None and source.scope is scope:
                term = Term(joined.place_of(source.relation), source.column)
                found.setdefault(joined.root(term), target.res_target.name or parts[-1])
        return found

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────
    def outputs(self, scope: Scope, joined: Joined) -> tuple[tuple[tuple[str, Fact], ...], bool]:
        found: list[tuple[str, Fact]] = []
        exact = True
        for target in scope.select.target_list:
            value = target.res_target.val
            if value.HasField("column_ref") and names(value.column_ref.fields)[-1] == "*":
                columns, known = self.starred(scope, joined, names(value.column_ref.fields))
                found += columns
                exact = exact and known
            else:
                found.append((target.res_target.name or output_name(value)[0], self.given_fact(value, joined)))
        return tuple(found), exact

    def given_fact(self, node: pg.Node, joined: Joined) -> Fact:
        """Of an output. A key that may be NULL where another relation has it does not stand for the row's own."""
        fact = self.fact_of(node, joined)
        if fact.key is None or not fact.raw or is_distinct(joined.scope):
            return fact
        source = self.sources.of(node.column_ref)
        place = joined.place_of(source.relation) if source.relation is not None else -1
        sure = any(other not in joined.nullable for other in joined.holders(fact.key[0]))
        return replace(fact, doubtful=fact.doubtful or (place in joined.nullable and sure))

    def starred(self, scope: Scope, joined: Joined, parts: tuple[str, ...]) -> tuple[list[tuple[str, Fact]], bool]:
        qualifier = parts[-2] if len(parts) > 1 else ""
        found: list[tuple[str, Fact]] = []
        exact = True
        for place, item in enumerate(scope.relations):
            if (qualifier and item.name != qualifier) or (not qualifier and item.hidden):
                continue
            if item.item is None and item.source is None:
                continue  # the name of a join, whose columns are those of its sides
            visible = item.columns.by_name if isinstance(item.source, TableUse) else joined.rows[place].facts
            keyless = place in joined.nullable and not is_distinct(scope)
            for name in visible:
                fact = joined.fact(Term(place, name))
                found.append((name, replace(fact, doubtful=fact.doubtful or (keyless and fact.key is not None))))
            exact = exact and joined.rows[place].exact
        return found, exact

    def fact_of(self, node: pg.Node, joined: Joined) -> Fact:
        """What is known of an expression over the joined rows."""
        value = unwrap(node)
        if isinstance(value, pg.ColumnRef):
            return self.fact_of_reference(value, joined)
        found = combine_facts(
            self.fact_of_reference(message, joined) for message in walk(node) if isinstance(message, pg.ColumnRef)
        )
        if any(inner.func_call.HasField("over") for inner in own_nodes(node) if inner.HasField("func_call")):
            found = replace(found, fixed=NO_UNITS, constant=False)  # computed over rows, and so a thing of the row
        dates, pins = date_fact(node, lambda inner: self.fact_of(inner, joined), self.design)
        return replace(found, weight=self.has_weight(node, joined), date=dates, pins=pins)

    def fact_of_reference(self, reference: pg.ColumnRef, joined: Joined) -> Fact:
        source = self.sources.of(reference)
        if source.relation is None:
            return UNKNOWN
        if source.scope is not joined.scope:
            return CONSTANT  # of a SELECT around this one, or inside of a sub-select of this expression
        return joined.fact(Term(joined.place_of(source.relation), source.column))

    def has_weight(self, node: pg.Node, joined: Joined) -> bool:
        """Whether a weight goes into the value itself, not only into a condition within it."""
        stack: list[Message] = [node]
        while stack:
            value = unwrap(stack.pop())
            if isinstance(value, pg.ColumnRef):
                if self.fact_of_reference(value, joined).weight:
                    return True
            elif isinstance(value, pg.CaseExpr):
                stack.extend([*(when.case_when.result for when in value.args), value.defresult])
            elif isinstance(value, pg.A_Expr) and names(value.name)[-1] not in NOT_A_VALUE and value.kind in VALUES:
                stack.extend([value.lexpr, value.rexpr])
            elif isinstance(value, pg.FuncCall | pg.CoalesceExpr | pg.MinMaxExpr | pg.RowExpr):
                stack.extend(value.args)
                if isinstance(value, pg.FuncCall):
                    stack.extend(item.sort_by.node for item in value.agg_order)
            elif isinstance(value, pg.TypeCast | pg.CollateClause | pg.NamedArgExpr):
                stack.append(value.arg)
            elif isinstance(value, pg.A_ArrayExpr):
                stack.extend(value.elements)
            elif isinstance(value, pg.SubLink) and value.sub_link_type == pg.EXPR_SUBLINK:
                inner = self.scope_of_select.get(id(value.subselect.select_stmt))
                if inner is not None and any(fact.weight for _, fact in self.resolve(inner).rows.columns):
                    return True
        return False

    # ── a SELECT with aggregates ─────────────────────────────────────────────────────────────────────────────
    def grouped(self, scope: Scope, joined: Joined) -> Resolved:
        items = tuple(grouped_item(scope, node) for node in plain_groups(scope))
        has_sets = any(node.HasField("grouping_set") for node in scope.select.group_clause)
        unit = self.unit_of_groups(scope, joined, items)
        if unit is not None and (not has_sets or self.is_correlated(scope, joined, unit)):
            return self.per_unit(scope, joined, items, unit)
        if unit is not None:
            joined.conflict, joined.linked = KEY_IN_SETS, False
        level = Level.POPULATION if joined.kind.has_unit else Level.CELLS
        columns = tuple(
            (target.res_target.name or output_name(target.res_target.val)[0], UNKNOWN)
            for target in scope.select.target_list
        )
        kind = Kind.CELL if level is Level.POPULATION else joined.kind
        if level is Level.POPULATION and not any(is_aggregate(node) for node in own_nodes(*computed(scope.select))):
            kind = Kind.VALUES  # GROUP BY alone is DISTINCT
        unique = self.group_names(scope, items) if not has_sets else frozenset()
        rows = Rows(kind, columns, exact=True, unique=unique, opaque="")
        pinned = self.pinned(spans := self.spans(scope, joined))
        if not has_sets:
            pinned |= pinned_by_groups(items, lambda node: self.fact_of(node, joined), self.design)
        return Resolved(
            scope,
            level,
            rows,
            joined,
            groups=items,
            has_sets=has_sets,
            pinned=pinned,
            spans=spans,
            correlated=self.correlated(scope),
        )

    def correlated(self, scope: Scope) -> tuple[Message, ...]:
        links = [node.sub_link for node in own_nodes(*computed(scope.select)) if node.HasField("sub_link")]
        return tuple(
            link
            for link in links
            if any(source.scope is scope or source == NOT_KNOWN for source in self.sources.within(link))
        )

    def unit_of_groups(self, scope: Scope, joined: Joined, items: Sequence[pg.Node]) -> int | None:
        """The unit within which this SELECT aggregates, the finest if there are several."""
        if not joined.kind.has_unit:
            return None
        found = {self.fact_of(without_disguise(item), joined).key for item in items}
        units = [
            unit
            for unit in joined.units
            if self.width(unit)
            and (
                all((unit, part) in found for part in range(self.width(unit)))
                or self.is_correlated(scope, joined, unit)
            )
        ]
        return finest(units, self.design) if units else None

    def is_correlated(self, scope: Scope, joined: Joined, unit: int) -> bool:
        """Whether a sub-select is about one unit of the SELECT around it: `WHERE e.user_id = u.user_id`."""
        met: set[int] = set()
        for left, right in equalities(scope):
            for own, other in ((left, right), (right, left)):
                key = self.fact_of(without_disguise(own), joined).key
                reference = without_disguise(other)
                if key is None or key[0] != unit or not reference.HasField("column_ref"):
                    continue
                source = self.sources.of(reference.column_ref)
                if source.relation is None or source.scope is None or source.scope is scope:
                    continue
                if is_outside(source.scope, scope):
                    facts = self.rows_of(source.relation).facts
                    if facts.get(source.column, UNKNOWN).key == key:
                        met.add(key[1])
        return self.width(unit) > 0 and met == set(range(self.width(unit)))

    def per_unit(self, scope: Scope, joined: Joined, items: tuple[pg.Node, ...], unit: int) -> Resolved:
        """One row for each unit, or for each unit and something else."""
        facts = [self.fact_of(without_disguise(item), joined) for item in items]
        spans = self.spans(scope, joined)
        pinned = self.pinned(spans) | pinned_by_groups(items, lambda node: self.fact_of(node, joined), self.design)
        is_person = all(unit in fact.fixed or fact.constant for fact in facts)
        columns = tuple(
            (
                target.res_target.name or output_name(target.res_target.val)[0],
                self.fact_per_unit(target.res_target.val, joined, unit if is_person else None),
            )
            for target in scope.select.target_list
        )
        unique = self.group_names(scope, items)
        rows = Rows(Kind.EVENT, columns, unit=unit, units=joined.units, unique=unique, spans=spans)
        spread_or_dated = dated(joined) | frozenset(other for item in joined.rows for other in item.spread)
        rows = self.by_key(replace(rows, dated=spread_or_dated), facts, exact=True, pinned=pinned)
        rows = replace(
            rows,
            cut=CUT_BY_LIMIT if is_limited(scope) else self.cut_of(scope, joined),
            opaque="" if joined.linked else joined.conflict,
        )
        return Resolved(scope, Level.UNIT, rows, joined, unit=unit, groups=items, pinned=pinned, spans=spans)

    def fact_per_unit(self, node: pg.Node, joined: Joined, unit: int | None) -> Fact:
        """Of an output of a SELECT that groups by the key: all of it is fixed where there is one row per unit."""
        fact = self.fact_of(node, joined)
        if any(is_aggregate(inner) for inner in own_nodes(node)):
            fact = Fact(weight=fact.weight)
        return replace(fact, fixed=fact.fixed | {unit}) if unit is not None else fact

    def group_names(self, scope: Scope, items: Sequence[pg.Node]) -> Unique:
        """The outputs that tell groups apart, where all of GROUP BY is among them."""
        if not items:
            return SINGLE
        texts = {self.canonical(scope, item) for item in items}
        targets = [target.res_target for target in scope.select.target_list]
        outputs = [target.name or output_name(target.val)[0] for target in targets]
        shown = {
            self.canonical(scope, target.val): name
            for name, target in zip(outputs, targets, strict=True)
            if outputs.count(name) == 1
        }
        return frozenset({frozenset(shown[text] for text in texts)}) if texts <= shown.keys() else frozenset()

    def canonical(self, scope: Scope, node: pg.Node) -> bytes:
        """The same bytes for the same expression, however its columns are qualified and wherever it stands."""
        copy = pg.Node()
        copy.CopyFrom(node)
        for original, copied in zip(walk(node), walk(copy), strict=True):
            if isinstance(original, pg.ColumnRef):
                source = self.sources.of(original)
                if source.relation is not None and source.scope is scope:
                    place = next(n for n, item in enumerate(scope.relations) if item is source.relation)
                    copied.CopyFrom(column_node(str(place), source.column).column_ref)
            if hasattr(copied, "location"):
                copied.location = -1
        return bytes(copy.SerializeToString(deterministic=True))

    # ── set operations ───────────────────────────────────────────────────────────────────────────────────────
    def combined(self, scope: Scope) -> Rows:
        left, right = (self.resolve(arm).rows for arm in scope.arms)
        columns, exact = combined_columns(left, right)
        cut = next((rows.cut for rows in (left, right) if rows.cut), "") or (
            CUT_BY_LIMIT if is_limited(scope) and left.kind.has_unit else ""
        )
        opaque = left.opaque or right.opaque
        kinds = {left.kind, right.kind}
        if not any(kind.has_unit for kind in kinds):
            kind = next((kind for kind in (Kind.VALUES, Kind.CELL) if kind in kinds), Kind.PLAIN)
            return Rows(kind, columns, exact, cut="", opaque=opaque)
        if not all(kind.has_unit for kind in kinds) or left.unit != right.unit:
            units = left.units | right.units
            return Rows(Kind.EVENT, columns, exact, unit=left.unit or right.unit, units=units, opaque=MIXED_ARMS)
        rows = Rows(
            Kind.EVENT,
            columns,
            exact,
            unit=left.unit,
            units=left.units & right.units,
            cut=cut,
            opaque=opaque,
            dated=left.dated & right.dated,
            spread=left.spread | right.spread,
            spans={unit: span.around(right.spans[unit]) for unit, span in left.spans.items() if unit in right.spans},
        )
        if scope.select.all:
            return rows
        # what is distinct is what is shown: its NULLs are nobody's
        shown = tuple((name, replace(fact, doubtful=False)) for name, fact in columns)
        rows = replace(rows, columns=shown)
        return self.by_key(rows, [fact for _, fact in shown], exact, self.pinned(rows.spans))


VALUES: Final = frozenset({pg.AEXPR_NULLIF, pg.AEXPR_OP})


def dated(joined: Joined) -> frozenset[int]:
    """Units for which the rows have one weighting period each."""
    return frozenset(unit for rows in joined.rows for unit in rows.dated)
