"""`manage.py analyze`, as a terminal sees it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from datasets.models import Dataset
from datasets.survey_designs import set_survey_design
from logs_analytics.models import QueryLog
from querying.management.commands.analyze import build_document

pytestmark = pytest.mark.django_db(transaction=True)
DESIGN = """
units:
  - {table: public.users, key: [id], weight: weight, attributes: [gender], carried_by: {public.events: [user_id]}}
"""


@pytest.fixture
def shop(make_active: Callable[..., Dataset], shop_dsn: str) -> Dataset:
    dataset = make_active("shop", shop_dsn)
    set_survey_design(dataset.pk, DESIGN, actor="test")
    return dataset


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("analyze", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_answers_options_and_files_alike(shop: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "question.json"
    file.write_text('{"metrics": ["people", {"kind": "sum", "column": "minutes"}], "by": ["gender"], "period": "all"}')

    text = run(
        "shop", "--metric", "people", "--metric", "sum:minutes", "--by", "gender", "--period", "all", "--show-sql"
    )
    body = json.loads(run("shop", "--question", str(file), "--where", "gender=Female", "--json"))

    assert text.startswith("|gender|people|sum_minutes|n|\n|---|---|---|---|\n|Female|37.5|")
    assert "FROM public.events" in text or "public.events" in text
    assert [row["groups"] for row in body["rows"]] == [["Female"]]
    assert body["rows"][0]["cells"][0]["n"] == 25
    assert QueryLog.objects.filter(outcome="answered", tool="analyze", door="command").count() == 2


def test_a_question_that_cannot_be_read_is_on_the_record(shop: Dataset) -> None:
    with pytest.raises(SystemExit):
        run("shop", "--metric", "peeple", "--json")

    row = QueryLog.objects.get()
    assert (row.outcome, row.error_code, row.query_type) == ("refused", "invalid_request", "analyze")


def test_options_say_what_json_would() -> None:
    options = {
        "dataset": "shop",
        "question": None,
        "metric": ["people", "mean:age", "share:code=1"],
        "by": ["month"],
        "where": ["gender=Female", "age=30", "app!=YouTube", 'code="1"', "Young women"],
        "period": "2026-01-01..",
        "compare": "previous_period",
        "sort": "people",
        "limit": 5,
        "total": True,
        "weighting": None,
    }

    assert build_document(options) == {
        "dataset": "shop",
        "metrics": [
            {"kind": "people"},
            {"kind": "mean", "column": "age"},
            {"kind": "share", "column": "code", "value": 1},
        ],
        "by": ["month"],
        "where": [
            {"column": "gender", "op": "=", "value": "Female"},
            {"column": "age", "op": "=", "value": 30},
            {"column": "app", "op": "!=", "value": "YouTube"},
            {"column": "code", "op": "=", "value": "1"},
            "Young women",
        ],
        "period": {"from": "2026-01-01"},
        "compare": "previous_period",
        "sort": "people",
        "limit": 5,
        "total": True,
    }
