"""States as coloured words."""

from __future__ import annotations

from django.utils.safestring import SafeString

from config.admin_base import badge
from datasets.lifecycle import Status
from datasets.models import ProfilingRun
from datasets.preflight import State

TONES = {
    Status.DRAFT: "plain",
    Status.PROFILING: "info",
    Status.METADATA_PENDING: "info",
    Status.HUMAN_REVIEW: "warning",
    Status.APPROVED: "info",
    Status.ACTIVE: "success",
    Status.INACTIVE: "plain",
    Status.ERROR: "danger",
}
CHECK_TONES = {State.OK: "success", State.WARNING: "warning", State.BLOCKED: "danger"}
CHECK_WORDS = {State.OK: "OK", State.WARNING: "Warning", State.BLOCKED: "Blocked"}
RUN_TONES = {
    ProfilingRun.State.QUEUED: "plain",
    ProfilingRun.State.RUNNING: "info",
    ProfilingRun.State.SUCCEEDED: "success",
    ProfilingRun.State.FAILED: "danger",
    ProfilingRun.State.CANCELLED: "plain",
}


def status_badge(status: str, *, title: str = "") -> SafeString:
    known = Status(status)
    return badge(known.label, TONES[known], title=title)


def run_badge(run: ProfilingRun) -> SafeString:
    return badge(run.get_state_display(), RUN_TONES[ProfilingRun.State(run.state)])


def check_badge(state: str) -> SafeString:
    known = State(state)
    return badge(CHECK_WORDS[known], CHECK_TONES[known])
