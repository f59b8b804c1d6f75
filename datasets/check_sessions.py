"""The one read-only transaction in which a check reads a registered database. Knows asyncpg, not Django."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from config.errors import QueryTimeout, SourceUnavailable
from datasets.connections import ConnectionTarget, open_session, set_locally

STATEMENT_TIMEOUT_MS: Final = 60_000
CHECK_TIMEOUT_S: Final = 180
SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "search_path": "pg_catalog",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": "2000",
}


@asynccontextmanager
async def open_check(target: ConnectionTarget, *, what: str, if_slow: str) -> AsyncIterator[asyncpg.Connection]:
    """A session for `what` ("The check of ..."); `if_slow` says what to do when it takes too long.

    Raises `QueryTimeout`, `SourceUnavailable`, or a `PreflightError` where there is no connection.
    """
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            connection, untaken = await open_session(target, SETTINGS)
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    if untaken:  # behind a pooler
                        await connection.execute(set_locally(untaken))
                    yield connection
            finally:
                connection.terminate()
    except (TimeoutError, asyncpg.QueryCanceledError):
        raise QueryTimeout(f"{what} did not finish in time.", hint=if_slow) from None
    except asyncpg.PostgresError as error:
        # SQLSTATE only: a message may quote values
        raise SourceUnavailable(
            f"{what} failed with SQLSTATE {error.sqlstate}.",
            hint="Check the role's rights and the database's log.",
            sqlstate=error.sqlstate,
        ) from None
    except (OSError, asyncpg.InterfaceError):
        raise SourceUnavailable(
            f"The connection to {target.host}:{target.port} broke. {what} did not finish."
        ) from None
