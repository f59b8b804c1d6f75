"""A question without SQL: composed, sent down the pipeline as a caller's SQL, answered once and recorded once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from config.errors import BaseUnknown, RequestError, WeightingUnsupported
from datasets.catalog import Catalog, DatasetSpec
from datasets.design import SUPPRESS
from querying.analysis.answers import Grid, Ran, build_grid, last_values, with_letters, without_tellers
from querying.analysis.compose import (
    BASE,
    BASE_BEFORE,
    BEFORE,
    EVERYBODY,
    EVERYBODY_BEFORE,
    REACHED,
    REACHED_BEFORE,
    VALUE,
    Output,
    Scene,
    Statement,
    build_scene,
    compose,
    compose_ends,
    compose_pairs,
    one_side,
    without_last_group,
)
from querying.analysis.fields import fields_of
from querying.analysis.periods import Days, resolve_timing, tells_time
from querying.analysis.question import Question, invalid
from querying.analysis.reading import Asked, read_question
from querying.analysis.rendering import Analysis, document_of, render_analysis
from querying.engine import Engine
from querying.results import Rendered, dump_json
from querying.services import Answer, Call, Progress, T, attempt, find_dataset, record
from querying.sql.limit import limit_of
from querying.sql.plan import QueryPlan, QueryRequest

ANALYZE: Final = "analyze"
PLACE: Final = re.compile(r" \(line \d+, column \d+\)")
WITH_BASES: Final = 'Leave "weighting": "off" away: unweighted numbers do not tell their base.'
AT_ONCE: Final = 4  # statements of one question, so that others are answered, too
MOST_LETTERED: Final = 10
MOST_DIFFERENCES: Final = 150
NOTHING_SENT: Final = QueryPlan(sql="", fingerprint="", query_type=ANALYZE, weighting="", max_rows=0, tables=())
# a side of its own is the current one to who composes it
OF_THE_OTHER: Final = {VALUE: BEFORE, BASE: BASE_BEFORE, REACHED: REACHED_BEFORE, EVERYBODY: EVERYBODY_BEFORE}


async def analyze(call: Call, question: Question, *, engine: Engine) -> Answer[Analysis]:
    """The answer to a question without SQL, recorded once, whatever came of it."""
    catalog = engine.catalog

    async def work(progress: Progress) -> tuple[Analysis, Rendered]:
        progress.plan = NOTHING_SENT
        asking = Asking(
            call, question, find_dataset(call.principal, catalog, question.dataset), catalog, engine, progress
        )
        return await asking.answer()

    asked = dump_json(document_of(question))
    return await record(
        call,
        await attempt(call, work, engine=engine, catalog=catalog, dataset=question.dataset, sql=asked),
        engine=engine,
    )


@dataclass
class Asking:
    """One question on its way; what it sends is noted in `progress`, for the record."""

    call: Call
    question: Question
    dataset: DatasetSpec
    catalog: Catalog
    engine: Engine
    progress: Progress

    def __post_init__(self) -> None:
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.ages: list[float | None] = []

    async def answer(self) -> tuple[Analysis, Rendered]:
        with self.progress.stage("plan"):
            seen = self.engine.planner.see(self.dataset, self.call.principal, self.catalog.settings)
            asked = read_question(self.question, fields_of(seen))
        with self.progress.stage("execute"):
            timing = resolve_timing(asked, await self.find_days(asked) if tells_time(asked) else None)
            scene = build_scene(asked, timing)
            check_letters(scene)
            grid, total, notes = await self.fetch(scene)
        self.progress.age_s = (
            max((age for age in self.ages if age is not None), default=None)
            if all(age is not None for age in self.ages)
            else None
        )
        with self.progress.stage("render"):
            assert self.progress.plan is not None
            analysis = Analysis(scene, timing, grid, total, self.progress.plan, tuple(notes))
            return analysis, self.render(analysis)

    def render(self, analysis: Analysis) -> Rendered:
        settings = self.catalog.settings
        budget = self.call.max_tokens or limit_of("answer_tokens", self.dataset, settings)
        digits = limit_of("significant_digits", self.dataset, settings)
        return render_analysis(analysis, max_tokens=budget, digits=digits)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def fetch(self, scene: Scene) -> tuple[Grid, Grid | None, list[str]]:
        """Rows, the total's, and what is to be said of them."""
        work = [self.run_scene(scene)]
        if self.question.total and scene.groups:
            work.append(self.run_total(scene))
        (ran, notes), *totals = await together(work)
        grid = build_grid(scene, ran, other_label=other_label(scene))
        if self.question.compare is not None and self.question.compare.kind == "columns":
            grid = await self.add_letters(scene, grid)
        outer = without_last_group(scene)
        made = [build_grid(outer, found, other_label=other_label(scene)) for found, _ in totals if found]
        if self.withholds:
            made = [without_tellers(total, grid, scene.limit) for total in made]
        return grid, made[0] if made else None, [*notes, *(note for _, said in totals for note in said)]

    @property
    def withholds(self) -> bool:
        design = self.dataset.survey_design
        return design is not None and design.low_base.action == SUPPRESS

    async def run_scene(self, scene: Scene) -> tuple[list[Ran], list[str]]:
        """Both sides of a comparison in one statement, or where that cannot be weighted side by side."""
        try:
            return await self.run(compose(scene)), []
        except WeightingUnsupported as error:
            if scene.other is None:
                raise without_sql(error, scene) from error
        other = replace(one_side(scene, scene.other), limit=None)
        sides = [self.run(compose(one_side(scene, scene.current))), self.run(compose(other))]
        try:
            own, theirs = await together(sides)
        except WeightingUnsupported as error:
            raise without_sql(error, scene) from error
        return [*own, *map(as_other, theirs)], ["The two sides have weights of their own: no difference is tested."]

    async def run_total(self, scene: Scene) -> tuple[list[Ran], list[str]]:
        """A question of its own: people who stand in several groups are counted once."""
        try:
            return await self.run_scene(without_last_group(scene))
        except WeightingUnsupported as error:
            return [], [f"No total: {error.message}"]

    async def add_letters(self, scene: Scene, grid: Grid) -> Grid:
        values = last_values(grid)
        if len(values) > MOST_LETTERED:
            what = f"`compare` columns: {scene.groups[-1].label} has {len(values)} groups"
            raise invalid(what, f"Letters compare {MOST_LETTERED} at most: choose groups in `where`, or set `limit`.")
        statements = compose_pairs(scene, values)
        if sum(len(one.outputs) for one in statements) > MOST_DIFFERENCES:
            raise invalid("`compare` columns: there are too many differences", "Ask fewer metrics or groups.")
        return with_letters(scene, grid, values, await self.run(statements))

    async def find_days(self, asked: Asked) -> Days | None:
        """The first and the last day of the events that this caller may see."""
        assert asked.event is not None
        ran = await self.run(
            [Statement(sql, (), ()) for sql in compose_ends(asked.event, by_rows=self.withholds)],
            weighting="auto" if self.withholds else "off",
            noted=False,
        )
        texts = [text for one in ran for cells in one.result.cells for text in cells]
        days = [date.fromisoformat(text[:10]) for text in texts if text is not None and text[:4].isdigit()]
        return Days(days[0], days[1]) if len(days) == 2 else None

    # ── statements ───────────────────────────────────────────────────────────────────────────────────────────
    async def run(self, statements: Sequence[Statement], *, weighting: str = "", noted: bool = True) -> list[Ran]:
        return await together([self.run_one(one, weighting or self.question.weighting, noted) for one in statements])

    async def run_one(self, statement: Statement, weighting: str, noted: bool) -> Ran:
        request = QueryRequest(self.question.dataset, statement.sql, weighting=weighting)
        settings, principal = self.catalog.settings, self.call.principal
        async with self.gate:
            try:
                plan = await self.engine.plan(request, dataset=self.dataset, principal=principal, settings=settings)
            except RequestError as error:
                raise without_place(error) from error
            self.note(plan, noted=noted)
            kept, age = await self.engine.run(plan, dataset=self.dataset, principal=principal, settings=settings)
        self.ages.append(age)
        return Ran(statement, plan, kept.result)

    def note(self, plan: QueryPlan, *, noted: bool) -> None:
        """For the record: all that is sent. How the answer is weighted is not told by what only looks for days."""
        before = self.progress.plan or NOTHING_SENT
        sql = f"{before.sql};\n{plan.sql}" if before.sql else plan.sql
        self.progress.plan = merged(before, plan, sql) if noted else replace(before, sql=sql)


def merged(before: QueryPlan, plan: QueryPlan, sql: str) -> QueryPlan:
    labels = {label for label in (before.weighting, plan.weighting) if label}
    weights = dict.fromkeys(
        [*filter(None, before.weight_column.split(", ")), *filter(None, plan.weight_column.split(", "))]
    )
    return replace(
        before,
        sql=sql,
        fingerprint=before.fingerprint or plan.fingerprint,
        weighting=labels.pop() if len(labels) == 1 else "mixed",
        weight_column=", ".join(weights),
        max_rows=max(before.max_rows, plan.max_rows),
        tables=tuple(dict.fromkeys([*before.tables, *plan.tables])),
        warnings=tuple(dict.fromkeys([*before.warnings, *plan.warnings])),
    )


def without_sql(error: WeightingUnsupported, scene: Scene) -> WeightingUnsupported:
    """The refusal with a way out that the question has."""
    weights = scene.period_weights
    if weights is None:
        return error
    every = weights.every
    hint = f'Write "by": ["{every}"], or a `period` of one {every}; or "weighting": "off" for the sample itself.'
    return WeightingUnsupported(error.message, hint=hint)


def without_place(error: RequestError) -> RequestError:
    """Lines and columns of SQL that the caller did not write say nothing."""
    hint = WITH_BASES if isinstance(error, BaseUnknown) else error.hint
    return type(error)(PLACE.sub("", error.message), hint=hint)


def as_other(ran: Ran) -> Ran:
    outputs = tuple(Output(one.measure, OF_THE_OTHER[one.part]) for one in ran.statement.outputs)
    return replace(ran, statement=replace(ran.statement, outputs=outputs, orders=False))


def other_label(scene: Scene) -> str:
    compare = scene.asked.question.compare
    return "" if compare is None else "before" if compare.kind == "previous_period" else compare.label


def check_letters(scene: Scene) -> None:
    compare = scene.asked.question.compare
    if compare is not None and compare.kind == "columns" and not scene.groups:
        raise invalid("`compare` columns compares groups, and there are none", 'Write them: "by": ["gender"].')


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """All of it side by side; the first failure ends the rest and is raised when nothing runs any more."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
