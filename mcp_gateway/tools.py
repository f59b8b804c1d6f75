"""The tools. Each parses, calls one service, and renders; its docstring is what a model reads."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastmcp import FastMCP
from fastmcp.server.context import Context
from fastmcp.tools import ToolResult
from mcp.types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.arguments import (
    Compared,
    Conditions,
    DatasetName,
    Form,
    Groups,
    Metrics,
    PeriodAsked,
    RowsAsked,
    ShowSql,
    Sorted,
    Sql,
    TokenBudget,
    TotalAsked,
    Uncertainty,
    Weighting,
)
from mcp_gateway.calls import ClientMemory, build_call
from mcp_gateway.rendering import render_analysis, render_batch, render_failure, render_query, render_text
from querying import services
from querying.analyses import analyze as answer_question
from querying.analysis.question import parse_question
from querying.batches import MOST_QUERIES, answer_batch, build_batch, fetch_rest
from querying.engine import Engine
from querying.sql.plan import QueryRequest

log = logging.getLogger(__name__)


class BatchQuery(BaseModel):
    """One query of execute_multi_query."""

    model_config = ConfigDict(extra="forbid")
    dataset: DatasetName
    sql: Sql
    label: Annotated[
        str, Field(description="A short name of its own: lower case letters, digits, _. q1, q2 ... when left out.")
    ] = ""
    weighting: Weighting = "auto"
    uncertainty: Uncertainty = "auto"


def _read_only(title: str) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )


async def _report(context: Context, done: int, total: int) -> None:
    try:
        await context.report_progress(done, total)
    except Exception:  # whoever cannot be told how far it is must still be answered
        log.debug("progress could not be reported", exc_info=True)


def register_tools(mcp: FastMCP, engine: Engine, memory: ClientMemory) -> None:
    @mcp.tool(title="List datasets", annotations=_read_only("List datasets"))
    async def list_datasets(context: Context) -> ToolResult:
        """The datasets you can query: name, title, category, dates, what they are about.

        Call this first. Then describe_dataset(dataset) for tables and columns.
        """
        call = build_call(context, "list_datasets", engine=engine, memory=memory)
        answer = await services.list_datasets(call, engine=engine)
        names = [dataset.name for dataset in answer.value or ()]
        return render_text(answer, {"datasets": names}, client=call.client)

    @mcp.tool(title="Describe a dataset", annotations=_read_only("Describe a dataset"))
    async def describe_dataset(
        context: Context,
        dataset: DatasetName,
        tables: Annotated[
            list[str] | None,
            Field(
                description="Only these tables; all of them when left out.", max_length=200, examples=[["panel_users"]]
            ),
        ] = None,
    ) -> ToolResult:
        """Tables and columns of one dataset, with types, keys and meanings.

        Example: describe_dataset(dataset="panel_in"). Next: execute_query with names from here.
        """
        call = build_call(context, "describe_dataset", engine=engine, memory=memory)
        answer = await services.describe_dataset(call, dataset, tables=tables or (), engine=engine)
        shown = [table.qualified_name for table in answer.value or ()]
        return render_text(answer, {"dataset": dataset, "tables": shown}, client=call.client)

    @mcp.tool(title="Analyze without SQL", annotations=_read_only("Analyze without SQL"))
    async def analyze(
        context: Context,
        dataset: DatasetName,
        metrics: Metrics,
        by: Groups = None,
        where: Conditions = None,
        period: PeriodAsked = None,
        compare: Compared = None,
        sort: Sorted = None,
        limit: RowsAsked = None,
        total: TotalAsked = False,
        weighting: Weighting = "auto",
        max_tokens: TokenBudget = None,
        show_sql: ShowSql = False,
    ) -> ToolResult:
        """Answer a question about people without SQL: numbers weighted to the population, each with its base.

        Example: analyze(dataset="panel_in", metrics=[{"kind": "penetration"}], by=["gender"],
        where=[{"column": "app", "value": "YouTube"}], compare="columns").
        Kinds: people (reach), events, sum, mean, share, per_person, frequency, median, quantile, ratio, penetration.
        Without a period it takes the latest full months of the data, by month; reach of months is never added up.
        compare says which differences are significant: with the previous period, a segment, or between groups.
        Refuses unknown columns and values of the wrong type, naming what fits. What this cannot say (joins of two
        tables of events, windows, raw rows): execute_query. Call describe_dataset first for columns.
        """
        call = replace(build_call(context, "analyze", engine=engine, memory=memory), max_tokens=max_tokens)
        document = {"metrics": metrics, "by": by, "where": where, "period": period, "compare": compare, "sort": sort}
        question = parse_question(
            {"dataset": dataset, **document, "limit": limit, "total": total, "weighting": weighting}
        )
        answer = await answer_question(call, question, engine=engine)
        return render_analysis(answer, client=call.client, show_sql=show_sql)

    @mcp.tool(title="Run a query", annotations=_read_only("Run a query"))
    async def execute_query(
        context: Context,
        dataset: DatasetName,
        sql: Sql,
        weighting: Weighting = "auto",
        uncertainty: Uncertainty = "auto",
        max_rows: Annotated[
            int | None, Field(description="Show at most this many rows (the policy's limit still holds).", ge=1)
        ] = None,
        response_format: Form = "markdown",
        max_tokens: TokenBudget = None,
        show_sql: ShowSql = False,
    ) -> ToolResult:
        """Run one SELECT and get rows as Markdown, with how they were weighted.

        Example: execute_query(dataset="panel_in", sql="SELECT gender, count(*) AS n FROM panel_users GROUP BY gender").
        Refuses anything that writes, more than one statement, tables outside the dataset, and functions that reach
        outside the data; the refusal says what to write instead. Rows that are not aggregated are limited to a few:
        aggregate in SQL. Call describe_dataset first for names.
        """
        call = build_call(context, "execute_query", engine=engine, memory=memory)
        call = replace(call, response_format=response_format, max_tokens=max_tokens)
        request = QueryRequest(
            dataset=dataset, sql=sql, weighting=weighting, uncertainty=uncertainty, max_rows=max_rows
        )
        (answer,) = await services.answer(call, [request], engine=engine)
        return render_query(answer, client=call.client, show_sql=show_sql)

    @mcp.tool(title="Run many queries", annotations=_read_only("Run many queries"))
    async def execute_multi_query(
        context: Context,
        queries: Annotated[
            list[BatchQuery],
            Field(
                description="1 to 30 queries, over any datasets.",
                json_schema_extra={"minItems": 1, "maxItems": MOST_QUERIES},
                examples=[
                    [
                        {"dataset": "panel_in", "sql": "SELECT count(*) AS n FROM panel_users", "label": "india"},
                        {"dataset": "panel_us", "sql": "SELECT count(*) AS n FROM respondents", "label": "us"},
                    ]
                ],
            ),
        ],
        combine: Annotated[
            str,
            Field(
                description="Optional SELECT over the labels as tables (DuckDB): joins and ratios across databases. "
                "Its result is then shown instead of its inputs.",
                examples=["SELECT india.n::float / us.n AS ratio FROM india, us"],
            ),
        ] = "",
        response_format: Form = "markdown",
        max_tokens: TokenBudget = None,
        show_sql: ShowSql = False,
    ) -> ToolResult:
        """Run up to 30 queries side by side in one call, each answered under its label.

        Use it whenever you need more than one number. One failure never stops the others. What takes longer than
        the call can wait is fetched with get_result(handle).
        """
        call = build_call(context, "execute_multi_query", engine=engine, memory=memory)
        call = replace(call, response_format=response_format, max_tokens=max_tokens)
        requests = [QueryRequest(**query.model_dump()) for query in queries]
        batch = build_batch(requests, combine=combine)
        made = await answer_batch(call, batch, engine=engine, report=partial(_report, context))
        return render_batch(made, client=call.client, show_sql=show_sql)

    @mcp.tool(title="Get the rest of an answer", annotations=_read_only("Get the rest of an answer"))
    async def get_result(
        context: Context,
        handle: Annotated[
            str, Field(description="From an answer of execute_multi_query.", min_length=1, max_length=100)
        ],
        response_format: Form = "markdown",
        max_tokens: TokenBudget = None,
    ) -> ToolResult:
        """The answers that execute_multi_query could not wait for. It waits for them; call it again if some remain.

        Handles live 10 minutes and work only for the caller who got them.
        """
        call = build_call(context, "get_result", engine=engine, memory=memory)
        call = replace(call, response_format=response_format, max_tokens=max_tokens)
        answer = await fetch_rest(call, handle, engine=engine)
        return render_failure(answer) if answer.value is None else render_batch(answer.value, client=call.client)
