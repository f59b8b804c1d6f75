"""Reading somebody's tables without being a burden: read-only transactions with a time limit. Knows asyncpg."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from config.errors import ProfilingFailed
from datasets.connections import ConnectionTarget, open_session

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
    target: ConnectionTarget, *, what: str
) -> AsyncGenerator[tuple[asyncpg.Connection, Mapping[str, str]]]:
    """A connection to read with, and what each transaction has to set itself behind a pooler (`bounded` does).

    Raises `ProfilingFailed` for what PostgreSQL or the network refuses meanwhile, or what `open_session` does.
    """
    connection, untaken = await open_session(target, LOCAL_SETTINGS)
    try:
        yield connection, untaken
    except asyncpg.PostgresError as error:
        # SQLSTATE only: a message may quote values
        raise ProfilingFailed(
            f"Reading the {what} of {target.database} failed with SQLSTATE {error.sqlstate}.",
            hint="Profile again; if it persists, check the database's log.",
            sqlstate=error.sqlstate,
        ) from None
    except (OSError, asyncpg.InterfaceError):
        raise ProfilingFailed(
            f"The connection to {target.host}:{target.port} broke while the {what} was read.", hint="Profile again."
        ) from None
    finally:
        connection.terminate()


@asynccontextmanager
async def bounded(connection: asyncpg.Connection, *, budget_ms: int) -> AsyncIterator[None]:
    """A read-only transaction in which each statement has `budget_ms` and no lock is waited for long."""
    async with connection.transaction(readonly=True):
        await connection.execute(
            f"SET LOCAL statement_timeout = {int(budget_ms)}; "
            f"SET LOCAL lock_timeout = {min(LOCK_TIMEOUT_MS, int(budget_ms))}; {PRINTED_FORM}"
        )
        yield


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
