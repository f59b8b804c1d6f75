"""One connection to a registered database: begun read only, metered, and made new before anybody gets it again.

Knows asyncpg, not Django.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from querying.sql.output import quote

BEGIN_TIMEOUT_S: Final = 2.0
RESET_TIMEOUT_S: Final = 3.0
RESET_BYTES: Final = 4_000_000
CLOSE_TIMEOUT_S: Final = 1.0
# how a connection fails that the server has closed
BROKEN: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# One round trip; what a statement may have left behind although three rings forbid it. Prepared statements stay: the
# driver keeps its own, and to look for others costs four times as much as all of this.
RESET: Final = (
    "ROLLBACK; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD SEQUENCES; "
    "DISCARD TEMP; SELECT pg_catalog.pg_advisory_unlock_all()"
)


class Session:
    """A connection between BEGIN and ROLLBACK, or idle. `local_settings` are set in each transaction.

    Belongs to one caller at a time.
    """

    def __init__(self, connection: asyncpg.Connection, *, local_settings: str = "") -> None:
        self.connection = connection
        self.idle_since = 0.0
        self._local_settings = local_settings
        self.meter = Meter(connection)

    async def begin(self, search_path: Sequence[str] = ()) -> None:
        """Start a READ ONLY transaction in one round trip; raises `TimeoutError` or one of `BROKEN`."""
        script = f"BEGIN READ ONLY{self._local_settings}{set_search_path(search_path) if search_path else ''}"
        async with asyncio.timeout(BEGIN_TIMEOUT_S):
            await self.connection.execute(script)

    async def reset(self) -> bool:
        """Roll back and forget everything; False where that did not work, and nobody must get it again."""
        # what a cancelled statement still sends is not taken in without end either
        self.meter.limit(RESET_BYTES)
        try:
            # a statement that was cancelled is waited for here: the server says when it is gone
            async with asyncio.timeout(RESET_TIMEOUT_S):
                await self.connection.execute(RESET)
        except (TimeoutError, asyncpg.PostgresError, *BROKEN):
            self.connection.terminate()
            return False
        self.idle_since = time.monotonic()
        return not self.connection.is_closed()

    async def close(self) -> None:
        try:
            await self.connection.close(timeout=CLOSE_TIMEOUT_S)
        except (TimeoutError, asyncpg.PostgresError, *BROKEN):
            self.connection.terminate()


class Meter(asyncio.Protocol):
    """Counts what a connection receives, and cuts it off above a limit: a single value may be a gigabyte.

    asyncpg puts a whole message together before anybody can look at it, so it is counted below asyncpg.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.received = 0
        self.exceeded = False
        self._limit = RESET_BYTES
        # asyncpg has no public way to its transport
        self._protocol: Any = connection._protocol
        self._transport: asyncio.Transport = connection._transport
        self._transport.set_protocol(self)

    def limit(self, size_bytes: int) -> None:
        """Count from 0 again, up to this size."""
        self.received, self._limit = 0, size_bytes

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self._limit:
            self.exceeded = True
            self._transport.abort()
        else:
            self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def eof_received(self) -> bool | None:
        ended: bool | None = self._protocol.eof_received()
        return ended

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def session_settings(query_timeout_ms: int) -> dict[str, str]:
    """The session ring: what every connection starts with, and what RESET ALL returns it to.

    The formats are fixed too: what is read is text, as PostgreSQL prints it.
    """
    return {
        "default_transaction_read_only": "on",
        "statement_timeout": str(query_timeout_ms),
        "lock_timeout": "2000",
        "idle_in_transaction_session_timeout": str(query_timeout_ms + 10_000),
        "client_connection_check_interval": "1000",
        "search_path": "pg_catalog",
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
        "extra_float_digits": "1",
        "bytea_output": "hex",
    }


def set_search_path(schemas: Sequence[str]) -> str:
    """For this transaction: pg_catalog first, then the schemas of extensions whose operators the plan left open."""
    return f"; SET LOCAL search_path = pg_catalog, {', '.join(map(quote, schemas))}"
