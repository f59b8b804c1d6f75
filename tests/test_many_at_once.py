"""Many queries in one call, handles and clients that leave, with real web processes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.product import Product, connect, wait_until
from tests.servers import SERVERS
from tests.test_end_to_end import key, product, read_log, text_of

__all__ = ["key", "product"]
pytestmark = pytest.mark.e2e
SLOW = "SELECT count(*) AS slow FROM generate_series(1, 9000000)"
ENDLESS = "SELECT count(*) AS {name} FROM yrbs a, yrbs b, yrbs c"
OLDER, NEWER = "2025-11-25", "2026-07-28"


@pytest.fixture(scope="module", params=["uvicorn", "daphne", "granian"])
def urls(request: pytest.FixtureRequest, product: Product) -> Iterator[tuple[str, str]]:
    """Two web processes of one kind of server that answer batches after two seconds."""
    started = len(product.children)
    yield tuple(product.start_web(request.param, BATCH_ANSWER_MS="2000") for _ in range(2))  # type: ignore[misc]  # two
    for child in product.children[started:]:
        child.stop()
    del product.children[started:]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_questions_to_four_databases_are_answered_and_combined_in_one_call(
    product: Product, urls: tuple[str, str], key: str, mode: str
) -> None:
    queries = [
        {"dataset": "panel_in", "sql": "SELECT count(*) AS n FROM panel_users", "label": "panel"},
        {"dataset": "nhanes2009", "sql": "SELECT count(*) AS n FROM nhanes_chol", "label": "nhanes"},
        {"dataset": "yrbs2015", "sql": "SELECT count(*) AS n FROM yrbs", "label": "yrbs"},
        {"dataset": "panel_in_monthly", "sql": "SELECT count(*) AS n FROM panel_weights_monthly"},
    ]
    queries = [query | {"weighting": "off"} for query in queries]
    combine = "SELECT panel.n + nhanes.n + yrbs.n + q4.n AS people FROM panel, nhanes, yrbs, q4"
    reported: list[tuple[float, float | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total))

    async with connect(urls[0], key, mode=mode) as client:
        apart = await client.call_tool("execute_multi_query", {"queries": queries}, progress_callback=report)
        together = await client.call_tool("execute_multi_query", {"queries": queries, "combine": combine})

    text = text_of(apart)
    assert [text.count(f"## {label} (") for label in ("panel", "nhanes", "yrbs", "q4")] == [1, 1, 1, 1]
    assert "|n|\n|---|\n|1500|\n" in text
    assert (4, 4) in reported
    assert f"|people|\n|---|\n|{1500 + 8591 + 15624 + 4242}|" in text_of(together)
    ids = [item["id"] for item in together.structured_content["queries"]]
    logged = read_log(product, ids)
    assert len(logged) == 5
    assert {row["tool"] for row in logged.values()} == {"execute_multi_query"}


async def test_a_failure_stands_in_its_place(urls: tuple[str, str], key: str) -> None:
    queries = [
        {"dataset": "yrbs2015", "sql": "SELECT count(*) AS n FROM yrbs"},
        {"dataset": "yrbs2015", "sql": "DROP TABLE yrbs"},
    ]

    async with connect(urls[0], key) as client:
        mixed = await client.call_tool("execute_multi_query", {"queries": queries})
        failed = await client.call_tool("execute_multi_query", {"queries": queries[1:]})
        too_many = await client.call_tool("execute_multi_query", {"queries": queries[:1] * 31})

    assert not mixed.is_error
    assert [item["status"] for item in mixed.structured_content["queries"]] == ["answered", "refused"]
    assert "query_refused: " in text_of(mixed)
    assert failed.is_error
    assert too_many.structured_content["error"]["code"] == "batch_too_large"


async def test_the_rest_is_fetched_from_another_process(urls: tuple[str, str], key: str) -> None:
    queries = [{"dataset": "yrbs2015", "sql": "SELECT 1 AS one"}, {"dataset": "yrbs2015", "sql": SLOW}]
    queries += [{"dataset": "yrbs2015", "sql": f"{SLOW} WHERE {number} > 0"} for number in range(1, 13)]

    async with connect(urls[0], key) as client:
        first = await client.call_tool("execute_multi_query", {"queries": queries})
    assert first.structured_content["status"] == "partial"
    found = {item["label"] for item in first.structured_content["queries"]}
    handle, answered = first.structured_content["handle"], False
    async with connect(urls[1], key) as client:
        for _ in range(20):
            rest = await client.call_tool("get_result", {"handle": handle})
            answered = rest.structured_content["status"] == "answered"
            if answered:
                break

    assert f'get_result(handle="{handle}")' in text_of(first)
    assert answered
    assert found | {item["label"] for item in rest.structured_content["queries"]} == {f"q{n}" for n in range(1, 15)}
    assert "|9000000|" in text_of(rest)


@pytest.mark.parametrize("era", [OLDER, NEWER])
@pytest.mark.parametrize("tool", ["execute_query", "execute_multi_query"])
def test_a_client_that_leaves_takes_its_statements_along(urls: tuple[str, str], key: str, era: str, tool: str) -> None:
    name = f"left_{tool}_{era[:4]}"
    query = {"dataset": "yrbs2015", "sql": ENDLESS.format(name=name), "weighting": "off"}
    caller = send_call(urls[0], key, tool, query if tool == "execute_query" else {"queries": [query] * 3}, era)
    wait_until(lambda: running(name), what="the statement runs", timeout_s=10)

    caller.close()

    assert wait_until(lambda: not running(name), what="the statement is gone", timeout_s=10) < 5


def test_a_client_of_the_api_that_leaves_takes_its_statement_along(
    product: Product, urls: tuple[str, str], key: str
) -> None:
    name = f"left_api_{urlsplit(urls[0]).port}"
    query = {"dataset": "yrbs2015", "sql": ENDLESS.format(name=name), "apply_weights": False}
    caller = send_request(urls[0], key, "/api/v1/query/execute", query, {})
    wait_until(lambda: running(name), what="the statement runs", timeout_s=10)

    caller.close()

    assert wait_until(lambda: not running(name), what="the statement is gone", timeout_s=10) < 5
    wait_until(lambda: outcomes(product, name) == ["cancelled"], what="it is in the log", timeout_s=5)


def outcomes(product: Product, name: str) -> list[str]:
    with psycopg.connect(product.environment["METADATA_DATABASE_URL"], autocommit=True) as metadata:
        found = metadata.execute(
            "SELECT outcome FROM logs_analytics_querylog WHERE strpos(query_text, %s) > 0", [name]
        ).fetchall()
    return [outcome for (outcome,) in found]


def running(name: str) -> bool:
    with psycopg.connect(SERVERS.runtime.postgres_superuser_url, autocommit=True) as server:
        found = server.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND strpos(query, %s) > 0 "
            "AND pid <> pg_backend_pid()",
            [name],
        ).fetchone()
    return bool(found and found[0])


def send_call(url: str, key: str, tool: str, arguments: dict[str, Any], era: str) -> socket.socket:  # Any: JSON
    """The socket of a tools/call whose answer nobody has read yet."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments}  # Any: JSON
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
    }
    if era == NEWER:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    return send_request(
        url, key, "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers
    )


def send_request(url: str, key: str, path: str, document: dict[str, Any], headers: dict[str, str]) -> socket.socket:
    parts, body = urlsplit(url), json.dumps(document).encode()
    sent = {
        "Host": parts.netloc,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    caller = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)
    caller.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return caller
