"""Whether what is published of a dataset can still be asked: small questions through the pipeline of every caller."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.errors import (
    GatewayError,
    NameNotFound,
    PreflightError,
    QueryFailed,
    QueryRefused,
    SourceError,
    SourceUnavailable,
    WeightingUnsupported,
)
from datasets.access import Principal
from datasets.catalog import DatasetSpec, TableSpec
from datasets.credentials import open_target
from datasets.design_checks import check_design, quote, quote_table
from datasets.profiling.observations import ALARM, DRIFT, Observation
from logs_analytics.records import Client
from querying import services
from querying.engine import Engine
from querying.services import Call, Gate
from querying.sql.plan import QueryRequest

MOST_TABLES: Final = 60
MOST_COLUMNS: Final = 200
AT_ONCE: Final = 4
DEADLINE_S: Final = 60.0
DESIGN_TIMEOUT_S: Final = 40.0
# undefined table, column, function and schema; no right
MISFITS: Final = frozenset({"42P01", "42703", "42883", "3F000", "42501"})
REFUSALS: Final = (NameNotFound, QueryRefused, WeightingUnsupported)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a table; `error` is None where it was answered."""

    table: str
    weighted: bool
    error: GatewayError | None

    @property
    def is_broken(self) -> bool:
        """Whether the published entry no longer fits; a busy or slow database says nothing of that."""
        if isinstance(self.error, QueryFailed):
            return self.error.context.get("sqlstate") in MISFITS
        return isinstance(self.error, REFUSALS)


@dataclass(frozen=True, slots=True)
class Standing:
    """How what is published stands. `unasked` are findings, by code and table, that nobody could look for this time."""

    observed: tuple[Observation, ...] = ()
    unasked: frozenset[tuple[str, str]] = frozenset()


async def observe_published(name: str, *, engine: Engine, deadline_s: float = DEADLINE_S) -> Standing:
    """What is no longer as it was approved, from questions and from the design's own checks."""
    dataset = engine.catalog.datasets.get(name)
    if dataset is None:
        return Standing()
    asked = observe_probes(await probe_dataset(name, engine=engine, deadline_s=deadline_s), dataset)
    design = await probe_design(dataset)
    return Standing((*asked.observed, *design.observed), asked.unasked | design.unasked)


async def probe_dataset(name: str, *, engine: Engine, deadline_s: float = DEADLINE_S) -> tuple[Probe, ...]:
    """Each answer, and each refusal, is in the query log like any other. Nothing where the dataset is not live.

    What is not answered at the deadline is a `QueryTimeout` of its own: slow tables do not withhold the others.
    """
    catalog = engine.catalog  # read once: every question is to the same version
    dataset = catalog.datasets.get(name)
    if dataset is None:
        return ()
    call = Call(
        principal=Principal(client="worker", datasets=frozenset({name})),
        door="worker",
        tool="probe",
        client=Client(name="worker", confidence="high"),
        response_format="json",
    )
    turn = asyncio.Semaphore(AT_ONCE)
    gate = Gate(until=asyncio.get_running_loop().time() + deadline_s)

    async def ask(table: TableSpec, request: QueryRequest) -> Probe:
        async with turn:
            made = await services.attempt_query(call, request, catalog, engine, gate=gate)
            answer = await services.record(call, made, engine=engine)
        return Probe(table.qualified_name, request.weighting == "auto", answer.error)

    return tuple(await asyncio.gather(*(ask(table, request) for table, request in build_questions(dataset))))


def build_questions(dataset: DatasetSpec) -> list[tuple[TableSpec, QueryRequest]]:
    """One row of each table, all columns being named; and a weighted count of each unit of a survey design."""
    units = {unit.table for unit in dataset.survey_design.units} if dataset.survey_design else set()
    asked = [table for table in dataset.tables if table.visible_columns]
    # those that weighting needs, then the largest
    asked.sort(key=lambda table: ((table.schema, table.name) not in units, -(table.row_estimate or 0)))
    questions = []
    for table in asked[:MOST_TABLES]:
        name = quote_table((table.schema, table.name))
        columns = ", ".join(quote(column.name) for column in table.visible_columns[:MOST_COLUMNS])
        sql = f"SELECT count(*) FROM (SELECT {columns} FROM {name} LIMIT 1) AS probe"  # noqa: S608  # quoted names
        request = QueryRequest(dataset=dataset.name, sql=sql, weighting="off", uncertainty="off")
        questions.append((table, request))
        if (table.schema, table.name) in units:
            sql = f"SELECT count(*) FROM {name}"  # noqa: S608  # as above
            questions.append((table, QueryRequest(dataset=dataset.name, sql=sql, uncertainty="off")))
    return questions


async def probe_design(dataset: DatasetSpec) -> Standing:
    """What the data say against the published survey design: keys that repeat, periods that begin on a wrong day.

    A database that is too slow to say is none of its faults.
    """
    if dataset.survey_design is None:
        return Standing()
    units = dataset.survey_design.units
    try:
        async with asyncio.timeout(DESIGN_TIMEOUT_S):
            _, faults = await check_design(open_target(dataset.sealed_dsn), dataset.survey_design)
    except (SourceError, PreflightError, TimeoutError):
        return Standing(unasked=frozenset(("design_broken", unit.qualified_table) for unit in units))
    by_unit: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        by_unit[units[fault.unit].qualified_table].append(fault.text)
    return Standing(
        tuple(
            Observation(DRIFT, "design_broken", ALARM, f"{'; '.join(texts)}: the survey design no longer holds.", table)
            for table, texts in by_unit.items()
        )
    )


def observe_probes(probes: Sequence[Probe], dataset: DatasetSpec | None = None) -> Standing:
    """One for each table that cannot be asked, and one where the database cannot be reached."""
    broken = {probe.table: probe for probe in reversed(probes) if probe.is_broken}
    observed = [
        Observation(DRIFT, "not_answered", ALARM, _describe(probe), table) for table, probe in sorted(broken.items())
    ]
    if any(isinstance(probe.error, SourceUnavailable) for probe in probes):
        message = "Its database cannot be reached: no question is answered."
        observed.append(Observation(DRIFT, "unreachable", ALARM, message))
    known = {probe.table for probe in probes} - {probe.table for probe in probes if probe.error is not None}
    # published, and too many to be asked in one night
    tables = {table.qualified_name for table in dataset.tables} if dataset else set()
    tables |= {probe.table for probe in probes}
    return Standing(tuple(observed), frozenset(("not_answered", table) for table in tables - known - broken.keys()))


def _describe(probe: Probe) -> str:
    what = "A weighted question" if probe.weighted else "A question"
    code = probe.error.code if probe.error else ""
    return f"{what} to it fails ({code}): what is published no longer fits the database."
