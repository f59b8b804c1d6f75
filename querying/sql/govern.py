"""Every table reference becomes a sub-select of what this caller may see. Pure.

    FROM users u  ->  FROM (SELECT id, CASE ... END AS nccs, left(...) AS email FROM public.users WHERE <rule>) AS u

`*`, whole rows, NATURAL and USING then see the visible columns only, and PostgreSQL plans it as the table itself.
A table with a row rule gets OFFSET 0: without it the caller's conditions could be tried on rows that the rule hides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from datasets.catalog import TableSpec
from querying.sql.carry import hide_carried
from querying.sql.classes import conjuncts, govern_classes, push_filters
from querying.sql.draft import RESERVED, Draft
from querying.sql.information_schema import CATALOGUE, Shown, information_select
from querying.sql.parse import print_tree
from querying.sql.references import check_references
from querying.sql.row_rules import rule_condition
from querying.sql.scopes import (
    Origin,
    Reading,
    Relation,
    Scope,
    TableUse,
    origin_of,
    read_scopes,
    relation_of,
)
from querying.sql.shown import column_node, shown_value
from querying.sql.tables import find_table
from querying.sql.walk import names, unwrap, walk

# Columns that all sub-selects of a statement may hold together, so that planning stays quick.
MAX_GOVERNED_COLUMNS: Final = 10_000
SELECT: Final = "visible select"
TEXT: Final = "visible select as text"
OPAQUE: Final = frozenset({"foreign table", "view"})
# Without an equality operator a column cannot stand in GROUP BY.
NOT_GROUPABLE: Final = frozenset(
    {"box", "circle", "json", "jsonpath", "line", "lseg", "path", "point", "polygon", "xml"}
)


def govern(draft: Draft) -> Draft:
    reading = draft.reading
    if reading is None:
        raise TypeError("govern needs what bind has read")
    check_size(reading)
    for use in reading.tables:
        check_explained(draft, use.spec)
    check_references(draft, reading)
    for scope in reading.scopes:
        if scope.select.group_clause and not any(node.HasField("grouping_set") for node in scope.select.group_clause):
            complete_groups(scope)
    if any(use.spec.has_policies for use in reading.tables):
        govern_classes(draft, reading)
        push_filters(draft, reading)
        hide_carried(draft, reading)
    for use in reading.tables:
        substitute(draft, use)
    tables = {use.spec.qualified_name: use.spec for use in reading.tables if use.spec.kind != CATALOGUE}
    notes = tuple(note for name in sorted(tables) for note in merge_notes(tables[name], reading))
    return replace(draft, tables=tuple(sorted(tables)), warnings=(*draft.warnings, *notes))


def merge_notes(spec: TableSpec, reading: Reading) -> Iterator[str]:
    """What an analyst must know of a column that the statement names."""
    written = {names(reference.fields)[-1] for reference, _ in reading.references} if spec.has_policies else set()
    for column in spec.visible_columns:
        if column.classes and not written.isdisjoint((column.name, "*")):
            classes = "; ".join(f"{label} = {', '.join(members)}" for label, members in column.classes)
            yield f"{column.name} is shown in merged classes: {classes}."


def check_size(reading: Reading) -> None:
    if sum(len(use.spec.visible_columns) for use in reading.tables) > MAX_GOVERNED_COLUMNS:
        raise QueryRefused(
            f"The statement names tables {len(reading.tables):,} times, which is too much.",
            hint="Name each table once in a WITH query and use that.",
        )


def check_explained(draft: Draft, spec: TableSpec) -> None:
    """A plan shows what stands behind: tables and conditions that nobody approved, masks, the caller's row rule."""
    if not draft.is_explain or draft.principal.operator:
        return
    masked = spec.row_rule or any(column.mask for column in spec.visible_columns)
    if draft.is_verbose and len(spec.visible_columns) < len(spec.columns):
        raise QueryRefused(
            f"EXPLAIN VERBOSE of {spec.qualified_name} is not allowed: it names hidden columns.",
            hint="Leave out VERBOSE.",
        )
    if spec.kind in OPAQUE or masked:
        what = "its policies" if masked else f"what stands behind a {spec.kind}"
        raise QueryRefused(
            f"EXPLAIN of {spec.qualified_name} is not allowed: a plan shows {what}.",
            hint="Run the query itself, or EXPLAIN one over other tables.",
        )


def substitute(draft: Draft, use: TableUse) -> None:
    """Put the sub-select in the table's place, under the table's name or alias."""
    alias = pg.Alias()
    alias.CopyFrom(use.table.alias)
    alias.aliasname = alias.aliasname or use.table.relname
    inner = pg.Node()
    inner.CopyFrom(use.node)
    subselect = use.node.range_subselect
    subselect.alias.CopyFrom(alias)
    select = subselect.subquery.select_stmt
    if use.spec.kind == CATALOGUE:
        shown = [shown_columns(table, draft) for table in draft.dataset.tables]
        select.CopyFrom(information_select(use.spec.name, shown=shown, database=draft.dataset.database))
        return
    table = inner.range_table_sample.relation.range_var if inner.HasField("range_table_sample") else inner.range_var
    table.schemaname = use.spec.schema
    table.ClearField("alias")
    table.ClearField("catalogname")
    select.ParseFromString(visible_select(use.spec, draft))
    select.from_clause.append(inner)
    for column, reserved in use.carried.items():
        select.target_list.append(target_node(column_node(column), reserved))
    if use.filters:
        select.where_clause.CopyFrom(conjunction(select.where_clause, use.filters))


def shown_columns(table: TableSpec, draft: Draft) -> Shown:
    """With the types that values have once they are governed: a domain's base type."""
    kinds = draft.dataset.vocabulary.by_spelling
    return Shown(
        table,
        tuple(
            replace(column, type=kinds[column.type].base)
            if column.type in kinds and kinds[column.type].kind == "domain"
            else column
            for column in table.visible_columns
        ),
    )


def visible_select(spec: TableSpec, draft: Draft) -> bytes:
    """`SELECT <columns> WHERE <rule>`, still without its FROM; kept, since building a tree costs 5 µs a column."""
    built = spec.derived.get(SELECT)
    if built is None:
        built = spec.derived[SELECT] = bytes(build_select(spec, draft).SerializeToString())
    return built


def build_select(spec: TableSpec, draft: Draft) -> pg.SelectStmt:
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    for column in spec.visible_columns:
        value = shown_value(column, draft.dataset.vocabulary, draft.dataset.mask_salt)
        select.target_list.append(target_node(value, "" if value.HasField("column_ref") else column.name))
    if spec.row_rule:
        select.where_clause.CopyFrom(rule_condition(spec, draft))
        select.limit_offset.a_const.ival.SetInParent()
        select.limit_option = pg.LIMIT_OPTION_COUNT
    return select


def target_node(value: pg.Node, name: str) -> pg.Node:
    return pg.Node(res_target=pg.ResTarget(name=name, val=value, location=-1))


def conjunction(condition: pg.Node, others: list[pg.Node]) -> pg.Node:
    """Flat, as the parser makes it."""
    both = [*reversed(list(conjuncts(condition))), *others]
    return both[0] if len(both) == 1 else pg.Node(bool_expr=pg.BoolExpr(boolop=pg.AND_EXPR, args=both, location=-1))


def complete_groups(scope: Scope) -> None:
    """`GROUP BY u.id` lets PostgreSQL select the other columns of u when id is the primary key.

    It does not see keys through a sub-select, so those columns are added to GROUP BY; the groups stay the same.
    """
    grouped = set(grouped_origins(scope))
    for relation in scope.relations:
        use = relation.source
        if not isinstance(use, TableUse) or relation.hidden or not use.spec.shows_primary_key:
            continue
        key = {Origin(use.spec.schema, use.spec.name, column) for column in use.spec.primary_key}
        if key <= {origin for grouping, origin in grouped if grouping is relation}:
            add_groups(scope, relation, use.spec)


def grouped_origins(scope: Scope) -> Iterator[tuple[Relation, Origin]]:
    """FROM item and origin of each plain column in GROUP BY, also by position and by output name."""
    for node in scope.select.group_clause:
        reference = grouped_reference(scope, node)
        if reference is not None:
            parts = names(reference.fields)
            relation, origin = relation_of(scope, parts), origin_of(scope, parts)
            if relation is not None and origin is not None:
                yield relation, origin


def grouped_reference(scope: Scope, node: pg.Node) -> pg.ColumnRef | None:
    item = unwrap(grouped_item(scope, node))
    return item if isinstance(item, pg.ColumnRef) else None


def grouped_item(scope: Scope, node: pg.Node) -> pg.Node:
    """What an item of GROUP BY stands for: the output that it names by position or by name, else itself."""
    item = unwrap(node)
    targets = [target.res_target for target in scope.select.target_list]
    if isinstance(item, pg.A_Const) and item.HasField("ival") and 0 < item.ival.ival <= len(targets):
        return targets[item.ival.ival - 1].val
    if isinstance(item, pg.ColumnRef) and len(item.fields) == 1 and origin_of(scope, names(item.fields)) is None:
        name = item.fields[0].string.sval
        return next((target.val for target in targets if target.name == name), node)
    return node


def add_groups(scope: Scope, relation: Relation, spec: TableSpec) -> None:
    used = used_columns(scope, relation)
    types = {column.name: column.type for column in spec.visible_columns}
    for name, origin in relation.columns.pairs:
        groupable = origin is not None and types[origin.column].removesuffix("[]") not in NOT_GROUPABLE
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
    """The printed statement reads tables in one way only: through the sub-selects that govern makes."""
    reading = read_scopes(draft.select, find_table=partial(find_table, draft))
    for use in reading.tables:
        if not is_governed(use, draft):
            raise QueryRefused(
                f"The use of table {use.spec.qualified_name} could not be limited to what you may see.",
                hint="Write the query in a plainer form.",
            )


def is_governed(use: TableUse, draft: Draft) -> bool:
    select = use.scope.select
    if len(select.from_clause) != 1 or select.from_clause[0] is not use.node or use.table.HasField("alias"):
        return False
    if use.table.catalogname or use.table.schemaname != use.spec.schema or select.HasField("limit_count"):
        return False
    columns = use.spec.visible_columns
    shown = [target.res_target for target in select.target_list]
    if all(target.name.startswith(RESERVED) for target in shown):
        return has_rule(use, draft)  # joined for weights: it gives nothing that a caller can name
    plain = [names(target.val.column_ref.fields) for target in shown]
    if len(shown) == len(columns) and plain == [(column.name,) for column in columns] and not use.spec.row_rule:
        return not use.spec.has_policies
    return has_expected(use, draft)


def has_expected(use: TableUse, draft: Draft) -> bool:
    """Outputs and rule are those that govern makes, compared as text; what is carried comes after them."""
    expected = pg.SelectStmt()
    expected.ParseFromString(visible_select(use.spec, draft))
    select = use.scope.select
    own, carried = split_targets(select, len(expected.target_list))
    if not all(target.res_target.name.startswith(RESERVED) for target in carried):
        return False
    if text_of(own).encode() != expected_text(use.spec, expected):
        return False
    return has_rule(use, draft)


def has_rule(use: TableUse, draft: Draft) -> bool:
    """Whether the row rule stands in the sub-select, behind its OFFSET 0."""
    if not use.spec.row_rule:
        return True
    expected, select = pg.SelectStmt(), use.scope.select
    expected.ParseFromString(visible_select(use.spec, draft))
    conditions = {text_of([target_node(node, "")]) for node in conjuncts(select.where_clause)}
    wanted = {text_of([target_node(node, "")]) for node in conjuncts(expected.where_clause)}
    return select.HasField("limit_offset") and conditions >= wanted


def split_targets(select: pg.SelectStmt, count: int) -> tuple[list[pg.Node], list[pg.Node]]:
    targets = list(select.target_list)
    return targets[:count], targets[count:]


def expected_text(spec: TableSpec, expected: pg.SelectStmt) -> bytes:
    text = spec.derived.get(TEXT)
    if text is None:
        text = spec.derived[TEXT] = text_of(expected.target_list).encode()
    return text


def text_of(targets: Iterable[pg.Node]) -> str:
    """Outputs as text."""
    select = pg.SelectStmt(target_list=targets, limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    return print_tree(pg.ParseResult(stmts=[pg.RawStmt(stmt=pg.Node(select_stmt=select))]))
