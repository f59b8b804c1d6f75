"""Runs a plan: READ ONLY transaction, text cells in chunks, budgets, ROLLBACK. Knows asyncpg, not Django."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

import asyncpg
from cachetools import TTLCache

from config.errors import GatewayError, QueryFailed, QueryRefused, QueryTimeout, SourceUnavailable
from datasets.catalog import DatasetSpec
from querying.evidence import EvidencePlan, read_evidence
from querying.pools import Pools
from querying.results import CELL_BYTES, Cell, Column, QueryResult
from querying.sessions import BROKEN, Session
from querying.sql.limit import EXPLAIN
from querying.sql.output import as_text, template_of
from querying.sql.plan import QueryPlan
from querying.sql.value_types import SPELLING
from querying.suppression import SuppressionPlan, suppress

Key = tuple[int, str, tuple[str, ...], str]
NARROW_CELLS: Final = 20_000
FIRST_ROWS: Final = 100  # of a result, whose width nobody knows yet
FIRST_CELLS: Final = 20_000
LATER_ROWS: Final = 5_000
GRACE_S: Final = 5.0
DESCRIPTION_BYTES: Final = 16 * 1024 * 1024
DESCRIPTION_OVERHEAD_BYTES: Final = 500  # and as much for two columns
DESCRIPTION_LIFETIME_S: Final = 300.0  # a table may be altered under it
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
UNFIT: Final = "A value does not fit the operation or cast that the query applies to it."
UNFIT_HINT: Final = "Cast fewer columns, or filter the values out first (for example with a regular expression)."
VALUE_ERRORS = {
    "22012": ("Division by zero.", "Guard the divisor with NULLIF(x, 0)."),
    "22003": ("A number is out of range for its type.", "Cast to numeric or double precision first."),
    "21000": ("A sub-query used as an expression returned more than one row.", "Aggregate it or add LIMIT 1."),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """`timeout_ms` is the server's own; a server that does not keep it is left a few seconds later."""

    max_bytes: int
    timeout_ms: int
    wait_s: float | None = None


@dataclass(slots=True)
class Description:
    """The columns of a statement and the text that asks for them as PostgreSQL prints them.

    `narrow` until its rows were once found to be too many bytes.
    """

    columns: tuple[Column, ...]
    sql: str
    narrow: bool = True


class Descriptions:
    """Descriptions by published entry and statement, so that PostgreSQL is asked once what a statement gives."""

    def __init__(self) -> None:
        self._kept: TTLCache[Key, Description] = TTLCache(DESCRIPTION_BYTES, DESCRIPTION_LIFETIME_S, getsizeof=size_of)
        self._lock = Lock()

    async def find(self, plan: QueryPlan, *, dataset: DatasetSpec, session: Session) -> Description:
        key = dataset.entry_id, dataset.connection_id, plan.search_path, plan.sql
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            # without a name, so that nothing stays behind on the server
            statement = await session.connection.prepare(plan.sql, name="")
            found = describe(plan, statement.get_attributes(), dataset)
            if size_of(found) <= self._kept.maxsize:
                with self._lock:
                    self._kept[key] = found
        return found


def size_of(description: Description) -> int:
    """Bytes, roughly: the plan's text in the key is about as long as the one made of it."""
    columns = len(description.columns) * DESCRIPTION_OVERHEAD_BYTES // 2
    return 2 * len(description.sql) + columns + DESCRIPTION_OVERHEAD_BYTES


def describe(plan: QueryPlan, attributes: Sequence[Any], dataset: DatasetSpec) -> Description:  # Any: asyncpg.Attribute
    columns = tuple(Column(attribute.name, _type_name(attribute.type)) for attribute in attributes)
    if plan.query_type == EXPLAIN or not columns:
        return Description(columns, plan.sql)
    templates = [_template(attribute.type, dataset) for attribute in attributes]
    return Description(columns, as_text(plan.sql, [column.name for column in columns], templates))


def _template(kind: Any, dataset: DatasetSpec) -> str:  # Any: asyncpg.Type
    name = kind.name if kind.schema == "pg_catalog" and kind.kind == "scalar" else ""
    return template_of(name, has_own_cast=dataset.vocabulary.has_refused_cast(SPELLING.get(name, name)))


def _type_name(kind: Any) -> str:  # Any: asyncpg.Type
    return f"{kind.name[:-2]}[]" if kind.kind == "array" and kind.name.endswith("[]") else str(kind.name)


async def execute(
    plan: QueryPlan,
    *,
    dataset: DatasetSpec,
    pools: Pools,
    descriptions: Descriptions,
    caller: str,
    limits: Limits,
) -> QueryResult:
    """The plan's rows, at most `plan.max_rows`; raises a `SourceError`, `BusyError` or `QueryRefused`.

    The statement is cancelled in the database as soon as this is cancelled here.
    """
    lent = pools.session(dataset, caller=caller, search_path=plan.search_path, wait_s=limits.wait_s)
    async with lent as session:
        # from the start: a message, too, may quote a value of a gigabyte
        session.meter.limit(limits.max_bytes)
        try:
            async with asyncio.timeout(limits.timeout_ms / 1000 + GRACE_S):
                description = await descriptions.find(plan, dataset=dataset, session=session)
                result = await read(session, description, max_rows=plan.max_rows, max_bytes=limits.max_bytes)
                return result if plan.evidence is None else with_bases(result, plan.evidence, plan.suppression)
        except TimeoutError:
            session.connection.terminate()
            raise QueryTimeout("The database did not answer within the time limit.") from None
        except (asyncpg.PostgresError, *BROKEN) as error:
            if session.meter.exceeded:
                raise QueryFailed(UNFIT, hint=UNFIT_HINT) from None
            if isinstance(error, asyncpg.PostgresError):
                raise translate(error) from None
            session.connection.terminate()
            raise SourceUnavailable(f"The connection to the database of {dataset.name} broke.") from None


def with_bases(result: QueryResult, plan: EvidencePlan, suppression: SuppressionPlan | None) -> QueryResult:
    """The last column, which the caller did not ask for, as what the others rest on."""
    bases = tuple(read_evidence(plan, row[-1]) for row in result.cells)
    cells = tuple(row[:-1] for row in result.cells)
    if suppression is not None:
        is_cut = suppression.is_cut or result.truncated
        cells, bases = suppress(replace(suppression, is_cut=is_cut), cells, bases)
    return replace(result, columns=result.columns[:-1], cells=cells, bases=bases)


async def read(session: Session, description: Description, *, max_rows: int, max_bytes: int) -> QueryResult:
    """At most `max_rows` rows: all at once where they will hardly be many bytes, else in chunks."""
    if description.narrow and max_rows * len(description.columns) <= NARROW_CELLS:
        return await read_at_once(session, description, max_rows=max_rows, max_bytes=max_bytes)
    return await read_in_chunks(session, description, max_rows=max_rows, max_bytes=max_bytes)


async def read_at_once(session: Session, description: Description, *, max_rows: int, max_bytes: int) -> QueryResult:
    """One round trip; and PostgreSQL runs in parallel only what is not fetched in parts, twice as fast and more."""
    session.meter.limit(max_bytes)
    try:
        # fetch is the extended protocol: it refuses "SELECT 1; COMMIT; DELETE ..."
        records = await session.connection.fetch(description.sql)
    except (asyncpg.PostgresError, *BROKEN):
        if session.meter.exceeded:
            # nothing of it can be had any more; whoever asks again gets the rows that fit
            description.narrow = False
            return QueryResult(description.columns, (), "bytes")
        raise
    size = session.meter.received + CELL_BYTES * len(description.columns) * len(records)
    cells = tuple(map(tuple, records))
    if size >= max_bytes:
        return QueryResult(description.columns, cells[: min(max_rows, len(cells) * max_bytes // size)], "bytes")
    return QueryResult(description.columns, cells[:max_rows], "rows" if len(cells) > max_rows else "", size)


async def read_in_chunks(session: Session, description: Description, *, max_rows: int, max_bytes: int) -> QueryResult:
    """Through a cursor, the next chunk as large as the last one's rows allow."""
    cursor = await session.connection.cursor(description.sql)
    width = max(1, len(description.columns))
    cells: list[tuple[Cell, ...]] = []
    size = 0
    ask = max(1, min(FIRST_ROWS, FIRST_CELLS // width))
    while True:
        # one more than is shown tells truncation from an exact fit
        ask = min(ask, max_rows + 1 - len(cells))
        session.meter.limit(max_bytes - size)
        try:
            chunk = await cursor.fetch(ask)
        except (asyncpg.PostgresError, *BROKEN):
            if session.meter.exceeded:
                return QueryResult(description.columns, tuple(cells), "bytes")
            raise
        before, size = size, size + session.meter.received + CELL_BYTES * width * len(chunk)
        cells += map(tuple, chunk)
        if size >= max_bytes:
            # of the last chunk about as many rows as fit
            fits = len(cells) - len(chunk) + len(chunk) * (max_bytes - before) // (size - before)
            return QueryResult(description.columns, tuple(cells[: min(fits, max_rows)]), "bytes")
        if len(cells) > max_rows:
            return QueryResult(description.columns, tuple(cells[:max_rows]), "rows", size)
        if len(chunk) < ask:
            return QueryResult(description.columns, tuple(cells), "", size)
        ask = min(LATER_ROWS, (max_bytes - size) * len(cells) // size + 1)


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
        return QueryFailed(UNFIT, hint=UNFIT_HINT, sqlstate=state)
    return QueryFailed(f"PostgreSQL refused the query (SQLSTATE {state}).", sqlstate=state)


def _hint_for(state: str) -> str:
    if state in {"42703", "42P01", "42883"}:
        return "Call describe_dataset for the tables, columns and types; cast explicitly where types differ."
    if state == "42803":
        return "Name every non-aggregated column of SELECT and ORDER BY in GROUP BY."
    return "Correct the SQL and send it again."
