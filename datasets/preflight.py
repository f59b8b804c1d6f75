"""What a connection can see and do, before anybody may ask it: one short connection, one checklist.

The role is the first of three rings; a role that may write blocks activation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import asyncpg

from config.errors import RoleUnsafe, SourceUnreachable
from datasets.connections import ConnectionTarget, open_session, probe_server, set_locally
from datasets.network import resolve_allowed

PREFLIGHT_TIMEOUT_S = 5.0
SETTINGS = {"default_transaction_read_only": "on", "search_path": "pg_catalog", "statement_timeout": "4000"}
OLDEST_SERVER = 140_000


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist: `detail` says what was found, `hint` what to do about it."""

    code: str
    label: str
    state: State
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Preflight:
    checks: tuple[Check, ...]

    @property
    def blocked(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.state is State.BLOCKED)

    def as_list(self) -> list[dict[str, Any]]:  # Any: a JSON object
        return [asdict(check) for check in self.checks]


async def run_preflight(target: ConnectionTarget, *, local_allowed: bool) -> Preflight:
    """The checklist of a connection that opened; raises the `PreflightError` of one that did not, within 5 s.

    Without `local_allowed`, hosts with an address of this machine or link-local are refused (`HostRefused`).
    """
    try:
        async with asyncio.timeout(PREFLIGHT_TIMEOUT_S):
            if not target.host.startswith(("/", "@")):  # a unix socket has no address
                await resolve_allowed(target.host, target.port, local_allowed=local_allowed)
            await probe_server(target)
            connection, untaken = await open_session(target, SETTINGS)
            try:
                async with connection.transaction(readonly=True):
                    if untaken:  # behind a pooler
                        await connection.execute(set_locally(untaken))
                    return Preflight(tuple([check async for check in _run_checks(connection)]))
            finally:
                connection.terminate()
    except (TimeoutError, asyncpg.QueryCanceledError):
        raise SourceUnreachable(
            f"{target.host}:{target.port} did not finish the checks within {PREFLIGHT_TIMEOUT_S:.0f} s.",
            hint="The database answers too slowly; try again, or look at its load.",
        ) from None


async def _run_checks(connection: asyncpg.Connection) -> AsyncIterator[Check]:
    facts = dict(await connection.fetchrow(FACTS))
    version = facts["version_num"]
    yield Check("reachable", "Reachable", State.OK, f"user {facts['role']} in database {facts['database']}")
    yield Check(
        "version",
        "Server version",
        State.OK if version >= OLDEST_SERVER else State.WARNING,
        f"PostgreSQL {facts['version']}",
        "" if version >= OLDEST_SERVER else "Versions before 14 keep running a query whose client has left.",
    )
    yield Check(
        "tls",
        "Encrypted connection",
        State.OK if facts["tls"] or facts["local"] else State.WARNING,
        f"TLS ({facts['tls']})" if facts["tls"] else "no TLS" + (", same machine" if facts["local"] else ""),
        "" if facts["tls"] or facts["local"] else "Add sslmode=verify-full (or require) to the connection string.",
    )
    yield _check_attributes(facts)
    if facts["superuser"]:
        # a superuser passes every privilege test, so the lists below would name the whole database
        return
    yield _check_list(
        "role_memberships", "Roles that reach outside", [row["name"] for row in await connection.fetch(MEMBERSHIPS)]
    )
    privileges = "INSERT, UPDATE, DELETE, TRUNCATE" + (", MAINTAIN" if version >= 170_000 else "")
    yield _check_list(
        "table_writes",
        "May write to tables",
        [row["name"] for row in await connection.fetch(WRITABLE_TABLES, privileges)],
    )
    yield _check_list(
        "sequence_writes", "May change sequences", [row["name"] for row in await connection.fetch(WRITABLE_SEQUENCES)]
    )
    yield _check_list(
        "create_rights", "May create objects", [row["name"] for row in await connection.fetch(CREATE_RIGHTS)]
    )
    yield _check_list("ownership", "Owns objects", [row["name"] for row in await connection.fetch(OWNED)])
    yield _check_readable(await connection.fetchval(READABLE_TABLES))
    for check in _warnings(facts):
        yield check


def _check_attributes(facts: dict[str, Any]) -> Check:  # Any: a row of FACTS
    held = [word for word, column in ATTRIBUTES if facts[column]]
    return Check(
        "role_attributes",
        "Role attributes",
        State.BLOCKED if held else State.OK,
        f"the role is {', '.join(held)}" if held else "no SUPERUSER, REPLICATION, BYPASSRLS, CREATEROLE or CREATEDB",
        RoleUnsafe.default_hint if held else "",
    )


def _check_list(code: str, label: str, names: list[str]) -> Check:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return Check(
        code, label, State.BLOCKED if names else State.OK, shown or "none", RoleUnsafe.default_hint if names else ""
    )


def _check_readable(count: int) -> Check:
    return Check(
        "readable",
        "Readable tables",
        State.OK if count else State.WARNING,
        f"{count} tables and views",
        "" if count else "GRANT USAGE ON SCHEMA ... and SELECT ON ALL TABLES IN SCHEMA ... to the role.",
    )


def _warnings(facts: dict[str, Any]) -> Iterable[Check]:  # Any: a row of FACTS
    if facts["temp"]:
        yield Check(
            "temporary_tables",
            "Temporary tables",
            State.WARNING,
            "the role may create temporary tables",
            f"REVOKE TEMPORARY ON DATABASE {facts['database']} FROM PUBLIC; the gateway refuses them anyway.",
        )
    if facts["large_objects"]:
        yield Check(
            "large_objects",
            "Large objects",
            State.WARNING,
            "the role may create large objects, as every role may by default",
            "REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM PUBLIC; the gateway refuses them anyway.",
        )


ATTRIBUTES = (
    ("SUPERUSER", "superuser"),
    ("REPLICATION", "replication"),
    ("BYPASSRLS", "bypass_rls"),
    ("CREATEROLE", "create_role"),
    ("CREATEDB", "create_database"),
)

FACTS = """
SELECT current_setting('server_version_num')::int AS version_num, current_setting('server_version') AS version,
       current_user::text AS role, current_database()::text AS database,
       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl) AS tls,
       coalesce(inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS local,
       r.rolsuper AS superuser, r.rolreplication AS replication, r.rolbypassrls AS bypass_rls,
       r.rolcreaterole AS create_role, r.rolcreatedb AS create_database,
       has_database_privilege(current_database(), 'TEMP') AS temp,
       has_function_privilege('pg_catalog.lo_create(oid)', 'EXECUTE') AS large_objects
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

# every role that SET ROLE could reach counts, inherited or not
REACHABLE = "WITH reachable AS (SELECT oid FROM pg_catalog.pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER'))"

MEMBERSHIPS = """
SELECT rolname::text AS name FROM pg_catalog.pg_roles
WHERE pg_has_role(current_user, oid, 'MEMBER') AND rolname <> current_user
  AND (rolsuper OR rolreplication OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolname LIKE 'pg\\_write\\_%'
       OR rolname IN ('pg_read_server_files', 'pg_execute_server_program', 'pg_signal_backend', 'pg_maintain',
                      'pg_checkpoint', 'pg_create_subscription', 'pg_signal_autovacuum_worker', 'pg_database_owner'))
ORDER BY 1
"""

# pg_settings is the one catalogue view that every role may "update"
WRITABLE_TABLES = f"""
{REACHABLE}
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid <> 'pg_catalog.pg_settings'::regclass
  AND n.nspname !~ '^pg_(temp|toast)'
  AND EXISTS (SELECT FROM reachable r
              WHERE has_table_privilege(r.oid, c.oid, $1)
                 OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
ORDER BY 1 LIMIT 200
"""

WRITABLE_SEQUENCES = f"""
{REACHABLE}
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname !~ '^pg_(temp|toast)'
  AND EXISTS (SELECT FROM reachable r WHERE has_sequence_privilege(r.oid, c.oid, 'UPDATE'))
ORDER BY 1 LIMIT 200
"""

CREATE_RIGHTS = f"""
{REACHABLE}
SELECT 'schema ' || n.nspname AS name FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_(temp|toast)'
  AND EXISTS (SELECT FROM reachable r WHERE has_schema_privilege(r.oid, n.oid, 'CREATE'))
UNION ALL
SELECT 'database ' || current_database()
WHERE EXISTS (SELECT FROM reachable r WHERE has_database_privilege(r.oid, current_database(), 'CREATE'))
ORDER BY 1 LIMIT 200
"""

OWNED = f"""
{REACHABLE}
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relowner IN (SELECT oid FROM reachable) AND n.nspname !~ '^pg_(temp|toast)'
UNION ALL
SELECT 'schema ' || nspname FROM pg_catalog.pg_namespace WHERE nspowner IN (SELECT oid FROM reachable)
UNION ALL
SELECT 'database ' || datname FROM pg_catalog.pg_database WHERE datdba IN (SELECT oid FROM reachable)
UNION ALL
SELECT 'function ' || p.proname FROM pg_catalog.pg_proc p WHERE p.proowner IN (SELECT oid FROM reachable)
ORDER BY 1 LIMIT 200
"""

READABLE_TABLES = """
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(temp|toast)'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
"""
