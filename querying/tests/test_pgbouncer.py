"""Datasets behind PgBouncer, which gives one server connection to many clients in turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import asyncpg.connection
import pytest
from asgiref.sync import sync_to_async

from config.errors import SourceUnavailable
from datasets.connections import parse_dsn
from datasets.models import Dataset
from datasets.profiling.contents import read_contents
from datasets.profiling.introspection import fetch_profile
from datasets.profiling.judging import judge
from querying.engine import Engine
from querying.pools import Pools
from querying.tests.lending import (
    PGBOUNCER,
    MakePools,
    OwnServer,
    PgBouncer,
    ask_pool,
    codes,
    dataset_of,
    settled,
    timed,
    until,
)
from querying.tests.test_faults import ENDLESS, leave, recovered
from querying.tests.test_pools import FACTS, READ_RING, RING
from querying.tests.test_services import ask, rows_of

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.skipif(not PGBOUNCER, reason="pgbouncer is not installed (Debian: apt-get install pgbouncer)"),
]
# all that the gateway would set at the start, as somebody may have written who met one refusal after the other
IGNORING = (
    "ignore_startup_parameters = default_transaction_read_only, statement_timeout, lock_timeout, search_path, "
    "idle_in_transaction_session_timeout, client_connection_check_interval, intervalstyle, extra_float_digits, "
    "bytea_output"
)


@pytest.fixture(params=["transaction", "session"])
def pooler(request: pytest.FixtureRequest, server: OwnServer) -> Iterator[PgBouncer]:
    made = PgBouncer(server, mode=request.param)
    yield made
    made.remove()


@pytest.fixture
def ignoring_pooler(server: OwnServer) -> Iterator[PgBouncer]:
    made = PgBouncer(server, mode="transaction", extra=IGNORING)
    yield made
    made.remove()


async def go_through(pooler: PgBouncer, engine: Engine) -> None:
    """The dataset `shop` is reached through the pooler from now on."""
    spec = engine.catalog.datasets["shop"]
    there = dataset_of(pooler.url)
    moved = replace(spec, connection_id=there.connection_id, sealed_dsn=there.sealed_dsn)
    engine.catalog = replace(engine.catalog, datasets=MappingProxyType({"shop": moved}))
    engine.pools.keep_only({moved.connection_id})


async def made_idle(pools: Pools) -> None:
    await settled(pools)
    await pools.close()


async def test_the_ring_holds_in_every_transaction(pooler: PgBouncer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(pooler.url)

    first = await ask_pool(pools, dataset, READ_RING)
    await settled(pools)

    assert json.loads(first) == RING
    assert json.loads(await ask_pool(pools, dataset, READ_RING)) == RING


async def test_the_ring_holds_where_the_pooler_drops_settings_without_a_word(
    ignoring_pooler: PgBouncer, make_pools: MakePools
) -> None:
    assert json.loads(await ask_pool(make_pools(), dataset_of(ignoring_pooler.url), READ_RING)) == RING


async def test_nothing_can_be_written_through_it(pooler: PgBouncer, make_pools: MakePools) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await ask_pool(make_pools(), dataset_of(pooler.url), "CREATE TABLE public.x (id int)")


async def test_contents_are_read_through_it_and_leave_nothing(pooler: PgBouncer) -> None:
    target = parse_dsn(pooler.url, unix_sockets=True)
    # the pooler itself sets the name of whoever it serves
    prepared = "(SELECT count(*) FROM pg_prepared_statements)"
    everything = f"SELECT ({FACTS})::jsonb #- '{{settings,application_name}}', {prepared}"
    clean = pooler.fetch(everything)

    profile = await fetch_profile(target)
    found = {
        table.name: contents
        async for table, contents in read_contents(
            target, profile.tables, known=(), budget_s=20, today=datetime.now(UTC).date()
        )
    }
    judgement = await judge(target, profile, {("public", name): contents for name, contents in found.items()})

    assert {contents.facts.error for contents in found.values()} == {""}
    assert found["users"].facts.sampled > 0
    assert judgement.facts["public", "users"].columns
    assert pooler.fetch(everything) == clean


async def test_the_next_client_of_the_server_connection_finds_nothing(pooler: PgBouncer, make_pools: MakePools) -> None:
    everything = f"SELECT ({FACTS})::text || (SELECT count(*) FROM pg_prepared_statements)"
    ((clean,),) = pooler.fetch(everything)
    pools = make_pools()
    async with pools.session(dataset_of(pooler.url), search_path=["public"]) as session:
        cursor = await session.connection.cursor("SELECT id FROM public.users")
        await cursor.fetch(10)
    await made_idle(pools)

    assert pooler.fetch(everything) == [(clean,)]


async def test_two_processes_do_not_meet_each_others_statements(
    pooler: PgBouncer, make_pools: MakePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        monkeypatch.setattr(asyncpg.connection, "_uid", 0)  # as in a process that has just begun
        pools = make_pools()
        async with pools.session(dataset_of(pooler.url)) as session:
            cursor = await session.connection.cursor("SELECT id FROM public.users")
            assert len(await cursor.fetch(10)) == 10
        await made_idle(pools) if "session" in pooler.mode else await settled(pools)


@pytest.mark.django_db(transaction=True)
async def test_questions_are_answered_through_it(
    pooler: PgBouncer, server: OwnServer, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    await sync_to_async(make_active)("shop", server.url())
    await engine.refresh()
    await go_through(pooler, engine)
    sql = "SELECT gender, count(*) AS n, array_agg(id) AS ids FROM users GROUP BY 1 ORDER BY 1"

    asked = []
    for number in range(1, 4):
        asked.append(await ask(engine, f"{sql} LIMIT {number}"))
        await settled(engine.pools)  # else a second client would wait for the one server connection

    assert [one.error for one in asked] == [None] * 3


@pytest.mark.django_db(transaction=True)
async def test_a_dataset_is_registered_profiled_and_asked_through_it(
    pooler: PgBouncer, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    dataset = await sync_to_async(make_active)("behind", pooler.url)
    await engine.refresh()

    assert dataset.status == "active"
    assert await rows_of(engine, "SELECT count(*) AS n FROM users", dataset="behind") == ((50,),)


@pytest.mark.django_db(transaction=True)
async def test_types_of_extensions_are_understood_through_it(
    pooler: PgBouncer, server: OwnServer, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    server.execute(
        "CREATE EXTENSION IF NOT EXISTS citext; DROP TABLE IF EXISTS people; DROP TYPE IF EXISTS mood;"
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE people (id int PRIMARY KEY, name citext, mood mood);"
        "INSERT INTO people VALUES (1, 'Ana', 'glad'), (2, 'ANA', 'sad'); GRANT SELECT ON people TO reader"
    )
    await sync_to_async(make_active)("shop", server.url())
    await engine.refresh()
    await go_through(pooler, engine)

    rows = await rows_of(engine, "SELECT name, mood, ARRAY[mood] AS moods FROM people WHERE name = 'aNa' ORDER BY id")

    assert [[str(cell) for cell in row] for row in rows] == [["Ana", "glad", "{glad}"], ["ANA", "sad", "{sad}"]]


@pytest.mark.django_db(transaction=True)
async def test_a_statement_is_stopped_through_it(
    pooler: PgBouncer, server: OwnServer, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    await sync_to_async(make_active)("shop", server.url())
    await engine.refresh()
    await go_through(pooler, engine)
    task = asyncio.create_task(ask(engine, ENDLESS))
    running = "SELECT pid FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active' AND query ~ 'endless'"
    await until(lambda: server.fetch(running), within_s=10)

    await leave(task)

    await until(lambda: not server.fetch(running), within_s=10)
    await settled(engine.pools)
    assert await rows_of(engine, "SELECT count(*) AS n FROM users") == ((50,),)


async def test_a_database_that_is_down_behind_it_is_noticed_and_asked_again(
    pooler: PgBouncer, server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(), dataset_of(pooler.url)
    await ask_pool(pools, dataset)
    await settled(pools)
    server.stop()

    first = await asyncio.gather(*(timed(ask_pool(pools, dataset)) for _ in range(3)))
    error, took = await timed(ask_pool(pools, dataset))
    server.start()

    assert set(codes([failure for failure, _ in first])) == {"source_unavailable"}
    assert isinstance(error, SourceUnavailable)
    assert took < 0.5
    assert await recovered(pools, dataset) < 10
