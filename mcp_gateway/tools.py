"""The tools. Each parses, calls one service, and renders; its docstring is what a model reads."""

from __future__ import annotations

from typing import Annotated, Literal

from fastmcp import FastMCP
from fastmcp.server.context import Context
from fastmcp.tools import ToolResult
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_gateway.calls import ClientMemory, build_call
from mcp_gateway.rendering import render_query, render_text
from querying import services
from querying.engine import Engine
from querying.sql.plan import QueryRequest

DatasetName = Annotated[
    str, Field(description="A name from list_datasets.", min_length=1, max_length=63, examples=["panel_in"])
]


def _read_only(title: str) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )


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

    @mcp.tool(title="Run a query", annotations=_read_only("Run a query"))
    async def execute_query(
        context: Context,
        dataset: DatasetName,
        sql: Annotated[
            str,
            Field(
                description="One SELECT in PostgreSQL's dialect over the dataset's tables.",
                min_length=1,
                examples=["SELECT gender, count(*) AS n FROM panel_users GROUP BY gender"],
            ),
        ],
        weighting: Annotated[
            Literal["auto", "off"],
            Field(
                description="auto weights to the population where the dataset's design is confirmed; off never does."
            ),
        ] = "auto",
        max_rows: Annotated[
            int | None, Field(description="Show at most this many rows (the policy's limit still holds).", ge=1)
        ] = None,
    ) -> ToolResult:
        """Run one SELECT and get rows as Markdown, with how they were weighted.

        Example: execute_query(dataset="panel_in", sql="SELECT gender, count(*) AS n FROM panel_users GROUP BY gender").
        Refuses anything that writes, more than one statement, tables outside the dataset, and functions that reach
        outside the data; the refusal says what to write instead. Rows that are not aggregated are limited to a few:
        aggregate in SQL. Call describe_dataset first for names.
        """
        call = build_call(context, "execute_query", engine=engine, memory=memory)
        request = QueryRequest(dataset=dataset, sql=sql, weighting=weighting, max_rows=max_rows)
        (answer,) = await services.answer(call, [request], engine=engine)
        return render_query(answer, client=call.client)
