"""What is to be done with each aggregate of a SELECT over the population. Pure: it looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.design import LEVELS
from querying.sql.walk import names, unwrap
from querying.sql.weights.estimators import ESTIMATED
from querying.sql.weights.grain import Fact, Kind, combine_facts
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.resolve import Resolved, Resolver
from querying.sql.weights.shapes import is_aggregate
from querying.sql.weights.sources import computed, own_nodes

# Their value is one of the values, or all of them: nothing to weight.
NEVER_WEIGHTED: Final = frozenset(
    {
        "any_value",
        "array_agg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "every",
        "json_agg",
        "json_agg_strict",
        "json_object_agg",
        "json_object_agg_strict",
        "json_object_agg_unique",
        "json_object_agg_unique_strict",
        "jsonb_agg",
        "jsonb_agg_strict",
        "jsonb_object_agg",
        "jsonb_object_agg_strict",
        "jsonb_object_agg_unique",
        "jsonb_object_agg_unique_strict",
        "max",
        "min",
        "range_agg",
        "range_intersect_agg",
        "string_agg",
        "xmlagg",
    }
)
KEEPS_APART: Final = frozenset({"bigint", "int8", "numeric", "text", "uuid", "varchar"})
JOINS_TEXTS: Final = frozenset({"concat", "concat_ws", "format"})


class Way(Enum):
    """How an aggregate is treated."""

    LEAVE = "leave"  # never weighted
    DISTINCT = "distinct"  # distinct values seen in the sample
    BY_QUERY = "by query"  # the caller has put the weight into it
    ABOUT = "about"  # COUNT(weight): a question about the weights, unless the statement asks for estimates, too
    ROWS = "rows"  # every row is weighted
    ONCE = "once"  # a value of the person, each person once
    UNITS = "units"  # COUNT(DISTINCT key) where each row is one
    REACH = "reach"  # COUNT(DISTINCT key) where a person has many rows
    PAIRS = "pairs"  # COUNT(DISTINCT (key, x))

    @property
    def weighs(self) -> bool:
        return self in (Way.ROWS, Way.ONCE, Way.UNITS, Way.REACH, Way.PAIRS)

    @property
    def is_once(self) -> bool:
        return self in (Way.ONCE, Way.REACH, Way.PAIRS)


@dataclass(frozen=True)
class Treatment:
    """One aggregate call: the node that holds it, what is done with it, and with which unit's weight."""

    node: pg.Node
    way: Way
    unit: int = -1
    keys: tuple[pg.Node, ...] = ()  # parts of the key in COUNT(DISTINCT ...): where one is NULL, it is nobody
    others: tuple[pg.Node, ...] = ()  # and the parts beside it

    @property
    def call(self) -> pg.FuncCall:
        return self.node.func_call

    def as_estimate(self) -> Treatment:
        """Beside estimates a count of weights is one, too."""
        return replace(self, way=Way.ROWS) if self.way is Way.ABOUT else self


def treatments(resolver: Resolver, resolved: Resolved) -> list[Treatment]:
    """Of each aggregate that this SELECT computes; raises `Unsupported` for one that nobody can weight."""
    return [
        treat(resolver, resolved, node) for node in own_nodes(*computed(resolved.scope.select)) if is_aggregate(node)
    ]


def treat(resolver: Resolver, resolved: Resolved, node: pg.Node) -> Treatment:
    name = names(node.func_call.funcname)[-1] if node.HasField("func_call") else "json"
    if name in NEVER_WEIGHTED or not node.HasField("func_call"):
        return Treatment(node, Way.LEAVE)
    joined, call = resolved.joined, node.func_call
    assert joined is not None
    assert joined.unit is not None
    if name not in ESTIMATED:
        what = f"{name}() compares with rows of the sample" if call.agg_within_group else f"{name}() is not modelled"
        raise Unsupported(what, "Use COUNT, SUM, AVG, percentiles, variances or correlations.", call)
    arguments = [*call.args, *(item.sort_by.node for item in call.agg_order)]
    if name != "count" and any(resolver.has_weight(argument, joined) for argument in arguments):
        return Treatment(node, Way.BY_QUERY)
    if any(names_row(argument) for argument in call.args) and not call.agg_distinct:
        raise Unsupported("COUNT of a whole row is not modelled", "Write COUNT(*) or COUNT(column).", call)
    if name == "count" and call.agg_distinct:
        return treat_distinct(resolver, resolved, node)
    if any(resolver.has_weight(argument, joined) for argument in arguments):
        return Treatment(node, Way.ABOUT, joined.unit)
    fact = combine_facts(resolver.fact_of(argument, joined) for argument in arguments)
    if joined.kind is Kind.EVENT:
        once = joined.unit in fact.fixed and not fact.constant and name != "count"
        if once and not (name == "sum" and is_indicator(call.args[0])):
            return Treatment(node, Way.ONCE, joined.unit)
    elif name == "sum" and not fact.constant:
        check_level(resolver, resolved, fact, call)
    return Treatment(node, Way.ROWS, joined.unit)


def check_level(resolver: Resolver, resolved: Resolved, fact: Fact, call: pg.FuncCall) -> None:
    """A household's income would be summed up once for each of its members."""
    joined = resolved.joined
    assert joined is not None
    assert joined.unit is not None
    units = resolver.design.units
    own = LEVELS.index(units[joined.unit].level)
    for unit in fact.fixed & joined.units:
        if LEVELS.index(units[unit].level) > own:
            level = units[unit].level
            raise Unsupported(
                f"the column is one of the {level}, and the rows are finer: it would be added up several times",
                f"Aggregate {level}s: SELECT sum(x) FROM (SELECT {', '.join(units[unit].key)}, max(column) AS x "
                f"FROM {units[unit].qualified_table} GROUP BY {', '.join(units[unit].key)}) AS t.",
                call,
            )


def names_row(node: pg.Node) -> bool:
    """`t.*`, and ROW(...): whether it is NULL is another question than whether all of it is."""
    if node.HasField("row_expr"):
        return True
    return bool(node.HasField("column_ref") and names(node.column_ref.fields)[-1] == "*")


def is_indicator(node: pg.Node) -> bool:
    """CASE WHEN ... THEN 1 ELSE 0 END and (condition)::int count rows."""
    value = unwrap(node)
    while isinstance(value, pg.TypeCast):
        value = unwrap(value.arg)
    if isinstance(value, pg.CaseExpr):
        results = [when.case_when.result for when in value.args]
        results += [value.defresult] if value.HasField("defresult") else []
        return all(is_constant(result) for result in results)
    return isinstance(value, pg.BoolExpr | pg.NullTest | pg.BooleanTest) or (
        isinstance(value, pg.A_Expr) and names(value.name)[-1] in ("<", "<=", "<>", "=", ">", ">=", "~~")
    )


def is_constant(node: pg.Node) -> bool:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    if node.HasField("a_expr") and not node.a_expr.HasField("lexpr"):
        node = node.a_expr.rexpr
    return bool(node.HasField("a_const"))


# ── COUNT(DISTINCT ...) ──────────────────────────────────────────────────────────────────────────────────────
def treat_distinct(resolver: Resolver, resolved: Resolved, node: pg.Node) -> Treatment:
    joined, call = resolved.joined, node.func_call
    assert joined is not None
    if len(call.args) != 1:
        return Treatment(node, Way.DISTINCT)
    found = identify(resolver, resolved, call.args[0])
    if found is None:
        return Treatment(node, Way.DISTINCT)
    unit, others = found
    keys = keys_in(resolver, resolved, call.args[0])
    if joined.kind is Kind.PERSON and unit == joined.unit:
        return Treatment(node, Way.UNITS, unit, keys)
    if not others:
        return Treatment(node, Way.REACH, unit, keys)
    beside = tuple(part for part in parts_of(call.args[0]) if not is_constant(part) and not is_among(part, keys))
    return Treatment(node, Way.PAIRS, unit, keys, beside)


def is_among(node: pg.Node, nodes: Sequence[pg.Node]) -> bool:
    return any(node is one for one in nodes)


def keys_in(resolver: Resolver, resolved: Resolved, node: pg.Node) -> tuple[pg.Node, ...]:
    """The parts of a row or of joined texts that are parts of a key."""
    joined, parts = resolved.joined, parts_of(node)
    assert joined is not None
    if len(parts) < 2:
        return ()
    return tuple(part for part in parts if not is_constant(part) and resolver.fact_of(part, joined).key is not None)


def identify(resolver: Resolver, resolved: Resolved, node: pg.Node) -> tuple[int, bool] | None:
    """The unit that the distinct values are those of, and whether something else tells them apart, too."""
    value = unwrap(node)
    if isinstance(value, pg.CaseExpr):
        results = [when.case_when.result for when in value.args]
        results += [value.defresult] if value.HasField("defresult") else []
        results = [result for result in results if not (result.HasField("a_const") and result.a_const.isnull)]
        found = {identify(resolver, resolved, result) for result in results}
        return found.pop() if len(found) == 1 else None
    if isinstance(value, pg.CoalesceExpr):
        found = {identify(resolver, resolved, argument) for argument in value.args}
        return found.pop() if len(found) == 1 else None
    if isinstance(value, pg.A_Expr) and value.kind == pg.AEXPR_NULLIF:
        return identify(resolver, resolved, value.lexpr)
    if isinstance(value, pg.FuncCall) and names(value.funcname)[-1] in ("md5", "sha256") and len(value.args) == 1:
        return identify(resolver, resolved, value.args[0])
    return identify_parts(resolver, resolved, parts_of(node))


def parts_of(node: pg.Node) -> list[pg.Node]:
    """What stands side by side in `(a, b)`, `a || '-' || b`, concat(a, b); casts taken off."""
    found: list[pg.Node] = []
    stack = [node]
    while stack:
        item = stack.pop()
        value = unwrap(item)
        if isinstance(value, pg.TypeCast) and names(value.type_name.names)[-1] in KEEPS_APART:
            stack.append(value.arg)
        elif isinstance(value, pg.RowExpr):
            stack.extend(value.args)
        elif isinstance(value, pg.A_Expr) and names(value.name)[-1] == "||":
            stack.extend([value.lexpr, value.rexpr])
        elif isinstance(value, pg.FuncCall) and names(value.funcname)[-1] in JOINS_TEXTS:
            stack.extend(value.args)
        else:
            found.append(item)
    return found


def identify_parts(resolver: Resolver, resolved: Resolved, parts: Sequence[pg.Node]) -> tuple[int, bool] | None:
    joined = resolved.joined
    assert joined is not None
    facts = [resolver.fact_of(part, joined) for part in parts if not is_constant(part)]
    keys = {fact.key for fact in facts if fact.key is not None}
    given = {resolver.fact_of(item, joined).key for item in resolved.groups} if not resolved.has_sets else set()
    units = [
        unit
        for unit in joined.units
        if any(key[0] == unit for key in keys)
        and all((unit, part) in keys | given for part in range(resolver.width(unit)))
    ]
    if not units:
        return None
    unit = next((unit for unit in units if unit == joined.unit), units[0])
    others = any(fact.key is None or (fact.key[0] != unit and unit not in fact.fixed) for fact in facts)
    return unit, others
