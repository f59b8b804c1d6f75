"""From approved rows to the catalog that processes load.

Approval writes an immutable `CatalogEntry` and grows the version in one transaction; on commit a broadcast tells
every process to look. The version in the metadata database is the truth, the broadcast a hint, a poll the backstop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F, Prefetch
from django.utils import timezone
from redis.exceptions import RedisError

from config.errors import InvalidRequest
from datasets.access import KeySpec, Principal
from datasets.additions import Additions, RoutineSpec
from datasets.additions_document import build_additions_document, parse_additions
from datasets.catalog import Catalog, ColumnSpec, DatasetSpec, ForeignKey, TableSpec
from datasets.columns import policy_of, with_masks
from datasets.conditions import Condition, document_of, parse_conditions
from datasets.design import SurveyDesign
from datasets.design_published import parse_published_design
from datasets.lifecycle import Status
from datasets.models import (
    ApiKey,
    CatalogEntry,
    CatalogVersion,
    Dataset,
    DatasetColumn,
    DatasetTable,
    DesignDecision,
    ProfilingRun,
    Shown,
    SystemConfig,
)
from datasets.persona_fit import personas_that_fit
from datasets.policies import ColumnPolicy, Policies
from datasets.seen import as_seen_by
from datasets.system_config import build_settings
from datasets.vocabulary import build_vocabulary

FORMAT = 1
# What stands behind a view that was published before anybody looked: no SQL, so that guard refuses the view.
UNREAD = "not read"
GROUP = "catalog"
BROADCAST_TIMEOUT_S = 2
QUOTED_OR_MODIFIER = re.compile(r'"(?:[^"]|"")*"|\([^()]*\)')
log = logging.getLogger(__name__)

Document = dict[str, Any]  # Any: JSON


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────
def grow_version() -> int:
    """The next catalog version; call it inside the transaction that changes what is published."""
    CatalogVersion.objects.get_or_create(id=1)
    # the row lock is held until commit, so versions become visible in order
    CatalogVersion.objects.filter(id=1).update(version=F("version") + 1, changed_at=timezone.now())
    version = CatalogVersion.objects.get(id=1).version
    transaction.on_commit(broadcast)
    return version


def publish(dataset: Dataset, *, actor: str) -> CatalogEntry:
    """A new entry from the working copy, live from the commit on. Call it inside a transaction."""
    newest = dataset.profiling_runs.filter(state=ProfilingRun.State.SUCCEEDED).order_by("-finished_at").first()
    return _write_entry(dataset, build_document(dataset), run_id=newest.pk if newest else None, actor=actor)


def republish(dataset: Dataset, *, actor: str) -> CatalogEntry | None:
    """The live document again with the dataset's present connection and personas; None where nothing is live."""
    if dataset.live_entry is None:
        return None
    document = with_personas(dataset, dataset.live_entry.document)
    return _write_entry(dataset, document, run_id=dataset.live_entry.profiling_run_id, actor=actor)


def publish_design(dataset: Dataset, *, with_merges: bool, actor: str) -> CatalogEntry | None:
    """The live document with another survey design and nothing else of the working copy; None where nothing is live."""
    if dataset.live_entry is None:
        return None
    merges = {"merges": dataset.merges} if with_merges else {}
    document = {**dataset.live_entry.document, **_design_parts(dataset), **merges}
    run_id = dataset.live_entry.profiling_run_id
    return _write_entry(dataset, with_personas(dataset, document), run_id=run_id, actor=actor)


def _write_entry(dataset: Dataset, document: Document, *, run_id: int | None, actor: str) -> CatalogEntry:
    entry = CatalogEntry.objects.create(
        dataset=dataset,
        version=grow_version(),
        document=document,
        connection=dataset.connection,
        connection_id=dataset.connection_id,
        profiling_run_id=run_id,
        created_by=actor,
    )
    dataset.live_entry = entry
    dataset.save(update_fields=["live_entry"])
    return entry


def build_document(dataset: Dataset) -> Document:
    """Everything that a process needs to answer for this dataset, except its connection."""
    columns = Prefetch("columns", queryset=DatasetColumn.objects.filter(present=True).order_by("position"))
    included = dataset.tables.filter(included=True, present=True)
    tables = list(included.prefetch_related(columns).order_by("schema", "name"))
    document: Document = {
        "format": FORMAT,
        "name": dataset.name,
        "title": dataset.title,
        "description": dataset.description,
        "dataset_type": dataset.dataset_type,
        "data_category": dataset.data_category,
        "use_cases": dataset.use_cases,
        "date_column": dataset.date_column,
        "date_range": _date_range(dataset),
        "query_limits": dataset.query_limits,
        **_design_parts(dataset),
        "personal_data": dataset.personal_data,
        "policies": with_masks(dataset.policies, _masked(tables)),
        "merges": dataset.merges,
        "additions": _additions_document(dataset),
        "tables": [_table_document(table) for table in tables],
    }
    return with_personas(dataset, document)


def with_personas(dataset: Dataset, document: Document) -> Document:
    """The document with those of the dataset's personas that fit it; the others are kept, and are not answered."""
    kept = {persona.name: parse_conditions(persona.where) for persona in dataset.personas.all()}
    fitting = personas_that_fit(kept, seen_by_anybody(dataset, document)) if kept else {}
    return {**document, "personas": {name: document_of(where) for name, where in fitting.items()}}


def seen_by_anybody(dataset: Dataset, document: Document) -> DatasetSpec:
    """What a caller who is in no group sees of a document, published or not."""
    entry = CatalogEntry(dataset=dataset, version=0, document=document, connection_id=dataset.connection_id)
    settings, _ = build_settings(_load_config())
    return as_seen_by(Principal(), parse_entry(entry), merges=settings.weighting_rules.merges)


def _design_parts(dataset: Dataset) -> Document:
    confirmed = dataset.design_decision == DesignDecision.CONFIRMED
    return {
        "design": dataset.design_document,
        "design_decision": dataset.design_decision,
        "survey_design": dataset.survey_design if confirmed else None,
    }


def _additions_document(dataset: Dataset) -> Document:
    additions = parse_additions(dataset.additions or {})
    routines = tuple(
        RoutineSpec(
            schema=row.schema,
            name=row.name,
            kind=row.kind,
            returns=row.returns,
            returns_set=row.returns_set,
            extension=row.extension,
            approved=row.approved,
        )
        for row in dataset.routines.filter(present=True).order_by("schema", "name", "arguments")
    )
    return build_additions_document(replace(additions, routines=routines))


def _date_range(dataset: Dataset) -> list[str] | None:
    if dataset.date_range_start is None or dataset.date_range_end is None:
        return None
    return [dataset.date_range_start.isoformat(), dataset.date_range_end.isoformat()]


def _masked(tables: Iterable[DatasetTable]) -> list[ColumnPolicy]:
    found = ((table, column) for table in tables for column in table.columns.all() if column.shown == Shown.MASKED)
    return [policy_of(column, f"{table}.{column.name}") for table, column in found]


def _table_document(table: DatasetTable) -> Document:
    view = {"definitions": table.definitions, "routines": table.routines}
    return {
        **{key: value for key, value in view.items() if value},
        "schema": table.schema,
        "name": table.name,
        "kind": table.kind,
        "description": table.description or table.comment,
        "row_estimate": table.row_estimate,
        "primary_key": table.primary_key,
        "unique_keys": table.unique_keys,
        "foreign_keys": table.foreign_keys,
        "columns": [
            {
                "name": column.name,
                "type": column.data_type,
                "nullable": column.nullable,
                "description": column.description or column.comment,
                "visible": column.shown != Shown.HIDDEN,
            }
            for column in table.columns.all()
        ],
    }


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────
def broadcast() -> None:
    """Tell every process and page to look; where Redis is away their poll finds the version all the same."""
    for attempt in (1, 2):  # the first publish after a restart of Redis may meet a dead connection
        try:
            async_to_sync(_send)()
        except (RedisError, OSError, TimeoutError):
            if attempt == 2:
                log.warning("a change was not broadcast; processes find it by polling")
        else:
            return


async def _send() -> None:
    async with asyncio.timeout(BROADCAST_TIMEOUT_S):
        await get_channel_layer().group_send(GROUP, {"type": "catalog.changed"})


async def watch(look: Callable[[], Awaitable[None]], *, poll_s: float) -> None:
    """Call `look` at every broadcast and at least every `poll_s`, for ever; without Redis by the poll alone."""
    while True:
        try:
            await _listen(look, poll_s=poll_s)
        except (RedisError, OSError) as error:
            log.warning("no broadcasts (%s); the catalog is polled every %.1f s", type(error).__name__, poll_s)
            await look()
            await asyncio.sleep(poll_s)


async def _listen(look: Callable[[], Awaitable[None]], *, poll_s: float) -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    # never cancelled between two looks: the layer would drop the channel and what arrives meanwhile
    receiving = asyncio.ensure_future(layer.receive(channel))
    try:
        while True:
            await look()
            done, _ = await asyncio.wait({receiving}, timeout=poll_s)
            if done:
                receiving.result()
                receiving = asyncio.ensure_future(layer.receive(channel))
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        # an error here would take the place of the cancellation that ends the watch
        with contextlib.suppress(RedisError, OSError):
            await layer.group_discard(GROUP, channel)


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────────
def read_version() -> int:
    return CatalogVersion.objects.values_list("version", flat=True).filter(id=1).first() or 0


def load_catalog(previous: Catalog) -> Catalog:
    """The present catalog; documents are read only for entries that `previous` does not hold."""
    # read before the rows: what is published meanwhile is loaded now and looked at once more
    version = read_version()
    live = dict(
        Dataset.objects.filter(status=Status.ACTIVE, deleted_at=None, live_entry__isnull=False).values_list(
            "name", "live_entry_id"
        )
    )
    kept = {name: spec for name, spec in previous.datasets.items() if live.get(name) == spec.entry_id}
    missing = [entry_id for name, entry_id in live.items() if name not in kept]
    entries = CatalogEntry.objects.filter(id__in=missing).select_related("dataset")
    loaded, faults = _parse_entries(entries, previous)
    settings, setting_faults = build_settings(_load_config())
    return Catalog(
        version=version,
        datasets={**kept, **loaded},
        keys=_load_keys(),
        settings=settings,
        faults=(*faults, *setting_faults),
    )


def _parse_entries(entries: Iterable[CatalogEntry], previous: Catalog) -> tuple[dict[str, DatasetSpec], list[str]]:
    """The readable ones, and a fault for each other: it stays as it was, and no other dataset suffers."""
    loaded: dict[str, DatasetSpec] = {}
    faults: list[str] = []
    for entry in entries:
        name = entry.dataset.name
        try:
            loaded[name] = parse_entry(entry)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            faults.append(f"the entry of {name} cannot be read ({type(error).__name__})")
            if name in previous.datasets:
                loaded[name] = previous.datasets[name]
    return loaded, faults


def _load_config() -> Mapping[str, Any]:  # Any: JSON
    return dict(SystemConfig.objects.values_list("key", "value"))


def _load_keys() -> dict[str, KeySpec]:
    keys = ApiKey.objects.filter(revoked_at=None).prefetch_related("datasets")
    return {key.prefix: build_key_spec(key) for key in keys}


def build_key_spec(key: ApiKey) -> KeySpec:
    return KeySpec(
        name=key.name,
        prefix=key.prefix,
        key_hash=key.key_hash,
        datasets=None
        if key.all_datasets
        else frozenset(granted.name for granted in key.datasets.all() if granted.deleted_at is None),
        owner=key.owner,
        organisation=key.organisation,
        expires_at=key.expires_at,
    )


def parse_entry(entry: CatalogEntry) -> DatasetSpec:
    """The value of a published entry; raises KeyError or TypeError for a document this version cannot read."""
    document = entry.document
    if document["format"] != FORMAT:
        raise KeyError(f"catalog entry {entry.pk} has format {document['format']}, this server reads {FORMAT}")
    return DatasetSpec(
        dataset_id=entry.dataset_id,
        entry_id=entry.pk,
        version=entry.version,
        connection_id=entry.connection_id,
        sealed_dsn=entry.connection,
        name=entry.dataset.name,
        database=entry.dataset.database,
        title=document["title"],
        description=document["description"],
        dataset_type=document["dataset_type"],
        data_category=document["data_category"],
        tables=parse_tables(document),
        use_cases=tuple(document["use_cases"]),
        date_column=document["date_column"],
        date_range=_parse_range(document["date_range"]),
        query_limits=document["query_limits"],
        design=document["design"],
        design_decision=document["design_decision"],
        personal_data=document["personal_data"],
        policies=Policies.model_validate(document.get("policies") or {}),
        merges=_parse_merges(document.get("merges")),
        additions=document_additions(document),
        survey_design=_parse_survey_design(document),
        personas=_parse_personas(document.get("personas", {})),
    )


def document_additions(document: Document) -> Additions:
    """Absent from documents of earlier versions, which say nothing of these: the rest must stay readable."""
    return parse_additions(document.get("additions", {}))


def parse_tables(document: Document) -> tuple[TableSpec, ...]:
    unusable = build_vocabulary(document_additions(document)).unusable_types
    looked_behind = "additions" in document
    return tuple(_parse_table(table, unusable, looked_behind=looked_behind) for table in document["tables"])


def _parse_survey_design(document: Document) -> SurveyDesign | None:
    """A confirmed design that cannot be read makes the entry a fault: without it every answer would be unweighted."""
    if document["design_decision"] != DesignDecision.CONFIRMED:
        return None
    return parse_published_design(document["survey_design"])


def _parse_personas(document: Document) -> Mapping[str, tuple[Condition, ...]]:
    # jsonb keeps no order of its keys
    names = sorted(document, key=str.casefold)
    try:
        return {name: parse_conditions(document[name]) for name in names}
    except InvalidRequest as error:
        raise ValueError("a persona cannot be read") from error


def _parse_range(value: list[str] | None) -> tuple[str, str] | None:
    return (value[0], value[1]) if value else None


def _parse_merges(value: Document | None) -> Mapping[str, Mapping[str, tuple[str, ...]]] | None:
    if value is None:
        return None
    return {column: {name: tuple(group) for name, group in classes.items()} for column, classes in value.items()}


def _parse_table(document: Document, unusable: Collection[str], *, looked_behind: bool) -> TableSpec:
    definitions = tuple(document.get("definitions", ()))
    if document["kind"] == "view" and not looked_behind:
        definitions = (UNREAD,)
    return TableSpec(
        schema=document["schema"],
        name=document["name"],
        kind=document["kind"],
        columns=tuple(_parse_column(column, unusable) for column in document["columns"]),
        primary_key=tuple(document["primary_key"]),
        unique_keys=tuple(tuple(key) for key in document["unique_keys"]),
        foreign_keys=tuple(_parse_foreign_key(key) for key in document["foreign_keys"]),
        description=document["description"],
        row_estimate=document["row_estimate"],
        definitions=definitions,
        routines=tuple((schema, name) for schema, name in document.get("routines", ())),
    )


def _parse_column(document: Document, unusable: Collection[str]) -> ColumnSpec:
    column = ColumnSpec(**document)
    # showing or comparing a value of such a type runs what nobody approved
    return replace(column, visible=False) if plain_type(column.type) in unusable else column


def plain_type(written: str) -> str:
    """A type without its modifier and array brackets: `public.geometry(Point,4326)[]` is `public.geometry`."""
    without = QUOTED_OR_MODIFIER.sub(lambda found: found[0] if found[0].startswith('"') else "", written)
    return without.removesuffix("[]")


def _parse_foreign_key(document: Document) -> ForeignKey:
    return ForeignKey(
        columns=tuple(document["columns"]),
        references_schema=document["references_schema"],
        references_table=document["references_table"],
        references_columns=tuple(document["references_columns"]),
    )
