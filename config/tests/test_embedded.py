"""The data directory: secrets, ports, the lock, and who runs on it."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config import embedded
from config.embedded import EmbeddedError, Runtime

HOLD = """
import sys, time
from pathlib import Path
from config import embedded
directory = Path(sys.argv[1])
runtime = embedded.plan_runtime(directory)
with embedded.hold_directory(directory):
    embedded.write_runtime(directory, runtime)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY", "PORT", "HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


def hold_in_another_process(directory: Path) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdout=subprocess.PIPE, cwd=embedded.PROJECT_DIR
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_plan_makes_secrets_once_and_only_their_owner_reads_them(directory: Path) -> None:
    first = embedded.plan_runtime(directory)
    keys = [embedded.read_secret(directory, name) for name in ("SECRET_KEY", "ENCRYPTION_KEY")]

    second = embedded.plan_runtime(directory)

    assert keys == [embedded.read_secret(directory, name) for name in ("SECRET_KEY", "ENCRYPTION_KEY")]
    assert first.metadata_database_url.rpartition("@")[0] == second.metadata_database_url.rpartition("@")[0]
    assert mode(directory / "secrets") == 0o700
    assert {mode(path) for path in (directory / "secrets").iterdir()} == {0o600}
    assert Fernet(keys[1] or "")


def test_plan_reuses_the_ports_of_the_last_start(directory: Path) -> None:
    embedded.prepare_directory(directory)
    embedded.keep_port(directory, "postgres", 23_456)
    embedded.keep_port(directory, "redis", 23_457)

    runtime = embedded.plan_runtime(directory)

    assert ":23456/" in runtime.postgres_superuser_url
    assert ":23457/" in runtime.redis_url


def test_plan_embeds_nothing_that_the_environment_names(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password_file = directory.with_name("redis-url")
    password_file.write_text("redis://:secret@redis.example:6379/0\n")
    monkeypatch.setenv("METADATA_DATABASE_URL", "postgresql://u:p@db.example/meta")
    monkeypatch.setenv("REDIS_URL_FILE", str(password_file))

    runtime = embedded.plan_runtime(directory)

    assert runtime.metadata_database_url == "postgresql://u:p@db.example/meta"
    assert runtime.redis_url == "redis://:secret@redis.example:6379/0"
    assert not runtime.embeds_postgres
    assert not runtime.embeds_redis


def test_plan_makes_no_secret_that_the_environment_gives(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "given")

    embedded.plan_runtime(directory)

    assert embedded.read_secret(directory, "ENCRYPTION_KEY") is None


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_plan_refuses_a_port_that_is_none(directory: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)

    with pytest.raises(EmbeddedError, match="not a port"):
        embedded.plan_runtime(directory)


def test_web_url_shows_an_address_that_a_browser_can_use(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", "8123")

    assert embedded.plan_runtime(directory).web_url == "http://127.0.0.1:8123"


def test_passwords_are_not_printed(directory: Path) -> None:
    runtime = embedded.plan_runtime(directory)

    assert "postgresql://" not in repr(runtime)
    assert "redis://" not in repr(runtime)


def test_nothing_runs_on_a_directory_that_does_not_exist(directory: Path) -> None:
    assert embedded.read_runtime(directory) is None


def test_runtime_is_found_while_its_supervisor_lives_and_not_after_kill_nine(directory: Path) -> None:
    holder = hold_in_another_process(directory)
    running = embedded.read_runtime(directory)
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert running is not None
    assert running.supervisor_pid == holder.pid
    assert (directory / "runtime.json").exists()
    assert embedded.read_runtime(directory) is None


def test_second_supervisor_is_refused_and_told_where_the_first_one_is(directory: Path) -> None:
    holder = hold_in_another_process(directory)

    with (
        pytest.raises(EmbeddedError, match=rf"127\.0\.0\.1:8000 \(process {holder.pid}\)") as refusal,
        embedded.hold_directory(directory),
    ):
        pass

    assert "DATA_DIR" in refusal.value.hint
    holder.kill()
    holder.wait()


def test_looking_for_a_running_one_does_not_keep_the_next_from_starting(directory: Path) -> None:
    embedded.write_runtime(directory, embedded.plan_runtime(directory))
    (directory / "quickstart.lock").touch()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            embedded.read_runtime(directory)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(20):
            with embedded.hold_directory(directory):
                pass
    finally:
        done.set()
        watcher.join()


def test_runtime_file_survives_a_round_trip_and_is_private(directory: Path) -> None:
    directory.mkdir()
    runtime = Runtime(1, "postgresql://a", "redis://b", "http://c", "postgresql://d", embeds_redis=True)

    with embedded.hold_directory(directory):
        embedded.write_runtime(directory, runtime)
        # another descriptor of this same process: flock belongs to the open file, so it sees the lock too
        found = embedded.read_runtime(directory)

    assert found == runtime
    assert mode(directory / "runtime.json") == 0o600


def test_two_that_make_a_secret_at_once_get_the_same_one(directory: Path) -> None:
    start = threading.Barrier(8)
    got: list[str] = []

    def ask() -> None:
        start.wait()
        got.append(embedded.load_or_create_secret(directory, "shared", embedded.make_password))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(got)) == 1
    assert [path.name for path in (directory / "secrets").iterdir()] == ["shared"]


def test_empty_secret_file_left_by_a_full_disk_is_made_again(directory: Path) -> None:
    (directory / "secrets").mkdir(parents=True)
    (directory / "secrets" / "name").touch()

    assert embedded.load_or_create_secret(directory, "name", lambda: "made") == "made"


def test_port_in_use_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not embedded.is_port_free(listener.getsockname()[1])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_data_directory_of_somebody_else_is_refused_with_a_hint() -> None:
    with pytest.raises(EmbeddedError) as refusal:
        embedded.prepare_directory(Path("/not-ours/data"))

    assert "DATA_DIR" in refusal.value.hint
