"""Combining results in DuckDB: what is loaded and answered, what the lock alone refuses, limits and cancelling."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

from config.errors import GatewayBusy, InvalidRequest, NameNotFound, QueryFailed, QueryRefused, QueryTimeout, SqlInvalid
from querying import combine as module
from querying.combine import combine, connect, load, lock, write_float
from querying.results import Cell, Column, QueryResult

LONG = 30.0
CROSS = "SELECT sum(a.n * b.n * c.n * d.n) FROM many a, many b, many c, many d"


def result(columns: str, *rows: tuple[Cell, ...]) -> QueryResult:
    """`columns` as "name type, name type"."""
    made = (column.rsplit(" ", 1) for column in columns.split(", "))
    return QueryResult(tuple(Column(name, kind) for name, kind in made), rows)


A = result("k text, n int8, v numeric", ("x", "1", "1.5"), ("y", "2", None), ("x", "3", "0.25"))
B = result("k text, n int8, d date", ("x", "4", "2026-01-05"), ("z", None, None), ("y", "0", "2026-02-01"))
MANY = result("n int4, t text", *((str(n), f"name {n}") for n in range(1000)))
INPUTS = {"a": A, "b": B, "many": MANY, "empty": result("k text, n numeric, d date")}


async def ask(
    sql: str, inputs: dict[str, QueryResult] | None = None, *, max_rows: int = 1000, timeout_s: float = LONG
) -> QueryResult:
    return await combine(sql, INPUTS if inputs is None else inputs, max_rows=max_rows, timeout_s=timeout_s)


async def one(sql: str, inputs: dict[str, QueryResult] | None = None) -> tuple[Cell, ...]:
    found = await ask(sql, inputs)
    assert len(found.cells) == 1
    return found.cells[0]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_joins_two_labels() -> None:
    found = await ask("SELECT k, a.n, d FROM a JOIN b USING (k) ORDER BY a.n")

    assert found.columns == (Column("k", "text"), Column("n", "int8"), Column("d", "date"))
    assert found.cells == (("x", "1", "2026-01-05"), ("y", "2", "2026-02-01"), ("x", "3", "2026-01-05"))
    assert not found.truncated


async def test_gives_exact_ratios_of_whole_numbers() -> None:
    found = await ask("SELECT k, sum(a.n) / max(b.n) AS ratio FROM a JOIN b USING (k) WHERE b.n <> 0 GROUP BY k")

    assert found.cells == (("x", "1"),)
    assert found.columns[1] == Column("ratio", "float8")
    assert await one("SELECT 1 / 2") == ("0.5",)


async def test_answers_unions_windows_and_with_queries() -> None:
    found = await ask(
        "WITH t AS (SELECT k, n FROM a UNION ALL SELECT k, n FROM b) "
        "SELECT k, n, rank() OVER (ORDER BY n DESC) FROM t ORDER BY n"
    )

    assert found.cells[0] == ("y", "0", "6")
    assert found.cells[-1] == ("z", None, "1")


async def test_answers_over_empty_results() -> None:
    assert await one("SELECT count(*), sum(n), max(d), string_agg(k, ',') FROM empty") == ("0", None, None, None)
    assert [column.type for column in (await ask("SELECT * FROM empty")).columns] == ["text", "int8", "date"]


async def test_counts_rows_of_a_result_without_columns() -> None:
    assert await one("SELECT count(*) FROM bare", {"bare": QueryResult((), ((), ()))}) == ("2",)


async def test_refuses_to_combine_nothing() -> None:
    with pytest.raises(InvalidRequest):
        await ask("SELECT 1", {})


async def test_keeps_columns_of_one_name_and_odd_names() -> None:
    odd = result('n int4, n int4, A text, a text, "q" text, a b;-- text', ("1", "2", "3", "4", "5", "6"))

    found = await ask('SELECT n, n_2, "A", a, """q""" AS "Q""", "a b;--" FROM odd', {"odd": odd})

    assert [column.name for column in found.columns] == ["n", "n_2", "A", "a", 'Q"', "a b;--"]
    assert found.cells == (("1", "2", "3", "4", "5", "6"),)


async def test_prints_values_as_postgresql_does() -> None:
    kinds = result(
        "i int2, o oid, f float8, g float4, w numeric, v numeric, b bool, d date, s timestamp, z timestamptz, u uuid, "
        "j jsonb, t text",
        ("-1", "7", "1e+20", "0.1", "3.00", "0.10", "true", "2026-01-31", "2026-01-31 10:00:00.5",
         "2026-01-31 10:00:00+00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a": [1]}', "it's\n|ü"),
        ("2", "4294967295", "NaN", "-Infinity", "-9", "1e3", "false", "infinity", "infinity", "0001-01-01 00:00:00+00",
         None, None, ""),
        (None,) * 13,
    )  # fmt: skip

    found = await ask("SELECT * FROM kinds", {"kinds": kinds})

    assert found.cells == (
        ("-1", "7", "1e+20", "0.1", "3", "0.1", "true", "2026-01-31", "2026-01-31 10:00:00.5",
         "2026-01-31 10:00:00+00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a": [1]}', "it's\n|ü"),
        ("2", "4294967295", "NaN", "-Infinity", "-9", "1000", "false", "infinity", "infinity", "0001-01-01 00:00:00+00",
         None, None, ""),
        (None,) * 13,
    )  # fmt: skip
    assert [column.type for column in found.columns] == [
        "int8", "int8", "float8", "float8", "int8", "float8", "bool", "date", "timestamp", "timestamptz", "text",
        "text", "text",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("date", "0044-03-15 BC"),
        ("date", "99999999-01-01"),
        ("timestamp", "0044-03-15 00:00:00 BC"),
        ("timestamp", "294276-12-31 23:59:59"),
        ("timestamptz", "2026-01-31 10:00:00+05:30"),
        ("int8", "9223372036854775808"),
        ("bool", "t"),
    ],
)
async def test_keeps_as_text_what_cannot_be_kept_exactly(kind: str, cell: str) -> None:
    found = await ask("SELECT x FROM q", {"q": result(f"x {kind}", ("1" if kind == "int8" else None,), (cell,))})

    assert found.cells[1] == (cell,)


async def test_keeps_large_whole_numbers_exactly() -> None:
    numbers = result("n numeric, m int8", ("9223372036854775807", "9223372036854775807"), ("1", "9223372036854775807"))

    assert await one("SELECT max(n), sum(m), sum(n) FROM q", {"q": numbers}) == (
        "9223372036854775807",
        "18446744073709551614",
        "9223372036854775808",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (3.0, "3"),
        (-0.0, "-0"),
        (1e20, "1e+20"),
        (1e15, "1e+15"),
        (999999999999999.0, "999999999999999"),
        (1234567890123456.0, "1.234567890123456e+15"),
        (-2e15, "-2e+15"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_writes_floats_as_postgresql_does(value: float, text: str) -> None:
    assert write_float(value) == text


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_says_when_rows_were_cut() -> None:
    cut, whole = await ask("SELECT n FROM many", max_rows=999), await ask("SELECT n FROM many", max_rows=1000)

    assert (len(cut.cells), cut.truncated_by) == (999, "rows")
    assert (len(whole.cells), whole.truncated_by) == (1000, "")


async def test_says_when_bytes_were_cut() -> None:
    found = await combine("SELECT t FROM many", INPUTS, max_rows=1000, timeout_s=LONG, max_bytes=10_000)

    assert found.truncated_by == "bytes"
    assert 100 < len(found.cells) < 200


@pytest.mark.parametrize(
    "sql",
    [
        CROSS,
        "SELECT count(*) FROM many a, many b, many c, many d WHERE a.t || b.t NOT LIKE '%x' AND c.t ~ '(n|m).*e'",
        "SELECT a.n FROM many a, many b, many c, many d ORDER BY 1 LIMIT 1",
        "SELECT count(*) FROM many a WHERE (SELECT sum(b.n) FROM many b, many c, many d WHERE b.n + c.n < a.n) > 0",
    ],
)
async def test_stops_at_the_deadline(sql: str) -> None:
    begun = time.perf_counter()

    with pytest.raises(QueryTimeout):
        await ask(sql, timeout_s=0.5)

    assert 0.5 <= time.perf_counter() - begun < 1.0
    assert not running()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM (SELECT DISTINCT a.n * 1000000 + b.n * 1000 + c.n FROM many a, many b, many c) q",
        "SELECT length(string_agg(a.t, ',')) FROM many a, many b, many c",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.n * b.n) FROM many a, many b, many c",
        "SELECT a.n, rank() OVER (ORDER BY a.n * b.n) FROM many a, many b, many c",
        "WITH q AS (SELECT a.t FROM many a, many b, many c) SELECT count(*) FROM q x JOIN q y USING (t)",
    ],
)
async def test_fails_instead_of_filling_the_memory(sql: str) -> None:
    before = psutil.Process().memory_info().rss

    with pytest.raises(QueryFailed) as caught:
        await ask(sql)

    assert "256MB" in caught.value.message
    assert "labelled queries" in caught.value.hint
    assert psutil.Process().memory_info().rss - before < 400_000_000


DOUBLING = ", ".join(f"t{i} AS (SELECT x || x || x || x AS x FROM t{i - 1})" for i in range(1, 11))
MANY_TEXTS = ", ".join(f"upper(long.t || '{i}') AS t{i}" for i in range(20))


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH t0 AS (SELECT 'aaaaaaaaaaaaaaaa' || n AS x FROM many), {DOUBLING} SELECT max(length(x)) FROM t10",
        f"SELECT {MANY_TEXTS} FROM long CROSS JOIN many LIMIT 5",
        "SELECT replace(replace(replace(t, 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx') FROM long",
        "SELECT concat(a.t, b.t) FROM long a, long b, many",
    ],
)
async def test_texts_do_not_grow_without_end(sql: str) -> None:
    long = result("t text", ("x" * 4990,))

    peak = Peak()
    with contextlib.suppress(QueryFailed, QueryRefused):
        await asyncio.gather(ask(sql, {"long": long, "many": MANY}), peak.watch())

    assert peak.grown < 600_000_000


class Peak:
    """How much the process grows while something runs."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.grown = 0

    async def watch(self) -> None:
        while running() or not self.grown:
            self.grown = max(self.grown, self._process.memory_info().rss - self._before, 1)
            await asyncio.sleep(0.005)


async def test_refuses_texts_that_are_too_long_to_combine() -> None:
    with pytest.raises(QueryFailed) as caught:
        await ask("SELECT t FROM q", {"q": result("t text", ("x" * 5001,))})

    assert "left(x" in caught.value.hint


@pytest.mark.parametrize(
    ("length", "test"),
    [
        (200, "t LIKE '%a" + "_" * 46 + "z'"),
        (200, "t ~* 'a[^c]{48}'"),
        (200, "t ~ 'b.*.{40}.c.?z'"),
        (5000, "t ILIKE '" + "%ab" * 32 + "z'"),
        (5000, "t ~ '^" + ".{99}" * 19 + "'"),
        (5000, " AND ".join(f"t NOT LIKE '%z{i}%'" for i in range(40))),
    ],
)
async def test_no_pattern_runs_far_past_the_deadline(length: int, test: str) -> None:
    made = random.Random(1)
    texts = result("t text", *(("".join(made.choices("ab", k=length)),) for _ in range(1000)))
    begun = time.perf_counter()

    with contextlib.suppress(QueryTimeout):
        await ask(f"SELECT count(*) FROM texts WHERE {test}", {"texts": texts}, timeout_s=0.1)

    assert time.perf_counter() - begun < 1.5  # 0.6 s where nothing else runs; 10 s and more without the limits


async def test_says_when_a_text_is_too_long_for_a_pattern() -> None:
    long = {"q": result("t text", ("x" * 201,))}

    with pytest.raises(QueryFailed, match="200 bytes") as caught:
        await ask("SELECT t FROM q WHERE t ~ '[xy]z'", long)

    assert "left(x" in caught.value.hint
    assert await one("SELECT count(*) FROM q WHERE t LIKE '%x%'", long) == ("1",)


async def test_does_not_load_labels_that_are_not_named() -> None:
    inputs = {"a": A, "b": result("t text", ("x" * 5001,))}

    assert await one("SELECT count(*) FROM a", inputs) == ("3",)


async def test_is_over_when_it_was_cancelled() -> None:
    task = asyncio.create_task(ask(CROSS))
    await until(running)
    begun = time.perf_counter()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.perf_counter() - begun < 0.5
    assert not running()


async def test_a_second_cancellation_waits_for_the_thread_too() -> None:
    task = asyncio.create_task(ask(CROSS))
    await until(running)

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not running()


async def test_two_run_at_once_and_others_wait() -> None:
    tasks = [asyncio.create_task(ask(CROSS, timeout_s=1.0)) for _ in range(3)]
    await until(lambda: len(running()) == 2)
    await asyncio.sleep(0.1)
    at_once = len(running())

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert at_once == 2
    assert all(isinstance(answer, QueryTimeout | GatewayBusy) for answer in answers)
    assert await one("SELECT count(*) FROM a") == ("3",)


async def test_says_busy_when_its_turn_does_not_come() -> None:
    tasks = [asyncio.create_task(ask(CROSS, timeout_s=1.5)) for _ in range(2)]
    await until(lambda: len(running()) == 2)

    with pytest.raises(GatewayBusy):
        await ask("SELECT count(*) FROM a", timeout_s=0.2)

    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Knows which combinations are in their threads."""

    class Watched(module.Run):
        def __call__(self) -> QueryResult:
            RUNNING.append(self)
            try:
                return super().__call__()
            finally:
                RUNNING.remove(self)

    monkeypatch.setattr(module, "Run", Watched)
    yield
    assert not RUNNING


RUNNING: list[module.Run] = []


def running() -> list[module.Run]:
    return [run for run in RUNNING if run.begun.done()]


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # threads set no asyncio event
            await asyncio.sleep(0.005)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT n / 0 FROM a", "Division by zero."),
        ("SELECT n % 0 FROM a", "Division by zero."),
        ("SELECT (SELECT n FROM a)", "more than one row"),
        ("SELECT k::int FROM a", "does not fit the cast"),
        ("SELECT 9223372036854775807 + n FROM a", "out of range"),
        ("SELECT ln(0)", "out of range"),
        ("SELECT k, sum(n) FROM a", "GROUP BY"),
        ("SELECT sum(k) FROM a", "sum(VARCHAR)"),
        ("SELECT k + 1 FROM a", "DuckDB: "),
        ("SELECT k FROM a UNION SELECT k, n FROM b", "DuckDB: "),
    ],
)
async def test_says_what_went_wrong_without_values(sql: str, said: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        await ask(sql)

    assert said in caught.value.message
    assert caught.value.hint
    for secret in ("'x'", "_mcpa_", "/", "LINE"):
        assert secret not in caught.value.message


async def test_faults_of_the_sql_are_found_before_a_turn_is_taken() -> None:
    for sql, kind in (("SELEC 1", SqlInvalid), ("SELECT z FROM a", NameNotFound), ("SELECT now()", QueryRefused)):
        with pytest.raises(kind):
            await ask(sql)


# ── the lock, without our guard ──────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    (tmp_path / "file.csv").write_text("secret\n1\n")
    monkeypatch.chdir(tmp_path)
    connection = connect()
    load(connection, "a", A)
    lock(connection)
    yield connection
    connection.close()


ESCAPES = """
SELECT * FROM read_csv('file.csv')
SELECT * FROM read_csv_auto('file.csv')
SELECT * FROM read_text('file.csv')
SELECT * FROM read_blob('file.csv')
SELECT * FROM read_json('file.csv')
SELECT * FROM read_parquet('file.csv')
SELECT * FROM read_text(':memory:')
SELECT * FROM sniff_csv('file.csv')
SELECT * FROM glob('*')
SELECT * FROM 'file.csv'
SELECT * FROM "file.csv"
SELECT * FROM 'https://example.com/x.csv'
COPY a TO 'out.csv'
COPY (SELECT 1) TO ':memory:'
COPY (SELECT 1) TO ':memory:.wal'
COPY a FROM 'file.csv'
ATTACH 'other.db' AS other
ATTACH ':memory:.wal' AS other
INSTALL httpfs
INSTALL 'file.csv'
LOAD httpfs
LOAD './x.duckdb_extension'
EXPORT DATABASE 'dump'
IMPORT DATABASE 'dump'
SET threads = 4
SET memory_limit = '4GB'
SET enable_external_access = true
SET allowed_directories = ['/']
SET disabled_filesystems = ''
SET lock_configuration = false
SET python_enable_replacements = true
SET default_null_order = 'nulls_first'
SET error_on_division_by_zero = false
SET GLOBAL temp_directory = '/tmp'
RESET memory_limit
PRAGMA memory_limit = '4GB'
PRAGMA enable_profiling
CALL enable_logging()
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
SELECT getenv('HOME')
SELECT * FROM duckdb_extensions()
SELECT * FROM query_table('file.csv')
SELECT * FROM query('SELECT * FROM read_text(''file.csv'')')
SELECT * FROM python_rows
SELECT python_function(1)
""".strip().split("\n")


@pytest.mark.parametrize("sql", ESCAPES)
def test_the_lock_alone_holds(sql: str, locked: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    python_rows = [(1,)]  # what a replacement scan would find
    assert python_rows

    with pytest.raises(duckdb.Error):
        locked.execute(sql).fetchall()

    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"]


@pytest.mark.parametrize("name", ["duckdb_settings", "duckdb_secrets", "duckdb_databases", "duckdb_logs"])
def test_lists_of_the_server_hold_no_path(name: str, locked: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shown = str(locked.execute(f"SELECT * FROM {name}()" if name != "duckdb_logs" else "FROM duckdb_logs").fetchall())

    assert str(tmp_path) not in shown
    assert str(Path.home()) not in shown.replace("/nonexistent", "")


def test_what_stays_possible_stays_in_memory(locked: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """DuckDB itself allows these; only one SELECT is ever sent."""
    for sql in ("ATTACH ':memory:' AS m", "CREATE TABLE m.t AS SELECT 1", "PRAGMA version", "CALL pragma_version()"):
        locked.execute(sql)

    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"]


@pytest.mark.parametrize(
    "statement", ["SELECT 1; SELECT 2", "CREATE TABLE t AS SELECT 1", "ATTACH ':memory:' AS m", "PRAGMA version", ""]
)
def test_sends_exactly_one_select(statement: str, locked: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryFailed):
        module.describe(locked, statement)


def test_every_setting_is_as_meant(locked: duckdb.DuckDBPyConnection) -> None:
    found = dict(locked.execute("SELECT name, value FROM duckdb_settings()").fetchall())

    off = {
        "allow_community_extensions",
        "allow_persistent_secrets",
        "allow_unsigned_extensions",
        "autoinstall_known_extensions",
        "autoload_known_extensions",
        "enable_external_access",
        "enable_logging",
        "ieee_floating_point_ops",
        "python_enable_replacements",
    }
    assert {name for name in off if found[name] not in ("false", "0")} == set()
    assert found["lock_configuration"] in ("true", "1")
    assert (found["threads"], found["temp_directory"], found["allowed_paths"]) == ("1", "", "[]")


async def test_loads_thirty_results_in_well_under_a_second() -> None:
    rows = tuple((str(n), f"{n}.{n % 7}", f"name {n}", f"2026-01-{n % 28 + 1:02}", repr(n / 7)) for n in range(1000))
    inputs = {f"q{i}": result("k int4, n numeric, t text, d date, v float8", *rows) for i in range(30)}
    connection = connect()

    begun = time.perf_counter()
    for label, loaded in inputs.items():
        load(connection, label, loaded)

    assert time.perf_counter() - begun < 1.0  # 0.1 to 0.15 s where nothing else runs
    connection.close()
