"""What the worker's engine does when it is interrupted, fails, or runs as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from dramatiq.middleware import Shutdown, TimeLimitExceeded, raise_thread_exception

from config.errors import GatewayBusy, QueryFailed, QueryTimeout, SourceUnavailable
from conftest import SHOP
from datasets.findings import keep_probed
from datasets.models import Dataset, Finding, ProfilingRun
from querying.background import BackgroundEngine
from querying.engine import Engine
from querying.probes import Probe, observe_probes, observe_published
from tests.product import Product, build_environment, wait_until
from tests.servers import SERVERS, MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)
MakeActive = Callable[..., Dataset]


@pytest.fixture
def in_background() -> Iterator[BackgroundEngine]:
    made = BackgroundEngine()
    yield made
    made.stop()


def ask(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        found = cursor.fetchone() if cursor.description else None
    return int(found[0]) if found else 0


# ── interrupted and failing ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("interrupt", [TimeLimitExceeded, Shutdown])
def test_an_interrupt_of_the_waiting_thread_cancels_the_work(
    in_background: BackgroundEngine, interrupt: type[BaseException]
) -> None:
    begun, ended, raised = threading.Event(), threading.Event(), []

    async def wait(engine: Engine) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    def act() -> None:
        try:
            in_background.run(wait, timeout_s=60)
        except BaseException as error:
            raised.append(type(error))

    thread = threading.Thread(target=act)
    thread.start()
    assert begun.wait(15)
    raise_thread_exception(thread.ident, interrupt)  # type: ignore[no-untyped-call]  # dramatiq's
    thread.join(5)

    assert raised == [interrupt]
    assert ended.wait(2)


def test_a_start_that_failed_is_tried_again(in_background: BackgroundEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Engine.start
    calls: list[int] = []

    async def fail_once(self: Engine, **options: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise SourceUnavailable("no start")
        await started(self, **options)

    monkeypatch.setattr(Engine, "start", fail_once)
    with pytest.raises(SourceUnavailable):
        in_background.run(lambda engine: asyncio.sleep(0, 1), timeout_s=5)

    assert in_background.run(lambda engine: asyncio.sleep(0, 2), timeout_s=5) == 2
    assert [thread.name for thread in threading.enumerate()].count("engine") == 1


def test_threads_do_not_wait_for_each_others_failed_start_one_after_another(
    in_background: BackgroundEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("querying.background.START_TIMEOUT_S", 1.5)

    async def hang(self: Engine, **options: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Engine, "start", hang)

    def act(_: int) -> float:
        begun = time.monotonic()
        with contextlib.suppress(GatewayBusy, QueryTimeout):
            in_background.run(lambda engine: asyncio.sleep(0), timeout_s=1)
        return time.monotonic() - begun

    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(act, range(4)))

    assert max(waits) < 4, waits


# ── what a probe could not find out ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("unknown", [QueryTimeout("slow"), SourceUnavailable("away")])
def test_a_table_that_could_not_be_asked_keeps_its_finding(
    make_active: MakeActive, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, unknown: Any
) -> None:
    dataset = make_active("shop", readonly_dsn(make_database(SHOP)))
    run_id = ProfilingRun.objects.filter(dataset=dataset).latest("pk").pk
    broken = Probe("public.events", weighted=False, error=QueryFailed("gone", sqlstate="42P01"))
    keep_probed(dataset.pk, observe_probes([broken]).observed, run_id=run_id)

    later = observe_probes([Probe("public.events", weighted=False, error=unknown)])
    keep_probed(dataset.pk, later.observed, unasked=later.unasked, run_id=run_id)

    assert Finding.objects.get(dataset=dataset, code="not_answered").state == Finding.State.OPEN


def test_a_slow_view_does_not_withhold_what_is_known_of_the_others(
    in_background: BackgroundEngine, make_active: MakeActive, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    source = make_database(SHOP)
    make_active("shop", readonly_dsn(source))
    ask(
        source,
        "CREATE OR REPLACE VIEW minutes_by_day AS SELECT day, minutes FROM "
        "(SELECT day, sum(minutes) AS minutes, pg_sleep(20) FROM events GROUP BY day OFFSET 0) one;"
        "ALTER TABLE users RENAME TO gone",
    )

    standing = in_background.run(lambda engine: observe_published("shop", engine=engine, deadline_s=3), timeout_s=15)

    assert "public.users" in {one.table for one in standing.observed}


# ── as a process ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.e2e
def test_a_worker_process_probes_and_leaves_no_session_behind(
    tmp_path: Path, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    source = make_database(SHOP)
    superuser = SERVERS.runtime.postgres_superuser_url
    name = f"probe_{secrets.token_hex(4)}"
    ask(superuser, f'CREATE DATABASE "{name}"')
    metadata = urlsplit(superuser)._replace(path=f"/{name}").geturl()
    product = Product(tmp_path, build_environment(METADATA_DATABASE_URL=metadata))
    try:
        product.manage("migrate", "--verbosity", "0")
        worker = product.start_worker()
        product.manage("register_dataset", "shop", readonly_dsn(source), "--approve", "--personal-data", "visible")
        ask(source, "DROP VIEW minutes_by_day; DROP TABLE events")

        product.manage("check_drift", "shop", check=False)

        found = "SELECT count(*) FROM datasets_finding WHERE code = 'not_answered' AND state = 'open'"
        wait_until(lambda: ask(metadata, found) == 2, what="both findings")
        recorded = "SELECT count(*) FROM logs_analytics_querylog WHERE door = 'worker' AND tool = 'probe'"
        assert ask(metadata, recorded) == 3
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert ask(source, others) > 0
        worker.stop()
        assert ask(source, others) == 0
    finally:
        product.stop()
        ask(superuser, f'DROP DATABASE "{name}" WITH (FORCE)')
