"""A PostgreSQL server that a test may stop, freeze and crowd, and pools over it without a catalog."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from config.embedded import SUPERUSER, make_password, pick_free_port, postgres_url
from config.embedded_servers import find_account, find_postgres_home, start_postgres
from config.processes import Child, ProcessSpec
from conftest import SHOP
from datasets.catalog import DatasetSpec
from datasets.connections import parse_dsn
from datasets.credentials import open_target, seal_dsn
from querying.pools import Pools

SETTINGS: Final = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "synchronous_commit": "off",
}
READER: Final = """
CREATE ROLE reader LOGIN PASSWORD '{password}';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
REVOKE TEMP ON DATABASE shop FROM PUBLIC;
"""
PGBOUNCER: Final = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin") or ""
OURS: Final = "application_name = 'mcp-analytics'"


class OwnServer:
    """Database `shop` with a role `reader`. About 2 s to make."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-faults-"))
        self.directory.chmod(0o711)
        self.port, self.password = pick_free_port(), make_password()
        self.child = self._start({})
        self.execute("CREATE DATABASE shop", database="postgres")
        self.execute(SHOP + READER.format(password=self.password))

    def start(self, **settings: str) -> None:
        """Nothing where it runs already. In the main thread: Linux stops it when the thread that started it ends."""
        if not self.child.running:
            self.child = self._start(settings)

    def _start(self, settings: dict[str, str]) -> Child:
        return start_postgres(
            self.directory,
            superuser_url=self.url(SUPERUSER, "postgres"),
            metadata_url=postgres_url("owner", make_password(), port=self.port, database="metadata"),
            log_path=self.directory / "postgres.log",
            settings=SETTINGS | settings,
        )

    def stop(self) -> None:
        self.child.stop()

    def restart(self, **settings: str) -> None:
        self.stop()
        self.start(**settings)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(find_postgres_home(self.directory, find_account()), ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, user: str = "reader", database: str = "shop") -> str:
        return postgres_url(user, self.password, port=self.port, database=database)

    def execute(self, script: str, *, database: str = "shop") -> None:
        with psycopg.connect(self.url(SUPERUSER, database), autocommit=True) as connection:
            connection.execute(script.encode())

    def fetch(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(SUPERUSER, database), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def backends(self, condition: str = "true") -> list[int]:
        """Process numbers of the gateway's connections here."""
        found = self.fetch(f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND {condition}")
        return [pid for (pid,) in found]

    def end_sessions(self) -> None:
        """What an earlier test cut off may take the server a second to notice."""
        self.fetch(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OURS}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As a machine that hangs: the kernel still takes connections, nobody answers them."""
        postmaster = psutil.Process(self.child.process.pid)
        stopped = [postmaster]
        postmaster.suspend()
        try:
            for process in postmaster.children(recursive=True):
                process.suspend()
                stopped.append(process)
            yield
        finally:
            for process in reversed(stopped):
                process.resume()

    @contextmanager
    def frozen_postmaster(self) -> Iterator[None]:
        """Connections that are open go on; a new one gets no answer."""
        with frozen(self.child.process.pid):
            yield


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def dataset_of(dsn: str, name: str = "shop") -> DatasetSpec:
    """What the pools need of a published dataset."""
    return DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id=parse_dsn(dsn, unix_sockets=False).connection_id,
        sealed_dsn=seal_dsn(dsn),
        name=name,
        title="",
        description="",
        dataset_type="",
        data_category="",
        tables=(),
    )


def datasets_on(server: OwnServer, count: int) -> list[DatasetSpec]:
    """Datasets with a pool each: roles of their own, as the connection string tells pools apart."""
    roles = [f"reader_{number}" for number in range(count)]
    existing = {name for (name,) in server.fetch("SELECT rolname FROM pg_roles")}
    for role in [role for role in roles if role not in existing]:
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{server.password}' IN ROLE reader")
    return [dataset_of(server.url(role), f"dataset {role}") for role in roles]


MakePools = Callable[..., Pools]


@asynccontextmanager
async def pools_made() -> AsyncIterator[MakePools]:
    made: list[Pools] = []

    def make(
        *, size: int = 6, budget: int = 40, acquire_timeout_ms: int = 5_000, query_timeout_ms: int = 20_000
    ) -> Pools:
        pools = Pools(
            open_target=open_target,
            size=size,
            budget=budget,
            acquire_timeout_ms=acquire_timeout_ms,
            query_timeout_ms=query_timeout_ms,
        )
        made.append(pools)
        return pools

    yield make
    for pools in made:
        await pools.close()


async def ask_pool(
    pools: Pools,
    dataset: DatasetSpec,
    sql: str = "SELECT pg_backend_pid()",
    *,
    caller: str = "ana",
    wait_s: float | None = None,
) -> Any:  # Any: whatever the statement gives
    async with pools.session(dataset, caller=caller, wait_s=wait_s) as session:
        return await session.connection.fetchval(sql)


async def settled(pools: Pools) -> None:
    """All connections that were given back are clean."""
    async with asyncio.timeout(10):
        while pools._turns.total_running:  # noqa: ASYNC110 - the pools have no event to wait for
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], object], *, within_s: float) -> float:
    """Seconds until the condition holds, asked in a thread."""
    start = time.monotonic()
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - nothing here has an event
            await asyncio.sleep(0.01)
    return time.monotonic() - start


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:  # Any: what it gives, or the error
    """What came of it, an error included, and the seconds that it took."""
    start = time.monotonic()
    result: Any = (await asyncio.gather(work, return_exceptions=True))[0]
    return result, time.monotonic() - start


def codes(results: Sequence[Any]) -> list[str]:  # Any: results and errors
    return [getattr(result, "code", "answered") for result in results]


class PgBouncer:
    """In front of an `OwnServer`: its database as `shop`, one server connection for each user."""

    def __init__(self, server: OwnServer, *, mode: str, extra: str = "") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-pgbouncer-"))
        self.directory.chmod(0o755)
        self.mode, self.port, self.password = mode, pick_free_port(), server.password
        (self.directory / "users.txt").write_text(f'"reader" "{server.password}"\n')
        (self.directory / "pgbouncer.ini").write_text(f"""
[databases]
shop = host=127.0.0.1 port={server.port} dbname=shop
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self.directory}/users.txt
pool_mode = {mode}
default_pool_size = 1
server_login_retry = 1
{extra}
""")
        self.child = Child(
            ProcessSpec(
                name="PgBouncer",
                command=(PGBOUNCER, str(self.directory / "pgbouncer.ini")),
                directory=self.directory,
                log_path=self.directory / "pgbouncer.log",
                environment={},
                account=find_account(),
            )
        )
        self.child.wait_until(self._is_ready, timeout_s=10)

    def _is_ready(self) -> bool:
        try:
            self.fetch("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def url(self) -> str:
        return postgres_url("reader", self.password, port=self.port, database="shop")

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """As another client of the pooler, who gets the same server connection."""
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=None) as connection:
            return connection.execute(statement.encode()).fetchall()

    def remove(self) -> None:
        self.child.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
