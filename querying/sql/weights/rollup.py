"""One row per person first, then the estimates over persons: the cheapest way to a reach. Pure.

SELECT app, count(DISTINCT e.user_id) FROM events e, weights u WHERE u.k = e.user_id GROUP BY app
SELECT r.g, coalesce(sum(r.w) FILTER (WHERE r.p), 0)
FROM (SELECT app AS g, max(u.w) AS w, bool_or(e.user_id IS NOT NULL) AS p
      FROM events e, weights u WHERE u.k = e.user_id GROUP BY app, e.user_id) r GROUP BY r.g
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Final, Protocol

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.govern import target_node
from querying.sql.shown import column_node, fill
from querying.sql.stars import output_name
from querying.sql.walk import LEAVES, children, unwrap
from querying.sql.weights.carrying import Carrier, Weight
from querying.sql.weights.estimators import counted, scaled
from querying.sql.weights.evidence import OUTPUT, Piece, Sums, evidence_node, is_number
from querying.sql.weights.grain import Kind
from querying.sql.weights.nodes import add_condition, any_of
from querying.sql.weights.pieces import is_not_null, is_null, name_of
from querying.sql.weights.resolve import Resolved, Resolver
from querying.sql.weights.sources import NOT_KNOWN, computed
from querying.sql.weights.splitting import Split, met_by, split, split_pairs, split_reach
from querying.sql.weights.treatment import Treatment, Way

HIGHEST: Final = "pg_catalog.max($1)"


class Estimating(Protocol):
    """What a roll-up needs of the statement's rewriting."""

    resolver: Resolver
    carrier: Carrier

    def note_weight(self, unit: int, spell: None) -> None: ...
    def keep_base(self, resolved: Resolved, weights: Sequence[Weight]) -> None: ...
    def gives_evidence(self, resolved: Resolved) -> bool: ...
    def plan_evidence(self, resolved: Resolved, pieces: Mapping[int, Piece], unit: int) -> Sums | None: ...


def roll_up(rewriting: Estimating, resolved: Resolved, found: Sequence[Treatment]) -> bool:
    """Rewrite the SELECT over one row per group and person; False, and nothing done, where that does not apply.

    Where the weight is not at hand it is joined to those rows: there are fewer of them than events.
    """
    resolver, carrier, joined = rewriting.resolver, rewriting.carrier, resolved.joined
    splits = splits_of(resolver, resolved, found, needed=rewriting.gives_evidence(resolved))
    if not splits or joined is None or joined.unit is None:
        return False
    groups = {resolver.canonical(resolved.scope, item): carrier.new_name() for item in resolved.groups}
    replaced = plan_places(resolver, resolved, groups, {id(treatment.node) for treatment in found})
    if replaced is None:
        return False
    select, alias, unit = resolved.scope.select, carrier.new_name(), joined.unit
    rewriting.note_weight(unit, None)
    weight = carrier.direct_weight(resolved, unit, may_filter=True)
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
    given = {weight_name: fill(HIGHEST, weight.node)} if weight is not None else keys
    parts = [[carrier.new_name() for _ in part.inner] for part in splits]
    inner = inner_select(select, dict(zip(groups.values(), resolved.groups, strict=True)), keys, given)
    for names, part in zip(parts, splits, strict=True):
        inner.target_list.extend(target_node(node, name) for name, node in zip(names, part.inner, strict=True))
    sums = rewriting.plan_evidence(resolved, pieces_of(resolver, alias, found, splits, parts), unit)
    for target in select.target_list:
        target.res_target.name = target.res_target.name or output_name(target.res_target.val)[0]
    for node, name in replaced:
        node.CopyFrom(column_node(alias, name))
    put_inside(select, inner, alias, [column_node(alias, name) for name in groups.values()])
    if weight is not None:
        person_weight = column_node(alias, weight_name)
    else:
        wanted = [column_node(alias, name) for name in keys]
        person_weight = carrier.join_weights(select, unit, wanted, spell=None, outer=outer_join)
        if outer_join:
            add_condition(select, any_of([is_not_null(person_weight), is_null(wanted[0])]))
    for treatment, part, names in zip(found, splits, parts, strict=True):
        value = part.outer(tuple(column_node(alias, name) for name in names), person_weight)
        treatment.node.CopyFrom(
            scaled(value, treatment.call, resolver.design.units[unit].scale) if treatment.way.weighs else value
        )
    if sums is not None:
        select.target_list.append(target_node(evidence_node(sums, person_weight), OUTPUT))
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
    select: pg.SelectStmt, groups: Mapping[str, pg.Node], keys: Mapping[str, pg.Node], given: Mapping[str, pg.Node]
) -> pg.SelectStmt:
    """One row per group and person, out of what the SELECT reads."""
    inner = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    inner.from_clause.extend(select.from_clause)
    if select.HasField("where_clause"):
        inner.where_clause.CopyFrom(select.where_clause)
    inner.target_list.extend(target_node(node, name) for name, node in (*groups.items(), *given.items()))
    inner.group_clause.extend([*groups.values(), *keys.values()])
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
    if joined.kind is not Kind.EVENT or resolved.has_sets or units != {joined.unit} or select.distinct_clause:
        return []
    if not needed and not any(treatment.way.is_once for treatment in found):
        return []
    if any(unit.period_weights for unit in resolver.design.units):
        return []  # rows of one person may have different weights
    texts = [resolver.canonical(resolved.scope, item) for item in resolved.groups]
    if len(set(texts)) != len(texts):
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


def plan_places(
    resolver: Resolver, resolved: Resolved, groups: Mapping[bytes, str], nodes: Set[int]
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
