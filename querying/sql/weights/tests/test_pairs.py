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

from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from config.errors import WeightingUnsupported
from datasets.catalog import DatasetSpec
from datasets.system_config import SystemSettings
from querying.sql.draft import Draft
from querying.sql.parse import parse_statement
from querying.sql.plan import PASSES, QueryRequest
from querying.sql.tests.cases import Case, read_cases
from querying.sql.tests.panel import OPERATOR, plan
from querying.sql.weigh import weigh
from querying.sql.weights.resolve import Resolver
from querying.sql.weights.tests.answers import Answer, assert_same, is_ordered, run, without_evidence
from querying.sql.weights.tests.demos import confirm

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
    return {
        name: confirm(pairs_url, tables, (HERE / "designs" / f"{name}.yaml").read_text())
        for name, tables in TABLES.items()
    }


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


@pytest.mark.parametrize("pair", parameters(refused=False))
def test_answers_as_the_sql_written_by_hand(
    pair: Case, datasets: dict[str, DatasetSpec], ask: Ask, ask_planned: Ask
) -> None:
    asked, _, by_hand = map(str.strip, pair.sql.partition(ARROW))

    marks = marks_of(pair)
    planned = plan(asked, datasets[marks["dataset"]], reveal_all_rows=True)
    names, found = without_evidence(planned, ask_planned(planned.sql))

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
