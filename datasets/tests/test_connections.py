from __future__ import annotations

import asyncio
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from config.errors import (
    DsnInvalid,
    GatewayError,
    SourceDatabaseMissing,
    SourceDnsFailed,
    SourceNotPostgresql,
    SourcePasswordRejected,
    SourceTlsRefused,
    SourceUnreachable,
)
from datasets.connections import ConnectionTarget, SslMode, open_connection, parse_dsn
from datasets.preflight import run_preflight
from tests.servers import SERVERS


def test_reads_a_url_with_escaped_parts() -> None:
    target = parse_dsn(
        "postgresql://ana:p%40ss%2Fw%3Ard@db.example:6432/sales%20eu?sslmode=require", unix_sockets=False
    )

    assert target == ConnectionTarget("db.example", 6432, "sales eu", "ana", "p@ss/w:rd", SslMode.REQUIRE)


def test_reads_a_keyword_string_with_quotes() -> None:
    target = parse_dsn(
        r"host=db.example dbname=sales user=ana password='it\'s' sslmode=verify-full", unix_sockets=False
    )

    assert target == ConnectionTarget("db.example", 5432, "sales", "ana", "it's", SslMode.VERIFY_FULL)


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("", "postgresql://"),
        ("mysql://u:p@h/d", "postgresql://"),
        ("postgresql://u:p@h1,h2/d", "several hosts"),
        ("postgresql://u:p@h1:5432,h2:5432/d", "cannot be read"),
        ("host=a,b dbname=d user=u", "several hosts"),
        ("postgresql://u:p@/d", "no host"),
        ("postgresql://u:p@h", "no database"),
        ("postgresql://h/d", "no user"),
        ("postgresql://u:p@h:99999/d", "cannot be read"),
        ("postgresql://u:p@h:0/d", "not a port"),
        ("postgresql://u:p#q@h/d", "cannot be read|'#'"),
        ("postgresql://u:p@h/d?service=prod", "service"),
        ("postgresql://u:p@h/d?sslkey=/etc/key", "sslkey"),
        ("postgresql://u:p@h/d?passfile=/x", "passfile"),
        ("postgresql://u:p@h/d?host=other", "host"),
        ("postgresql://u:p@h/d?options=-csearch_path%3Dx", "options"),
        ("postgresql://u:p@h/d?sslmode=maybe", "not an sslmode"),
        ("postgresql://u:p@h/d?channel_binding=require", "channel_binding"),
        ("postgresql://u:p@h/d?target_session_attrs=read-write", "may write"),
        ("service=prod", "service"),
        ("host=/var/run/postgresql dbname=d user=u", "unix socket"),
        ("postgresql://u:p@%2Fvar%2Frun/d", "unix socket"),
        ("postgresql://u:p@h/d\npassfile=x", "line break"),
    ],
)
def test_refuses_what_it_will_not_follow(dsn: str, says: str) -> None:
    with pytest.raises(DsnInvalid, match=says) as caught:
        parse_dsn(dsn, unix_sockets=False)

    assert "p@" not in caught.value.message


def test_a_unix_socket_is_for_embedded_mode() -> None:
    assert parse_dsn("host=/run/pg dbname=d user=u", unix_sockets=True).host == "/run/pg"


def test_a_target_never_prints_its_password() -> None:
    target = parse_dsn("postgresql://u:hunter2@h/d", unix_sockets=False)

    assert "hunter2" not in repr(target) + str(target) + f"{target!r:>10}"


def test_the_connection_id_changes_with_every_part() -> None:
    base = "postgresql://u:p@h:5432/d"
    others = [
        "postgresql://u:q@h:5432/d",
        "postgresql://v:p@h:5432/d",
        "postgresql://u:p@h:5433/d",
        base + "?sslmode=require",
    ]

    ids = {parse_dsn(dsn, unix_sockets=False).connection_id for dsn in [base, *others]}

    assert len(ids) == len(others) + 1


# ── what a preflight says of each failure, within five seconds ───────────────────────────────────────────────
@pytest.fixture
def http_port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def failure_of(dsn: str) -> GatewayError:
    start = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        asyncio.run(run_preflight(parse_dsn(dsn, unix_sockets=False), local_allowed=True))
    assert time.monotonic() - start < 5.5
    assert "hunter2" not in caught.value.message + caught.value.hint + repr(caught.value.__cause__)
    assert caught.value.hint
    return caught.value


def server_place() -> str:
    parts = urlsplit(SERVERS.runtime.postgres_superuser_url)
    return f"{parts.hostname}:{parts.port}"


def test_nothing_listens() -> None:
    assert isinstance(failure_of("postgresql://u:hunter2@127.0.0.1:1/d"), SourceUnreachable)


def test_the_name_does_not_resolve() -> None:
    assert isinstance(failure_of("postgresql://u:hunter2@no-such-host.invalid/d"), SourceDnsFailed)


def test_the_server_is_redis() -> None:
    port = urlsplit(SERVERS.runtime.redis_url).port
    assert isinstance(failure_of(f"postgresql://u:hunter2@127.0.0.1:{port}/d"), SourceNotPostgresql)


def test_the_server_speaks_http(http_port: int) -> None:
    assert isinstance(failure_of(f"postgresql://u:hunter2@127.0.0.1:{http_port}/d"), SourceNotPostgresql)


def test_the_server_says_nothing(silent_port: int) -> None:
    assert isinstance(failure_of(f"postgresql://u:hunter2@127.0.0.1:{silent_port}/d"), SourceNotPostgresql)


def test_the_password_is_wrong() -> None:
    assert isinstance(failure_of(f"postgresql://postgres:hunter2@{server_place()}/postgres"), SourcePasswordRejected)


def test_the_database_is_missing() -> None:
    parts = urlsplit(SERVERS.runtime.postgres_superuser_url)
    error = failure_of(parts._replace(path="/no_such_database").geturl())

    assert isinstance(error, SourceDatabaseMissing)


def test_the_server_offers_no_tls() -> None:
    error = failure_of(SERVERS.runtime.postgres_superuser_url + "?sslmode=require")

    assert isinstance(error, SourceTlsRefused)


async def test_prefer_falls_back_to_plain_text() -> None:
    connection = await open_connection(parse_dsn(SERVERS.runtime.postgres_superuser_url, unix_sockets=False))

    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_the_environment_is_never_consulted(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(SERVERS.runtime.postgres_superuser_url)
    monkeypatch.setenv("PGPASSWORD", parts.password or "")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")

    with pytest.raises(SourcePasswordRejected):
        await open_connection(parse_dsn(f"postgresql://postgres@{server_place()}/postgres", unix_sockets=False))
