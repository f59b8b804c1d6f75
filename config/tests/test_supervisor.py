"""A child that dies runs again; one that keeps dying stops everything, with its last words."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from config.embedded import EmbeddedError
from config.processes import Child, ProcessSpec
from config.supervisor import Supervisor


def start(directory: Path, name: str, script: str) -> Child:
    return Child(ProcessSpec(name, (sys.executable, "-c", script), directory, directory / f"{name}.log", {}))


def nobody() -> None:
    """Nobody asks for a stop."""


SLEEP = "import time; time.sleep(60)"


def test_child_that_is_killed_runs_again(tmp_path: Path) -> None:
    said: list[str] = []
    started: list[Child] = []

    def start_sleeper() -> Child:
        started.append(start(tmp_path, "sleeper", SLEEP))
        return started[-1]

    supervisor = Supervisor(said.append, interrupt=nobody)
    supervisor.add("sleeper", start_sleeper, stage=0)
    os.kill(started[0].process.pid, signal.SIGKILL)

    came_back = supervisor.wait_until(lambda: len(started) == 2 and started[1].running, timeout_s=10)

    assert came_back
    assert "sleeper was killed by SIGKILL; it is started again" in said[0]
    assert said[1] == "sleeper runs again"
    supervisor.stop()
    assert not started[1].running


def test_child_that_keeps_dying_stops_everything_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.supervisor.FIRST_PAUSE_S", 0.01)
    supervisor = Supervisor(lambda text: None, interrupt=nobody)
    supervisor.add("broken", lambda: start(tmp_path, "broken", "raise SystemExit('no such module')"), stage=0)

    with pytest.raises(EmbeddedError, match=r"broken ended with exit code 1, 3 times within 60 s") as failure:
        supervisor.watch()

    assert "no such module" in failure.value.hint


def test_programs_stop_before_the_servers_they_use(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "def end(number, frame):\n"
        "    print('stopped', time.monotonic_ns(), flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    supervisor = Supervisor(lambda text: None, interrupt=nobody)
    supervisor.add("server", lambda: start(tmp_path, "server", script), stage=0)
    supervisor.add("program", lambda: start(tmp_path, "program", script), stage=1)
    logs = [tmp_path / "program.log", tmp_path / "server.log"]
    assert supervisor.wait_until(lambda: all("up" in log.read_text() for log in logs), timeout_s=10)

    supervisor.stop()

    program, server = (int(log.read_text().split()[-1]) for log in logs)
    assert program < server
