"""Estimates in the place of aggregates, one SELECT at a time; whatever else it says stays as it is. Pure.

SELECT gender, count(*) FROM users u GROUP BY gender
SELECT gender, coalesce(sum(u.w), 0) AS count FROM (SELECT ..., CASE ... END AS w FROM users) u
WHERE u.w IS NOT NULL GROUP BY gender
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.design import SUPPRESS, PeriodWeights
from querying.sql.govern import target_node
from querying.sql.scopes import Scope, TableUse
from querying.sql.stars import output_name
from querying.sql.walk import names
from querying.sql.weights.carrying import Carrier, Weight, valid
from querying.sql.weights.clusters import Groups, give_evidence, half_of, own_aggregates
from querying.sql.weights.estimators import count_units, estimate, estimate_window, reach, scaled
from querying.sql.weights.evidence import (
    OUTPUT,
    Piece,
    Sums,
    Total,
    Whole,
    is_number,
    piece_of_call,
    piece_of_units,
    plan_evidence,
    without_cast,
)
from querying.sql.weights.grain import Kind
from querying.sql.weights.joined import FULL, NO_KEY, PAIRS
from querying.sql.weights.moments import EVER
from querying.sql.weights.nodes import add_condition, all_of, any_of, scalar
from querying.sql.weights.passing import Given, pass_on
from querying.sql.weights.periods import Spell
from querying.sql.weights.pieces import is_not_null, sql
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.resolve import KEY_IN_SETS, Level, Resolved, Resolver
from querying.sql.weights.rollup import groups_of, roll_up
from querying.sql.weights.shapes import is_aggregate, is_limited
from querying.sql.weights.sources import computed, own_nodes
from querying.sql.weights.treatment import Treatment, Way
from querying.suppression import SuppressionPlan

CUTS_THE_SAMPLE: Final = frozenset({"cume_dist", "ntile", "percent_rank"})
NO_CUT: Final = (
    "Ask for the estimate without it; for the largest groups, aggregate first and put ORDER BY ... LIMIT outside."
)
PAIRS_HINT: Final = (
    "Which weight would a pair have? Count people with COUNT(DISTINCT key), the tables joined on the key; or aggregate "
    "each table by the key in a sub-select before joining."
)
PLAINER: Final = "Write it in a plainer form: aggregate by the key in a sub-select, and over people outside."
WAYS_OUT: Final = {
    FULL: "Aggregate each side by the key in a sub-select first, then join those.",
    KEY_IN_SETS: "Leave the key out of ROLLUP, CUBE and GROUPING SETS.",
    NO_KEY: "Join to rows that are unique: JOIN (SELECT code, max(label) AS label FROM t GROUP BY code) AS t ON ...",
    PAIRS: PAIRS_HINT,
}
VALUES_SEEN: Final = "COUNT(DISTINCT ...) of what is not a person counts values seen in the sample: not projected."
QUANTILES: Final = "Ask for weighted quantiles: percentile_disc(0.25) WITHIN GROUP (ORDER BY x)."
NAME_A_PERIOD: Final = (
    "Name one {every} in WHERE, or GROUP BY date_trunc('{every}', {date}). An administrator can set the design's "
    "period rule to mean or last."
)


@dataclass
class Rewriting:
    """One statement on its way; what was done is kept for the answer."""

    resolver: Resolver
    carrier: Carrier
    warnings: dict[str, None] = field(default_factory=dict)
    weights: dict[str, None] = field(default_factory=dict)  # columns used as weights
    estimated: bool = False
    outermost: Sequence[Scope] = ()  # whose rows are those of the answer
    givers: frozenset[Scope] = frozenset()  # SELECTs that say what their estimates rest on
    with_errors: bool = True
    error_rows: int = 0  # of a table of events, above which sums and means of them have no errors
    given: dict[Scope, Given] = field(default_factory=dict)  # and what they say
    output_names: dict[Scope, str] = field(default_factory=dict)
    wholes: dict[Scope, Whole] = field(default_factory=dict)  # sub-selects that count everybody

    def warn(self, warning: str) -> None:
        self.warnings.setdefault(warning)

    # ── what is refused ──────────────────────────────────────────────────────────────────────────────────────
    def check(self, resolved: Resolved, *, persons_only: bool = False) -> None:
        """Raise `Unsupported` where no estimate can be made of what this SELECT reads.

        Pairs of rows of one person are no obstacle where each person is counted once.
        """
        joined = resolved.joined
        assert joined is not None
        if joined.conflict and not (joined.conflict == PAIRS and joined.linked and persons_only):
            hint = WAYS_OUT.get(joined.conflict, PLAINER)
            raise Unsupported(f"no estimate can be made here: {joined.conflict}", hint, resolved.scope.select)
        cut = next((rows.cut for rows in joined.rows if rows.cut), "") or self.resolver.cut_by_filter(resolved.scope)
        if cut:
            raise Unsupported(f"no estimate can be made of these rows: {cut}", NO_CUT, resolved.scope.select)
        if any(node.WhichOneof("node") for node in resolved.scope.select.distinct_clause):
            what = "DISTINCT ON around aggregates is not modelled"
            raise Unsupported(what, "Write GROUP BY, and ORDER BY with LIMIT outside.", resolved.scope.select)

    # ── weights ──────────────────────────────────────────────────────────────────────────────────────────────
    def weight(self, resolved: Resolved, unit: int, spell: Spell | None, *, may_filter: bool = False) -> Weight:
        self.note_weight(unit, spell)
        return self.carrier.weight(resolved, unit, spell, may_filter=may_filter)

    def note_weight(self, unit: int, spell: Spell | None) -> None:
        registered = self.resolver.design.units[unit]
        weights = registered.period_weights if spell is not None else None
        table, column = (weights.table, weights.weight) if weights else (registered.table, registered.weight)
        self.weights.setdefault(".".join((*table, column)))

    def spell(self, resolved: Resolved, unit: int, *, once: bool) -> Spell | None:
        """Which of the weights by period are used: None where the unit has none, or the question no time."""
        registered = self.resolver.design.units[unit]
        weights, joined = registered.period_weights, resolved.joined
        assert joined is not None
        if weights is None:
            return None
        dated = [place for place, rows in enumerate(joined.rows) if unit in rows.dated]
        spread = (
            any(unit in rows.spread for rows in joined.rows)
            or len({joined.rows[p].spans.get(unit, EVER) for p in dated}) > 1
        )
        if dated and not spread and (not once or joined.kind is Kind.PERSON or unit in resolved.pinned):
            return Spell(weights.every)
        if not dated and not spread and registered.weight:
            return None
        if weights.rule == "refuse":
            raise Unsupported(
                f"weights hold for one {weights.every} each, and the question spans several or names none",
                NAME_A_PERIOD.format(every=weights.every, date=self.date_of(weights)),
                resolved.scope.select,
            )
        self.warn(f"Each person weighs the {weights.rule} of the {weights.every}ly weights that the question spans.")
        return Spell(weights.every, weights.rule, resolved.spans.get(unit, EVER))

    def date_of(self, weights: PeriodWeights) -> str:
        """The column that tells the period, of a table that the statement reads."""
        tables = [(use.spec.schema, use.spec.name) for use in self.resolver.reading.tables]
        read = [weights.dates[table] for table in tables if table in weights.dates]
        return next(iter([*read, *weights.dates.values()]), weights.period)

    # ── SELECTs over the population ──────────────────────────────────────────────────────────────────────────
    def population(self, resolved: Resolved, found: Sequence[Treatment]) -> None:
        weighed = [treatment for treatment in found if treatment.way.weighs]
        self.explain(resolved, found)
        if not weighed:
            return
        self.check(resolved, persons_only=all(treatment.way.is_once for treatment in weighed))
        keep_names(resolved.scope.select, [treatment.node for treatment in weighed])
        self.estimated = True
        if roll_up(self, resolved, found):
            return
        needs = [(each.unit, self.spell(resolved, each.unit, once=each.way.is_once)) for each in weighed]
        # where rows have two weights, a row may be of the base of one of them
        may_filter = len(set(needs)) == 1
        nodes = {id(treatment.node) for treatment in found}
        counts_everybody = self.counts_everybody(resolved, weighed)
        groups = groups_of(self.resolver, self.carrier, resolved, nodes) if may_filter else None
        weights = {need: self.weight(resolved, *need, may_filter=may_filter) for need in dict.fromkeys(needs)}
        self.keep_base(resolved, list(weights.values()))
        sums = self.sums_of_rows(resolved, weighed, groups) if may_filter else None
        weight = weights[needs[0]]
        clusters = self.carrier.clusters(resolved, weighed[0].unit, weight) if sums is not None else None
        for treatment, need in zip(weighed, needs, strict=True):
            value = self.estimate(resolved, treatment, weights[need].node)
            treatment.node.CopyFrom(scaled(value, treatment.call, self.resolver.design.units[treatment.unit].scale))
        if counts_everybody:
            registered = self.resolver.design.units[weighed[0].unit]
            self.wholes[resolved.scope] = whole_of(resolved.scope.select, weight.node, registered.scale)
        if sums is not None:
            select, nested = resolved.scope.select, clusters is not None
            name, new_name = self.output_name(resolved), self.carrier.new_name
            given = give_evidence(select, sums, weight.node, clusters, groups, name=name, new_name=new_name)
            if nested and given is not None and given is not groups:
                given.finish(select)

    def counts_everybody(self, resolved: Resolved, weighed: Sequence[Treatment]) -> bool:
        """Whether it is (SELECT count(*) FROM users): all persons, and nothing else."""
        scope, joined = resolved.scope, resolved.joined
        select = scope.select
        if scope.outer is None or joined is None or joined.kind is not Kind.PERSON or len(weighed) != 1:
            return False
        used = [relation.source for relation in scope.relations]
        if len(used) != 1 or not isinstance(used[0], TableUse) or used[0].spec.row_rule:
            return False
        unit, way = self.resolver.design.units[weighed[0].unit], weighed[0].way
        parts = {descriptor.name for descriptor, _ in select.ListFields()}
        return (
            (used[0].spec.schema, used[0].spec.name) == unit.table
            and not (unit.stratum or unit.psu or unit.period_weights)
            and parts <= {"target_list", "from_clause", "limit_option", "op"}
            and [without_cast(target.res_target.val) for target in select.target_list] == [weighed[0].node]
            and way is Way.ROWS
            and piece_of_call(weighed[0].call, is_number=False).total == Total()
        )

    def wholes_in(self, resolved: Resolved, unit: int) -> list[tuple[pg.Node, Whole]]:
        """Sub-selects in its outputs that count everybody."""
        found = []
        for node in own_nodes(*(target for target in resolved.scope.select.target_list)):
            link = node.sub_link
            if not node.HasField("sub_link") or link.sub_link_type != pg.EXPR_SUBLINK:
                continue
            scope = self.resolver.scope_of_select.get(id(link.subselect.select_stmt))
            inner = self.resolver.resolve(scope).joined if scope in self.wholes else None
            if scope is not None and inner is not None and inner.unit == unit:
                found.append((node, self.wholes[scope]))
        return found

    # ── what estimates rest on ───────────────────────────────────────────────────────────────────────────────────
    def gives_evidence(self, resolved: Resolved) -> bool:
        select = resolved.scope.select
        return resolved.scope in self.givers and not select.distinct_clause

    def output_name(self, resolved: Resolved) -> str:
        """Of what a SELECT says of its estimates."""
        if resolved.scope not in self.output_names:
            is_outermost = self.is_outermost(resolved.scope)
            self.output_names[resolved.scope] = OUTPUT if is_outermost else self.carrier.new_name()
        return self.output_names[resolved.scope]

    def pass_on(self, resolved: Resolved) -> None:
        """Let a SELECT that computes with estimates, row by row, say what its own outputs rest on."""
        if resolved.level is Level.ROWS and resolved.scope in self.givers:
            name = self.output_name(resolved)
            found = pass_on(self.resolver, resolved.scope, self.given, name)
            if found is not None:
                self.give(resolved.scope, found)

    def give(self, scope: Scope, found: Given) -> None:
        self.given[scope] = found
        if not self.is_outermost(scope):
            self.carrier.giving.add(scope)

    def is_outermost(self, scope: Scope) -> bool:
        return any(scope is one for one in self.outermost)

    def sums_of_rows(self, resolved: Resolved, weighed: Sequence[Treatment], groups: Groups | None) -> Sums | None:
        """Where each row is one person."""
        joined = resolved.joined
        assert joined is not None
        if joined.kind is not Kind.PERSON or joined.unit is None or joined.conflict or resolved.joined is None:
            return None
        if any(treatment.unit != joined.unit or treatment.way not in (Way.ROWS, Way.UNITS) for treatment in weighed):
            return None
        pieces = {
            id(treatment.node): piece_of_units(treatment.call, treatment.keys)
            if treatment.way is Way.UNITS
            else piece_of_call(
                treatment.call, is_number=all(is_number(self.resolver, value) for value in treatment.call.args)
            )
            for treatment in weighed
        }
        return self.plan_evidence(resolved, pieces, joined.unit, can_nest=groups is not None)

    def plan_evidence(
        self,
        resolved: Resolved,
        pieces: Mapping[int, Piece],
        unit: int,
        *,
        can_nest: bool,
        sums_events: bool = False,
    ) -> Sums | None:
        """`can_nest`: the SELECT's groups can be those of a sub-select, which errors of a clustered sample need."""
        if not self.gives_evidence(resolved):
            return None
        registered = self.resolver.design.units[unit]
        wholes = self.wholes_in(resolved, unit)
        clustered = bool(registered.stratum or registered.psu)
        known = not clustered or (
            can_nest
            and registered.period_weights is None
            and min(registered.psus.values(), default=0) > 1
            and all(piece.total is not None for piece in pieces.values())
            and all(half_of(node) or id(node) in pieces for node in own_aggregates(resolved.scope.select))
        )
        found = plan_evidence(
            [target.res_target.val for target in resolved.scope.select.target_list],
            pieces,
            persons=registered.units - registered.excluded,
            scale=registered.scale,
            with_errors=self.with_errors and known and not (sums_events and self.is_too_long(resolved)),
            clustered=clustered,
            all_pairs=not self.is_outermost(resolved.scope),
            are_apart=are_apart(resolved),
            wholes=wholes,
            thresholds=self.resolver.design.low_base,
        )
        if found is None:
            return None
        evidence, sums = found
        is_withheld = self.resolver.design.low_base.action == SUPPRESS
        suppression = plan_suppression(self.resolver, resolved) if is_withheld else None
        self.give(resolved.scope, Given(evidence, suppression, self.output_name(resolved), are_apart(resolved)))
        return sums

    def is_too_long(self, resolved: Resolved) -> bool:
        """Whether so many events are summed up that their errors would cost too much, which is said then."""
        read = self.resolver.reading.tables
        longest = max(read, key=lambda use: use.spec.row_estimate or 0)
        rows = longest.spec.row_estimate or 0
        if not self.with_errors or rows <= self.error_rows:
            return False
        self.warn(
            f"No standard errors: {longest.spec.name} has about {rows:,} rows, and errors of sums and means of events "
            f"are given up to {self.error_rows:,} (`error_rows`)."
        )
        return True

    def keep_base(self, resolved: Resolved, weights: Sequence[Weight]) -> None:
        """Rows without a valid weight are out of the base, unless an outer join made them for nobody."""
        if all(weight.is_valid for weight in weights):
            return  # joined to valid weights only
        if len(weights) == 1 and weights[0].plain is not None:
            add_condition(resolved.scope.select, all_of(valid(weights[0].plain)))
            return
        conditions: dict[bytes, pg.Node] = {}
        for weight in weights:
            for node in (is_not_null(weight.node), weight.nobody):
                if node is not None:
                    conditions.setdefault(node.SerializeToString(deterministic=True), node)
        add_condition(resolved.scope.select, any_of(conditions.values()))

    def estimate(self, resolved: Resolved, treatment: Treatment, weight: pg.Node) -> pg.Node:
        if treatment.way is Way.UNITS:
            return count_units(treatment.call, weight, treatment.keys)
        if treatment.way in (Way.REACH, Way.PAIRS):
            return reach(treatment.call, weight, treatment.keys)
        if treatment.way is Way.ONCE:
            return estimate(treatment.call, weight, person=self.carrier.keys(resolved, treatment.unit))
        return estimate(treatment.call, weight)

    def explain(self, resolved: Resolved, found: Sequence[Treatment]) -> None:
        joined = resolved.joined
        assert joined is not None
        for treatment in found:
            name = names(treatment.call.funcname)[-1] if treatment.node.HasField("func_call") else ""
            if treatment.way is Way.DISTINCT:
                self.warn(VALUES_SEEN)
            elif treatment.way is Way.ONCE:
                self.warn(f"{name.upper()} of a column of the {self.level(treatment.unit)} takes each of them once.")
            elif treatment.way is Way.ROWS and joined.kind is Kind.EVENT and is_count(treatment.call):
                self.warn(f"Counts of rows are projected events, not {self.level(treatment.unit)}s.")
        if any(treatment.way.is_once for treatment in found) and is_summed_up(resolved):
            self.warn("Persons in several groups are counted in each, so the sum over groups is more than the total.")

    def level(self, unit: int) -> str:
        return self.resolver.design.units[unit].level

    # ── SELECTs of rows ──────────────────────────────────────────────────────────────────────────────────────
    def windows(self, resolved: Resolved) -> list[pg.Node]:
        """Window functions over rows that add the sample up: they are to be weighted."""
        joined, select = resolved.joined, resolved.scope.select
        if joined is None or not joined.kind.has_unit or resolved.level not in (Level.ROWS, Level.UNIT):
            return []
        found = []
        for node in own_nodes(*computed(select)):
            call = node.func_call
            if not node.HasField("func_call") or not call.HasField("over"):
                continue
            name = names(call.funcname)[-1]
            within = self.resolver.is_within_unit(resolved.scope, joined, call.over)
            if name in CUTS_THE_SAMPLE and not within:
                what = f"{name.upper()} cuts the sample, not the population"
                raise Unsupported(
                    what, "Ask for weighted quantiles: percentile_disc(0.25) WITHIN GROUP (ORDER BY x).", call
                )
            if name in WINDOW_SUMS and not within:
                found.append(node)
        return found

    def rows(self, resolved: Resolved, windows: Sequence[pg.Node]) -> None:
        if not windows:
            return
        joined = resolved.joined
        assert joined is not None
        assert joined.unit is not None
        if resolved.level is Level.UNIT:
            what = "a window over persons' own results is not modelled"
            raise Unsupported(what, "Aggregate over a sub-select that groups by the key.", windows[0].func_call)
        self.check(resolved)
        keep_names(resolved.scope.select, windows)
        weight = self.weight(resolved, joined.unit, self.spell(resolved, joined.unit, once=False))
        for node in windows:
            value = estimate_window(node.func_call, weight.node, windows=resolved.scope.select.window_clause)
            node.CopyFrom(scaled(value, node.func_call, self.resolver.design.units[joined.unit].scale))
        self.estimated = True


def whole_of(select: pg.SelectStmt, weight: pg.Node, scale: float) -> Whole:
    """Of a SELECT that counts everybody, after it was weighted."""

    def sum_of(template: str) -> pg.Node:
        copy = pg.SelectStmt()
        copy.CopyFrom(select)
        del copy.target_list[:]
        copy.target_list.append(target_node(sql(template, weight), "total"))
        return scalar(copy)

    return Whole(sum_of("sum($1)"), sum_of("sum($1 * $1)"), scale)


def are_apart(resolved: Resolved) -> bool:
    """Whether nobody is in two of its groups."""
    return resolved.joined is not None and resolved.joined.kind is Kind.PERSON and not resolved.has_sets


def plan_suppression(resolver: Resolver, resolved: Resolved) -> SuppressionPlan:
    """Of the outputs as the caller wrote them."""
    outputs = [target.res_target.val for target in resolved.scope.select.target_list]
    items = {resolver.canonical(resolved.scope, item) for item in resolved.groups}
    across = [
        any(inner.HasField("sub_link") or inner.func_call.HasField("over") for inner in own_nodes(node))
        for node in outputs
    ]
    computed_ = [
        gone or any(is_aggregate(inner) for inner in own_nodes(node))
        for gone, node in zip(across, outputs, strict=True)
    ]
    groups = [place for place, node in enumerate(outputs) if resolver.canonical(resolved.scope, node) in items]
    is_cut = is_limited(resolved.scope)
    return SuppressionPlan(tuple(computed_), tuple(across), resolved.has_sets, tuple(groups), is_cut)


WINDOW_SUMS: Final = frozenset(
    {"avg", "corr", "count", "covar_pop", "covar_samp", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop"}
    | {"var_samp", "variance"}
)


def is_count(call: pg.FuncCall) -> bool:
    return names(call.funcname)[-1] == "count" or (
        names(call.funcname)[-1] == "sum" and len(call.args) == 1 and call.args[0].HasField("a_const")
    )


def is_summed_up(resolved: Resolved) -> bool:
    return any(
        node.HasField("func_call") and node.func_call.HasField("over") and names(node.func_call.funcname)[-1] == "sum"
        for node in own_nodes(*computed(resolved.scope.select))
    )


def keep_names(select: pg.SelectStmt, changed: Sequence[pg.Node]) -> None:
    """Outputs keep the names that PostgreSQL gives them as the caller wrote them."""
    for target in select.target_list:
        value = target.res_target.val
        if not target.res_target.name and any(node is one for one in changed for node in own_nodes(value)):
            target.res_target.name = output_name(value)[0]
