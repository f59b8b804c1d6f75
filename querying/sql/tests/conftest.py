from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from datasets.catalog import DatasetSpec
from querying.sql.tests.panel import load_dataset

Fetch = Callable[[str], tuple[list[str], list[tuple[str, ...]]]]


@pytest.fixture(scope="session")
def panel_url(postgres_superuser_dsn: str) -> Iterator[str]:
    """A database with schema.sql, for the session; statements run in it as superuser: the tree is the only ring."""
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE sql_panel")
    url = urlsplit(postgres_superuser_dsn)._replace(path="/sql_panel").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((Path(__file__).parent / "schema.sql").read_bytes())
    yield url
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE sql_panel WITH (FORCE)")


@pytest.fixture(scope="session")
def dataset(panel_url: str) -> DatasetSpec:
    return load_dataset(panel_url)


@pytest.fixture(scope="session")
def fetch(panel_url: str) -> Iterator[Fetch]:
    """Runs a statement as the executor does: pg_catalog only, read only, extended protocol, rolled back."""
    with psycopg.connect(panel_url, options="-c search_path=pg_catalog -c default_transaction_read_only=on") as session:
        yield lambda sql: run(session, sql)


@pytest.fixture(scope="session")
def fetch_unguarded(panel_url: str) -> Iterator[Fetch]:
    """Runs a statement as a database client would, with public in the search path."""
    with psycopg.connect(panel_url) as session:
        yield lambda sql: run(session, sql)


def run(session: psycopg.Connection, sql: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Column names, and rows with each value as PostgreSQL prints it."""
    try:
        with psycopg.RawCursor(session) as cursor:
            cursor.execute(sql.encode(), prepare=True)
            names = [column.name for column in cursor.description or ()]
            return names, [tuple(map(str, row)) for row in cursor.fetchall()] if names else []
    finally:
        session.rollback()
