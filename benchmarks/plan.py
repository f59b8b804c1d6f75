"""Milliseconds to plan a question, made anew and from the kept plans, beside asyncpg running the same query.

Starts a PostgreSQL of its own with a small panel in it, profiles it as production does, and stops it again.
What it prints is docs/performance.md's table. Planning is measured one question at a time, in turns, as medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg

from config.embedded import SUPERUSER, make_password, pick_free_port, postgres_url
from config.embedded_servers import find_account, find_postgres_home, start_postgres
from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.connections import parse_dsn
from datasets.policies import Policies
from datasets.profiling.introspection import Profile, fetch_profile
from datasets.sealing import SealedText
from datasets.seen import as_seen_by
from datasets.system_config import SystemSettings
from querying.planner import Planner
from querying.sql.plan import QueryRequest, build_plan

PANEL = """
CREATE EXTENSION citext;
CREATE TABLE panel_users (user_id int PRIMARY KEY, gender text, age_group text, nccs text, state text, name citext,
                          weight numeric);
INSERT INTO panel_users SELECT i, (ARRAY['Male', 'Female'])[i % 2 + 1], (ARRAY['15-24', '25-34'])[i % 2 + 1],
    (ARRAY['A', 'A1', 'B', 'C'])[i % 4 + 1], 'State ' || i % 20, 'Name ' || i, 1 + i % 3
    FROM generate_series(1, 1500) AS i;
CREATE TABLE panel_events (event_id bigint PRIMARY KEY, user_id int, event_date date, app text, duration_min numeric);
INSERT INTO panel_events SELECT i, i % 1500 + 1, date '2026-01-01' + i % 90, 'App ' || i % 40, i % 60
    FROM generate_series(1, 100000) AS i;
ANALYZE;
"""
WIDE = f"CREATE TABLE wide (id int PRIMARY KEY, {', '.join(f'c{number} text' for number in range(300))});"
FUNCTION = "CREATE FUNCTION own_{}(value text) RETURNS text LANGUAGE sql AS $$ SELECT value $$;"
FUNCTIONS = "\n".join(FUNCTION.format(number) for number in range(500))
COUNT = "SELECT count(*) FROM panel_users"
QUERIES: Mapping[str, str] = {
    "count": COUNT,
    "group": "SELECT gender, count(*) AS n FROM panel_users GROUP BY gender ORDER BY gender",
    "join, filter, group": """SELECT u.gender, count(DISTINCT e.user_id) AS reach, sum(e.duration_min) AS minutes
        FROM panel_events e JOIN panel_users u USING (user_id)
        WHERE e.app = 'App 7' AND e.event_date >= '2026-03-01' GROUP BY 1 ORDER BY 2 DESC LIMIT 20""",
    "WITH and windows": """WITH monthly AS (SELECT date_trunc('month', event_date) AS m, app,
            count(DISTINCT user_id) AS reach FROM panel_events GROUP BY 1, 2),
        ranked AS (SELECT *, rank() OVER (PARTITION BY m ORDER BY reach DESC) AS r FROM monthly)
        SELECT m, app, reach, reach - lag(reach) OVER (PARTITION BY app ORDER BY m) AS change
        FROM ranked WHERE r <= 10 ORDER BY m, r""",
    "an extension's type": "SELECT count(*) FROM panel_users WHERE name = 'NAME 7' OR name LIKE 'name 1%'",
    "30 arms of UNION ALL": " UNION ALL ".join([COUNT] * 30),
    "300 columns": "SELECT * FROM wide",
}
ANALYST = Principal(person="ana", datasets=None, attributes={"state": "State 3"})
POLICIES = Policies.model_validate(
    {
        "columns": [{"column": "public.panel_users.state", "show": "masked", "mask": {"kind": "hash"}}],
        "rows": [{"table": "public.panel_users", "where": "state = caller('state')"}],
    }
)
SETTINGS = SystemSettings()


@contextmanager
def panel() -> Iterator[str]:
    """The URL of a server that is there for the measurement only."""
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-plan-"))
    directory.chmod(0o711)
    password, port = make_password(), pick_free_port()
    url = postgres_url(SUPERUSER, password, port=port, database="postgres")
    server = start_postgres(
        directory,
        superuser_url=url,
        metadata_url=postgres_url("owner", make_password(), port=port, database="metadata"),
        log_path=directory / "postgres.log",
    )
    try:
        yield url
    finally:
        server.stop()
        shutil.rmtree(find_postgres_home(directory, find_account()), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


async def furnish(url: str) -> Profile:
    connection = await asyncpg.connect(url)
    await connection.execute(PANEL + WIDE + FUNCTIONS)
    await connection.close()
    return await fetch_profile(parse_dsn(url, unix_sockets=False))


def load(profile: Profile) -> DatasetSpec:
    tables = tuple(
        TableSpec(
            table.schema,
            table.name,
            table.kind,
            tuple(ColumnSpec(column.name, column.data_type) for column in table.columns),
            table.primary_key,
        )
        for table in profile.tables
    )
    return DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id="plan",
        sealed_dsn=SealedText(""),
        name="panel",
        title="",
        description="",
        dataset_type="mixed",
        data_category="mixed",
        tables=tables,
        additions=profile.additions.names,
    )


def median_ms(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


async def median_query_ms(connection: asyncpg.Connection, sql: str, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        await connection.fetch(sql)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


async def measure(url: str, rounds: int) -> list[str]:
    plain = load(await furnish(url))
    governed = as_seen_by(ANALYST, replace(plain, policies=POLICIES), merges=SETTINGS.weighting_rules.merges)
    planner = Planner()
    connection = await asyncpg.connect(url)
    lines = []
    for name, sql in QUERIES.items():
        request = QueryRequest("panel", sql)

        def make(dataset: DatasetSpec, request: QueryRequest = request) -> object:
            return build_plan(request, dataset=dataset, principal=ANALYST, settings=SETTINGS)

        def find(request: QueryRequest = request) -> object:
            return planner.plan(request, dataset=plain, principal=ANALYST, settings=SETTINGS)

        anew, policed = median_ms(lambda: make(plain), rounds), median_ms(lambda: make(governed), rounds)
        kept = median_ms(find, rounds * 5)
        direct = await median_query_ms(connection, sql, max(5, rounds // 20))
        lines.append(f"| {name} | {anew:.2f} | {policed:.2f} | {kept:.4f} | {direct:.2f} | {anew / direct:.2f} |")
    await connection.close()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="plans of each kind that a median is taken of")
    rounds = parser.parse_known_args()[0].rounds  # make bench gives all scripts the same arguments
    load_average = os.getloadavg()[0]
    with panel() as url:
        lines = asyncio.run(measure(url, rounds))
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, load {load_average:.2f}\n")
    print("| question | made anew, ms | with policies, ms | kept, ms | asyncpg runs it in, ms | anew to asyncpg |")
    print("|---|---:|---:|---:|---:|---:|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
