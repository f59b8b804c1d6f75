"""Up to 30 questions in one call: side by side, within one token budget, and beyond the patience of a client.

What is not done when a client would give up goes on, and is handed out later under a handle.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from django.conf import settings as django_settings

from config.errors import (
    BatchTooLarge,
    DatasetNotFound,
    HoldingUnavailable,
    InvalidRequest,
    QueryFailed,
    ResultLost,
    ResultNotFound,
)
from datasets.catalog import Catalog
from logs_analytics.records import Outcome, new_id
from querying.cache import Kept
from querying.combine import combine
from querying.engine import Engine
from querying.evidence import smallest
from querying.handles import Held
from querying.held_answers import dump_answer, load_answer
from querying.results import QueryResult, Rendered
from querying.services import (
    NOTHING_SHOWN,
    Answer,
    Call,
    Gate,
    Progress,
    attempt,
    attempt_query,
    find_dataset,
    record,
    settle,
    show_result,
)
from querying.sql.combined import check_label
from querying.sql.plan import QueryPlan, QueryRequest
from querying.sql.raw_rows import AGGREGATED

MOST_QUERIES: Final = 30
COMBINED: Final = "combine"  # the label of what is made of the others
BEAT_S: Final = 4.0
CANCEL_TIMEOUT_S: Final = 5.0
NOT_KEPT: Final = "What was not done in time was cancelled, since results cannot be kept at the moment: ask it again."
MIXED: Final = "mixed"
BATCH_BYTES: Final = 32_000_000  # all results of one call in memory
LEAST_BYTES: Final = 1_000_000
Outcomes = tuple[Answer[QueryResult], ...]
Report = Callable[[int, int], Awaitable[None]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions with labels, and what to make of their results in SQL over the labels, if anything."""

    requests: tuple[QueryRequest, ...]
    combine: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        asked = tuple(request.label for request in self.requests)
        return (*asked, COMBINED) if self.combine else asked


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What is done, in the order asked; `pending` labels can be had under the handle, if there is one."""

    answers: Outcomes
    pending: tuple[str, ...] = ()
    handle: str = ""
    note: str = ""

    @property
    def tokens(self) -> int:
        return sum(answer.shown.tokens for answer in self.answers)


def build_batch(requests: Sequence[QueryRequest], *, combine: str = "") -> Batch:
    """The batch, with a label for each question; raises `InvalidRequest` or `BatchTooLarge`."""
    if not requests:
        raise InvalidRequest("There is no query in the batch.", hint=f"Send 1 to {MOST_QUERIES} queries.")
    if len(requests) > MOST_QUERIES:
        raise BatchTooLarge(f"{len(requests)} queries were sent; {MOST_QUERIES} at most run in one call.")
    labelled = tuple(
        request if request.label else replace(request, label=f"q{position}")
        for position, request in enumerate(requests, start=1)
    )
    labels = [request.label for request in labelled]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InvalidRequest(
            f"The label {', '.join(twice)} stands for more than one query.", hint="Give each query a label of its own."
        )
    for label in labels:
        if label == COMBINED:
            raise InvalidRequest(f"{COMBINED} is the label of the combined result.", hint="Choose another label.")
        check_label(label)
    return Batch(labelled, combine.strip())


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────
async def answer_batch(call: Call, batch: Batch, *, engine: Engine, report: Report | None = None) -> BatchAnswer:
    """Every question's outcome, or those that are done in time and a handle for the rest."""
    running = Running(call, batch, engine, report)
    task = engine.go_on(running.work(), "batch")
    try:
        await asyncio.wait({task}, timeout=django_settings.BATCH_ANSWER_MS / 1000)
        if not task.done():
            return await _hand_over(running, task)
        task.result()
        return BatchAnswer(await running.deliver())
    except asyncio.CancelledError:
        engine.go_on(running.abandon(task), "abandoned batch")  # its caller has left
        raise


async def _hand_over(running: Running, task: asyncio.Task[None]) -> BatchAnswer:
    """The first part of the answer; the rest goes on under a handle, or ends here where nothing can be kept."""
    engine, pending = running.engine, running.hold_back()
    head = json.dumps({"pending": pending, "catalog_version": running.catalog.version}).encode()
    try:
        handle = await engine.held.open(running.call.principal.name, head)
    except HoldingUnavailable:
        running.release("")
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_TIMEOUT_S)
        answers = await running.deliver()
        done = {answer.label for answer in answers}
        return BatchAnswer(answers, tuple(label for label in pending if label not in done), note=NOT_KEPT)
    running.release(handle)
    engine.go_on(_see_through(task, handle, engine), "held batch")
    return BatchAnswer(await running.deliver(), pending, handle)


async def _see_through(task: asyncio.Task[None], handle: str, engine: Engine) -> None:
    """Say every few seconds that somebody is still at it, then that it is finished."""
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=BEAT_S)
            await engine.held.beat(handle)
        await engine.held.finish(handle)
    except (HoldingUnavailable, ResultNotFound):
        log.warning("a batch can no longer be kept for its caller")
        task.cancel()


class Running:
    """One batch on its way: what is done is ready for its caller, or held once the caller has a handle."""

    def __init__(self, call: Call, batch: Batch, engine: Engine, report: Report | None) -> None:
        self.call = call
        self.batch = batch
        self.engine = engine
        self.catalog: Catalog = engine.catalog  # read once: every query of a call sees the same version
        self._handle: asyncio.Future[str] | None = None
        self._report = report
        self._results: dict[str, Answer[QueryResult]] = {}
        self._ready: dict[str, Answer[QueryResult]] = {}
        self._held_back: dict[str, Answer[QueryResult]] = {}
        self._finished = 0
        self._end = asyncio.get_running_loop().time() + django_settings.BATCH_TIMEOUT_MS / 1000
        self._max_bytes = max(LEAST_BYTES, BATCH_BYTES // len(batch.requests))
        self._places = asyncio.Semaphore(self.catalog.settings.query_limits.parallel_queries)
        self._per_dataset: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(engine.pools.caller_size)
        )

    async def work(self) -> None:
        await asyncio.gather(*(self._ask(request) for request in self.batch.requests))
        if self.batch.combine:
            await self._finish(await self._combine())

    async def _ask(self, request: QueryRequest) -> None:
        gate = Gate(partial(self._place, request.dataset), self._end, self._max_bytes)
        made = await attempt_query(self.call, request, self.catalog, self.engine, gate=gate)
        if self.batch.combine and made.kept is not None:
            # what is made of it is shown in its place
            made = replace(made, shown=Rendered("", len(made.kept.result.cells), 0, made.kept.result.truncated_by))
        self._results[request.label] = made
        await self._finish(made)

    @asynccontextmanager
    async def _place(self, dataset: str) -> AsyncIterator[None]:
        # no more at once than this caller has connections there: the others would only wait in front of theirs
        async with self._per_dataset[dataset], self._places:
            yield

    async def _finish(self, made: Answer[QueryResult]) -> None:
        self._finished += 1
        if self._handle is None:
            self._ready[made.label] = made
            if self._report is not None:
                await self._report(self._finished, len(self.batch.labels))
            return
        self._held_back[made.label] = made
        handle = await self._handle
        if handle:
            del self._held_back[made.label]
            await self._hold(made, handle)

    def hold_back(self) -> tuple[str, ...]:
        """From now on what gets done waits for `release`; the labels of what is not done yet."""
        self._handle = asyncio.get_running_loop().create_future()
        return tuple(label for label in self.batch.labels if label not in self._ready)

    def release(self, handle: str) -> None:
        """What gets done is held under this handle, or left for `deliver` where it is empty."""
        if self._handle is not None and not self._handle.done():
            self._handle.set_result(handle)

    async def abandon(self, task: asyncio.Task[None]) -> None:
        """Stop what runs; what is done already is on the record, although nobody gets it."""
        self.release("")
        task.cancel()
        await asyncio.wait({task})
        for made in [*self._ready.values(), *self._held_back.values()]:
            undelivered = replace(made, outcome=Outcome.CANCELLED, shown=NOTHING_SHOWN)
            await record(self.call, undelivered, engine=self.engine)

    async def _hold(self, made: Answer[QueryResult], handle: str) -> None:
        made = await record(self.call, made, engine=self.engine)
        try:
            await self.engine.held.put(handle, made.label, dump_answer(made))
        except (HoldingUnavailable, ResultNotFound) as error:
            log.warning("an answer could not be kept for its caller (%s)", error.code)

    async def deliver(self) -> Outcomes:
        """What is done and not yet with the caller, within one token budget and in the log."""
        without_handle = self._handle is not None and not self._handle.result()
        ready = {**self._ready, **self._held_back} if without_handle else self._ready
        self._ready = {}
        ordered = [ready[label] for label in self.batch.labels if label in ready]
        if any(answer.label == COMBINED and answer.error for answer in ordered):
            ordered = [self._shown_after_all(answer) for answer in ordered]
        fitted = share_tokens(self.call, ordered, catalog=self.catalog)
        # shielded: who leaves now does not take the records along
        return await asyncio.shield(self._record_all(fitted))

    async def _record_all(self, answers: Outcomes) -> Outcomes:
        return tuple(await asyncio.gather(*(record(self.call, made, engine=self.engine) for made in answers)))

    def _shown_after_all(self, made: Answer[QueryResult]) -> Answer[QueryResult]:
        if made.kept is None:
            return made
        return replace(made, shown=show_result(self.call, made.kept, made.dataset, self.catalog))

    # ── what is made of the results ──────────────────────────────────────────────────────────────────────────
    async def _combine(self) -> Answer[QueryResult]:
        async def work(progress: Progress) -> tuple[QueryResult, Rendered]:
            inputs = inputs_of(self._results.values())
            max_rows = self.catalog.settings.query_limits.aggregated_rows
            progress.plan = plan_combined(self.batch, self._results, max_rows)
            with progress.stage("execute"):
                left_s = max(0.1, self._end - asyncio.get_running_loop().time())
                timeout_s = min(left_s, django_settings.QUERY_TIMEOUT_MS / 1000)
                result = await combine(
                    self.batch.combine,
                    inputs,
                    max_rows=max_rows,
                    timeout_s=timeout_s,
                    max_bytes=django_settings.QUERY_MAX_BYTES,
                )
            progress.kept = Kept(result)
            with progress.stage("render"):
                return result, show_result(self.call, progress.kept, "", self.catalog)

        made = await attempt(
            self.call, work, engine=self.engine, catalog=self.catalog, sql=self.batch.combine, label=COMBINED
        )
        return replace(made, datasets=tuple(sorted({request.dataset for request in self.batch.requests})))


def inputs_of(answers: Iterable[Answer[QueryResult]]) -> Mapping[str, QueryResult]:
    """The results by label; raises `QueryFailed` where one is missing: half of a ratio is no ratio."""
    answers = list(answers)
    failed = [f"{answer.label} ({answer.error.code})" for answer in answers if answer.error]
    if failed:
        raise QueryFailed(
            f"combine was not run: {', '.join(failed)} did not answer.",
            hint="Correct these queries and send the batch again.",
        )
    return {answer.label: answer.value for answer in answers if answer.value is not None}


def plan_combined(batch: Batch, results: Mapping[str, Answer[QueryResult]], max_rows: int) -> QueryPlan:
    """What is known of a combined result: weighted only as its inputs all are."""
    plans = [answer.plan for answer in results.values() if answer.plan is not None]
    weightings = {plan.weighting for plan in plans}
    cut = [label for label, answer in results.items() if answer.value is not None and answer.value.truncated]
    warnings = [f"{label} was cut at its limit before it was combined." for label in cut]
    warnings += weakest_base(results)
    warnings += dict.fromkeys(warning for plan in plans for warning in plan.warnings)
    return QueryPlan(
        sql=batch.combine,
        fingerprint="",
        query_type=AGGREGATED,
        weighting=weightings.pop() if len(weightings) == 1 else MIXED,
        max_rows=max_rows,
        tables=(),
        warnings=tuple(warnings),
    )


def weakest_base(results: Mapping[str, Answer[QueryResult]]) -> list[str]:
    """How few persons stand behind some number that was combined."""
    values = {label: answer.value for label, answer in results.items() if answer.value is not None}
    bases = {label: smallest([smallest(row) for row in value.bases]) for label, value in values.items()}
    weakest = smallest(list(bases.values()))
    if weakest is None:
        return []
    label = next(label for label, base in bases.items() if base is weakest)
    if weakest.withheld:
        return [f"Numbers of {label} are withheld (NULL): too few persons."]
    return [f"The smallest base of its inputs: {weakest.n:,} {weakest.flag}".rstrip() + f" ({label})."]


# ── one token budget ─────────────────────────────────────────────────────────────────────────────────────────
def share_tokens(call: Call, answers: Sequence[Answer[QueryResult]], *, catalog: Catalog) -> Outcomes:
    """Small answers stay whole, large ones are cut to the same size, so that all fit together."""
    budget = call.max_tokens or catalog.settings.query_limits.answer_tokens
    share = fair_share([answer.shown.tokens for answer in answers], budget)
    return tuple(
        replace(answer, shown=show_result(call, answer.kept, answer.dataset, catalog, max_tokens=share))
        if answer.kept is not None and answer.shown.tokens > share
        else answer
        for answer in answers
    )


def fair_share(sizes: Sequence[int], budget: int) -> int:
    """The largest size that each may have when none takes more than it needs: fair_share([1, 5, 9], 10) is 4."""
    left, share = budget, budget
    for position, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - position)
        if size > share:
            return max(1, share)
        left -= size
    return max(share, budget)


# ── fetching the rest ────────────────────────────────────────────────────────────────────────────────────────
async def fetch_rest(call: Call, handle: str, *, engine: Engine) -> Answer[BatchAnswer]:
    """What was not done when a batch was answered, once it is finished or the time to answer is over again."""
    catalog = engine.catalog

    async def work(progress: Progress) -> tuple[BatchAnswer, Rendered]:
        with progress.stage("wait"):
            wait_s = django_settings.BATCH_ANSWER_MS / 1000
            held = await engine.held.wait(handle, owner=call.principal.name, timeout_s=wait_s)
        made = read_held(call, held, handle, catalog)
        text = "\n".join(answer.text for answer in made.answers)
        return made, Rendered(text, sum(answer.shown.rows for answer in made.answers), made.tokens)

    return await settle(call, work, engine=engine, catalog=catalog)


def read_held(call: Call, held: Held, handle: str, catalog: Catalog) -> BatchAnswer:
    """The answers under a handle, as this caller may see them now."""
    head = json.loads(held.head)
    found = {label: load_answer(payload) for label, payload in held.items.items()}
    over = held.finished or held.abandoned
    lost = {label for label in head["pending"] if label not in found and (over or label in held.lost)}
    answers = [
        build_lost(label, head["catalog_version"]) if label in lost else as_visible(call, found[label], catalog)
        for label in head["pending"]
        if label in lost or label in found
    ]
    shown = [replace(one, shown=show_kept(call, one, catalog)) for one in answers]
    pending = tuple(label for label in head["pending"] if label not in found and label not in lost)
    return BatchAnswer(share_tokens(call, shown, catalog=catalog), pending, handle if pending else "")


def show_kept(call: Call, answer: Answer[QueryResult], catalog: Catalog) -> Rendered:
    return show_result(call, answer.kept, answer.dataset, catalog) if answer.kept else answer.shown


def build_lost(label: str, catalog_version: int) -> Answer[QueryResult]:
    identifier, moment = new_id()
    error = ResultLost(f"The answer to {label} could not be kept: it is too large, or its server process stopped.")
    return Answer(identifier, Outcome.FAILED, catalog_version, moment, label=label, error=error)


def as_visible(call: Call, answer: Answer[QueryResult], catalog: Catalog) -> Answer[QueryResult]:
    """A dataset that was taken away meanwhile takes its answers along."""
    try:
        if answer.dataset and answer.kept is not None:
            find_dataset(call.principal, catalog, answer.dataset)
    except DatasetNotFound as error:
        return replace(answer, outcome=Outcome.REFUSED, value=None, kept=None, error=error)
    return answer
