"""Which days a question is about."""

from __future__ import annotations

from datetime import date

import pytest

from querying.analysis.periods import Days, full_days, previous_days


def days(first: str, last: str) -> Days:
    return Days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("data", "count", "unit", "expected"),
    [
        (("2026-01-01", "2026-04-10"), 1, "month", ("2026-03-01", "2026-03-31")),
        (("2026-01-01", "2026-03-31"), 1, "month", ("2026-03-01", "2026-03-31")),
        (("2026-01-01", "2026-03-30"), 1, "month", ("2026-02-01", "2026-02-28")),
        (("2025-01-01", "2026-01-31"), 3, "month", ("2025-11-01", "2026-01-31")),
        (("2026-01-01", "2026-04-10"), 2, "week", ("2026-03-23", "2026-04-05")),
        (("2026-01-01", "2026-04-10"), 1, "quarter", ("2026-01-01", "2026-03-31")),
        (("2024-06-01", "2026-04-10"), 1, "year", ("2025-01-01", "2025-12-31")),
        (("2026-01-01", "2026-04-10"), 5, "day", ("2026-04-06", "2026-04-10")),
        (("2026-04-03", "2026-04-10"), 1, "month", ("2026-04-03", "2026-04-10")),
    ],
)
def test_the_last_full_ones_are_those_whose_last_day_the_data_reach(
    data: tuple[str, str], count: int, unit: str, expected: tuple[str, str]
) -> None:
    assert full_days(days(*data), count, unit) == days(*expected)


@pytest.mark.parametrize(
    ("asked", "before"),
    [
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        (("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        (("2026-02-01", "2026-03-31"), ("2025-12-01", "2026-01-31")),
        (("2026-01-01", "2026-12-31"), ("2025-01-01", "2025-12-31")),
        (("2026-03-02", "2026-03-08"), ("2026-02-23", "2026-03-01")),
        (("2026-03-05", "2026-03-05"), ("2026-03-04", "2026-03-04")),
    ],
)
def test_the_period_before_is_as_long_in_months_or_else_in_days(
    asked: tuple[str, str], before: tuple[str, str]
) -> None:
    assert previous_days(days(*asked)) == days(*before)
