"""Services that decide what is live: approve, and bring back what was deactivated."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from config.errors import DatasetNotFound, PreflightError, TransitionRefused
from datasets.credentials import open_target
from datasets.lifecycle import Status
from datasets.models import CatalogEntry, Dataset
from datasets.preflight import Preflight, run_preflight
from datasets.publishing import grow_version, publish
from datasets.registration import role_unsafe
from datasets.survey_designs import refit_survey_design
from datasets.transitions import move

APPROVABLE = (Status.HUMAN_REVIEW, Status.APPROVED, Status.ACTIVE, Status.INACTIVE)
WAYS_OUT = {
    Status.DRAFT: "Profile it first: `manage.py profile_dataset NAME --wait`.",
    Status.PROFILING: "Its profile is being made; wait until it is in human review.",
    Status.METADATA_PENDING: "Its data dictionary is being drafted; wait until it is in human review.",
    Status.ERROR: "Mend what its status reason says, then profile it again.",
}


def approve_dataset(dataset_id: int, *, actor: str) -> CatalogEntry:
    """Publish the working copy as reviewed and make it live in every process.

    Raises `TransitionRefused` before there is something to review, `RoleUnsafe` while the role may write,
    `DesignInvalid` where a confirmed survey design no longer fits the tables, and the `PreflightError` of a connection
    that fails (the dataset is then approved, and active once this succeeds).
    """
    dataset = _get(dataset_id)
    if dataset.status not in APPROVABLE:
        raise TransitionRefused(
            f"{dataset.name} is in state {dataset.status} and cannot be approved.",
            hint=WAYS_OUT[Status(dataset.status)],
        )
    if not dataset.tables.filter(included=True, present=True).exists():
        raise TransitionRefused(
            f"{dataset.name} has no table that clients may query.",
            hint="GRANT SELECT on its tables to the role and profile it again, or include a table.",
        )
    if dataset.additions is None:
        raise TransitionRefused(
            f"The functions and types of {dataset.name} have not been read yet.",
            hint=f"Profile it again: `manage.py profile_dataset {dataset.name} --wait`.",
        )
    _prove_connection(dataset)
    return _publish(dataset_id, actor=actor)


def activate_dataset(dataset_id: int, *, actor: str) -> None:
    """Bring a deactivated dataset back as it was last approved."""
    dataset = _get(dataset_id)
    if dataset.status != Status.INACTIVE or dataset.live_entry_id is None:
        raise TransitionRefused(
            f"{dataset.name} is not inactive.", hint="Only a deactivated dataset can be brought back."
        )
    _prove_connection(dataset)
    with transaction.atomic():
        if move(dataset_id, Status.ACTIVE, only_from=[Status.INACTIVE]):
            grow_version()


def _get(dataset_id: int) -> Dataset:
    dataset = Dataset.objects.filter(pk=dataset_id, deleted_at=None).first()
    if dataset is None:
        raise DatasetNotFound("That dataset does not exist.")
    return dataset


def _prove_connection(dataset: Dataset) -> None:
    try:
        preflight = check_connection(dataset)
    except PreflightError as error:
        move(dataset.pk, Status.APPROVED, only_from=[Status.HUMAN_REVIEW], reason=error.message, code=error.code)
        raise
    if preflight.blocked and not (dataset.unsafe_role_allowed_by and settings.ALLOW_UNSAFE_ROLES):
        raise role_unsafe(preflight)


def check_connection(dataset: Dataset) -> Preflight:
    """Run the checklist with the stored connection string and keep what it says."""
    target = open_target(dataset.connection)
    preflight = async_to_sync(run_preflight)(target, local_allowed=settings.LOCAL_ADDRESSES_ALLOWED)
    Dataset.objects.filter(pk=dataset.pk).update(preflight=preflight.as_list(), preflight_at=timezone.now())
    return preflight


@transaction.atomic
def _publish(dataset_id: int, *, actor: str) -> CatalogEntry:
    dataset = Dataset.objects.select_for_update(of=("self",)).get(pk=dataset_id)
    move(dataset_id, Status.APPROVED, only_from=[Status.HUMAN_REVIEW])
    move(dataset_id, Status.ACTIVE, only_from=[Status.APPROVED, Status.INACTIVE])
    dataset.refresh_from_db()
    if dataset.status != Status.ACTIVE:
        raise TransitionRefused(
            f"{dataset.name} changed while it was being approved.", hint="Look again, then approve."
        )
    refit_survey_design(dataset)
    dataset.approved_at, dataset.approved_by = timezone.now(), actor
    dataset.save(update_fields=["approved_at", "approved_by"])
    return publish(dataset, actor=actor)
