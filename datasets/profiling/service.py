"""Profiling as a service: queue a run, do it, keep what it found beside what is published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Final, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from config.errors import DatasetNotFound, GatewayError, QueueUnavailable, TransitionRefused
from datasets.additions_document import build_additions_document
from datasets.alerts import announce_findings
from datasets.credentials import open_target
from datasets.drift import live_datasets
from datasets.findings import keep_failed
from datasets.lifecycle import Status
from datasets.models import Dataset, DatasetColumn, DatasetTable, ProfilingRun, TableReading
from datasets.profiling.contents import TableContents, read_contents
from datasets.profiling.contents_document import contents_document, parse_contents
from datasets.profiling.introspection import FoundTable, Profile, fetch_profile
from datasets.profiling.judging import judge
from datasets.profiling.keeping import keep_judgement, keep_readings_of
from datasets.profiling.progress import announce
from datasets.profiling.quality import NO_TIME
from datasets.profiling.routines import merge_routines
from datasets.queue import PROBE_DATASET, PROFILE_DATASET, enqueue
from datasets.transitions import move

# with half a minute for the catalogue and as much for questions about keys and dates within two minutes
CONTENTS_BUDGET_S: Final = 50.0
BATCH: Final = 500
LOCK_SPACE: Final = 0x70726F66  # of advisory locks: "prof"
OPEN = (ProfilingRun.State.QUEUED, ProfilingRun.State.RUNNING)
BEFORE_APPROVAL = (Status.DRAFT, Status.METADATA_PENDING, Status.HUMAN_REVIEW, Status.ERROR)
SCHEDULE: Final = "schedule"
T = TypeVar("T")
log = logging.getLogger(__name__)


def request_profile(dataset_id: int, *, actor: str) -> ProfilingRun:
    """Queue a profile (or queue the waiting one again); a broker that is away shows in the run's state.

    Queued on commit: inside a caller's transaction the worker would not find the run yet.
    """
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update(of=("self",)).filter(pk=dataset_id, deleted_at=None).first()
        if dataset is None:
            raise DatasetNotFound("That dataset does not exist.")
        if dataset.live_entry_id is None:
            move(dataset_id, Status.PROFILING, only_from=BEFORE_APPROVAL)
        run = dataset.profiling_runs.filter(state__in=OPEN).first()
        if run is None:
            run = ProfilingRun.objects.create(dataset=dataset, requested_by=actor)
    transaction.on_commit(partial(_send, run.pk))
    run.refresh_from_db()
    return run


def request_profiles(*, actor: str) -> None:
    """Profiles of everything that is live; what cannot be queued says so in its run."""
    for dataset_id in live_datasets().values_list("pk", flat=True):
        try:
            request_profile(dataset_id, actor=actor)
        except DatasetNotFound:  # deleted meanwhile
            log.info("dataset %s is gone; it is not profiled", dataset_id)


def _send(run_id: int) -> None:
    try:
        enqueue(PROFILE_DATASET, run_id)
    except QueueUnavailable as error:
        fail_run(run_id, error)


def run_profile(run_id: int) -> bool:
    """Do a queued run to its end. It may run twice: what a first run has read, a second one does not read again.

    False where somebody else is at it, or was a moment ago and their lock is still held: look again later.
    Raises the error of an attempt, after noting it on the run; the caller decides whether to try again.
    """
    with _alone(run_id) as is_mine:
        if is_mine:
            _attempt(run_id)
    return is_mine


def _attempt(run_id: int) -> None:
    run = ProfilingRun.objects.select_related("dataset").filter(pk=run_id).first()
    if run is None or run.state not in OPEN or run.dataset.deleted_at is not None:
        return
    begun = ProfilingRun.objects.filter(pk=run.pk, state__in=OPEN).update(
        state=ProfilingRun.State.RUNNING, attempts=run.attempts + 1, started_at=timezone.now()
    )
    if not begun:  # cancelled meanwhile
        return
    run.refresh_from_db()
    try:
        _profile(run)
    except GatewayError as error:
        run.error_code, run.error_message = error.code, error.message
        run.save(update_fields=["error_code", "error_message"])
        raise


@contextmanager
def _alone(run_id: int) -> Iterator[bool]:
    """Whether nobody else is at this run: it may be asked for again while it works. A killed worker's lock goes with
    its connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, run_id])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, run_id])


def _profile(run: ProfilingRun) -> None:
    with asyncio.Runner() as runner:
        target = open_target(run.dataset.connection)
        profile = runner.run(fetch_profile(target))
        _keep_catalogue(run, profile)
        known = set(run.readings.values_list("schema", "name"))
        left = set(run.dataset.tables.filter(read_error=NO_TIME).values_list("schema", "name"))
        today = timezone.now().date()
        contents = read_contents(
            target, profile.tables, known=known, first=left, budget_s=CONTENTS_BUDGET_S, today=today
        )
        for table, found in _each(runner, contents):
            _keep_reading(run, table, found)
            if _is_cancelled(run):
                return
        readings = {
            (reading.schema, reading.name): parse_contents(reading.facts)
            for reading in run.readings.iterator(chunk_size=BATCH)
        }
        judgement = runner.run(judge(target, profile, readings))
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update(of=("self",)).get(pk=run.dataset_id)
        if ProfilingRun.objects.filter(pk=run.pk, state__in=OPEN).exists():
            keep_judgement(run, dataset, profile, readings, judgement)
            _finish(run)


def _each(runner: asyncio.Runner, items: AsyncGenerator[T]) -> Iterator[T]:
    """One after the other: between two of them the caller has the thread, for Django's own database."""
    try:
        while True:
            try:
                yield runner.run(_next(items))
            except StopAsyncIteration:
                return
    finally:
        runner.run(items.aclose())


async def _next(items: AsyncGenerator[T]) -> T:
    return await anext(items)


@transaction.atomic
def _keep_catalogue(run: ProfilingRun, profile: Profile) -> None:
    dataset = Dataset.objects.select_for_update(of=("self",)).get(pk=run.dataset_id)
    _merge_tables(dataset, profile)
    merge_routines(dataset, profile.additions.routines)
    _set_facts(dataset, profile)
    run.tables_found = len(profile.tables)
    run.columns_found = sum(len(table.columns) for table in profile.tables)
    run.tables_read = run.readings.count()
    run.save(update_fields=["tables_found", "columns_found", "tables_read"])
    transaction.on_commit(partial(announce, run))


def _keep_reading(run: ProfilingRun, table: FoundTable, found: TableContents) -> None:
    TableReading.objects.get_or_create(
        run=run,
        schema=table.schema,
        name=table.name,
        defaults={"facts": contents_document(found), "error": found.facts.error},
    )
    run.tables_read += 1
    run.table_at_hand = f"{table.schema}.{table.name}"
    run.save(update_fields=["tables_read", "table_at_hand"])
    announce(run)


def _is_cancelled(run: ProfilingRun) -> bool:
    return not ProfilingRun.objects.filter(pk=run.pk, state__in=OPEN).exists()


def _finish(run: ProfilingRun) -> None:
    run.state, run.finished_at = ProfilingRun.State.SUCCEEDED, timezone.now()
    run.error_code = run.error_message = run.table_at_hand = ""
    run.save()
    keep_readings_of(run.dataset_id)
    if run.dataset.status == Status.ACTIVE:
        announce_findings(run.pk)
        transaction.on_commit(partial(_send_probe, run.pk))
    transaction.on_commit(partial(announce, run))
    # no model drafts yet: comments are the dictionary, so what is pending is a person
    move(run.dataset_id, Status.METADATA_PENDING, only_from=[Status.PROFILING])
    move(run.dataset_id, Status.HUMAN_REVIEW, only_from=[Status.METADATA_PENDING])


def _send_probe(run_id: int) -> None:
    try:
        enqueue(PROBE_DATASET, run_id)
    except QueueUnavailable:
        log.warning("the probe after profile %s was not queued", run_id)


@transaction.atomic
def cancel_run(run_id: int, *, actor: str) -> None:
    """Stop a run that waits or works; the worker leaves off after the table at hand. What is published stays.

    Raises `TransitionRefused` where it is over already.
    """
    run = ProfilingRun.objects.select_for_update(of=("self",)).filter(pk=run_id, state__in=OPEN).first()
    if run is None:
        raise TransitionRefused("That profile is over already.", hint="Profile again if its result does not serve.")
    run.state, run.finished_at, run.cancelled_by = ProfilingRun.State.CANCELLED, timezone.now(), actor
    run.save(update_fields=["state", "finished_at", "cancelled_by"])
    reason = f"{actor} cancelled its profile; profile it again."
    move(run.dataset_id, Status.ERROR, only_from=[Status.PROFILING], reason=reason, code="profile_cancelled")
    transaction.on_commit(partial(announce, run))


def _set_facts(dataset: Dataset, profile: Profile) -> None:
    """What the catalogue alone says; what is in the tables is kept at the end (see `keeping`)."""
    dataset.estimated_size_bytes = profile.size_bytes
    dataset.additions = build_additions_document(profile.additions.names)
    dataset.description = dataset.description or profile.database_comment
    dataset.save(update_fields=["estimated_size_bytes", "additions", "description"])


def _merge_tables(dataset: Dataset, profile: Profile) -> None:
    """What the database says replaces what it said; what people decided (descriptions, visibility) stays."""
    known = {(table.schema, table.name): table for table in dataset.tables.all()}
    found = {(table.schema, table.name) for table in profile.tables}
    dataset.tables.exclude(pk__in=[known[name].pk for name in known.keys() & found]).update(present=False)
    for table in profile.tables:
        row = known.get((table.schema, table.name)) or DatasetTable(
            dataset=dataset, schema=table.schema, name=table.name
        )
        row.kind, row.comment, row.present = table.kind, table.comment, True
        # of a table that nobody analysed the catalogue knows nothing, an earlier profile may
        row.row_estimate = row.row_estimate if table.row_estimate is None else table.row_estimate
        row.size_bytes = table.size_bytes
        row.primary_key, row.unique_keys = list(table.primary_key), [list(key) for key in table.unique_keys]
        row.foreign_keys = [asdict(key) for key in table.foreign_keys]
        row.definitions, row.routines = list(table.definitions), [list(name) for name in table.routines]
        row.partition_key, row.partitions = table.partition_key, table.partitions
        columns = {column.name for column in table.columns}
        row.indexes = [asdict(index) for index in table.indexes if columns.issuperset(index.columns)]
        row.save()
        _merge_columns(row, table)


def _merge_columns(row: DatasetTable, table: FoundTable) -> None:
    known = {column.name: column for column in row.columns.all()}
    row.columns.exclude(name__in=[column.name for column in table.columns]).update(present=False)
    columns = []
    for found in table.columns:
        column = known.get(found.name) or DatasetColumn(table=row, name=found.name)
        column.position, column.data_type = found.position, found.data_type
        column.nullable, column.comment, column.present = found.nullable, found.comment, True
        columns.append(column)
    DatasetColumn.objects.bulk_create([column for column in columns if column.pk is None])
    DatasetColumn.objects.bulk_update(
        [column for column in columns if column.pk is not None],
        ["position", "data_type", "nullable", "comment", "present"],
    )


@transaction.atomic
def fail_run(run_id: int, error: GatewayError) -> None:
    """The run gave up: its reason stands on it and, before the first approval, on the dataset."""
    run = ProfilingRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if run.state not in OPEN:
        return
    run.state, run.finished_at = ProfilingRun.State.FAILED, timezone.now()
    run.error_code, run.error_message = error.code, error.message
    run.save()
    transaction.on_commit(partial(announce, run))
    if run.dataset.live_entry_id is not None:
        keep_failed(run.dataset_id, error.code, run_id=run.pk)
        announce_findings(run.pk)
    move(
        run.dataset_id,
        Status.ERROR,
        only_from=[Status.PROFILING],
        reason=f"{error.message} {error.hint}",
        code=error.code,
    )
