"""Child processes that cannot outlive this one, and the search for those that did all the same."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.embedded import EmbeddedError

PR_SET_PDEATHSIG = 1
LOG_LINES = 15
LOG_LIMIT_BYTES = 10_000_000
# loaded here: between fork and exec a child must not load libraries
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The system user that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessSpec:
    """How to start a child and how to ask it to stop."""

    name: str
    command: tuple[str, ...]
    directory: Path
    log_path: Path
    environment: Mapping[str, str] = field(repr=False)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


class Child:
    """A started process, the leader of its own process group: a terminal's Ctrl-C reaches the supervisor only."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.started_at = time.monotonic()
        self.process = _spawn(spec)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.poll()
        if code is None:
            return "is running"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def stop(self) -> None:
        """Ask, wait, then kill what is left of its group."""
        self.request_stop()
        self.finish_stop()

    def request_stop(self) -> None:
        if self.running:
            self.process.send_signal(self.spec.stop_signal)

    def finish_stop(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=self.spec.stop_timeout_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return once it is ready; stop it and say why where it ends first or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise EmbeddedError(f"{self.spec.name} {self.ending} before it was ready.", hint=self.last_words())
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"{self.spec.name} was not ready within {timeout_s:.0f} s.", hint=self.last_words())
            time.sleep(0.02)

    def last_words(self) -> str:
        """The last lines of its log, for a message."""
        return f"The end of {self.spec.log_path}:\n{tail(self.spec.log_path)}"


def _spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    _cut_log(spec.log_path)
    descriptor = os.open(spec.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    account = spec.account
    try:
        return subprocess.Popen(
            spec.command,
            cwd=spec.directory,
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_make_leash(spec.stop_signal),
        )
    finally:
        os.close(descriptor)


def _make_leash(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Linux sends the child its stop signal when the supervisor dies, be it by kill -9."""
    if LIBC is None:
        return None
    prctl, supervisor = LIBC.prctl, os.getpid()

    def leash() -> None:
        prctl(PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != supervisor:  # it died between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return leash


def _cut_log(path: Path) -> None:
    """Keep one earlier file: a laptop has no logrotate."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".old.log"))


def tail(path: Path, *, lines: int = LOG_LINES) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:]) or "(it is empty)"
    except OSError as error:
        return f"({error.strerror})"


# ── leftovers ────────────────────────────────────────────────────────────────────────────────────────────────


def find_processes(program: str, directory: Path) -> list[psutil.Process]:
    """Processes called `program` that work in `directory`: a process id in a file may be somebody else's by now."""
    resolved = directory.resolve()
    return [process for process in psutil.process_iter() if _works_in(process, program, resolved)]


def _works_in(process: psutil.Process, program: str, directory: Path) -> bool:
    try:
        return process.name().startswith(program) and Path(process.cwd()) == directory
    except (psutil.Error, OSError):
        return False  # gone meanwhile, or another user's


def stop_leftovers(program: str, directory: Path, stop_signal: signal.Signals, *, timeout_s: float = 10.0) -> int:
    """Stop the servers that an earlier supervisor could not; returns how many processes there were."""
    found = find_processes(program, directory)
    members = {process.pid for process in found}
    for process in found:
        with contextlib.suppress(psutil.Error):
            if process.ppid() not in members:  # the leader stops its own helpers
                process.send_signal(stop_signal)
    _kill_slow(found, timeout_s)
    return len(found)


def stop_marked(variable: str, value: str, *, timeout_s: float = 6.0) -> int:
    """Stop this user's processes that carry the environment variable with this value; returns how many there were."""
    found = [process for process in psutil.process_iter() if _is_marked(process, variable, value)]
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _kill_slow(found, timeout_s)
    return len(found)


def _is_marked(process: psutil.Process, variable: str, value: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(variable) == value
    except (psutil.Error, OSError):
        return False


def _kill_slow(processes: list[psutil.Process], timeout_s: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=timeout_s)
