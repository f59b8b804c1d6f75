"""What estimates rest on, passed on through SELECTs that only give them on or compute with them, row by row. Pure.

WITH m AS (SELECT app, count(*) AS n, [evidence] AS e FROM u GROUP BY app) SELECT app, n / 1000, m.e FROM m
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from postgast import pg_query_pb2 as pg

from querying.evidence import CellPlan, Estimated, EvidencePlan, Formula, Number, Operation
from querying.sql.carry import names_a_column
from querying.sql.govern import target_node
from querying.sql.scopes import Reading, Relation, Scope, WithQuery
from querying.sql.shown import column_node
from querying.sql.walk import names
from querying.sql.weights.evidence import (
    Leaf,
    cells_within,
    formula_over,
    is_sum_of_partition,
    text_of,
    totals_of,
    without_cast,
)
from querying.sql.weights.pieces import part, sql
from querying.sql.weights.resolve import Level, Resolver
from querying.sql.weights.shapes import is_aggregate, is_limited
from querying.sql.weights.sources import own_nodes
from querying.sql.weights.stars import written_out
from querying.suppression import SuppressionPlan

MOST_RELATIONS: Final = 4


@dataclass(frozen=True)
class Given:
    """What one SELECT says of its outputs, in its output `name`. `are_apart`: nobody is in two of its rows."""

    plan: EvidencePlan
    suppression: SuppressionPlan | None
    name: str
    are_apart: bool = False


class Read(NamedTuple):
    """A reference, kept so that its id stays its own, to an output of one of the relations."""

    node: pg.Node
    relation: int
    place: int


def source_of(relation: Relation) -> Scope | None:
    scope = relation.source.query if isinstance(relation.source, WithQuery) else relation.source
    return scope if isinstance(scope, Scope) else None


def givers(resolver: Resolver, reading: Reading, outermost: Sequence[Scope]) -> frozenset[Scope]:
    """The SELECTs that say what their estimates rest on, so that the outermost can: themselves, or those they read."""
    found: set[Scope] = set()
    stack = list(outermost)
    while stack:
        scope = stack.pop()
        if scope in found or scope.arms or scope.select.distinct_clause:
            continue
        if not any(scope is one for one in outermost) and not is_safe(reading, scope):
            continue
        resolved = resolver.resolve(scope)
        found.add(scope)
        if resolved.level is Level.ROWS and resolved.joined is not None and not resolved.joined.kind.has_unit:
            stack += [inner for inner in map(source_of, scope.relations) if inner is not None]
    return frozenset(found)


def is_safe(reading: Reading, giver: Scope) -> bool:
    """Whether one more output of it is seen nowhere: neither in a whole row nor in a `*` that cannot be written out."""
    for reference, scope in reading.references:
        parts = names(reference.fields)
        is_star = parts[-1] == "*"
        relations = scope.relations if parts == ("*",) else [scope.find(parts[-2] if is_star else parts[0])]
        if not is_star and (len(parts) > 1 or names_a_column(scope, parts[0])):
            continue
        if any(relation is not None and source_of(relation) is giver for relation in relations) and (
            not is_star
            or scope.merges_columns
            or any(item.hidden for item in scope.relations)
            or not any(target.res_target.val.column_ref is reference for target in scope.select.target_list)
        ):
            return False
    return True


def pass_on(resolver: Resolver, scope: Scope, given: Mapping[Scope, Given], name: str) -> Given | None:
    """Add the output to a SELECT whose relations say what they rest on; None where none of them does."""
    inner = [(relation, source_of(relation)) for relation in scope.relations]
    sources = [(relation, given[source]) for relation, source in inner if source is not None and source in given]
    if not sources or len(sources) > MOST_RELATIONS or not alike([one.plan for _, one in sources]):
        return None
    if any(is_aggregate(node) for target in scope.select.target_list for node in own_nodes(target)):
        return None
    plans = [one.plan for _, one in sources]
    columns = {
        (relation.name, column): (which, place)
        for which, (relation, _) in enumerate(sources)
        for place, (column, _) in enumerate(resolver.rows_of(relation).columns)
    }
    # each `*` is written out later, for all statements alike
    targets = [node for target in scope.select.target_list for node in written_out(scope, resolver, target)]
    outputs = [target.res_target.val for target in targets]
    found = [list(reads(resolver, scope, node, columns)) for node in outputs]
    are_apart = len(scope.relations) == 1 and sources[0][1].are_apart and not plans[0].clustered
    whole = WholeSums(plans[0]) if are_apart else None
    cells = [cell_of(node, reading, plans, whole) for node, reading in zip(outputs, found, strict=True)]
    if not any(cells):
        return None
    output = merged([relation.name for relation, _ in sources], sources)
    if whole is not None and whole.sums:
        scope.select.target_list.append(target_node(whole.added_to(output), name))
        plan = replace(whole.plan(), cells=tuple(cells))
        return Given(plan, suppression_of(scope, outputs, found, sources), name, are_apart)
    scope.select.target_list.append(target_node(output, name))
    plan = replace(
        plans[0],
        cells=tuple(cells),
        bases=sum(each.bases for each in plans),
        totals=sum(each.totals for each in plans),
        pairs=tuple(
            (k + first, m + first) for each, first in zip(plans, starts(plans), strict=True) for k, m in each.pairs
        ),
    )
    return Given(plan, suppression_of(scope, outputs, found, sources), name, are_apart)


def alike(plans: list[EvidencePlan]) -> bool:
    return len({(plan.persons, plan.scale, plan.thresholds, plan.clustered) for plan in plans}) == 1


def starts(plans: list[EvidencePlan]) -> list[int]:
    return [sum(each.totals for each in plans[:place]) for place in range(len(plans))]


# ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────
def reads(
    resolver: Resolver, scope: Scope, node: pg.Node, columns: Mapping[tuple[str, str], tuple[int, int]]
) -> Iterator[Read]:
    """Which outputs of which relation an output reads."""
    for inner in own_nodes(node):
        if not inner.HasField("column_ref"):
            continue
        source = resolver.sources.of(inner.column_ref)
        parts = names(inner.column_ref.fields)
        if source.relation is not None and source.scope is scope:
            place = columns.get((source.relation.name, source.column))
        else:
            place = columns.get((parts[0], parts[1])) if source.relation is None and len(parts) == 2 else None
        if place is not None:
            yield Read(inner, *place)


def cell_of(node: pg.Node, reading: list[Read], plans: list[EvidencePlan], whole: WholeSums | None) -> CellPlan | None:
    cells = {
        id(one.node): (one.relation, cell)
        for one in reading
        if (cell := plans[one.relation].cells[one.place]) is not None
    }
    within = cells_within(node, cells)
    if not within:
        return None
    which, cell = within[0]
    base = cell.base + sum(each.bases for each in plans[:which])
    if len({one for one, _ in within}) > 1:
        return CellPlan(base)  # how two relations' estimates go together is not known
    plan = plans[which]
    leaves: dict[int, Leaf] = {key: shifted(one.formula, 0) for key, (_, one) in cells.items()}
    # nodes are kept as long as they are known by their id
    windows = whole.of(node, leaves) if whole is not None else []
    formula = formula_over(node, {**leaves, **{id(window): one for window, one in windows}})
    used = sorted(totals_of(formula))
    if formula is None or not (whole.pair_up(used) if whole is not None else has_pairs(plan, used)):
        return CellPlan(base)
    return CellPlan(base, shifted(formula, starts(plans)[which]))


def has_pairs(plan: EvidencePlan, used: Sequence[int]) -> bool:
    return all((k, m) in plan.pairs for k in used for m in used if k <= m)


@dataclass
class WholeSums:
    """Sums of totals over rows of different persons, `sum(n) OVER (PARTITION BY ...)`, as further totals of a plan.

    The persons of a row are in both, so its total and such a sum go together like the total with itself.
    """

    inner: EvidencePlan
    sums: dict[tuple[int, bytes], pg.WindowDef] = field(default_factory=dict)  # by total and window
    pairs: dict[tuple[int, int], None] = field(default_factory=dict)

    def of(self, node: pg.Node, leaves: Mapping[int, Leaf]) -> list[tuple[pg.Node, Formula]]:
        """The sums that an output computes with; none where its windows differ."""
        windows = [one for one in own_nodes(node) if one.HasField("func_call") and is_sum_of_partition(one.func_call)]
        if len({text_of(one.func_call.over) for one in windows}) != 1:
            return []
        found: list[tuple[pg.Node, Formula]] = []
        for one in windows:
            total = leaves.get(id(without_cast(one.func_call.args[0])))
            if isinstance(total, Estimated):
                key = total.total, text_of(one.func_call.over)
                self.sums.setdefault(key, one.func_call.over)
                number = self.inner.totals + list(self.sums).index(key)
                found.append((one, Estimated(number, total.scale)))
        return found

    def within(self, total: int) -> int:
        """The total of a row that is summed up, or the total itself."""
        first = self.inner.totals
        return list(self.sums)[total - first][0] if total >= first else total

    def pair_up(self, used: Sequence[int]) -> bool:
        """Whether all pairs of these are known, which are noted then."""
        wanted = [(k, m) for k in used for m in used if k <= m]
        if any(self.place(k, m) is None for k, m in wanted):
            return False
        self.pairs.update(dict.fromkeys(pair for pair in wanted if pair not in self.inner.pairs))
        return True

    def place(self, one: int, other: int) -> int | None:
        """Where the row's own pair stands in the array, from 1."""
        k, m = sorted((self.within(one), self.within(other)))
        if (k, m) not in self.inner.pairs:
            return None
        return 3 * self.inner.bases + self.inner.totals + self.inner.pairs.index((k, m)) + 1

    def plan(self) -> EvidencePlan:
        return replace(self.inner, totals=self.inner.totals + len(self.sums), pairs=(*self.inner.pairs, *self.pairs))

    def added_to(self, array: pg.Node) -> pg.Node:
        split = 3 * self.inner.bases + self.inner.totals
        totals = [
            part("sum($1)", sql(f"($1::float8[])[{3 * self.inner.bases + total + 1}]", array), over=window)
            for (total, _), window in self.sums.items()
        ]
        pairs = []
        for one, other in self.pairs:
            value = sql(f"($1::float8[])[{self.place(one, other)}]", array)
            is_whole = min(one, other) >= self.inner.totals
            pairs.append(part("sum($1)", value, over=self.window(one)) if is_whole else value)
        first, rest = sql(f"($1::float8[])[1:{split}]", array), sql(f"($1::float8[])[{split + 1}:]", array)
        return sql("$1 || $2::float8[] || $3 || $4::float8[]", first, array_of(totals), rest, array_of(pairs))

    def window(self, total: int) -> pg.WindowDef:
        return list(self.sums.values())[total - self.inner.totals]


def array_of(values: Sequence[pg.Node]) -> pg.Node:
    return pg.Node(a_array_expr=pg.A_ArrayExpr(elements=values, location=-1))


def shifted(formula: Formula | None, by: int) -> Formula | None:
    """Of totals that stand so much further behind."""
    if isinstance(formula, Estimated):
        return replace(formula, total=formula.total + by)
    if isinstance(formula, Operation):
        left, right = shifted(formula.left, by), shifted(formula.right, by)
        assert left is not None
        assert right is not None
        return Operation(formula.sign, left, right)
    return formula if isinstance(formula, Number) else None


# ── the output ───────────────────────────────────────────────────────────────────────────────────────────────
def merged(relations: list[str], sources: list[tuple[Relation, Given]]) -> pg.Node:
    """The bases of all, the totals of all, the pairs of all; of a relation without a row NaN."""
    if len(sources) == 1:
        return column_node(relations[0], sources[0][1].name)
    parts: list[list[pg.Node]] = [[], [], []]
    for relation, (_, one) in zip(relations, sources, strict=True):
        plan = one.plan
        sizes = 3 * plan.bases, plan.totals, len(plan.pairs)
        given = sql(f"COALESCE($1, array_fill('NaN'::float8, ARRAY[{sum(sizes)}]))", column_node(relation, one.name))
        first = 1
        for found, size in zip(parts, sizes, strict=True):
            if size:
                found.append(sql(f"($1::float8[])[{first}:{first + size - 1}]", given))
            first += size
    every = [node for found in parts for node in found]
    joined = every[0]
    for node in every[1:]:
        joined = sql("array_cat($1, $2)", joined, node)
    return joined


# ── suppression ──────────────────────────────────────────────────────────────────────────────────────────────
def suppression_of(
    scope: Scope, outputs: list[pg.Node], found: list[list[Read]], sources: list[tuple[Relation, Given]]
) -> SuppressionPlan | None:
    inner = [one.suppression for _, one in sources]
    if any(one is None for one in inner):
        return None
    plans = [one for one in inner if one is not None]
    computed, across = [], []
    for node, reading in zip(outputs, found, strict=True):
        elsewhere = any(each.HasField("sub_link") or each.func_call.HasField("over") for each in own_nodes(node))
        is_computed = elsewhere or any(plans[one.relation].computed[one.place] for one in reading)
        computed.append(is_computed)
        # a row of one relation may stand beside several of another, and tell of them
        of_all = len(plans) > 1 or any(plans[one.relation].across[one.place] for one in reading)
        across.append(elsewhere or (is_computed and of_all))
    shown = tuple(
        place
        for place, (node, reading) in enumerate(zip(outputs, found, strict=True))
        if node.HasField("column_ref") and any(one.place in plans[one.relation].groups for one in reading)
    )
    is_whole = len(scope.relations) == 1 and not scope.select.HasField("where_clause") and not is_limited(scope)
    is_cut = not is_whole or any(each.is_cut for each in plans)
    return SuppressionPlan(tuple(computed), tuple(across), any(each.has_sets for each in plans), shown, is_cut)
