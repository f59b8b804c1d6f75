"""docs/weighting.md: what is asked is answered as its SQL by hand, what is refused is refused in these words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from config.errors import WeightingUnsupported
from datasets.catalog import DatasetSpec
from querying.sql.tests.panel import plan
from querying.sql.weights.tests.answers import assert_same, is_ordered, run, without_evidence
from querying.sql.weights.tests.demos import confirm

PROJECT = Path(__file__).resolve().parents[4]
PAGE = PROJECT / "docs" / "weighting.md"
DESIGNS = PROJECT / "datasets" / "demo" / "designs"
TABLES = ("panel_users", "panel_events", "panel_weights_monthly")
BLOCK = re.compile(
    r"```sql\n-- (?P<kind>asked|refused) of (?P<dataset>\w+)(?:: (?P<words>[^\n]+))?\n(?P<sql>.*?)```"
    r"(?:\n```sql\n-- by hand\n(?P<by_hand>.*?)```)?",
    re.DOTALL,
)


class Example(NamedTuple):
    dataset: str
    words: str
    sql: str
    by_hand: str


def examples(kind: str) -> list[Example]:
    found = [match for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")) if match["kind"] == kind]
    return [Example(*(match[name] or "" for name in Example._fields)) for match in found]


@pytest.fixture(scope="module")
def panels(demo_urls: dict[str, str]) -> dict[str, DatasetSpec]:
    return {
        name: confirm(demo_urls["panel_in"], TABLES, (DESIGNS / f"{name}.yaml").read_text())
        for name in ("panel_in", "panel_in_monthly")
    }


def test_every_block_of_the_page_is_tried() -> None:
    asked, refused = examples("asked"), examples("refused")

    assert all(example.by_hand for example in asked)
    assert all(example.words for example in refused)
    assert PAGE.read_text(encoding="utf-8").count("```sql") == 2 * len(asked) + len(refused)


@pytest.mark.parametrize("example", examples("asked"), ids=lambda example: example.sql[:60])
def test_answers_as_the_sql_by_hand(
    example: Example, panels: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    planned = plan(example.sql, panels[example.dataset])
    with psycopg.connect(demo_urls["panel_in"], options="-c timezone=UTC") as session:
        expected = run(session, example.by_hand)[1]
        session.execute("SET search_path = pg_catalog")
        found = without_evidence(planned, run(session, planned.sql))[1]

    assert found
    assert_same(found, expected, ordered=is_ordered(example.sql), sql=planned.sql)


@pytest.mark.parametrize("example", examples("refused"), ids=lambda example: example.words)
def test_refuses_in_these_words(example: Example, panels: dict[str, DatasetSpec]) -> None:
    with pytest.raises(WeightingUnsupported) as refused:
        plan(example.sql, panels[example.dataset])

    assert example.words.lower() in str(refused.value).lower()
    assert refused.value.hint
