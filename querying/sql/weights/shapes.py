"""What a SELECT looks like: grouped, distinct, limited; which calls aggregate. Pure."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from querying.sql.allowed_functions import AGGREGATES
from querying.sql.scopes import Scope
from querying.sql.walk import names
from querying.sql.weights.sources import computed, own_nodes


def is_grouped(scope: Scope) -> bool:
    select = scope.select
    if select.group_clause or select.HasField("having_clause"):
        return True
    return any(is_aggregate(node) for node in own_nodes(*computed(select)))


def is_aggregate(node: pg.Node) -> bool:
    """An aggregate call, not as a window function."""
    if node.HasField("func_call"):
        call = node.func_call
        return not call.HasField("over") and (names(call.funcname)[-1] in AGGREGATES or call.agg_within_group)
    if node.HasField("json_object_agg"):
        return not node.json_object_agg.constructor.HasField("over")
    return node.HasField("json_array_agg") and not node.json_array_agg.constructor.HasField("over")


def is_distinct(scope: Scope) -> bool:
    """SELECT DISTINCT, not DISTINCT ON."""
    clause = scope.select.distinct_clause
    return bool(clause) and not any(node.WhichOneof("node") for node in clause)


def is_limited(scope: Scope) -> bool:
    return bool(scope.select.HasField("limit_count") or scope.select.HasField("limit_offset"))


def is_outside(scope: Scope | None, inner: Scope) -> bool:
    return scope is not None and scope is not inner and any(level is scope for level in inner.chain())
