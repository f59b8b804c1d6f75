"""The embedded servers start again after whatever happened to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config import embedded
from config.embedded import EmbeddedError, Runtime
from config.embedded_servers import find_account, find_postgres_home, start_postgres, start_redis, stop_leftover_servers
from config.processes import Child, find_processes


@dataclass
class Installation:
    """A data directory of its own, with whatever a test starts in it."""

    directory: Path
    runtime: Runtime

    @property
    def postgres_home(self) -> Path:
        return find_postgres_home(self.directory, find_account())

    def start_postgres(self) -> Child:
        return start_postgres(
            self.directory,
            superuser_url=self.runtime.postgres_superuser_url,
            metadata_url=self.runtime.metadata_database_url,
            log_path=self.directory / "postgres.log",
        )

    def start_redis(self) -> Child:
        return start_redis(self.directory, url=self.runtime.redis_url, log_path=self.directory / "redis.log")

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.runtime.metadata_database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def make_installation(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name in ("METADATA_DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name)
    embedded.prepare_directory(directory)
    return Installation(directory, embedded.plan_runtime(directory))


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    # not tmp_path: pytest closes its parent to the account that PostgreSQL runs as under root
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-servers-"))
    yield make_installation(directory, monkeypatch)
    stop_leftover_servers(directory)
    shutil.rmtree(directory)


def test_servers_ask_for_a_password(installation: Installation) -> None:
    server, queue = installation.start_postgres(), installation.start_redis()
    port = redis.Redis.from_url(installation.runtime.redis_url).connection_pool.connection_kwargs["port"]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(installation.runtime.postgres_superuser_url, password="guessed")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()

    server.stop()
    queue.stop()


def test_passwords_are_on_no_command_line(installation: Installation) -> None:
    children = [installation.start_postgres(), installation.start_redis()]
    secrets = [path.read_text() for path in (installation.directory / "secrets").iterdir()]

    shown = [" ".join(psutil.Process(child.process.pid).cmdline()) for child in children]

    assert not [secret for secret in secrets for line in shown if secret in line]
    for child in children:
        child.stop()


def test_metadata_role_owns_its_database_and_nothing_else(installation: Installation) -> None:
    server = installation.start_postgres()

    answer = installation.query(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, "
        "(SELECT array_agg(datname::text) FROM pg_database WHERE datdba = r.oid) "
        "FROM pg_roles r WHERE rolname = current_user"
    )

    assert answer == [(False, False, False, ["mcp_analytics"])]
    server.stop()


def test_restart_keeps_data(installation: Installation) -> None:
    server = installation.start_postgres()
    installation.query("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()

    server = installation.start_postgres()

    assert installation.query("SELECT n FROM kept") == [(7,)]
    server.stop()


def test_restart_after_kill_nine_of_every_process_keeps_data(installation: Installation) -> None:
    server = installation.start_postgres()
    installation.query("CREATE TABLE kept AS SELECT 7 AS n")
    for process in find_processes("postgres", installation.postgres_home / "data"):
        with contextlib.suppress(psutil.NoSuchProcess):  # some end with the others
            process.kill()
    server.process.wait()

    server = installation.start_postgres()

    assert installation.query("SELECT n FROM kept") == [(7,)]
    server.stop()


def test_start_survives_a_process_id_that_belongs_to_somebody_else_now(installation: Installation) -> None:
    server = installation.start_postgres()
    pid_file = installation.postgres_home / "data" / "postmaster.pid"
    stale = pid_file.read_text().replace(str(server.process.pid), "{pid}", 1)
    server.stop()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pid_file.write_text(stale.format(pid=bystander.pid))

    server = installation.start_postgres()

    assert installation.query("SELECT 1") == [(1,)]
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    server.stop()


def test_servers_that_outlived_their_supervisor_are_replaced(installation: Installation) -> None:
    orphan, orphaned_queue = installation.start_postgres(), installation.start_redis()
    installation.query("CREATE TABLE kept AS SELECT 7 AS n")

    server, queue = installation.start_postgres(), installation.start_redis()

    assert not orphan.running
    assert not orphaned_queue.running
    assert installation.query("SELECT n FROM kept") == [(7,)]
    server.stop()
    queue.stop()


def test_cluster_that_was_never_finished_is_made_again(installation: Installation) -> None:
    home = installation.postgres_home
    (home / "data.new" / "base").mkdir(parents=True)
    (home / "data.new" / "PG_VERSION").write_text("18\n")

    server = installation.start_postgres()

    assert installation.query("SELECT 1") == [(1,)]
    server.stop()


def test_data_of_another_major_version_is_refused_with_a_way_out(installation: Installation) -> None:
    cluster = installation.postgres_home / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 17") as refusal:
        installation.start_postgres()

    assert "pg_dumpall" in refusal.value.hint


def test_start_that_fails_shows_the_end_of_the_log(installation: Installation) -> None:
    installation.start_postgres().stop()
    (installation.postgres_home / "data" / "postgresql.auto.conf").write_text("no_such_setting = on\n")

    with pytest.raises(EmbeddedError, match="PostgreSQL ended") as failure:
        installation.start_postgres()

    assert "no_such_setting" in failure.value.hint


def test_queued_jobs_survive_kill_nine(installation: Installation) -> None:
    queue = installation.start_redis()
    redis.Redis.from_url(installation.runtime.redis_url).rpush("jobs", "one", "two")
    queue.process.send_signal(signal.SIGKILL)
    queue.process.wait()

    queue = installation.start_redis()

    assert redis.Redis.from_url(installation.runtime.redis_url).lrange("jobs", 0, -1) == [b"one", b"two"]
    queue.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_data_directory_below_a_closed_one_works_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(tempfile.mkdtemp(prefix="mcp-analytics-closed-"))  # 0700, as /root is
    installation = make_installation(closed / "project" / "a directory", monkeypatch)

    server = installation.start_postgres()

    home = installation.postgres_home
    assert installation.query("SELECT 1") == [(1,)]
    assert not home.is_relative_to(closed)
    assert home.with_suffix(".for").read_text().strip() == str(installation.directory)
    server.stop()
    shutil.rmtree(home)
    home.with_suffix(".for").unlink()
    shutil.rmtree(closed)
