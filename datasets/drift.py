"""Published datasets and the databases behind them: what changed since a person approved."""

from __future__ import annotations

from datetime import date

from django.db.models import QuerySet
from django.utils import timezone

from datasets.lifecycle import Status
from datasets.models import CatalogEntry, Dataset, TableReading
from datasets.profiling.contents_document import parse_contents
from datasets.profiling.drift import find_drift
from datasets.profiling.introspection import Profile
from datasets.profiling.keys import Facts
from datasets.profiling.observations import Observation


def live_datasets() -> QuerySet[Dataset]:
    return Dataset.objects.filter(status=Status.ACTIVE, deleted_at=None, live_entry__isnull=False).order_by("name")


def _reviewed_on(entry: CatalogEntry) -> date:
    run = entry.profiling_run
    return (run.finished_at if run and run.finished_at else entry.created_at).date()


def observe_drift(dataset: Dataset, profile: Profile, facts: Facts) -> tuple[Observation, ...]:
    """How the database differs from the live entry and from the profile that its reviewer had; nothing if none is."""
    entry = dataset.live_entry
    if entry is None:
        return ()
    readings = TableReading.objects.filter(run_id=entry.profiling_run_id) if entry.profiling_run_id else ()
    before = {(reading.schema, reading.name): parse_contents(reading.facts).facts for reading in readings}
    return find_drift(
        entry.document,
        before,
        profile.tables,
        facts,
        # an entry with another connection or design has the same reviewer's profile
        published_on=_reviewed_on(entry),
        today=timezone.now().date(),
    )
