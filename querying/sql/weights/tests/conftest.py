from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import cast
from urllib.parse import urlsplit

import psycopg
import pytest

from config.errors import RequestError
from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.demo.databases import DEMO_DATABASES, prepare_database
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from querying.sql.plan import QueryRequest, build_plan
from querying.sql.weights.tests.questions import make_world
from querying.sql.weights.tests.reference import Table, Value, World, literal

OPERATOR = Principal(person="operator", datasets=None, operator=True)
ColumnsAndRows = tuple[tuple[str, ...], list[tuple[Value, ...]]]


class Database:
    """Holds one world at a time, in a transaction that is rolled back."""

    def __init__(self, session: psycopg.Connection) -> None:
        self.session = session

    @contextmanager
    def holding(self, world: World) -> Iterator[None]:
        try:
            self.execute("".join(map(create, world.tables.values())))
            yield
        finally:
            self.session.rollback()

    def execute(self, script: str) -> None:
        with psycopg.ClientCursor(self.session) as cursor:
            cursor.execute(script.encode())

    def ask(self, sql: str, *, search_path: str = "public") -> ColumnsAndRows:
        """Column names and rows, numbers as int or float."""
        with self.session.transaction(), psycopg.RawCursor(self.session) as cursor:
            cursor.execute(f"SET LOCAL search_path = {search_path}".encode())
            cursor.execute(sql.encode(), prepare=False)
            names = tuple(column.name for column in cursor.description or ())
            return names, [tuple(map(plain, row)) for row in cursor.fetchall()]


def plain(value: object) -> Value:
    if isinstance(value, Decimal):
        return float(value)
    return cast(Value, value)


def create(table: Table) -> str:
    columns = [f"{name} {type_}" for name, type_ in table.columns.items()]
    key = [f"PRIMARY KEY ({', '.join(table.primary_key)})"] if table.primary_key else []
    script = f"CREATE TABLE public.{table.name} ({', '.join([*columns, *key])});"
    rows = ["(" + ", ".join(stored(row[column]) for column in table.columns) + ")" for row in table.rows]
    return script + (f"INSERT INTO public.{table.name} VALUES {', '.join(rows)};" if rows else "")


def stored(value: Value) -> str:
    return "'NaN'" if isinstance(value, float) and math.isnan(value) else literal(value)


def describe(world: World, *, confirmed: bool = True) -> DatasetSpec:
    """The world as a published dataset."""
    dataset = DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id="1",
        sealed_dsn=SealedText(""),
        name="panel",
        title="Panel",
        description="",
        dataset_type="mixed",
        data_category="mixed",
        tables=tuple(map(describe_table, world.tables.values())),
    )
    return replace(dataset, survey_design=world.design, design_decision="confirmed") if confirmed else dataset


def describe_table(table: Table) -> TableSpec:
    columns = tuple(ColumnSpec(name, type_) for name, type_ in table.columns.items())
    return TableSpec("public", table.name, "table", columns, primary_key=table.primary_key)


def differences(
    expected: Sequence[tuple[Value, ...]], got: Sequence[tuple[Value, ...]], *, ordered: bool = False
) -> str:
    """What is missing and what is too much; empty if the rows are the same."""
    if ordered:
        same = len(expected) == len(got) and all(same_row(a, b) for a, b in zip(expected, got, strict=True))
        return "" if same else f"expected {list(expected)} got {list(got)}"
    left = list(got)
    missing = []
    for row in expected:
        match = next((number for number, other in enumerate(left) if same_row(row, other)), None)
        if match is None:
            missing.append(row)
        else:
            left.pop(match)
    return f"expected {missing} got {left}" if missing or left else ""


def same_row(expected: tuple[Value, ...], got: tuple[Value, ...]) -> bool:
    return len(expected) == len(got) and all(map(same_value, expected, got))


def same_value(expected: Value, got: Value) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, date) and isinstance(got, date):
        return expected == got
    return type(expected) is type(got) and expected == got


@pytest.fixture(scope="session")
def worlds_url(postgres_superuser_dsn: str) -> Iterator[str]:
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE weighted_worlds")
    yield urlsplit(postgres_superuser_dsn)._replace(path="/weighted_worlds").geturl()
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE weighted_worlds WITH (FORCE)")


@pytest.fixture(scope="session")
def database(worlds_url: str) -> Iterator[Database]:
    with psycopg.connect(worlds_url) as session:
        yield Database(session)


# The product


@dataclass(frozen=True)
class Outcome:
    """What the product made of a question: rows and how they are labelled, or the code of its refusal."""

    label: str = ""
    names: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    message: str = ""
    fault: str = ""  # what PostgreSQL said to the product's own SQL
    sql: str = ""


def ask_product(database: Database, world: World, sql: str) -> Outcome:
    """Plans as production does, and runs what was planned on a database that holds the world."""
    request = QueryRequest("panel", sql, reveal_all_rows=True)
    try:
        plan = build_plan(request, dataset=describe(world), principal=OPERATOR, settings=SystemSettings())
    except RequestError as error:
        return Outcome(refusal=error.code, message=f"{error} ({error.hint})")
    try:
        names, rows = database.ask(plan.sql, search_path="pg_catalog")
    except psycopg.Error as error:
        return Outcome(plan.weighting, fault=str(error), sql=plan.sql)
    if plan.evidence is not None:
        names, rows = names[:-1], [row[:-1] for row in rows]
    return Outcome(plan.weighting, names, tuple(rows), plan.warnings, sql=plan.sql)


def is_weighed() -> bool:
    """Whether the product weights at all."""
    world = make_world(Random(1), months=False)
    request = QueryRequest("panel", "SELECT COUNT(*) AS n FROM persons")
    try:
        plan = build_plan(request, dataset=describe(world), principal=OPERATOR, settings=SystemSettings())
    except TypeError:  # DatasetSpec has no survey_design
        return False
    return plan.weighting == "weighted"


@pytest.fixture(scope="session")
def demo_urls(postgres_superuser_dsn: str) -> dict[str, str]:
    urls = {}
    for demo in DEMO_DATABASES:
        prepare_database(postgres_superuser_dsn, demo, reader_password="reader")
        urls[demo.folder] = urlsplit(postgres_superuser_dsn)._replace(path=f"/{demo.name}").geturl()
    return urls
