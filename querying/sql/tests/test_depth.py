"""Statements at the token limit, nested in every way: neither a crash nor a long wait, in a thread as in production."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.errors import GatewayError
from datasets.catalog import DatasetSpec
from querying.sql.tests.panel import plan


def nest(head: str, opening: str, core: str, closing: str, times: int) -> str:
    return head + opening * times + core + closing * times


STATEMENTS = {
    "a sum": "SELECT " + "+".join(["1"] * 1998),
    "a chain of AND": "SELECT 1 WHERE " + " AND ".join(["true"] * 1998),
    "brackets": nest("SELECT ", "(", "1", ")", 1998),
    "NOT": nest("SELECT 1 WHERE ", "NOT ", "true", "", 3995),
    "NOT in brackets": nest("SELECT 1 WHERE ", "NOT (", "true", ")", 1330),
    "minus": nest("SELECT ", "- ", "1", "", 3995),
    "CASE": nest("SELECT ", "CASE WHEN true THEN ", "1", " ELSE 2 END", 550),
    "function calls": nest("SELECT ", "abs(", "1", ")", 1330),
    "arrays": nest("SELECT ", "ARRAY[", "1", "]", 1330),
    "rows": nest("SELECT ", "ROW(", "1", ")", 1330),
    "JSON constructors": nest("SELECT ", "JSON_ARRAY(", "1", ")", 1330),
    "casts": "SELECT 1" + "::int" * 1990,
    "subscripts": "SELECT ('{}'::jsonb)" + "[1]" * 1325,
    "fields": nest("SELECT ", "(", "users", ").name", 990) + " FROM users",
    "concatenation": "SELECT " + "||".join(["'a'"] * 1990),
    "collations": "SELECT 'a'" + ' COLLATE "C"' * 1990,
    "time zones": "SELECT now()" + " AT TIME ZONE 'UTC'" * 990,
    "scalar sub-selects": nest("SELECT ", "(SELECT ", "1", ")", 1330),
    "EXISTS": nest("SELECT 1 WHERE ", "EXISTS (SELECT 1 WHERE ", "true", ")", 570),
    "IN": nest("SELECT 1 WHERE ", "1 IN (SELECT 1 WHERE ", "true", ")", 490),
    "sub-selects in FROM": nest("SELECT * FROM ", "(SELECT * FROM ", "users", ") x", 660),
    "doubled columns": nest("SELECT * FROM ", "(SELECT *, * FROM ", "users", ") x", 490),
    "references through sub-selects": nest("SELECT x.name FROM ", "(SELECT x.name FROM ", "users x", ") x", 435),
    "LATERAL": nest("SELECT * FROM ", "LATERAL (SELECT * FROM ", "users", ") x", 490),
    "WITH in WITH": nest("", "WITH x AS (", "SELECT 1", ") SELECT * FROM x", 430),
    "WITH after WITH": "WITH c0 AS (SELECT * FROM users)"
    + "".join(f", c{i} AS (SELECT * FROM c{i - 1}, c{i - 1} AS b)" for i in range(1, 300))
    + " SELECT 1",
    "cross joins": "SELECT 1 FROM events a" + " CROSS JOIN categories c" * 990,
    "joins in brackets": nest("SELECT 1 FROM ", "(", "categories", " CROSS JOIN categories)", 650),
    "joins with conditions": "SELECT 1 FROM categories c0"
    + "".join(f" JOIN categories c{i} ON c{i}.category = c{i - 1}.category" for i in range(1, 300)),
    "commas": "SELECT 1 FROM categories" + ", categories" * 1990,
    "UNION": "SELECT 1" + " UNION SELECT 1" * 1330,
    "UNION in brackets": nest("SELECT 1 ", "UNION (SELECT 1 ", "", ")", 790),
    "UNION of tables": "SELECT app FROM events" + " UNION ALL SELECT app FROM events" * 660,
    "grouping sets": nest("SELECT 1 FROM events GROUP BY ", "GROUPING SETS (", "app", ")", 990),
    "equal columns": "SELECT count(*) FROM events a WHERE " + " AND ".join(["a.app = a.category"] * 490),
    "a refusal at the bottom": nest("SELECT ", "(SELECT ", "pg_sleep(1)", ")", 1325),
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_survives(kind: str, dataset: DatasetSpec) -> None:
    started = time.monotonic()

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(attempt, STATEMENTS[kind], dataset).result()

    assert outcome == ("query_refused" if "refusal" in kind else "planned")
    assert time.monotonic() - started < 5


def attempt(sql: str, dataset: DatasetSpec) -> str:
    try:
        plan(sql, dataset)
    except GatewayError as error:
        return error.code
    return "planned"
