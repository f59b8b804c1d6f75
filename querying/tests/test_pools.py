"""Pools and sessions against a real PostgreSQL: reuse, forgetting, limits, fairness, the budget, the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import asyncpg
import pytest

from config.embedded import SUPERUSER
from config.errors import GatewayBusy, SourceUnavailable
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

pytestmark = pytest.mark.usefixtures("tidy")
FACTS = """
    SELECT jsonb_build_object(
        'settings', (SELECT jsonb_object_agg(name, setting) FROM pg_settings
                     WHERE name NOT IN ('transaction_isolation', 'in_hot_standby')),
        'roles', session_user || ' ' || current_user,
        'cursors', (SELECT count(*) FROM pg_cursors WHERE name NOT LIKE '\\_\\_asyncpg%'),
        'channels', (SELECT count(*) FROM pg_listening_channels()),
        'advisory locks', (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
        'temporary tables', (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()))
"""


# ── reuse ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_opens_nothing_before_the_first_question(server: OwnServer, make_pools: MakePools) -> None:
    pools = make_pools()

    pools.keep_only({dataset_of(server.url()).connection_id})

    assert (pools.open_connections, server.backends()) == (0, [])


async def test_the_next_question_gets_the_same_backend(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())

    first = await ask_pool(pools, dataset)
    await settled(pools)

    assert await ask_pool(pools, dataset) == first


async def test_a_prepared_statement_of_the_driver_survives_the_reset(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await ask_pool(pools, dataset, "SELECT 'kept'")
    await settled(pools)

    kept = await ask_pool(
        pools, dataset, "SELECT count(*) FROM pg_prepared_statements WHERE statement = $$SELECT 'kept'$$"
    )

    assert kept == 1


async def test_questions_at_once_get_a_backend_each(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())

    asked = (ask_pool(pools, dataset, "SELECT pg_backend_pid() FROM pg_sleep(0.2)") for _ in range(3))

    assert len(set(await asyncio.gather(*asked))) == 3


async def test_connections_that_are_idle_for_long_are_closed(
    server: OwnServer, make_pools: MakePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("querying.pools.IDLE_LIFETIME_S", 0.2)
    pools = make_pools()

    await ask_pool(pools, dataset_of(server.url()))

    await until(lambda: not server.backends(), within_s=10)
    assert pools.open_connections == 0


# ── what a caller leaves behind ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "poison",
    [
        "SELECT set_config('search_path', 'public', false)",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "COMMIT; SET statement_timeout = 0; SET search_path = public; SET TimeZone = 'Asia/Kolkata'",
        "COMMIT; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "COMMIT; SET my.own = 'secret'",
        "SELECT pg_advisory_lock(7)",
        "COMMIT; LISTEN neighbour",
        "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1; COMMIT",
        "COMMIT; BEGIN READ WRITE; CREATE TEMP TABLE users (id int); COMMIT",
        "SET ROLE pg_monitor",
        "COMMIT; SET ROLE pg_monitor",
        "COMMIT; SET SESSION AUTHORIZATION reader",
        "COMMIT; SET SESSION AUTHORIZATION reader; SET ROLE none",
        "SELECT 1 / 0",
    ],
)
async def test_what_a_caller_leaves_behind_reaches_nobody(
    server: OwnServer, make_pools: MakePools, poison: str
) -> None:
    pools, dataset = make_pools(), dataset_of(server.url(SUPERUSER))
    clean = json.loads(await ask_pool(pools, dataset, FACTS))
    await settled(pools)

    async with pools.session(dataset) as session:
        with contextlib.suppress(asyncpg.DivisionByZeroError):
            await session.connection.execute(poison)
    await settled(pools)

    assert json.loads(await ask_pool(pools, dataset, FACTS)) == clean
    assert await ask_pool(pools, dataset, "SELECT current_setting('my.own', true)") in {None, ""}


async def test_a_value_of_a_sequence_reaches_nobody(server: OwnServer, make_pools: MakePools) -> None:
    server.execute("CREATE SEQUENCE IF NOT EXISTS counter")
    pools, dataset = make_pools(), dataset_of(server.url(SUPERUSER))
    async with pools.session(dataset) as session:
        await session.connection.execute("COMMIT; BEGIN READ WRITE; SELECT nextval('public.counter'); COMMIT")
    await settled(pools)

    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await ask_pool(pools, dataset, "SELECT lastval()")


async def test_a_role_that_the_administrator_set_stays_the_same(server: OwnServer, make_pools: MakePools) -> None:
    server.execute("CREATE ROLE analyst IN ROLE reader; CREATE ROLE acting LOGIN PASSWORD 'p' IN ROLE analyst")
    server.execute("ALTER ROLE acting SET role = analyst")
    pools, dataset = make_pools(), dataset_of(server.url("acting").replace(server.password, "p"))

    first = await ask_pool(pools, dataset, "SELECT current_user::text")
    await settled(pools)

    assert (first, await ask_pool(pools, dataset, "SELECT current_user::text")) == ("analyst", "analyst")


async def test_a_connection_that_cannot_be_made_new_is_closed(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())

    async with contextlib.AsyncExitStack() as thaw:
        async with pools.session(dataset) as session:
            lost = session.connection.get_server_pid()
            thaw.enter_context(frozen(lost))
        await settled(pools)

        assert (pools.open_connections, session.connection.is_closed()) == (0, True)
        assert await ask_pool(pools, dataset) != lost


# ── the session ring ─────────────────────────────────────────────────────────────────────────────────────────
RING = {
    "transaction_read_only": "on",
    "default_transaction_read_only": "on",
    "statement_timeout": "20s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "client_connection_check_interval": "1s",
    "search_path": "pg_catalog",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
READ_RING = (
    f"SELECT jsonb_object_agg(name, current_setting(name)) FROM unnest('{{{','.join(RING)}}}'::text[]) AS ring(name)"
)
CONTRARY = {
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_connection_check_interval": "0",
    "search_path": "public",
    "timezone": "'Asia/Kolkata'",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "-3",
    "bytea_output": "escape",
}


@pytest.mark.parametrize("owner", ["ROLE contrary", "DATABASE shop", "ROLE contrary IN DATABASE shop"])
async def test_the_ring_holds_whatever_the_database_would_have(
    server: OwnServer, make_pools: MakePools, owner: str
) -> None:
    server.execute(f"CREATE ROLE contrary LOGIN PASSWORD '{server.password}' IN ROLE reader")
    server.execute("; ".join(f"ALTER {owner} SET {name} = {value}" for name, value in CONTRARY.items()))
    pools, dataset = make_pools(), dataset_of(server.url("contrary"))
    try:
        first = await ask_pool(pools, dataset, READ_RING)
        await settled(pools)
        second = await ask_pool(pools, dataset, READ_RING)
    finally:
        server.execute(f"ALTER {owner} RESET ALL; DROP ROLE contrary")

    assert (json.loads(first), json.loads(second)) == (RING, RING)


async def test_a_search_path_is_that_of_one_question_only(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    async with pools.session(dataset, search_path=['ext"ra', "geo"]) as session:
        asked_for = await session.connection.fetchval("SELECT current_setting('search_path')")
    await settled(pools)

    assert asked_for == 'pg_catalog, "ext""ra", geo'
    assert await ask_pool(pools, dataset, "SELECT current_setting('search_path')") == "pg_catalog"


async def test_nothing_can_be_written(server: OwnServer, make_pools: MakePools) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await ask_pool(make_pools(), dataset_of(server.url(SUPERUSER)), "DELETE FROM public.events")


# ── exhaustion ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_who_waits_too_long_for_a_connection_is_told_that_the_gateway_is_busy(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(size=1, acquire_timeout_ms=300), dataset_of(server.url())
    async with pools.session(dataset):
        error, took = await timed(ask_pool(pools, dataset))

    assert isinstance(error, GatewayBusy)
    assert (error.code, error.retryable) == ("gateway_busy", True)
    assert 0.25 < took < 5


async def test_a_wait_that_was_in_vain_leaves_no_trace(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(size=1, acquire_timeout_ms=100), dataset_of(server.url())
    async with pools.session(dataset) as session:
        await asyncio.gather(*(ask_pool(pools, dataset) for _ in range(5)), return_exceptions=True)
        assert (pools._turns.waiting(dataset.connection_id), pools.open_connections) == (0, 1)
        backend = session.connection.get_server_pid()
    await settled(pools)

    assert await ask_pool(pools, dataset) == backend
    await settled(pools)
    assert pools._turns._sources == {}


async def test_a_question_may_wait_shorter_than_the_setting_says(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(size=1, acquire_timeout_ms=20_000), dataset_of(server.url())
    async with pools.session(dataset):
        error, took = await timed(ask_pool(pools, dataset, wait_s=0.1))

    assert isinstance(error, GatewayBusy)
    assert took < 5


async def test_a_statement_ends_at_its_time_and_its_connection_is_used_again(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(query_timeout_ms=200), dataset_of(server.url())
    backend = await ask_pool(pools, dataset)
    await settled(pools)

    with pytest.raises(asyncpg.QueryCanceledError):
        await ask_pool(pools, dataset, "SELECT pg_sleep(20)")
    await settled(pools)

    assert await ask_pool(pools, dataset) == backend


# ── fairness ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_caller_who_floods_a_dataset_does_not_hold_up_another(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(acquire_timeout_ms=20_000), dataset_of(server.url())
    flood = [asyncio.create_task(ask_pool(pools, dataset, "SELECT pg_sleep(1)", caller="flood")) for _ in range(16)]
    await asyncio.sleep(0.3)

    _, took = await timed(ask_pool(pools, dataset, caller="ana"))

    assert took < 0.7  # before one statement of the flood has ended
    assert sum(task.done() for task in flood) == 0
    await stop(flood)


async def test_callers_who_flood_a_dataset_together_let_a_newcomer_in_next(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools, dataset = make_pools(acquire_timeout_ms=20_000), dataset_of(server.url())
    flood = [
        asyncio.create_task(ask_pool(pools, dataset, "SELECT pg_sleep(0.5)", caller=f"flood {number % 3}"))
        for number in range(60)
    ]
    await asyncio.sleep(0.2)

    _, took = await timed(ask_pool(pools, dataset, caller="ana"))

    assert took < 1.5  # all of the flood would take 5 s
    await stop(flood)


async def test_a_flooded_dataset_does_not_delay_another_under_a_tight_budget(
    server: OwnServer, make_pools: MakePools
) -> None:
    pools = make_pools(size=4, budget=5, acquire_timeout_ms=20_000)
    flooded, *others = datasets_on(server, 5)
    flood = [
        asyncio.create_task(ask_pool(pools, flooded, "SELECT pg_sleep(1)", caller=f"flood {number % 4}"))
        for number in range(20)
    ]
    await asyncio.sleep(0.3)

    times = [(await timed(ask_pool(pools, other)))[1] for other in others]

    assert max(times) < 0.7, times
    await stop(flood)


async def stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ── the budget ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_idle_connections_of_one_pool_give_way_to_another(server: OwnServer, make_pools: MakePools) -> None:
    pools, datasets = make_pools(size=2, budget=3), datasets_on(server, 5)

    backends = [await ask_pool(pools, dataset) for dataset in datasets]
    await settled(pools)

    assert len(set(backends)) == 5
    assert sorted(server.backends()) == sorted(backends[-3:])  # the latest used stay


async def test_never_more_connections_are_open_than_the_budget_allows(server: OwnServer, make_pools: MakePools) -> None:
    pools, datasets = make_pools(size=3, budget=4, acquire_timeout_ms=20_000), datasets_on(server, 5)
    counts: list[int] = []

    async def count() -> None:
        while True:
            counts.append(len(await asyncio.to_thread(server.backends)))

    counting = asyncio.create_task(count())
    asked = (
        ask_pool(pools, datasets[number % 5], "SELECT pg_sleep(0.01)", caller=f"caller {number % 7}")
        for number in range(200)
    )
    results = await asyncio.gather(*asked, return_exceptions=True)
    counting.cancel()

    assert set(codes(results)) == {"answered"}
    assert len(counts) > 10
    assert max(counts) <= 4


# ── datasets that go ─────────────────────────────────────────────────────────────────────────────────────────
async def test_idle_connections_of_a_dataset_that_goes_are_closed(server: OwnServer, make_pools: MakePools) -> None:
    pools, (goes, stays) = make_pools(), datasets_on(server, 2)
    await ask_pool(pools, goes)
    kept = await ask_pool(pools, stays)
    await settled(pools)

    pools.keep_only({stays.connection_id})

    await until(lambda: server.backends() == [kept], within_s=10)


async def test_a_running_statement_of_a_dataset_that_goes_ends_first(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    running = asyncio.create_task(ask_pool(pools, dataset, "SELECT 'done' FROM pg_sleep(0.5)"))
    await asyncio.sleep(0.2)

    pools.keep_only(())

    assert await running == "done"
    await until(lambda: not server.backends(), within_s=10)


async def test_who_waits_for_a_dataset_that_goes_is_told_at_once(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(size=1), dataset_of(server.url())
    async with pools.session(dataset):
        waiting = asyncio.create_task(timed(ask_pool(pools, dataset)))
        await asyncio.sleep(0.1)
        pools.keep_only(())
        error, took = await waiting

    assert isinstance(error, SourceUnavailable)
    assert "changed" in error.message
    assert took < 0.5


async def test_an_older_catalogs_dataset_opens_no_connection(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await ask_pool(pools, dataset)
    pools.keep_only(())

    error, _ = await timed(ask_pool(pools, dataset))

    assert isinstance(error, SourceUnavailable)
    assert (pools.open_connections, pools._pools) == (0, {})


async def test_a_dataset_that_comes_back_is_asked_again(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    await ask_pool(pools, dataset)
    pools.keep_only(())

    pools.keep_only({dataset.connection_id})

    assert await ask_pool(pools, dataset) > 0


async def test_an_error_names_no_other_dataset_of_the_same_connection(server: OwnServer, make_pools: MakePools) -> None:
    pools = make_pools(size=1, acquire_timeout_ms=100)
    secret, shop = dataset_of(server.url(), "secret"), dataset_of(server.url(), "shop")
    await ask_pool(pools, secret)
    await settled(pools)
    server.stop()

    error, _ = await timed(ask_pool(pools, shop))

    assert isinstance(error, SourceUnavailable)
    assert ("shop" in error.message, "secret" in error.message) == (True, False)


async def test_closing_cuts_off_what_runs(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    running = asyncio.create_task(timed(ask_pool(pools, dataset, "SELECT pg_sleep(20)")))
    await asyncio.sleep(0.3)

    start = time.monotonic()
    await pools.close()
    error, _ = await running

    assert isinstance(error, asyncpg.ConnectionDoesNotExistError)
    assert time.monotonic() - start < 5
    await until(lambda: not server.backends(), within_s=10)


async def test_pools_that_were_closed_can_be_used_again(server: OwnServer, make_pools: MakePools) -> None:
    pools, dataset = make_pools(), dataset_of(server.url())
    pools.keep_only({dataset.connection_id})
    await ask_pool(pools, dataset)
    await pools.close()

    assert await ask_pool(pools, dataset, "SELECT 1") == 1
