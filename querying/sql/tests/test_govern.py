"""The governed statement equals the statement on a copy of the tables that holds just what is visible."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from datasets.catalog import DatasetSpec, TableSpec
from querying.sql.tests.cases import Case, load_cases
from querying.sql.tests.conftest import Fetch, run
from querying.sql.tests.panel import plan


@pytest.fixture(scope="module")
def fetch_from_copy(panel_url: str, dataset: DatasetSpec) -> Iterator[Fetch]:
    """A session in which public's tables are shadowed by copies without their hidden columns."""
    with psycopg.connect(panel_url) as session:
        session.execute("CREATE SCHEMA visible; SET search_path = visible, public")
        for table in dataset.tables:
            if table.schema == "public":
                session.execute(copy_of(table))
        session.commit()
        yield lambda sql: run(session, sql)
        session.execute("DROP SCHEMA visible CASCADE")
        session.commit()


def copy_of(table: TableSpec) -> bytes:
    columns = ", ".join(f'"{column.name}"' for column in table.visible_columns)
    key = ", ".join(f'"{column}"' for column in table.primary_key)
    made = f'CREATE TABLE visible."{table.name}" AS SELECT {columns} FROM public."{table.name}";'
    return (made + (f'ALTER TABLE visible."{table.name}" ADD PRIMARY KEY ({key})' if key else "")).encode()


@pytest.mark.parametrize("case", load_cases("allowed"), ids=str)
def test_answers_as_the_statement_on_what_is_visible(
    case: Case, dataset: DatasetSpec, fetch: Fetch, fetch_from_copy: Fetch
) -> None:
    planned = plan(case.sql, dataset, reveal_all_rows=True)

    answer, expected = fetch(planned.sql), fetch_from_copy(case.sql.replace("public.", "visible."))

    if "unstable" not in case.marks:
        assert answer == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM users",
        "SELECT u.* FROM public.users AS u",
        "SELECT users FROM users",
        "SELECT to_jsonb(u) FROM users u",
        "SELECT (u).* FROM users u",
        "SELECT * FROM users NATURAL JOIN events",
        "SELECT * FROM (users JOIN events USING (user_id)) AS j",
        "TABLE users",
        "SELECT j.* FROM users u, jsonb_each_text(to_jsonb(u)) AS j",
        "WITH x AS (TABLE users) SELECT x, x.* FROM x",
        "SELECT * FROM users TABLESAMPLE bernoulli (100)",
        "SELECT string_agg(u::text, ';') FROM users u",
        "SELECT max(u) FROM users u",
        "SELECT * FROM users EXCEPT SELECT * FROM users WHERE false",
    ],
)
def test_never_shows_a_hidden_column(sql: str, dataset: DatasetSpec, fetch: Fetch) -> None:
    if "EXCEPT" in sql:
        sql = sql.replace("*", "user_id, name, tags")  # json has no equality

    names, rows = fetch(plan(sql, dataset, reveal_all_rows=True).sql)

    assert rows
    assert not {"email", "phone"} & set(names)
    assert "example.org" not in str(rows)
    assert "+91" not in str(rows)
