"""Children end with their supervisor, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from config.embedded import PROJECT_DIR, EmbeddedError
from config.processes import Child, ProcessSpec, stop_leftovers, stop_marked, tail

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
PARENT = """
import sys, time
from pathlib import Path
from config.processes import Child, ProcessSpec
here = Path(sys.argv[1])
child = Child(ProcessSpec("sleeper", (sys.executable, "-c", "import time; time.sleep(60)"), here, here / "log", {}))
print(child.process.pid, flush=True)
time.sleep(60)
"""


def describe(directory: Path, *command: str, **environment: str) -> ProcessSpec:
    return ProcessSpec("sleeper", command, directory, directory / "sleeper.log", environment, stop_timeout_s=0.5)


def eventually(holds: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_stop_ends_a_child_that_ignores_its_signal_and_its_own_children(tmp_path: Path) -> None:
    script = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen({SLEEP!r}).pid, flush=True)
time.sleep(60)
"""
    child = Child(describe(tmp_path, sys.executable, "-c", script))
    assert eventually(lambda: (tmp_path / "sleeper.log").read_text().strip().isdigit())
    grandchild = int((tmp_path / "sleeper.log").read_text())

    child.stop()

    assert not child.running
    assert eventually(lambda: is_gone(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_child_ends_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, cwd=PROJECT_DIR)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert eventually(lambda: is_gone(child))


def test_child_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child(describe(tmp_path, sys.executable, "-c", "print('no such key'); raise SystemExit(3)"))

    with pytest.raises(EmbeddedError, match="ended with exit code 3 before it was ready") as failure:
        child.wait_until(lambda: False, timeout_s=5)

    assert "no such key" in failure.value.hint


def test_leftover_is_found_by_name_and_directory_only(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "other").mkdir()
    ours = subprocess.Popen(SLEEP, cwd=tmp_path / "ours")
    other = subprocess.Popen(SLEEP, cwd=tmp_path / "other")

    stopped = stop_leftovers("python", tmp_path / "ours", signal.SIGTERM)

    assert stopped == 1
    assert ours.poll() is not None
    assert other.poll() is None
    other.kill()
    other.wait()


def test_marked_processes_of_a_dead_supervisor_are_stopped_and_no_others(tmp_path: Path) -> None:
    ours = subprocess.Popen(SLEEP, env={**os.environ, "TEST_MARK": str(tmp_path)})
    other = subprocess.Popen(SLEEP, env={**os.environ, "TEST_MARK": f"{tmp_path}-other"})

    stopped = stop_marked("TEST_MARK", str(tmp_path))

    assert stopped == 1
    assert ours.poll() is not None
    assert other.poll() is None
    other.kill()
    other.wait()


def test_tail_shows_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))

    assert tail(log, lines=2) == "line 9998\nline 9999"
