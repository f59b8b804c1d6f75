"""Fixtures that more than one app's tests use. The servers themselves come from tests/servers.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import dramatiq
import pytest
import pytest_asyncio
from dramatiq import Worker

from datasets import actors
from datasets.approval import approve_dataset
from datasets.models import Dataset
from datasets.profiling.waiting import wait_for_run
from datasets.registration import register_dataset
from querying import actors as querying_actors
from querying.engine import Engine
from tests.servers import MakeDatabase, ReadonlyDsn

SHOP = """
CREATE TABLE users (id int PRIMARY KEY, gender text, email text, born date, weight numeric(10, 4));
COMMENT ON TABLE users IS 'People of the panel';
COMMENT ON COLUMN users.gender IS 'Self-reported gender';
INSERT INTO users SELECT i, CASE i % 2 WHEN 0 THEN 'Female' ELSE 'Male' END, 'p' || i || '@example.org',
       date '1980-01-01' + i, 1.5 FROM generate_series(1, 50) i;
CREATE TABLE events (id bigint PRIMARY KEY, user_id int REFERENCES users, day date, minutes double precision);
INSERT INTO events SELECT i, 1 + i % 50, date '2026-01-01' + i % 90, i % 7 FROM generate_series(1, 1000) i;
CREATE VIEW minutes_by_day AS SELECT day, sum(minutes) AS minutes FROM events GROUP BY day;
ANALYZE;
"""


@pytest.fixture
def shop_dsn(make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> str:
    """A read-only connection string of a small shop's database."""
    return readonly_dsn(make_database(SHOP))


@pytest.fixture
def worker(transactional_db: None) -> Iterator[Worker]:
    """A real Dramatiq worker on the session's Redis, in this process and on this test's database."""
    broker = dramatiq.get_broker()
    broker.get_actor(actors.profile_dataset.actor_name)
    broker.get_actor(querying_actors.probe_dataset.actor_name)
    broker.flush_all()
    running = Worker(broker, worker_timeout=100, worker_threads=2)
    running.start()
    yield running
    running.stop()
    # each worker adds one, and a stopped worker's would go on
    broker.middleware[:] = [part for part in broker.middleware if type(part).__name__ != "_WorkerMiddleware"]
    broker.flush_all()


@pytest.fixture
def make_active(worker: Worker) -> Callable[..., Dataset]:
    """Registers, profiles and approves a dataset through the same services as everybody."""

    def make(name: str, dsn: str, **options: Any) -> Dataset:  # Any: keyword arguments of register_dataset
        # made up: nobody is to be protected, and tests ask for every column
        registration = register_dataset(name, dsn, actor="test", **{"personal_data": "visible", **options})
        wait_for_run(registration.profiling_run_id, wait_s=20)
        approve_dataset(registration.dataset_id, actor="test")
        return Dataset.objects.get(pk=registration.dataset_id)

    return make


@pytest_asyncio.fixture
async def engine(transactional_db: None) -> AsyncIterator[Engine]:
    """An engine that follows the catalog, on this test's loop."""
    started = Engine()
    await started.start()
    yield started
    await started.stop()
