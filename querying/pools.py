"""The connections of one process: a pool for each connection string, within one budget, shared fairly.

Knows asyncpg, not Django.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from config.errors import (
    CredentialsUnreadable,
    DsnInvalid,
    GatewayBusy,
    GatewayError,
    PreflightError,
    SourceFull,
    SourceUnavailable,
)
from datasets.catalog import DatasetSpec
from datasets.connections import ConnectionTarget, open_session, set_locally
from datasets.sealing import SealedText
from querying.breaker import Breaker
from querying.sessions import BROKEN, Session, session_settings
from querying.turns import Turns

IDLE_LIFETIME_S: Final = 300.0
log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Pool:
    """What one connection string has open: idle sessions, the latest used last, and `busy` ones."""

    key: str
    sealed: SealedText = field(repr=False)
    name: str  # of the dataset that came first, for the log; others may share the connection string
    breaker: Breaker = field(default_factory=Breaker)
    idle: list[Session] = field(default_factory=list)
    busy: set[Session] = field(default_factory=set)
    connecting: set[asyncio.Timeout] = field(default_factory=set)
    probe: asyncio.Task[None] | None = None
    server: tuple[str, int] | None = None  # host and port, once they were read
    closed: bool = False


class Pools:
    """Pools by `connection_id`. The connection string is opened only here, when a connection is made.

    At most `size` statements run in one database, `caller_size` of one caller in it, `budget` in all; idle
    connections count against the budget too, and the one idle longest makes room.
    """

    def __init__(
        self,
        *,
        open_target: Callable[[SealedText], ConnectionTarget],
        size: int,
        budget: int,
        acquire_timeout_ms: int,
        query_timeout_ms: int,
    ) -> None:
        self.caller_size = caller_share(size)
        self._open_target = open_target
        self._budget = budget
        self._acquire_timeout_s = acquire_timeout_ms / 1000
        self._settings = session_settings(query_timeout_ms)
        self._turns = Turns(total=budget, per_source=size, per_caller=self.caller_size)
        self._pools: dict[str, Pool] = {}
        self._wanted: frozenset[str] | None = None  # until the first catalog has come
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def session(
        self,
        dataset: DatasetSpec,
        *,
        caller: str = "",
        search_path: Sequence[str] = (),
        wait_s: float | None = None,
    ) -> AsyncIterator[Session]:
        """A session with a READ ONLY transaction begun, after at most `wait_s` or the setting's time.

        `gateway_busy` where no connection became free in time, `source_unavailable` where none can be made, in
        milliseconds once that is known.
        """
        pool = self._pool(dataset)
        refuse_if_gone(pool, dataset.name)
        wait_s = self._acquire_timeout_s if wait_s is None else wait_s
        try:
            await self._turns.take(pool.key, caller, timeout_s=wait_s)
        except TimeoutError:
            raise GatewayBusy(f"No connection to {dataset.name} became free in {wait_s:.3g} s.") from None
        except SourceUnavailable:
            # one error told everybody who waited; each gets its own, with the name of the dataset that it asked
            refuse_if_gone(pool, dataset.name)
            raise unreachable(dataset.name) from None
        session: Session | None = None
        try:
            refuse_if_gone(pool, dataset.name)  # it may have happened since this turn was granted
            session = await self._begin(pool, dataset.name, search_path)
            yield session
        finally:
            # beside us: an answer need not wait until its connection is clean, and who leaves may be cancelled again
            self._beside(self._take_back(pool, session, caller), "connection reset")

    def _pool(self, dataset: DatasetSpec) -> Pool:
        key = dataset.connection_id
        if self._wanted is not None and key not in self._wanted:
            # an older catalog's connection, by a question that was asked before the change
            raise changed(dataset.name)
        if key not in self._pools:
            self._pools[key] = Pool(key, dataset.sealed_dsn, dataset.name)
        return self._pools[key]

    # ── from idle to busy and back ───────────────────────────────────────────────────────────────────────────
    async def _begin(self, pool: Pool, name: str, search_path: Sequence[str]) -> Session:
        while pool.idle:
            session = pool.idle.pop()
            try:
                await self._start(pool, session, search_path)
                return session
            except TimeoutError:  # an OSError too, so it comes first
                # a server that does not answer: the others will not either, so a new connection tells
                idle, pool.idle = pool.idle, []
                self._beside(close_all(idle), "connection close")
            except (asyncpg.PostgresError, *BROKEN):
                continue  # it died while it was idle: another one takes its place, and nobody needs to know
        return await self._open(pool, name, search_path)

    async def _start(self, pool: Pool, session: Session, search_path: Sequence[str] = ()) -> None:
        """Begin a transaction, or be rid of the connection."""
        pool.busy.add(session)
        try:
            await session.begin(search_path)
        except BaseException:
            pool.busy.discard(session)
            session.connection.terminate()
            raise

    async def _take_back(self, pool: Pool, session: Session | None, caller: str) -> None:
        try:
            if session is not None:
                await self._clean(pool, session)
        finally:
            self._turns.give_back(pool.key, caller)

    async def _clean(self, pool: Pool, session: Session) -> None:
        """Make a session idle again, or close it where nobody may get it."""
        try:
            if not await session.reset():
                return
            if pool.closed or self.open_connections > self._budget:
                await session.close()
                return
        finally:
            pool.busy.discard(session)
        pool.idle.append(session)
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(IDLE_LIFETIME_S, self._reap)

    def _reap(self) -> None:
        """Close what has been idle for long; comes back as long as anything is idle."""
        self._reaper = None
        limit = time.monotonic() - IDLE_LIFETIME_S
        for pool in self._pools.values():
            old = [session for session in pool.idle if session.idle_since <= limit]
            pool.idle = [session for session in pool.idle if session.idle_since > limit]
            if old:
                self._beside(close_all(old), "connection close")
        if any(pool.idle for pool in self._pools.values()):
            self._reaper = asyncio.get_running_loop().call_later(IDLE_LIFETIME_S / 5, self._reap)

    # ── new connections ──────────────────────────────────────────────────────────────────────────────────────
    async def _open(self, pool: Pool, name: str, search_path: Sequence[str]) -> Session:
        """A new session, within the budget; tells the breaker how it went."""
        start = time.monotonic()
        try:
            session = await self._connect(pool)
        except SourceFull:
            await self._close_idle(pool.server)  # ours may be what fills the server
            raise GatewayBusy(f"The database of {name} takes no more connections at the moment.") from None
        except (CredentialsUnreadable, DsnInvalid):
            raise CredentialsUnreadable(f"The stored connection string of {name} cannot be read.") from None
        except (PreflightError, asyncpg.PostgresError, *BROKEN) as error:
            self._note_failure(pool, error, took_s=time.monotonic() - start)
            raise unreachable(name) from None
        try:
            await self._start(pool, session, search_path)
        except (asyncpg.PostgresError, *BROKEN) as error:
            # a pooler that is full looks like this too, so a single slow answer is no proof
            self._note_failure(pool, error, took_s=0.0)
            raise unreachable(name) from None
        pool.breaker.succeeded()
        return session

    async def _connect(self, pool: Pool) -> Session:
        self._opening += 1
        try:
            await self._make_room()
            target = self._open_target(pool.sealed)
            pool.server = target.host, target.port
            async with asyncio.timeout(None) as told:
                pool.connecting.add(told)
                try:
                    connection, untaken = await open_session(target, self._settings)
                finally:
                    pool.connecting.discard(told)
            return Session(connection, local_settings=set_locally(untaken))
        finally:
            self._opening -= 1

    async def _make_room(self) -> None:
        """Within the budget an idle connection gives way to one that is needed now."""
        while self.open_connections > self._budget:
            idle = [pool for pool in self._pools.values() if pool.idle]
            if not idle:
                return
            oldest = min(idle, key=lambda pool: pool.idle[0].idle_since)
            await oldest.idle.pop(0).close()

    def __len__(self) -> int:
        """How many databases may be asked."""
        return len(self._wanted or self._pools)

    @property
    def open_connections(self) -> int:
        return self._opening + sum(len(pool.idle) + len(pool.busy) for pool in self._pools.values())

    async def _close_idle(self, server: tuple[str, int] | None) -> None:
        leaving: list[Session] = []
        for pool in self._pools.values():
            if pool.server == server:
                leaving += pool.idle
                pool.idle = []
        await close_all(leaving)

    # ── a database that is down ──────────────────────────────────────────────────────────────────────────────
    def _note_failure(self, pool: Pool, error: Exception, *, took_s: float) -> None:
        if pool.closed or not pool.breaker.failed(took_s=took_s):
            return
        log.warning("%s cannot be reached (%s): callers are told at once", pool.name, getattr(error, "code", error))
        self._turns.fail_waiting(pool.key, unreachable(pool.name))
        for told in pool.connecting:
            told.reschedule(0)  # long past: they need not wait for a timeout of their own
        pool.connecting.clear()
        if pool.probe is not None:
            pool.probe.cancel()  # of an earlier failure, asleep for longer
        pool.probe = self._beside(self._probe(pool), "connection probe")

    async def _probe(self, pool: Pool) -> None:
        """Half open: one connection is tried now and then, at nobody's cost."""
        while pool.breaker.is_open:
            await asyncio.sleep(pool.breaker.next_wait_s())
            try:
                session = await self._connect(pool)
                await self._start(pool, session)
            except (GatewayError, asyncpg.PostgresError, *BROKEN):
                continue
            pool.breaker.succeeded()
            log.warning("%s can be reached again", pool.name)
            await self._clean(pool, session)

    # ── the end of a pool ────────────────────────────────────────────────────────────────────────────────────
    def keep_only(self, connection_ids: Collection[str]) -> None:
        """Close the pools of connections that no dataset uses any more; their running queries end first."""
        self._wanted = frozenset(connection_ids)
        for key in set(self._pools) - self._wanted:
            pool = self._pools.pop(key)
            pool.closed = True
            self._turns.fail_waiting(key, changed(pool.name))
            if pool.probe is not None:
                pool.probe.cancel()
            idle, pool.idle = pool.idle, []
            self._beside(close_all(idle), "pool close")

    async def close(self) -> None:
        """Statements that still run are cut off."""
        running = [session for pool in self._pools.values() for session in pool.busy]
        wanted = self._wanted
        self.keep_only(())
        if self._reaper is not None:
            self._reaper.cancel()
        for session in running:
            session.connection.terminate()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._wanted = wanted  # an engine that was stopped may be started again

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def caller_share(size: int) -> int:
    """How many of a database's connections one caller may have at once: a third stays for the others."""
    return max(1, size - max(1, size // 3))


def refuse_if_gone(pool: Pool, name: str) -> None:
    if pool.closed:
        raise changed(name)
    if pool.breaker.is_open:
        raise unreachable(name)


def changed(name: str) -> SourceUnavailable:
    return SourceUnavailable(f"{name} was changed while the question waited.", hint="Ask again.")


def unreachable(name: str) -> SourceUnavailable:
    return SourceUnavailable(f"The database of {name} cannot be reached at the moment.")


async def close_all(sessions: Sequence[Session]) -> None:
    await asyncio.gather(*(session.close() for session in sessions))
