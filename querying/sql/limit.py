"""The row limit: by what kind of rows a result has. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.sql.draft import Draft
from querying.sql.raw_rows import RAW, query_type_of

EXPLAIN: Final = "explain"
ALL_ROWS: Final = 1_000_000
PLAN_LINES: Final = 10_000


def classify(draft: Draft) -> Draft:
    """Decide raw or aggregated, by the statement as the caller wrote it."""
    if draft.reading is None or draft.is_explain:
        return replace(draft, query_type=EXPLAIN)
    return replace(draft, query_type=query_type_of(draft.reading, draft.dataset))


def limit(draft: Draft) -> Draft:
    """Put the row limit into the tree. A query plan is never limited."""
    if draft.query_type == EXPLAIN:
        return replace(draft, max_rows=PLAN_LINES)
    max_rows = row_limit(draft, draft.query_type)
    cap_rows(draft.select, max_rows)
    return replace(draft, max_rows=max_rows)


def row_limit(draft: Draft, query_type: str) -> int:
    """The policy's rows for this kind of result, the dataset's own before the system's, lowered by the caller's."""
    name = "raw_rows" if query_type == RAW else "aggregated_rows"
    allowed = limit_of(name, draft.dataset, draft.settings)
    if draft.request.reveal_all_rows:
        allowed = ALL_ROWS
    return min(allowed, draft.request.max_rows or allowed)


def limit_of(name: str, dataset: DatasetSpec | None, settings: SystemSettings) -> int:
    """A limit of `query_limits`: the dataset's own before the system's."""
    allowed: int = (dataset.query_limits if dataset else {}).get(name, getattr(settings.query_limits, name))
    return allowed


def cap_rows(select: pg.SelectStmt, max_rows: int) -> None:
    """Put `LIMIT max_rows + 1` into the tree, in place: one row more than is shown tells that it was cut."""
    if select.limit_option == pg.LIMIT_OPTION_WITH_TIES or not has_plain_limit(select):
        wrap(select)
    wanted = select.limit_count.a_const
    if not wanted.HasField("ival") or wanted.ival.ival > max_rows:
        select.limit_count.CopyFrom(pg.Node(a_const=pg.A_Const(ival=pg.Integer(ival=max_rows + 1), location=-1)))
        select.limit_option = pg.LIMIT_OPTION_COUNT


def has_plain_limit(select: pg.SelectStmt) -> bool:
    """No limit, LIMIT ALL, or LIMIT with a number."""
    if not select.HasField("limit_count"):
        return True
    constant = select.limit_count.a_const
    return bool(constant.isnull or constant.HasField("ival"))


def wrap(select: pg.SelectStmt) -> None:
    """SELECT ...  ->  SELECT * FROM (SELECT ...) AS limited"""
    inner = pg.RangeSubselect(alias=pg.Alias(aliasname="limited"))
    inner.subquery.select_stmt.CopyFrom(select)
    select.Clear()
    select.op, select.limit_option = pg.SETOP_NONE, pg.LIMIT_OPTION_DEFAULT
    select.from_clause.add().range_subselect.CopyFrom(inner)
    star = select.target_list.add().res_target
    star.location = star.val.column_ref.location = -1
    star.val.column_ref.fields.add().a_star.SetInParent()
