"""Raw or aggregated, and the row limit that follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.errors import AccessError, InvalidRequest
from datasets.catalog import DatasetSpec
from querying.sql.tests.cases import HERE, Case, read_cases
from querying.sql.tests.conftest import Fetch
from querying.sql.tests.panel import ANALYST, plan


@pytest.mark.parametrize("case", read_cases(HERE / "limits" / "raw.sql"), ids=str)
def test_calls_raw_what_shows_rows_of_a_table(case: Case, dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan(case.sql, dataset)

    assert (planned.query_type, planned.max_rows) == ("raw", 5)
    assert len(fetch(planned.sql)[1]) <= 6


@pytest.mark.parametrize("case", read_cases(HERE / "limits" / "aggregated.sql"), ids=str)
def test_calls_aggregated_what_shows_groups_or_no_table(case: Case, dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan(case.sql, dataset)

    assert (planned.query_type, planned.max_rows) == ("aggregated", 1000)
    assert fetch(planned.sql)[1]


def test_a_query_plan_is_neither_and_is_not_limited(dataset: DatasetSpec) -> None:
    planned = plan("EXPLAIN SELECT * FROM users", dataset)

    assert planned.query_type == "explain"
    assert "LIMIT" not in planned.sql


@pytest.mark.parametrize(
    ("tail", "limit"),
    [
        ("", "LIMIT 6"),
        ("LIMIT 3", "LIMIT 3"),
        ("LIMIT 5", "LIMIT 5"),
        ("LIMIT 6", "LIMIT 6"),
        ("LIMIT 500", "LIMIT 6"),
        ("LIMIT ALL", "LIMIT 6"),
        ("LIMIT NULL", "LIMIT 6"),
        ("LIMIT 0", "LIMIT 0"),
        ("LIMIT 3 OFFSET 2", "LIMIT 3 OFFSET 2"),
        ("LIMIT 99 OFFSET 2", "LIMIT 6 OFFSET 2"),
        ("OFFSET 2", "LIMIT 6 OFFSET 2"),
        ("FETCH FIRST ROW ONLY", "LIMIT 1"),
        ("LIMIT 2 + 2", "LIMIT 2 OPERATOR(pg_catalog.+) 2) limited LIMIT 6"),
        ("LIMIT 9.9", "LIMIT 9.9) limited LIMIT 6"),
        ("LIMIT '9'", "LIMIT '9') limited LIMIT 6"),
        ("LIMIT 99999999999", "LIMIT 99999999999) limited LIMIT 6"),
        ("FETCH FIRST 2 ROWS WITH TIES", "FETCH FIRST 2 ROWS WITH TIES) limited LIMIT 6"),
    ],
)
def test_asks_for_one_row_more_than_it_shows(tail: str, limit: str, dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan(f"SELECT name FROM users ORDER BY user_id {tail}", dataset)

    assert planned.sql.endswith(limit)
    assert len(fetch(planned.sql)[1]) <= 6


@pytest.mark.parametrize("sql", ["SELECT 1 UNION SELECT 2", "VALUES (1)", "TABLE categories", "SELECT 1 LIMIT 2 + 1"])
def test_limits_every_form_of_select(sql: str, dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan(sql, dataset, max_rows=1)

    assert planned.sql.endswith("LIMIT 2")
    assert planned.max_rows == 1
    assert fetch(planned.sql)


def test_keeps_the_order_of_a_statement_that_it_wraps(dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan("SELECT user_id FROM users ORDER BY user_id DESC LIMIT 2 + 1", dataset)

    assert fetch(planned.sql)[1] == [("60",), ("59",), ("58",)]


def test_a_caller_may_ask_for_fewer_rows_only(dataset: DatasetSpec) -> None:
    assert plan("SELECT * FROM users", dataset, max_rows=3).max_rows == 3
    assert plan("SELECT * FROM users", dataset, max_rows=300).max_rows == 5


def test_a_dataset_may_have_its_own_limits(dataset: DatasetSpec) -> None:
    strict = replace(dataset, query_limits={"raw_rows": 1, "aggregated_rows": 20})

    assert plan("SELECT * FROM users", strict).max_rows == 1
    assert plan("SELECT count(*) FROM users", strict).max_rows == 20


def test_the_operator_may_see_all_rows(dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan("SELECT * FROM events", dataset, reveal_all_rows=True)

    assert len(fetch(planned.sql)[1]) == 500
    assert plan("SELECT * FROM events", dataset, reveal_all_rows=True, max_rows=7).max_rows == 7


def test_nobody_else_may(dataset: DatasetSpec) -> None:
    with pytest.raises(AccessError):
        plan("SELECT * FROM events", dataset, principal=ANALYST, reveal_all_rows=True)


@pytest.mark.parametrize("wanted", [{"max_rows": 0}, {"max_rows": -1}, {"weighting": "always"}])
def test_refuses_a_request_that_makes_no_sense(wanted: dict[str, Any], dataset: DatasetSpec) -> None:
    with pytest.raises(InvalidRequest):
        plan("SELECT 1", dataset, **wanted)
