"""From a service's answer to what a client receives: the model sees the rows exactly once."""

from __future__ import annotations

from typing import Any

from fastmcp.tools import ToolResult

from config.errors import GatewayError
from logs_analytics.records import Client, Outcome
from mcp_gateway.clients import Channel, channel_of
from querying.results import QueryResult
from querying.services import Answer, T

Structured = dict[str, Any]  # Any: JSON

WEIGHTING_SENTENCES = {
    "off": "Unweighted, as asked.",
    "none": "Unweighted: no weights here.",
    "design_not_confirmed": "Unweighted: design not confirmed.",
}


def render_query(answer: Answer[QueryResult], *, client: Client) -> ToolResult:
    """Rows as Markdown; columns, status, weighting and ids as structured content."""
    if answer.value is None or answer.plan is None:
        return render_failure(answer, client=client)
    result, plan = answer.value, answer.plan
    notes = [f"{len(result.rows)} row{'' if len(result.rows) == 1 else 's'}."]
    if result.truncated:
        notes.append(_truncation(result, plan.query_type, plan.max_rows))
    notes.append(WEIGHTING_SENTENCES[plan.weighting])
    notes += plan.warnings
    structured = {
        "dataset": answer.dataset,
        "columns": [{"name": column.name, "type": column.type} for column in result.columns],
        "row_count": len(result.rows),
        "truncated": result.truncated,
        "query_type": plan.query_type,
        "weighting": plan.weighting,
        "bases": None,
        "warnings": list(plan.warnings),
    }
    return _complete(answer, f"{answer.text}\n\n{' '.join(notes)}", structured, client)


def _truncation(result: QueryResult, query_type: str, max_rows: int) -> str:
    if result.truncated_by == "bytes":
        return "Truncated at the size limit: select fewer or shorter columns."
    if query_type == "raw":
        return f"Truncated: raw rows are limited to {max_rows}; aggregate (GROUP BY) to see everything."
    return f"Truncated at {max_rows} rows: group more coarsely, filter, or page with ORDER BY and OFFSET."


def render_text(answer: Answer[T], structured: Structured, *, client: Client) -> ToolResult:
    """An answer whose text is already the whole of it."""
    if answer.outcome is not Outcome.ANSWERED:
        return render_failure(answer, client=client)
    return _complete(answer, answer.text, structured, client)


def _complete(answer: Answer[T], text: str, structured: Structured, client: Client) -> ToolResult:
    head = {"id": str(answer.id), "status": answer.outcome.value, "catalog_version": answer.catalog_version}
    body = {**head, **structured}
    # a client that drops the text gets it here; one that is unknown gets both complete
    if channel_of(client) in {Channel.STRUCTURED, Channel.UNKNOWN}:
        body["markdown"] = text
    return ToolResult(content=text, structured_content=body)


def render_failure(answer: Answer[T], *, client: Client) -> ToolResult:
    assert answer.error is not None
    head = {"id": str(answer.id), "status": answer.outcome.value, "catalog_version": answer.catalog_version}
    return render_error(answer.error, head)


def render_error(error: GatewayError, head: Structured) -> ToolResult:
    text = f"{error.code}: {error.message}" + (f" {error.hint}" if error.hint else "")
    return ToolResult(content=text, structured_content={**head, "error": error.as_dict()}, is_error=True)
