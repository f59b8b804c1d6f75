from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from config.errors import QueryTimeout
from logs_analytics.records import Client, Outcome
from mcp_gateway.clients import Channel, channel_of, identify
from mcp_gateway.rendering import render_batch, render_query
from querying.batches import BatchAnswer
from querying.cache import Kept
from querying.results import Column, QueryResult, Rendered, render
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
        timings_ms={"total": 12.3},
        label="q1",
    )


def build_failure() -> Answer[QueryResult]:
    error = QueryTimeout("It took too long.")
    return Answer(id=UUID(int=8), outcome=Outcome.FAILED, catalog_version=3, dataset="panel_in", error=error)


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


@pytest.mark.parametrize("name", ["claude-code", "chatgpt", "opencode", "langchain", "kimi"])
def test_the_model_sees_the_rows_of_many_answers_exactly_once(name: str) -> None:
    client = Client(name=name)
    answers = (build_answer(), replace(build_failure(), label="q2"))

    seen = model_sees(client, render_batch(BatchAnswer(answers, ("q3",), "abc"), client=client))

    assert seen.count("WhatsApp") == 1
    assert seen.count("421") == 1
    assert "query_timeout: It took too long." in seen
    assert "get_result(handle=" in seen


def test_a_batch_is_an_error_only_where_everything_failed() -> None:
    failed, answered = build_failure(), build_answer()

    assert render_batch(BatchAnswer((failed,)), client=Client()).is_error
    assert not render_batch(BatchAnswer((failed, answered)), client=Client()).is_error
    assert not render_batch(BatchAnswer((failed,), ("q2",), "abc"), client=Client()).is_error


def test_each_answer_of_a_batch_has_its_own_status_and_time() -> None:
    result = render_batch(BatchAnswer((build_answer(), build_failure())), client=Client(name="chatgpt"))

    assert result.structured_content is not None
    first, second = result.structured_content["queries"]
    assert (first["status"], first["ms"], first["row_count"]) == ("answered", 12, 2)
    assert (second["status"], second["error"]["code"]) == ("failed", "query_timeout")
    assert second["error"]["hint"]


def test_a_kept_result_says_so_with_its_age() -> None:
    result = render_query(replace(build_answer(), age_s=12.3), client=Client(name="chatgpt"))

    assert "Cached 12 s ago." in result.content[0].text  # type: ignore[union-attr]  # one text block
    assert result.structured_content is not None
    assert (result.structured_content["cached"], result.structured_content["age_s"]) == (True, 12)


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        (
            Rendered("", 1, 9, "tokens"),
            "Cut at the token budget, of 2: select fewer columns, raise max_tokens, or page",
        ),
        (Rendered("", 1, 9, "bytes"), "Cut at the size limit: select fewer columns"),
        (Rendered("", 0, 9, "tokens"), "Cut at the size limit: select fewer columns"),
        (
            Rendered("", 2, 9, "rows"),
            "more than 2 rows: group more coarsely, filter, or page with ORDER BY and OFFSET 2.",
        ),
    ],
)
def test_what_was_cut_says_how_to_get_the_rest(shown: Rendered, sentence: str) -> None:
    result = render_query(replace(build_answer(), shown=shown), client=Client(name="chatgpt"))

    assert sentence in result.content[0].text  # type: ignore[union-attr]  # one text block
    assert result.structured_content is not None
    assert (result.structured_content["row_count"], result.structured_content["truncated"]) == (shown.rows, True)


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
