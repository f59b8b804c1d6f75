"""The demo databases are complete, explained, and readable but not writable by their role."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from config.embedded import make_password
from datasets.connections import parse_dsn
from datasets.demo import databases
from datasets.demo.databases import DemoDatabase, prepare_database, reader_dsn
from datasets.preflight import State, run_preflight


class FreshDatabase(DemoDatabase):
    """Beside the one that other tests have loaded already."""

    @property
    def name(self) -> str:
        return f"fresh_{self.folder}"


PANEL_IN, NHANES2009, YRBS2015 = FRESH = [FreshDatabase(demo.folder, demo.tables) for demo in databases.DEMO_DATABASES]


def drop(superuser_url: str, demo: DemoDatabase) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(demo.name)))
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(demo.reader)))


@pytest.fixture(scope="module")
def dsns(postgres_superuser_dsn: str) -> Iterator[dict[str, str]]:
    """The read-only connection string of each loaded demo database, by folder."""
    made = {}
    for demo in FRESH:
        password = make_password()
        assert prepare_database(postgres_superuser_dsn, demo, reader_password=password)
        made[demo.folder] = reader_dsn(postgres_superuser_dsn, demo, reader_password=password)
    yield made
    for demo in FRESH:
        drop(postgres_superuser_dsn, demo)


def fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize(
    ("demo", "table", "rows"),
    [
        (PANEL_IN, "panel_users", 1_500),
        (PANEL_IN, "panel_events", 23_425),
        (PANEL_IN, "panel_weights_monthly", 4_242),
        (NHANES2009, "nhanes_chol", 8_591),
        (YRBS2015, "yrbs", 15_624),
    ],
)
def test_every_row_is_loaded(dsns: dict[str, str], demo: DemoDatabase, table: str, rows: int) -> None:
    assert fetch(dsns[demo.folder], f"SELECT count(*) FROM {table}") == [(rows,)]


def test_empty_fields_are_null(dsns: dict[str, str]) -> None:
    panel = dsns["panel_in"]

    assert fetch(
        panel, "SELECT count(*) FILTER (WHERE weight IS NULL), count(*) FILTER (WHERE weight = 0) FROM panel_users"
    ) == [(12, 15)]
    assert fetch(panel, "SELECT count(*) FROM panel_events WHERE duration_min IS NULL") == [(238,)]
    assert fetch(dsns["nhanes2009"], "SELECT count(*) FROM nhanes_chol WHERE hi_chol IS NULL") == [(745,)]
    assert fetch(dsns["yrbs2015"], "SELECT count(*) FROM yrbs WHERE qn8 IS NULL") == [(6_867,)]


def test_dates_are_dates(dsns: dict[str, str]) -> None:
    answer = fetch(
        dsns["panel_in"], "SELECT min(event_date)::text, max(event_date) - min(event_date) FROM panel_events"
    )

    assert answer == [("2026-01-01", 89)]


@pytest.mark.parametrize("folder", [demo.folder for demo in FRESH])
def test_every_table_and_column_is_explained(dsns: dict[str, str], folder: str) -> None:
    unexplained = fetch(
        dsns[folder],
        """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
        """,
    )

    assert unexplained == []


@pytest.mark.parametrize("folder", [demo.folder for demo in FRESH])
async def test_preflight_has_nothing_to_complain_about(dsns: dict[str, str], folder: str) -> None:
    preflight = await run_preflight(parse_dsn(dsns[folder], unix_sockets=False), local_allowed=True)

    assert [check for check in preflight.checks if check.state is not State.OK] == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO panel_users VALUES (1, 'Male', '18-24', 'A', 'Rural', 'Goa', 1)",
        "CREATE TABLE mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "SELECT lo_create(0)",
    ],
)
def test_reader_may_only_read(dsns: dict[str, str], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        fetch(dsns["panel_in"], statement)


def test_reader_of_one_demo_cannot_enter_another_nor_the_metadata(dsns: dict[str, str]) -> None:
    for database in (YRBS2015.name, "mcp_analytics"):
        elsewhere = urlsplit(dsns["panel_in"])._replace(path=f"/{database}").geturl()
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(elsewhere)


def test_second_start_loads_nothing_and_sets_the_password_again(
    dsns: dict[str, str], postgres_superuser_dsn: str
) -> None:
    password = make_password()

    loaded = prepare_database(postgres_superuser_dsn, YRBS2015, reader_password=password)

    assert not loaded
    dsns["yrbs2015"] = reader_dsn(postgres_superuser_dsn, YRBS2015, reader_password=password)
    assert fetch(dsns["yrbs2015"], "SELECT count(*) FROM yrbs") == [(15_624,)]


def test_load_that_was_killed_is_done_again_from_the_start(
    postgres_superuser_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(postgres_superuser_dsn, PANEL_IN)
    with monkeypatch.context() as patch:
        patch.setattr(databases, "GRANTS", "SELECT 1 / 0 /* the process is killed here */")
        with pytest.raises(psycopg.errors.DivisionByZero):
            prepare_database(postgres_superuser_dsn, PANEL_IN, reader_password="x")

    loaded = prepare_database(postgres_superuser_dsn, PANEL_IN, reader_password="x")

    assert loaded
    assert fetch(
        reader_dsn(postgres_superuser_dsn, PANEL_IN, reader_password="x"), "SELECT count(*) FROM panel_users"
    ) == [(1_500,)]
    drop(postgres_superuser_dsn, PANEL_IN)
