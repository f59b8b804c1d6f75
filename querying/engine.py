"""What one process holds to answer questions: the catalog's snapshot, the pools, and the watch that keeps them new.

An engine belongs to one event loop. Blocking work on the metadata database runs in its own few threads.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings as django_settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from config.errors import GatewayError, RecordUnavailable
from datasets.access import Principal
from datasets.catalog import EMPTY, Catalog, DatasetSpec
from datasets.credentials import open_target
from datasets.publishing import load_catalog, read_version, watch
from datasets.sealing import build_cipher
from datasets.seen import policy_key
from datasets.system_config import SystemSettings
from logs_analytics.partitions import ensure_partitions
from logs_analytics.recorder import WITHHELD, write_records
from logs_analytics.records import Record
from querying.cache import Flights, Kept, Key, ResultCache
from querying.executor import Descriptions, Limits, execute
from querying.handles import HeldResults
from querying.planner import Planner
from querying.pools import Pools
from querying.sql.limit import limit_of
from querying.sql.plan import QueryPlan, QueryRequest

P = ParamSpec("P")
T = TypeVar("T")
METADATA_THREADS = 4
PARTITIONS_EVERY_S = 6 * 3600
RECORD_TIMEOUT_S = 10
STOP_TIMEOUT_S = 5
CHECK_AFTER_S = 1.0  # checking costs a round trip to the metadata database
LONG_SQL = 3_000
Waiting = tuple[Record, asyncio.Future[None]]
log = logging.getLogger(__name__)


class Engine:
    """Start it in the loop that will use it; `catalog` is replaced whole and never changed in place."""

    def __init__(self, *, keeps_results: bool = True) -> None:
        self.catalog: Catalog = EMPTY
        self.load_error = ""
        self.pools = Pools(
            open_target=open_target,
            size=django_settings.POOL_SIZE,
            budget=django_settings.CONNECTIONS_PER_PROCESS,
            acquire_timeout_ms=django_settings.POOL_ACQUIRE_TIMEOUT_MS,
            query_timeout_ms=django_settings.QUERY_TIMEOUT_MS,
        )
        self.planner = Planner()
        self.descriptions = Descriptions()
        self.results = ResultCache(django_settings.RESULT_CACHE_BYTES if keeps_results else 0)
        self.flights: Flights[Kept] = Flights()
        self.held = HeldResults(django_settings.REDIS_URL, cipher=build_cipher(django_settings.ENCRYPTION_KEYS))
        self._threads = _make_threads()
        self._local = threading.local()
        self._refreshing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._going_on: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._unwritten: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def start(self, *, watching: bool = True) -> None:
        """Load the catalog, then follow it. A metadata database that is away does not stop the start."""
        if self._stopped:  # a start that failed is tried again
            self._threads, self._stopped = _make_threads(), False
        await self.refresh()
        if watching:
            self._tasks = [
                asyncio.create_task(self._follow(), name="catalog watch"),
                asyncio.create_task(self._keep_partitions(), name="log partitions"),
            ]

    async def stop(self) -> None:
        unfinished: set[asyncio.Task[None]] = {*self._tasks, *self._going_on}
        until = time.monotonic() + STOP_TIMEOUT_S
        while unfinished and time.monotonic() < until:
            for task in unfinished:
                task.cancel()
            # again, where a client's library took the cancellation for an error of its own while it connected
            done, unfinished = await asyncio.wait(unfinished, timeout=0.5)
            await asyncio.gather(*done, return_exceptions=True)
        if self._writer is not None:
            await self._writer
        await self.pools.close()
        await self.held.close()
        await self._close_metadata_connections()

    async def _close_metadata_connections(self) -> None:
        # a connection can be closed only by the thread that opened it, so each takes part once
        everyone = threading.Barrier(METADATA_THREADS)

        def close() -> None:
            everyone.wait(timeout=10)
            connections.close_all()

        loop = asyncio.get_running_loop()
        closing = (loop.run_in_executor(self._threads, close) for _ in range(METADATA_THREADS))
        # a thread that is stuck in the database ends with the process
        await asyncio.gather(*closing, return_exceptions=True)
        self._threads.shutdown(wait=False)
        self._stopped = True

    async def _follow(self) -> None:
        while True:
            try:
                await watch(self.refresh, poll_s=django_settings.CATALOG_POLL_MS / 1000)
            except Exception:  # the watch must outlive whatever goes wrong in one turn of it
                log.exception("the catalog watch failed and starts again")
                await asyncio.sleep(1)

    async def _keep_partitions(self) -> None:
        while True:
            try:
                await self.in_thread(ensure_partitions, months_ahead=django_settings.LOG_PARTITION_MONTHS_AHEAD)
            except DatabaseError:
                log.warning("the query log's partitions could not be checked; the default partition catches rows")
            await asyncio.sleep(PARTITIONS_EVERY_S)

    async def refresh(self) -> None:
        """Load what is newer; where that fails, keep the last good catalog and say so in `load_error`."""
        async with self._refreshing:
            try:
                if await self.in_thread(read_version) != self.catalog.version or self.load_error:
                    await self._load()
                self.load_error = ""
            except (DatabaseError, GatewayError, KeyError, TypeError, ValueError) as error:
                self.load_error = type(error).__name__
                log.warning("the catalog could not be loaded (%s); version %s stays", error, self.catalog.version)

    async def _load(self) -> None:
        self.catalog = await self.in_thread(load_catalog, self.catalog)
        for fault in self.catalog.faults:
            log.warning("catalog version %s: %s", self.catalog.version, fault)
        log.info("catalog version %s: %s datasets", self.catalog.version, len(self.catalog.datasets))
        self.pools.keep_only({dataset.connection_id for dataset in self.catalog})
        wanted = len(self.pools) * django_settings.POOL_SIZE
        if wanted > django_settings.CONNECTIONS_PER_PROCESS:
            log.info(
                "%s databases of %s connections share the %s of this process: idle ones are closed for those in need",
                *(len(self.pools), django_settings.POOL_SIZE, django_settings.CONNECTIONS_PER_PROCESS),
            )

    async def plan(
        self, request: QueryRequest, *, dataset: DatasetSpec, principal: Principal, settings: SystemSettings
    ) -> QueryPlan:
        """The plan of a question; a long one is made in a thread, so that the loop goes on."""
        make = partial(self.planner.plan, request, dataset=dataset, principal=principal, settings=settings)
        return make() if len(request.sql) < LONG_SQL else await asyncio.to_thread(make)

    async def run(
        self,
        plan: QueryPlan,
        *,
        dataset: DatasetSpec,
        principal: Principal,
        settings: SystemSettings,
        until: float | None = None,
        max_bytes: int | None = None,
    ) -> tuple[Kept, float | None]:
        """The plan's result, and its age in seconds where it was kept from an earlier question.

        Questions that are the same for the same eyes share one statement while it runs. It waits for a connection as
        long as the setting says, or `until` a time of the loop. `max_bytes` lowers the limit of the setting.
        """
        max_bytes = min(max_bytes or django_settings.QUERY_MAX_BYTES, django_settings.QUERY_MAX_BYTES)
        wait_s = None if until is None else max(0.0, until - asyncio.get_running_loop().time())

        async def fetch() -> Kept:
            result = await execute(
                plan,
                dataset=dataset,
                pools=self.pools,
                descriptions=self.descriptions,
                caller=principal.name,
                limits=Limits(max_bytes, django_settings.QUERY_TIMEOUT_MS, wait_s),
            )
            worth_keeping = plan.repeatable and ttl_s and (result.cells or not result.truncated)
            return self.results.keep(key, result) if worth_keeping else Kept(result)

        if not plan.repeatable:
            return await fetch(), None
        key = *result_key(plan, dataset, principal), max_bytes
        ttl_s = limit_of("result_ttl_s", dataset, settings)
        kept = self.results.find(key, ttl_s=ttl_s)
        if kept:
            return kept, kept.age_s
        # who is ready to wait longer does not take over a refusal to wait
        return await self.flights.join((*key, until is None), fetch), None

    def go_on(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Work that may outlive the call that began it; it ends with this engine at the latest."""
        task = asyncio.create_task(work, name=name)
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)
        return task

    async def record(self, record: Record) -> None:
        """Write to the query log; raises `RecordUnavailable`. What arrives during one insert shares the next."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((record, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_records(), name="query log")
        # a caller that leaves does not take its record with it
        await asyncio.shield(written)

    async def _write_records(self) -> None:
        while self._unwritten:
            batch, self._unwritten = self._unwritten, []
            failure = await self._write(batch)
            # a log that does not answer would make each of them wait as long again
            if failure is None or len(batch) == 1 or failure.context.get("timed_out"):
                _settle(batch, failure)
                continue
            # one record that cannot be kept must not withhold the answers of others
            for one in batch:
                _settle([one], await self._write([one]))

    async def _write(self, batch: list[Waiting]) -> GatewayError | None:
        try:
            writing = self.in_thread(write_records, [record for record, _ in batch])
            await asyncio.wait_for(writing, timeout=RECORD_TIMEOUT_S)
        except TimeoutError:
            return RecordUnavailable(WITHHELD, timed_out=True)
        except Exception as error:  # whatever it was, the waiting answers must be withheld
            return error if isinstance(error, GatewayError) else RecordUnavailable(WITHHELD)
        return None

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ORM work off the loop, on a connection that is checked where it may be old or broken."""

        def run() -> T:
            if time.monotonic() - getattr(self._local, "used_at", 0.0) > CHECK_AFTER_S:
                close_old_connections()
            self._local.used_at = 0.0  # an error on the way leaves it to be checked
            done = work(*args, **kwargs)
            self._local.used_at = time.monotonic()
            return done

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def result_key(plan: QueryPlan, dataset: DatasetSpec, principal: Principal) -> Key:
    """All that a result depends on: the published entry, its connection, the caller's policies, the statement."""
    source = dataset.entry_id, dataset.connection_id, policy_key(dataset, principal)
    return *source, plan.sql, plan.search_path, plan.max_rows, plan.evidence, plan.suppression


def _make_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(METADATA_THREADS, thread_name_prefix="metadata")


def _settle(batch: list[Waiting], failure: GatewayError | None) -> None:
    for _, written in batch:
        if failure is None:
            written.set_result(None)
        else:
            written.set_exception(failure)
