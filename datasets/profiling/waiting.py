"""Wait for a profiling run that a worker does."""

from __future__ import annotations

import time

from config.errors import ProfilingFailed
from datasets.lifecycle import Status
from datasets.models import ProfilingRun

WAIT_S = 150
POLL_S = 0.2
PROBE_WAIT_S = 60.0


def wait_for_run(run_id: int, *, wait_s: float = WAIT_S) -> ProfilingRun:
    """The finished run; raises `ProfilingFailed` where it gave up or no worker finished it in time."""
    deadline = time.monotonic() + wait_s
    while True:
        run = ProfilingRun.objects.get(pk=run_id)
        if run.state == ProfilingRun.State.SUCCEEDED:
            return run
        check_run(run)
        if time.monotonic() > deadline:
            raise ProfilingFailed(
                f"The profile is not finished after {wait_s:.0f} s (state {run.state}, attempts {run.attempts}).",
                hint="Is a worker running? `manage.py doctor` says; it goes on by itself once one is.",
            )
        time.sleep(POLL_S)


def wait_for_probe(run_id: int, *, wait_s: float = PROBE_WAIT_S) -> bool:
    """Whether what is published was asked after the run; there is nothing to ask where nothing is."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        run = ProfilingRun.objects.select_related("dataset").get(pk=run_id)
        if run.probed_at is not None or run.dataset.status != Status.ACTIVE:
            return True
        time.sleep(POLL_S)
    return False


def check_run(run: ProfilingRun) -> None:
    """Raise `ProfilingFailed` with the reason of a run that gave up, or never reached the queue."""
    if run.state == ProfilingRun.State.CANCELLED:
        raise ProfilingFailed(f"{run.cancelled_by} cancelled the profile.", hint="Profile again.")
    if run.state == ProfilingRun.State.FAILED:
        raise ProfilingFailed(
            f"Profiling failed ({run.error_code}): {run.error_message}", hint="Mend the cause, then profile again."
        )
