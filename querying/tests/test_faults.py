"""What becomes of questions when callers leave and databases fail: servers that are stopped, frozen and crowded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from config.errors import GatewayBusy, SourceUnavailable
from datasets.catalog import DatasetSpec
from datasets.connections import open_session
from datasets.models import Dataset
from querying.engine import Engine
from querying.pools import Pools
from querying.tests.lending import (
    MakePools,
    OwnServer,
    ask_pool,
    codes,
    dataset_of,
    datasets_on,
    frozen,
    settled,
    timed,
    until,
)
from querying.tests.test_services import ask, error_of, rows_of
from tests.servers import SERVERS

pytestmark = pytest.mark.usefixtures("tidy")
AT_ONCE_S = 0.05
NOISE_S = 0.4  # of a busy machine, where something else than the speed is meant
ENDLESS = "SELECT count(*) AS endless FROM events a, events b, events c"
# 200 rows come at once, the next one never
SLOW_ROWS = (
    "SELECT id, CASE WHEN id > 200 THEN (SELECT count(*) FROM events b, events c, events d) END AS n FROM events"
)


# ── callers who leave ────────────────────────────────────────────────────────────────────────────────────────
@pytest_asyncio.fixture
async def shop(make_active: Callable[..., Dataset], engine: Engine, server: OwnServer) -> AsyncIterator[Dataset]:
    dataset = await sync_to_async(make_active)("shop", server.url())
    await engine.refresh()
    assert await rows_of(engine, "SELECT 1 AS one") == ((1,),)
    await settled(engine.pools)
    yield dataset


async def leave(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def gone_from(server: OwnServer, engine: Engine) -> float:
    """Seconds until no statement runs there any more and every turn was given back, and it answers still."""
    took = await until(lambda: not server.backends("state = 'active'"), within_s=10)
    await settled(engine.pools)
    assert await rows_of(engine, "SELECT count(*) AS n FROM users") == ((50,),)
    return took


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_while_the_statement_runs_stops_it(shop: Dataset, engine: Engine, server: OwnServer) -> None:
    task = asyncio.create_task(ask(engine, ENDLESS))
    await until(lambda: server.backends("state = 'active' AND query LIKE '%endless%'"), within_s=10)

    await leave(task)

    assert await gone_from(server, engine) < 5


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_while_rows_are_fetched_stops_the_statement(
    shop: Dataset, engine: Engine, server: OwnServer
) -> None:
    task = asyncio.create_task(ask(engine, SLOW_ROWS, reveal_all_rows=True))
    await until(lambda: server.backends("state = 'active' AND query LIKE '%200%'"), within_s=10)
    await asyncio.sleep(0.2)

    await leave(task)

    assert await gone_from(server, engine) < 5


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_while_a_transaction_begins_costs_one_connection(
    shop: Dataset, engine: Engine, server: OwnServer
) -> None:
    (backend,) = server.backends()
    with frozen(backend):
        task = asyncio.create_task(ask(engine, "SELECT 2 AS two"))
        await asyncio.sleep(0.3)
        await leave(task)

    assert await gone_from(server, engine) < 5
    assert backend not in server.backends()


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_while_it_connects_leaves_nothing(shop: Dataset, engine: Engine, server: OwnServer) -> None:
    server.end_sessions()
    with frozen(server.child.process.pid):
        task = asyncio.create_task(ask(engine, "SELECT 2 AS two"))
        await asyncio.sleep(0.3)
        await leave(task)

    assert await gone_from(server, engine) < 5
    assert engine.pools.open_connections == 1


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_the_queue_leaves_nothing(shop: Dataset, engine: Engine, server: OwnServer) -> None:
    key = engine.catalog.datasets["shop"].connection_id
    share = engine.pools.caller_size
    running = [asyncio.create_task(ask(engine, f"{ENDLESS} WHERE a.id > {number}")) for number in range(share)]
    await until(lambda: len(server.backends("state = 'active'")) == share, within_s=10)
    waiting = asyncio.create_task(ask(engine, "SELECT 2 AS two"))
    await asyncio.sleep(0.1)
    assert engine.pools._turns.waiting(key) == 1

    await leave(waiting)

    assert (engine.pools._turns.waiting(key), engine.pools._turns.running(key)) == (0, share)
    for task in running:
        await leave(task)
    assert await gone_from(server, engine) < 5


@pytest.mark.django_db(transaction=True)
async def test_one_of_two_who_share_a_statement_leaves_alone(shop: Dataset, engine: Engine, server: OwnServer) -> None:
    slow = "SELECT count(*) AS n FROM events a, events b, users c"
    leaving, staying = (asyncio.create_task(ask(engine, slow)) for _ in range(2))
    await until(lambda: server.backends("state = 'active'"), within_s=10)

    await leave(leaving)

    assert (await staying).value is not None


@pytest.mark.django_db(transaction=True)
async def test_a_locked_table_is_a_timeout_of_its_own_words(shop: Dataset, engine: Engine, server: OwnServer) -> None:
    with psycopg.connect(server.url("postgres")) as other:
        other.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        error, took = await timed(error_of(engine, "SELECT count(*) AS n FROM users"))

    assert (error.code, "locked" in error.message) == ("query_timeout", True)
    assert 1.5 < took < 5
    assert await gone_from(server, engine) < 5


@pytest.mark.django_db(transaction=True)
async def test_a_backend_killed_while_rows_are_fetched_gives_no_half_answer(
    shop: Dataset, engine: Engine, server: OwnServer
) -> None:
    asked = asyncio.create_task(error_of(engine, SLOW_ROWS, reveal_all_rows=True))
    await until(lambda: server.backends("state = 'active' AND query LIKE '%200%'"), within_s=10)
    await asyncio.sleep(0.2)

    server.end_sessions()
    error = await asked

    assert (error.code, error.retryable) == ("source_unavailable", True)
    assert await gone_from(server, engine) < 5


# ── connections that break ───────────────────────────────────────────────────────────────────────────────────
async def test_a_backend_killed_while_a_transaction_begins_is_replaced(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    killed = await ask_pool(pools, dataset)
    await settled(pools)
    with frozen(killed):
        asked = asyncio.create_task(ask_pool(pools, dataset))
        await asyncio.sleep(0.2)
        os.kill(killed, signal.SIGTERM)

    assert await asked != killed


async def test_after_a_restart_the_next_question_is_answered_as_if_nothing_had_been(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await asyncio.gather(*(ask_pool(pools, dataset, "SELECT pg_sleep(0.2)") for _ in range(4)))
    await settled(pools)
    server.restart()

    assert await ask_pool(pools, dataset, "SELECT 1") == 1
    await settled(pools)
    assert pools.open_connections == 1


async def test_after_a_crash_it_answers_again_within_seconds(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    backend = await ask_pool(pools, dataset)
    await settled(pools)
    os.kill(backend, signal.SIGKILL)  # the server ends all sessions and recovers

    outcomes = []
    async with asyncio.timeout(10):
        while "answered" not in outcomes:
            outcomes += codes([(await timed(ask_pool(pools, dataset)))[0]])
            await asyncio.sleep(0.02)

    assert set(outcomes) <= {"answered", "gateway_busy", "source_unavailable"}


async def test_a_server_that_hangs_costs_one_question_some_seconds(
    server: OwnServer, make_pools: MakePools, short_connect: float
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await asyncio.gather(*(ask_pool(pools, dataset, "SELECT pg_sleep(0.2)") for _ in range(4)))
    await settled(pools)

    with server.frozen():
        error, took = await timed(ask_pool(pools, dataset))
        others = await asyncio.gather(*(timed(ask_pool(pools, dataset)) for _ in range(20)))

    assert isinstance(error, SourceUnavailable)
    assert took < 2 + short_connect + 2 * NOISE_S  # one BEGIN and one connect, however many were idle
    assert_told_at_once(others)
    assert await recovered(pools, dataset) < 5


# ── a database that is down ──────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def short_connect(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds after which connecting is given up in this test."""
    monkeypatch.setattr(open_session, "__kwdefaults__", {"timeout_s": 1.5})
    return 1.5


def assert_told_at_once(asked: list[tuple[Any, float]]) -> None:
    assert set(codes([error for error, _ in asked])) == {"source_unavailable"}
    assert max(took for _, took in asked) < AT_ONCE_S


async def recovered(pools: Pools, dataset: DatasetSpec) -> float:
    """Seconds until a probe found the database well and a question was answered."""
    start = time.monotonic()
    async with asyncio.timeout(10):
        while pools._pools[dataset.connection_id].breaker.is_open:  # noqa: ASYNC110 - the pools have no event for it
            await asyncio.sleep(0.01)
    assert await ask_pool(pools, dataset, "SELECT 1") == 1
    return time.monotonic() - start


async def fail(pools: Pools, dataset: DatasetSpec, times: int = 3) -> list[Any]:
    return [(await timed(ask_pool(pools, dataset)))[0] for _ in range(times)]


async def test_who_asks_a_database_that_is_down_is_told_at_once(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await ask_pool(pools, dataset)
    server.stop()

    first = await fail(pools, dataset)
    others = await asyncio.gather(*(timed(ask_pool(pools, dataset, caller=f"{n}")) for n in range(50)))

    assert set(codes(first)) == {"source_unavailable"}
    assert_told_at_once(others)


async def test_a_database_that_is_down_disturbs_no_other(
    server: OwnServer, make_pools: MakePools, short_connect: float
) -> None:
    pools, dataset = make_pools(size=2, budget=3), dataset_of(server.url())
    other = dataset_of(SERVERS.runtime.postgres_superuser_url, "other")
    await ask_pool(pools, other)
    with server.frozen():
        hanging = [asyncio.create_task(timed(ask_pool(pools, dataset))) for _ in range(8)]
        await asyncio.sleep(0.2)

        answers = [await timed(ask_pool(pools, other, "SELECT 1")) for _ in range(20)]

        assert [answer for answer, _ in answers] == [1] * 20
        assert max(took for _, took in answers) < NOISE_S
        assert {error.code for error, _ in await asyncio.gather(*hanging)} == {"source_unavailable"}


async def test_a_database_that_comes_back_is_asked_again_and_no_caller_pays_for_it(
    server: OwnServer, make_pools: MakePools, short_connect: float
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    meanwhile = []
    with server.frozen():
        await fail(pools, dataset, 1)
        for _ in range(40):  # a probe begins after half a second, and takes longer than all of this
            meanwhile.append(await timed(ask_pool(pools, dataset)))
            await asyncio.sleep(0.04)

    assert_told_at_once(meanwhile)
    assert await recovered(pools, dataset) < 5


async def test_a_server_that_was_started_again_is_asked_again(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    server.stop()
    await fail(pools, dataset)

    server.start()

    assert await recovered(pools, dataset) < 5


@contextmanager
def silent_listener() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"postgresql://reader:p@127.0.0.1:{listener.getsockname()[1]}/shop"


@contextmanager
def full_listener() -> Iterator[str]:
    """An address where even the kernel does not answer: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield f"postgresql://reader:p@127.0.0.1:{listener.getsockname()[1]}/shop"


@pytest.mark.parametrize("listener", [silent_listener, full_listener])
async def test_an_address_that_never_answers_costs_the_first_caller_alone(
    make_pools: MakePools, short_connect: float, listener: Callable[[], Any]
) -> None:
    pools = make_pools(size=3, acquire_timeout_ms=20_000)
    with listener() as url:
        dataset = dataset_of(url)
        first = asyncio.create_task(timed(ask_pool(pools, dataset, caller="first")))
        await asyncio.sleep(1)
        # two of them connect too, the others wait for their turn
        later = [asyncio.create_task(timed(ask_pool(pools, dataset, caller=f"{n}"))) for n in range(10)]

        error, took = await first
        told = await asyncio.gather(*later)
        others = await asyncio.gather(*(timed(ask_pool(pools, dataset)) for _ in range(10)))

    assert isinstance(error, SourceUnavailable)
    assert took < short_connect + NOISE_S
    assert set(codes([error for error, _ in told])) == {"source_unavailable"}
    assert max(took for _, took in told) < short_connect - 1 + NOISE_S
    assert_told_at_once(others)


@asynccontextmanager
async def hanging_up() -> AsyncIterator[tuple[str, list[float]]]:
    """An address that hangs up at once, and the times at which it was called."""
    calls: list[float] = []

    def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(time.monotonic())
        writer.transport.abort()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"postgresql://reader:p@127.0.0.1:{port}/shop?sslmode=disable", calls


async def test_probes_become_rarer(make_pools: MakePools) -> None:
    pools = make_pools()
    async with hanging_up() as (url, calls):
        await fail(pools, dataset_of(url))
        calls.clear()
        start = time.monotonic()

        async with asyncio.timeout(8):
            while len(calls) < 3:  # noqa: ASYNC110 - probes have no event
                await asyncio.sleep(0.01)

    first, second, third = (call - start for call in calls)
    assert second - first > 1.3 * first
    assert third - second > 1.3 * (second - first)


async def test_nobody_probes_for_a_dataset_that_went(make_pools: MakePools) -> None:
    pools = make_pools()
    async with hanging_up() as (url, calls):
        await fail(pools, dataset_of(url))
        calls.clear()

        pools.keep_only(())
        await asyncio.sleep(1)

    assert calls == []
    assert pools._tasks == set()


async def test_a_database_that_fails_again_is_probed_by_one(make_pools: MakePools, server: OwnServer) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    for _ in range(3):
        server.stop()
        await fail(pools, dataset)
        server.start()
        await recovered(pools, dataset)
        await settled(pools)

    assert [task for task in pools._tasks if task.get_name() == "connection probe"] == []


async def test_a_password_that_was_changed_is_an_outage_until_it_is_changed_back(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    async with pools.session(dataset) as session:
        server.execute("ALTER ROLE reader PASSWORD 'another'")
        try:
            failures = await fail(pools, dataset)
            assert await session.connection.fetchval("SELECT 'goes on'") == "goes on"
        finally:
            server.execute(f"ALTER ROLE reader PASSWORD '{server.password}'")

    assert set(codes(failures)) == {"source_unavailable"}
    assert not any(server.password in str(error) or "another" in str(error) for error in failures)
    assert await recovered(pools, dataset) < 5


async def test_a_database_that_was_dropped_and_made_again_is_asked_again(
    server: OwnServer, make_pools: MakePools
) -> None:
    server.execute("DROP DATABASE IF EXISTS passing", database="postgres")
    server.execute("CREATE DATABASE passing", database="postgres")
    pools, dataset = make_pools(), dataset_of(server.url(database="passing"))
    await ask_pool(pools, dataset)
    server.execute("DROP DATABASE passing WITH (FORCE)", database="postgres")

    failures = await fail(pools, dataset)
    server.execute("CREATE DATABASE passing", database="postgres")

    assert set(codes(failures)) == {"source_unavailable"}
    assert await recovered(pools, dataset) < 5


# ── a server that is full ────────────────────────────────────────────────────────────────────────────────────
async def test_a_full_server_is_busy_and_gets_our_idle_connections_back(
    server: OwnServer, make_pools: MakePools
) -> None:
    server.restart(max_connections="8")  # three of them for superusers
    try:
        pools, (crowded, other) = make_pools(), datasets_on(server, 2)
        await asyncio.gather(*(ask_pool(pools, crowded, "SELECT pg_sleep(0.3)", caller=f"{n}") for n in range(5)))
        await settled(pools)

        error, _ = await timed(ask_pool(pools, other))

        assert isinstance(error, GatewayBusy)
        assert await ask_pool(pools, other, "SELECT 1") == 1
    finally:
        server.restart()


async def test_a_role_whose_connections_are_counted_is_busy(server: OwnServer, make_pools: MakePools) -> None:
    server.execute("ALTER ROLE reader CONNECTION LIMIT 2")
    try:
        pools, dataset = make_pools(), dataset_of(server.url())
        asked = (timed(ask_pool(pools, dataset, "SELECT pg_sleep(0.5)", caller=f"{n}")) for n in range(4))
        outcomes = codes([result for result, _ in await asyncio.gather(*asked)])
    finally:
        server.execute("ALTER ROLE reader CONNECTION LIMIT -1")

    assert sorted(outcomes) == ["answered", "answered", "gateway_busy", "gateway_busy"]
    assert not pools._pools[dataset.connection_id].breaker.is_open


async def test_a_full_server_costs_others_no_idle_connection(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    elsewhere = dataset_of(SERVERS.runtime.postgres_superuser_url, "elsewhere")
    kept = await ask_pool(pools, elsewhere)
    await settled(pools)
    server.execute("ALTER ROLE reader CONNECTION LIMIT 0")
    try:
        error, _ = await timed(ask_pool(pools, dataset))
    finally:
        server.execute("ALTER ROLE reader CONNECTION LIMIT -1")

    assert isinstance(error, GatewayBusy)
    assert await ask_pool(pools, elsewhere) == kept


async def test_a_server_that_starts_or_stops_is_busy(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    with psycopg.connect(server.url("postgres")):
        # it waits for that session and refuses others, with the SQLSTATE of a server that still recovers
        server.child.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        error, took = await timed(ask_pool(pools, dataset))
    await asyncio.to_thread(server.child.process.wait, 10)

    assert isinstance(error, GatewayBusy)
    assert took < NOISE_S
