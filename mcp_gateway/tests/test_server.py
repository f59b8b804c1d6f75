"""The MCP server over a real engine, called in process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from datasets.keys import create_api_key
from datasets.models import Dataset
from logs_analytics.models import QueryLog
from mcp_gateway.server import build_app
from querying.engine import Engine

pytestmark = pytest.mark.django_db(transaction=True)


async def call_with_key(engine: Engine, token: str, between: Callable[[], Any]) -> Any:  # Any: mcp's CallToolResult
    """One execute_query through the whole HTTP application; `between` runs after the key was verified."""
    app = build_app(engine, allowed_hosts=["testserver"], allowed_origins=[])
    async with (
        app.lifespan(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), headers={"Authorization": f"Bearer {token}"}
        ) as http,
        Client(streamable_http_client("http://testserver/mcp", http_client=http)) as client,
    ):
        between()
        return await client.call_tool("execute_query", {"dataset": "shop", "sql": "SELECT count(*) AS n FROM users"})


async def test_answers_with_the_clients_own_name_on_the_record(
    make_active: Callable[..., Dataset], engine: Engine, shop_dsn: str
) -> None:
    await sync_to_async(make_active)("shop", shop_dsn)
    token = await sync_to_async(create_api_key)("chat", owner="ana")
    await engine.refresh()

    result = await call_with_key(engine, token, between=lambda: None)

    assert result.content[0].text.startswith("|n|\n|---|\n|50|")
    row = await QueryLog.objects.aget()
    assert (row.person, row.api_key, row.client, row.door) == ("ana", "chat", "mcp", "mcp")


async def test_a_key_that_goes_away_during_a_call_is_refused_on_the_record(
    make_active: Callable[..., Dataset], engine: Engine, shop_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sync_to_async(make_active)("shop", shop_dsn)
    token = await sync_to_async(create_api_key)("chat", owner="ana")
    await engine.refresh()
    verified = dict(engine.catalog.keys)

    def revoke() -> None:
        # the verifier still finds the key, the tool no longer does
        monkeypatch.setattr("mcp_gateway.auth.verify_token", lambda *_, **__: next(iter(verified.values())))
        object.__setattr__(engine.catalog, "keys", {})

    result = await call_with_key(engine, token, between=revoke)

    assert result.is_error
    assert result.structured_content["error"]["code"] == "unauthenticated"
    row = await QueryLog.objects.aget()
    assert (row.outcome, row.error_code, row.api_key) == ("refused", "unauthenticated", "chat")
