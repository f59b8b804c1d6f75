"""SQL over the results of other questions: PostgreSQL's grammar and guard, DuckDB's dialect. Pure.

    SELECT k, a.n / b.n AS ratio FROM a JOIN b USING (k) ORDER BY ratio DESC

    SELECT "k" AS "k", (("a"."n") / ("b"."n")) AS "ratio"
    FROM (main."a" AS "a" INNER JOIN main."b" AS "b" USING ("k")) ORDER BY 2 DESC NULLS FIRST LIMIT 1001

PostgreSQL's deparser would not do: DuckDB has other keywords (FROM a anti JOIN b), folds the case of quoted names and
binds operators differently. So every name is quoted, every operation stands in brackets, every `*` is spelt out, every
name is looked up here by PostgreSQL's rules, and what is not known to give PostgreSQL's answer is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import InvalidRequest, NameNotFound
from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.results import QueryResult
from querying.sql.combined_names import resolve_names
from querying.sql.draft import Draft, QueryRequest
from querying.sql.duckdb_functions import MACROS, MAX_MATCHED_BYTES, MAX_TEXT_BYTES, TOO_LONG, TOO_LONG_TO_MATCH
from querying.sql.duckdb_printer import Printer, quote
from querying.sql.duckdb_values import VALUES
from querying.sql.guard import guard
from querying.sql.labels import as_dataset, check_label, column_names, columns_hint, read_over
from querying.sql.limit import cap_rows
from querying.sql.parse import Statement, parse_statement
from querying.sql.refusals import refusal
from querying.sql.scopes import output_columns
from querying.sql.stars import spell_out
from querying.sql.walk import children, unwrap

__all__ = [
    "MACROS",
    "MAX_MATCHED_BYTES",
    "MAX_TEXT_BYTES",
    "TOO_LONG",
    "TOO_LONG_TO_MATCH",
    "build_combined",
    "check_label",
    "column_names",
    "quote",
]

MAX_DEPTH: Final = 120  # of the tree: printing recurses


def build_combined(sql: str, inputs: Mapping[str, QueryResult], *, max_rows: int) -> str:
    """DuckDB's SQL for this statement over labelled results, `max_rows` + 1 rows of it; else a `RequestError`.

    It names the tables `main."label"` with the columns of `column_names`, each as `quote` spells it, and calls MACROS.
    """
    if not inputs:
        raise InvalidRequest("There is nothing to combine.", hint="Give at least one query a label.")
    for label in inputs:
        check_label(label)
    dataset = as_dataset(inputs)
    statement = parse_statement(sql)
    check_guarded(statement, dataset)
    select = statement.tree.stmts[0].stmt.select_stmt
    check_depth(statement, select)
    if select.limit_option == pg.LIMIT_OPTION_WITH_TIES:
        raise refusal(statement, "FETCH FIRST ... WITH TIES is not allowed here", select, hint="Write LIMIT.")
    cap_rows(select, max_rows)
    spell_out(statement, select, dataset)
    reading = read_over(statement, select, dataset)
    for scope in reversed(reading.scopes):
        scope.columns = output_columns(scope)
    return Printer(resolve_names(statement, dataset, reading), VALUES).query(select)


def check_guarded(statement: Statement, dataset: DatasetSpec) -> None:
    """The guard of every question, and no EXPLAIN, SHOW or SELECT INTO."""
    root = unwrap(statement.tree.stmts[0].stmt)
    if isinstance(root, pg.ExplainStmt | pg.VariableShowStmt):
        raise refusal(statement, "Only a SELECT can combine results", root, hint="Write one SELECT over the labels.")
    try:
        guard(Draft(QueryRequest("combine", statement.sql), dataset, Principal(), SystemSettings(), statement))
    except NameNotFound as error:
        hint = error.hint if error.context.get("nearest") else columns_hint(dataset)
        raise NameNotFound(error.message, hint=hint, **error.context) from None


def check_depth(statement: Statement, select: pg.SelectStmt) -> None:
    stack: list[tuple[Message, int]] = [(select, 0)]
    while stack:
        packed, depth = stack.pop()
        message = unwrap(packed)
        if message is None:
            continue
        if depth > MAX_DEPTH:
            raise refusal(statement, "The statement is nested too deeply", message, hint="Take it apart using WITH.")
        stack += [(child, depth + 1) for child in children(message)]
