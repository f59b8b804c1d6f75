"""A worker that is killed in mid-profile: another goes on, nothing is lost and nothing is read twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.product import Product, build_environment, wait_until
from tests.servers import SERVERS, MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.e2e
TABLES = 40
# half a second for one of its rows, so that the kill comes in the midst of it
SLOW = "CREATE VIEW slow{number} AS SELECT {number} AS id, pg_sleep(0.5)::text AS waited"


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    superuser = SERVERS.runtime.postgres_superuser_url
    metadata = f"e2e_{secrets.token_hex(4)}"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{metadata}"')
    url = urlsplit(superuser)._replace(path=f"/{metadata}").geturl()
    made = Product(tmp_path_factory.mktemp("survives"), build_environment(METADATA_DATABASE_URL=url))
    made.manage("migrate", "--verbosity", "0")
    yield made
    made.stop()


def fetch(product: Product, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(product.environment["METADATA_DATABASE_URL"]) as connection:
        return connection.execute(sql.encode()).fetchall()


def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    product: Product, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    made = [f"CREATE TABLE t{number} AS SELECT {number} AS id, 'x' AS kind" for number in range(TABLES)]
    made += [SLOW.format(number=number) for number in range(12)]
    worker = product.start_worker()
    product.manage("register_dataset", "many", readonly_dsn(make_database("; ".join(made))))
    readings = "SELECT id, schema, name, read_at FROM datasets_tablereading ORDER BY id"
    wait_until(lambda: len(fetch(product, readings)) >= 3, what="some tables are read")

    worker.kill()
    before = fetch(product, readings)
    (state,) = fetch(product, "SELECT state, attempts FROM datasets_profilingrun")
    product.start_worker()
    wait_until(
        lambda: fetch(product, "SELECT state FROM datasets_profilingrun") == [("succeeded",)],
        what="another worker finishes the profile",
        timeout_s=60,
    )

    after = fetch(product, readings)
    assert state == ("running", 1)
    assert 3 <= len(before) < TABLES + 12
    assert after[: len(before)] == before
    assert len(after) == len({row[1:3] for row in after}) == TABLES + 12
    assert fetch(product, "SELECT attempts, tables_read FROM datasets_profilingrun") == [(2, TABLES + 12)]
    shown = product.manage_json("show_profile", "many")
    assert len(shown["tables"]) == TABLES + 12
