"""What the names in a combine statement mean, by PostgreSQL's rules, before DuckDB could take them otherwise. Pure.

ORDER BY looks for an output of that name first, GROUP BY for a column first; both are then printed as the output's
place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import SqlInvalid
from datasets.catalog import DatasetSpec
from querying.sql.labels import columns_hint
from querying.sql.parse import Statement
from querying.sql.refusals import not_found, refusal
from querying.sql.scopes import Reading, Scope
from querying.sql.tables import nearest
from querying.sql.value_types import type_of
from querying.sql.walk import names


@dataclass
class Names:
    """Messages are known by their identity, which `reading` and `kept` keep alive."""

    statement: Statement
    dataset: DatasetSpec
    reading: Reading
    positions: dict[int, int] = field(default_factory=dict)  # items of ORDER BY and GROUP BY that name an output
    scopes: dict[int, Scope] = field(default_factory=dict)  # of references and of what resolves types
    labels: set[int] = field(default_factory=set)  # FROM items that are labels, not WITH queries
    kept: list[Message] = field(default_factory=list)

    def type_of(self, node: pg.Node, parent: Message) -> str:
        scope = self.scopes.get(id(node.column_ref) if node.HasField("column_ref") else id(parent))
        return "" if scope is None else type_of(node, scope, self.dataset)

    def place_of(self, node: pg.Node) -> int | None:
        """Of the output that an item of ORDER BY, GROUP BY or DISTINCT ON names."""
        return self.positions.get(id(node.column_ref)) if node.HasField("column_ref") else None


def resolve_names(statement: Statement, dataset: DatasetSpec, reading: Reading) -> Names:
    """Every reference means a column of a label, a WITH query or a sub-select; else a `RequestError`."""
    found = Names(statement, dataset, reading)
    found.labels = {id(use.table) for use in reading.tables}
    found.scopes = {id(one): scope for one, scope in (*reading.expressions, *reading.references)}
    for scope in reading.scopes:
        for node in scope.select.sort_clause:
            name_output(found, scope, node.sort_by.node, before_inputs=True)
        for node in scope.select.distinct_clause:
            name_output(found, scope, node, before_inputs=True)
        for node in scope.select.group_clause:
            name_output(found, scope, node, before_inputs=False)
    for reference, scope in reading.references:
        if id(reference) not in found.positions:
            check_reference(found, reference, scope)
    return found


def name_output(found: Names, scope: Scope, node: pg.Node, *, before_inputs: bool) -> None:
    reference = node.column_ref if node.HasField("column_ref") else None
    if reference is None or len(reference.fields) != 1:
        return
    name = names(reference.fields)[0]
    outputs = [index for index, (output, _) in enumerate(scope.columns.pairs, start=1) if output == name]
    if not outputs or (not before_inputs and find_column(scope, (name,))):
        return
    if len(outputs) > 1:
        raise refusal(
            found.statement, f"{name} names {len(outputs)} outputs", reference, hint="Give each its own name by AS."
        )
    found.kept.append(reference)
    found.positions[id(reference)] = outputs[0]


def check_reference(found: Names, reference: pg.ColumnRef, scope: Scope) -> None:
    parts = names(reference.fields)
    if "*" in parts or len(parts) > 2:
        raise refusal(
            found.statement, f"{'.'.join(parts)} is not allowed here", reference, hint="Name the column: label.x."
        )
    count = find_column(scope, parts)
    if count > 1:
        hint = f"Write which one is meant: label.{parts[-1]}."
        raise SqlInvalid(f"The column {'.'.join(parts)} is ambiguous.", hint=hint)
    if not count:
        known = {name for level in scope.chain() for one in level.relations for name, _ in one.columns.pairs}
        near = nearest(parts[-1], known)
        hint = f"The nearest names are {', '.join(near)}." if near else columns_hint(found.dataset)
        raise not_found(found.statement, f"There is no column {'.'.join(parts)}", reference, hint=hint, nearest=near)


def find_column(scope: Scope, parts: tuple[str, ...]) -> int:
    """How many columns a reference may mean: 1, or it is unknown or ambiguous."""
    *qualifier, column = parts
    for level in scope.chain():
        found = [one for one in level.relations if one.source and (not qualifier or one.name == qualifier[-1])]
        counts = [Counter(name for name, _ in one.columns.pairs)[column] for one in found]
        if qualifier and found:
            return max(counts)
        merged = any(column in names(join.using_clause) for join in level.joins)
        if any(counts):
            return 1 if merged and max(counts) == 1 else sum(counts)
    return 0
