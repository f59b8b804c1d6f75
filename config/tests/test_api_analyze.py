"""Questions without SQL at the REST door, over the demo datasets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from pytest_django.fixtures import Settings

from config.api import AnalysisAnswer
from datasets.catalog import DatasetSpec
from datasets.keys import create_api_key
from logs_analytics.models import QueryLog
from querying.analysis.tests.worlds import load_demos, serve
from querying.engine import Engine

pytestmark = pytest.mark.django_db(transaction=True)
ANALYZE = "/api/v1/analyze"
PEOPLE = {"dataset": "panel_in", "metrics": [{"kind": "people"}]}


@pytest.fixture(scope="session")
def demos(postgres_superuser_dsn: str) -> dict[str, DatasetSpec]:
    return load_demos(postgres_superuser_dsn)


@pytest.fixture
async def http(engine: Engine, demos: dict[str, DatasetSpec], settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    settings.ALLOWED_HOSTS = ["testserver"]
    token = await sync_to_async(create_api_key)("script", owner="ana")
    await engine.refresh()
    serve(engine, demos)
    django = get_asgi_application()

    async def application(scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI
        await django({**scope, "engine": engine}, receive, send)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=application),
        base_url="http://testserver",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


async def test_answers_with_each_number_on_its_base(http: httpx2.AsyncClient) -> None:
    question = {**PEOPLE, "by": ["gender"], "compare": "columns", "total": True, "show_sql": True}

    answer = (await http.post(ANALYZE, json=question)).json()

    assert [(row["groups"], row["cells"][0]["n"]) for row in answer["rows"]] == [(["Female"], 474), (["Male"], 999)]
    cell = answer["rows"][1]["cells"][0]
    assert cell["value"] == pytest.approx(300807137.9)
    assert cell["low"] < cell["value"] < cell["high"]
    assert cell["letters"] == "A"
    assert answer["letters"] == {"A": "Female", "B": "Male"}
    assert answer["total"][0]["cells"][0]["value"] == pytest.approx(509991836.2)
    assert (answer["weighting"], answer["standard_errors"]) == ("weighted", "weights only")
    assert answer["markdown"].startswith("|gender|people|n|\n")
    assert "panel_users" in answer["sql_executed"]
    again = (await http.post(ANALYZE, json=answer["question"])).json()
    assert (again["rows"], again["cached"]) == (answer["rows"], True)


async def test_says_all_that_the_schema_says_and_nothing_else(http: httpx2.AsyncClient) -> None:
    question = {**PEOPLE, "by": ["app"], "period": {"last": 1}, "compare": "previous_period", "limit": 2}

    answer = (await http.post(ANALYZE, json=question)).json()

    assert set(answer) == set(AnalysisAnswer.model_fields)
    assert answer["period"]["previous"] == {"from": "2026-02-01", "to": "2026-02-28"}
    assert [column["role"] for column in answer["columns"]] == ["group", "value", "before", "difference"]
    assert answer["comparison"]["confidence"] == 0.95


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"by": ["gendr"]}, "gender"),
        ({"metrics": [{"kind": "reach"}]}, "penetration"),
        ({"metrics": "people"}, "/api/docs"),
        ({"group_by": ["gender"]}, "/api/docs"),
        ({"period": "someday"}, "last_month"),
    ],
    ids=str,
)
async def test_refuses_what_does_not_fit_on_the_record(
    question: dict[str, Any], said: str, http: httpx2.AsyncClient
) -> None:
    response = await http.post(ANALYZE, json={**PEOPLE, **question})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "invalid_request")
    assert said in problem["hint"]
    row = await QueryLog.objects.aget()
    assert (row.outcome, row.door, row.tool) == ("refused", "rest", "analyze")
    assert problem["instance"] == f"urn:uuid:{row.id}"
