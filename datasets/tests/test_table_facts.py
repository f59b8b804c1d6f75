from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import asyncpg
import psycopg
import pytest

from datasets.connections import parse_dsn
from datasets.profiling.facts import ColumnFacts
from datasets.profiling.introspection import FoundTable, fetch_profile
from datasets.profiling.sampling import Sample, fetch_months, sample_table
from datasets.profiling.statistics import TableStatistics, fetch_statistics
from datasets.profiling.summaries import merge_facts, summarise
from tests.servers import MakeDatabase, ReadonlyDsn

BUDGET_MS = 5_000
# statistics are made when a test says so
BY_HAND = "WITH (autovacuum_enabled = false)"
VISITS = f"""
CREATE TABLE visits (id int, place text, spent numeric(10, 2), day date, at timestamptz, seen boolean) {BY_HAND};
INSERT INTO visits
SELECT i, CASE WHEN i % 10 < 7 THEN 'Berlin' WHEN i % 10 < 9 THEN 'Wien' END, i % 1000 / 10.0,
       date '2026-01-01' + i % 90, timestamptz '2026-01-01 12:00+02' + i * interval '1 minute', i % 4 = 0
FROM generate_series(1, 20000) i;
"""
AWKWARD = f'''
CREATE SCHEMA "Sales. 2026";
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (left_one int, "right" text);
CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE >= 0);
CREATE DOMAIN net_price AS price;
CREATE TABLE "Sales. 2026"."Odd ""Ta.ble""" (
    "select" int, "Ünï ""x"".y" mood, tags text[], doc jsonb, couple pair, cost net_price, raw bytea, plain json,
    place point, area box, spans int4range, "UPPER case" uuid, doubled int GENERATED ALWAYS AS ("select" * 2) STORED
) {BY_HAND};
INSERT INTO "Sales. 2026"."Odd ""Ta.ble"""
    ("select", "Ünï ""x"".y", tags, doc, couple, cost, raw, plain, place, area, spans, "UPPER case")
SELECT i, CASE i % 3 WHEN 0 THEN 'good' ELSE 'bad' END::mood, ARRAY['a,b', 'c"d', NULL], '{{"a": [1, 2]}}',
       (i % 2, 'x,"y')::pair, i % 5, decode(repeat('ab', 1000), 'hex'), '{{"b": 1}}', '(1,2)', '((1,2),(3,4))',
       int4range(0, i % 3 + 1), md5((i % 7)::text)::uuid
FROM generate_series(1, 300) i;
'''


T = TypeVar("T")
Statistics = Mapping[tuple[str, str], TableStatistics]


def run(dsn: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def connected() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def statistics_of(dsn: str) -> dict[str, TableStatistics]:
    return {table: statistics for (_, table), statistics in run(dsn, fetch_statistics).items()}


def tables_of(dsn: str) -> dict[str, FoundTable]:
    profile = asyncio.run(fetch_profile(parse_dsn(dsn, unix_sockets=False)))
    return {table.name: table for table in profile.tables}


def sample_of(dsn: str, table: FoundTable, *, budget_ms: int = BUDGET_MS, cells: int = 100_000) -> Sample:
    return run(dsn, lambda connection: sample_table(connection, table, budget_ms=budget_ms, cells=cells))


def facts_of(table: FoundTable, sample: Sample) -> dict[str, ColumnFacts]:
    return {column.name: summarise(column, sample.values[column.name], sample.rows) for column in table.columns}


def execute(dsn: str, *statements: str) -> None:
    """Each in a transaction of its own; the server counts changes once the connection is closed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def analysed(dsn: str) -> str:
    """In a transaction after that of the rows: the server would count these as changes since."""
    execute(dsn, "ANALYZE")
    return dsn


def shares(facts: ColumnFacts) -> dict[str, object]:
    return {common.value: pytest.approx(common.share, abs=0.03) for common in facts.common}


def test_statistics_know_shares_distribution_and_distinct_values(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(VISITS))

    visits = statistics_of(dsn)["visits"]

    assert (visits.rows, visits.stale) == (20_000, False)
    assert visits.columns["id"].distinct == 20_000
    assert int(visits.columns["id"].quantiles[0.5]) == pytest.approx(10_000, abs=500)
    assert (visits.columns["id"].minimum, visits.columns["id"].maximum) == ("1", "20000")
    assert visits.columns["place"].null_share == pytest.approx(0.1, abs=0.01)
    assert shares(visits.columns["place"]) == {"Berlin": 0.7, "Wien": 0.2}
    assert visits.columns["place"].minimum is None
    assert (visits.columns["day"].minimum, visits.columns["day"].maximum) == ("2026-01-01", "2026-03-31")
    assert visits.columns["spent"].distinct == 1000
    assert shares(visits.columns["seen"]) == {"false": 0.75, "true": 0.25}
    assert visits.columns["at"].minimum == "2026-01-01 10:01:00+00"
    assert visits.widths["id"] == 4


def test_tables_that_were_never_analysed_are_stale(make_database: MakeDatabase) -> None:
    statistics = statistics_of(make_database(VISITS))["visits"]

    assert statistics == TableStatistics(rows=None, stale=True)


def test_statistics_of_a_mass_update_are_stale(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(VISITS))
    execute(dsn, "UPDATE visits SET place = 'Graz' WHERE id <= 4500")

    visits = statistics_of(dsn)["visits"]
    table = tables_of(dsn)["visits"]
    merged = merge_facts(visits, facts_of(table, sample_of(dsn, table)), seen=2000)

    assert visits.stale
    assert shares(visits.columns["place"]) == {"Berlin": 0.7, "Wien": 0.2}
    assert merged["place"].source == "sample"
    assert "Graz" in shares(merged["place"])


def test_statistics_survive_a_small_change(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(VISITS))
    execute(dsn, "UPDATE visits SET place = 'Graz' WHERE id <= 3500")

    assert not statistics_of(dsn)["visits"].stale


def test_an_analysed_empty_table_has_no_rows(make_database: MakeDatabase) -> None:
    dsn = make_database(f"CREATE TABLE nobody (id int) {BY_HAND};")
    execute(dsn, "VACUUM ANALYZE nobody")

    assert statistics_of(dsn)["nobody"] == TableStatistics(rows=0, stale=False)
    assert sample_of(dsn, tables_of(dsn)["nobody"]) == Sample(values={"id": ()}, rows=0, complete=True)


def test_a_count_that_the_catalogue_has_lost_is_not_believed(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(VISITS))
    execute(dsn, "UPDATE pg_class SET reltuples = 0 WHERE relname = 'visits'")

    assert (statistics_of(dsn)["visits"].rows, statistics_of(dsn)["visits"].stale) == (None, True)


def test_reads_statistics_of_odd_types_and_names(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(AWKWARD))

    columns = run(dsn, fetch_statistics)["Sales. 2026", 'Odd "Ta.ble"'].columns

    assert len(columns) == 13
    assert shares(columns['Ünï "x".y']) == {"bad": 0.667, "good": 0.333}
    assert shares(columns["tags"]) == {'{"a,b","c\\"d",NULL}': 1}
    assert shares(columns["couple"]) == {'(0,"x,""y")': 0.5, '(1,"x,""y")': 0.5}
    assert shares(columns["doc"]) == {'{"a": [1, 2]}': 1}
    assert (columns["cost"].minimum, columns["cost"].maximum) == ("0.00", "4.00")
    assert columns["plain"].common == columns["area"].common == ()
    assert columns["doubled"].distinct == 300
    assert {len(common.value) for common in columns["raw"].common} <= {100}


def test_samples_odd_types_and_names(make_database: MakeDatabase) -> None:
    dsn = make_database(AWKWARD)
    table = tables_of(dsn)['Odd "Ta.ble"']

    sample = sample_of(dsn, table)
    facts = facts_of(table, sample)

    assert (sample.error, sample.read, sample.rows, sample.complete) == ("", 300, 300, True)
    assert shares(facts['Ünï "x".y']) == {"bad": 0.667, "good": 0.333}
    assert sample.values["raw"][0] == "\\x" + "ab" * 49
    assert (facts["select"].minimum, facts["select"].maximum) == ("1", "300")
    assert (facts["doubled"].maximum, facts["doubled"].distinct) == ("600", 300)
    assert shares(facts["tags"]) == {'{"a,b","c\\"d",NULL}': 1}


def test_partitions_count_as_one_table(make_database: MakeDatabase) -> None:
    dsn = make_database(f"""
        CREATE TABLE part (id int, day date) PARTITION BY RANGE (day);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') {BY_HAND};
        CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') {BY_HAND};
        INSERT INTO part SELECT i, date '2026-01-01' + i % 59 FROM generate_series(1, 5900) i;
    """)
    execute(dsn, "ANALYZE part")

    fresh = statistics_of(dsn)
    sample = sample_of(dsn, tables_of(dsn)["part"])
    execute(dsn, "INSERT INTO part SELECT i, '2026-02-03' FROM generate_series(1, 3000) i", "ANALYZE part_1, part_2")

    assert set(fresh) == {"part"}
    assert (fresh["part"].rows, fresh["part"].stale) == (5900, False)
    assert fresh["part"].columns["day"].maximum == "2026-02-28"
    assert (sample.read, sample.rows, sample.complete) == (2000, 5900, False)
    assert {day[:7] for day in sample.values["day"] if day} == {"2026-01", "2026-02"}
    assert statistics_of(dsn)["part"].stale


def test_a_long_table_is_sampled_from_all_over_and_counted(make_database: MakeDatabase) -> None:
    dsn = make_database(
        f"CREATE TABLE long (id int, filler text) {BY_HAND};"
        "INSERT INTO long SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i;"
    )
    table = tables_of(dsn)["long"]

    sample = sample_of(dsn, table)
    again = sample_of(dsn, table)
    facts = summarise(table.columns[0], sample.values["id"], sample.rows)

    assert sample.read == 2000
    assert sample.rows == pytest.approx(200_000, rel=0.25)
    assert abs(int(facts.quantiles[0.5]) - 100_000) < 20_000
    assert facts.distinct == sample.rows
    assert again == sample


def test_a_table_with_mostly_empty_blocks_is_sampled(make_database: MakeDatabase) -> None:
    dsn = make_database(
        f"CREATE TABLE holey (id int, filler text) {BY_HAND};"
        "INSERT INTO holey SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i;"
        "DELETE FROM holey WHERE id <> 31;"
    )

    assert sample_of(dsn, tables_of(dsn)["holey"]).values["id"] == ("31",)


def test_samples_a_materialized_view_and_a_view(make_database: MakeDatabase) -> None:
    dsn = make_database(VISITS + "CREATE MATERIALIZED VIEW kept AS TABLE visits; CREATE VIEW seen AS TABLE visits;")
    tables = tables_of(dsn)

    assert sample_of(dsn, tables["kept"]).rows == 20_000
    assert (sample_of(dsn, tables["seen"]).read, sample_of(dsn, tables["seen"]).rows) == (2000, None)


def test_samples_a_foreign_table(make_database: MakeDatabase, postgres_superuser_dsn: str) -> None:
    parts = parse_dsn(postgres_superuser_dsn, unix_sockets=True)
    far = make_database(VISITS)
    far_name = parse_dsn(far, unix_sockets=True).database
    dsn = make_database(f"""
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host '{parts.host}', port '{parts.port}', dbname '{far_name}');
        CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{parts.username}', password '{parts.password}');
        IMPORT FOREIGN SCHEMA public LIMIT TO (visits) FROM SERVER far INTO public;
    """)
    table = tables_of(dsn)["visits"]

    sample = sample_of(dsn, table)

    assert table.kind == "foreign table"
    assert (sample.read, sample.rows, sample.error) == (2000, None, "")
    assert "visits" not in statistics_of(dsn)


def test_samples_a_table_of_which_a_partition_is_elsewhere(
    make_database: MakeDatabase, postgres_superuser_dsn: str
) -> None:
    parts = parse_dsn(postgres_superuser_dsn, unix_sockets=True)
    far_name = parse_dsn(make_database(VISITS), unix_sockets=True).database
    dsn = make_database(f"""
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host '{parts.host}', port '{parts.port}', dbname '{far_name}');
        CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{parts.username}', password '{parts.password}');
        CREATE TABLE visits (id int, day date) PARTITION BY RANGE (day);
        CREATE TABLE near PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        INSERT INTO visits VALUES (7, '2025-05-05');
        CREATE FOREIGN TABLE far PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
        SERVER far OPTIONS (table_name 'visits');
    """)

    sample = sample_of(dsn, tables_of(dsn)["visits"])

    assert (sample.error, sample.read) == ("", 2000)


def test_failures_are_outcomes_and_the_next_table_goes_on(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database = make_database("""
        CREATE TABLE numbers (n int);
        INSERT INTO numbers VALUES (0), (4711);
        CREATE VIEW broken AS SELECT n, 1 / n AS inverse FROM numbers;
        CREATE VIEW slow AS SELECT n, pg_sleep(10)::text AS waited FROM numbers;
        CREATE VIEW wrong AS SELECT ('x' || n)::int AS n FROM numbers;
        CREATE TABLE secret (x int);
    """)
    dsn = readonly_dsn(database)
    tables = tables_of(dsn)
    execute(database, "REVOKE ALL ON secret FROM PUBLIC", f"REVOKE ALL ON secret FROM {role_of(dsn)}")

    async def sample_all(connection: asyncpg.Connection) -> dict[str, Sample]:
        return {name: await sample_table(connection, table, budget_ms=300) for name, table in tables.items()}

    samples = run(dsn, sample_all)

    assert {name: sample.error for name, sample in samples.items()} == {
        "broken": "22012",
        "numbers": "",
        "secret": "42501",
        "slow": "timeout",
        "wrong": "22P02",
    }
    assert "4711" not in repr([samples[name] for name in ("broken", "slow", "wrong")])


def test_columns_without_rights_are_left_alone(make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> None:
    database = analysed(make_database(VISITS))
    dsn = readonly_dsn(database)
    role = role_of(dsn)
    execute(database, f"REVOKE ALL ON visits FROM {role}", f"GRANT SELECT (id, day) ON visits TO {role}")

    sample = sample_of(dsn, tables_of(dsn)["visits"])

    assert set(statistics_of(dsn)["visits"].columns) == {"id", "day"}
    assert (set(sample.values), sample.rows) == ({"id", "day"}, 20_000)


def test_a_table_of_1600_columns_is_read_within_its_cells(make_database: MakeDatabase) -> None:
    names = [f'"Column {number} ""x"""' for number in range(1600)]
    dsn = make_database(
        f"CREATE TABLE wide ({', '.join(f'{name} int' for name in names)}) {BY_HAND};"
        f"INSERT INTO wide ({names[1599]}) SELECT i FROM generate_series(1, 5000) i; ANALYZE wide;"
    )
    table = tables_of(dsn)["wide"]

    sample = sample_of(dsn, table)

    assert len(statistics_of(dsn)["wide"].columns) == 1600
    assert (len(sample.values), sample.read, sample.error) == (1600, 62, "")
    assert set(sample.values['Column 0 "x"']) == {None}
    assert None not in sample.values['Column 1599 "x"']


def test_long_values_are_cut(make_database: MakeDatabase) -> None:
    dsn = make_database(
        f"CREATE TABLE long (words text, raw bytea) {BY_HAND};"
        "INSERT INTO long SELECT repeat('wört ', 400000), convert_to(repeat('x', 2000000), 'UTF8')"
        "FROM generate_series(1, 20);"
    )

    sample = sample_of(dsn, tables_of(dsn)["long"])

    assert {len(value or "") for values in sample.values.values() for value in values} == {100}


def test_a_broken_connection_is_raised(make_database: MakeDatabase, postgres_superuser_dsn: str) -> None:
    dsn = make_database("CREATE VIEW slow AS SELECT pg_sleep(20)::text AS waited;")
    table = tables_of(dsn)["slow"]

    async def sample_while_killed(connection: asyncpg.Connection) -> None:
        killer = await asyncpg.connect(postgres_superuser_dsn)
        sampling = asyncio.create_task(sample_table(connection, table, budget_ms=20_000))
        await asyncio.sleep(0.3)
        await killer.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        await killer.close()
        await sampling

    with pytest.raises((OSError, asyncpg.InterfaceError)):
        run(dsn, sample_while_killed)


def test_a_server_that_freezes_loses_the_connection(make_database: MakeDatabase) -> None:
    dsn = make_database("CREATE VIEW slow AS SELECT pg_sleep(20)::text AS waited;")
    table = tables_of(dsn)["slow"]

    async def sample_while_frozen(connection: asyncpg.Connection) -> float:
        process = connection.get_server_pid()
        sampling = asyncio.create_task(sample_table(connection, table, budget_ms=500))
        await asyncio.sleep(0.2)
        os.kill(process, signal.SIGSTOP)
        started = time.monotonic()
        try:
            with pytest.raises((OSError, asyncpg.InterfaceError)):
                await sampling
            return time.monotonic() - started
        finally:
            os.kill(process, signal.SIGCONT)

    assert run(dsn, sample_while_frozen) < 10


def test_the_caller_s_formats_of_dates_do_not_matter(make_database: MakeDatabase) -> None:
    dsn = analysed(make_database(VISITS))
    table = tables_of(dsn)["visits"]

    async def read_in_german(
        connection: asyncpg.Connection,
    ) -> tuple[Mapping[tuple[str, str], TableStatistics], Sample]:
        await connection.execute("SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'")
        return await fetch_statistics(connection), await sample_table(connection, table, budget_ms=BUDGET_MS)

    statistics, sample = run(dsn, read_in_german)

    assert statistics["public", "visits"].columns["at"].minimum == "2026-01-01 10:01:00+00"
    assert set(facts_of(table, sample)["day"].months) == {"2026-01", "2026-02", "2026-03"}


def test_months_are_counted_in_full_or_not_at_all(make_database: MakeDatabase) -> None:
    dsn = make_database(
        VISITS
        + "INSERT INTO visits (day) VALUES ('infinity'), ('0044-03-15 BC'), ('20000-01-01'), (NULL), ('9999-12-31');"
        "CREATE VIEW slow AS SELECT day FROM visits, pg_sleep(10);"
    )
    tables = tables_of(dsn)

    def months_of(table: FoundTable, column: str, budget_ms: int = BUDGET_MS) -> Mapping[str, int] | None:
        found = next(each for each in table.columns if each.name == column)
        return run(dsn, lambda connection: fetch_months(connection, table, found, budget_ms=budget_ms))

    assert months_of(tables["visits"], "day") == {"2026-01": 6902, "2026-02": 6216, "2026-03": 6882, "9999-12": 1}
    assert months_of(tables["visits"], "at") == {"2026-01": 20_000}
    assert months_of(tables["visits"], "place") is None
    assert months_of(tables["slow"], "day", budget_ms=200) is None


def role_of(dsn: str) -> str:
    return parse_dsn(dsn, unix_sockets=False).username
