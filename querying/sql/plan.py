"""From a caller's SQL to the SQL that is sent: guard, govern, weigh, limit; print, parse and guard again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from postgast import pg_query_pb2 as pg

from config.errors import AccessError, InvalidRequest
from datasets.access import Principal
from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.sql.govern import check_governed, govern_select
from querying.sql.guard import guard_statement
from querying.sql.limit import ALL_ROWS, EXPLAIN, PLAN_LINES, RAW, cap_rows, query_type_of
from querying.sql.parse import Statement, fingerprint, parse_statement, parse_tree, print_tree
from querying.sql.scopes import Reading
from querying.sql.walk import unwrap
from querying.sql.weigh import weighting_status

WEIGHTING: Final = ("auto", "off")


@dataclass(frozen=True)
class QueryRequest:
    """One question. `max_rows` can only lower the row limit; `reveal_all_rows` is for the operator."""

    dataset: str
    sql: str
    weighting: str = "auto"
    max_rows: int | None = None
    label: str = ""
    reveal_all_rows: bool = False


@dataclass(frozen=True)
class Draft:
    """A question on its way through the passes: its tree, which they rewrite, and what they found out."""

    request: QueryRequest
    dataset: DatasetSpec
    principal: Principal
    settings: SystemSettings
    statement: Statement
    reading: Reading | None = None
    query_type: str = RAW
    weighting: str = ""
    weight_column: str = ""
    max_rows: int = 0
    tables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def select(self) -> pg.SelectStmt:
        """The SELECT itself, also where it stands under EXPLAIN."""
        root: Any = unwrap(self.statement.tree.stmts[0].stmt)  # Any: guard leaves these two
        return root.query.select_stmt if isinstance(root, pg.ExplainStmt) else root

    @property
    def is_explain(self) -> bool:
        return self.statement.tree.stmts[0].stmt.HasField("explain_stmt")


@dataclass(frozen=True)
class QueryPlan:
    """What is sent and what was done. `max_rows` rows are shown; the SQL asks for one more, to tell truncation."""

    sql: str
    fingerprint: str
    query_type: str
    weighting: str
    max_rows: int
    tables: tuple[str, ...]
    weight_column: str = ""
    warnings: tuple[str, ...] = field(default=())


def guard(draft: Draft) -> Draft:
    names = frozenset(column.name for table in draft.dataset.tables for column in table.visible_columns)
    guard_statement(draft.statement, column_names=names)
    return draft


def govern(draft: Draft) -> Draft:
    reading = govern_select(draft.select, dataset=draft.dataset)
    tables = tuple(sorted({use.spec.qualified_name for use in reading.tables}))
    return replace(draft, reading=reading, tables=tables)


def weigh(draft: Draft) -> Draft:
    status = weighting_status(draft.request.weighting, dataset=draft.dataset, uses_tables=bool(draft.tables))
    return replace(draft, weighting=status)


def limit(draft: Draft) -> Draft:
    assert draft.reading is not None  # govern comes first
    if draft.is_explain:
        return replace(draft, query_type=EXPLAIN, max_rows=PLAN_LINES)
    query_type = query_type_of(draft.reading)
    max_rows = row_limit(draft, query_type)
    cap_rows(draft.select, max_rows)
    return replace(draft, query_type=query_type, max_rows=max_rows)


PASSES: Final[tuple[Callable[[Draft], Draft], ...]] = (guard, govern, weigh, limit)


def build_plan(
    request: QueryRequest, *, dataset: DatasetSpec, principal: Principal, settings: SystemSettings
) -> QueryPlan:
    """The plan of one question; raises `RequestError`s that say what to write instead. About 1 ms."""
    check_request(request, principal)
    draft = Draft(request, dataset, principal, settings, parse_statement(request.sql))
    for apply in PASSES:
        draft = apply(draft)
    return seal(draft)


def seal(draft: Draft) -> QueryPlan:
    """Print, parse and guard again: what was checked is what runs."""
    sql = print_tree(draft.statement.tree)
    printed = replace(draft, statement=Statement(sql, parse_tree(sql), 0))
    guard(printed)
    tables = check_governed(printed.select, dataset=draft.dataset)
    return QueryPlan(
        sql=sql,
        fingerprint=fingerprint(draft.request.sql),
        query_type=draft.query_type,
        weighting=draft.weighting,
        weight_column=draft.weight_column,
        max_rows=draft.max_rows,
        tables=tables,
        warnings=draft.warnings,
    )


def check_request(request: QueryRequest, principal: Principal) -> None:
    if request.weighting not in WEIGHTING:
        raise InvalidRequest(f"weighting is {request.weighting!r}.", hint=f"It is one of {', '.join(WEIGHTING)}.")
    if request.max_rows is not None and request.max_rows < 1:
        raise InvalidRequest(f"max_rows is {request.max_rows}.", hint="Leave it out, or ask for 1 row or more.")
    if request.reveal_all_rows and not principal.operator:
        raise AccessError("Only the operator may lift the limit of raw rows.", hint="Ask for aggregates instead.")


def row_limit(draft: Draft, query_type: str) -> int:
    """The policy's rows for this kind of result (the dataset's own before the system's), lowered by the caller's."""
    name = "raw_rows" if query_type == RAW else "aggregated_rows"
    allowed = draft.dataset.query_limits.get(name, getattr(draft.settings.query_limits, name))
    if draft.request.reveal_all_rows:
        allowed = ALL_ROWS
    return min(allowed, draft.request.max_rows or allowed)
