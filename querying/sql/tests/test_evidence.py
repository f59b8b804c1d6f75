"""What refused/ refuses is harmful where it is not refused, as its marks say: `--: does shows`, `--: because ...`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datasets.catalog import DatasetSpec
from querying.sql.tests.cases import Case, load_cases
from querying.sql.tests.evidence import HARMFUL, Attempt, Seen, World, observe
from querying.sql.tests.panel import ANALYST, plan


@pytest.fixture(scope="module")
def north() -> Iterator[World]:
    world = World(usual=True)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def south() -> Iterator[World]:
    world = World(usual=False)
    yield world
    world.stop()


@pytest.mark.parametrize("case", load_cases("refused"), ids=str)
def test_does_without_the_guard_what_its_mark_says(case: Case, north: World, south: World) -> None:
    found = observe(case.sql, north=north, south=south)

    marked = [mark for mark in case.marks if mark.startswith("does ")]
    assert marked == [f"does {found.harm}"], f"{found.attempt}: {found.detail[:500]}"


def test_a_case_says_why_it_is_refused_where_no_harm_can_be_shown() -> None:
    unexplained = [
        str(case)
        for case in load_cases("refused")
        if ("does nothing" in case.marks) != any(mark.startswith("because ") for mark in case.marks)
    ]

    assert not unexplained


@pytest.mark.parametrize("case", load_cases("allowed"), ids=str)
def test_what_is_allowed_shows_and_changes_nothing(
    case: Case, dataset: DatasetSpec, north: World, south: World
) -> None:
    """The same measure on the other side: no answer depends on what is hidden."""
    planned = plan(case.sql, dataset, principal=ANALYST)
    path = ", ".join(("pg_catalog", *planned.search_path))
    attempt = Attempt(planned.sql, "BEGIN READ ONLY", f"SET search_path = {path}")

    here, there = north.attempt(attempt), south.attempt(attempt)

    assert not here.sqlstate, here.answer
    assert not here.changed
    if "unstable" not in case.marks:
        assert here.answer == there.answer


def test_sees_every_kind_of_harm(north: World, south: World) -> None:
    statements = {
        "waits": "SELECT pg_sleep(9)",
        "changes": "DELETE FROM events",
        "runs": "SELECT leak('x') FROM users",
        "shows": "SELECT email FROM users",
        "fails": "SELECT * FROM nowhere",
        "nothing": "SELECT name FROM users",
    }

    assert {harm: observe(sql, north=north, south=south).harm for harm, sql in statements.items()} == {
        harm: harm for harm in statements
    }
    assert set(HARMFUL) < set(statements)


def test_a_statement_that_was_taken_back_changed_nothing(north: World) -> None:
    seen = north.attempt(Attempt("INSERT INTO users (user_id) VALUES (1)", "BEGIN"))

    assert seen == Seen(seen.answer, "23502", frozenset())


def test_a_world_is_as_new_after_a_change(north: World) -> None:
    count = Attempt("SELECT count(*) FROM events", "BEGIN READ ONLY")
    before = north.attempt(count)

    for begin in ("BEGIN", "", "BEGIN READ ONLY"):
        assert "data" in north.attempt(Attempt("ROLLBACK; DELETE FROM events", begin)).changed

    assert north.attempt(count) == before
