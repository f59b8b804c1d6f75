"""The REST door over a real engine and database, called in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.db import connection
from pytest_django.fixtures import Settings

from config.rest import PROBLEM_TYPE
from datasets.keys import create_api_key, revoke_api_key
from datasets.models import ApiKey, Dataset
from logs_analytics.admin import DoorFilter
from logs_analytics.models import QueryLog
from mcp_gateway.server import MAX_BODY_BYTES
from querying.engine import Engine

pytestmark = pytest.mark.django_db(transaction=True)

EXECUTE = "/api/v1/query/execute"
COUNT = {"dataset": "shop", "sql": "SELECT count(*) AS n FROM users"}


@pytest.fixture
async def http(
    engine: Engine, make_active: Callable[..., Dataset], shop_dsn: str, settings: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key for every dataset; `shop` is live."""
    settings.ALLOWED_HOSTS = ["testserver"]
    await sync_to_async(make_active)("shop", shop_dsn)
    token = await sync_to_async(create_api_key)("script", owner="ana", organisation="Acme")
    await engine.refresh()
    django = get_asgi_application()

    async def application(scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI
        await django({**scope, "engine": engine}, receive, send)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=application),
        base_url="http://testserver",
        headers={"Authorization": f"Bearer {token}", "User-Agent": "python-script/1"},
    ) as client:
        yield client


def problem_of(response: Any) -> dict[str, Any]:  # Any: what httpx answers, JSON
    assert response.headers["content-type"] == PROBLEM_TYPE
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:mcp-analytics:error:{document['code']}"
    assert document["detail"] == document["message"]
    return document


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_answers_with_rows_and_all_that_is_known_of_them(http: httpx2.AsyncClient, engine: Engine) -> None:
    sql = "SELECT gender, count(*) AS n, avg(weight) AS w, min(born) AS born FROM users GROUP BY gender ORDER BY gender"

    answer = (await http.post(EXECUTE, json={"dataset": "shop", "sql": sql})).json()

    assert answer["columns"] == [
        {"name": "gender", "type": "text"},
        {"name": "n", "type": "int8"},
        {"name": "w", "type": "numeric"},
        {"name": "born", "type": "date"},
    ]
    assert answer["rows"] == [["Female", 25, 1.5, "1980-01-03"], ["Male", 25, 1.5, "1980-01-02"]]
    assert (answer["status"], answer["row_count"], answer["truncated"]) == ("answered", 2, False)
    assert (answer["weighting"], answer["catalog_version"]) == ("design_not_confirmed", engine.catalog.version)
    assert (answer["bases"], answer["weight"], answer["cached"]) == (None, None, False)
    assert answer["markdown"].startswith("|gender|n|w|born|")
    assert "Unweighted: design not confirmed." in answer["markdown"]


async def test_numbers_keep_every_digit(http: httpx2.AsyncClient) -> None:
    sql = "SELECT 12345678901234567890.123456789 AS n, 'NaN'::float8 AS x"

    answer = await http.post(EXECUTE, json={"dataset": "shop", "sql": sql})

    assert '"rows":[[12345678901234567890.123456789,"NaN"]]' in answer.text


async def test_is_in_the_log_like_every_question(http: httpx2.AsyncClient) -> None:
    answer = (await http.post(EXECUTE, json=COUNT)).json()

    row = await QueryLog.objects.aget()
    assert str(row.id) == answer["id"]
    assert row.door in dict(DoorFilter.choices_shown)
    assert (row.door, row.tool, row.outcome, row.person, row.api_key) == (
        "rest",
        "execute_query",
        "answered",
        "ana",
        "script",
    )
    assert (row.organisation, row.user_agent, row.datasets, row.row_count) == ("Acme", "python-script/1", ["shop"], 1)


async def test_shows_fewer_rows_on_request_and_says_that_there_are_more(http: httpx2.AsyncClient) -> None:
    sql = "SELECT born, count(*) AS n, sum(weight) AS w FROM users GROUP BY born ORDER BY born"

    few = (await http.post(EXECUTE, json={"dataset": "shop", "sql": sql, "max_rows": 2})).json()
    short = (await http.post(EXECUTE, json={"dataset": "shop", "sql": sql, "max_tokens": 200})).json()

    assert (few["rows"], few["row_count"], few["truncated_by"]) == (
        [["1980-01-02", 1, 1.5], ["1980-01-03", 1, 1.5]],
        2,
        "rows",
    )
    assert 2 < len(short["rows"]) == short["row_count"] < 50
    assert (short["truncated"], short["truncated_by"]) == (True, "tokens")


async def test_raw_rows_are_limited_as_everywhere(http: httpx2.AsyncClient) -> None:
    answer = (await http.post(EXECUTE, json={"dataset": "shop", "sql": "SELECT id FROM users", "max_rows": 40})).json()

    assert (answer["query_type"], answer["row_count"], answer["truncated"]) == ("raw", 5, True)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_refused_statement_is_a_problem_with_a_way_out_on_the_record(http: httpx2.AsyncClient) -> None:
    refused = await http.post(EXECUTE, json={"dataset": "shop", "sql": "DELETE FROM users"})

    problem = problem_of(refused)
    assert (refused.status_code, problem["code"], problem["retryable"]) == (403, "query_refused", False)
    assert problem["hint"]
    row = await QueryLog.objects.aget()
    assert (row.outcome, row.error_code, row.query_text) == ("refused", "query_refused", "DELETE FROM users")
    assert problem["instance"] == f"urn:uuid:{row.id}"


async def test_context_of_an_error_is_told(http: httpx2.AsyncClient) -> None:
    refused = await http.post(EXECUTE, json={"dataset": "shop", "sql": "SELECT gendr FROM users"})

    assert problem_of(refused)["context"]["nearest"] == ["gender"]


async def test_a_dataset_that_is_not_yours_and_one_that_is_not_there_look_the_same(
    http: httpx2.AsyncClient, engine: Engine, make_active: Callable[..., Dataset], shop_dsn: str
) -> None:
    await sync_to_async(make_active)("other", shop_dsn)
    token = await sync_to_async(create_api_key)("narrow", all_datasets=False, datasets=["other"])
    await engine.refresh()
    headers = {"Authorization": f"Bearer {token}"}

    yours = await http.post(EXECUTE, json={**COUNT, "dataset": "other"}, headers=headers)
    theirs = await http.post(EXECUTE, json=COUNT, headers=headers)
    absent = await http.post(EXECUTE, json={**COUNT, "dataset": "nope"}, headers=headers)

    assert yours.status_code == 200
    assert theirs.status_code == absent.status_code == 404
    same = {"type", "title", "status", "code", "hint", "retryable"}
    assert {key: problem_of(theirs)[key] for key in same} == {key: problem_of(absent)[key] for key in same}
    assert problem_of(theirs)["message"] == problem_of(absent)["message"].replace("nope", "shop")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: Field required"),
        (b"{", "is not JSON"),
        (b'{"dataset": "shop", "sql": "SELECT \xff"}', "is not JSON"),
        (rb'{"dataset": "shop", "sql": "SELECT \ud800"}', "is not JSON"),
        (b"[]", "not valid"),
        (b'{"dataset": "shop"}', "sql: Field required"),
        (b'{"dataset": "shop", "sql": "SELECT 1", "weight": true}', "weight: Extra inputs are not permitted"),
        (b'{"dataset": "shop", "sql": "SELECT 1", "max_rows": 0}', "max_rows: "),
        (b'{"dataset": "shop", "sql": "SELECT 1", "apply_weights": NaN}', "is not JSON"),
        (b" " * (MAX_BODY_BYTES + 1), "larger than"),
        (b" " * 3_000_000, "larger than"),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_on_the_record(
    http: httpx2.AsyncClient, body: bytes, message: str
) -> None:
    refused = await http.post(EXECUTE, content=body, headers={"Content-Type": "application/json"})

    problem = problem_of(refused)
    assert (refused.status_code, problem["code"]) == (400, "invalid_request")
    assert message in problem["message"]
    row = await QueryLog.objects.aget()
    assert (row.door, row.outcome, row.error_code, row.api_key) == ("rest", "refused", "invalid_request", "script")


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer nonsense", "Basic {token}", "{token}", "Bearer {token}x", "Bearer x {token}"],
)
async def test_without_a_valid_key_nothing_is_told(http: httpx2.AsyncClient, authorization: str) -> None:
    token = http.headers["Authorization"].removeprefix("Bearer ")
    http.headers["Authorization"] = authorization.format(token=token)

    refused = await http.post(EXECUTE, content=b"{")

    problem = problem_of(refused)
    assert (refused.status_code, problem["code"], "instance" in problem) == (401, "unauthenticated", False)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert token not in refused.text


async def test_revoked_and_expired_keys_end_at_once(http: httpx2.AsyncClient, engine: Engine) -> None:
    late = await sync_to_async(create_api_key)("late", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    await sync_to_async(revoke_api_key)((await ApiKey.objects.aget(name="script")).pk)
    await engine.refresh()

    revoked = await http.post(EXECUTE, json=COUNT)
    expired = await http.post(EXECUTE, json=COUNT, headers={"Authorization": f"Bearer {late}"})

    assert (revoked.status_code, expired.status_code) == (401, 401)


async def test_a_session_of_the_admin_opens_nothing(http: httpx2.AsyncClient) -> None:
    del http.headers["Authorization"]

    refused = await http.post(EXECUTE, json=COUNT, headers={"Cookie": "sessionid=x; csrftoken=x"})

    assert refused.status_code == 401


async def test_an_answer_that_cannot_be_logged_is_withheld(http: httpx2.AsyncClient) -> None:
    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE logs_analytics_querylog RENAME TO hidden")

    def restore() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO logs_analytics_querylog")

    await sync_to_async(drop)()
    try:
        withheld = await http.post(EXECUTE, json=COUNT)
    finally:
        await sync_to_async(restore)()

    problem = problem_of(withheld)
    assert (withheld.status_code, problem["code"], problem["retryable"]) == (503, "record_unavailable", True)
    assert "rows" not in problem


# ── around it ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_documentation_is_served_without_a_key_and_without_other_servers(http: httpx2.AsyncClient) -> None:
    page = await http.get("/api/docs", headers={"Authorization": ""})
    schema = (await http.get("/api/openapi.json", headers={"Authorization": ""})).json()

    assert page.status_code == 200
    assert "cdn" not in page.text
    operation = schema["paths"][EXECUTE]["post"]
    assert operation["security"] == [{"ApiKeyAuth": []}]
    assert schema["components"]["securitySchemes"]["ApiKeyAuth"] == {"type": "http", "scheme": "bearer"}
    assert {"200", "401", "403", "503"} <= set(operation["responses"])
    assert list(operation["responses"]["403"]["content"]) == [PROBLEM_TYPE]
    assert list(operation["responses"]["200"]["content"]) == ["application/json"]
    assert "shop" not in json.dumps(schema)
