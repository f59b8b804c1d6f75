"""One asyncpg pool per connection string, opened on first use. Knows asyncpg, not Django."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from config.errors import CredentialsUnreadable, DsnInvalid, GatewayBusy, PreflightError, SourceUnavailable
from datasets.catalog import DatasetSpec
from datasets.connections import ConnectionTarget, open_connection
from datasets.sealing import SealedText

IDLE_LIFETIME_S = 300.0
# read as PostgreSQL writes them: asyncpg's own decoding fails on BC dates and years over 9999
TEXT_TYPES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")


class Pools:
    """Pools by `connection_id`. The connection string is opened only here, when a connection is made."""

    def __init__(
        self,
        *,
        open_target: Callable[[SealedText], ConnectionTarget],
        size: int,
        acquire_timeout_ms: int,
        query_timeout_ms: int,
    ) -> None:
        self._open_target = open_target
        self._size = size
        self._acquire_timeout_s = acquire_timeout_ms / 1000
        self._session = session_settings(query_timeout_ms)
        self._pools: dict[str, asyncpg.Pool] = {}
        self._opening = asyncio.Lock()
        self._describing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def connection(self, dataset: DatasetSpec) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the dataset's pool; `gateway_busy` where none is free in time, else why there is none."""
        pool = await self._pool(dataset)
        try:
            connection = await pool.acquire(timeout=self._acquire_timeout_s)
        except TimeoutError:
            raise GatewayBusy(
                f"No connection to {dataset.name} became free in {self._acquire_timeout_s:.0f} s."
            ) from None
        except (PreflightError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
            raise SourceUnavailable(f"The database of {dataset.name} cannot be reached at the moment.") from None
        except (CredentialsUnreadable, DsnInvalid):
            raise CredentialsUnreadable(f"The stored connection string of {dataset.name} cannot be read.") from None
        try:
            yield connection
        finally:
            await asyncio.shield(_release(pool, connection))

    @asynccontextmanager
    async def plain_connection(self, dataset: DatasetSpec) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own without the pool's codecs, for what they cannot describe; one at a time."""
        async with self._describing:
            connection = await open_connection(self._open_target(dataset.sealed_dsn), server_settings=self._session)
            try:
                yield connection
            finally:
                connection.terminate()

    async def _pool(self, dataset: DatasetSpec) -> asyncpg.Pool:
        async with self._opening:
            if dataset.connection_id not in self._pools:
                self._pools[dataset.connection_id] = await self._create(dataset.sealed_dsn)
            return self._pools[dataset.connection_id]

    async def _create(self, sealed: SealedText) -> asyncpg.Pool:
        async def connect(*_: Any, **__: Any) -> asyncpg.Connection:  # Any: what asyncpg would have connected with
            return await open_connection(self._open_target(sealed), server_settings=self._session)

        return await asyncpg.create_pool(
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=IDLE_LIFETIME_S,
            connect=connect,
            init=_read_dates_as_text,
        )

    def keep_only(self, connection_ids: Collection[str]) -> None:
        """Close the pools of connections that no dataset uses any more; their running queries end first."""
        for key in set(self._pools) - set(connection_ids):
            # beside us: a query of half a minute must not hold up the catalog
            closing = asyncio.create_task(_close(self._pools.pop(key)), name="pool close")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        self.keep_only(())
        await asyncio.gather(*self._closing)


def session_settings(query_timeout_ms: int) -> dict[str, str]:
    """The session ring: what every connection starts with, and what asyncpg's RESET ALL returns it to."""
    return {
        "default_transaction_read_only": "on",
        "statement_timeout": str(query_timeout_ms),
        "lock_timeout": "2000",
        "idle_in_transaction_session_timeout": str(query_timeout_ms + 10_000),
        "client_connection_check_interval": "1000",
        "search_path": "pg_catalog",
        "timezone": "UTC",
    }


async def _read_dates_as_text(connection: asyncpg.Connection) -> None:
    for name in TEXT_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")


async def _release(pool: asyncpg.Pool, connection: asyncpg.Connection) -> None:
    try:
        await pool.release(connection, timeout=5)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        # it could not be reset, so nobody gets it again; the answer that it gave stands
        connection.terminate()


async def _close(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), timeout=30)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()
