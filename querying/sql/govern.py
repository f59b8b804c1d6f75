"""Every table reference becomes a sub-select of what this caller may see. Pure.

    FROM users u  ->  FROM (SELECT id, gender FROM public.users) AS u

`*`, whole rows, NATURAL and USING then see the visible columns only, and PostgreSQL plans it as the table itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from postgast import pg_query_pb2 as pg

from config.errors import NameNotFound, QueryRefused
from datasets.catalog import TableSpec
from querying.sql.draft import Draft
from querying.sql.scopes import (
    Columns,
    Origin,
    Reading,
    Relation,
    Scope,
    TableUse,
    name_columns,
    origin_of,
    read_scopes,
)
from querying.sql.tables import DESCRIBE, find_table, nearest
from querying.sql.walk import names, unwrap, walk

# Columns that all sub-selects of a statement may hold together, so that planning stays quick.
MAX_GOVERNED_COLUMNS: Final = 10_000
OPAQUE: Final = frozenset({"foreign table", "view"})
# Without an equality operator a column cannot stand in GROUP BY.
NOT_GROUPABLE: Final = frozenset({"box", "circle", "json", "line", "lseg", "path", "point", "polygon", "xml"})


def govern(draft: Draft) -> Draft:
    reading = read_scopes(draft.select, find_table=partial(find_table, draft.dataset))
    check_size(reading)
    if draft.is_explain and not draft.principal.operator:
        check_explained(reading)
    name_columns(reading)
    for reference, scope in reading.references:
        check_reference(reference, scope)
    for scope in reading.scopes:
        if scope.select.group_clause:
            complete_groups(scope)
    for use in reading.tables:
        substitute(use)
    tables = tuple(sorted({use.spec.qualified_name for use in reading.tables}))
    return replace(draft, reading=reading, tables=tables)


def check_size(reading: Reading) -> None:
    if sum(len(use.spec.visible_columns) for use in reading.tables) > MAX_GOVERNED_COLUMNS:
        raise QueryRefused(
            f"The statement names tables {len(reading.tables):,} times, which is too much.",
            hint="Name each table once in a WITH query and use that.",
        )


def check_explained(reading: Reading) -> None:
    """A plan shows what stands behind a view: tables, columns and conditions that nobody approved."""
    hidden = next((use for use in reading.tables if use.spec.kind in OPAQUE), None)
    if hidden is not None:
        raise QueryRefused(
            f"EXPLAIN of {hidden.spec.qualified_name} is not allowed: it is a {hidden.spec.kind}, and a plan shows "
            "what stands behind it.",
            hint="Run the query itself, or EXPLAIN one over tables.",
        )


def substitute(use: TableUse) -> None:
    """Put the sub-select in the table's place, under the table's name or alias."""
    alias = pg.Alias()
    alias.CopyFrom(use.table.alias)
    alias.aliasname = alias.aliasname or use.table.relname
    inner = pg.Node()
    inner.CopyFrom(use.node)
    table = inner.range_table_sample.relation.range_var if inner.HasField("range_table_sample") else inner.range_var
    table.schemaname = use.spec.schema
    table.ClearField("alias")
    subselect = use.node.range_subselect
    subselect.alias.CopyFrom(alias)
    select = subselect.subquery.select_stmt
    select.ParseFromString(visible_select(tuple([column.name for column in use.spec.visible_columns])))
    select.from_clause.append(inner)


@lru_cache(maxsize=1024)
def visible_select(columns: tuple[str, ...]) -> bytes:
    """`SELECT <columns>`, still without its FROM; kept as bytes, since building a tree costs 5 µs a column."""
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    for column in columns:
        select.target_list.add().res_target.val.CopyFrom(column_node(column))
    return bytes(select.SerializeToString())


def column_node(*parts: str) -> pg.Node:
    fields = [pg.Node(string=pg.String(sval=part)) for part in parts]
    return pg.Node(column_ref=pg.ColumnRef(fields=fields, location=-1))


def check_reference(reference: pg.ColumnRef, scope: Scope) -> None:
    parts = names(reference.fields)
    if len(parts) == 1:
        check_plain(parts[0], scope)
        return
    if len(parts) > 2:
        parts = shorten(reference, parts, scope)
    relation = scope.find(parts[0])
    if relation is None or parts[1] == "*" or not relation.columns.exact:
        return  # PostgreSQL's own message is as clear
    if parts[1] not in relation.columns.by_name:
        raise column_not_found(".".join(parts), parts[1], [relation.columns], prefix=f"{parts[0]}.")


def shorten(reference: pg.ColumnRef, parts: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    """`public.users.id` becomes `users.id`: the sub-select has no schema."""
    schema, table = parts[-3], parts[-2]
    if len(parts) > 3 or not any(is_table(item, schema, table) for level in scope.chain() for item in level.relations):
        raise NameNotFound(
            f"{'.'.join(parts)} names no table of this FROM clause.",
            hint="Give the table an alias and write alias.column.",
        )
    del reference.fields[0]
    return parts[1:]


def is_table(relation: Relation, schema: str, name: str) -> bool:
    use = relation.source
    return (
        isinstance(use, TableUse)
        and not use.table.HasField("alias")
        and (use.spec.schema, use.spec.name) == (schema, name)
    )


def check_plain(name: str, scope: Scope) -> None:
    """An unqualified name that nothing in scope can be."""
    seen: list[Columns] = []
    for level in scope.chain():
        if any(relation.name == name for relation in level.relations):
            return  # a whole row
        seen += [aliases_of(level), *(relation.columns for relation in level.relations)]
    if not seen or not all(columns.exact for columns in seen) or any(name in columns.by_name for columns in seen):
        return
    if name != "*":
        raise column_not_found(name, name, seen)


def aliases_of(scope: Scope) -> Columns:
    """Output names that ORDER BY and GROUP BY may use."""
    if scope.arms:
        return scope.columns
    return Columns(
        tuple((node.res_target.name, None) for node in scope.select.target_list if node.res_target.name), True
    )


def column_not_found(written: str, name: str, seen: list[Columns], *, prefix: str = "") -> NameNotFound:
    near = [f"{prefix}{match}" for match in nearest(name, {known for columns in seen for known, _ in columns.pairs})]
    hint = f"The nearest columns are {', '.join(near)}." if near else DESCRIBE
    return NameNotFound(f"There is no column {written}.", hint=hint, nearest=near)


def complete_groups(scope: Scope) -> None:
    """`GROUP BY u.id` lets PostgreSQL select the other columns of u when id is the primary key.

    It does not see keys through a sub-select, so those columns are added to GROUP BY; the groups stay the same.
    """
    grouped = set(grouped_origins(scope))
    for relation in scope.relations:
        use = relation.source
        if not isinstance(use, TableUse) or relation.hidden or not use.spec.primary_key:
            continue
        key = {Origin(use.spec.schema, use.spec.name, column) for column in use.spec.primary_key}
        if key <= {origin for name, origin in grouped if name in (relation.name, "")}:
            add_groups(scope, relation, use.spec)


def grouped_origins(scope: Scope) -> Iterator[tuple[str, Origin]]:
    """Qualifier ('' if none) and origin of each plain column in GROUP BY, also by position and by output name."""
    for node in scope.select.group_clause:
        reference = grouped_reference(scope, node)
        if reference is not None:
            parts = names(reference.fields)
            origin = origin_of(scope, parts)
            if origin is not None:
                yield parts[-2] if len(parts) > 1 else "", origin


def grouped_reference(scope: Scope, node: pg.Node) -> pg.ColumnRef | None:
    item = unwrap(node)
    targets = [target.res_target for target in scope.select.target_list]
    if isinstance(item, pg.A_Const) and item.HasField("ival") and 0 < item.ival.ival <= len(targets):
        item = unwrap(targets[item.ival.ival - 1].val)
    elif isinstance(item, pg.ColumnRef) and len(item.fields) == 1 and origin_of(scope, names(item.fields)) is None:
        name = item.fields[0].string.sval
        item = next((unwrap(target.val) for target in targets if target.name == name), item)
    return item if isinstance(item, pg.ColumnRef) else None


def add_groups(scope: Scope, relation: Relation, spec: TableSpec) -> None:
    used = used_columns(scope, relation)
    types = {column.name: column.type for column in spec.visible_columns}
    for name, origin in relation.columns.pairs:
        groupable = origin is not None and types[origin.column] not in NOT_GROUPABLE
        if name in used and groupable and (origin is None or origin.column not in spec.primary_key):
            scope.select.group_clause.append(column_node(relation.name, name))


def used_columns(scope: Scope, relation: Relation) -> set[str]:
    """Names of this relation's columns in what is computed per group; a star means all of them."""
    select = scope.select
    known = set(relation.columns.by_name)
    used: set[str] = set()
    computed = (*select.target_list, *select.sort_clause, *select.distinct_clause, *select.window_clause)
    for root in (*computed, select.having_clause):
        for message in walk(root):
            if isinstance(message, pg.ColumnRef):
                parts = names(message.fields)
                if len(parts) == 1 or parts[-2] == relation.name:
                    used |= known if parts[-1] == "*" else known & {parts[-1]}
    return used


def check_governed(draft: Draft) -> None:
    """The printed statement reads tables in one way only: `SELECT <visible columns> FROM schema.table`."""
    reading = read_scopes(draft.select, find_table=partial(find_table, draft.dataset))
    for use in reading.tables:
        if not is_governed(use):
            raise QueryRefused(
                f"The use of table {use.spec.qualified_name} could not be limited to what you may see.",
                hint="Write the query in a plainer form.",
            )


def is_governed(use: TableUse) -> bool:
    select = use.scope.select
    alone = len(select.from_clause) == 1 and select.from_clause[0] is use.node and not use.table.HasField("alias")
    shown = [names(target.res_target.val.column_ref.fields) for target in select.target_list]
    return (
        alone
        and use.table.schemaname == use.spec.schema
        and shown == [(column.name,) for column in use.spec.visible_columns]
    )
