"""What a profile found, kept: statistics, roles and personal columns on the working copy, findings, the proposal.

Nothing here touches what is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from django.utils import timezone

from datasets.design import TableName
from datasets.drift import observe_drift
from datasets.findings import keep_observed
from datasets.models import (
    DataCategory,
    Dataset,
    DatasetColumn,
    DatasetType,
    PersonalData,
    ProfilingRun,
    Shown,
    TableReading,
)
from datasets.profiling.contents import TableContents
from datasets.profiling.contents_document import contents_document
from datasets.profiling.detection import EVENT_DATE, OTHER_DATE
from datasets.profiling.facts import ColumnFacts
from datasets.profiling.facts_document import column_document
from datasets.profiling.introspection import Profile
from datasets.profiling.judging import Judgement, detected_document, observe_personal, role_documents
from datasets.profiling.observations import Observation
from datasets.profiling.personal import CONFIDENT, Personal, starts_as

BATCH: Final = 500
KEPT_RUNS: Final = 3  # beside those that published versions are compared with
LIKELY: Final = 0.7
FIELDS: Final = (
    "detected",
    "proposal",
    "dataset_type",
    "data_category",
    "date_column",
    "date_range_start",
    "date_range_end",
    "last_profiled_at",
    "estimated_row_count",
)
Contents = Mapping[TableName, TableContents]
Column = tuple[TableName, str]


def keep_judgement(
    run: ProfilingRun, dataset: Dataset, profile: Profile, contents: Contents, judgement: Judgement
) -> None:
    """Call it inside a transaction that holds the dataset's row."""
    _keep_counted(run, contents, judgement)
    personal = {
        (table, column): found for table, reading in contents.items() for column, found in reading.personal.items()
    }
    _keep_tables(dataset, judgement)
    shown = _keep_columns(dataset, judgement, personal)
    dataset.detected = detected_document(judgement)
    dataset.proposal = judgement.proposal
    _take_kind(dataset)
    _take_dates(dataset, profile, judgement)
    dataset.last_profiled_at = timezone.now()
    dataset.estimated_row_count = _stored_rows(profile, judgement)
    dataset.save(update_fields=FIELDS)
    observed = [*judgement.observed, *_personal_observations(personal, shown)]
    observed += observe_drift(dataset, profile, judgement.facts)
    keep_observed(dataset.pk, observed, run_id=run.pk)


def keep_readings_of(dataset_id: int) -> None:
    """Readings are many and large: those of old runs go, unless a published version is compared with them."""
    runs = ProfilingRun.objects.filter(dataset_id=dataset_id)
    newest = runs.filter(state=ProfilingRun.State.SUCCEEDED).order_by("-finished_at").values_list("pk", flat=True)
    kept = set(newest[:KEPT_RUNS])
    live = Dataset.objects.filter(pk=dataset_id).values_list("live_entry__profiling_run_id", flat=True)
    open_states = (ProfilingRun.State.QUEUED, ProfilingRun.State.RUNNING)
    kept |= {*live, *runs.filter(state__in=open_states).values_list("pk", flat=True)}
    TableReading.objects.filter(run__dataset_id=dataset_id).exclude(run_id__in=kept - {None}).delete()


def _keep_counted(run: ProfilingRun, contents: Contents, judgement: Judgement) -> None:
    """Months that were counted since: later profiles compare with them."""
    for name, reading in contents.items():
        facts = judgement.facts[name]
        if facts is not reading.facts:
            counted = TableContents(facts, reading.personal, reading.observed)
            run.readings.filter(schema=name[0], name=name[1]).update(facts=contents_document(counted))


def _keep_tables(dataset: Dataset, judgement: Judgement) -> None:
    rows = list(dataset.tables.filter(present=True))
    for row in rows:
        facts = judgement.facts.get((row.schema, row.name))
        if facts is not None:
            row.row_estimate = row.row_estimate if facts.rows is None else facts.rows
            row.rows_sampled, row.read_error = facts.sampled, facts.error
    dataset.tables.model.objects.bulk_update(rows, ["row_estimate", "rows_sampled", "read_error"], batch_size=BATCH)


def _keep_columns(
    dataset: Dataset, judgement: Judgement, personal: Mapping[Column, Personal]
) -> dict[Column, tuple[str, str]]:
    """How each column with personal data is shown, and who decided it."""
    roles = role_documents(judgement.detection)
    shown: dict[Column, tuple[str, str]] = {}
    columns = DatasetColumn.objects.filter(table__dataset=dataset, table__present=True, present=True)
    batch: list[DatasetColumn] = []
    for column in columns.select_related("table").iterator(chunk_size=BATCH):
        key = (column.table.schema, column.table.name), column.name
        facts = judgement.facts.get(key[0])
        if facts is None:
            continue
        column.statistics = column_document(facts.columns.get(column.name, ColumnFacts()))
        column.role = roles.get(key)
        found = personal.get(key)
        column.personal = _personal_document(found)
        if found is not None:
            _protect(column, found, PersonalData(dataset.personal_data))
            shown[key] = column.shown, column.shown_by
        batch.append(column)
        if len(batch) == BATCH:
            _write(batch)
            batch = []
    _write(batch)
    return shown


def _write(columns: list[DatasetColumn]) -> None:
    DatasetColumn.objects.bulk_update(columns, ["statistics", "role", "personal", "shown"])


def _personal_document(found: Personal | None) -> dict[str, object] | None:
    if found is None or found.confidence < CONFIDENT:
        return None
    return {"kind": found.kind, "confidence": found.confidence, "reason": found.reason}


def _protect(column: DatasetColumn, found: Personal, start: PersonalData) -> None:
    """Only a person shows more of a column than an earlier profile did."""
    if column.shown != Shown.VISIBLE or column.shown_by or start == PersonalData.VISIBLE:
        return
    as_found = starts_as(found)
    column.shown = Shown.MASKED if as_found != "visible" and start == PersonalData.MASKED else Shown(as_found)


def _personal_observations(
    personal: Mapping[Column, Personal], shown: Mapping[Column, tuple[str, str]]
) -> Iterator[Observation]:
    for key, found in personal.items():
        if found.confidence >= CONFIDENT and key in shown:
            how, decided_by = shown[key]
            if not decided_by:
                yield observe_personal(*key, found, shown=how)


def _stored_rows(profile: Profile, judgement: Judgement) -> int:
    """Views show rows of others."""
    names = [(table.schema, table.name) for table in profile.tables if "view" not in table.kind]
    return sum(judgement.facts[name].rows or 0 for name in names if name in judgement.facts)


def _take_dates(dataset: Dataset, profile: Profile, judgement: Judgement) -> None:
    """The span of the main date: the one that a person chose, else when what the longest table tells of happened."""
    spans = {span.column: span for span in profile.dates}
    if not dataset.date_column:
        roles = judgement.detection.of_role(EVENT_DATE) or judgement.detection.of_role(OTHER_DATE)
        # a column without values may be personal, and its span would be told to every client
        events = {
            f"{'.'.join(role.table)}.{role.column}"
            for role in roles
            if judgement.facts[role.table].columns.get(role.column, ColumnFacts()).minimum is not None
        }
        # spans come with the longest table first
        dataset.date_column = next((column for column in spans if column in events), "")
    span = spans.get(dataset.date_column)
    if span is not None:
        dataset.date_range_start, dataset.date_range_end = span.start, span.end


def _take_kind(dataset: Dataset) -> None:
    """Before the first approval, of what nobody has said yet; the reviewer sees it in the form."""
    if dataset.live_entry_id is not None or dataset.detected is None:
        return
    kind, category = dataset.detected["dataset_type"], dataset.detected["data_category"]
    if dataset.dataset_type == DatasetType.MIXED and kind["confidence"] >= LIKELY:
        dataset.dataset_type = kind["value"]
    if dataset.data_category == DataCategory.MIXED and category["confidence"] >= LIKELY:
        dataset.data_category = category["value"]
