"""Each `*` that would show what is carried is written out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from querying.sql.carry import names_a_column, target_node
from querying.sql.draft import Draft
from querying.sql.refusals import refusal
from querying.sql.scopes import Reading, Relation, Scope, TableUse, WithQuery
from querying.sql.walk import names
from querying.sql.weights.carrying import Carrier
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.resolve import Resolver

HINT = "Name the columns that you need."


def spell_stars(draft: Draft, reading: Reading, resolver: Resolver, carrier: Carrier) -> None:
    """`SELECT *` over what carries more gives what the caller's own names give; whole rows of it are refused."""

    def carries(relation: Relation) -> bool:
        source = relation.source.query if isinstance(relation.source, WithQuery) else relation.source
        if isinstance(source, TableUse):
            return source.place in carrier.uses
        return isinstance(source, Scope) and source in carrier.giving

    for reference, scope in reading.references:
        parts = names(reference.fields)
        relation = scope.find(parts[0]) if len(parts) == 1 or parts[-1] == "*" else None
        if relation is None or not carries(relation) or (len(parts) == 1 and names_a_column(scope, parts[0])):
            continue
        here = any(item is relation for item in scope.relations)
        if not (here and any(target.res_target.val.column_ref is reference for target in scope.select.target_list)):
            raise refusal(draft.statement, "A whole row is not allowed here", reference, hint=HINT)
    for scope in reading.scopes:
        if scope in carrier.widened or any(carries(relation) for relation in scope.relations):
            spell(scope, resolver, carries)


def spell(scope: Scope, resolver: Resolver, carries: object) -> None:
    targets = list(scope.select.target_list)
    if not any(names(target.res_target.val.column_ref.fields)[-1:] == ("*",) for target in targets):
        return
    written = [node for target in targets for node in written_out(scope, resolver, target)]
    del scope.select.target_list[:]
    scope.select.target_list.extend(written)


def written_out(scope: Scope, resolver: Resolver, target: pg.Node) -> Iterator[pg.Node]:
    parts = names(target.res_target.val.column_ref.fields)
    if parts[-1:] != ("*",):
        yield target
        return
    if len(parts) == 1 and (scope.merges_columns or any(item.hidden for item in scope.relations)):
        raise Unsupported("* over columns that a join merges cannot be written out here", HINT, scope.select)
    for relation in scope.relations if len(parts) == 1 else [scope.find(parts[-2])]:
        if relation is None or not relation.name:
            raise Unsupported("* cannot be written out here", HINT, scope.select)
        if isinstance(relation.source, TableUse):
            yield from (target_node(relation.name, name) for name, _ in relation.columns.pairs)
            continue
        rows = resolver.rows_of(relation)
        if not rows.exact:
            yield target_node(relation.name, "*")
        else:
            yield from (target_node(relation.name, name) for name, _ in rows.columns)
