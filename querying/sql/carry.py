"""Columns that a governed sub-select carries under reserved names, for our own use: `*` never shows them. Pure.

SELECT * FROM users u  ->  SELECT u.id, u.nccs FROM (SELECT id, CASE ... END AS nccs, nccs AS _mcpa_1 ...) u
"""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from querying.sql.draft import RESERVED, Draft
from querying.sql.refusals import refusal
from querying.sql.scopes import Reading, Relation, Scope, TableUse
from querying.sql.shown import column_node
from querying.sql.walk import names


def carry(use: TableUse, column: str) -> str:
    """The reserved name under which the sub-select gives this column as stored; no two of a statement are alike."""
    if column not in use.carried:
        use.carried[column] = f"{RESERVED}{use.place}_{len(use.carried) + 1}"
    return use.carried[column]


def hide_carried(draft: Draft, reading: Reading) -> None:
    """Write out each `*` that would show what is carried; refuse whole rows, which would too."""
    carrying = [use for use in reading.tables if use.carried]
    if not carrying:
        return
    for reference, scope in reading.references:
        parts = names(reference.fields)
        relation = scope.find(parts[0]) if len(parts) == 1 or parts[1] == "*" else None
        if relation is None or not is_carrying(relation):
            continue
        is_column = len(parts) == 1 and names_a_column(scope, parts[0])
        if not is_column and not is_written_out(relation, scope, reference):
            raise whole_row_refused(draft, reference)
    for scope in {use.scope: None for use in carrying}:
        spell_out(draft, scope)


def names_a_column(scope: Scope, name: str) -> bool:
    return any(name in relation.columns.by_name for level in scope.chain() for relation in level.relations)


def is_written_out(relation: Relation, scope: Scope, reference: pg.ColumnRef) -> bool:
    """`u.*` among the outputs of the SELECT that has u in its FROM; elsewhere it stays a star."""
    here = any(item is relation for item in scope.relations)
    return here and any(target.res_target.val.column_ref is reference for target in scope.select.target_list)


def is_carrying(relation: Relation) -> bool:
    return isinstance(relation.source, TableUse) and bool(relation.source.carried)


def spell_out(draft: Draft, scope: Scope) -> None:
    targets = list(scope.select.target_list)
    if not any(names(target.res_target.val.column_ref.fields)[-1:] == ("*",) for target in targets):
        return
    written = [node for target in targets for node in written_out(draft, scope, target)]
    del scope.select.target_list[:]
    scope.select.target_list.extend(written)


def written_out(draft: Draft, scope: Scope, target: pg.Node) -> Iterator[pg.Node]:
    parts = names(target.res_target.val.column_ref.fields)
    if parts[-1:] != ("*",):
        yield target
        return
    if len(parts) == 1 and (scope.merges_columns or any(item.hidden for item in scope.relations)):
        raise whole_row_refused(draft, target.res_target.val.column_ref)
    chosen = scope.relations if len(parts) == 1 else [scope.find(parts[-2])]
    for relation in chosen:
        if relation is None:
            yield target
        elif not relation.name:
            raise whole_row_refused(draft, target.res_target.val.column_ref)
        elif is_carrying(relation):
            yield from (target_node(relation.name, name) for name, _ in relation.columns.pairs)
        else:
            yield target_node(relation.name, "*")


def target_node(relation: str, name: str) -> pg.Node:
    value = column_node(relation, name)
    if name == "*":
        value.column_ref.fields[-1].CopyFrom(pg.Node(a_star=pg.A_Star()))
    return pg.Node(res_target=pg.ResTarget(val=value, location=-1))


def whole_row_refused(draft: Draft, reference: pg.ColumnRef) -> QueryRefused:
    return refusal(
        draft.statement,
        "A whole row is not allowed here, since this statement joins on merged classes",
        reference,
        hint="Name the columns that you need.",
    )
