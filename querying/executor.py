"""Runs a plan: READ ONLY transaction, cursor, budgets, ROLLBACK. Knows asyncpg, not Django."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import asyncpg

from config.errors import GatewayError, QueryFailed, QueryRefused, QueryTimeout, SourceUnavailable
from datasets.catalog import DatasetSpec
from querying.pools import Pools
from querying.results import Column, QueryResult, Value, to_value
from querying.sql.limit import EXPLAIN
from querying.sql.output import AS_DOUBLE, AS_TEXT, as_printed
from querying.sql.plan import QueryPlan

CHUNK_ROWS = 200
GRACE_S = 5.0
# how a connection fails that the server has closed
BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
ROLLBACK_TIMEOUT_S = 3.0
Attributes = Sequence[Any]  # Any: asyncpg.Attribute
Describe = Callable[[QueryPlan], Awaitable[Attributes]]
LEAVING: set[asyncio.Task[QueryResult]] = set()
# states whose own message names only what the caller wrote, never a value of a row or a name behind a view
TELLING_STATES = frozenset(
    {
        "42601",  # syntax_error
        "42702",  # ambiguous_column
        "42703",  # undefined_column
        "42712",  # duplicate_alias
        "42725",  # ambiguous_function
        "42803",  # grouping_error
        "42804",  # datatype_mismatch
        "42809",  # wrong_object_type
        "42846",  # cannot_coerce
        "42883",  # undefined_function
        "42P01",  # undefined_table
        "42P10",  # invalid_column_reference
        "42P18",  # indeterminate_datatype
        "42P20",  # windowing_error
        "42P19",  # invalid_recursion
    }
)
# scalar types that are printed by PostgreSQL, as arrays, ranges and composites are
PRINTED_TYPES = frozenset(
    {"bit", "box", "char", "circle", "line", "lseg", "path", "pg_lsn", "point", "polygon", "record", "varbit"}
)
VALUE_ERRORS = {
    "22012": ("Division by zero.", "Guard the divisor with NULLIF(x, 0)."),
    "22003": ("A number is out of range for its type.", "Cast to numeric or double precision first."),
    "21000": ("A sub-query used as an expression returned more than one row.", "Aggregate it or add LIMIT 1."),
}


async def execute(
    plan: QueryPlan, *, dataset: DatasetSpec, pools: Pools, max_bytes: int, timeout_ms: int
) -> QueryResult:
    """The plan's rows, at most `plan.max_rows` and `max_bytes`; raises a `SourceError` or `QueryRefused`.

    `timeout_ms` is the server's own limit; a server that does not keep it is left a few seconds later.
    """
    # a task of its own: a caller that leaves may be cancelled again at every step of tidying up
    running = asyncio.create_task(_execute(plan, dataset, pools, max_bytes, timeout_ms / 1000 + GRACE_S))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.cancel()
        LEAVING.add(running)
        running.add_done_callback(LEAVING.discard)
        raise


async def _execute(
    plan: QueryPlan, dataset: DatasetSpec, pools: Pools, max_bytes: int, timeout_s: float
) -> QueryResult:
    async with pools.connection(dataset) as connection:
        try:
            async with asyncio.timeout(timeout_s):
                return await _in_transaction(connection, plan, partial(_describe, pools, dataset), max_bytes)
        except TimeoutError:
            connection.terminate()
            raise QueryTimeout("The database did not answer within the time limit.") from None
        except asyncpg.PostgresError as error:
            raise translate(error) from None
        except BROKEN:
            connection.terminate()
            raise SourceUnavailable(f"The connection to the database of {dataset.name} broke.") from None


async def _in_transaction(
    connection: asyncpg.Connection, plan: QueryPlan, describe: Describe, max_bytes: int
) -> QueryResult:
    transaction = connection.transaction(readonly=True)
    await transaction.start()
    try:
        if plan.search_path:
            await connection.execute(set_search_path(plan.search_path))
        return await _fetch(connection, plan, describe, max_bytes=max_bytes)
    finally:
        await _roll_back(connection, transaction)


async def _describe(pools: Pools, dataset: DatasetSpec, plan: QueryPlan) -> Attributes:
    """The outputs of a plan, told by a connection that decodes nothing."""
    async with pools.plain_connection(dataset) as connection:
        if plan.search_path:
            await connection.execute(set_search_path(plan.search_path).replace("SET LOCAL", "SET"))
        attributes: Attributes = (await connection.prepare(plan.sql)).get_attributes()
        return attributes


def set_search_path(schemas: Sequence[str]) -> str:
    """For this transaction: pg_catalog first, then the schemas of extensions whose operators the plan left open."""
    quoted = ('"' + schema.replace('"', '""') + '"' for schema in schemas)
    return f"SET LOCAL search_path = pg_catalog, {', '.join(quoted)}"


async def _roll_back(connection: asyncpg.Connection, transaction: Any) -> None:  # Any: asyncpg's Transaction
    try:
        async with asyncio.timeout(ROLLBACK_TIMEOUT_S):
            if not connection.is_closed():
                await transaction.rollback()
    except (TimeoutError, asyncpg.PostgresError, *BROKEN):
        # what cannot be rolled back is cut off; the server rolls back by itself
        connection.terminate()


async def _fetch(connection: asyncpg.Connection, plan: QueryPlan, describe: Describe, *, max_bytes: int) -> QueryResult:
    # a prepared statement is the extended protocol: it refuses "SELECT 1; COMMIT; DELETE ..."
    try:
        statement = await connection.prepare(plan.sql)
        attributes = statement.get_attributes()
    except asyncpg.UnsupportedClientFeatureError:
        # ranges and composites of types that are read as text: elsewhere they can be described, here printed
        attributes = await describe(plan)
        statement = None
    columns = tuple(Column(attribute.name, _type_name(attribute.type)) for attribute in attributes)
    templates = {} if plan.query_type == EXPLAIN else _templates(attributes)
    if templates or statement is None:
        statement = await connection.prepare(as_printed(plan.sql, [column.name for column in columns], templates))
    cursor = await statement.cursor()
    rows: list[tuple[Value, ...]] = []
    size = 0
    while True:
        # one more than is shown tells truncation from an exact fit
        chunk = await cursor.fetch(min(CHUNK_ROWS, plan.max_rows + 1 - len(rows)))
        for record in chunk:
            if len(rows) == plan.max_rows:
                return QueryResult(columns, tuple(rows), truncated=True, truncated_by="rows")
            row = tuple(to_value(raw) for raw in record)
            size += sum(len(value) if isinstance(value, str) else 8 for value in row)
            if size > max_bytes:
                return QueryResult(columns, tuple(rows), truncated=True, truncated_by="bytes")
            rows.append(row)
        if len(chunk) < CHUNK_ROWS and len(rows) <= plan.max_rows:
            return QueryResult(columns, tuple(rows))


def _templates(attributes: Attributes) -> dict[int, str]:
    """How to ask for what the driver would not give as PostgreSQL prints it, by position."""
    found = {}
    for position, attribute in enumerate(attributes):
        if attribute.type.name == "float4":
            found[position] = AS_DOUBLE
        elif attribute.type.kind != "scalar" or attribute.type.name in PRINTED_TYPES:
            found[position] = AS_TEXT
    return found


def _type_name(kind: Any) -> str:  # Any: asyncpg.Type
    return f"{kind.name[:-2]}[]" if kind.kind == "array" and kind.name.endswith("[]") else str(kind.name)


def translate(error: asyncpg.PostgresError) -> GatewayError:
    """A stable code for a SQLSTATE; the database's own words only where they cannot hold a value."""
    state = error.sqlstate or ""
    if state == "57014":
        return QueryTimeout("The query was stopped at its time limit.")
    if state == "25006":
        return QueryRefused("The statement tried to write; transactions here are read only.")
    if state[:2] in {"08", "53", "57", "58"}:
        return SourceUnavailable("The database could not run the query at the moment.", sqlstate=state)
    if state in VALUE_ERRORS:
        message, hint = VALUE_ERRORS[state]
        return QueryFailed(message, hint=hint, sqlstate=state)
    if state == "55P03":
        return QueryTimeout("A table is locked by somebody else.", hint="Try again in a minute.", sqlstate=state)
    if state == "42501":
        return QueryFailed(
            "The dataset's role may not read something that this query needs.",
            hint="Ask without the view or column concerned, or ask an administrator to grant SELECT.",
            sqlstate=state,
        )
    if state in TELLING_STATES:
        return QueryFailed(f"PostgreSQL: {error.message}.", hint=_hint_for(state), sqlstate=state)
    if state[:2] == "22":
        return QueryFailed(
            "A value does not fit the operation or cast that the query applies to it.",
            hint="Cast fewer columns, or filter the values out first (for example with a regular expression).",
            sqlstate=state,
        )
    return QueryFailed(f"PostgreSQL refused the query (SQLSTATE {state}).", sqlstate=state)


def _hint_for(state: str) -> str:
    if state in {"42703", "42P01", "42883"}:
        return "Call describe_dataset for the tables, columns and types; cast explicitly where types differ."
    if state == "42803":
        return "Name every non-aggregated column of SELECT and ORDER BY in GROUP BY."
    return "Correct the SQL and send it again."
