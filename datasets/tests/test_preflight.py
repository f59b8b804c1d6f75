from __future__ import annotations

import asyncio
import secrets
from urllib.parse import urlsplit

import psycopg
import pytest
from pytest_django.fixtures import Settings

from config.errors import HostRefused, SourceUnreachable
from conftest import SHOP
from datasets.connections import parse_dsn
from datasets.models import Dataset
from datasets.preflight import Check, State, run_preflight
from datasets.registration import register_dataset
from tests.servers import SERVERS, MakeDatabase, ReadonlyDsn


def checks_of(dsn: str) -> dict[str, Check]:
    preflight = asyncio.run(run_preflight(parse_dsn(dsn, unix_sockets=False), local_allowed=True))
    return {check.code: check for check in preflight.checks}


def blocked_by(dsn: str) -> set[str]:
    return {code for code, check in checks_of(dsn).items() if check.state is State.BLOCKED}


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_role_that_only_reads_passes(shop_dsn: str) -> None:
    checks = checks_of(shop_dsn)

    assert not [check for check in checks.values() if check.state is State.BLOCKED]
    assert checks["readable"].detail == "3 tables and views"
    assert checks["version"].detail.startswith("PostgreSQL 18")
    assert "same machine" in checks["tls"].detail


def test_a_superuser_is_blocked(make_database: MakeDatabase) -> None:
    assert blocked_by(make_database(SHOP)) == {"role_attributes"}


@pytest.mark.parametrize(
    ("grant", "check"),
    [
        ("GRANT INSERT ON users TO {role}", "table_writes"),
        ("GRANT UPDATE (gender) ON users TO {role}", "table_writes"),
        ("GRANT DELETE ON events TO {role}", "table_writes"),
        ("GRANT TRUNCATE ON events TO {role}", "table_writes"),
        ("GRANT MAINTAIN ON events TO {role}", "table_writes"),
        ("GRANT INSERT ON events TO PUBLIC", "table_writes"),
        ("GRANT INSERT ON minutes_by_day TO {role}", "table_writes"),
        ("CREATE SEQUENCE s; GRANT UPDATE ON SEQUENCE s TO {role}", "sequence_writes"),
        ("GRANT CREATE ON SCHEMA public TO {role}", "create_rights"),
        ("GRANT CREATE ON DATABASE {database} TO {role}", "create_rights"),
        ("ALTER TABLE events OWNER TO {role}", "ownership"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; ALTER FUNCTION f() OWNER TO {role}", "ownership"),
        ("CREATE SCHEMA mine AUTHORIZATION {role}", "ownership"),
        ("ALTER ROLE {role} REPLICATION", "role_attributes"),
        ("ALTER ROLE {role} BYPASSRLS", "role_attributes"),
        ("GRANT pg_write_all_data TO {role}", "role_memberships"),
        ("GRANT pg_read_server_files TO {role}", "role_memberships"),
        ("GRANT pg_execute_server_program TO {role}", "role_memberships"),
        ("GRANT pg_signal_backend TO {role}", "role_memberships"),
        # reached by SET ROLE only, which a session can do
        ("GRANT pg_write_all_data TO {role} WITH INHERIT FALSE", "table_writes"),
    ],
)
def test_a_role_that_may_write_is_blocked(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, grant: str, check: str
) -> None:
    database_url = make_database(SHOP)
    dsn = readonly_dsn(database_url)
    parts = urlsplit(dsn)
    names = {"role": parts.username, "database": parts.path.lstrip("/")}

    execute(database_url, grant.format(**names))

    assert check in blocked_by(dsn)


def test_temporary_tables_and_large_objects_are_warnings(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dsn = readonly_dsn(database_url)
    execute(database_url, f"GRANT TEMP ON DATABASE {urlsplit(dsn).path.lstrip('/')} TO PUBLIC")

    checks = checks_of(dsn)

    assert checks["temporary_tables"].state is State.WARNING
    assert checks["large_objects"].state is State.WARNING


def test_a_role_that_sees_nothing_is_told_how_to_see(make_database: MakeDatabase) -> None:
    database_url = make_database(SHOP)
    role, parts = f"blind_{secrets.token_hex(4)}", urlsplit(SERVERS.runtime.postgres_superuser_url)
    execute(database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")

    checks = checks_of(f"postgresql://{role}:x@{parts.hostname}:{parts.port}{urlsplit(database_url).path}")
    execute(SERVERS.runtime.postgres_superuser_url, f"DROP ROLE {role}")

    assert checks["readable"].state is State.WARNING
    assert "GRANT" in checks["readable"].hint


def test_a_host_on_this_machine_is_refused_where_local_addresses_are_not_allowed(shop_dsn: str) -> None:
    target = parse_dsn(shop_dsn, unix_sockets=False)

    with pytest.raises(HostRefused) as caught:
        asyncio.run(run_preflight(target, local_allowed=False))

    assert caught.value.code == "host_refused"
    assert target.password not in caught.value.message + caught.value.hint


def test_a_socket_is_no_host_that_is_refused() -> None:
    target = parse_dsn("host=/nowhere dbname=d user=u password=p", unix_sockets=True)

    with pytest.raises(SourceUnreachable):
        asyncio.run(run_preflight(target, local_allowed=False))


@pytest.mark.django_db
def test_nothing_is_registered_where_the_host_is_refused(shop_dsn: str, settings: Settings) -> None:
    settings.LOCAL_ADDRESSES_ALLOWED = False

    with pytest.raises(HostRefused):
        register_dataset("shop", shop_dsn, actor="test")

    assert not Dataset.objects.filter(name="shop").exists()
