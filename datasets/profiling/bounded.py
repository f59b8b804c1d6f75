"""Reading somebody's tables without being a burden: read-only transactions with a time limit. Knows asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

LOCK_TIMEOUT_MS: Final = 1_000
# values are printed in one form, whatever the role or the database has set, and behind a pooler too
PRINTED_FORM: Final = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL intervalstyle = 'postgres'; "
    "SET LOCAL search_path = pg_catalog"
)


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
