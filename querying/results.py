"""What a query answered, as values that every door can print. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import simplejson

# JSON scalars; Decimal keeps PostgreSQL's numeric at full precision
Value = None | bool | int | float | Decimal | str


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is PostgreSQL's own name of the type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows in column order. `truncated` says that there were more than the limit shows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    truncated: bool = False
    truncated_by: str = ""


def to_value(raw: Any) -> Value:  # Any: whatever asyncpg decodes
    """A JSON scalar: numbers as numbers, NaN and infinities as strings, the rest as PostgreSQL would write it."""
    if raw is None or isinstance(raw, bool | int | str):
        return raw
    if isinstance(raw, float):
        return raw if math.isfinite(raw) else _name_of_float(raw)
    if isinstance(raw, Decimal):
        return raw if raw.is_finite() else str(raw)
    return to_text(raw)


def _name_of_float(raw: float) -> str:
    return "NaN" if math.isnan(raw) else "Infinity" if raw > 0 else "-Infinity"


def to_text(raw: Any) -> str:  # Any: whatever asyncpg decodes
    """A scalar as PostgreSQL prints it; what is made of several values comes as text already."""
    if isinstance(raw, bytes | bytearray | memoryview):
        return "\\x" + bytes(raw).hex()
    return str(raw)


# ── text forms ───────────────────────────────────────────────────────────────────────────────────────────────
def render_markdown(result: QueryResult) -> str:
    """A table without padding; what stands in a cell stays in its cell and is data, not markup."""
    lines = [
        "|" + "|".join(escape_cell(column.name) for column in result.columns) + "|",
        "|" + "|".join("---" for _ in result.columns) + "|",
    ]
    lines += ["|" + "|".join(_cell(value) for value in row) + "|" for row in result.rows]
    return "\n".join(lines)


def _cell(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return (
        escape_cell(value)
        if isinstance(value, str)
        else format(value, "f")
        if isinstance(value, Decimal)
        else str(value)
    )


# "<1L" is a category and must reach the model as it is stored; only what HTML would read as a tag is escaped
TAG_OPENING = re.compile(r"<(?=[A-Za-z/!?])")


def escape_cell(text: str) -> str:
    """One line that cannot end its cell, open a tag or start code."""
    shown = TAG_OPENING.sub("&lt;", text.replace("\\", "\\\\")).replace("|", "\\|").replace("`", "\\`")
    return " ".join(shown.splitlines())


def render_json(result: QueryResult) -> str:
    return dump_json({"columns": [column.name for column in result.columns], "rows": result.rows})


def render_csv(result: QueryResult) -> str:
    lines = [",".join(_csv_field(column.name) for column in result.columns)]
    lines += [",".join("" if value is None else _csv_field(_plain(value)) for value in row) for row in result.rows]
    return "\n".join(lines)


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') or text == "" else text


def dump_json(value: Any) -> str:  # Any: JSON with Decimals
    """Compact JSON; Decimals keep every digit, and there is no NaN in it."""
    return str(simplejson.dumps(value, use_decimal=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


RENDERERS: Mapping[str, Callable[[QueryResult], str]] = {
    "csv": render_csv,
    "json": render_json,
    "markdown": render_markdown,
}
