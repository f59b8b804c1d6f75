"""What a database adds to PostgreSQL's own names: extensions answer as they do, its owner's code never runs."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from config.errors import GatewayError
from datasets.catalog import DatasetSpec
from querying.sql.allowed_types import ALLOWED_TYPES
from querying.sql.column_notation import REFUSED_TYPES_AFTER_A_DOT
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
        "filling_view",
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


def test_every_type_that_a_cast_may_not_name_is_refused_after_a_dot(added_url: str) -> None:
    sql = "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0 AND typelem = 0"
    with psycopg.connect(added_url) as session:
        found = {name for (name,) in session.execute(sql) if not name.startswith("pg_")}

    assert found - ALLOWED_TYPES <= REFUSED_TYPES_AFTER_A_DOT


OWN = [case.sql for case in read_cases(HERE / "added" / "allowed.sql")]
HOSTILE = [case.sql for case in read_cases(HERE / "added" / "refused.sql")]


@pytest.mark.parametrize("seed", range(2))
def test_mutations_never_run_the_owners_code(seed: int, added: DatasetSpec, added_url: str) -> None:
    chance = random.Random(seed)
    planned = [found for found in (attempt(mutate(chance), added) for _ in range(2_000)) if found]
    said: list[str] = []

    with psycopg.connect(added_url, options="-c default_transaction_read_only=on -c statement_timeout=2s") as session:
        session.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        shown = [answer_quickly(session, found) for found in planned]

    assert len(planned) > 40
    assert "it ran" not in said
    assert not [text for text in shown if "'secret'" in text]


def mutate(chance: random.Random) -> str:
    """Words of one statement, with words or stretches of another put in, taken out or moved."""
    words = chance.choice(OWN + HOSTILE).split(" ")
    other = chance.choice(OWN + HOSTILE).split(" ")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words) + 1)
        start = chance.randrange(len(other))
        stretch = other[start : start + chance.randint(1, 6)]
        words[at : at + chance.randint(0, 3)] = chance.choice([stretch, [], [chance.choice(other)]])
    return " ".join(words)


def attempt(sql: str, added: DatasetSpec) -> QueryPlan | None:
    """None when refused; any other error is a crash and fails the test."""
    try:
        return plan(sql, added, principal=ANALYST)
    except GatewayError:
        return None


def answer_quickly(session: psycopg.Connection, planned: QueryPlan) -> str:
    path = ", ".join(("pg_catalog", *planned.search_path))
    try:
        session.execute(f"SET LOCAL search_path = {path}".encode())
        return str(run(session, planned.sql)[1])
    except psycopg.Error as error:
        session.rollback()
        return str(error)
