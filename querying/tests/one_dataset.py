"""An engine that knows one dataset without a catalogue, and what one question costs its process.

`main` runs in a process of its own: a JSON object on stdin, one on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from config import embedded
from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.connections import parse_dsn
from datasets.sealing import seal
from datasets.system_config import SystemSettings
from querying.engine import Engine
from querying.results import FORMS, QueryResult
from querying.sql.plan import QueryRequest

OPERATOR = Principal(person="operator", datasets=None, operator=True)
TICK_S = 0.002


@dataclass(frozen=True)
class Cost:
    """Of one question, rendered in every form, and of `SELECT 1` after it."""

    rows: int
    truncated_by: str
    error: str
    memory_mb: float
    lag_ms: float
    seconds: float
    afterwards: str


@contextmanager
def database_made(superuser_url: str, script: str) -> Iterator[tuple[str, str]]:
    """The superuser's and a reader's URL of a new database, for a module's tests."""
    name, role, password = f"one_{secrets.token_hex(4)}", f"reader_{secrets.token_hex(4)}", embedded.make_password()
    parts = urlsplit(superuser_url)
    url = parts._replace(path=f"/{name}").geturl()
    with psycopg.connect(superuser_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT pg_read_all_data TO {role}".encode())
        try:
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(script.encode())
            yield url, embedded.postgres_url(role, password, port=parts.port or 5432, database=name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE {role}".encode())


def one_dataset(dsn: str, *tables: TableSpec) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id=parse_dsn(dsn, unix_sockets=True).connection_id,
        sealed_dsn=seal(dsn, settings.ENCRYPTION_KEYS),
        name="one",
        title="",
        description="",
        dataset_type="mixed",
        data_category="mixed",
        tables=tables,
    )


def table(name: str, **columns: str) -> TableSpec:
    return TableSpec("public", name, "table", tuple(ColumnSpec(column, kind) for column, kind in columns.items()))


async def fetch(
    engine: Engine, dataset: DatasetSpec, sql: str, *, max_rows: int | None = None, reveal_all_rows: bool = True
) -> QueryResult:
    """The result of a question by the operator, who may see all rows."""
    request = QueryRequest("one", sql, max_rows=max_rows, reveal_all_rows=reveal_all_rows)
    asked = {"dataset": dataset, "principal": OPERATOR, "settings": SystemSettings()}
    plan = await engine.plan(request, **asked)  # type: ignore[arg-type]  # one value of each kind
    kept, _ = await engine.run(plan, **asked)  # type: ignore[arg-type]  # as above
    return kept.result


def resident_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


async def tick(lags: list[float]) -> None:
    while True:
        start = time.perf_counter()
        await asyncio.sleep(TICK_S)
        lags.append((time.perf_counter() - start - TICK_S) * 1000)


async def measure(dsn: str, sql: str, columns: dict[str, str], at_once: bool) -> Cost:
    """With the usual limit of rows results are fetched at once, without it in chunks."""
    engine, dataset = Engine(), one_dataset(dsn, table("wide", **columns))
    request = QueryRequest("one", sql, reveal_all_rows=not at_once)
    asked = {"dataset": dataset, "principal": OPERATOR, "settings": SystemSettings()}
    await fetch(engine, dataset, "SELECT 0 AS zero")
    plan = await engine.plan(request, **asked)  # type: ignore[arg-type]  # one value of each kind
    gc.collect()
    gc.freeze()  # as the web processes do
    lags: list[float] = []
    ticking = asyncio.create_task(tick(lags))
    await asyncio.sleep(0.05)
    lags.clear()
    before, start = resident_mb("VmRSS"), time.perf_counter()
    rows, truncated_by, error = 0, "", ""
    try:
        kept, _ = await engine.run(plan, **asked)  # type: ignore[arg-type]  # as above
        rows, truncated_by = len(kept.result.cells), kept.result.truncated_by
        for form in FORMS:
            await asyncio.sleep(0)
            kept.render(form, max_tokens=20_000, digits=6)
    except Exception as failure:  # whatever it is, it is what is measured
        error = f"{type(failure).__name__}: {failure}"
    seconds = time.perf_counter() - start
    await asyncio.sleep(0.05)
    ticking.cancel()
    peak = resident_mb("VmHWM")
    afterwards = await fetch(engine, dataset, "SELECT 1 AS one")
    await engine.stop()
    return Cost(rows, truncated_by, error, peak - before, max(lags), seconds, str(afterwards.cells[0][0]))


def main() -> None:
    print(json.dumps(asdict(asyncio.run(measure(**json.load(sys.stdin))))))
