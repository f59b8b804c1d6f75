"""What staff do with a dataset: one table behind the buttons of its page and the actions of the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.errors import DatasetNotFound, ProfilingFailed
from datasets.approval import activate_dataset, approve_dataset, check_connection
from datasets.lifecycle import Status
from datasets.models import Dataset, ProfilingRun
from datasets.profiling.service import request_profile
from datasets.registration import deactivate_dataset


@dataclass(frozen=True, slots=True)
class Step:
    """`run` calls the service, `done` says what it did, `offered` names the states in which its button stands."""

    label: str
    done: str
    icon: str
    run: Callable[[int, str], object]
    offered: frozenset[str]
    primary: bool = False
    confirm: str = ""


def profile(dataset_id: int, actor: str) -> None:
    run = request_profile(dataset_id, actor=actor)
    if run.state == ProfilingRun.State.FAILED:
        raise ProfilingFailed(run.error_message, hint="See `manage.py doctor`, then profile again.")


def check(dataset_id: int, actor: str) -> None:
    dataset = Dataset.objects.filter(pk=dataset_id, deleted_at=None).first()
    if dataset is None:
        raise DatasetNotFound("That dataset does not exist.")
    check_connection(dataset)


STEPS: dict[str, Step] = {
    "approve": Step(
        label="Approve",
        done="approved: every client can ask it now",
        icon="check_circle",
        run=lambda dataset_id, actor: approve_dataset(dataset_id, actor=actor),
        offered=frozenset({Status.HUMAN_REVIEW, Status.APPROVED, Status.ACTIVE, Status.INACTIVE}),
        primary=True,
    ),
    "activate": Step(
        label="Bring back",
        done="active again, as it was last approved",
        icon="play_circle",
        run=lambda dataset_id, actor: activate_dataset(dataset_id, actor=actor),
        offered=frozenset({Status.INACTIVE}),
    ),
    "profile": Step(
        label="Profile again",
        done="queued for profiling",
        icon="refresh",
        run=profile,
        offered=frozenset(Status) - {Status.PROFILING},
    ),
    "check": Step(
        label="Check connection",
        done="connection checked",
        icon="cable",
        run=check,
        offered=frozenset(Status),
    ),
    "deactivate": Step(
        label="Deactivate",
        done="deactivated: no client can ask it any more",
        icon="pause_circle",
        run=lambda dataset_id, actor: deactivate_dataset(dataset_id, actor=actor),
        offered=frozenset({Status.ACTIVE}),
        confirm="No client can ask it until it is brought back.",
    ),
}
