"""The pipeline on one screen: a request becomes a plan, a plan a result, and every outcome a record."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from config.errors import (
    AccessError,
    CatalogError,
    DatasetNotFound,
    GatewayError,
    InternalError,
    QueryTimeout,
    RequestError,
    TableNotFound,
)
from datasets.access import Principal, may_see, visible_datasets
from datasets.catalog import Catalog, DatasetSpec, TableSpec
from logs_analytics.records import Client, Outcome, Record, new_id
from querying.cache import Kept
from querying.context import render_dataset_list, render_description
from querying.engine import Engine
from querying.results import QueryResult, Rendered
from querying.sql.limit import limit_of
from querying.sql.plan import QueryPlan, QueryRequest
from querying.tokens import estimate_tokens

T = TypeVar("T")
REFUSALS = (AccessError, CatalogError, RequestError)
NOTHING_SHOWN = Rendered("", 0, 0)
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
    max_tokens: int | None = None  # of the answer; the setting's where it is None


@dataclass(slots=True)
class Progress:
    """What is known of one question so far, so that a failure can be recorded with all of it."""

    plan: QueryPlan | None = None
    kept: Kept | None = None
    age_s: float | None = None
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

    `id` is the row in the query log, `sql` what was asked where SQL was asked. `shown` is the text and what of the
    value is in it; `age_s` is the age of a result that was kept from an earlier question.
    """

    id: UUID
    outcome: Outcome
    catalog_version: int
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    dataset: str = ""
    sql: str = ""
    label: str = ""
    datasets: tuple[str, ...] = ()  # of an answer that is made of others
    plan: QueryPlan | None = None
    value: T | None = None
    kept: Kept | None = None
    shown: Rendered = NOTHING_SHOWN
    age_s: float | None = None
    error: GatewayError | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.shown.text


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a question of a batch waits for its place, the loop time at which it ends, the bytes that it may read."""

    place: Callable[[], AbstractAsyncContextManager[object]] = contextlib.nullcontext
    until: float | None = None
    max_bytes: int | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(self.until), self.place():
                yield
        except TimeoutError:
            raise QueryTimeout("The time of the whole batch was over.", hint="Ask fewer or lighter queries.") from None


Work = Callable[[Progress], Awaitable[tuple[T, Rendered]]]


# ── the questions ────────────────────────────────────────────────────────────────────────────────────────────
async def answer(call: Call, requests: Sequence[QueryRequest], *, engine: Engine) -> tuple[Answer[QueryResult], ...]:
    """Answer every request side by side; one failure never cancels another."""
    catalog = engine.catalog  # read once: every query of a call sees the same version

    async def answer_one(request: QueryRequest) -> Answer[QueryResult]:
        return await record(call, await attempt_query(call, request, catalog, engine), engine=engine)

    return tuple(await asyncio.gather(*map(answer_one, requests)))


async def attempt_query(
    call: Call, request: QueryRequest, catalog: Catalog, engine: Engine, *, gate: Gate | None = None
) -> Answer[QueryResult]:
    """The outcome of one question, not yet in the log."""
    gate = gate or Gate()

    async def work(progress: Progress) -> tuple[QueryResult, Rendered]:
        dataset = find_dataset(call.principal, catalog, request.dataset)
        with progress.stage("plan"):
            plan = await engine.plan(request, dataset=dataset, principal=call.principal, settings=catalog.settings)
        progress.plan = plan
        async with gate.open():
            with progress.stage("execute"):
                progress.kept, progress.age_s = await engine.run(
                    plan,
                    dataset=dataset,
                    principal=call.principal,
                    settings=catalog.settings,
                    until=gate.until,
                    max_bytes=gate.max_bytes,
                )
        with progress.stage("render"):
            return progress.kept.result, show_result(call, progress.kept, request.dataset, catalog)

    return await attempt(
        call, work, engine=engine, catalog=catalog, dataset=request.dataset, sql=request.sql, label=request.label
    )


def show_result(call: Call, kept: Kept, dataset: str, catalog: Catalog, *, max_tokens: int | None = None) -> Rendered:
    """The result in the form that the call asks for, within its token budget."""
    spec = catalog.datasets.get(dataset)
    asked = max_tokens or call.max_tokens or limit_of("answer_tokens", spec, catalog.settings)
    digits = limit_of("significant_digits", spec, catalog.settings)
    return kept.render(call.response_format, max_tokens=asked, digits=digits)


async def list_datasets(call: Call, *, engine: Engine) -> Answer[tuple[DatasetSpec, ...]]:
    """The datasets that this caller may see."""
    catalog = engine.catalog

    async def work(_: Progress) -> tuple[tuple[DatasetSpec, ...], Rendered]:
        datasets = visible_datasets(call.principal, catalog)
        return datasets, as_rendered(render_dataset_list(datasets))

    return await settle(call, work, engine=engine, catalog=catalog)


async def describe_dataset(
    call: Call, name: str, *, tables: Sequence[str] = (), engine: Engine
) -> Answer[tuple[TableSpec, ...]]:
    """The tables and visible columns of a dataset, or of those of its tables that are named."""
    catalog = engine.catalog

    async def work(_: Progress) -> tuple[tuple[TableSpec, ...], Rendered]:
        found = find_dataset(call.principal, catalog, name)
        dataset = engine.planner.see(found, call.principal, catalog.settings)
        chosen = choose_tables(dataset, tables)
        return chosen, as_rendered(render_description(dataset, chosen))

    return await settle(call, work, engine=engine, catalog=catalog, dataset=name)


async def refuse(call: Call, error: GatewayError, *, engine: Engine) -> Answer[None]:
    """Record a call that a door could not even parse, so that it is in the log like every other."""

    async def work(_: Progress) -> tuple[None, Rendered]:
        raise error

    return await settle(call, work, engine=engine, catalog=engine.catalog)


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────
async def settle(call: Call, work: Work[T], *, engine: Engine, catalog: Catalog, dataset: str = "") -> Answer[T]:
    """Do the work of one question and record its outcome."""
    return await record(call, await attempt(call, work, engine=engine, catalog=catalog, dataset=dataset), engine=engine)


async def attempt(
    call: Call, work: Work[T], *, engine: Engine, catalog: Catalog, dataset: str = "", sql: str = "", label: str = ""
) -> Answer[T]:
    """Do the work of one question; what came of it is for `record`, unless its caller leaves meanwhile."""
    identifier, moment = new_id()
    progress = Progress()
    made: Answer[T] = Answer(identifier, Outcome.FAILED, catalog.version, moment, dataset, sql, label)
    try:
        with progress.stage("total"):
            value, shown = await work(progress)
        made = replace(made, outcome=Outcome.ANSWERED, value=value, kept=progress.kept, shown=shown)
    except asyncio.CancelledError:
        made = replace(made, outcome=Outcome.CANCELLED, plan=progress.plan, timings_ms=progress.timings_ms)
        with contextlib.suppress(GatewayError):  # nobody waits for this answer any more
            await asyncio.shield(engine.record(build_record(call, made)))
        raise
    except Exception as error:  # one answer: whatever went wrong here is this question's outcome and no other's
        made = replace(made, outcome=_outcome_of(error), error=_as_gateway_error(error))
    return replace(made, plan=progress.plan, age_s=progress.age_s, timings_ms=progress.timings_ms)


async def record(call: Call, made: Answer[T], *, engine: Engine) -> Answer[T]:
    """The answer, once it is in the log: the one place where that happens. What cannot be logged is withheld."""
    try:
        await engine.record(build_record(call, made))
    except GatewayError as error:
        return replace(made, outcome=Outcome.FAILED, value=None, kept=None, shown=NOTHING_SHOWN, error=error)
    return made


def as_rendered(text: str) -> Rendered:
    return Rendered(text, 0, estimate_tokens(text))


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


def build_record(call: Call, made: Answer[T]) -> Record:
    plan, error, shown = made.plan, made.error, made.shown
    return replace(
        _base_record(call, made.id, made.moment),
        outcome=made.outcome,
        query_text=made.sql,
        sql_executed=plan.sql if plan else "",
        fingerprint=plan.fingerprint if plan else "",
        query_type=plan.query_type if plan else "" if made.sql else call.tool[:20],
        datasets=made.datasets or ((made.dataset,) if made.dataset else ()),
        catalog_version=made.catalog_version,
        error_code=error.code if error else "",
        error_text=error.message if error else "",
        row_count=shown.rows,
        answer_bytes=len(shown.text.encode()),
        answer_tokens=shown.tokens,
        truncated=bool(shown.truncated_by),
        cached=made.age_s is not None,
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
