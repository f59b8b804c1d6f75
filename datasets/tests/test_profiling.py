from __future__ import annotations

import asyncio
from datetime import date

import asyncpg
import psycopg
import pytest

from config.errors import ProfilingFailed
from conftest import SHOP
from datasets.connections import parse_dsn
from datasets.profiling import introspection
from datasets.profiling.introspection import FoundTable, Profile, fetch_profile
from tests.servers import MakeDatabase, ReadonlyDsn

AWKWARD = '''
CREATE SCHEMA "Sales 2026";
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE "Sales 2026"."Odd ""Table""" (
    "select" int, "Ünï" mood[], doc jsonb, total int GENERATED ALWAYS AS ("select" * 2) STORED);
COMMENT ON COLUMN "Sales 2026"."Odd ""Table"""."select" IS 'a column named select';
CREATE TABLE empty_table ();
CREATE TABLE part (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_2026 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO part SELECT i, date '2026-03-01' + i FROM generate_series(1, 10) i;
CREATE TABLE wide (a int, b int, c int, UNIQUE (b, a));
CREATE UNIQUE INDEX ON wide (c);
CREATE UNIQUE INDEX ON wide (a) WHERE b > 0;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
CREATE TABLE times (at timestamptz, forever date, bc date);
INSERT INTO times VALUES ('2026-05-01', 'infinity', '0044-03-15 BC');
CREATE TABLE secret (x int);
CREATE EXTENSION pg_trgm;
ANALYZE;
'''


def profile_of(dsn: str) -> Profile:
    return asyncio.run(fetch_profile(parse_dsn(dsn, unix_sockets=False)))


def tables_of(profile: Profile) -> dict[str, FoundTable]:
    return {table.name: table for table in profile.tables}


def test_finds_tables_views_keys_comments_and_estimates(shop_dsn: str) -> None:
    profile = profile_of(shop_dsn)

    tables = tables_of(profile)
    assert {name: table.kind for name, table in tables.items()} == {
        "users": "table",
        "events": "table",
        "minutes_by_day": "view",
    }
    assert tables["users"].row_estimate == 50
    assert tables["users"].comment == "People of the panel"
    assert tables["users"].columns[1].comment == "Self-reported gender"
    assert [column.data_type for column in tables["users"].columns] == [
        "integer",
        "text",
        "text",
        "date",
        "numeric(10,4)",
    ]
    assert tables["users"].primary_key == ("id",)
    (key,) = tables["events"].foreign_keys
    assert (key.columns, key.references_table, key.references_columns) == (("user_id",), "users", ("id",))
    assert profile.row_count == 1050
    spans = {span.column: (span.start, span.end) for span in profile.dates}
    assert spans["public.events.day"] == (date(2026, 1, 1), date(2026, 3, 31))


def test_reads_an_awkward_database(make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> None:
    profile = profile_of(make_database(AWKWARD))

    tables = tables_of(profile)
    odd = tables['Odd "Table"']
    assert odd.schema == "Sales 2026"
    assert [column.name for column in odd.columns] == ["select", "Ünï", "doc", "total"]
    assert odd.columns[1].data_type == "public.mood[]"
    assert "empty_table" not in tables
    assert "part_2026" not in tables
    assert (tables["part"].kind, tables["part"].row_estimate) == ("partitioned table", 10)
    assert set(tables["wide"].unique_keys) == {("b", "a"), ("c",)}
    assert tables["mv"].kind == "materialized view"
    spans = {span.column: (span.start, span.end) for span in profile.dates}
    assert spans["public.times.at"] == (date(2026, 5, 1), date(2026, 5, 1))
    assert "public.times.forever" not in spans
    assert "public.times.bc" not in spans


def test_leaves_out_what_the_role_may_not_read(make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> None:
    database_url = make_database(AWKWARD)
    dsn = readonly_dsn(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        role = parse_dsn(dsn, unix_sockets=False).username
        connection.execute(f"REVOKE ALL ON secret, wide FROM {role}; GRANT SELECT (a) ON wide TO {role}".encode())

    tables = tables_of(profile_of(dsn))

    assert "secret" not in tables
    assert 'Odd "Table"' not in tables
    assert [column.name for column in tables["wide"].columns] == ["a"]


def test_a_catalogue_that_takes_too_long_says_so(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "CATALOGUE_LIMIT_S", 0.5)
    database_url = make_database(SHOP)
    target = parse_dsn(database_url, unix_sockets=False)

    async def profile_while_locked() -> None:
        holder = await asyncpg.connect(database_url)
        await holder.execute("BEGIN; LOCK TABLE pg_catalog.pg_constraint IN ACCESS EXCLUSIVE MODE")
        try:
            await fetch_profile(target)
        finally:
            await holder.close()

    with pytest.raises(ProfilingFailed, match="took too long"):
        asyncio.run(profile_while_locked())


def test_a_failing_catalogue_is_an_error_with_its_sqlstate(make_database: MakeDatabase) -> None:
    database_url = make_database(SHOP)
    target = parse_dsn(database_url, unix_sockets=False)

    async def profile_while_killed() -> None:
        killer = await asyncpg.connect(database_url)
        await killer.execute("BEGIN; LOCK TABLE pg_catalog.pg_constraint IN ACCESS EXCLUSIVE MODE")
        try:
            await fetch_profile(target)
        finally:
            await killer.close()

    with pytest.raises(ProfilingFailed) as caught:
        asyncio.run(profile_while_killed())

    assert caught.value.context == {"sqlstate": "55P03"}
