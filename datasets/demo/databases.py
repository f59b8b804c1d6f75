"""The demo databases: tables loaded from the CSV files beside this module, and a role each that may only read them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

HERE = Path(__file__).resolve().parent
# kept as the database's comment, in the transaction that loads it: there is no half-loaded database
LOADED = "MCP Analytics Server demo data"
NULLS = frozenset({"", "NA"})


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """A folder of CSV files becomes a database; `tables` in the order of their foreign keys."""

    folder: str
    tables: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"demo_{self.folder}"

    @property
    def reader(self) -> str:
        return f"{self.name}_reader"


PANEL_IN = DemoDatabase("panel_in", ("panel_users", "panel_events", "panel_weights_monthly"))
NHANES2009 = DemoDatabase("nhanes2009", ("nhanes_chol",))
YRBS2015 = DemoDatabase("yrbs2015", ("yrbs",))
DEMO_DATABASES = (PANEL_IN, NHANES2009, YRBS2015)

CREATE_READER = "CREATE ROLE {reader} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
SET_PASSWORD = "ALTER ROLE {reader} PASSWORD {password}"
GRANTS = """
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {reader};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {reader};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader};
-- every role may make large objects by default
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC
"""


def prepare_database(superuser_url: str, demo: DemoDatabase, *, reader_password: str) -> bool:
    """Make the reader and the database and load it, each where it is missing; whether it was loaded now."""
    names = {"database": sql.Identifier(demo.name), "reader": sql.Identifier(demo.reader)}
    with psycopg.connect(superuser_url, autocommit=True) as server:
        if not _exists(server, "SELECT FROM pg_roles WHERE rolname = %s", demo.reader):
            server.execute(sql.SQL(CREATE_READER).format(**names))
        server.execute(sql.SQL(SET_PASSWORD).format(**names, password=sql.Literal(reader_password)))
        if not _exists(server, "SELECT FROM pg_database WHERE datname = %s", demo.name):
            server.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE template0").format(**names))
    with psycopg.connect(urlsplit(superuser_url)._replace(path=f"/{demo.name}").geturl()) as database:
        if _exists(
            database,
            "SELECT FROM pg_database WHERE datname = current_database() AND shobj_description(oid, 'pg_database') = %s",
            LOADED,
        ):
            return False
        _load(database, demo, names)
    return True


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), [name]).fetchone() is not None


def _load(connection: psycopg.Connection, demo: DemoDatabase, names: dict[str, sql.Identifier]) -> None:
    """In the connection's one transaction."""
    connection.execute((HERE / "schemas" / f"{demo.folder}.sql").read_bytes())
    for table in demo.tables:
        _copy_table(connection, table, HERE / "data" / demo.folder / f"{table}.csv")
    connection.execute(sql.SQL(GRANTS).format(**names))
    connection.execute(sql.SQL("COMMENT ON DATABASE {database} IS {loaded}").format(**names, loaded=LOADED))
    connection.execute("ANALYZE")


def _copy_table(connection: psycopg.Connection, table: str, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
            table=sql.Identifier(table), columns=sql.SQL(", ").join(map(sql.Identifier, next(rows)))
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in _read_nulls(rows):
                copy.write_row(row)


def _read_nulls(rows: Iterator[list[str]]) -> Iterator[list[str | None]]:
    """An empty field and R's NA are NULL; COPY itself knows only one of them at a time."""
    for row in rows:
        yield [None if value in NULLS else value for value in row]


def reader_dsn(superuser_url: str, demo: DemoDatabase, *, reader_password: str) -> str:
    """The connection string to register: the same server, the read-only role."""
    parts = urlsplit(superuser_url)
    place = f"{unquote(parts.hostname or '')}:{parts.port or 5432}"
    return f"postgresql://{demo.reader}:{quote(reader_password, safe='')}@{place}/{demo.name}"
