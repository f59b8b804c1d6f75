"""The one way a dataset's status changes: a conditional UPDATE, so that whoever comes second changes nothing."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from datasets.lifecycle import Status
from datasets.models import Dataset
from datasets.publishing import broadcast


def move(dataset_id: int, to: Status, *, only_from: Collection[Status], reason: str = "", code: str = "") -> bool:
    """Whether this call moved the dataset; moves that `Status.may_become` does not allow are never tried."""
    allowed = [status for status in only_from if status.may_become(to)]
    moved = Dataset.objects.filter(pk=dataset_id, status__in=allowed, deleted_at=None).update(
        status=to, status_reason=reason, status_code=code
    )
    if moved:
        # pages that show states look again; processes find the catalog's version unchanged
        transaction.on_commit(broadcast)
    return moved == 1
