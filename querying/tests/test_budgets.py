"""How much a question may cost: rows, bytes, memory, the event loop's time. And what wrapping it must not change."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import pytest_asyncio

from config.errors import QueryFailed
from datasets.catalog import DatasetSpec
from querying.engine import Engine
from querying.results import Cell
from querying.tests.one_dataset import Cost, database_made, fetch, one_dataset, table

PROJECT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = "import django; django.setup(); from querying.tests.one_dataset import main; main()"
AT_ONCE: Final = " at once"
LONGEST_LAG_MS: Final = 200
TRIES: Final = 3
WIDE: Final = {f"c{number}": "integer" for number in range(1600)}
GIGABYTE: Final = "repeat(repeat('x', 1000), 1000000)"
LONG: Final = "repeat(repeat('x', 1000), 100000)"  # what a server makes in less time
SCRIPT: Final = f"""
CREATE TABLE wide ({", ".join(f"{name} integer" for name in WIDE)});
INSERT INTO wide SELECT {", ".join(["1000000 + g"] * len(WIDE))} FROM generate_series(1, 1000) AS g;
CREATE TABLE numbers (id integer PRIMARY KEY, part integer, word text);
INSERT INTO numbers SELECT i, (i * 7919) % 1000, 'word ' || (i * 31) % 977 FROM generate_series(1, 20000) AS i;
CREATE INDEX ON numbers (part);
ANALYZE;
"""


@pytest.fixture(scope="module")
def urls(postgres_superuser_dsn: str) -> Iterator[tuple[str, str]]:
    with database_made(postgres_superuser_dsn, SCRIPT) as made:
        yield made


@pytest.fixture
def dataset(urls: tuple[str, str]) -> DatasetSpec:
    return one_dataset(urls[1], table("numbers", id="integer", part="integer", word="text"), table("wide", **WIDE))


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    yield made
    await made.stop()


# ── memory and the event loop ────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module", params=[
    "one cell",
    "one cell at once",
    "row 500",
    "row 500 at once",
    "bytea",
    "jsonb",
    "array",
    "array at once",
    "error of a constant",
    "error of a row",
    "error of a row at once",
    "just within",
    "just within at once",
    "four bytes a character",
    "endless",
    "many short rows",
    "many columns",
])  # fmt: skip
def measured(request: pytest.FixtureRequest, urls: tuple[str, str]) -> tuple[str, Cost]:
    name = request.param.removesuffix(AT_ONCE)
    return name, measure(urls[1], LARGE[name], at_once=request.param != name)


def measure(dsn: str, sql: str, *, at_once: bool) -> Cost:
    """In a process of its own; again where it was slow, since the machine may have been busy with something else."""
    found: list[Cost] = []
    while len(found) < TRIES and not any(cost.lag_ms < LONGEST_LAG_MS for cost in found):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps({"dsn": dsn, "sql": sql, "columns": WIDE, "at_once": at_once}),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found.append(Cost(**json.loads(done.stdout)))
    return min(found, key=lambda cost: cost.lag_ms)


LARGE: Final = {
    "one cell": f"SELECT {GIGABYTE} AS x",
    "row 500": f"SELECT CASE g WHEN 500 THEN {GIGABYTE} ELSE 'short' END AS x FROM generate_series(1, 1000) AS g",
    "bytea": "SELECT decode(repeat(repeat('ff', 1000), 50000), 'hex') AS x",  # twice as long in hexadecimal
    "jsonb": "SELECT jsonb_build_array(to_jsonb(repeat(repeat('x', 1000), 100000))) AS x",
    "array": "SELECT array_agg(g) AS x FROM generate_series(1, 3000000) AS g",
    "error of a constant": f"SELECT {LONG}::integer AS x",
    "error of a row": f"SELECT (CASE g WHEN 1 THEN {LONG} END)::integer AS x FROM generate_series(1, 2) AS g",
    "just within": "SELECT repeat('|', 7900000) AS x",
    "four bytes a character": "SELECT U&'\\+01F600' || repeat('x', 7900000) AS x",
    "endless": "SELECT generate_series(1, 1000000000) AS n, repeat('wide ', 200) AS x",
    "many short rows": "SELECT g AS x FROM generate_series(1, 1000000) AS g",
    "many columns": "SELECT * FROM wide",
}
ANSWERED: Final = {"just within", "four bytes a character"}
FAILED: Final = {"error of a constant"}


def test_what_is_too_large_is_cut_and_said(measured: tuple[str, Cost]) -> None:
    name, cost = measured

    assert ("QueryFailed" in cost.error) == (name in FAILED), cost.error
    assert cost.truncated_by == ("" if name in ANSWERED | FAILED else "bytes")


def test_the_largest_answers_cost_little_memory(measured: tuple[str, Cost]) -> None:
    _, cost = measured

    assert cost.memory_mb < 64, cost


def test_the_largest_answers_hardly_hold_up_the_loop(measured: tuple[str, Cost]) -> None:
    """A tenth of a second, and as much for a busy machine."""
    _, cost = measured

    assert cost.lag_ms < LONGEST_LAG_MS, cost


def test_the_pool_works_after_the_largest_answers(measured: tuple[str, Cost]) -> None:
    _, cost = measured

    assert cost.afterwards == "1"


# ── rows and bytes ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("rows", "shown", "truncated_by"), [(0, 0, ""), (99, 99, ""), (100, 100, ""), (101, 100, "rows")]
)
async def test_the_row_limit_tells_an_exact_fit_from_a_cut(
    rows: int, shown: int, truncated_by: str, engine: Engine, dataset: DatasetSpec
) -> None:
    sql = f"SELECT id FROM numbers WHERE id <= {rows}"

    result = await fetch(engine, dataset, sql, max_rows=100)

    assert (len(result.cells), result.truncated_by) == (shown, truncated_by)


@pytest.mark.parametrize("rows", [5_099, 5_100, 5_101, 10_100])
async def test_rows_are_complete_where_chunks_meet(rows: int, engine: Engine, dataset: DatasetSpec) -> None:
    result = await fetch(engine, dataset, f"SELECT id FROM numbers WHERE id <= {rows} ORDER BY id")

    assert result.cells == tuple((str(number),) for number in range(1, rows + 1))
    assert not result.truncated


async def test_rows_before_the_byte_limit_are_complete_and_in_order(
    engine: Engine, dataset: DatasetSpec, settings: Any
) -> None:
    settings.QUERY_MAX_BYTES = 200_000

    result = await fetch(engine, dataset, "SELECT id, word FROM numbers ORDER BY id")

    assert result.truncated_by == "bytes"
    assert 500 < len(result.cells) < 3_000
    assert result.cells == tuple((str(i), f"word {i * 31 % 977}") for i in range(1, len(result.cells) + 1))


@pytest.mark.parametrize("place", [1, 50, 100, 101, 500])
async def test_rows_before_a_value_that_is_too_large_are_complete_and_in_order(
    place: int, engine: Engine, dataset: DatasetSpec, settings: Any
) -> None:
    settings.QUERY_MAX_BYTES = 200_000

    result = await fetch(
        engine,
        dataset,
        f"SELECT id, CASE id WHEN {place} THEN repeat('x', 300000) END AS x FROM numbers WHERE id <= 1000 ORDER BY id",
    )

    assert result.truncated_by == "bytes"
    assert len(result.cells) < place
    assert result.cells == tuple((str(number), None) for number in range(1, len(result.cells) + 1))


async def test_a_result_within_the_byte_limit_is_whole(engine: Engine, dataset: DatasetSpec, settings: Any) -> None:
    settings.QUERY_MAX_BYTES = 200_000

    result = await fetch(engine, dataset, "SELECT repeat('x', 190000) AS x")

    assert [len(str(cell)) for cell in result.cells[0]] == [190_000]
    assert not result.truncated


async def test_an_error_that_quotes_too_large_a_value_is_this_question_s_failure(
    engine: Engine, dataset: DatasetSpec, settings: Any
) -> None:
    settings.QUERY_MAX_BYTES = 200_000

    with pytest.raises(QueryFailed, match="does not fit"):
        await fetch(engine, dataset, "SELECT repeat('x', 1000000)::integer AS x")

    assert (await fetch(engine, dataset, "SELECT 1 AS one")).rows == ((1,),)


# ── what wrapping leaves as it is ────────────────────────────────────────────────────────────────────────────
def printed(url: str, sql: str) -> list[tuple[Cell, ...]]:
    """As PostgreSQL prints it to another client."""
    with psycopg.connect(url) as database, psycopg.RawCursor(database) as cursor:
        cursor.execute(sql.encode())
        found = cursor.pgresult
        assert found is not None
        return [
            tuple(
                None if (value := found.get_value(row, column)) is None else value.decode()
                for column in range(found.nfields)
            )
            for row in range(found.ntuples)
        ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, part, word FROM numbers ORDER BY part DESC, word, id",
        "SELECT id, word FROM numbers ORDER BY part, id LIMIT 7000 OFFSET 3000",
        "SELECT id FROM numbers ORDER BY word COLLATE \"C\" DESC NULLS LAST, id OFFSET 19990",
        "SELECT id, rank() OVER (PARTITION BY part ORDER BY word, id) AS r FROM numbers ORDER BY r DESC, id",
        "SELECT part AS x FROM numbers WHERE id < 300 UNION ALL SELECT -id FROM numbers WHERE id < 300 ORDER BY x DESC",
        "SELECT part FROM numbers UNION SELECT id FROM numbers ORDER BY 1 LIMIT 12000",
        "SELECT DISTINCT ON (part) part, id, word FROM numbers ORDER BY part DESC, id DESC",
        "SELECT part, id FROM numbers ORDER BY part FETCH FIRST 15 ROWS WITH TIES",
        "SELECT part, count(*) AS n FROM numbers GROUP BY part ORDER BY sum(id) DESC",
        "SELECT part, count(*) FROM numbers GROUP BY GROUPING SETS ((part), ()) ORDER BY part NULLS FIRST",
        "SELECT id FROM numbers WHERE id < 200 ORDER BY (SELECT count(*) FROM wide WHERE c0 - 1000000 < part), id",
        "WITH big AS (SELECT part, max(id) AS id FROM numbers GROUP BY part) SELECT * FROM big ORDER BY id DESC",
        "WITH RECURSIVE u (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM u WHERE n < 9000) SELECT n FROM u ORDER BY -n",
        "VALUES (3, 'c'), (1, 'a'), (2, NULL) ORDER BY 1",
        "TABLE numbers ORDER BY id DESC",
        "(SELECT id FROM numbers ORDER BY word, id LIMIT 3) UNION ALL (SELECT 0) ORDER BY 1",
        "SELECT string_agg(word, ',' ORDER BY id DESC) AS s FROM numbers WHERE id < 100",
        "SELECT count(*) AS q, max(id) AS c1 FROM numbers AS q",
    ],
)  # fmt: skip
async def test_order_and_rows_are_postgresql_s_own(
    sql: str, engine: Engine, dataset: DatasetSpec, urls: tuple[str, str]
) -> None:
    result = await fetch(engine, dataset, sql)

    assert list(result.cells) == printed(urls[0], sql)


@pytest.mark.parametrize(
    "options", ["", "(COSTS off)", "(VERBOSE)", "(FORMAT json)", "(FORMAT yaml)", "(SETTINGS off)"]
)
async def test_every_form_of_explain_is_shown(options: str, engine: Engine, dataset: DatasetSpec) -> None:
    result = await fetch(engine, dataset, f"EXPLAIN {options} SELECT word FROM numbers WHERE id = 7")

    text = "\n".join(str(cell) for row in result.cells for cell in row)
    assert [column.name for column in result.columns] == ["QUERY PLAN"]
    assert "Index" in text
    assert "json" not in options or json.loads(text)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM numbers WHERE id = 7",
        "SELECT word FROM numbers WHERE part = 5",
        "SELECT id, word FROM numbers ORDER BY id DESC LIMIT 3",
        "SELECT max(id) AS m FROM numbers",
        "SELECT a.word FROM numbers AS a JOIN numbers AS b ON b.id = a.part WHERE a.id = 5",
    ],
)
async def test_a_plan_that_uses_an_index_still_does(
    sql: str, engine: Engine, dataset: DatasetSpec, urls: tuple[str, str]
) -> None:
    await fetch(engine, dataset, sql)
    (sent,) = [description.sql for description in engine.descriptions._kept.values()]

    plan = "\n".join(str(row[0]) for row in printed(urls[0], f"EXPLAIN {sent}"))

    assert "Index" in plan
    assert "Seq Scan" not in plan


async def test_postgresql_may_run_an_aggregated_question_in_parallel(
    engine: Engine, dataset: DatasetSpec, urls: tuple[str, str]
) -> None:
    name = urls[0].rsplit("/", 1)[1]
    with psycopg.connect(urls[0], autocommit=True) as server:
        for setting in ("min_parallel_table_scan_size", "parallel_setup_cost", "parallel_tuple_cost"):
            server.execute(f'ALTER DATABASE "{name}" SET {setting} = 0'.encode())

    sql = "SELECT word, count(*) AS n FROM numbers GROUP BY 1 ORDER BY 1"
    result = await fetch(engine, dataset, sql, reveal_all_rows=False)
    await engine.pools.close()  # a backend reports what it did when it ends at the latest

    assert len(result.cells) == 977
    async with asyncio.timeout(10):
        while not launched_workers(urls[0]):  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.1)


def launched_workers(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as server:
        found = server.execute(
            "SELECT parallel_workers_launched FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(found[0]) if found else 0
