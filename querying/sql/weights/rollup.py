"""One row per person first, then the estimates over persons: the cheapest way to a reach. Pure.

SELECT app, count(DISTINCT e.user_id) FROM events e, weights u WHERE u.k = e.user_id GROUP BY app
SELECT r.g, coalesce(sum(r.w) FILTER (WHERE r.p), 0)
FROM (SELECT app AS g, max(u.w) AS w, bool_or(e.user_id IS NOT NULL) AS p
      FROM events e, weights u WHERE u.k = e.user_id GROUP BY app, e.user_id) r GROUP BY r.g
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import combinations, islice
from typing import Final, Protocol

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.govern import grouped_item, target_node
from querying.sql.scopes import Scope
from querying.sql.shown import column_node, fill
from querying.sql.stars import output_name
from querying.sql.walk import LEAVES, children, unwrap
from querying.sql.weights.carrying import Carrier, Weight, clusters_of
from querying.sql.weights.clusters import Groups, give_evidence
from querying.sql.weights.estimators import counted, scaled
from querying.sql.weights.evidence import Piece, Sums, is_number
from querying.sql.weights.grain import Kind
from querying.sql.weights.nodes import add_condition, any_of
from querying.sql.weights.periods import Spell
from querying.sql.weights.pieces import is_not_null, is_null, name_of
from querying.sql.weights.resolve import Resolved, Resolver
from querying.sql.weights.sources import NOT_KNOWN, computed, own_nodes
from querying.sql.weights.splitting import Split, met_by, split, split_pairs, split_reach
from querying.sql.weights.treatment import Treatment, Way

HIGHEST: Final = "pg_catalog.max($1)"
MOST_SETS: Final = 64
MOST_IN_GROUPING: Final = 31  # arguments of GROUPING()


class Estimating(Protocol):
    """What a roll-up needs of the statement's rewriting."""

    resolver: Resolver
    carrier: Carrier

    def note_weight(self, unit: int, spell: Spell | None) -> None: ...
    def spell(self, resolved: Resolved, unit: int, *, once: bool) -> Spell | None: ...
    def keep_base(self, resolved: Resolved, weights: Sequence[Weight]) -> None: ...
    def output_name(self, resolved: Resolved) -> str: ...
    def gives_evidence(self, resolved: Resolved) -> bool: ...
    def plan_evidence(
        self,
        resolved: Resolved,
        pieces: Mapping[int, Piece],
        unit: int,
        *,
        can_nest: bool,
        sums_events: bool = False,
    ) -> Sums | None: ...


def roll_up(rewriting: Estimating, resolved: Resolved, found: Sequence[Treatment]) -> bool:
    """Rewrite the SELECT over one row per group and person; False, and nothing done, where that does not apply.

    Where the weight is not at hand it is joined to those rows: there are fewer of them than events.
    """
    resolver, carrier, joined = rewriting.resolver, rewriting.carrier, resolved.joined
    splits = splits_of(resolver, resolved, found, needed=rewriting.gives_evidence(resolved))
    if not splits or joined is None or joined.unit is None:
        return False
    groups = groups_of(resolver, carrier, resolved, {id(treatment.node) for treatment in found})
    if groups is None:
        return False
    select, alias, unit = resolved.scope.select, carrier.new_name(), joined.unit
    spells = {rewriting.spell(resolved, unit, once=each.way.is_once) for each in found if each.way.weighs}
    spell = next(iter(spells))
    if len(spells) > 1 or (spell is not None and spell.by_row and unit not in resolved.pinned):
        return False  # rows of one person have different weights
    rewriting.note_weight(unit, spell)
    if spell is None:
        weight = carrier.direct_weight(resolved, unit, may_filter=True)
    else:
        weight = carrier.weight(resolved, unit, spell, may_filter=True)
    if weight is not None:
        rewriting.keep_base(resolved, [weight])
    else:
        splits = [
            SURE_REACH if is_sure_reach(resolver, resolved, treatment) else part
            for treatment, part in zip(found, splits, strict=True)
        ]
    keys = {carrier.new_name(): key for key in carrier.keys(resolved, unit)}
    outer_join = not carrier.sure(resolved, unit)
    weight_name = carrier.new_name()
    given = {weight_name: fill(HIGHEST, weight.node)} if weight is not None else dict(keys)
    wants_place = weight is not None and rewriting.gives_evidence(resolved)
    in_sample = carrier.places_in_sample(resolved, unit) if wants_place else []
    place = {carrier.new_name(): fill(HIGHEST, node) for node in in_sample}
    parts = [[carrier.new_name() for _ in part.inner] for part in splits]
    inner = inner_select(select, groups, keys, {**given, **place})
    for names, part in zip(parts, splits, strict=True):
        inner.target_list.extend(target_node(node, name) for name, node in zip(names, part.inner, strict=True))
    pieces = pieces_of(resolver, alias, found, splits, parts)
    sums_events = any(treatment.way is Way.ROWS for treatment in found)
    sums = rewriting.plan_evidence(resolved, pieces, unit, can_nest=len(pieces) == len(found), sums_events=sums_events)
    for target in select.target_list:
        target.res_target.name = target.res_target.name or output_name(target.res_target.val)[0]
    groups = groups.within(alias)
    put_inside(select, inner, alias, groups.clause)
    registered = carrier.unit(unit)
    clusters = None
    if weight is not None:
        person_weight = column_node(alias, weight_name)
        if place:
            clusters = clusters_of(registered, [column_node(alias, name) for name in place])
    else:
        wanted = [column_node(alias, name) for name in keys]
        joined_weight = carrier.join_weights(select, unit, wanted, spell=None, outer=outer_join)
        person_weight, clusters = joined_weight.node, joined_weight.clusters
        if outer_join:
            add_condition(select, any_of([is_not_null(person_weight), is_null(wanted[0])]))
    for treatment, part, names in zip(found, splits, parts, strict=True):
        value = part.outer(tuple(column_node(alias, name) for name in names), person_weight)
        treatment.node.CopyFrom(scaled(value, treatment.call, registered.scale) if treatment.way.weighs else value)
    if sums is not None:
        name = rewriting.output_name(resolved)
        nested = give_evidence(select, sums, person_weight, clusters, groups, name=name, new_name=carrier.new_name)
        groups = nested or groups
    groups.finish(select)
    return True


def pieces_of(
    resolver: Resolver,
    alias: str,
    found: Sequence[Treatment],
    splits: Sequence[Split],
    parts: Sequence[Sequence[str]],
) -> dict[int, Piece]:
    """What each estimate rests on, by the node that is to be replaced."""
    pieces = {}
    for treatment, part, names in zip(found, splits, parts, strict=True):
        if part.piece is None or not treatment.way.weighs:
            continue
        is_sum = name_of(treatment.call) != "count" or treatment.way is Way.ONCE
        if is_sum and not all(is_number(resolver, argument) for argument in treatment.call.args):
            continue
        pieces[id(treatment.node)] = part.piece([column_node(alias, name) for name in names])
    return pieces


def inner_select(
    select: pg.SelectStmt, groups: Groups, keys: Mapping[str, pg.Node], given: Mapping[str, pg.Node]
) -> pg.SelectStmt:
    """One row per group and person, out of what the SELECT reads."""
    inner = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    inner.from_clause.extend(select.from_clause)
    if select.HasField("where_clause"):
        inner.where_clause.CopyFrom(select.where_clause)
    inner.target_list.extend(target_node(node, name) for name, node in (*groups.items.items(), *given.items()))
    inner.group_clause.extend([*groups.clause, *keys.values()])
    return inner


def put_inside(select: pg.SelectStmt, inner: pg.SelectStmt, alias: str, groups: Sequence[pg.Node]) -> None:
    select.ClearField("where_clause")
    del select.from_clause[:]
    del select.group_clause[:]
    item = select.from_clause.add().range_subselect
    item.alias.aliasname = alias
    item.subquery.select_stmt.CopyFrom(inner)
    select.group_clause.extend(groups)


# ── whether it applies ───────────────────────────────────────────────────────────────────────────────────────
def splits_of(resolver: Resolver, resolved: Resolved, found: Sequence[Treatment], *, needed: bool) -> list[Split]:
    """The two halves of every aggregate, none where one of them has no halves, or they are not `needed`."""
    joined, select = resolved.joined, resolved.scope.select
    assert joined is not None
    units = {treatment.unit for treatment in found if treatment.way.weighs}
    if joined.kind is not Kind.EVENT or units != {joined.unit} or select.distinct_clause:
        return []
    if not needed and not any(treatment.way.is_once for treatment in found):
        return []
    splits = [part for treatment in found if (part := split_of(treatment)) is not None]
    return splits if len(splits) == len(found) else []


def split_of(treatment: Treatment) -> Split | None:
    if treatment.way is Way.REACH:
        return split_reach(treatment.call, treatment.keys)
    if treatment.way is Way.PAIRS:
        return split_pairs(treatment.call, treatment.others, treatment.keys)
    if treatment.way in (Way.LEAVE, Way.ONCE, Way.ROWS) and treatment.node.HasField("func_call"):
        return split(treatment.call, once=treatment.way is Way.ONCE)
    return None


def is_sure_reach(resolver: Resolver, resolved: Resolved, treatment: Treatment) -> bool:
    """COUNT(DISTINCT key) of the only key here, by which the weights are joined: every row joined has one."""
    call, joined = treatment.call, resolved.joined
    assert joined is not None
    assert joined.unit is not None
    if treatment.way is not Way.REACH or call.HasField("agg_filter") or not call.args[0].HasField("column_ref"):
        return False
    places = joined.holders(joined.unit)
    source = resolver.sources.of(call.args[0].column_ref)
    if len(places) != 1 or source.scope is not resolved.scope or places[0] in joined.nullable:
        return False
    if source.relation is not resolved.scope.relations[places[0]] or resolver.width(joined.unit) != 1:
        return False
    fact = resolver.fact_of(call.args[0], joined)
    return fact.key == (joined.unit, 0) and fact.raw and not fact.doubtful


SURE_REACH: Final = Split((), lambda _, weight: counted(weight, None), lambda _: met_by(None))


def groups_of(resolver: Resolver, carrier: Carrier, resolved: Resolved, nodes: Set[int]) -> Groups | None:
    """The groups of a SELECT as those of a sub-select; None where they, or its outputs (but `nodes`), cannot be."""
    scope = resolved.scope
    distinct = {resolver.canonical(scope, item): item for item in resolved.groups}
    clause: list[pg.Node] = list(resolved.groups)
    calls: list[pg.Node] = []
    with_empty = False
    if resolved.has_sets:
        expanded = sets_of(resolver, scope)
        if len(set(expanded)) != len(expanded) or len(expanded) > MOST_SETS or len(distinct) > MOST_IN_GROUPING:
            return None
        if scope.select.group_distinct:
            return None
        clause, with_empty = spelled_out(scope), frozenset() in expanded
        calls = [node for node in own_nodes(*computed(scope.select)) if node.HasField("grouping_func")]
    elif len(distinct) != len(resolved.groups):
        return None
    items = {text: carrier.new_name() for text in distinct}
    sets = {carrier.new_name(): call for call in calls}
    names_of_sets = dict(zip((id(call) for call in calls), sets, strict=True))
    places = plan_places(resolver, resolved, items, nodes, names_of_sets)
    if places is None:
        return None
    if resolved.has_sets:  # which of the sets a row is of
        sets[carrier.new_name()] = pg.Node(grouping_func=pg.GroupingFunc(args=list(distinct.values()), location=-1))
    nodes_by_name = {name: distinct[text] for text, name in items.items()}
    copies = {name: pg.Node.FromString(call.SerializeToString()) for name, call in sets.items()}
    of_nothing = {name: 2 ** len(call.grouping_func.args) - 1 for name, call in sets.items() if with_empty}
    return Groups(clause, {**nodes_by_name, **copies}, places, of_nothing)


def sets_of(resolver: Resolver, scope: Scope) -> list[frozenset[bytes]]:
    """What each grouping set of GROUP BY is grouped by; of very many sets not all."""
    found: list[frozenset[bytes]] = [frozenset()]
    for node in scope.select.group_clause:
        others = expand(resolver, scope, node)
        found = list(islice((one | other for one in found for other in others), MOST_SETS + 1))
    return found


def spelled_out(scope: Scope) -> list[pg.Node]:
    """GROUP BY without names of outputs and positions."""
    clause = []
    for node in scope.select.group_clause:
        copy = pg.Node.FromString(node.SerializeToString())
        spell_out(scope, node, copy)
        clause.append(copy)
    return clause


def expand(resolver: Resolver, scope: Scope, node: pg.Node) -> list[frozenset[bytes]]:
    """The grouping sets of one item of GROUP BY."""
    if not node.HasField("grouping_set"):
        parts = list(node.row_expr.args) if node.HasField("row_expr") else [node]
        return [frozenset(resolver.canonical(scope, grouped_item(scope, part)) for part in parts)]
    kind, content = node.grouping_set.kind, node.grouping_set.content
    if kind == pg.GROUPING_SET_SETS:
        return list(islice((one for part in content for one in expand(resolver, scope, part)), MOST_SETS + 1))
    parts_of = [expand(resolver, scope, part)[0] for part in content if part.WhichOneof("node")]
    if kind == pg.GROUPING_SET_ROLLUP:
        return [frozenset[bytes]().union(*parts_of[:size]) for size in range(len(parts_of), -1, -1)]
    if kind == pg.GROUPING_SET_CUBE:
        chosen = (some for size in range(len(parts_of) + 1) for some in combinations(parts_of, size))
        return [frozenset[bytes]().union(*some) for some in islice(chosen, MOST_SETS + 1)]
    return [frozenset[bytes]().union(*parts_of)]


def spell_out(scope: Scope, node: pg.Node, copy: pg.Node) -> None:
    for field in ("grouping_set", "row_expr"):
        if node.HasField(field):
            inner = "content" if field == "grouping_set" else "args"
            for one, other in zip(
                getattr(getattr(node, field), inner), getattr(getattr(copy, field), inner), strict=True
            ):
                spell_out(scope, one, other)
            return
    copy.CopyFrom(grouped_item(scope, node))


def plan_places(
    resolver: Resolver, resolved: Resolved, groups: Mapping[bytes, str], nodes: Set[int], sets: Mapping[int, str]
) -> list[tuple[pg.Node, str]] | None:
    """Where a group's expression stands outside of aggregates; None where something else of the rows stands there."""
    select = resolved.scope.select
    outputs = {target.res_target.name or output_name(target.res_target.val)[0] for target in select.target_list}
    found: list[tuple[pg.Node, str]] = []
    stack: list[Message] = list(computed(select))
    while stack:
        message = stack.pop()
        value = unwrap(message)
        if value is None:
            continue
        if isinstance(message, pg.Node):
            if id(message) in nodes:
                continue
            if id(message) in sets:
                found.append((message, sets[id(message)]))
                continue
            name = None if isinstance(value, pg.A_Const) else groups.get(resolver.canonical(resolved.scope, message))
            if name is not None:
                found.append((message, name))
                continue
        if isinstance(value, pg.GroupingFunc):
            return None
        if isinstance(value, pg.SubLink):
            if any(value is link for link in resolved.correlated):
                return None
            continue
        if isinstance(value, pg.ColumnRef):
            source = resolver.sources.of(value)
            is_output = source == NOT_KNOWN and len(value.fields) == 1 and value.fields[0].string.sval in outputs
            if not is_output and (source == NOT_KNOWN or source.scope is resolved.scope):
                return None
        elif type(value) not in LEAVES:
            stack.extend(children(value))
    return found
