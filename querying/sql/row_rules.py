"""A row rule as a condition in the tree, checked and bound like any caller's SQL. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused, RequestError
from datasets.catalog import TableSpec
from querying.sql.bind import bind
from querying.sql.draft import Draft
from querying.sql.guard import guard
from querying.sql.parse import parse_statement
from querying.sql.references import check_references
from querying.sql.shown import text_node
from querying.sql.walk import children, names, walk

CALLER: Final = ("caller",)
NOTHING: Final = pg.Node(a_const=pg.A_Const(boolval=pg.Boolean(boolval=False), location=-1))
# target_list, where_clause, limit_option, op
FIELDS: Final = 4
NOT_ALLOWED_IN_RULES: Final = (pg.SubLink, pg.SelectStmt)


def rule_condition(table: TableSpec, draft: Draft) -> pg.Node:
    """The condition over the table's own columns, also those that the caller does not see.

    `false` for a caller without an attribute that it asks for; raises `QueryRefused` where it cannot be applied.
    """
    try:
        return build_condition(table, draft)
    except RequestError as error:
        raise QueryRefused(
            f"The row rule of {table.qualified_name} cannot be applied, so the table cannot be read.",
            hint="Ask an administrator to correct the dataset's policies.",
        ) from error


def build_condition(table: TableSpec, draft: Draft) -> pg.Node:
    columns = tuple(replace(column, visible=True, mask=None, classes=()) for column in table.columns)
    plain = replace(table, columns=columns, row_rule="")
    statement = parse_statement(f"SELECT 1 WHERE {table.row_rule}")  # noqa: S608: parsed and checked, never sent
    select = statement.tree.stmts[0].stmt.select_stmt
    condition = select.where_clause
    nested = any(isinstance(message, NOT_ALLOWED_IN_RULES) for message in walk(condition))
    if nested or select.op != pg.SETOP_NONE or len(select.ListFields()) > FIELDS:
        raise QueryRefused("A row rule is one condition, without sub-selects.")
    select.from_clause.add().range_var.CopyFrom(pg.RangeVar(schemaname=table.schema, relname=table.name, inh=True))
    if not put_attributes(condition, draft.principal.attributes):
        return NOTHING
    inner = replace(draft, statement=statement, dataset=replace(draft.dataset, tables=(plain,)), reading=None)
    bound = bind(guard(inner))
    if bound.reading is not None:
        check_references(bound, bound.reading)
    if bound.search_path:
        raise QueryRefused("A row rule compares PostgreSQL's own types only.")
    return condition


def put_attributes(condition: pg.Node, attributes: Mapping[str, str]) -> bool:
    """caller('state')  ->  'Kerala'; False where the caller has no such attribute."""
    for parent in (condition, *walk(condition)):
        for child in (parent, *children(parent)):
            if is_attribute(child):
                value = attributes.get(child.func_call.args[0].a_const.sval.sval if child.func_call.args else "")
                if value is None:
                    return False
                child.CopyFrom(text_node(value))
    return True


def is_attribute(node: Message) -> bool:
    return isinstance(node, pg.Node) and node.HasField("func_call") and names(node.func_call.funcname) == CALLER
