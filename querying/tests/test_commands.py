"""The commands that ask, through the same pipeline, as processes see them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from datasets.keys import create_api_key
from datasets.models import Dataset
from logs_analytics.models import QueryLog

pytestmark = pytest.mark.django_db(transaction=True)
FIELDS = {
    "id", "status", "code", "message", "columns", "rows", "bases", "weighting", "warnings", "sql_executed",
    "timings_ms",
}  # fmt: skip


@pytest.fixture
def shop(make_active: Callable[..., Dataset], shop_dsn: str) -> Dataset:
    return make_active("shop", shop_dsn)


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def run_lines(tmp_path: Path, lines: list[str], *arguments: str) -> list[dict[str, Any]]:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return [json.loads(line) for line in run("run_queries", str(path), *arguments).splitlines()]


def test_run_queries_answers_each_line_in_order(shop: Dataset, tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "dataset": "shop", "sql": "SELECT gender, count(*) AS n FROM users GROUP BY 1 ORDER BY 1"}',
        "this is not JSON",
        '{"id": 7, "dataset": "shop", "sql": "DELETE FROM users"}',
        "",
        '{"id": "d", "dataset": "shop"}',
        '{"id": "e", "tool": "execute_query", '
        '"arguments": {"dataset": "shop", "sql": "SELECT 1.50 AS x, \'NaN\'::float8 AS y"}}',
        '{"id": "f", "tool": "no_such_tool", "arguments": {}}',
        '{"id": "g", "dataset": "shop", "sql": "SELECT id FROM users", "max_rows": 2}',
        '{"id": "h", "dataset": "shop", "sql": "SELECT count(*) AS n FROM users", "weighting": "off"}',
        '{"id": "i", "tool": "describe_dataset", "arguments": {"dataset": "shop"}}',
        '{"id": "j", "dataset": "shop", "sql": "SELECT 1/0 AS x"}',
        "[1, 2]",
    ]

    records = run_lines(tmp_path, lines)

    assert [record["id"] for record in records] == ["a", 2, 7, "d", "e", "f", "g", "h", "i", "j", 12]
    assert [record["status"] for record in records] == [
        "answered", "failed", "refused", "failed", "answered", "failed", "answered", "answered", "answered", "failed",
        "failed",
    ]  # fmt: skip
    assert all(set(record) >= FIELDS for record in records)
    first = records[0]
    assert first["columns"] == [{"name": "gender", "type": "text"}, {"name": "n", "type": "int8"}]
    assert first["rows"] == [["Female", 25], ["Male", 25]]
    assert first["bases"] == [None, None]
    assert first["weighting"] == "design_not_confirmed"
    assert first["sql_executed"].startswith("SELECT")
    assert set(first["timings_ms"]) == {"plan", "execute", "render", "total"}
    assert records[2]["code"] == "query_refused"
    assert records[2]["rows"] == []
    assert records[4]["rows"] == [[1.50, "NaN"]]
    assert (len(records[6]["rows"]), records[6]["truncated"]) == (2, True)
    assert records[7]["weighting"] == "off"
    assert "users" in records[8]["text"]
    assert QueryLog.objects.count() == len(records)


def test_no_line_keeps_the_others_from_running(shop: Dataset, tmp_path: Path) -> None:
    good = '{"id": "good", "dataset": "shop", "sql": "SELECT 1 AS one"}'
    bad = [
        '{"id": 1, "tool": ["x"]}',
        "[" * 100_000,
        '{"id": NaN, "dataset": "shop", "sql": "SELECT 1 AS one"}',
        '{"id": "\\ud800", "dataset": "shop", "sql": "SELECT 1 AS one"}',
        json.dumps({"tool": "t" * 100, "arguments": {}}),
        json.dumps({"tool": "a\0b"}),
        '{"id": 7, "dataset": 3, "sql": null}',
    ]

    records = run_lines(tmp_path, [*bad, good])

    assert [record["status"] for record in records] == ["failed"] * len(bad) + ["answered"]
    assert QueryLog.objects.count() == len(records)


def test_full_precision_survives_the_json(shop: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"id": 1, "dataset": "shop", "sql": "SELECT 12345678901234567890.123456789 AS x, 0.1::float8 + 0.2 AS y"}'
    )

    assert "[[12345678901234567890.123456789,0.30000000000000004]]" in run("run_queries", str(path))


def test_the_operator_may_reveal_all_rows_and_a_key_may_not(shop: Dataset, tmp_path: Path) -> None:
    create_api_key("chat", all_datasets=False, datasets=["shop"])
    line = ['{"id": 1, "dataset": "shop", "sql": "SELECT id FROM users"}']

    assert len(run_lines(tmp_path, line)[0]["rows"]) == 5
    assert len(run_lines(tmp_path, line, "--reveal-all-rows")[0]["rows"]) == 50
    assert run_lines(tmp_path, line, "--reveal-all-rows", "--as", "chat")[0]["status"] == "refused"


def test_as_applies_a_keys_grants(shop: Dataset, tmp_path: Path) -> None:
    create_api_key("blind", all_datasets=False)

    (record,) = run_lines(tmp_path, ['{"id": 1, "dataset": "shop", "sql": "SELECT 1 AS x"}'], "--as", "blind")

    assert (record["status"], record["code"]) == ("refused", "dataset_not_found")
    assert QueryLog.objects.get().api_key == "blind"
    with pytest.raises(SystemExit):
        run("run_queries", str(tmp_path / "questions.jsonl"), "--as", "nobody")


def test_run_query_prints_a_table_or_json(shop: Dataset) -> None:
    text = run("run_query", "shop", "SELECT count(*) AS n FROM users")
    record = json.loads(run("run_query", "shop", "SELECT count(*) AS n FROM users", "--json"))

    assert text.startswith("|n|\n|---|\n|50|\n")
    assert "design not confirmed" in text
    assert record["rows"] == [[50]]


def test_a_refused_run_query_ends_with_its_code(shop: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("run_query", "shop", "DELETE FROM users")

    assert caught.value.code == 1
