"""pytest plugin (`-p tests.servers`): one embedded PostgreSQL and Redis for the whole test session.

Importing it points the settings at servers that start with the session, on free ports, in a directory of their own;
so it has to be loaded before pytest-django reads the settings. They stop with the session, also after Ctrl-C, and
with the process, also after kill -9 (Linux).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from config import embedded
from config.embedded_servers import find_account, find_postgres_home, start_postgres, start_redis
from config.processes import Child

# a test database may be lost with the machine, so nothing waits for the disk
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "2GB"}


class MakeDatabase(Protocol):
    """Creates a database, runs `script` in it, returns the superuser's URL of it; dropped after the test."""

    def __call__(self, script: str = "") -> str: ...


class ReadonlyDsn(Protocol):
    """Creates a role that may only SELECT in `schema` of the database, returns its URL; dropped after the test."""

    def __call__(self, database_url: str, schema: str = "public") -> str: ...


@dataclass
class RedisServer:
    """The session's Redis, to be taken away in tests of faults; the fixture brings it back after each."""

    url: str
    directory: Path
    child: Child | None = field(default=None, repr=False)

    def start(self) -> None:
        if self.child is None or not self.child.running:
            self.child = start_redis(self.directory, url=self.url, log_path=self.directory / "redis.log")

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """As a crash: no goodbye to its clients, nothing written on the way out."""
        if self.child is not None:
            self.child.kill()

    def restart(self) -> None:
        self.stop()
        self.start()


class Servers:
    """Both servers of the session and the directory that they live in."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-tests-"))
        embedded.prepare_directory(self.directory)
        self.runtime = embedded.plan_runtime(self.directory)
        self.postgres: Child | None = None
        self.redis = RedisServer(self.runtime.redis_url, self.directory)

    def start(self) -> None:
        self.redis.start()
        self.postgres = start_postgres(
            self.directory,
            superuser_url=self.runtime.postgres_superuser_url,
            metadata_url=self.runtime.metadata_database_url,
            log_path=self.directory / "postgres.log",
            settings=FAST_SETTINGS,
        )
        # Django makes its test database beside the metadata database
        with psycopg.connect(self.runtime.postgres_superuser_url, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(embedded.METADATA_ROLE)))

    def stop(self) -> None:
        """May be called twice: at the end of the session and of the process."""
        if not self.directory.exists():
            return
        self.redis.kill()
        if self.postgres is not None:
            self.postgres.stop()
        shutil.rmtree(find_postgres_home(self.directory, find_account()), ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def _prepare_environment() -> Servers:
    """Nothing of the developer's environment counts: not their databases, not their keys, not their `make run`."""
    secrets_and_urls = ("METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY", "OPENAI_API_KEY")
    for name in (*secrets_and_urls, "EMAIL_URL", "EMAIL_FROM", "DRIFT_SCHEDULE"):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    made = Servers()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        DATA_DIR=str(made.directory),
        METADATA_DATABASE_URL=made.runtime.metadata_database_url,
        REDIS_URL=made.runtime.redis_url,
        SECRET_KEY=embedded.read_secret(made.directory, "SECRET_KEY") or "",
        ENCRYPTION_KEY=embedded.read_secret(made.directory, "ENCRYPTION_KEY") or "",
        MCP_ANALYTICS_EMBEDDED="1",
    )
    return made


SERVERS = _prepare_environment()
atexit.register(SERVERS.stop)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        SERVERS.start()


def pytest_unconfigure() -> None:
    SERVERS.stop()


@pytest.fixture(scope="session")
def postgres_superuser_dsn() -> str:
    """The superuser's URL of database `postgres` on the session's server."""
    return SERVERS.runtime.postgres_superuser_url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    yield SERVERS.redis
    SERVERS.redis.start()


@pytest.fixture
def make_database(postgres_superuser_dsn: str) -> Iterator[MakeDatabase]:
    made: list[str] = []

    def make(script: str = "") -> str:
        name = f"test_{secrets.token_hex(6)}"
        _execute(postgres_superuser_dsn, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made.append(name)
        url = urlsplit(postgres_superuser_dsn)._replace(path=f"/{name}").geturl()
        if script:
            _execute(url, script.encode())
        return url

    yield make
    for name in made:
        _execute(
            postgres_superuser_dsn, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture
def readonly_dsn(postgres_superuser_dsn: str) -> Iterator[ReadonlyDsn]:
    granted: list[tuple[str, str]] = []

    def make(database_url: str, schema: str = "public") -> str:
        role, password = f"reader_{secrets.token_hex(6)}", embedded.make_password()
        parts = urlsplit(database_url)
        granted.append((database_url, role))
        _execute(
            database_url,
            sql.SQL(
                "CREATE ROLE {role} LOGIN PASSWORD {password};"
                "GRANT CONNECT ON DATABASE {database} TO {role};"
                "REVOKE TEMP ON DATABASE {database} FROM PUBLIC;"
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
                "GRANT USAGE ON SCHEMA {schema} TO {role};"
                "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};"
                "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}"
            ).format(
                role=sql.Identifier(role),
                password=sql.Literal(password),
                database=sql.Identifier(parts.path.lstrip("/")),
                schema=sql.Identifier(schema),
            ),
        )
        return embedded.postgres_url(role, password, port=parts.port or 5432, database=parts.path.lstrip("/"))

    yield make
    for database_url, role in granted:
        # the database may be gone already, and the role's grants with it
        with contextlib.suppress(psycopg.OperationalError):
            _execute(database_url, sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role)))
        _execute(postgres_superuser_dsn, sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def _execute(url: str, statement: bytes | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
