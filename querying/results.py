"""What a query answered, as PostgreSQL printed it, and its text forms. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from itertools import chain
from typing import Any, Final

import simplejson

from querying.evidence import Base, smallest
from querying.tokens import estimate_tokens

Cell = str | None
# JSON scalars; Decimal keeps PostgreSQL's numeric at full precision
Value = None | bool | int | float | Decimal | str

WHOLE: Final = frozenset({"int2", "int4", "int8", "oid"})
FRACTIONAL: Final = frozenset({"float4", "float8", "numeric"})
MOMENTS: Final = frozenset({"timestamp", "timestamptz"})
UTC_OFFSET: Final = "+00"
MOMENT_ENDINGS: Final = (UTC_OFFSET, ":00", " 00:00")
NULL: Final = "NULL"
LEAST_DECIMALS: Final = 2  # of large numbers, so that amounts of money stay whole
FLOAT_DIGITS: Final = 15  # that a double certainly holds
# below which so many significant digits leave two decimals
UNITS: Final = tuple(10.0 ** max(0, digits - LEAST_DECIMALS) for digits in range(18))
CELL_BYTES: Final = 60  # what Python adds to each
LONGEST_TOKEN: Final = 16  # characters a token of a table may have, generously


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is PostgreSQL's own name of the type."""

    name: str
    type: str


@dataclass(frozen=True)
class QueryResult:
    """`cells` are rows in column order, each as PostgreSQL prints it, None for NULL.

    `truncated_by` is rows or bytes where there was more than the limit, else empty. `read_bytes` is what it took to
    read it, where that is known. `bases` tell for each row and column what an estimate rests on; empty where none is.
    """

    columns: tuple[Column, ...]
    cells: tuple[tuple[Cell, ...], ...]
    truncated_by: str = ""
    read_bytes: int = field(default=0, compare=False)
    bases: tuple[tuple[Base | None, ...], ...] = ()

    @property
    def truncated(self) -> bool:
        return bool(self.truncated_by)

    @cached_property
    def rows(self) -> tuple[tuple[Value, ...], ...]:
        """Rows as JSON scalars: numbers and truth values as such; NaN, infinities and all else as text."""
        readers = [READERS.get(column.type, _read_text) for column in self.columns]
        return tuple(
            tuple(None if cell is None else read(cell) for read, cell in zip(readers, row, strict=True))
            for row in self.cells
        )

    @cached_property
    def size_bytes(self) -> int:
        """What it takes in memory, roughly."""
        return self.read_bytes or CELL_BYTES * len(self.cells) * len(self.columns) + text_length(self.cells)


def text_length(cells: Sequence[Sequence[Cell]]) -> int:
    return sum(map(len, filter(None, chain.from_iterable(cells))))


def _read_text(cell: str) -> Value:
    return cell


def _read_boolean(cell: str) -> Value:
    return {"true": True, "false": False}.get(cell, cell)


def _read_whole(cell: str) -> Value:
    try:
        return int(cell)
    except ValueError:  # the table was altered under a description that was kept
        return cell


def _read_float(cell: str) -> Value:
    try:
        value = float(cell)
    except ValueError:
        return cell
    return value if math.isfinite(value) else cell


def _read_numeric(cell: str) -> Value:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return cell
    return value if value.is_finite() else cell


READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "bool": _read_boolean,
    "float4": _read_float,
    "float8": _read_float,
    "int2": _read_whole,
    "int4": _read_whole,
    "int8": _read_whole,
    "numeric": _read_numeric,
    "oid": _read_whole,
}


# ── text forms ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Rendered:
    """A result as text, in about `tokens` tokens. `rows` of the result's rows are in it.

    `truncated_by` is rows, bytes or tokens where the text does not hold all that was asked for.
    """

    text: str
    rows: int
    tokens: int
    truncated_by: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A text in parts, so that lines can be left out: head, lines with `joint` between them, tail."""

    head: str
    lines: Sequence[str]
    joint: str = ""
    tail: str = ""

    def build(self, count: int) -> str:
        return f"{self.head}{self.joint.join(self.lines[:count])}{self.tail}"


def render(result: QueryResult, form: str, *, max_tokens: int, digits: int = 0) -> Rendered:
    """As markdown, csv or json, as many rows as fit. Markdown shows `digits` significant digits, all of them at 0."""
    likely = result.cells[: likely_rows(result, max_tokens)]
    made = FORMS[form](QueryResult(result.columns, likely, bases=result.bases[: len(likely)]), digits)
    count, text, tokens = fit(made, max_tokens)
    return Rendered(text, count, tokens, "tokens" if count < len(result.cells) else result.truncated_by)


def likely_rows(result: QueryResult, max_tokens: int) -> int:
    """As many rows as can fit at best: the rest need not be turned into text at all."""
    budget = max_tokens * LONGEST_TOKEN
    if result.size_bytes <= budget:
        return len(result.cells)
    for count, row in enumerate(result.cells):
        # a row is a token at least
        budget -= max(LONGEST_TOKEN, text_length([row]) + len(row))
        if budget < 0:
            return count
    return len(result.cells)


def fit(form: Form, max_tokens: int) -> tuple[int, str, int]:
    """The largest number of lines within the budget, found by halving; the text and its tokens."""
    count, text = len(form.lines), form.build(len(form.lines))
    tokens = estimate_tokens(text)
    if tokens <= max_tokens:
        return count, text, tokens
    fits, above = 0, count
    while above - fits > 1:
        middle = (fits + above) // 2
        if estimate_tokens(form.build(middle)) <= max_tokens:
            fits = middle
        else:
            above = middle
    text = form.build(fits)
    return fits, text, estimate_tokens(text)


def render_markdown(result: QueryResult) -> str:
    """The whole result, every digit."""
    form = _as_markdown(result, 0)
    return form.build(len(form.lines))


def _as_markdown(result: QueryResult, digits: int) -> Form:
    """A table without padding; what stands in a cell stays in its cell and is data, not markup."""
    names = "|".join(escape_cell(column.name) for column in result.columns)
    head = f"|{names}|\n|{'|'.join('---' for _ in result.columns)}|"
    shown = [
        _shown(column, cells, digits)
        for column, cells in zip(result.columns, zip(*result.cells, strict=True), strict=False)
    ]
    if result.bases:
        head = f"|{names}|{base_name(result)}|\n|{'|'.join('---' for _ in result.columns)}|---|"
        shown.append([_shown_base(weakest(row)) for row in result.bases])
    rows: Iterable[Sequence[str]] = zip(*shown, strict=True) if shown else [()] * len(result.cells)
    return Form(head, [f"\n|{'|'.join(row)}|" for row in rows])


def base_name(result: QueryResult) -> str:
    """Of the column that shows the persons behind each row."""
    return next(name for name in ("n", "base_n", "persons_n") if name not in {each.name for each in result.columns})


def weakest(bases: Sequence[Base | None]) -> Base | None:
    """Of what a row shows; of nothing but withheld numbers one of those."""
    return smallest([base for base in bases if base is not None and not base.withheld]) or smallest(bases)


def _shown_base(base: Base | None) -> str:
    if base is None or base.withheld:
        return "" if base is None else base.flag
    return f"{base.n} {base.flag}".strip()


def _shown(column: Column, cells: Sequence[Cell], digits: int) -> Sequence[str]:
    """A column's cells as they stand in a table; nearly always nothing has to be escaped."""
    filled: Sequence[str] = [NULL if cell is None else cell for cell in cells]
    if digits and column.type in FRACTIONAL:
        filled = [shorten(cell, digits) if len(cell) > digits or cell.endswith("0") else cell for cell in filled]
    elif digits and column.type in MOMENTS:
        filled = shorten_moments(filled)
    together = "".join(filled)
    return [escape_cell(cell) for cell in filled] if any(mark in together for mark in SPECIAL) else filled


def shorten(number: str, digits: int) -> str:
    """`digits` significant digits, never less than the whole part and two decimals: 0.33333, 163.64, 1234567.89."""
    try:
        value = float(number)
    except ValueError:  # the table was altered under a description that was kept
        return number
    if -UNITS[digits] < value < UNITS[digits]:
        if value or not number.strip("-0."):
            return f"{value:.{digits}g}" if value else "0"
        return f"{Decimal(number):.{digits}g}"  # less than any double
    whole, point, decimals = number.partition(".")
    if not number[-1].isdigit() or (not point and "e" not in number):  # NaN, Infinity, whole
        return number
    if "e" in number:
        return f"{value:.{digits}g}"
    kept = max(LEAST_DECIMALS, digits - len(whole.lstrip("-")))
    if len(decimals) <= kept:
        return number.rstrip("0").rstrip(".") if decimals else number
    exact = value if len(whole) + kept <= FLOAT_DIGITS else Decimal(number)
    return f"{exact:.{kept}f}".rstrip("0").rstrip(".")


def shorten_moments(moments: Sequence[str]) -> Sequence[str]:
    """Without what all of them have in common: the offset of UTC, seconds of 0, the time of midnight."""
    for ending in MOMENT_ENDINGS:
        if all(moment.endswith(ending) or moment == NULL for moment in moments):
            moments = [moment if moment == NULL else moment.removesuffix(ending) for moment in moments]
        elif ending != UTC_OFFSET:
            break
    return moments


# "<1L" is a category and must reach the model as it is stored; only what HTML would read as a tag is escaped
TAG_OPENING = re.compile(r"<(?=[A-Za-z/!?])")
LINE_ENDS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
SPECIAL: Final = ("\\", "|", "`", "<", *LINE_ENDS)


def escape_cell(text: str) -> str:
    """One line that cannot end its cell, open a tag or start code."""
    shown = TAG_OPENING.sub("&lt;", text.replace("\\", "\\\\")).replace("|", "\\|").replace("`", "\\`")
    return " ".join(shown.splitlines())


def _as_json(result: QueryResult, digits: int) -> Form:
    del digits  # programs get every digit
    names = dump_json([column.name for column in result.columns])
    return Form(f'{{"columns":{names},"rows":[', [dump_json(row) for row in result.rows], joint=",", tail="]}")


def _as_csv(result: QueryResult, digits: int) -> Form:
    del digits  # as above
    head = ",".join(_csv_field(column.name) for column in result.columns)
    lines = ["\n" + ",".join("" if cell is None else _csv_field(cell) for cell in row) for row in result.cells]
    return Form(head, lines, tail="\n")  # or a last row of one NULL would not be there


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') or text == "" else text


def dump_json(value: Any) -> str:  # Any: JSON with Decimals
    """Compact JSON; Decimals keep every digit, and there is no NaN in it."""
    return str(JSON.encode(value))


JSON: Final = simplejson.JSONEncoder(use_decimal=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


FORMS: Final[Mapping[str, Callable[[QueryResult, int], Form]]] = {
    "csv": _as_csv,
    "json": _as_json,
    "markdown": _as_markdown,
}
