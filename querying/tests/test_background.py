"""The engine of a worker process, and questions to what is published."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from dramatiq import Worker

from config.errors import NotConfigured, QueryFailed, QueryTimeout, SourceUnavailable
from conftest import SHOP
from datasets.findings import open_findings
from datasets.models import Dataset, ProfilingRun
from datasets.profiling.service import request_profile
from datasets.profiling.waiting import wait_for_probe, wait_for_run
from datasets.registration import deactivate_dataset
from datasets.survey_designs import set_survey_design
from logs_analytics.models import QueryLog
from querying import background
from querying.background import BackgroundEngine
from querying.engine import Engine
from querying.probes import Probe, observe_probes, probe_dataset
from tests.servers import MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)
MakeActive = Callable[..., Dataset]
DESIGN = """
units:
  - table: public.users
    key: id
    weight: weight
    level: person
    scale: 1
    attributes: [gender]
    carried_by: {public.events: user_id}
"""


@pytest.fixture
def in_background() -> Iterator[BackgroundEngine]:
    made = BackgroundEngine()
    yield made
    made.stop()


@pytest.fixture
def source(make_database: MakeDatabase) -> str:
    return make_database(SHOP)


@pytest.fixture
def shop(make_active: MakeActive, source: str, readonly_dsn: ReadonlyDsn) -> Dataset:
    return make_active("shop", readonly_dsn(source))


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def sessions(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    return int(found[0])


def check_live(dataset: Dataset) -> set[tuple[str, str, str]]:
    """Profiles it with the worker; alarms by code and table."""
    run = request_profile(dataset.pk, actor="test")
    wait_for_run(run.pk, wait_s=20)
    assert wait_for_probe(run.pk, wait_s=20)
    return {(one.code, one.table, one.severity) for one in open_findings(dataset.pk, kinds=["drift"])}


# ── one engine for all threads ───────────────────────────────────────────────────────────────────────────────
def test_threads_share_one_engine_on_one_loop(in_background: BackgroundEngine, transactional_db: None) -> None:
    async def name_of(engine: Engine) -> tuple[int, int, str]:
        await asyncio.sleep(0.05)
        return id(engine), id(asyncio.get_running_loop()), threading.current_thread().name

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: in_background.run(name_of, timeout_s=10), range(8)))

    assert len(found) == 1
    assert {name for _, _, name in found} == {"engine"}


def test_work_that_takes_too_long_is_cancelled(in_background: BackgroundEngine, transactional_db: None) -> None:
    ended: list[str] = []

    async def wait(engine: Engine) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    with pytest.raises(QueryTimeout):
        in_background.run(wait, timeout_s=1)
    in_background.run(lambda engine: asyncio.sleep(0), timeout_s=5)

    assert ended == ["cancelled"]


def test_errors_of_the_work_come_back(in_background: BackgroundEngine, transactional_db: None) -> None:
    async def fail(engine: Engine) -> None:
        raise SourceUnavailable("gone")

    async def run_into_a_limit(engine: Engine) -> None:
        raise TimeoutError

    with pytest.raises(SourceUnavailable):
        in_background.run(fail, timeout_s=5)
    with pytest.raises(TimeoutError):
        in_background.run(run_into_a_limit, timeout_s=5)


def test_its_connections_end_with_the_worker(in_background: BackgroundEngine, shop: Dataset, source: str) -> None:
    probes = in_background.run(lambda engine: probe_dataset("shop", engine=engine), timeout_s=20)
    open_before = sessions(source)

    in_background.stop()

    assert probes
    assert open_before > 0
    assert sessions(source) == 0


def test_it_starts_again_after_it_was_stopped(in_background: BackgroundEngine, shop: Dataset) -> None:
    first = in_background.run(lambda engine: probe_dataset("shop", engine=engine), timeout_s=20)
    in_background.stop()

    second = in_background.run(lambda engine: probe_dataset("shop", engine=engine), timeout_s=20)

    assert [probe.error for probe in first] == [probe.error for probe in second] == [None] * 3


def test_without_any_catalog_it_says_so(
    in_background: BackgroundEngine, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(previous: Any) -> None:
        raise KeyError("no catalog")

    monkeypatch.setattr("querying.engine.load_catalog", fail)
    monkeypatch.setattr("querying.engine.read_version", lambda: 7)

    with pytest.raises(NotConfigured):
        in_background.run(lambda engine: asyncio.sleep(0), timeout_s=5)


# ── probes ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_table_is_asked_and_each_question_recorded(in_background: BackgroundEngine, shop: Dataset) -> None:
    set_survey_design(shop.pk, DESIGN, actor="test")

    probes = in_background.run(lambda engine: probe_dataset("shop", engine=engine), timeout_s=20)

    assert [(probe.table, probe.weighted) for probe in probes] == [
        ("public.users", False),
        ("public.users", True),
        ("public.events", False),
        ("public.minutes_by_day", False),
    ]
    assert not [probe.error for probe in probes if probe.error]
    assert observe_probes(probes).observed == ()
    assert set(QueryLog.objects.values_list("door", "tool", "outcome", "success")) == {
        ("worker", "probe", "answered", True)
    }
    assert QueryLog.objects.count() == 4


def test_a_busy_database_is_no_broken_one() -> None:
    probes = [
        Probe("public.users", weighted=False, error=QueryTimeout("slow")),
        Probe("public.users", weighted=True, error=QueryFailed("full", sqlstate="53300")),
    ]

    assert observe_probes(probes).observed == ()


def test_odd_names_and_wide_tables_are_asked(
    in_background: BackgroundEngine, make_active: MakeActive, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    columns = ", ".join(f'"c {number} ""x""" int' for number in range(1200))
    url = make_database(f'CREATE TABLE "Wide. ""one""" ({columns}); CREATE TABLE "select" ("from" int);')
    make_active("odd", readonly_dsn(url))

    probes = in_background.run(lambda engine: probe_dataset("odd", engine=engine), timeout_s=30)

    assert [probe.error for probe in probes] == [None, None]


# ── what is published and no longer there ────────────────────────────────────────────────────────────────────
def test_a_dropped_table_that_the_design_needs_raises_an_alarm_while_the_rest_answers(
    worker: Worker, shop: Dataset, source: str
) -> None:
    set_survey_design(shop.pk, DESIGN, actor="test")
    shop.refresh_from_db()
    live = shop.live_entry_id
    assert check_live(shop) == set()
    execute(source, "DROP VIEW minutes_by_day; DROP TABLE events")

    found = check_live(shop)

    assert found == {
        ("table_dropped", "public.events", "alarm"),
        ("not_answered", "public.events", "alarm"),
        ("table_dropped", "public.minutes_by_day", "warning"),
        ("not_answered", "public.minutes_by_day", "alarm"),
    }
    shop.refresh_from_db()
    assert (shop.live_entry_id, shop.status) == (live, "active")


def test_a_key_that_repeats_breaks_the_confirmed_design(worker: Worker, shop: Dataset, source: str) -> None:
    set_survey_design(shop.pk, DESIGN, actor="test")
    execute(
        source,
        "ALTER TABLE events DROP CONSTRAINT events_user_id_fkey; ALTER TABLE users DROP CONSTRAINT users_pkey;"
        "INSERT INTO users SELECT * FROM users WHERE id = 7",
    )

    found = check_live(shop)

    assert {("design_broken", "public.users", "alarm"), ("key_lost", "public.users", "alarm")} <= found


def test_what_is_mended_is_no_finding_any_more(worker: Worker, shop: Dataset, source: str) -> None:
    execute(source, "ALTER TABLE events RENAME TO gone")
    before = check_live(shop)
    execute(source, "ALTER TABLE gone RENAME TO events")

    after = check_live(shop)

    assert ("not_answered", "public.events", "alarm") in before
    assert after == set()


def test_a_dataset_that_is_no_longer_active_is_not_asked(worker: Worker, shop: Dataset) -> None:
    deactivate_dataset(shop.pk, actor="test")

    run = request_profile(shop.pk, actor="test")
    wait_for_run(run.pk, wait_s=20)

    assert not QueryLog.objects.exists()
    assert ProfilingRun.objects.get(pk=run.pk).probed_at is None


def test_the_workers_engine_sees_what_is_approved_meanwhile(
    in_background: BackgroundEngine, make_active: MakeActive, shop: Dataset, source: str, readonly_dsn: ReadonlyDsn
) -> None:
    in_background.run(lambda engine: probe_dataset("shop", engine=engine), timeout_s=20)
    make_active("other", readonly_dsn(source))

    probes = in_background.run(lambda engine: probe_dataset("other", engine=engine), timeout_s=20)

    assert len(probes) == 3


def test_the_worker_stops_the_engine_of_its_process(worker: Worker, shop: Dataset) -> None:
    check_live(shop)
    assert background.ENGINE.is_running

    worker.stop()

    assert not background.ENGINE.is_running
