"""The functions of a profile beside what people decided of the earlier ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from datasets.models import Dataset, DatasetRoutine
from datasets.profiling.additions import FoundRoutine

BATCH = 200
# what a person looked at when approving, and how the note calls it
JUDGED = {
    "kind": "kind",
    "returns": "result",
    "returns_set": "result",
    "volatility": "volatility",
    "language": "language",
    "owner": "owner",
    "security_definer": "SECURITY DEFINER",
    "body_hash": "body",
}
Key = tuple[str, str, str]


def merge_routines(dataset: Dataset, found: Iterable[FoundRoutine]) -> None:
    """Decisions stay while what was judged stays; what is gone keeps its decision for its return."""
    # locked, so that an approval made meanwhile is seen or waits
    known = {_key(row): row for row in dataset.routines.select_for_update(of=("self",))}
    by_key = {_key(routine): routine for routine in found}
    gone = [row.pk for key, row in known.items() if row.present and key not in by_key]
    dataset.routines.filter(pk__in=gone).update(present=False)
    new = [DatasetRoutine(dataset=dataset, **asdict(by_key[key])) for key in by_key if key not in known]
    DatasetRoutine.objects.bulk_create(new, batch_size=BATCH)
    changed = [known[key] for key in by_key.keys() & known.keys() if _renew(known[key], by_key[key])]
    fields = [*FoundRoutine.__dataclass_fields__, "present", "approved", "approval_note"]
    DatasetRoutine.objects.bulk_update(changed, fields, batch_size=BATCH)


def _key(routine: DatasetRoutine | FoundRoutine) -> Key:
    return routine.schema, routine.name, routine.arguments


def _renew(row: DatasetRoutine, found: FoundRoutine) -> bool:
    """Whether the row differs from what was found; it then no longer does."""
    facts = {"present": True, **asdict(found)}
    changed = {name for name, value in facts.items() if getattr(row, name) != value}
    judged = list(dict.fromkeys(label for name, label in JUDGED.items() if name in changed))
    if row.approved and judged:
        row.approved = False
        row.approval_note = f"The approval by {row.approved_by} was withdrawn: {', '.join(judged)} changed."
    for name in changed:
        setattr(row, name, facts[name])
    return bool(changed)
