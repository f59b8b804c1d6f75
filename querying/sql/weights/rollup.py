"""One row per person first, then the estimates over persons: the cheapest way to a reach. Pure.

SELECT app, count(DISTINCT e.user_id) FROM events e, weights u WHERE u.k = e.user_id GROUP BY app
SELECT r.g, coalesce(sum(r.w) FILTER (WHERE r.p), 0)
FROM (SELECT app AS g, max(u.w) AS w, bool_or(e.user_id IS NOT NULL) AS p
      FROM events e, weights u WHERE u.k = e.user_id GROUP BY app, e.user_id) r GROUP BY r.g
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.govern import target_node
from querying.sql.shown import column_node, fill
from querying.sql.stars import output_name
from querying.sql.walk import LEAVES, children, unwrap
from querying.sql.weights.carrying import Carrier, What
from querying.sql.weights.grain import Kind
from querying.sql.weights.resolve import Resolved, Resolver
from querying.sql.weights.sources import NOT_KNOWN, computed
from querying.sql.weights.splitting import Split, split, split_pairs, split_reach
from querying.sql.weights.treatment import Treatment, Way

HIGHEST: Final = "pg_catalog.max($1)"


def roll_up(
    resolver: Resolver, carrier: Carrier, resolved: Resolved, found: Sequence[Treatment], weight: pg.Node
) -> bool:
    """Rewrite the SELECT over one row per group and person; False, and nothing done, where that does not apply."""
    splits = splits_of(resolver, resolved, found)
    if not splits:
        return False
    groups = {resolver.canonical(resolved.scope, item): carrier.new_name() for item in resolved.groups}
    nodes = {id(treatment.node): place for place, treatment in enumerate(found)}
    replaced = plan_places(resolver, resolved, groups, nodes)
    if replaced is None:
        return False
    joined = resolved.joined
    assert joined is not None
    assert joined.unit is not None
    select, alias = resolved.scope.select, carrier.new_name()
    keys = [carrier.value(resolved, What("key", joined.unit, part)) for part in range(resolver.width(joined.unit))]
    inner, weight_name, parts = inner_select(carrier, select, groups, resolved.groups, keys, weight, splits)
    for target in select.target_list:
        target.res_target.name = target.res_target.name or output_name(target.res_target.val)[0]
    for node, name in replaced:
        node.CopyFrom(column_node(alias, name))
    person_weight = column_node(alias, weight_name)
    for treatment, part, given in zip(found, splits, parts, strict=True):
        treatment.node.CopyFrom(part.outer(tuple(column_node(alias, name) for name in given), person_weight))
    select.ClearField("where_clause")
    del select.from_clause[:]
    del select.group_clause[:]
    item = select.from_clause.add().range_subselect
    item.alias.aliasname = alias
    item.subquery.select_stmt.CopyFrom(inner)
    select.group_clause.extend([column_node(alias, name) for name in dict.fromkeys(groups.values())])
    return True


def inner_select(
    carrier: Carrier,
    select: pg.SelectStmt,
    groups: Mapping[bytes, str],
    items: Sequence[pg.Node],
    keys: Sequence[pg.Node],
    weight: pg.Node,
    splits: Sequence[Split],
) -> tuple[pg.SelectStmt, str, list[list[str]]]:
    """One row per group and person; its names for the weight and for the parts of each aggregate."""
    inner = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    inner.from_clause.extend(select.from_clause)
    if select.HasField("where_clause"):
        inner.where_clause.CopyFrom(select.where_clause)
    for item, name in zip(items, groups.values(), strict=True):
        inner.target_list.append(target_node(item, name))
    inner.group_clause.extend([*items, *keys])
    weight_name = carrier.new_name()
    inner.target_list.append(target_node(fill(HIGHEST, weight), weight_name))
    parts = []
    for part in splits:
        given = [carrier.new_name() for _ in part.inner]
        for name, node in zip(given, part.inner, strict=True):
            inner.target_list.append(target_node(node, name))
        parts.append(given)
    return inner, weight_name, parts


# ── whether it applies ───────────────────────────────────────────────────────────────────────────────────────
def splits_of(resolver: Resolver, resolved: Resolved, found: Sequence[Treatment]) -> list[Split]:
    """The two halves of every aggregate, none where one of them has no halves."""
    joined, select = resolved.joined, resolved.scope.select
    assert joined is not None
    units = {treatment.unit for treatment in found if treatment.way.weighs}
    if joined.kind is not Kind.EVENT or resolved.has_sets or units != {joined.unit} or select.distinct_clause:
        return []
    if not any(treatment.way.is_once for treatment in found):
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


def plan_places(
    resolver: Resolver, resolved: Resolved, groups: Mapping[bytes, str], nodes: Mapping[int, int]
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
