"""Every statement of refused/ and allowed/; the allowed ones run on PostgreSQL."""

from __future__ import annotations

import pytest

from config.errors import GatewayError
from datasets.catalog import DatasetSpec
from querying.sql.tests.cases import Case, load_cases
from querying.sql.tests.conftest import Fetch
from querying.sql.tests.panel import ANALYST, plan, show_everything


@pytest.mark.parametrize("case", load_cases("refused"), ids=str)
def test_refuses(case: Case, dataset: DatasetSpec) -> None:
    with pytest.raises(GatewayError) as refused:
        plan(case.sql, dataset, principal=ANALYST)

    assert refused.value.code == code_of(case), refused.value.message
    assert refused.value.message.endswith(".")
    assert refused.value.hint


def code_of(case: Case) -> str:
    """The other marks of a refused case are for test_evidence."""
    return next((mark for mark in case.marks if not mark.startswith(("does ", "because "))), "query_refused")


@pytest.mark.parametrize("case", load_cases("allowed"), ids=str)
def test_allows(case: Case, dataset: DatasetSpec, fetch: Fetch) -> None:
    planned = plan(case.sql, dataset, principal=ANALYST)

    names, rows = fetch(planned.sql)

    assert len(rows) <= planned.max_rows + 1
    assert not {"email", "phone"} & set(names)
    assert "@example.org" not in str(rows)


@pytest.mark.parametrize("case", load_cases("allowed"), ids=str)
def test_answers_as_the_statement_itself_when_nothing_is_hidden(
    case: Case, dataset: DatasetSpec, fetch: Fetch, fetch_unguarded: Fetch
) -> None:
    planned = plan(case.sql, show_everything(dataset), reveal_all_rows=True)

    answer, expected = fetch(planned.sql), fetch_unguarded(case.sql)

    if "unstable" not in case.marks:
        assert answer == expected
