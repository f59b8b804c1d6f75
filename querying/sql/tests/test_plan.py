"""What a plan says, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.errors import GatewayError, NameNotFound, QueryRefused, SqlInvalid
from datasets.catalog import DatasetSpec
from querying.sql.parse import MAX_SIZE_BYTES
from querying.sql.tests.panel import plan


def test_replaces_a_table_by_what_may_be_seen(dataset: DatasetSpec) -> None:
    planned = plan("SELECT * FROM categories c JOIN archive.stores ON true", dataset)

    assert planned.sql == (
        "SELECT * FROM (SELECT category, parent, title FROM public.categories) c "
        "JOIN (SELECT store_id, city FROM archive.stores) stores ON true LIMIT 6"
    )
    assert planned.tables == ("archive.stores", "public.categories")


def test_moves_sampling_and_only_inside(dataset: DatasetSpec) -> None:
    planned = plan("SELECT count(*) FROM ONLY categories AS c TABLESAMPLE bernoulli (50) REPEATABLE (1)", dataset)

    sampled = "FROM ONLY public.categories TABLESAMPLE pg_catalog.bernoulli(50) REPEATABLE (1)"
    assert f"(SELECT category, parent, title {sampled}) c" in planned.sql


def test_completes_a_group_by_the_primary_key(dataset: DatasetSpec) -> None:
    planned = plan("SELECT c.category, upper(c.title) FROM categories c GROUP BY c.category", dataset)

    assert "GROUP BY c.category, c.title" in planned.sql


def test_the_fingerprint_is_that_of_the_callers_statement(dataset: DatasetSpec) -> None:
    one, other, third = (
        plan(f"SELECT name FROM users WHERE user_id {test}", dataset).fingerprint for test in ("= 1", "= 2", "> 2")
    )

    assert one == other != third
    assert int(one, 16)


@pytest.mark.parametrize(
    ("sql", "wanted", "decision", "status"),
    [
        ("SELECT count(*) FROM users", "auto", "open", "design_not_confirmed"),
        ("SELECT count(*) FROM users", "auto", "none", "none"),
        ("SELECT count(*) FROM users", "off", "open", "off"),
        ("SELECT 1", "auto", "open", "none"),
        ("WITH users AS (SELECT 1) SELECT * FROM users", "auto", "open", "none"),
    ],
)
def test_says_why_an_answer_is_unweighted(
    sql: str, wanted: str, decision: str, status: str, dataset: DatasetSpec
) -> None:
    planned = plan(sql, replace(dataset, design_decision=decision), weighting=wanted)

    assert planned.weighting == status


@pytest.mark.parametrize(
    ("sql", "error", "message", "hint"),
    [
        ("SELECT pg_sleep(9)", QueryRefused, "pg_sleep() is not allowed (line 1, column 8).", "Queries cannot wait"),
        ("SELECT\n  'ü',\n  pg_sleep(9)", QueryRefused, "pg_sleep() is not allowed (line 3, column 3).", "wait"),
        ("SELECT 'üß', pg_sleep(9)", QueryRefused, "pg_sleep() is not allowed (line 1, column 14).", "wait"),
        ("  DELETE FROM users", QueryRefused, "DELETE is not allowed (line 1, column 3).", "nothing can be changed"),
        ("/* a */ DROP TABLE x", QueryRefused, "DROP is not allowed (line 1, column 9).", "nothing can be changed"),
        ("SELECT cuont(*) FROM users", QueryRefused, "cuont() is not allowed (line 1, column 8).", "such as count"),
        (
            "SELECT 1; \n SELECT 2",
            QueryRefused,
            "2 statements were sent, one is allowed (the second: line 2, column 2).",
            "WITH",
        ),
        ("SELECT $1", QueryRefused, "A parameter ($1) is not allowed (line 1, column 8).", "in place of $1"),
        (
            "EXPLAIN (ANALYZE) SELECT 1",
            QueryRefused,
            "EXPLAIN option ANALYZE is not allowed (line 1, column 10).",
            "EXPLAIN SELECT",
        ),
        (
            "SELECT * FROM pg_class",
            QueryRefused,
            "The system catalogue cannot be read: pg_class (line 1, column 15).",
            "describe_dataset",
        ),
        (
            "SELECT * FROM salaries",
            NameNotFound,
            "Dataset panel has no table salaries (line 1, column 15).",
            "describe_dataset",
        ),
        (
            "SELECT * FROM catgories",
            NameNotFound,
            "Dataset panel has no table catgories (line 1, column 15).",
            "nearest tables are public.categories",
        ),
        (
            "SELECT * FROM stores",
            NameNotFound,
            "stores stands in several schemas (line 1, column 15).",
            "archive.stores or public.stores",
        ),
        ("SELECT u.gendr FROM users u", NameNotFound, "There is no column gendr (line 1, column 8).", "gender"),
        ("SELECT e.state FROM events e", NameNotFound, "There is no column e.state (line 1, column 8).", "started_at"),
        ("SELECT platfrom FROM events", NameNotFound, "There is no column platfrom (line 1, column 8).", "platform"),
        ("SELECT email FROM users", NameNotFound, "There is no column email (line 1, column 8).", "describe_dataset"),
        ("SELEC 1", SqlInvalid, 'Syntax error at or near "SELEC" (line 1, column 1).', "PostgreSQL dialect"),
        ("SELECT 'ü', \n FROM x WHERE", SqlInvalid, 'Syntax error at or near "FROM" (line 2, column 2).', "PostgreSQL"),
        ("", SqlInvalid, "The SQL is empty.", "Send one SELECT"),
        ("SELECT '\0'", SqlInvalid, "The SQL holds a NUL character.", ""),
        ("SELECT '\ud800'", SqlInvalid, "The SQL holds characters that are not valid Unicode.", ""),
        (f"SELECT '{'x' * MAX_SIZE_BYTES}'", QueryRefused, "The SQL has 32,777 bytes; 32,768 are allowed.", "shorter"),
        (f"SELECT {'1,' * 2000}1", QueryRefused, "The SQL has 4,002 tokens; 4,000 are allowed.", "shorter"),
    ],
)
def test_a_refusal_says_what_where_and_what_to_write_instead(
    sql: str, error: type[GatewayError], message: str, hint: str, dataset: DatasetSpec
) -> None:
    with pytest.raises(error) as refused:
        plan(sql, dataset)

    assert refused.value.message == message
    assert hint in refused.value.hint
    assert "email" not in refused.value.hint


def test_refuses_tables_named_so_often_that_planning_would_take_long(dataset: DatasetSpec) -> None:
    with pytest.raises(QueryRefused, match="1,500 times"):
        plan("SELECT 1 FROM users" + ", users" * 1499, dataset)
