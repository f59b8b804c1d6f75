"""Reading somebody's tables without being a burden: read-only transactions with a time limit. Knows asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from config.errors import ProfilingFailed
from datasets.connections import ConnectionTarget, open_session

PATIENCE: Final = 3  # a transaction has a few statements
PATIENCE_S: Final = 2.0
LOCK_TIMEOUT_MS: Final = 1_000
STATEMENT_TIMEOUT_MS: Final = 20_000
LOCAL_SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "search_path": "pg_catalog",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": "2000",
}
# values are printed in one form, whatever the role or the database has set, and behind a pooler too
PRINTED_FORM: Final = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL intervalstyle = 'postgres'; "
    "SET LOCAL search_path = pg_catalog"
)


@asynccontextmanager
async def reading(
    target: ConnectionTarget, *, what: str, limit_s: float
) -> AsyncGenerator[tuple[asyncpg.Connection, Mapping[str, str]]]:
    """A connection to read with, and what each transaction has to set itself behind a pooler (`bounded` does).

    After `limit_s` the connection ends, whatever it is at: a server that is frozen keeps to no time limit.
    Raises `ProfilingFailed` for what PostgreSQL or the network refuses meanwhile, or what `open_session` does.
    """
    connection, untaken = await open_session(target, LOCAL_SETTINGS)
    loop = asyncio.get_running_loop()
    ending = loop.call_later(limit_s, connection.terminate)
    try:
        yield connection, untaken
    except asyncpg.PostgresConnectionError:
        raise _broken(target, what, is_late=loop.time() >= ending.when()) from None
    except asyncpg.PostgresError as error:
        # SQLSTATE only: a message may quote values
        raise ProfilingFailed(
            f"Reading the {what} of {target.database} failed with SQLSTATE {error.sqlstate}.",
            hint="Profile again; if it persists, check the database's log.",
            sqlstate=error.sqlstate,
        ) from None
    except (OSError, asyncpg.InterfaceError):
        raise _broken(target, what, is_late=loop.time() >= ending.when()) from None
    finally:
        ending.cancel()
        connection.terminate()


def _broken(target: ConnectionTarget, what: str, *, is_late: bool) -> ProfilingFailed:
    if is_late:
        return ProfilingFailed(
            f"Reading the {what} of {target.database} took too long.", hint="The database answers slowly; try again."
        )
    return ProfilingFailed(
        f"The connection to {target.host}:{target.port} broke while the {what} was read.", hint="Profile again."
    )


@asynccontextmanager
async def bounded(connection: asyncpg.Connection, *, budget_ms: int) -> AsyncIterator[None]:
    """A read-only transaction in which each statement has `budget_ms` and no lock is waited for long.

    A server that does not even keep to that loses the connection.
    """
    ending = asyncio.get_running_loop().call_later(PATIENCE * budget_ms / 1000 + PATIENCE_S, connection.terminate)
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(
                f"SET LOCAL statement_timeout = {int(budget_ms)}; "
                f"SET LOCAL lock_timeout = {min(LOCK_TIMEOUT_MS, int(budget_ms))}; {PRINTED_FORM}"
            )
            yield
    finally:
        ending.cancel()
