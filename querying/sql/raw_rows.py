"""Raw rows or aggregated ones, told from the tree. Pure.

Raw is a result without an aggregate, or one whose rows are unique on a key of a table or of a person. When in doubt
it is raw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec, TableSpec
from querying.sql.allowed_functions import AGGREGATES, ROW_SOURCES
from querying.sql.govern import grouped_item
from querying.sql.information_schema import CATALOGUE
from querying.sql.scopes import Origin, Reading, Relation, Scope, TableUse, WithQuery, origin_of
from querying.sql.walk import children, names, unwrap, walk

RAW, AGGREGATED = "raw", "aggregated"
VALUE_LINKS: Final = frozenset({pg.ARRAY_SUBLINK, pg.EXPR_SUBLINK})  # EXISTS and IN give a truth value only


def query_type_of(reading: Reading, dataset: DatasetSpec) -> str:
    """RAW or AGGREGATED, decided from the innermost SELECT outwards."""
    keys = Keys(
        tuple(key for use in reading.tables for key in keys_of(use.spec)) + person_keys(dataset),
        AGGREGATES | dataset.vocabulary.aggregates,
        ROW_SOURCES | dataset.vocabulary.row_sources,
    )
    raw: dict[Scope, bool] = {}
    for scope in reversed(reading.scopes):
        raw[scope] = is_raw(scope, raw, keys)
    return RAW if raw[reading.scopes[0]] else AGGREGATED


class Keys(NamedTuple):
    """What tells rows of people from groups: keys, and the names of functions that make the one of the other."""

    columns: tuple[frozenset[Origin], ...]
    aggregates: frozenset[str]
    row_sources: frozenset[str]


def keys_of(spec: TableSpec) -> list[frozenset[Origin]]:
    keys = (spec.primary_key, *spec.unique_keys)
    return [frozenset(Origin(spec.schema, spec.name, column) for column in key) for key in keys if key]


def person_keys(dataset: DatasetSpec) -> tuple[frozenset[Origin], ...]:
    return tuple(frozenset(Origin(*column) for column in key) for key in dataset.person_keys)


def is_raw(scope: Scope, raw: Mapping[Scope, bool], keys: Keys) -> bool:
    if scope.arms:
        return any(raw[arm] for arm in scope.arms)
    computed = own_messages(scope)
    if scope.select.HasField("having_clause") or any(is_aggregate(message, keys) for message in computed):
        return keeps_key(scope, keys) or any(is_row_source(message, keys) for message in computed)
    return any(gives_raw_rows(relation, raw) for relation in scope.relations) or looks_up_raw_rows(computed, raw)


def gives_raw_rows(relation: Relation, raw: Mapping[Scope, bool]) -> bool:
    source = relation.source
    if isinstance(source, WithQuery):
        source = source.query
    if isinstance(source, Scope):
        return raw.get(source, False)  # not there yet: a recursive query's own rows, decided by its other arm
    if isinstance(source, TableUse):
        return source.spec.kind != CATALOGUE  # which names its rows, not people
    return relation.item is not None and unpacks_values(relation.item)


def unpacks_values(item: Message) -> bool:
    """A function in FROM that may spread out collected values, as unnest(array_agg(x)) does."""
    calls = [message for message in walk(item) if isinstance(message, pg.FuncCall)]
    if isinstance(item, pg.RangeFunction) and {names(call.funcname)[-1] for call in calls[:1]} == {"generate_series"}:
        return False
    return any(isinstance(message, pg.ColumnRef | pg.SubLink) for message in walk(item))


def looks_up_raw_rows(computed: Sequence[Message], raw: Mapping[Scope, bool]) -> bool:
    """`SELECT (SELECT email FROM users OFFSET g LIMIT 1) FROM generate_series(1, 100) g`."""
    links = [message for message in computed if isinstance(message, pg.SubLink)]
    shown = [link.subselect.select_stmt for link in links if link.sub_link_type in VALUE_LINKS]
    return bool(shown) and any(raw[inner] for inner in raw if any(inner.select is select for select in shown))


def is_row_source(message: Message, keys: Keys) -> bool:
    """Among the outputs it multiplies rows, as in `SELECT unnest(array_agg(email)) FROM users`."""
    return isinstance(message, pg.FuncCall) and names(message.funcname)[-1] in keys.row_sources


def is_aggregate(message: Message, keys: Keys) -> bool:
    if isinstance(message, pg.FuncCall):
        return not message.HasField("over") and names(message.funcname)[-1] in keys.aggregates
    return isinstance(message, pg.JsonObjectAgg | pg.JsonArrayAgg) and not message.constructor.HasField("over")


def own_messages(scope: Scope) -> list[Message]:
    """What this SELECT itself computes for its output, without the sub-selects in it."""
    found: list[Message] = []
    stack: list[Message] = [*scope.select.target_list, *scope.select.sort_clause, scope.select.having_clause]
    while stack:
        message = unwrap(stack.pop())
        if message is not None and not isinstance(message, pg.SelectStmt):
            found.append(message)
            stack.extend(children(message))
    return found


def keeps_key(scope: Scope, keys: Keys) -> bool:
    """Whether GROUP BY holds a whole primary or unique key, also one that a join makes equal to it."""
    grouped = grouped_columns(scope)
    reached = with_equals(scope, grouped) if grouped and keys.columns else grouped
    return any(key <= reached for key in keys.columns)


def grouped_columns(scope: Scope) -> set[Origin]:
    found: set[Origin] = set()
    for node in plain_groups(scope):
        item = without_disguise(grouped_item(scope, without_disguise(node)))
        origin = origin_of(scope, names(item.column_ref.fields)) if item.HasField("column_ref") else None
        if origin is not None:
            found.add(origin)
    return found


def plain_groups(scope: Scope) -> Iterator[pg.Node]:
    """Items of GROUP BY, those inside grouping sets too."""
    stack = list(scope.select.group_clause)
    while stack:
        node = stack.pop()
        item = unwrap(node)
        if isinstance(item, pg.GroupingSet):
            stack.extend(item.content)
        elif isinstance(item, pg.RowExpr):
            stack.extend(item.args)
        else:
            yield node


def without_disguise(node: pg.Node) -> pg.Node:
    """The column under what keeps its values apart: `id::text`, `id + 0`, `'p' || id`, `md5(id)`, `coalesce(id, 0)`."""
    while True:
        value = unwrap(node)
        inner: list[pg.Node] = []
        if isinstance(value, pg.TypeCast | pg.CollateClause):
            inner = [value.arg]
        elif isinstance(value, pg.A_Expr) and names(value.name)[-1] in INJECTIVE_OPERATORS:
            inner = [value.lexpr, value.rexpr]
        elif isinstance(value, pg.CoalesceExpr) or (
            isinstance(value, pg.FuncCall) and names(value.funcname)[-1] in INJECTIVE_FUNCTIONS
        ):
            inner = list(value.args)
        inner = [one for one in inner if one.WhichOneof("node") not in (None, "a_const")]
        if len(inner) != 1:
            return node
        node = inner[0]


INJECTIVE_OPERATORS: Final = frozenset({"#", "*", "+", "-", "/", "||"})
INJECTIVE_FUNCTIONS: Final = frozenset(
    {
        "btrim",
        "concat",
        "concat_ws",
        "convert_to",
        "encode",
        "format",
        "hashint4",
        "hashint8",
        "hashtext",
        "lower",
        "lpad",
        "md5",
        "quote_ident",
        "quote_literal",
        "replace",
        "reverse",
        "rpad",
        "sha256",
        "sha512",
        "text",
        "to_hex",
        "to_json",
        "to_jsonb",
        "trim",
        "upper",
    }
)


def with_equals(scope: Scope, grouped: set[Origin]) -> set[Origin]:
    """The grouped columns and those that a join or filter makes equal to them."""
    pairs = list(equal_columns(scope))
    reached = set(grouped)
    size = 0
    while size != len(reached):
        size = len(reached)
        for left, right in pairs:
            if left in reached or right in reached:
                reached |= {left, right}
    return reached


def equal_columns(scope: Scope) -> Iterator[tuple[Origin, Origin]]:
    conditions = [join.quals for join in scope.joins] + [scope.select.where_clause]
    for message in (message for condition in conditions for message in walk(condition)):
        if isinstance(message, pg.A_Expr) and names(message.name)[-1:] == ("=",):
            sides = [
                origin_of(scope, names(side.column_ref.fields))
                for side in (message.lexpr, message.rexpr)
                if side.HasField("column_ref")
            ]
            if len(sides) == 2 and sides[0] and sides[1]:
                yield sides[0], sides[1]
    for name in {name for join in scope.joins for name in names(join.using_clause)}:
        same = [origin for item in scope.relations if (origin := item.columns.by_name.get(name))]
        yield from pairwise(same)
