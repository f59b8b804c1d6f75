"""Conditions without SQL."""

from __future__ import annotations

import pytest

from config.errors import InvalidRequest
from datasets.conditions import Condition, document_of, parse_conditions


def test_reads_every_operator_and_writes_it_again() -> None:
    document = [
        {"column": "gender", "op": "=", "value": "Female"},
        {"column": "nccs", "op": "!=", "value": "A"},
        {"column": "users.age", "op": "between", "value": [25, 34.5]},
        {"column": "state", "op": "in", "value": ["KA", "TN"]},
        {"column": "app", "op": "like", "value": "You%"},
        {"column": "is_heavy", "op": "=", "value": True},
        {"column": "income", "op": "is_null", "value": False},
    ]

    conditions = parse_conditions(document)

    assert conditions[2] == Condition("users.age", "between", (25, 34.5))
    assert document_of(conditions) == document


def test_means_equal_and_missing_where_nothing_else_is_said() -> None:
    conditions = parse_conditions([{"column": "a", "value": 1}, {"column": "b", "op": "is_null"}])

    assert conditions == (Condition("a", "=", (1,)), Condition("b", "is_null", (True,)))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("gender = 'Female'", "`where` is no list"),
        ([{"column": "a", "value": 1}] * 31, "`where` has 31 conditions"),
        (["gender"], "`where[0]` is no condition"),
        ([{"column": "a", "op": "=", "val": 1}], "`where[0]` has no field 'val'"),
        ([{"op": "=", "value": 1}], "`where[0].column` is missing"),
        ([{"column": "a", "op": "is null"}], "`where[0].op` 'is null' is unknown"),
        ([{"column": "a", "op": "in", "value": "x"}], "`where[0].value` of in is no list"),
        ([{"column": "a", "op": "in", "value": []}], "`where[0].value` of in is no list"),
        ([{"column": "a", "op": "in", "value": [1] * 201}], "`where[0].value` has 201 values"),
        ([{"column": "a", "op": "between", "value": [1]}], "`where[0].value` of between has 1 values"),
        ([{"column": "a", "op": "is_null", "value": "yes"}], "`where[0].value` of is_null is true or false"),
        ([{"column": "a", "op": "like", "value": 3}], "`where[0].value` of like is a text"),
        ([{"column": "a", "value": None}], "`where[0].value` is neither a text nor a number"),
        ([{"column": "a", "value": float("nan")}], "`where[0].value` is neither a text nor a number"),
        ([{"column": "a", "value": "x\0"}], "`where[0].value` is too long or holds a zero byte"),
    ],
)
def test_says_where_a_condition_is_wrong(document: object, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_conditions(document)

    assert said in caught.value.message
    assert caught.value.hint
