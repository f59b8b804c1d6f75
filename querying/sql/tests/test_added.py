"""What a database adds to PostgreSQL's own names: extensions answer as they do, its owner's code never runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from config.errors import GatewayError
from datasets.catalog import DatasetSpec
from querying.sql.plan import QueryPlan
from querying.sql.tests.cases import HERE, Case, read_cases
from querying.sql.tests.conftest import run
from querying.sql.tests.panel import ANALYST, load_dataset, plan

UNPROVEN = "unproven"
TABLES = frozenset(
    f"public.{name}"
    for name in (
        "behind_view",
        "file_view",
        "fine_view",
        "items",
        "leaking_view",
        "remote_view",
        "role_view",
    )
)


@pytest.fixture(scope="module")
def added_url(postgres_superuser_dsn: str) -> Iterator[str]:
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE sql_added")
    url = urlsplit(postgres_superuser_dsn)._replace(path="/sql_added").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((HERE / "added" / "schema.sql").read_bytes())
    yield url
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE sql_added WITH (FORCE)")


@pytest.fixture(scope="module")
def added(added_url: str) -> DatasetSpec:
    return load_dataset(added_url, TABLES)


def answer(url: str, planned: QueryPlan) -> tuple[list[str], list[tuple[str, ...]]]:
    path = ",".join(("pg_catalog", *planned.search_path))
    with psycopg.connect(url, options=f"-c search_path={path} -c default_transaction_read_only=on") as session:
        return run(session, planned.sql)


def answer_unguarded(url: str, sql: str) -> tuple[list[str], list[tuple[str, ...]]]:
    with psycopg.connect(url, options="-c search_path=public,extensions") as session:
        return run(session, sql)


@pytest.mark.parametrize("case", read_cases(HERE / "added" / "allowed.sql"), ids=str)
def test_extensions_answer_as_they_do_in_the_database(case: Case, added: DatasetSpec, added_url: str) -> None:
    planned = plan(case.sql, added, reveal_all_rows=True)

    found = answer(added_url, planned)

    assert "secret" not in str(found)
    if "unstable" not in case.marks:
        assert found == answer_unguarded(added_url, case.sql)


@pytest.mark.parametrize("case", read_cases(HERE / "added" / "refused.sql"), ids=str)
def test_refuses_what_nobody_approved(case: Case, added: DatasetSpec) -> None:
    with pytest.raises(GatewayError) as refused:
        plan(case.sql, added, principal=ANALYST)

    wanted = next((mark for mark in case.marks if mark != UNPROVEN), "query_refused")
    assert refused.value.code == wanted, refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("case", read_cases(HERE / "added" / "refused.sql"), ids=str)
def test_runs_the_owners_code_without_the_guard(case: Case, added_url: str) -> None:
    """Save those that fail in PostgreSQL, or do their harm without it: what they read is shown by name."""
    said: list[str] = []
    with psycopg.connect(added_url, options="-c search_path=public,extensions") as session:
        session.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        with contextlib.suppress(psycopg.Error):
            run(session, case.sql)

    assert ("it ran" in said) == (UNPROVEN not in case.marks)
