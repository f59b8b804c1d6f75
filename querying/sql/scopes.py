"""Which name means what: SELECTs, the relations of their FROM, the WITH queries in scope, columns and their origin.

PostgreSQL's own rules, read without recursion. Where something cannot be told from the tree (a function's columns,
a NATURAL JOIN ...) the columns are marked inexact, and nobody draws conclusions from them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from datasets.catalog import TableSpec
from querying.sql.walk import LEAVES, children, names, unwrap

FindTable = Callable[[pg.RangeVar], TableSpec]


class Origin(NamedTuple):
    """The table column that a value is a plain copy of."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True)
class Columns:
    """Names in order, each with its origin; `exact` when there are no others and the order is right."""

    pairs: tuple[tuple[str, Origin | None], ...]
    exact: bool

    @cached_property
    def by_name(self) -> Mapping[str, Origin | None]:
        return dict(self.pairs)

    def renamed(self, aliases: tuple[str, ...]) -> Columns:
        """Under `AS x(a, b)`: the first columns take those names."""
        if not aliases:
            return self
        if not self.exact or len(aliases) > len(self.pairs):
            return Columns((*((name, None) for name in aliases), *self.pairs), exact=False)
        renamed = ((alias, origin) for alias, (_, origin) in zip(aliases, self.pairs, strict=False))
        return Columns((*renamed, *self.pairs[len(aliases) :]), exact=True)


UNKNOWN: Final = Columns((), exact=False)
# Nodes for which PostgreSQL looks up a function, an operator or a cast.
RESOLVED: Final = frozenset({pg.A_Expr, pg.CaseExpr, pg.FuncCall, pg.SubLink, pg.TypeCast})
# PostgreSQL's own limit for one SELECT; `SELECT *, *` of itself again and again would fill the memory.
MAX_COLUMNS: Final = 1_664


def joined(parts: Iterable[Columns], *, exact: bool = True) -> Columns:
    """One after the other, as in a select list."""
    pairs: list[tuple[str, Origin | None]] = []
    for part in parts:
        if len(pairs) + len(part.pairs) > MAX_COLUMNS:
            return UNKNOWN
        pairs.extend(part.pairs)
        exact = exact and part.exact
    return Columns(tuple(pairs), exact)


@dataclass(eq=False)
class TableUse:
    """One reference to a stored table. `node` is the FROM item to replace: the table, or its TABLESAMPLE."""

    node: pg.Node
    table: pg.RangeVar
    spec: TableSpec
    scope: Scope
    place: int = 0  # among the statement's tables
    filters: list[pg.Node] = field(default_factory=list)  # conditions that go inside, over the table's own columns
    carried: dict[str, str] = field(default_factory=dict)  # columns carried under reserved names, which `*` never shows

    @cached_property
    def columns(self) -> Columns:
        key = self.spec.schema, self.spec.name
        return Columns(tuple((column.name, Origin(*key, column.name)) for column in self.spec.visible_columns), True)


@dataclass(eq=False)
class WithQuery:
    """One WITH query; `query` is None while it is not a SELECT."""

    node: pg.CommonTableExpr
    query: Scope | None = None

    @property
    def columns(self) -> Columns:
        if self.query is None or self.node.HasField("search_clause") or self.node.HasField("cycle_clause"):
            return UNKNOWN
        return self.query.columns.renamed(names(self.node.aliascolnames))


@dataclass(eq=False)
class Relation:
    """One item of a FROM clause: its name there ('' if it has none) and what it is made of.

    `source` is None for functions, JSON_TABLE and aliased joins. `hidden` relations stand inside an aliased join,
    whose name covers theirs.
    """

    name: str
    source: TableUse | WithQuery | Scope | None
    aliases: tuple[str, ...] = ()
    item: Message | None = None
    hidden: bool = False

    @property
    def columns(self) -> Columns:
        return UNKNOWN if self.source is None else self.source.columns.renamed(self.aliases)


@dataclass(eq=False)
class Scope:
    """One SELECT, or a set operation over its `arms`. Names not found here are looked for in `outer`."""

    select: pg.SelectStmt
    outer: Scope | None = None
    relations: list[Relation] = field(default_factory=list)
    arms: list[Scope] = field(default_factory=list)
    joins: list[pg.JoinExpr] = field(default_factory=list)
    columns: Columns = UNKNOWN

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def find(self, name: str) -> Relation | None:
        """The relation that a qualifier means: the nearest of that name."""
        return next(
            (item for scope in self.chain() for item in scope.relations if item.name == name and not item.hidden), None
        )

    @property
    def merges_columns(self) -> bool:
        """NATURAL and USING put the common columns first, once."""
        return any(join.is_natural or join.using_clause for join in self.joins)


@dataclass
class Reading:
    """A statement's names. A scope stands before those inside it, and a WITH query after all that may use it."""

    find_table: FindTable
    scopes: list[Scope] = field(default_factory=list)
    tables: list[TableUse] = field(default_factory=list)
    references: list[tuple[pg.ColumnRef, Scope]] = field(default_factory=list)
    expressions: list[tuple[Message, Scope]] = field(default_factory=list)  # what resolves names by types


Queries = Mapping[str, WithQuery]


# What is still to be read: a Scope to open, or a message with the scope in which its names are looked up.
Visit = tuple[Message | Scope, Scope | None, Queries]


def read_scopes(select: pg.SelectStmt, *, find_table: FindTable) -> Reading:
    """All names of a statement; `find_table` gives the table that a name means, or raises."""
    reading = Reading(find_table)
    stack: list[Visit] = [(Scope(select), None, {})]
    while stack:
        what, scope, queries = stack.pop()
        if isinstance(what, Scope):
            open_scope(reading, what, queries, stack)
            continue
        message = unwrap(what)
        kind = type(message)
        if kind is pg.ColumnRef and scope is not None:
            reading.references.append((message, scope))
        elif kind is pg.SelectStmt:
            open_scope(reading, Scope(message, scope), queries, stack)
        elif message is not None and kind not in LEAVES:
            if kind in RESOLVED and scope is not None:
                reading.expressions.append((message, scope))
            stack.extend([(child, scope, queries) for child in children(message)])
    return reading


def name_columns(reading: Reading) -> None:
    """Work out what each SELECT returns, from the innermost outwards."""
    for scope in reversed(reading.scopes):
        scope.columns = output_columns(scope)


def open_scope(reading: Reading, scope: Scope, queries: Queries, stack: list[Visit]) -> None:
    reading.scopes.append(scope)
    queries = open_with(scope, queries, stack)
    for descriptor, value in scope.select.ListFields():
        if descriptor.name == "from_clause":
            for node in value:
                open_from(reading, scope, node, queries, stack)
        elif descriptor.name in ("larg", "rarg"):
            arm = Scope(value, scope.outer)
            scope.arms.append(arm)
            stack.append((arm, None, queries))
        elif descriptor.message_type is not None and descriptor.name != "with_clause":
            inside = value if descriptor.is_repeated else (value,)
            stack.extend([(child, scope, queries) for child in inside])


def open_with(scope: Scope, queries: Queries, stack: list[Visit]) -> Queries:
    """The WITH queries that this SELECT may name. Plain ones see those before them, RECURSIVE ones all of them."""
    clause = scope.select.with_clause
    found = [WithQuery(node.common_table_expr) for node in clause.ctes]
    visible = dict(queries)
    if clause.recursive:
        visible |= {query.node.ctename: query for query in found}
    for query in found:
        if query.node.ctequery.HasField("select_stmt"):
            query.query = Scope(query.node.ctequery.select_stmt, scope.outer)
            stack.append((query.query, None, visible))
        if not clause.recursive:
            visible = {**visible, query.node.ctename: query}
    return visible


def open_from(reading: Reading, scope: Scope, root: pg.Node, queries: Queries, stack: list[Visit]) -> None:
    """Register one FROM item, joins taken apart without recursion."""
    pending = [(root, False)]
    while pending:
        node, hidden = pending.pop()
        item = unwrap(node)
        if isinstance(item, pg.JoinExpr):
            hidden = hidden or item.HasField("alias")
            pending += [(item.rarg, hidden), (item.larg, hidden)]
            open_join(scope, item, queries, stack)
        elif item is not None:
            relation = open_item(reading, scope, node, queries, stack)
            relation.hidden, relation.item = hidden, item
            scope.relations.append(relation)


def open_join(scope: Scope, join: pg.JoinExpr, queries: Queries, stack: list[Visit]) -> None:
    scope.joins.append(join)
    scope.relations += [
        Relation(alias.aliasname, None) for alias in (join.alias, join.join_using_alias) if alias.aliasname
    ]
    if join.HasField("quals"):
        stack.append((join.quals, scope, queries))


def open_item(reading: Reading, scope: Scope, node: pg.Node, queries: Queries, stack: list[Visit]) -> Relation:
    item = unwrap(node)
    if isinstance(item, pg.RangeVar):
        return open_table(reading, scope, node, item, queries)
    if isinstance(item, pg.RangeTableSample) and item.relation.HasField("range_var"):
        stack.extend([(argument, scope, queries) for argument in (*item.args, item.repeatable)])
        return open_table(reading, scope, node, item.relation.range_var, queries)
    alias = item.alias
    if isinstance(item, pg.RangeSubselect) and item.subquery.HasField("select_stmt"):
        query = Scope(item.subquery.select_stmt, scope if item.lateral else scope.outer)
        stack.append((query, None, queries))
        return Relation(alias.aliasname, query, names(alias.colnames))
    stack.extend([(child, scope, queries) for child in children(item)])
    return Relation(alias.aliasname, None)


def open_table(reading: Reading, scope: Scope, node: pg.Node, table: pg.RangeVar, queries: Queries) -> Relation:
    name, aliases = table.alias.aliasname or table.relname, names(table.alias.colnames)
    if table.relname in queries and not table.schemaname and not table.catalogname:
        return Relation(name, queries[table.relname], aliases)
    use = TableUse(node, table, reading.find_table(table), scope, len(reading.tables))
    reading.tables.append(use)
    return Relation(name, use, aliases)


def output_columns(scope: Scope) -> Columns:
    """Names of the columns that a SELECT returns; those inside it have theirs already."""
    if scope.arms:
        return combined_columns(*(arm.columns for arm in scope.arms))
    if scope.select.values_lists:
        width = len(scope.select.values_lists[0].list.items)
        return Columns(tuple((f"column{index + 1}", None) for index in range(width)), exact=True)
    return joined(target_columns(scope, node.res_target) for node in scope.select.target_list)


def combined_columns(left: Columns, right: Columns) -> Columns:
    """A set operation: the left side's names; an origin stays where both sides have the same."""
    if not (left.exact and right.exact and len(left.pairs) == len(right.pairs)):
        return Columns(tuple((name, None) for name, _ in left.pairs), left.exact)
    both = zip(left.pairs, right.pairs, strict=True)
    return Columns(tuple((name, origin if origin == other else None) for (name, origin), (_, other) in both), True)


def target_columns(scope: Scope, target: pg.ResTarget) -> Columns:
    value = unwrap(target.val)
    if isinstance(value, pg.ColumnRef):
        parts = names(value.fields)
        if parts[-1] == "*":
            return star_columns(scope, parts[:-1])
        return Columns(((target.name or parts[-1], origin_of(scope, parts)),), exact=True)
    if target.name:
        return Columns(((target.name, None),), exact=True)
    if isinstance(value, pg.FuncCall):
        return Columns(((names(value.funcname)[-1], None),), exact=True)
    return UNKNOWN


def star_columns(scope: Scope, qualifier: tuple[str, ...]) -> Columns:
    if qualifier:
        relation = scope.find(qualifier[-1])
        return UNKNOWN if relation is None else relation.columns
    shown = (relation.columns for relation in scope.relations if not relation.hidden)
    return joined(shown, exact=not scope.merges_columns)


def origin_of(scope: Scope, parts: tuple[str, ...]) -> Origin | None:
    """The table column that a reference copies, where that can be told."""
    relation = relation_of(scope, parts)
    return None if relation is None else relation.columns.by_name.get(parts[-1])


def relation_of(scope: Scope, parts: tuple[str, ...]) -> Relation | None:
    """The FROM item that a reference names a column of, where that can be told."""
    *qualifier, column = parts
    if qualifier:
        return scope.find(qualifier[-1])
    for level in scope.chain():
        found = [item for item in level.relations if column in item.columns.by_name]
        if found or not all(relation.columns.exact for relation in level.relations):
            return found[0] if found else None
    return None
