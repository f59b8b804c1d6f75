"""Joins the labelled results of one call in DuckDB, in memory, in a thread. Knows DuckDB, not Django.

Nothing but the approved statement runs, and were that wrong: no files, no network, no extensions, no Python objects,
no settings that can be changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, Final

import duckdb

from config.errors import GatewayBusy, GatewayError, QueryFailed, QueryTimeout
from querying.results import CELL_BYTES, Cell, Column, QueryResult
from querying.sql.combined import (
    MACROS,
    MAX_MATCHED_BYTES,
    MAX_TEXT_BYTES,
    TOO_LONG,
    TOO_LONG_TO_MATCH,
    build_combined,
    column_names,
    quote,
)

AT_ONCE: Final = 2  # in a process; each may take MEMORY_LIMIT
MEMORY_LIMIT: Final = "256MB"
MAX_BYTES: Final = 8_000_000
CHUNK_ROWS: Final = 500
AGAIN_S: Final = 0.02  # an interrupt between two statements is lost, so it is sent again
NOWHERE: Final = "/nonexistent"
LARGEST: Final = 2**63

# Some settings cannot be given at connect, and some only in this order, so all are set at once before anything else.
CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": MEMORY_LIMIT,
    "python_enable_replacements": False,
    "threads": 1,
}
LOCKS: Final = (
    "SET temp_directory = ''",
    "SET max_temp_directory_size = '0KB'",
    "SET allow_persistent_secrets = false",
    f"SET secret_directory = '{NOWHERE}'",
    f"SET extension_directory = '{NOWHERE}'",
    f"SET home_directory = '{NOWHERE}'",
    # by default files named :memory: and :memory:.wal in the working directory are open to all
    "SET allowed_paths = []",
    "SET allowed_directories = []",
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET enable_logging = false",
    # as PostgreSQL: an error, not infinity or NULL
    "SET ieee_floating_point_ops = false",
    "SET error_on_division_by_zero = true",
    "SET lock_configuration = true",
)
POOL: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="combine")


async def combine(
    sql: str, inputs: Mapping[str, QueryResult], *, max_rows: int, timeout_s: float, max_bytes: int = MAX_BYTES
) -> QueryResult:
    """The rows of one SELECT over the labelled results; a `RequestError`, `SourceError` or `GatewayBusy` else.

    When it ends, also by a timeout or when it is cancelled, nothing of it runs any more.
    """
    statement = build_combined(sql, inputs, max_rows=max_rows)
    run = Run(statement, inputs, max_rows, max_bytes)
    job = POOL.submit(run)
    future = asyncio.wrap_future(job)
    try:
        return await _wait(run, future, timeout_s)
    finally:
        if not job.cancel():
            await _stop(run, future)


async def _wait(run: Run, future: asyncio.Future[QueryResult], timeout_s: float) -> QueryResult:
    """The time counts from when its turn has come, for which it waits as long at most."""
    await asyncio.wait({run.begun}, timeout=timeout_s)
    if not run.begun.done():
        raise GatewayBusy("Other combinations are running.", hint="Try again in a few seconds.")
    done, _ = await asyncio.wait({future}, timeout=timeout_s)
    if not done:
        raise QueryTimeout(
            "The combine statement was stopped at its time limit.",
            hint="Aggregate more in the labelled queries, and check that every JOIN has a condition.",
        )
    return future.result()


async def _stop(run: Run, future: asyncio.Future[QueryResult]) -> None:
    """Until the thread is out of it; a second cancellation waits for that too."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        run.interrupt()
        try:
            await asyncio.wait({future}, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
    if not future.cancelled():
        future.exception()  # read, so that nobody reports it
    if cancelled is not None:
        raise cancelled


class Stopped(Exception):
    """It was interrupted; nobody waits for what it gives."""


class Run:
    """One combination: called in a thread, interrupted from another."""

    def __init__(self, statement: str, inputs: Mapping[str, QueryResult], max_rows: int, max_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self._stopped = Event()
        self._lock = Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._statement = statement
        self._inputs = inputs
        self._max_rows = max_rows
        self._max_bytes = max_bytes

    def interrupt(self) -> None:
        self._stopped.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()

    def __call__(self) -> QueryResult:
        self._loop.call_soon_threadsafe(self._begin)
        connection = connect()
        try:
            self._connection = connection
            for label, result in self._inputs.items():
                self._check()
                if f"main.{quote(label)}" in self._statement:
                    load(connection, label, result)
            lock(connection)
            self._check()
            return self._fetch(connection)
        except duckdb.Error as error:
            self._check()
            raise translate(error) from None
        finally:
            with self._lock:  # nothing interrupts a connection that is being closed
                self._connection = None
            connection.close()

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _fetch(self, connection: duckdb.DuckDBPyConnection) -> QueryResult:
        columns, sql = describe(connection, self._statement)
        forms = [FORMS.get(column.type) for column in columns]
        cursor = connection.execute(sql)
        cells: list[tuple[Cell, ...]] = []
        size = 0
        while chunk := cursor.fetchmany(CHUNK_ROWS):
            self._check()
            for values in chunk:
                if len(cells) == self._max_rows:
                    return QueryResult(columns, tuple(cells), "rows")
                row = tuple(
                    value if value is None or form is None else form(value)
                    for value, form in zip(values, forms, strict=True)
                )
                size += CELL_BYTES * len(row) + sum(len(cell) for cell in row if cell)
                if size > self._max_bytes:
                    return QueryResult(columns, tuple(cells), "bytes")
                cells.append(row)
        return QueryResult(columns, tuple(cells))


# ── the connection ───────────────────────────────────────────────────────────────────────────────────────────
def connect() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, with the functions that a printed statement calls."""
    connection = duckdb.connect(":memory:", config=CONFIG)
    for statement in MACROS:
        connection.execute(statement)
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on it can only compute. About 1 ms."""
    for statement in LOCKS:
        connection.execute(statement)


# ── from results to tables ───────────────────────────────────────────────────────────────────────────────────
Values = list[Any]  # Any: int, float, bool or str, one kind in a column; None for NULL


def load(connection: duckdb.DuckDBPyConnection, label: str, result: QueryResult) -> None:
    """One result as a table `main."label"`, typed where every value can be kept exactly."""
    names = column_names(result) or ("",)
    by_column = list(zip(*result.cells, strict=True)) if result.cells else [()] * len(names)
    if not result.columns:
        by_column = [(None,) * len(result.cells)]
    made = [build_column(connection, kind, cells) for kind, cells in zip(_kinds(result), by_column, strict=True)]
    selected = ", ".join(
        f"unnest(${position}::{kind}[]) AS {quote(name) if name else '_mcpa_none'}"
        for position, (name, (kind, _)) in enumerate(zip(names, made, strict=True), start=1)
    )
    for kind, values in made:
        check_texts(label, kind, values)
    # a checked label, and names quoted
    connection.execute(f"CREATE TABLE main.{quote(label)} AS SELECT {selected}", [values for _, values in made])


def _kinds(result: QueryResult) -> list[str]:
    return [column.type for column in result.columns] or ["text"]


def check_texts(label: str, kind: str, values: Values) -> None:
    if kind == "VARCHAR" and max((len(value.encode()) for value in values if value), default=0) > MAX_TEXT_BYTES:
        raise QueryFailed(
            f"The result {label} holds a text of more than {MAX_TEXT_BYTES:,} bytes, which cannot be combined.",
            hint="Leave that column out of the labelled query, or shorten it with left(x, 200).",
        )


def build_column(connection: duckdb.DuckDBPyConnection, kind: str, cells: Sequence[Cell]) -> tuple[str, Values]:
    """DuckDB's type of a column and its values; VARCHAR and the cells where one could not be kept."""
    maker = MAKERS.get(kind)
    if maker is not None:
        return maker(cells)
    wanted = MOMENTS.get(kind, "VARCHAR")
    if wanted != "VARCHAR" and not keeps(connection, wanted, cells):
        wanted = "VARCHAR"
    return wanted, list(cells)


def keeps(connection: duckdb.DuckDBPyConnection, kind: str, cells: Sequence[Cell]) -> bool:
    """Whether DuckDB writes every value as it was read."""
    found = connection.execute(
        f"SELECT bool_and(x IS NOT DISTINCT FROM CAST(TRY_CAST(x AS {kind}) AS VARCHAR)) "  # noqa: S608  # of MOMENTS
        "FROM (SELECT unnest($1::VARCHAR[]) AS x)",
        [list(cells)],
    ).fetchone()
    return found is not None and found[0] is not False


def make_whole(cells: Sequence[Cell]) -> tuple[str, Values]:
    try:
        values = [None if cell is None else int(cell) for cell in cells]
    except ValueError:
        return "VARCHAR", list(cells)
    fits = all(value is None or -LARGEST <= value < LARGEST for value in values)
    return ("BIGINT", values) if fits else ("VARCHAR", list(cells))


def make_fractional(cells: Sequence[Cell]) -> tuple[str, Values]:
    try:
        return "DOUBLE", [None if cell is None else float(cell) for cell in cells]
    except ValueError:
        return "VARCHAR", list(cells)


WHOLE_NUMBER: Final = re.compile(r"(-?\d{1,19})(?:\.0*)?")


def make_numeric(cells: Sequence[Cell]) -> tuple[str, Values]:
    """BIGINT where all are whole, 3.00 too; else DOUBLE."""
    values: Values = []
    for cell in cells:
        found = None if cell is None else WHOLE_NUMBER.fullmatch(cell)
        if cell is not None and (found is None or not -LARGEST <= int(found[1]) < LARGEST):
            return make_fractional(cells)
        values.append(found and int(found[1]))
    return "BIGINT", values


def make_truth(cells: Sequence[Cell]) -> tuple[str, Values]:
    if any(cell not in (None, "true", "false") for cell in cells):
        return "VARCHAR", list(cells)
    return "BOOLEAN", [None if cell is None else cell == "true" for cell in cells]


MAKERS: Final[Mapping[str, Callable[[Sequence[Cell]], tuple[str, Values]]]] = {
    "bool": make_truth,
    "float4": make_fractional,
    "float8": make_fractional,
    "int2": make_whole,
    "int4": make_whole,
    "int8": make_whole,
    "numeric": make_numeric,
    "oid": make_whole,
}
MOMENTS: Final[Mapping[str, str]] = {"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"}


# ── from rows to a result ────────────────────────────────────────────────────────────────────────────────────
POSTGRESQL_TYPES: Final[Mapping[str, str]] = {
    "BIGINT": "int8",
    "BOOLEAN": "bool",
    "DATE": "date",
    "DOUBLE": "float8",
    "FLOAT": "float4",
    "HUGEINT": "numeric",
    "INTEGER": "int4",
    "INTERVAL": "interval",
    "SMALLINT": "int2",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TINYINT": "int2",
    "UINTEGER": "int8",
}


def describe(connection: duckdb.DuckDBPyConnection, statement: str) -> tuple[tuple[Column, ...], str]:
    """The columns and the statement that fetches them: doubles and truth values as such, all else as text."""
    parsed = connection.extract_statements(statement)
    if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.SELECT:
        raise QueryFailed("This statement cannot be combined.", hint="Write it in a plainer form.")
    found = connection.execute(f"DESCRIBE {statement}").fetchall()
    columns = tuple(Column(unquoted(name), type_name(kind)) for name, kind, *_ in found)
    places = [f"c{position}" for position in range(len(columns))]
    outputs = [
        place if column.type in FORMS else f"CAST({place} AS VARCHAR)"
        for place, column in zip(places, columns, strict=True)
    ]
    return columns, f"SELECT {', '.join(outputs)} FROM ({statement}) AS q({', '.join(places)})"  # noqa: S608  # printed


def unquoted(name: str) -> str:
    """A name as the caller wrote it: "^a" -> A."""
    return re.sub(r"\^(.)", lambda found: found[1].upper(), name)


def type_name(kind: str) -> str:
    return "numeric" if kind.startswith("DECIMAL") else POSTGRESQL_TYPES.get(kind, "text")


def write_truth(value: bool) -> str:
    return "true" if value else "false"


def write_float(value: float) -> str:
    """The shortest text that means this double, as PostgreSQL's float8out: 0.1, 3, 1e+20, NaN, Infinity."""
    text = repr(value)
    if text[-1].isalpha():
        return {"nan": "NaN", "inf": "Infinity"}.get(text, "-Infinity")
    whole = text.removesuffix(".0")
    digits = whole.lstrip("-")
    if whole == text or len(digits) < 16:
        return whole
    sign, kept = whole[: len(whole) - len(digits)], digits.rstrip("0")
    return f"{sign}{kept[0]}{'.' * (len(kept) > 1)}{kept[1:]}e+{len(digits) - 1}"


FORMS: Final[Mapping[str, Callable[[Any], str]]] = {"bool": write_truth, "float8": write_float}  # Any: of one type each


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────
def translate(error: duckdb.Error) -> GatewayError:
    """A short text without values; DuckDB's own words only where they name functions, columns and types."""
    text = str(error)
    for mark, message, hint in KNOWN:
        if mark in text:
            return QueryFailed(message, hint=hint)
    for kind, message, hint in KINDS:
        if isinstance(error, kind):
            return QueryFailed(message, hint=hint)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        return QueryFailed(f"DuckDB: {first_line(text)}", hint="Cast where types differ, and check GROUP BY.")
    return QueryFailed("DuckDB could not run the combine statement.", hint="Write it in a plainer form.")


def first_line(text: str) -> str:
    """Without the kind of error, our own functions and whatever looks like a path."""
    line = text.partition("\n")[0].partition(": ")[2]
    line = re.sub(r"_mcpa_\w+", "an expression", unquoted(line))
    return "The statement does not fit its columns." if "/" in line or not line else line[:200]


KNOWN: Final = (
    ("Division by zero", "Division by zero.", "Guard the divisor with NULLIF(x, 0)."),
    (
        "More than one row returned by a subquery",
        "A sub-query used as an expression returned more than one row.",
        "Aggregate it or add LIMIT 1.",
    ),
    (
        TOO_LONG,
        f"A text in the combine statement became longer than {MAX_TEXT_BYTES:,} bytes.",
        "Build long texts in the labelled queries.",
    ),
    (
        TOO_LONG_TO_MATCH,
        f"A text of more than {MAX_MATCHED_BYTES} bytes cannot be compared with this pattern.",
        f"Write words and % only, or left(x, {MAX_MATCHED_BYTES // 4}); or match in the labelled queries.",
    ),
)
KINDS: Final[Iterable[tuple[type[duckdb.Error], str, str]]] = (
    (
        duckdb.OutOfMemoryException,
        f"The combine statement needs more than {MEMORY_LIMIT} of memory.",
        "Aggregate more in the labelled queries, and check that every JOIN has a condition.",
    ),
    (
        duckdb.OutOfRangeException,
        "A number is out of range for its type or function.",
        "Cast to double precision first.",
    ),
    (
        duckdb.ConversionException,
        "A value does not fit the cast or comparison that the statement applies to it.",
        "Cast fewer columns, compare values of one type, or filter the others out in the labelled query.",
    ),
)
