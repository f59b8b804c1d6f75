"""What a person decides about a column: whether clients see it, masked, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from datasets.models import DatasetColumn, Finding
from datasets.policies import MOMENTS, NUMBERS, ColumnPolicy, Mask

HASH: Final = Mask(kind="hash")
DEGREES: Final = Mask(kind="bucket", width=0.5)  # some 50 km
# what a mask may keep of them, by kind and family of types; anything else is hashed
MASKS: Final[Mapping[str, tuple[frozenset[str], Mask]]] = {
    "birth_date": (MOMENTS, Mask(kind="year")),
    "coordinates": (NUMBERS, DEGREES),
}


@transaction.atomic
def decide_shown(column_ids: Collection[int], shown: str, *, actor: str) -> None:
    """For the working copy: clients see it so from the next approval on, and no profile changes it any more."""
    DatasetColumn.objects.filter(pk__in=column_ids).update(shown=shown, shown_by=actor)
    for column in DatasetColumn.objects.filter(pk__in=column_ids).select_related("table"):
        Finding.objects.filter(
            dataset_id=column.table.dataset_id,
            kind=Finding.Kind.PERSONAL,
            state=Finding.State.OPEN,
            table=str(column.table),
            column=column.name,
        ).update(state=Finding.State.DISMISSED, decided_by=actor, decided_at=timezone.now())


def policy_of(column: DatasetColumn, written: str) -> ColumnPolicy:
    """What masks a column that is shown masked, where no policy of the dataset says how."""
    kind = (column.personal or {}).get("kind", "")
    family, mask = MASKS.get(kind, (frozenset(), HASH))
    fits = column.data_type.partition("(")[0] in family
    return ColumnPolicy(column=written, show="masked", mask=mask if fits else HASH)


def with_masks(policies: Mapping[str, Any], masked: Collection[ColumnPolicy]) -> dict[str, Any]:  # Any: JSON
    """The dataset's policies, and those of masked columns of which they say nothing for everybody."""
    written = list(policies.get("columns", []))
    decided = {policy["column"] for policy in written if not policy.get("groups")}
    added = [policy.model_dump(mode="json", exclude_defaults=True) for policy in masked if policy.column not in decided]
    return {**policies, "columns": [*written, *added]} if added else dict(policies)
