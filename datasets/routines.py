"""Services that decide which functions of a database callers may run. Live once the dataset is approved again."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from config.errors import InvalidRequest
from datasets.allowed_extensions import ALLOWED_EXTENSIONS
from datasets.models import Dataset, DatasetRoutine


def decidable_routines() -> QuerySet[DatasetRoutine]:
    """The functions that only a person can allow: the others are on the list of their extension."""
    listed = Q()
    for extension, names in ALLOWED_EXTENSIONS.items():
        listed |= Q(extension=extension, name__in=names)
    return DatasetRoutine.objects.filter(present=True, dataset__deleted_at=None).exclude(listed)


def find_routines(dataset: Dataset, names: Collection[str], *, extension: str = "") -> list[int]:
    """Ids by `schema.name` or `name`, all overloads of it, and of all of an extension; `InvalidRequest` if absent."""
    rows = dataset.routines.filter(present=True)
    found = set(rows.filter(extension=extension).values_list("pk", flat=True)) if extension else set()
    if extension and not found:
        raise InvalidRequest(f"{dataset.name} has no functions of an extension {extension!r}.")
    for name in names:
        ids = {row.pk for row in rows if name in (row.name, f"{row.schema}.{row.name}")}
        if not ids:
            raise InvalidRequest(
                f"{dataset.name} has no function {name!r}.",
                hint="Profile it again if the function is new; a name is written as PostgreSQL keeps it.",
            )
        found |= ids
    return sorted(found)


@transaction.atomic
def approve_routines(ids: Collection[int], *, actor: str) -> list[DatasetRoutine]:
    """Let callers run them; returns those for which that is new."""
    rows = _lock(ids, approved=False)
    for row in rows:
        row.approved, row.approved_by, row.approved_at, row.approval_note = True, actor, timezone.now(), ""
    return _keep(rows)


@transaction.atomic
def withdraw_routines(ids: Collection[int], *, actor: str) -> list[DatasetRoutine]:
    """Let callers run them no more; returns those that they could run."""
    rows = _lock(ids, approved=True)
    for row in rows:
        row.approved, row.approval_note = False, f"The approval by {row.approved_by} was withdrawn by {actor}."
    return _keep(rows)


def _lock(ids: Collection[int], *, approved: bool) -> list[DatasetRoutine]:
    rows = DatasetRoutine.objects.filter(pk__in=ids, approved=approved, present=True, dataset__deleted_at=None)
    # a profile that runs meanwhile waits, and judges the decision by what it found
    return list(rows.select_for_update(of=("self",)))


def _keep(rows: list[DatasetRoutine]) -> list[DatasetRoutine]:
    fields = ["approved", "approved_by", "approved_at", "approval_note"]
    DatasetRoutine.objects.bulk_update(rows, fields, batch_size=200)
    return rows
