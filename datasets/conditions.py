"""Conditions on columns without SQL, as questions and personas write them: JSON in, values out. Pure.

    [{"column": "gender", "op": "=", "value": "Female"}, {"column": "age", "op": "between", "value": [25, 34]}]

Conditions of a list hold together (AND). What the columns are, and whether a value fits one, is said where a dataset is
at hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from config.errors import InvalidRequest

Scalar = bool | int | float | str
OPERATORS: Final = ("=", "!=", "in", "between", "is_null", "like")
KEYS: Final = ("column", "op", "value")
MOST_CONDITIONS: Final = 30
MOST_VALUES: Final = 200
LONGEST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Condition:
    """`column` is a name, or table.name. `values` are one for = != like, two for between, any number for in.

    Of `is_null` the value is True (no value is known) or False (one is).
    """

    column: str
    op: str
    values: tuple[Scalar, ...]


def parse_conditions(document: object, *, where: str = "where") -> tuple[Condition, ...]:
    """Raises `InvalidRequest`, which names the place (`where[1].op`) and what may stand there."""
    if not isinstance(document, list | tuple):
        raise invalid(f"`{where}` is no list", 'Write [{"column": "gender", "op": "=", "value": "Female"}].')
    if len(document) > MOST_CONDITIONS:
        raise invalid(f"`{where}` has {len(document)} conditions", f"Write {MOST_CONDITIONS} at most.")
    return tuple(parse_condition(item, where=f"{where}[{place}]") for place, item in enumerate(document))


def parse_condition(document: object, *, where: str) -> Condition:
    if not isinstance(document, Mapping):
        raise invalid(f"`{where}` is no condition", 'Write {"column": "gender", "op": "=", "value": "Female"}.')
    unknown = [key for key in document if key not in KEYS]
    if unknown:
        raise invalid(f"`{where}` has no field {unknown[0]!r}", f"Its fields are {', '.join(KEYS)}.")
    column, op = document.get("column"), document.get("op", "=")
    if not isinstance(column, str) or not column.strip():
        raise invalid(f"`{where}.column` is missing", "Name a column.")
    if op not in OPERATORS:
        near = get_close_matches(str(op), OPERATORS, n=1)
        hint = f"Write one of {' '.join(OPERATORS)}" + (f"; the nearest is {near[0]}." if near else ".")
        raise invalid(f"`{where}.op` {str(op)[:40]!r} is unknown", hint)
    return Condition(column.strip(), op, parse_values(op, document.get("value"), where=f"{where}.value"))


def parse_values(op: str, value: object, *, where: str) -> tuple[Scalar, ...]:
    if op == "is_null":
        if value is None:
            return (True,)
        if not isinstance(value, bool):
            raise invalid(f"`{where}` of is_null is true or false", "is_null true means that no value is known.")
        return (value,)
    if op in ("in", "between"):
        if not isinstance(value, list | tuple) or not value:
            raise invalid(f"`{where}` of {op} is no list", 'Write ["a", "b"].')
        if op == "between" and len(value) != 2:
            raise invalid(
                f"`{where}` of between has {len(value)} values", "Write [lowest, highest]; both belong to it."
            )
        if len(value) > MOST_VALUES:
            raise invalid(f"`{where}` has {len(value)} values", f"Write {MOST_VALUES} at most.")
        return tuple(parse_scalar(item, where=f"{where}[{place}]") for place, item in enumerate(value))
    scalar = parse_scalar(value, where=where)
    if op == "like" and not isinstance(scalar, str):
        raise invalid(f"`{where}` of like is a text with % and _", 'Write "You%".')
    return (scalar,)


def parse_scalar(value: object, *, where: str) -> Scalar:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT or "\0" in value:
            raise invalid(f"`{where}` is too long or holds a zero byte", f"Write {LONGEST_TEXT} characters at most.")
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise invalid(f"`{where}` is neither a text nor a number", "For missing values write the operator is_null.")


def invalid(what: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"{what}.", hint=hint)


def render_conditions(conditions: tuple[Condition, ...]) -> str:
    """In words, for people: `gender = Female and age between 25 and 34`."""
    return " and ".join(map(_render_condition, conditions))


def _render_condition(condition: Condition) -> str:
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value in condition.values]
    if condition.op == "is_null":
        return f"{condition.column} is {'missing' if condition.values[0] else 'known'}"
    if condition.op == "between":
        return f"{condition.column} between {' and '.join(values)}"
    return f"{condition.column} {condition.op} {', '.join(values)}"


def document_of(conditions: tuple[Condition, ...]) -> list[dict[str, Any]]:  # Any: JSON
    """As `parse_conditions` reads them."""
    return [
        {
            "column": one.column,
            "op": one.op,
            "value": list(one.values) if one.op in ("in", "between") else one.values[0],
        }
        for one in conditions
    ]
