"""The pipeline on one screen: a request becomes a plan, a plan a result, and every outcome a record."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.conf import settings

from config.errors import (
    AccessError,
    CatalogError,
    DatasetNotFound,
    GatewayError,
    InternalError,
    RequestError,
    TableNotFound,
)
from datasets.access import Principal, may_see, visible_datasets
from datasets.catalog import Catalog, DatasetSpec, TableSpec
from logs_analytics.records import Client, Outcome, Record, new_id
from querying.context import render_dataset_list, render_description
from querying.engine import Engine
from querying.executor import execute
from querying.results import RENDERERS, QueryResult
from querying.sql.plan import QueryPlan, QueryRequest
from querying.tokens import estimate_tokens

T = TypeVar("T")
REFUSALS = (AccessError, CatalogError, RequestError)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, through which door, and how the answer will be shown."""

    principal: Principal
    door: str
    tool: str
    client: Client = field(default_factory=Client)
    request_id: str = ""
    session: str = ""
    address: str = ""
    response_format: str = "markdown"


@dataclass(slots=True)
class Progress:
    """What is known of one question so far, so that a failure can be recorded with all of it."""

    plan: QueryPlan | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[name] = round((time.perf_counter() - start) * 1000, 3)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The outcome of one question: a value and its text, or an error; never both, never neither.

    `id` is the row in the query log, `sql` what was asked where SQL was asked.
    """

    id: UUID
    outcome: Outcome
    catalog_version: int
    dataset: str = ""
    sql: str = ""
    plan: QueryPlan | None = None
    value: T | None = None
    text: str = ""
    error: GatewayError | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)


Work = Callable[[Progress], Awaitable[tuple[T, str]]]


# ── the questions ────────────────────────────────────────────────────────────────────────────────────────────
async def answer(call: Call, requests: Sequence[QueryRequest], *, engine: Engine) -> tuple[Answer[QueryResult], ...]:
    """Answer every request side by side; one failure never cancels another."""
    catalog = engine.catalog  # read once: every query of a call sees the same version
    return tuple(await asyncio.gather(*(_answer_query(call, request, catalog, engine) for request in requests)))


async def _answer_query(call: Call, request: QueryRequest, catalog: Catalog, engine: Engine) -> Answer[QueryResult]:
    async def work(progress: Progress) -> tuple[QueryResult, str]:
        dataset = find_dataset(call.principal, catalog, request.dataset)
        with progress.stage("plan"):
            plan = await engine.plan(request, dataset=dataset, principal=call.principal, settings=catalog.settings)
        progress.plan = plan
        with progress.stage("execute"):
            result = await execute(
                plan,
                dataset=dataset,
                pools=engine.pools,
                max_bytes=settings.QUERY_MAX_BYTES,
                timeout_ms=settings.QUERY_TIMEOUT_MS,
            )
        with progress.stage("render"):
            return result, RENDERERS[call.response_format](result)

    return await _settle(call, work, engine=engine, catalog=catalog, dataset=request.dataset, sql=request.sql)


async def list_datasets(call: Call, *, engine: Engine) -> Answer[tuple[DatasetSpec, ...]]:
    """The datasets that this caller may see."""
    catalog = engine.catalog

    async def work(_: Progress) -> tuple[tuple[DatasetSpec, ...], str]:
        datasets = visible_datasets(call.principal, catalog)
        return datasets, render_dataset_list(datasets)

    return await _settle(call, work, engine=engine, catalog=catalog)


async def describe_dataset(
    call: Call, name: str, *, tables: Sequence[str] = (), engine: Engine
) -> Answer[tuple[TableSpec, ...]]:
    """The tables and visible columns of a dataset, or of those of its tables that are named."""
    catalog = engine.catalog

    async def work(_: Progress) -> tuple[tuple[TableSpec, ...], str]:
        found = find_dataset(call.principal, catalog, name)
        dataset = engine.planner.see(found, call.principal, catalog.settings)
        chosen = choose_tables(dataset, tables)
        return chosen, render_description(dataset, chosen)

    return await _settle(call, work, engine=engine, catalog=catalog, dataset=name)


async def refuse(call: Call, error: GatewayError, *, engine: Engine) -> Answer[None]:
    """Record a call that a door could not even parse, so that it is in the log like every other."""

    async def work(_: Progress) -> tuple[None, str]:
        raise error

    return await _settle(call, work, engine=engine, catalog=engine.catalog)


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────
async def _settle(
    call: Call, work: Work[T], *, engine: Engine, catalog: Catalog, dataset: str = "", sql: str = ""
) -> Answer[T]:
    """Do the work of one question and record its outcome: the one place where that happens."""
    identifier, moment = new_id()
    progress = Progress()
    made: Answer[T] = Answer(identifier, Outcome.FAILED, catalog.version, dataset, sql)
    try:
        with progress.stage("total"):
            value, text = await work(progress)
        made = replace(made, outcome=Outcome.ANSWERED, value=value, text=text)
    except asyncio.CancelledError:
        made = replace(made, outcome=Outcome.CANCELLED, plan=progress.plan, timings_ms=progress.timings_ms)
        with contextlib.suppress(GatewayError):  # nobody waits for this answer any more
            await asyncio.shield(engine.record(_build_record(call, made, moment)))
        raise
    except Exception as error:  # one answer: whatever went wrong here is this question's outcome and no other's
        made = replace(made, outcome=_outcome_of(error), error=_as_gateway_error(error))
    return await _record(call, replace(made, plan=progress.plan, timings_ms=progress.timings_ms), moment, engine)


def find_dataset(principal: Principal, catalog: Catalog, name: str) -> DatasetSpec:
    """The dataset of that name; one that is absent and one that is not yours look the same."""
    dataset = catalog.datasets.get(name)
    if dataset is None or not may_see(principal, name):
        raise DatasetNotFound(f"There is no dataset named {name!r}.")
    return dataset


def choose_tables(dataset: DatasetSpec, names: Sequence[str]) -> tuple[TableSpec, ...]:
    """The tables named `table` or `schema.table`, all of them where none is named; raises `TableNotFound`."""
    chosen = [table for table in dataset.tables if not names or {table.name, table.qualified_name} & set(names)]
    known = {name for table in dataset.tables for name in (table.name, table.qualified_name)}
    unknown = [name for name in names if name not in known]
    if unknown:
        near = [match for name in unknown for match in difflib.get_close_matches(name, sorted(known), n=2)]
        hint = f"Nearest: {', '.join(near)}." if near else TableNotFound.default_hint
        raise TableNotFound(f"{dataset.name} has no table named {', '.join(unknown)}.", hint=hint)
    return tuple(chosen)


def _outcome_of(error: Exception) -> Outcome:
    return Outcome.REFUSED if isinstance(error, REFUSALS) else Outcome.FAILED


def _as_gateway_error(error: Exception) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    log.exception("unexpected failure", exc_info=error)
    return InternalError("Something went wrong inside the server.")


async def _record(call: Call, made: Answer[T], moment: datetime, engine: Engine) -> Answer[T]:
    """The answer, once it is in the log; an answer that cannot be logged is withheld."""
    try:
        await engine.record(_build_record(call, made, moment))
    except GatewayError as error:
        return replace(made, outcome=Outcome.FAILED, value=None, text="", error=error)
    return made


def _build_record(call: Call, made: Answer[T], moment: datetime) -> Record:
    plan, error = made.plan, made.error
    result = made.value if isinstance(made.value, QueryResult) else None
    return replace(
        _base_record(call, made.id, moment),
        outcome=made.outcome,
        query_text=made.sql,
        sql_executed=plan.sql if plan else "",
        fingerprint=plan.fingerprint if plan else "",
        query_type=plan.query_type if plan else "" if made.sql else call.tool[:20],
        datasets=(made.dataset,) if made.dataset else (),
        catalog_version=made.catalog_version,
        error_code=error.code if error else "",
        error_text=error.message if error else "",
        row_count=len(result.rows) if result else 0,
        answer_bytes=len(made.text.encode()),
        answer_tokens=estimate_tokens(made.text),
        truncated=result.truncated if result else False,
        weighting=plan.weighting if plan else "",
        weight_column=plan.weight_column if plan else "",
        total_ms=made.timings_ms.get("total", 0.0),
        timings_ms={stage: ms for stage, ms in made.timings_ms.items() if stage != "total"},
    )


def _base_record(call: Call, identifier: UUID, moment: datetime) -> Record:
    return Record(
        id=identifier,
        created_at=moment,
        door=call.door,
        tool=call.tool,
        outcome=Outcome.ANSWERED,
        request_id=call.request_id,
        response_format=call.response_format,
        person=call.principal.person,
        api_key=call.principal.key,
        organisation=call.principal.organisation,
        client=call.client,
        session=call.session,
        address=call.address,
    )
