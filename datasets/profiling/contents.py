"""What is in the tables, one after the other over one connection, within a budget of time. Knows asyncpg, not Django.

Short tables come first: most of a database is known soon, and a table that takes long costs none of the others.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

import asyncpg

from config.errors import ProfilingFailed
from datasets.connections import ConnectionTarget, open_session, set_locally
from datasets.profiling.facts import TableFacts
from datasets.profiling.introspection import LOCAL_SETTINGS, FoundTable
from datasets.profiling.sampling import sample_table
from datasets.profiling.statistics import TableStatistics, fetch_statistics
from datasets.profiling.summaries import table_facts

TABLE_BUDGET_MS: Final = 5_000
NO_TIME: Final = "budget"
Name = tuple[str, str]


async def read_contents(
    target: ConnectionTarget, tables: Sequence[FoundTable], *, known: Collection[Name], budget_s: float
) -> AsyncIterator[tuple[FoundTable, TableFacts]]:
    """Facts of each table that is not `known` yet. What is left when the time is over has the planner's alone.

    A table that cannot be read says so in its facts. Raises `ProfilingFailed` where the connection breaks.
    """
    started = time.monotonic()
    connection, untaken = await open_session(target, LOCAL_SETTINGS)
    try:
        async with connection.transaction(readonly=True):
            if untaken:  # behind a pooler
                await connection.execute(set_locally(untaken))
            statistics = await fetch_statistics(connection)
        for table in sorted(tables, key=lambda table: (table.row_estimate or 0, table.schema, table.name)):
            name = (table.schema, table.name)
            if name not in known:
                left_ms = round(1000 * (started + budget_s - time.monotonic()))
                yield table, await read_table(connection, table, statistics.get(name), left_ms)
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
        raise ProfilingFailed(
            f"The connection to {target.host}:{target.port} broke while its tables were read.", hint="Profile again."
        ) from None
    finally:
        connection.terminate()


async def read_table(
    connection: asyncpg.Connection, table: FoundTable, statistics: TableStatistics | None, left_ms: int
) -> TableFacts:
    if left_ms <= 0:
        return table_facts(table, statistics, None, error=NO_TIME)
    sample = await sample_table(connection, table, budget_ms=min(TABLE_BUDGET_MS, left_ms))
    return table_facts(table, statistics, sample, error=sample.error)
