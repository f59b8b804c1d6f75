"""Datasets of these tests, published in a catalog without the onboarding that others test; questions to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from config.errors import GatewayError
from datasets.access import Principal
from datasets.catalog import Catalog, DatasetSpec
from datasets.conditions import Condition
from datasets.connections import parse_dsn
from datasets.demo.databases import DEMO_DATABASES, prepare_database, reader_dsn
from datasets.demo.onboarding import DEMO_DATASETS
from datasets.design_checks import check_design
from datasets.design_report import counted
from datasets.sealing import seal
from datasets.system_config import SystemSettings
from querying.analyses import analyze
from querying.analysis.answers import Number, Row
from querying.analysis.question import parse_question
from querying.analysis.rendering import Analysis
from querying.engine import Engine
from querying.services import Answer, Call
from querying.sql.weights.tests.demos import confirm

OPERATOR = Call(principal=Principal(person="operator", datasets=None, operator=True), door="test", tool="analyze")
PASSWORD = "reader"
Json = dict[str, Any]  # Any: JSON
WOMEN = Condition("gender", "=", ("Female",))
PERSONAS = {
    "Young women": (WOMEN, Condition("age_group", "in", ("15-17", "18-24"))),
    "Upper class": (Condition("nccs", "in", ("A", "A1")),),
}


def load_demos(superuser_url: str) -> dict[str, DatasetSpec]:
    """The demo datasets with their designs confirmed, and two personas of the panel."""
    for database in DEMO_DATABASES:
        prepare_database(superuser_url, database, reader_password=PASSWORD)
    found = {}
    for number, demo in enumerate(DEMO_DATASETS, start=1):
        url = urlsplit(superuser_url)._replace(path=f"/{demo.database.name}").geturl()
        dsn = reader_dsn(superuser_url, demo.database, reader_password=PASSWORD)
        made = publish(confirm(url, demo.database.tables, demo.design), url, dsn, demo.name, number)
        found[demo.name] = replace(made, personas=PERSONAS) if demo.database.folder == "panel_in" else made
    return found


def publish(dataset: DatasetSpec, url: str, dsn: str, name: str, number: int) -> DatasetSpec:
    """As confirmation leaves it."""
    return replace(
        as_confirmed(dataset, url),
        name=name,
        dataset_id=number,
        entry_id=number,
        connection_id=parse_dsn(dsn, unix_sockets=True).connection_id,
        sealed_dsn=seal(dsn, settings.ENCRYPTION_KEYS),
    )


def as_confirmed(dataset: DatasetSpec, url: str) -> DatasetSpec:
    """With what is counted when a design is confirmed: units, those without a valid weight, PSUs by stratum."""
    assert dataset.survey_design is not None
    report, faults = asyncio.run(check_design(parse_dsn(url, unix_sockets=True), dataset.survey_design))
    assert not faults
    return replace(dataset, survey_design=counted(dataset.survey_design, report))


def rows_of(url: str, sql: str) -> list[tuple[Any, ...]]:  # Any: values of any type
    with psycopg.connect(url, options="-c timezone=UTC") as session:
        return session.execute(sql.encode()).fetchall()


def serve(engine: Engine, datasets: Mapping[str, DatasetSpec]) -> Engine:
    """The engine, with these datasets published and the keys that it knows."""
    engine.catalog = Catalog(engine.catalog.version, datasets, engine.catalog.keys, SystemSettings())
    engine.pools.keep_only({dataset.connection_id for dataset in engine.catalog})
    return engine


Ask = Callable[[Json], Any]  # Any: an awaitable Answer


async def ask(engine: Engine, question: Json, *, call: Call = OPERATOR) -> Answer[Analysis]:
    return await analyze(call, parse_question(question), engine=engine)


async def answer_of(engine: Engine, question: Json) -> Analysis:
    answer = await ask(engine, question)
    assert answer.error is None, f"{answer.error} {answer.error.hint}"
    assert answer.value is not None
    return answer.value


async def error_of(engine: Engine, question: Json) -> GatewayError:
    answer = await ask(engine, question)
    assert answer.error is not None, answer.text
    return answer.error


def numbers(analysis: Analysis, place: int = 0) -> dict[tuple[str | None, ...], Number]:
    """Of one column, by group."""
    return {row.groups: row.numbers[place] for row in analysis.grid.rows}


def values(rows: Sequence[Row]) -> dict[tuple[str | None, ...], tuple[float | None, ...]]:
    return {row.groups: tuple(number.value for number in row.numbers) for row in rows}
