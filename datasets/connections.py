"""Connection strings and the one way a connection to a registered database is opened.

Used by preflight, profiling and pools. Knows asyncpg, not Django. A password lives in `ConnectionTarget` only,
which never prints it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from config.errors import (
    DsnInvalid,
    PreflightError,
    SourceDatabaseMissing,
    SourceDnsFailed,
    SourceFull,
    SourceNotPostgresql,
    SourcePasswordRejected,
    SourceTlsRefused,
    SourceUnreachable,
)

CONNECT_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 2.5
NEWEST_SETTING = (14,)  # the version that brought client_connection_check_interval
SSL_REQUEST = struct.pack("!ll", 8, 80877103)

# parameters that providers put into the strings they hand out and that change nothing here
IGNORED_PARAMETERS = frozenset({"application_name", "connect_timeout", "gssencmode", "keepalives", "keepalives_idle"})
KNOWN_PARAMETERS = IGNORED_PARAMETERS | {"channel_binding", "sslmode", "target_session_attrs"}
KEYWORDS = {"host", "port", "dbname", "user", "password"}


class SslMode(StrEnum):
    """libpq's modes; `prefer` is its default and ours."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """A parsed connection string. `host` is a name, an address, or (embedded mode only) a socket's directory."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    sslmode: SslMode = SslMode.PREFER

    @property
    def connection_id(self) -> str:
        """Changes when anything of the connection changes; tells nothing about the password without the host's rest."""
        parts = (self.host, str(self.port), self.database, self.username, self.password, self.sslmode)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def parse_dsn(dsn: str, *, unix_sockets: bool) -> ConnectionTarget:
    """The target that a `postgresql://` URL or libpq keywords name, or `DsnInvalid` that says what is wrong."""
    text = dsn.strip()
    if "\0" in text or "\n" in text:
        raise DsnInvalid("The connection string holds a line break or a NUL character.")
    if re.match(r"^postgres(ql)?://", text):
        fields, parameters = _split_url(text)
    elif "://" not in text and "=" in text:
        fields, parameters = _split_keywords(text)
    else:
        raise DsnInvalid("The connection string does not start with postgresql://.")
    return _build_target(fields, parameters, unix_sockets=unix_sockets)


def _split_url(text: str) -> tuple[dict[str, str], dict[str, str]]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise DsnInvalid(
            "The connection string cannot be read.",
            hint="One host and one port; write @ : / ? # in the password as %40 %3A %2F %3F %23.",
        ) from error
    if parts.fragment:
        raise DsnInvalid("The connection string holds a '#'.", hint="Write # in the password as %23.")
    fields = {
        "host": unquote(parts.hostname or ""),
        "port": "" if port is None else str(port),
        "dbname": unquote(parts.path.removeprefix("/")),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    if "," in parts.netloc.rpartition("@")[2]:
        raise DsnInvalid("The connection string names several hosts.", hint="Name one host.")
    return fields, dict(parse_qsl(parts.query, keep_blank_values=True))


KEYWORD_PAIR = re.compile(r"\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']*)\s*")


def _split_keywords(text: str) -> tuple[dict[str, str], dict[str, str]]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        pair = KEYWORD_PAIR.match(text, position)
        if pair is None:
            raise DsnInvalid("The connection string cannot be read as keyword=value pairs.")
        name, value = pair.groups()
        found[name] = re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
        position = pair.end()
    return (
        {name: found.get(name, "") for name in KEYWORDS},
        {name: value for name, value in found.items() if name not in KEYWORDS},
    )


def _build_target(fields: Mapping[str, str], parameters: Mapping[str, str], *, unix_sockets: bool) -> ConnectionTarget:
    unknown = sorted(set(parameters) - KNOWN_PARAMETERS)
    if unknown:
        raise DsnInvalid(
            # a piece of a password with a "?" in it must not be repeated
            f"The connection string has parameters that are not used here{_named(unknown)}.",
            hint="Remove them, and write ? in a password as %3F. Of the parameters only sslmode is read; no service or "
            "key files, no options.",
        )
    if parameters.get("channel_binding", "prefer") == "require":
        raise DsnInvalid(
            "channel_binding=require is not supported.", hint="Remove it; use sslmode=verify-full instead."
        )
    if parameters.get("target_session_attrs", "any") not in {"any", "read-only", "prefer-standby", "standby"}:
        raise DsnInvalid("target_session_attrs asks for a server that may write.", hint="Remove it.")
    host = fields["host"]
    if "," in host:
        raise DsnInvalid("The connection string names several hosts.", hint="Name one host.")
    if host.startswith(("/", "@")) and not unix_sockets:
        raise DsnInvalid("The host is a unix socket, which works in embedded mode only.", hint="Name a host.")
    missing = [word for name, word in (("host", "host"), ("dbname", "database"), ("user", "user")) if not fields[name]]
    if missing:
        raise DsnInvalid(f"The connection string names no {' and no '.join(missing)}.")
    port = fields["port"] or "5432"
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise DsnInvalid(f"{port!r} is not a port.", hint="One port from 1 to 65535.")
    mode = parameters.get("sslmode", SslMode.PREFER)
    if mode not in set(SslMode):
        raise DsnInvalid(f"{mode!r} is not an sslmode.", hint=f"One of {', '.join(SslMode)}.")
    return ConnectionTarget(
        host=host,
        port=int(port),
        database=fields["dbname"],
        username=fields["user"],
        password=fields["password"],
        sslmode=SslMode(mode),
    )


def _named(parameters: Sequence[str]) -> str:
    known = [name for name in parameters if re.fullmatch(r"[a-z_]+", name)]
    return f": {', '.join(known)}" if len(known) == len(parameters) else ""


async def open_connection(
    target: ConnectionTarget,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    server_settings: Mapping[str, str] | None = None,
) -> asyncpg.Connection:
    """One connection, or the `PreflightError` that says why there is none; never longer than `timeout_s`."""
    try:
        return await _connect(target, timeout_s=timeout_s, server_settings=server_settings or {})
    except Exception as error:  # every cause is translated; none may carry the password outwards
        raise _translate(error, target) from None


async def open_session(
    target: ConnectionTarget, settings: Mapping[str, str], *, timeout_s: float = CONNECT_TIMEOUT_S
) -> tuple[asyncpg.Connection, Mapping[str, str]]:
    """One connection that starts with these settings, and those that must be set in each transaction instead.

    PgBouncer takes no such settings at the start, or drops them without a word where it was told to ignore them;
    PostgreSQL before 14 does not know all of them.
    """
    known = dict(settings)
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(2):
                try:
                    connection = await _connect(target, timeout_s=timeout_s, server_settings=known)
                    if await _took(connection, known):
                        return connection, {}
                    connection.terminate()
                    break
                except asyncpg.UndefinedObjectError:
                    known = without_newer(known)
                except asyncpg.ProtocolViolationError:
                    break
            connection = await _connect(
                target,
                timeout_s=timeout_s,
                server_settings={},
                statement_cache_size=0,
                connection_class=PooledConnection,
            )
    except Exception as error:  # as above
        raise _translate(error, target) from None
    return connection, settings if connection.get_server_version() >= NEWEST_SETTING else without_newer(settings)


async def _took(connection: asyncpg.Connection, settings: Mapping[str, str]) -> bool:
    """Whether it began with these settings; one round trip that leaves nothing behind in a pooler's session."""
    value = settings["search_path"].replace("'", "''")
    try:
        return bool(
            await connection.execute(f"SELECT WHERE pg_catalog.current_setting('search_path') = '{value}'")
            == "SELECT 1"
        )
    except BaseException:
        connection.terminate()
        raise


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A pooler gives the session behind it to others: a named statement would stay there, and names collide."""

    def _get_unique_id(self, prefix: str) -> str:
        # asyncpg names a cursor's statement even without a cache; the portal keeps its name until the transaction ends
        return "" if prefix == "stmt" else str(super()._get_unique_id(prefix))


def set_locally(settings: Mapping[str, str]) -> str:
    """The same settings for one transaction, for a pooler or an old server that takes none at the start."""
    return "".join(f"; SET LOCAL {name} = '{value}'" for name, value in settings.items())


def without_newer(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name != "client_connection_check_interval"}


async def _connect(
    target: ConnectionTarget,
    *,
    timeout_s: float,
    server_settings: Mapping[str, str],
    **options: Any,  # Any: options of asyncpg.connect
) -> asyncpg.Connection:
    last: Exception | None = None
    async with asyncio.timeout(timeout_s):
        for context in _tls_attempts(target.sslmode):
            try:
                return await asyncpg.connect(
                    host=target.host,
                    port=target.port,
                    database=target.database,
                    user=target.username,
                    # "" and not None, or asyncpg would look into PGPASSWORD and ~/.pgpass
                    password=target.password,
                    ssl=context,
                    target_session_attrs="any",
                    server_settings={"application_name": "mcp-analytics", **server_settings},
                    timeout=timeout_s,
                    **options,
                )
            except (ConnectionError, asyncpg.InvalidAuthorizationSpecificationError) as error:
                last = error
    assert last is not None
    raise last


def _tls_attempts(mode: SslMode) -> tuple[ssl.SSLContext | bool, ...]:
    if mode is SslMode.DISABLE:
        return (False,)
    context = ssl.create_default_context()
    if mode is not SslMode.VERIFY_FULL:
        context.check_hostname = False
    if mode not in {SslMode.VERIFY_FULL, SslMode.VERIFY_CA}:
        context.verify_mode = ssl.CERT_NONE
    if mode is SslMode.PREFER:
        return context, False
    return (False, context) if mode is SslMode.ALLOW else (context,)


def _translate(error: Exception, target: ConnectionTarget) -> PreflightError:
    place = f"{target.host}:{target.port}"
    if isinstance(error, PreflightError):
        return error
    if isinstance(error, socket.gaierror | UnicodeError):
        return SourceDnsFailed(f"The host name {target.host} cannot be resolved.")
    if isinstance(error, asyncpg.InvalidPasswordError):
        return SourcePasswordRejected(f"{place} rejected the password of user {target.username}.")
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        text = str(error)
        if "no encryption" in text or "SSL off" in text:
            return SourceTlsRefused(f"{place} admits this user over TLS only.", hint="Add sslmode=require.")
        return SourcePasswordRejected(f"{place} does not admit user {target.username} to {target.database}.")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return SourceDatabaseMissing(f"There is no database {target.database} at {place}.")
    if isinstance(error, ssl.SSLError):
        return SourceTlsRefused(f"TLS with {place} failed: {error.reason or 'handshake refused'}.")
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        return SourceTlsRefused(f"{place} does not offer TLS, which sslmode={target.sslmode} asks for.")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return SourcePasswordRejected(f"User {target.username} may not connect to {target.database} at {place}.")
    if isinstance(error, asyncpg.TooManyConnectionsError | asyncpg.CannotConnectNowError):
        return SourceFull(f"{place} takes no connections at the moment.", hint="Try again in a minute.")
    if isinstance(error, asyncpg.InternalClientError | asyncpg.ProtocolViolationError):
        return SourceNotPostgresql(f"{place} does not answer as PostgreSQL does.")
    return SourceUnreachable(f"{place} cannot be reached.")


async def probe_server(target: ConnectionTarget, *, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether the server at host:port offers TLS, asked in eight bytes; raises where it is not PostgreSQL.

    Without it a connection string that points at Redis or HTTP would hang until the connect timeout.
    """
    if target.host.startswith(("/", "@")):
        return False
    connected = False
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(target.host, target.port)
            connected = True
            try:
                writer.write(SSL_REQUEST)
                answer = await reader.read(1)
            finally:
                writer.close()
    except (TimeoutError, OSError, UnicodeError) as error:
        if connected:
            raise SourceNotPostgresql(
                f"Something at {target.host}:{target.port} accepts connections but does not answer as PostgreSQL."
            ) from None
        raise _translate(error, target) from None
    if answer not in {b"S", b"N"}:
        raise SourceNotPostgresql(f"{target.host}:{target.port} does not answer as PostgreSQL does.")
    return answer == b"S"
