"""What each column reference of a statement means: a relation of some scope and its column. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.draft import RESERVED
from querying.sql.scopes import Reading, Relation, Scope, TableUse
from querying.sql.walk import LEAVES, children, names, unwrap, walk

WHOLE_ROW = "*"


class Source(NamedTuple):
    """A column of a relation; `relation` is None where it cannot be told, and the scope then unknown."""

    relation: Relation | None
    column: str
    scope: Scope | None


NOT_KNOWN = Source(None, "", None)


class Sources:
    """References by identity: look them up before any part of the tree is copied."""

    def __init__(self, reading: Reading) -> None:
        self._references = reading.references  # keeps the messages alive, so that their ids stay theirs
        self._found = {id(reference): find(reference, scope) for reference, scope in reading.references}

    def of(self, reference: pg.ColumnRef) -> Source:
        return self._found.get(id(reference), NOT_KNOWN)

    def within(self, node: Message) -> list[Source]:
        """Of all references that the caller wrote in an expression, those of its sub-selects too."""
        return [self._found[id(message)] for message in walk(node) if id(message) in self._found]


def find(reference: pg.ColumnRef, scope: Scope) -> Source:
    *qualifier, column = names(reference.fields)
    for level in scope.chain():
        if qualifier:
            named = [item for item in level.relations if item.name == qualifier[-1] and not item.hidden]
            if named:
                return Source(named[0], as_stored(named[0], column), level)
            continue
        holders = [item for item in level.relations if column in item.columns.by_name]
        if holders:
            return Source(holders[0], column, level)
        rows = [item for item in level.relations if item.name == column]
        if rows:
            return Source(rows[0], WHOLE_ROW, level)
        if not all(relation.columns.exact for relation in level.relations):
            return NOT_KNOWN
    return NOT_KNOWN


def as_stored(relation: Relation, column: str) -> str:
    """The column that stands behind a name that govern has put in a reference."""
    use = relation.source
    if column.startswith(RESERVED) and isinstance(use, TableUse):
        return next((stored for stored, reserved in use.carried.items() if reserved == column), column)
    return column


def own_nodes(*roots: Message) -> Iterator[pg.Node]:
    """Every node of these expressions, parents first, without what stands in sub-selects."""
    stack: list[Message] = list(reversed(roots))
    while stack:
        message = stack.pop()
        inner = unwrap(message)
        if inner is None or isinstance(inner, pg.SelectStmt):
            continue
        if isinstance(message, pg.Node):
            yield message
        if type(inner) not in LEAVES:
            stack.extend(children(inner))


def computed(select: pg.SelectStmt) -> list[pg.Node]:
    """What a SELECT computes for its output: outputs, order, HAVING, DISTINCT ON, windows."""
    roots = [*select.target_list, *select.sort_clause, *select.distinct_clause, *select.window_clause]
    return [*roots, select.having_clause] if select.HasField("having_clause") else roots
