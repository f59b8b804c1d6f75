"""Where an embedded installation (a laptop, `make run`) keeps its servers' addresses and secrets.

Everything lies in one data directory. `manage.py quickstart` plans a `Runtime`, holds the directory's lock while it
runs and writes `runtime.json` there; every other process reads it. Read by settings at every start, so: no Django,
no server connection, standard library only.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import random
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

PROJECT_DIR = Path(__file__).resolve().parent.parent
RUNTIME_FILE = "runtime.json"
LOCK_FILE = "quickstart.lock"
PORTS_FILE = "ports.json"
SECRETS_DIR = "secrets"
# below the range from which systems pick the ports of outgoing connections, so that ours are free after a restart
PORTS = range(20_000, 32_000)
LOCK_PATIENCE_S = 1.0

METADATA_DATABASE = "mcp_analytics"
METADATA_ROLE = "mcp_analytics"
SUPERUSER = "postgres"


class EmbeddedError(RuntimeError):
    """The embedded installation cannot start or go on; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Runtime:
    """The addresses of one running product. URLs hold passwords, so none of them is printed."""

    supervisor_pid: int
    metadata_database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    web_url: str
    # the superuser on database postgres; "" where an external metadata database is used
    postgres_superuser_url: str = field(default="", repr=False)
    embeds_redis: bool = False

    @property
    def embeds_postgres(self) -> bool:
        return bool(self.postgres_superuser_url)


def data_dir() -> Path:
    """`DATA_DIR`, else `.data` in the project."""
    return Path(os.environ.get("DATA_DIR", "").strip() or PROJECT_DIR / ".data").expanduser().absolute()


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────────────────


def plan_runtime(directory: Path) -> Runtime:
    """What `quickstart` is going to start, with ports and secrets; starts and stops nothing."""
    prepare_directory(directory)
    _make_application_secrets(directory)
    superuser_url, metadata_url = _plan_postgres(directory)
    external_redis = read_variable("REDIS_URL")
    return Runtime(
        supervisor_pid=os.getpid(),
        metadata_database_url=metadata_url,
        redis_url=external_redis or _plan_redis(directory),
        web_url=_plan_web(),
        postgres_superuser_url=superuser_url,
        embeds_redis=not external_redis,
    )


def read_variable(name: str) -> str:
    """The environment variable, else the contents of the file that NAME_FILE names, else ""."""
    value = os.environ.get(name, "").strip()
    path = os.environ.get(f"{name}_FILE", "").strip()
    if value or not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EmbeddedError(f"{name}_FILE names a file that cannot be read: {error.strerror}.") from error


def prepare_directory(directory: Path) -> None:
    """The data directory, closed to others; root leaves it passable, since PostgreSQL runs as another user there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise EmbeddedError(
            f"The data directory {directory} cannot be used: {error.strerror}.",
            hint="Name another one in DATA_DIR, or start as the user who owns it.",
        ) from error


def _make_application_secrets(directory: Path) -> None:
    if not read_variable("SECRET_KEY"):
        load_or_create_secret(directory, "SECRET_KEY", lambda: secrets.token_urlsafe(50))
    if not read_variable("ENCRYPTION_KEY"):
        load_or_create_secret(directory, "ENCRYPTION_KEY", make_fernet_key)


def make_fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def make_password() -> str:
    # letters, digits, - and _ only: safe in URLs, in SQL literals and in redis.conf
    return secrets.token_urlsafe(24)


def _plan_postgres(directory: Path) -> tuple[str, str]:
    """The superuser's URL ("" with an external server) and the metadata database's."""
    external = read_variable("METADATA_DATABASE_URL")
    if external:
        return "", external
    port = _plan_port(directory, "postgres")
    superuser = load_or_create_secret(directory, "postgres_superuser_password", make_password)
    owner = load_or_create_secret(directory, "postgres_metadata_password", make_password)
    return (
        postgres_url(SUPERUSER, superuser, port=port, database="postgres"),
        postgres_url(METADATA_ROLE, owner, port=port, database=METADATA_DATABASE),
    )


def postgres_url(user: str, password: str, *, port: int, database: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"


def _plan_redis(directory: Path) -> str:
    password = load_or_create_secret(directory, "redis_password", make_password)
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{_plan_port(directory, 'redis')}/0"


def _plan_web() -> str:
    host = os.environ.get("HOST", "").strip() or "127.0.0.1"
    port = os.environ.get("PORT", "").strip() or "8000"
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise EmbeddedError(f"PORT is {port!r}, which is not a port.", hint="A number from 1 to 65535.")
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


# ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan_port(directory: Path, server: str) -> int:
    # a kept port is not tried here: our own server of the last run may still be leaving it (see `quickstart`)
    return _read_ports(directory).get(server) or pick_free_port()


def pick_free_port() -> int:
    for port in random.sample(PORTS, k=200):
        if is_port_free(port):
            return port
    raise EmbeddedError(f"No free port was found between {PORTS.start} and {PORTS.stop}.")


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as the servers do, or a port that closed a second ago would look taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def _read_ports(directory: Path) -> dict[str, int]:
    try:
        found = json.loads((directory / PORTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(server): int(port) for server, port in found.items()}


def keep_port(directory: Path, server: str, port: int) -> None:
    """Remember the port, so that the next start uses it again."""
    ports = _read_ports(directory)
    if ports.get(server) != port:
        write_privately(directory / PORTS_FILE, json.dumps({**ports, server: port}))


# ── the running one ──────────────────────────────────────────────────────────────────────────────────────────


def read_runtime(directory: Path) -> Runtime | None:
    """The product that runs on this data directory now; None without one, also after its supervisor was killed."""
    try:
        document = json.loads((directory / RUNTIME_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # the kernel drops the lock with its holder, so unlike a process id it cannot be mistaken for another's
    return Runtime(**document) if _is_locked(directory) else None


def write_runtime(directory: Path, runtime: Runtime) -> None:
    write_privately(directory / RUNTIME_FILE, json.dumps(asdict(runtime), indent=1))


def remove_runtime(directory: Path) -> None:
    (directory / RUNTIME_FILE).unlink(missing_ok=True)


def _is_locked(directory: Path) -> bool:
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def hold_directory(directory: Path) -> Iterator[None]:
    """The data directory's lock, for as long as the supervisor lives; refused while another holds it."""
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_patiently(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock_patiently(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # a command that only looks whether we run (_is_locked) holds the lock for a moment
            if time.monotonic() > deadline:
                running = read_runtime(directory)
                place = f" at {running.web_url} (process {running.supervisor_pid})" if running else ""
                raise EmbeddedError(
                    f"The product already runs on {directory}{place}.",
                    hint="Use that one, stop it first, or name another directory in DATA_DIR and another PORT.",
                ) from None
        time.sleep(0.05)


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────


def read_secret(directory: Path, name: str) -> str | None:
    try:
        return (directory / SECRETS_DIR / name).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EmbeddedError(
            f"The secret {name} in {directory} cannot be read: {error.strerror}.",
            hint="Run the command as the user who runs `make run`.",
        ) from error


def load_or_create_secret(directory: Path, name: str, make: Callable[[], str]) -> str:
    """The secret kept under `name`, made at the first call; two that make it at once get the same one."""
    kept = read_secret(directory, name)
    if kept is not None:
        return kept
    folder = directory / SECRETS_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with _private_file(folder) as temporary:
        temporary.write_text(make(), encoding="utf-8")
        try:
            os.link(temporary, folder / name)  # unlike a rename it never replaces the one somebody else just made
        except FileExistsError:
            if not (folder / name).read_text(encoding="utf-8").strip():
                temporary.replace(folder / name)  # an empty file is what a full disk leaves
    return read_secret(directory, name) or ""


def write_privately(path: Path, text: str) -> None:
    """Replaces the file in one step, readable by its owner only."""
    with _private_file(path.parent) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


@contextmanager
def _private_file(folder: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-")  # mode 0600
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
