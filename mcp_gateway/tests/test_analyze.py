"""The tool `analyze` through the whole HTTP application, called by the Python client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from datasets.catalog import DatasetSpec
from datasets.keys import create_api_key
from logs_analytics.models import QueryLog
from mcp_gateway.server import build_app
from querying.analysis.tests.worlds import load_demos, serve
from querying.engine import Engine

pytestmark = pytest.mark.django_db(transaction=True)
Json = dict[str, Any]  # Any: JSON
CallTool = Callable[[Json], Awaitable[Any]]  # Any: mcp's CallToolResult
PANEL: Json = {"dataset": "panel_in", "metrics": ["people"]}


@pytest.fixture(scope="session")
def demos(postgres_superuser_dsn: str) -> dict[str, DatasetSpec]:
    return load_demos(postgres_superuser_dsn)


@asynccontextmanager
async def connected(engine: Engine, token: str) -> AsyncIterator[Client]:
    app = build_app(engine, allowed_hosts=["testserver"], allowed_origins=[])
    async with (
        app.lifespan(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), headers={"Authorization": f"Bearer {token}"}
        ) as http,
        Client(streamable_http_client("http://testserver/mcp", http_client=http)) as client,
    ):
        yield client


@pytest_asyncio.fixture
async def served(transactional_db: None, demos: dict[str, DatasetSpec]) -> AsyncIterator[tuple[Engine, str]]:
    """An engine over the demo datasets, and a key to it."""
    engine = Engine()
    token = await sync_to_async(create_api_key)("chat", owner="ana")
    await engine.start(watching=False)
    yield serve(engine, demos), token
    await engine.stop()


async def analyze(served: tuple[Engine, str], arguments: Json) -> Any:  # Any: mcp's CallToolResult
    # opened and closed in the test's own task, as its cancel scopes want it
    async with connected(*served) as client:
        return await client.call_tool("analyze", arguments)


async def test_answers_with_a_table_its_notes_and_structure(served: tuple[Engine, str]) -> None:
    result = await analyze(served, {**PANEL, "by": ["gender"], "show_sql": True})

    text, body = result.content[0].text, result.structured_content
    assert text.startswith("|gender|people|n|\n|---|---|---|\n|Female|209184698|474|\n|Male|300807138|999|\n\n")
    assert "Question: people; by gender." in text
    assert "Weighted by public.panel_users.weight." in text
    assert "```sql\nSELECT" in text
    assert body["question"] == {
        "dataset": "panel_in",
        "metrics": [{"kind": "people", "label": "people"}],
        "by": ["gender"],
    }
    assert [column["name"] for column in body["columns"]] == ["gender", "people"]
    (cell,) = body["rows"][0]["cells"]
    assert (body["rows"][0]["groups"], cell["n"], cell["value"]) == (["Female"], 474, pytest.approx(209184698.3))
    assert cell["low"] < cell["value"] < cell["high"]
    assert (body["chart"], body["weighting"], body["truncated"], body["period"]) == ("bar", "weighted", False, None)
    assert "panel_users" in body["sql_executed"]


QUESTIONS: list[Json] = [
    {"metrics": ["events"]},
    {"metrics": [{"kind": "sum", "column": "duration_min"}], "by": ["category"]},
    {"metrics": [{"kind": "mean", "column": "duration_min"}], "by": ["app", "week"]},
    {"metrics": [{"kind": "share", "column": "gender", "value": "Female"}], "by": ["nccs"], "compare": "columns"},
    {"metrics": ["per_person", {"kind": "per_person", "column": "duration_min", "per": "everyone"}], "by": ["gender"]},
    {"metrics": ["frequency"], "by": ["quarter"]},
    {"metrics": [{"kind": "median", "column": "duration_min"}], "period": "last_month"},
    {"metrics": [{"kind": "quantile", "column": "duration_min", "q": 0.9}], "by": ["day"]},
    {"metrics": [{"kind": "ratio", "column": "duration_min", "per": "event_id"}], "compare": "previous_period"},
    {"metrics": ["penetration"], "by": ["app"], "sort": "penetration", "limit": 3, "total": True},
    {"metrics": ["people"], "where": "Young women", "compare": {"segment": [], "label": "all"}},
    {"metrics": ["people"], "by": ["Upper class", "gender"], "weighting": "off"},
    {"metrics": ["people"], "where": [{"column": "app", "op": "like", "value": "You%"}], "period": {"last": 2}},
    {"metrics": ["people"], "where": [{"column": "nccs", "op": "is_null"}]},
    {"metrics": ["events"], "where": [{"column": "duration_min", "op": "is_null", "value": False}], "by": ["app"]},
    {"metrics": ["events"], "where": [{"column": "duration_min", "op": "between", "value": [1, 5.5]}]},
    {
        "metrics": ["people"],
        "where": [{"column": "event_date", "op": "between", "value": ["2026-01-05", "2026-01-11"]}],
    },
    {"metrics": ["people"], "where": [{"column": "event_date", "op": "=", "value": "2026-01-05"}]},
    {"metrics": ["people"], "where": [{"column": "state", "op": "!=", "value": "Goa"}]},
    {"metrics": ["people"], "where": [{"column": "age_group", "op": "in", "value": ["18-24", "25-34"]}]},
    {"metrics": ["people"], "period": {"last": 6, "unit": "week"}, "by": ["week(event_date)"]},
    {"metrics": ["people"], "period": {"from": "2026-02-10", "to": "2026-03-05"}, "compare": "previous_period"},
    {"metrics": "people", "by": "gender"},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
async def test_answers_every_kind_of_question_and_records_it_once(question: Json, served: tuple[Engine, str]) -> None:
    if isinstance(question["metrics"], str):  # the schema takes a list; by alone may be a text
        question = {**question, "metrics": [question["metrics"]]}

    result = await analyze(served, {"dataset": "panel_in", **question})

    assert not result.is_error, result.content[0].text
    assert "Next: " in result.content[0].text
    row = await QueryLog.objects.aget()
    assert (str(row.id), row.outcome, row.query_type, row.door) == (
        result.structured_content["id"],
        "answered",
        "analyze",
        "mcp",
    )


REFUSED: list[tuple[Json, str, str]] = [
    ({"metrics": ["reach"]}, "invalid_request", "penetration"),
    ({"by": ["gendr"]}, "invalid_request", "Nearest: gender"),
    ({"where": [{"column": "gender", "op": ">", "value": 1}]}, "invalid_request", "between"),
    ({"where": [{"column": "duration_min", "value": "long"}]}, "invalid_request", "as in 25"),
    ({"where": "Nobody"}, "invalid_request", "Young women"),
    ({"metrics": [{"kind": "quantile", "column": "duration_min", "q": 2}]}, "invalid_request", "0.9"),
    ({"period": "someday"}, "invalid_request", "last_month"),
    ({"compare": "columns"}, "invalid_request", '"by"'),
    ({"by": ["user_id"]}, "invalid_request", "in common"),
    ({"by": ["state", "app"], "compare": "columns", "period": "all"}, "invalid_request", "10 at most"),
    ({"dataset": "nowhere"}, "dataset_not_found", "list_datasets"),
    ({"dataset": "panel_in_monthly", "by": ["app"], "period": "all"}, "weighting_unsupported", '"by": ["month"]'),
    ({"metrics": 7}, "invalid_request", "input schema"),
]


@pytest.mark.parametrize(("question", "code", "way_out"), REFUSED, ids=str)
async def test_refuses_with_a_way_out_on_the_record(
    question: Json, code: str, way_out: str, served: tuple[Engine, str]
) -> None:
    result = await analyze(served, {**PANEL, **question})

    assert result.is_error
    error = result.structured_content["error"]
    assert (error["code"], way_out in error["hint"]) == (code, True), error
    row = await QueryLog.objects.aget()
    assert (row.outcome, row.error_code, row.query_type, row.tool) == ("refused", code, "analyze", "analyze")


async def test_nobody_in_the_answer_is_said(served: tuple[Engine, str]) -> None:
    result = await analyze(served, {**PANEL, "where": [{"column": "gender", "value": "female"}]})

    assert "Nobody fits these conditions." in result.content[0].text


async def test_a_small_budget_cuts_rows_and_says_so(served: tuple[Engine, str]) -> None:
    result = await analyze(served, {**PANEL, "by": ["state", "nccs"], "max_tokens": 400})

    body = result.structured_content
    assert body["truncated"] is True
    assert 0 < body["row_count"] == len(body["rows"]) < 60
    assert "Next: " in result.content[0].text


async def test_a_kept_answer_says_how_old_it_is(served: tuple[Engine, str]) -> None:
    question = {**PANEL, "by": ["state"], "period": "all"}
    await analyze(served, question)

    result = await analyze(served, question)

    assert "Cached 0 s ago." in result.content[0].text
    assert result.structured_content["cached"] is True
