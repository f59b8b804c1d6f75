from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from logs_analytics.records import Client, Outcome
from mcp_gateway.clients import Channel, channel_of, identify
from mcp_gateway.rendering import render_query
from querying.cache import Kept
from querying.results import Column, QueryResult, render
from querying.services import Answer
from querying.sql.plan import QueryPlan

ROWS = QueryResult((Column("app", "text"), Column("n", "int8")), (("WhatsApp", "421"), ("YouTube", "377")))
PLAN = QueryPlan(
    sql="SELECT 1", fingerprint="f", query_type="aggregated", weighting="design_not_confirmed", max_rows=2, tables=()
)


def build_answer(result: QueryResult = ROWS) -> Answer[QueryResult]:
    return Answer(
        id=UUID(int=7),
        outcome=Outcome.ANSWERED,
        catalog_version=3,
        dataset="panel_in",
        plan=PLAN,
        value=result,
        kept=Kept(result),
        shown=render(result, "markdown", max_tokens=10_000),
    )


@pytest.mark.parametrize(
    ("name", "user_agent", "known", "confidence"),
    [
        ("claude-code", "", "claude-code", "high"),
        ("Claude", "", "claude", "high"),
        ("claude-ai", "python-httpx", "claude", "high"),
        ("openai-mcp", "", "chatgpt", "high"),
        ("Cursor", "", "cursor", "high"),
        ("Visual Studio Code", "", "vscode", "high"),
        ("", "claude-code/2.1 (cli)", "claude-code", "low"),
        ("inspector-client", "", "inspector", "high"),
        ("mcp", "", "mcp", "medium"),
        ("", "", "unknown", "none"),
        ("<b>|\n`", "", "b", "medium"),
    ],
)
def test_a_client_is_known_by_its_name_then_by_its_user_agent(
    name: str, user_agent: str, known: str, confidence: str
) -> None:
    client = identify(name=name, version="1", user_agent=user_agent)

    assert (client.name, client.confidence) == (known, confidence)


def model_sees(client: Client, result: Any) -> str:  # Any: a ToolResult
    """What each kind of client forwards to its model."""
    text: str = result.content[0].text
    structured = json.dumps(result.structured_content)
    return {
        Channel.TEXT: text,
        Channel.STRUCTURED: structured,
        Channel.BOTH: text + structured,
        Channel.UNKNOWN: text,  # and, the other way round, below
    }[channel_of(client)]


@pytest.mark.parametrize("name", ["claude-code", "chatgpt", "opencode", "langchain", "kimi"])
def test_the_model_sees_the_rows_exactly_once(name: str) -> None:
    client = Client(name=name)

    seen = model_sees(client, render_query(build_answer(), client=client))

    assert seen.count("WhatsApp") == 1
    assert seen.count("421") == 1
    assert "design not confirmed" in seen


def test_an_unknown_client_gets_both_channels_complete() -> None:
    result = render_query(build_answer(), client=Client())

    assert "WhatsApp" in result.content[0].text  # type: ignore[union-attr]  # one text block
    assert "WhatsApp" in result.structured_content["markdown"]  # type: ignore[index]  # it has structured content


def test_truncation_is_a_field_and_a_sentence() -> None:
    truncated = QueryResult(ROWS.columns, ROWS.cells, "rows")

    result = render_query(build_answer(truncated), client=Client(name="chatgpt"))

    assert result.structured_content is not None
    assert result.structured_content["truncated"] is True
    assert "There are more than 2 rows" in result.content[0].text  # type: ignore[union-attr]  # one text block
