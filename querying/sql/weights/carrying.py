"""Bring keys, weights and dates to where they are needed, under names that callers cannot write. Pure.

FROM panel_users u                FROM (SELECT ..., CASE WHEN weight > 0 ... END AS _mcpa_w1 FROM panel_users) u
FROM (SELECT app FROM ...) t      FROM (SELECT app, e.user_id AS _mcpa_w2 FROM ...) t
no unit table in FROM             FROM ..., (SELECT user_id AS _mcpa_w3, CASE ... END AS _mcpa_w4
                                             FROM panel_users) AS _mcpa_w5 WHERE _mcpa_w5._mcpa_w3 = e.user_id
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from postgast import pg_query_pb2 as pg

from datasets.design import PeriodWeights, TableName, Unit
from querying.sql.draft import RESERVED, Draft
from querying.sql.govern import check_explained, target_node, visible_select
from querying.sql.scopes import Relation, Scope, TableUse, WithQuery
from querying.sql.shown import column_node, fill
from querying.sql.weights.clusters import Clusters
from querying.sql.weights.moments import EVER, cut, moment_node
from querying.sql.weights.nodes import add_condition, all_of, scalar, select_from
from querying.sql.weights.periods import Spell, period_of
from querying.sql.weights.pieces import is_null
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.resolve import Level, Resolved, Resolver
from querying.sql.weights.shapes import is_distinct
from querying.sql.weights.stored import keys_in

VALID: Final = (
    "$1 OPERATOR(pg_catalog.>) 0",
    "$1::pg_catalog.float8 OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8",
)
TEXT: Final = "COALESCE($1::pg_catalog.text, '')"  # NULL is for what an outer join made
FLOAT: Final = "$1::pg_catalog.float8"
EQUALS: Final = "$1 OPERATOR(pg_catalog.=) $2"
HINT: Final = "Join the tables themselves, or keep the key among the outputs of the sub-select."


class What(NamedTuple):
    """What is carried: a part of a unit's key, its weight, or the first day of the weighting period.

    Or the unit's stratum or PSU, as text. A `weight` is float8, NULL where it is not valid; a `plain_weight` is the
    column as it is, of which PostgreSQL has statistics: for SELECTs that leave rows without a valid one out. Neither is
    scaled.
    """

    kind: str  # key | weight | plain_weight | period | stratum | psu
    unit: int
    part: int = 0

    @property
    def is_of_unit_table(self) -> bool:
        return self.kind in ("plain_weight", "psu", "stratum", "weight")


@dataclass
class Carrier:
    """What a statement carries: asked for the same twice, it is there once."""

    draft: Draft
    resolver: Resolver
    numbers: count[int] = field(default_factory=lambda: count(1))
    made: dict[Hashable, str] = field(default_factory=dict)
    weights: dict[Hashable, Weight] = field(default_factory=dict)
    widened: set[Scope] = field(default_factory=set)  # SELECTs whose `*` would show more than the caller asked for
    giving: set[Scope] = field(default_factory=set)  # SELECTs that give more outputs than the caller wrote
    uses: set[int] = field(default_factory=set)  # places of the tables whose sub-select gives more

    def new_name(self) -> str:
        return f"{RESERVED}w{next(self.numbers)}"

    def unit(self, number: int) -> Unit:
        return self.resolver.design.units[number]

    def every(self, unit: int) -> str:
        weights = self.unit(unit).period_weights
        assert weights is not None
        return weights.every

    # ── out of a FROM item ───────────────────────────────────────────────────────────────────────────────────
    def from_relation(self, resolved: Resolved, place: int, what: What) -> pg.Node:
        """The value as an expression where this relation stands in FROM."""
        relation = resolved.scope.relations[place]
        if isinstance(relation.source, TableUse):
            node = column_node(relation.name, self.from_table(relation, relation.source, what))
            return period_of(node, self.every(what.unit)) if what.kind == "period" else node
        if what.kind == "key" and resolved.joined is not None:
            shown = self.shown_key(resolved, place, what)
            if shown:
                return column_node(relation.name, shown)
        scope = relation.source.query if isinstance(relation.source, WithQuery) else relation.source
        if not isinstance(scope, Scope):
            raise Unsupported("the unit's key cannot be told from this FROM item", HINT, relation.item)
        name = self.made.get((scope, what))
        if name is None:
            name = self.made[scope, what] = self.new_name()
            self.give(scope, what, name)
            self.giving.add(scope)
        return column_node(relation.name, name)

    def shown_key(self, resolved: Resolved, place: int, what: What) -> str:
        assert resolved.joined is not None
        rows = resolved.joined.rows[place]
        return next(
            (
                name
                for name, fact in rows.columns
                if fact.key == (what.unit, what.part) and fact.raw and not fact.doubtful
            ),
            "",
        )

    def from_table(self, relation: Relation, use: TableUse, what: What) -> str:
        table = (use.spec.schema, use.spec.name)
        unit = self.unit(what.unit)
        if what.kind == "weight":
            return self.beside(use, (what.kind, unit.weight), valid_weight(unit))
        if what.kind in ("psu", "stratum"):
            column = unit.psu if what.kind == "psu" else unit.stratum
            return self.beside(use, ("text", column), fill(TEXT, column_node(column)))
        if what.kind == "plain_weight":
            column = unit.weight
        elif what.kind == "key":
            column = keys_in(unit, table)[what.part]
        else:
            assert unit.period_weights is not None
            column = unit.period_weights.dates.get(table, "") or unit.period_weights.period
        visible = next((item for item in use.spec.visible_columns if item.name == column), None)
        if visible is not None and not visible.mask and not visible.classes and not relation.aliases:
            return column
        return self.beside(use, ("column", column), column_node(column))

    def beside(self, use: TableUse, what: Hashable, value: pg.Node) -> str:
        """A further output of the sub-select that govern has put in the table's place."""
        name = self.made.get((use.place, what))
        if name is None:
            name = self.made[use.place, what] = self.new_name()
            use.node.range_subselect.subquery.select_stmt.target_list.append(target_node(value, name))
            self.uses.add(use.place)
        return name

    # ── out of a SELECT ──────────────────────────────────────────────────────────────────────────────────────
    def give(self, scope: Scope, what: What, name: str, *, in_union: bool = False) -> None:
        """Let this SELECT give one more output, which is the same for all rows that it holds to be one."""
        if scope.arms:
            if not scope.select.all or scope.select.op != pg.SETOP_UNION:
                raise Unsupported("rows of this set operation cannot be told apart by person", HINT, scope.select)
            for arm in scope.arms:
                self.give(arm, what, name, in_union=True)
            return
        resolved = self.resolver.resolve(scope)
        if resolved.joined is None or resolved.level not in (Level.ROWS, Level.UNIT):
            raise Unsupported("the unit's key cannot be told from this sub-select", HINT, scope.select)
        if resolved.level is Level.UNIT and what.kind == "key":
            value = self.grouped_key(resolved, what)
        elif what.kind == "key" and is_distinct(scope):
            value = self.output_key(resolved, what)
        elif what.kind == "key" and in_union and self.shows_key(resolved, what):
            value = self.output_key(resolved, what)  # in a UNION a row without a key is nobody's
        else:
            value = self.value(resolved, what)
        if resolved.level is Level.UNIT and what.kind != "key":
            value = fill("pg_catalog.min($1)", value)
        scope.select.target_list.append(target_node(value, name))

    def output_key(self, resolved: Resolved, what: What) -> pg.Node:
        """The output that is the key: another one beside it would change which rows are alike."""
        found = self.shows_key(resolved, what)
        if found is None:
            raise Unsupported("the unit's key cannot be told from this sub-select", HINT, resolved.scope.select)
        return found

    def shows_key(self, resolved: Resolved, what: What) -> pg.Node | None:
        assert resolved.joined is not None
        for target in resolved.scope.select.target_list:
            value: pg.Node = target.res_target.val
            fact = self.resolver.fact_of(value, resolved.joined)
            if fact.key == (what.unit, what.part) and fact.raw:
                return value
        return None

    def grouped_key(self, resolved: Resolved, what: What) -> pg.Node:
        """The item of GROUP BY that is the key; where it is shown otherwise, the key itself joins the groups."""
        joined = resolved.joined
        assert joined is not None
        for item in resolved.groups:
            fact = self.resolver.fact_of(item, joined)
            if fact.key == (what.unit, what.part) and fact.raw:
                return item
        value = self.value(resolved, what)
        resolved.scope.select.group_clause.append(value)
        return value

    def value(self, resolved: Resolved, what: What) -> pg.Node:
        """The value in this SELECT: from the relation that has it for every row, else from whichever has it."""
        assert resolved.joined is not None
        joined = resolved.joined
        places = [place for place in joined.holders(what.unit) if self.has(resolved, place, what)]
        if not places:
            raise Unsupported("the unit's key cannot be told from this sub-select", HINT, resolved.scope.select)
        sure = [place for place in places if place not in joined.nullable]
        tables = [place for place in sure if isinstance(resolved.scope.relations[place].source, TableUse)]
        if sure or len(places) == 1:
            return self.from_relation(resolved, (tables or sure or places)[0], what)
        values = [self.from_relation(resolved, place, what) for place in places]
        return pg.Node(coalesce_expr=pg.CoalesceExpr(args=values, location=-1))

    def has(self, resolved: Resolved, place: int, what: What) -> bool:
        assert resolved.joined is not None
        if what.kind == "period":
            return what.unit in resolved.joined.rows[place].dated
        if what.is_of_unit_table:
            relation = resolved.scope.relations[place]
            if isinstance(relation.source, TableUse):
                return self.is_unit_table(relation.source, what.unit)
            return not self.unit(what.unit).key or self.gives_weight(relation, what.unit)
        return True

    def is_unit_table(self, use: TableUse, unit: int) -> bool:
        return (use.spec.schema, use.spec.name) == self.unit(unit).table

    # ── the weight of each row ───────────────────────────────────────────────────────────────────────────────
    def weight(self, resolved: Resolved, unit: int, spell: Spell | None = None, *, may_filter: bool = False) -> Weight:
        """What each joined row weighs; joins the unit's table where it is not there. `spell`: weights of periods.

        With `may_filter` the SELECT leaves out rows without a valid weight, so that each need not be looked at again.
        """
        asked = (resolved.scope, unit, spell)
        if asked not in self.weights:
            found = self.direct_weight(resolved, unit, may_filter=may_filter) if spell is None else None
            self.weights[asked] = found or self.joined_weight(resolved, unit, spell, may_filter=may_filter)
        return self.weights[asked]

    def clusters(self, resolved: Resolved, unit: int, weight: Weight) -> Clusters | None:
        """The stratum and PSU of each row, from where its weight comes; None where its sample has none."""
        registered = self.unit(unit)
        if not registered.psus or registered.period_weights is not None:
            return None
        if weight.clusters is not None:
            return weight.clusters
        return clusters_of(registered, self.places_in_sample(resolved, unit))

    def places_in_sample(self, resolved: Resolved, unit: int) -> list[pg.Node]:
        """Stratum and PSU, as far as its sample has them, of rows that have their weight at hand."""
        return [self.value(resolved, What(kind, unit)) for kind in kinds_of(self.unit(unit))]

    def direct_weight(self, resolved: Resolved, unit: int, *, may_filter: bool) -> Weight | None:
        """From a relation of this FROM clause that has it; None where it is to be joined."""
        assert resolved.joined is not None
        joined, scope = resolved.joined, resolved.scope
        places = joined.holders(unit)
        sure = self.sure(resolved, unit)
        kind = "plain_weight" if may_filter and sure else "weight"
        for place in sure or (places if len(places) == 1 else []):
            source = scope.relations[place].source
            if isinstance(source, TableUse) and self.is_unit_table(source, unit):
                return weight_of(
                    self.from_relation(resolved, place, What(kind, unit)), kind, self.no_unit(resolved, unit)
                )
        for place in sure:
            if self.gives_weight(scope.relations[place], unit):
                return weight_of(self.from_relation(resolved, place, What(kind, unit)), kind, None)
        if self.unit(unit).key:
            return None
        return weight_of(self.value(resolved, What(kind, unit)), kind, None)

    def sure(self, resolved: Resolved, unit: int) -> list[int]:
        """Places that have the unit's key in every row."""
        assert resolved.joined is not None
        return [place for place in resolved.joined.holders(unit) if place not in resolved.joined.nullable]

    def gives_weight(self, relation: Relation, unit: int) -> bool:
        """Whether a sub-select that gives its rows on reads the unit's own table, so that no join is needed."""
        scope = relation.source.query if isinstance(relation.source, WithQuery) else relation.source
        if not isinstance(scope, Scope) or scope.arms or scope.select.distinct_clause:
            return False
        inner = self.resolver.resolve(scope)
        if inner.joined is None or inner.level is not Level.ROWS:
            return False
        for place in inner.joined.holders(unit):
            item = scope.relations[place]
            if place in inner.joined.nullable:
                continue
            if isinstance(item.source, TableUse):
                if self.is_unit_table(item.source, unit):
                    return True
            elif self.gives_weight(item, unit):
                return True
        return False

    def no_unit(self, resolved: Resolved, unit: int) -> pg.Node | None:
        """True for rows that an outer join made for nobody: they stay, and count nothing."""
        if self.sure(resolved, unit) or not self.unit(unit).key:
            return None
        return is_null(self.value(resolved, What("key", unit, 0)))

    def keys(self, resolved: Resolved, unit: int) -> list[pg.Node]:
        return [self.value(resolved, What("key", unit, part)) for part in range(len(self.unit(unit).key))]

    def joined_weight(self, resolved: Resolved, unit: int, spell: Spell | None, *, may_filter: bool) -> Weight:
        wanted = self.keys(resolved, unit)
        if spell is not None and spell.by_row:
            wanted.append(self.value(resolved, What("period", unit)))
        nobody = self.no_unit(resolved, unit)
        self.widened.add(resolved.scope)
        filters = may_filter and nobody is None
        joined = self.join_weights(resolved.scope.select, unit, wanted, spell=spell, outer=not filters)
        return joined._replace(nobody=nobody, is_valid=filters)

    def join_weights(
        self, select: pg.SelectStmt, unit: int, wanted: Sequence[pg.Node], *, spell: Spell | None, outer: bool
    ) -> Weight:
        """Join the valid weights by the key (and period); with `outer` rows without one stay."""
        inner, names_, weight = self.weights_select(unit, spell)
        kinds = kinds_of(self.unit(unit)) if spell is None else ()
        clusters = [target.res_target.name for target in inner.target_list[len(inner.target_list) - len(kinds) :]]
        item = pg.RangeSubselect(alias=pg.Alias(aliasname=self.new_name()))
        item.subquery.select_stmt.CopyFrom(inner)
        alias = item.alias.aliasname
        condition = all_of(
            fill(EQUALS, column_node(alias, name), value) for name, value in zip(names_, wanted, strict=True)
        )
        if outer:
            join_to_all(select, item, condition)
        else:
            select.from_clause.add().range_subselect.CopyFrom(item)
            add_condition(select, condition)
        of_sample = clusters_of(self.unit(unit), [column_node(alias, name) for name in clusters]) if kinds else None
        return Weight(column_node(alias, weight), None, clusters=of_sample)

    def weights_select(self, unit: int, spell: Spell | None) -> tuple[pg.SelectStmt, list[str], str]:
        """One row per unit, or per unit and period: names of the key, then of the period; and of the weight.

        Strata and PSUs are its last outputs.
        """
        registered = self.unit(unit)
        if spell is None:
            return self.static_select(registered)
        weights = registered.period_weights
        assert weights is not None
        select, names_, weight = self.spell_rows(weights, spell)
        if spell.by_row:
            return select, names_, weight
        # one weight per unit for a question that spans periods
        keys = [column_node(name) for name in names_[:-1]]
        outer = select_from(select, self.new_name(), groups=keys)
        new = [self.new_name() for _ in (*keys, weight)]
        for name, value in zip(new, [*keys, fill("pg_catalog.avg($1)", column_node(weight))], strict=True):
            outer.target_list.append(target_node(value, name))
        if spell.rule == "last":
            last, (*_, period), _ = self.spell_rows(weights, spell)
            latest = select_from(last, self.new_name())
            latest.target_list.append(target_node(fill("pg_catalog.max($1)", column_node(period)), self.new_name()))
            add_condition(outer, fill(EQUALS, column_node(names_[-1]), scalar(latest)))
        return outer, new[:-1], new[-1]

    def spell_rows(self, weights: PeriodWeights, spell: Spell) -> tuple[pg.SelectStmt, list[str], str]:
        """The weights of the span's periods: names of the key and, last, of the period; and of the weight."""
        select, names_ = self.table_select(weights.table, [*weights.key, weights.period])
        period = select.target_list[len(weights.key)].res_target.val
        period.CopyFrom(period_of(column_node(weights.period), weights.every))
        weight = self.new_name()
        select.target_list.append(target_node(fill(FLOAT, column_node(weights.weight)), weight))
        add_condition(select, all_of(valid(column_node(weights.weight))))
        if spell.by_row or spell.span == EVER:
            return select, names_, weight
        outer = select_from(select, self.new_name())
        for name in (*names_, weight):
            outer.target_list.append(target_node(column_node(name), name))
        if spell.span.low is not None:
            low = moment_node(cut(spell.span.low, weights.every))
            add_condition(outer, fill("$1 OPERATOR(pg_catalog.>=) $2", column_node(names_[-1]), low))
        if spell.span.high is not None:
            high = moment_node(spell.span.high)
            add_condition(outer, fill("$1 OPERATOR(pg_catalog.<) $2", column_node(names_[-1]), high))
        return outer, names_, weight

    def static_select(self, unit: Unit) -> tuple[pg.SelectStmt, list[str], str]:
        select, names_ = self.table_select(unit.table, unit.key)
        weight = self.new_name()
        select.target_list.append(target_node(fill(FLOAT, column_node(unit.weight)), weight))
        add_condition(select, all_of(valid(column_node(unit.weight))))
        for kind in kinds_of(unit):
            column = unit.psu if kind == "psu" else unit.stratum
            select.target_list.append(target_node(fill(TEXT, column_node(column)), self.new_name()))
        if not unit.shares_table:
            return select, names_, weight
        # a finer unit has this table: the key stands on several rows, all of the same weight
        keys = [column_node(name) for name in names_]
        outer = select_from(select, self.new_name(), groups=keys)
        new = [self.new_name() for _ in (*names_, weight)]
        more = [target.res_target.name for target in select.target_list[len(names_) + 1 :]]
        for name, value in zip(new, [*keys, fill("pg_catalog.max($1)", column_node(weight))], strict=True):
            outer.target_list.append(target_node(value, name))
        for name in more:
            outer.target_list.append(target_node(fill("pg_catalog.max($1)", column_node(name)), self.new_name()))
        return outer, new[:-1], new[-1]

    def table_select(self, table: TableName, columns: Sequence[str]) -> tuple[pg.SelectStmt, list[str]]:
        """The table under this caller's row rule, with these columns under names of our own."""
        spec = self.draft.dataset.by_name.get(table)
        if spec is None:
            raise Unsupported(f"table {'.'.join(table)} with the weights is not published", ASK, None)
        check_explained(self.draft, spec)
        select = pg.SelectStmt()
        select.ParseFromString(visible_select(spec, self.draft))
        del select.target_list[:]
        select.from_clause.add().range_var.CopyFrom(
            pg.RangeVar(schemaname=table[0], relname=table[1], inh=True, relpersistence="p", location=-1)
        )
        names_ = [self.new_name() for _ in columns]
        for name, column in zip(names_, columns, strict=True):
            select.target_list.append(target_node(column_node(column), name))
        return select, names_


ASK: Final = "Ask an administrator to correct the dataset's survey design."


class Weight(NamedTuple):
    """An expression: float8 above 0, or NULL where the row is out of the base; not scaled.

    `nobody`: the row is of no unit. `plain`: the column, where rows whose weight is not valid are still to be left out.
    `is_valid`: they are. `clusters`: its stratum and PSU, where these were joined with it.
    """

    node: pg.Node
    nobody: pg.Node | None
    plain: pg.Node | None = None
    is_valid: bool = False
    clusters: Clusters | None = None


def kinds_of(unit: Unit) -> tuple[str, ...]:
    """What tells a unit's place in its sample."""
    columns = {"stratum": unit.stratum, "psu": unit.psu}
    is_known = unit.psus and unit.period_weights is None
    return tuple(kind for kind, column in columns.items() if column) if is_known else ()


def clusters_of(unit: Unit, values: Sequence[pg.Node]) -> Clusters:
    """Given what `kinds_of` names."""
    found = dict(zip(kinds_of(unit), values, strict=False))
    return Clusters(found.get("stratum", fill("''::pg_catalog.text")), found.get("psu"), unit.psus)


def weight_of(carried: pg.Node, kind: str, nobody: pg.Node | None) -> Weight:
    return Weight(fill(FLOAT, carried), nobody, carried) if kind == "plain_weight" else Weight(carried, nobody)


def valid(weight: pg.Node) -> list[pg.Node]:
    """A weight is a number above 0: not NULL, NaN (which PostgreSQL takes for the largest number) or infinite."""
    return [fill(condition, weight) for condition in VALID]


def valid_weight(unit: Unit) -> pg.Node:
    """The weight, NULL where it is none."""
    case = pg.CaseExpr(location=-1)
    when = case.args.add().case_when
    when.expr.CopyFrom(all_of(valid(column_node(unit.weight))))
    when.result.CopyFrom(fill(FLOAT, column_node(unit.weight)))
    return pg.Node(case_expr=case)


def join_to_all(select: pg.SelectStmt, item: pg.RangeSubselect, condition: pg.Node) -> None:
    """LEFT JOIN to everything that stands in FROM."""
    left = pg.Node()
    left.CopyFrom(select.from_clause[0])
    for other in select.from_clause[1:]:
        left = pg.Node(join_expr=pg.JoinExpr(jointype=pg.JOIN_INNER, larg=left, rarg=other))
    right = pg.Node(range_subselect=item)
    join = pg.JoinExpr(jointype=pg.JOIN_LEFT, larg=left, rarg=right, quals=condition)
    del select.from_clause[:]
    select.from_clause.add().join_expr.CopyFrom(join)
