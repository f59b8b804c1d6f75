"""How long a profile's readings take and what memory they need, beside reading every row once with asyncpg.

Databases: 500 small tables, one table of ten million rows, one of which the planner's statistics say that it has a
hundred million (their making would take longer than the benchmark), 1,600 columns. Each is read as the worker reads it:
catalogue, contents, questions about keys and dates. What is written to the metadata database is not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import psycopg

from config import embedded
from config.embedded_servers import find_account, find_postgres_home, start_postgres
from datasets.connections import ConnectionTarget, parse_dsn
from datasets.profiling.contents import TableContents, read_contents
from datasets.profiling.introspection import fetch_profile
from datasets.profiling.judging import judge

BUDGET_S = 50.0
SMALL = """
CREATE TABLE t{number} (id int PRIMARY KEY, user_id int, day date, amount numeric, kind text, mail text, code text,
                        flag boolean, twice int, filler text);
INSERT INTO t{number} SELECT i, i % 500, date '2026-01-01' + i % 90, i % 97, (ARRAY['a', 'b', 'c'])[1 + i % 3],
    'user' || i || '@example.org', md5(i::text), i % 2 = 0, 2 * i, repeat('x', i % 50) FROM generate_series(1, 3000) i;
"""
LONG = """
CREATE TABLE events (id bigint, user_id int, day date, minutes real, app text);
INSERT INTO events SELECT i, i % 200000, date '2025-01-01' + (i % 365)::int, i % 60,
    (ARRAY['Mail', 'Maps', 'Music', 'News'])[1 + i % 4] FROM generate_series(1, {rows}::bigint) i;
"""
# what ANALYZE would have written of a hundred million rows, on a table that holds a thousandth of them
TOLD = """
CREATE TABLE told (id bigint, user_id int, day date, minutes real, app text) WITH (autovacuum_enabled = false);
INSERT INTO told SELECT i, i % 200000, date '2025-01-01' + (i % 365)::int, i % 60,
    (ARRAY['Mail', 'Maps', 'Music', 'News'])[1 + i % 4] FROM generate_series(1, 100000) i;
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """`sources` says where facts of columns came from; `memory_mb` is what the process grew by at its largest."""

    seconds: float
    tables: int
    columns: int
    rows: int
    sources: dict[str, int]
    memory_mb: float


class Peak:
    """The largest resident set of this process while it runs."""

    def __enter__(self) -> Peak:
        self.process = psutil.Process()
        self.before = self.largest = self.process.memory_info().rss
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.stop.wait(0.02):
            self.largest = max(self.largest, self.process.memory_info().rss)

    @property
    def grown_mb(self) -> float:
        return (self.largest - self.before) / 1e6


async def read(target: ConnectionTarget) -> Reading:
    with Peak() as peak:
        started = time.perf_counter()
        profile = await fetch_profile(target)
        contents: dict[tuple[str, str], TableContents] = {}
        today = datetime.now(UTC).date()
        async for table, found in read_contents(target, profile.tables, known=(), budget_s=BUDGET_S, today=today):
            contents[table.schema, table.name] = found
        judgement = await judge(target, profile, contents)
        seconds = time.perf_counter() - started
    columns = [facts for found in judgement.facts.values() for facts in found.columns.values()]
    sources = {source: sum(facts.source == source for facts in columns) for source in {f.source for f in columns}}
    rows = sum(found.rows or 0 for found in judgement.facts.values())
    return Reading(seconds, len(profile.tables), len(columns), rows, sources, peak.grown_mb)


async def read_every_row(url: str, tables: list[str]) -> float:
    """The least that a profile of all rows would cost: every row once, one fact of each column."""
    connection = await asyncpg.connect(url)
    started = time.perf_counter()
    for table in tables:
        names = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0", table
        )
        facts = ", ".join(f'count("{name[0]}"), count(DISTINCT "{name[0]}")' for name in names)
        await connection.fetchrow(f"SELECT {facts} FROM {table}")  # noqa: S608  # names of this script
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


@contextmanager
def server() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-benchmark-"))
    embedded.prepare_directory(directory)
    runtime = embedded.plan_runtime(directory)
    child = start_postgres(
        directory,
        superuser_url=runtime.postgres_superuser_url,
        metadata_url=runtime.metadata_database_url,
        log_path=directory / "postgres.log",
        settings={"fsync": "off", "max_wal_size": "4GB"},
    )
    try:
        yield runtime.postgres_superuser_url
    finally:
        child.stop()
        shutil.rmtree(find_postgres_home(directory, find_account()), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def make(superuser_url: str, name: str, *statements: str) -> str:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = urlsplit(superuser_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    return url


def report(name: str, url: str, tables: list[str], rounds: int) -> None:
    target = parse_dsn(url, unix_sockets=True)
    readings = [asyncio.run(read(target)) for _ in range(rounds)]
    seconds = statistics.median(reading.seconds for reading in readings)
    one = readings[-1]
    memory = max(reading.memory_mb for reading in readings)
    told = ", ".join(f"{number:,} {source}" for source, number in sorted(one.sources.items()))
    every = asyncio.run(read_every_row(url, tables)) if tables else 0.0
    beside = f"{every:.1f} | {seconds / every:.2f}" if every else "| "
    read_from = f"| {name} | {one.tables:,} | {one.columns:,} | {one.rows:,} | {told}"
    print(f"{read_from} | {seconds:.1f} | {beside} | {memory:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options, _ = parser.parse_known_args()
    print("| database | tables | columns | rows | facts from | profile s | every row s | ratio | memory MB |")
    print("|---|---:|---:|---:|---|---:|---:|---:|---:|")
    with server() as superuser_url:
        numbers = range(500)
        small = make(superuser_url, "small", *(SMALL.format(number=number) for number in numbers))
        report("500 tables, never analysed", small, [f"t{number}" for number in numbers], options.rounds)
        with psycopg.connect(small, autocommit=True) as connection:
            connection.execute("ANALYZE")
        report("500 tables, analysed", small, [], options.rounds)
        names = ", ".join(f"c{number} int" for number in range(1600))
        wide = make(
            superuser_url,
            "wide",
            f"CREATE TABLE wide ({names})",
            "INSERT INTO wide SELECT FROM generate_series(1, 5000)",
        )
        report("1,600 columns", wide, [], options.rounds)
        long = make(superuser_url, "long", LONG.format(rows=options.rows))
        report("one long table, never analysed", long, ["events"], options.rounds)
        with psycopg.connect(long, autocommit=True) as connection:
            connection.execute("ANALYZE")
        report("one long table, analysed", long, [], options.rounds)
        told = make(
            superuser_url, "told", TOLD, "ANALYZE told", "UPDATE pg_class SET reltuples = 1e8 WHERE relname = 'told'"
        )
        report("told to have 100 million rows", told, [], options.rounds)


if __name__ == "__main__":
    main()
