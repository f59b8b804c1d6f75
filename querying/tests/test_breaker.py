from __future__ import annotations

import pytest

from querying.breaker import Breaker


def opened(*, longest_wait_s: float = 30.0) -> Breaker:
    breaker = Breaker(failures=1, first_wait_s=0.5, longest_wait_s=longest_wait_s)
    breaker.failed(took_s=0)
    return breaker


def test_is_closed_at_first() -> None:
    assert not Breaker().is_open


def test_opens_with_the_last_failure_of_a_row() -> None:
    breaker = Breaker(failures=3)

    assert [breaker.failed(took_s=0.01) for _ in range(3)] == [False, False, True]
    assert breaker.is_open


def test_stays_closed_before_the_last_failure_of_a_row() -> None:
    breaker = Breaker(failures=3)

    breaker.failed(took_s=0.01)
    breaker.failed(took_s=0.01)

    assert not breaker.is_open


def test_a_success_between_failures_begins_a_new_row() -> None:
    breaker = Breaker(failures=2)
    breaker.failed(took_s=0.01)

    breaker.succeeded()

    assert not breaker.failed(took_s=0.01)
    assert breaker.failed(took_s=0.01)


def test_one_slow_failure_opens_it() -> None:
    breaker = Breaker(failures=3, slow_s=1.0)

    assert breaker.failed(took_s=1.01)
    assert breaker.is_open


def test_a_failure_as_long_as_allowed_is_not_slow() -> None:
    assert not Breaker(failures=3, slow_s=1.0).failed(took_s=1.0)


def test_only_one_failure_says_that_it_opened_it() -> None:
    breaker = opened()

    assert not breaker.failed(took_s=5)
    assert breaker.is_open


def test_a_success_closes_it() -> None:
    breaker = opened()

    breaker.succeeded()

    assert not breaker.is_open


def test_a_closed_one_needs_a_whole_row_again() -> None:
    breaker = Breaker(failures=2)
    breaker.failed(took_s=5)

    breaker.succeeded()

    assert not breaker.failed(took_s=0.01)


def test_waits_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    breaker = opened(longest_wait_s=3.0)

    assert [breaker.next_wait_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_late_failures_of_callers_do_not_lengthen_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    breaker = opened()

    for _ in range(10):
        breaker.failed(took_s=2)

    assert breaker.next_wait_s() == 0.5


def test_waits_begin_anew_when_it_opens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    breaker = opened()
    for _ in range(5):
        breaker.next_wait_s()

    breaker.succeeded()
    breaker.failed(took_s=0)

    assert breaker.next_wait_s() == 0.5


def test_waits_differ_by_at_most_a_fifth() -> None:
    waits = [opened().next_wait_s() for _ in range(200)]

    assert all(0.4 <= wait_s <= 0.6 for wait_s in waits)
    assert len(set(waits)) > 100


def test_a_database_that_is_away_for_days_is_still_probed() -> None:
    breaker = opened(longest_wait_s=30.0)

    waits = [breaker.next_wait_s() for _ in range(5_000)]

    assert 24 <= waits[-1] <= 36
