"""Columns that do not exist, or not for this caller, are named with the nearest ones that do. Pure."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from config.errors import NameNotFound
from querying.sql.draft import Draft
from querying.sql.refusals import not_found
from querying.sql.scopes import Columns, Reading, Relation, Scope, TableUse
from querying.sql.tables import DESCRIBE, nearest
from querying.sql.walk import names


def check_references(draft: Draft, reading: Reading) -> None:
    for reference, scope in reading.references:
        check_reference(draft, reference, scope)
    for scope in reading.scopes:
        for join in scope.joins:
            for name in names(join.using_clause):
                check_joined(draft, join, name, scope)


def check_joined(draft: Draft, join: pg.JoinExpr, name: str, scope: Scope) -> None:
    columns = [relation.columns for relation in scope.relations if relation.source is not None]
    if all(one.exact and name not in one.by_name for one in columns):
        near = nearest(name, {known for one in columns for known, _ in one.pairs})
        hint = f"The nearest columns are {', '.join(near)}." if near else DESCRIBE
        raise not_found(draft.statement, f"There is no column {name}", join, hint=hint, nearest=near)


def check_reference(draft: Draft, reference: pg.ColumnRef, scope: Scope) -> None:
    parts = names(reference.fields)
    if len(parts) == 1:
        check_plain(draft, reference, parts[0], scope)
        return
    if len(parts) > 2:
        parts = shorten(draft, reference, parts, scope)
    relation = scope.find(parts[0])
    if relation is None or parts[1] == "*" or not relation.columns.exact:
        return  # PostgreSQL's own message is as clear
    if parts[1] not in relation.columns.by_name:
        raise column_not_found(draft, reference, parts[1], [relation.columns], prefix=f"{parts[0]}.")


def shorten(draft: Draft, reference: pg.ColumnRef, parts: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    """`public.users.id` becomes `users.id`: the sub-select has no schema."""
    *database, schema, table, _ = parts
    found = any(is_table(item, schema, table) for level in scope.chain() for item in level.relations)
    if not found or database not in ([], [draft.dataset.database]):
        what = f"{'.'.join(parts)} names no table of this FROM clause"
        hint = "Give the table an alias and write alias.column."
        raise not_found(draft.statement, what, reference, hint=hint)
    del reference.fields[: len(parts) - 2]
    return parts[-2:]


def is_table(relation: Relation, schema: str, name: str) -> bool:
    use = relation.source
    return (
        isinstance(use, TableUse)
        and not use.table.HasField("alias")
        and (use.spec.schema, use.spec.name) == (schema, name)
    )


def check_plain(draft: Draft, reference: pg.ColumnRef, name: str, scope: Scope) -> None:
    """An unqualified name that nothing in scope can be."""
    seen: list[Columns] = []
    for level in scope.chain():
        if any(relation.name == name for relation in level.relations):
            return  # a whole row
        seen += [aliases_of(level, reference), *(relation.columns for relation in level.relations)]
    if not seen or not all(columns.exact for columns in seen) or any(name in columns.by_name for columns in seen):
        return
    if name != "*":
        raise column_not_found(draft, reference, name, seen)


def aliases_of(scope: Scope, reference: pg.ColumnRef) -> Columns:
    """Output names that a bare item of ORDER BY or GROUP BY may use; within an expression they mean nothing."""
    if scope.arms:
        return scope.columns
    targets = scope.select.target_list if is_bare_item(scope.select, reference) else ()
    return Columns(tuple((node.res_target.name, None) for node in targets if node.res_target.name), True)


def is_bare_item(select: pg.SelectStmt, reference: pg.ColumnRef) -> bool:
    stack = [*select.group_clause, *(node.sort_by.node for node in select.sort_clause), *select.distinct_clause]
    while stack:
        node = stack.pop()
        if node.HasField("grouping_set"):
            stack.extend(node.grouping_set.content)
        elif node.HasField("row_expr"):
            stack.extend(node.row_expr.args)
        elif node.HasField("column_ref") and node.column_ref is reference:
            return True
    return False


def column_not_found(
    draft: Draft, reference: pg.ColumnRef, name: str, seen: list[Columns], *, prefix: str = ""
) -> NameNotFound:
    near = [f"{prefix}{match}" for match in nearest(name, {known for columns in seen for known, _ in columns.pairs})]
    hint = f"The nearest columns are {', '.join(near)}." if near else DESCRIBE
    return not_found(draft.statement, f"There is no column {prefix}{name}", reference, hint=hint, nearest=near)
