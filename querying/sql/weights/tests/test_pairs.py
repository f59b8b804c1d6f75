"""The pairs: SQL as it is asked, and as a statistician would weight it by hand. Both give the same rows.

A pair in pairs/*.sql, its data in pairs/schema.sql, its survey design in pairs/designs/:

    --# what it shows
    --: dataset panel
    --: grain person        of the rows that the outermost SELECT reads
    --: label weighted
    SELECT COUNT(*) FROM persons
    -->
    SELECT SUM(people) FROM base

Without what follows the arrow the SQL is to mean what it says. `--: refused some words` stands for a grain, a label and
an answer. `--: xfail reason` says that the product is known to be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from config.errors import WeightingUnsupported
from datasets.catalog import DatasetSpec
from datasets.design_fit import parse_design
from datasets.system_config import SystemSettings
from querying.sql.draft import Draft
from querying.sql.parse import parse_statement, parse_tree
from querying.sql.plan import PASSES, QueryRequest
from querying.sql.tests.cases import Case, read_cases
from querying.sql.tests.panel import OPERATOR, load_dataset, plan
from querying.sql.weigh import weigh
from querying.sql.weights.resolve import Resolver

HERE = Path(__file__).parent / "pairs"
ARROW = "-->"
TABLES = {
    "panel": ("apps", "cities", "city_notes", "events", "persons"),
    "households": ("members",),
    "homes": ("homes", "meters", "tenants"),
    "keyless": ("answers",),
    "months": ("monthly_weights", "viewers", "views"),
    "months_mean": ("monthly_weights", "viewers", "views"),
    "months_last": ("monthly_weights", "viewers", "views"),
}
PAIRS = [case for path in sorted(HERE.glob("*.sql")) for case in read_cases(path)]
Answer = tuple[tuple[str, ...], list[tuple[object, ...]]]  # names of columns, rows
Ask = Callable[[str], Answer]


def marks_of(pair: Case) -> Mapping[str, str]:
    return {name: text for name, _, text in (mark.partition(" ") for mark in pair.marks)}


def parameters(*, refused: bool) -> list[Any]:  # Any: pytest does not name the type
    found = [pair for pair in PAIRS if ("refused" in marks_of(pair)) is refused]
    return [pytest.param(pair, id=str(pair), marks=expectation(pair)) for pair in found]


def expectation(pair: Case) -> tuple[pytest.MarkDecorator, ...]:
    reason = marks_of(pair).get("xfail")
    return (pytest.mark.xfail(reason=reason, strict=True),) if reason else ()


@pytest.fixture(scope="module")
def pairs_url(postgres_superuser_dsn: str) -> Iterator[str]:
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as server:
        server.execute("CREATE DATABASE weighted_pairs")
    url = urlsplit(postgres_superuser_dsn)._replace(path="/weighted_pairs").geturl()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute((HERE / "schema.sql").read_bytes())
    yield url
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as server:
        server.execute("DROP DATABASE weighted_pairs WITH (FORCE)")


@pytest.fixture(scope="module")
def datasets(pairs_url: str) -> dict[str, DatasetSpec]:
    return {name: confirmed(pairs_url, name) for name in TABLES}


def confirmed(url: str, name: str) -> DatasetSpec:
    dataset = load_dataset(url, frozenset(f"public.{table}" for table in TABLES[name]))
    design = parse_design((HERE / "designs" / f"{name}.yaml").read_text(), dataset.tables)
    return replace(dataset, design=None, design_decision="confirmed", survey_design=design)


@pytest.fixture(scope="module")
def ask(pairs_url: str) -> Iterator[Ask]:
    """By names as a person writes them."""
    with psycopg.connect(pairs_url, autocommit=True, options="-c timezone=UTC") as session:
        yield lambda sql: run(session, sql)


@pytest.fixture(scope="module")
def ask_planned(pairs_url: str) -> Iterator[Ask]:
    """As the executor does: with PostgreSQL's own names only."""
    with psycopg.connect(pairs_url, autocommit=True, options="-c search_path=pg_catalog -c timezone=UTC") as session:
        yield lambda sql: run(session, sql)


def run(session: psycopg.Connection, sql: str) -> Answer:
    cursor = session.execute(sql.encode())
    return tuple(column.name for column in cursor.description or ()), cursor.fetchall()


@pytest.mark.parametrize("pair", parameters(refused=False))
def test_answers_as_the_sql_written_by_hand(
    pair: Case, datasets: dict[str, DatasetSpec], ask: Ask, ask_planned: Ask
) -> None:
    asked, _, by_hand = map(str.strip, pair.sql.partition(ARROW))

    marks = marks_of(pair)
    planned = plan(asked, datasets[marks["dataset"]], reveal_all_rows=True)
    names, found = ask_planned(planned.sql)

    assert (planned.weighting, grain_of(asked, datasets[marks["dataset"]])) == (marks["label"], marks["grain"])
    assert names == ask(asked)[0]
    assert_same(found, ask(by_hand or asked)[1], ordered=is_ordered(asked), sql=planned.sql)


@pytest.mark.parametrize("pair", parameters(refused=True))
def test_refuses_and_says_why(pair: Case, datasets: dict[str, DatasetSpec], ask: Ask) -> None:
    ask(pair.sql)  # PostgreSQL takes it

    marks = marks_of(pair)
    with pytest.raises(WeightingUnsupported) as refused:
        plan(pair.sql, datasets[marks["dataset"]])

    assert marks["refused"].lower() in str(refused.value).lower()
    assert refused.value.hint


def grain_of(sql: str, dataset: DatasetSpec) -> str:
    """Of the rows that the outermost SELECT reads, or a set operation gives."""
    draft = Draft(QueryRequest("pairs", sql), dataset, OPERATOR, SystemSettings(), parse_statement(sql))
    for apply in takewhile(lambda apply: apply is not weigh, PASSES):
        draft = apply(draft)
    assert draft.reading is not None
    assert dataset.survey_design is not None
    resolver = Resolver(draft.reading, dataset, dataset.survey_design)
    outermost = resolver.resolve(draft.reading.scopes[0])
    return (outermost.joined or outermost.rows).kind.value


def is_ordered(sql: str) -> bool:
    return bool(parse_tree(sql).stmts[0].stmt.select_stmt.sort_clause)


def assert_same(
    found: list[tuple[object, ...]], expected: list[tuple[object, ...]], *, ordered: bool, sql: str
) -> None:
    left = list(found)
    for row in expected:
        place = next((place for place, other in enumerate(left[:1] if ordered else left) if same(other, row)), None)
        assert place is not None, f"{row} is missing from {left}\n{sql}"
        del left[place]
    assert not left, f"too much: {left}\n{sql}"


def same(found: object, expected: object) -> bool:
    """Numbers to 1e-9, whether PostgreSQL computes them exactly or not."""
    if isinstance(found, tuple | list) and isinstance(expected, tuple | list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if is_number(found) and is_number(expected):
        ours, theirs = float(str(found)), float(str(expected))
        return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
