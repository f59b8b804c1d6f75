"""What is wrong with a database's tables and keys, from facts and the answers of a few statements. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from datasets.design import TableName
from datasets.design_checks import none_null, quote_all, quote_table
from datasets.profiling.column_quality import quoting_needed
from datasets.profiling.detection import EVENT_DATE, OTHER_DATE, Detection
from datasets.profiling.distribution import read_distribution
from datasets.profiling.facts import NOTHING, ColumnFacts, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.keys import FOREIGN, Facts, InferredKey, containment_sql, facts_of, name_of, rows_of
from datasets.profiling.names import base_of, is_id_name, stem, words_of
from datasets.profiling.observations import NOTE, QUALITY, WARNING, Observation

ORPHANS: Final = "orphans"
NO_TIME: Final = "budget"  # a table's error where the profile's time was over
MOSTLY: Final = 0.95
LEAST_ROWS: Final = 50  # of fewer no share says much
NAMED_MOST: Final = 5
APART_MOST: Final = 3  # more columns of one fault in one table are told together
NEARLY_UNIQUE: Final = 0.9
LEAST_CONFIDENCE: Final = 0.6  # of an inferred key, for rows without their target to be worth telling
MEANINGLESS: Final = re.compile(r"(col|column|field|feld|var|v|x|unnamed)[_ ]?\d+|f\d+|column")


@dataclass(frozen=True, slots=True)
class Question:
    """A statement whose one number says how many rows are at fault, and what is noticed where it is above 0."""

    sql: str
    code: str
    message: str
    table: TableName
    columns: tuple[str, ...]

    def observe(self, number: int) -> Observation:
        column = self.columns[0] if len(self.columns) == 1 else ""
        return Observation(QUALITY, self.code, WARNING, self.message, ".".join(self.table), column, number)


def questions_of(tables: Sequence[FoundTable], facts: Facts, detection: Detection) -> tuple[Question, ...]:
    """Statements about keys that nothing in the database enforces, of tables that can be read; the surest first."""
    keys = sorted((key for key in detection.keys if key.kind == FOREIGN), key=lambda key: -key.confidence)
    unproven = {(name_of(table), columns) for table in tables for columns in table.unproven_keys}
    orphans = [
        _orphans(key)
        for key in keys
        if ((key.table, key.columns) in unproven or (not key.declared and key.confidence >= LEAST_CONFIDENCE))
        and all(can_be_asked(facts.get(name)) for name in (key.table, key.target))
    ]
    return (*_repeated_keys(tables, facts), *orphans)


def can_be_asked(known: TableFacts | None) -> bool:
    """What took too long, or failed, would do so again and take the time of others."""
    return known is None or known.error in ("", NO_TIME)


def judge_tables(tables: Sequence[FoundTable], facts: Facts, detection: Detection) -> tuple[Observation, ...]:
    judged = [found for table in tables for found in _judge_table(table, facts_of(table, facts), detection)]
    unread = sum(facts_of(table, facts).error == NO_TIME for table in tables)
    if unread:
        message = f"For {unread:,} of {len(tables):,} tables the time was too short to look at rows: profile again."
        judged.append(Observation(QUALITY, "not_read", NOTE, message, count=unread))
    if detection.persons is not None and not detection.weights:
        message = "There are persons and no column that looks like a survey weight: answers count the sample."
        judged.append(Observation(QUALITY, "no_weight", NOTE, message, ".".join(detection.persons.table)))
    return tuple(judged)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _orphans(key: InferredKey) -> Question:
    target, names = ".".join(key.target), ", ".join(key.columns)
    how = "declared, not enforced" if key.declared else "not declared"
    message = f"Rows whose {names} is not in {target} ({how}), among those looked at: a join loses them."
    return Question(containment_sql(key), ORPHANS, message, key.table, key.columns)


def _repeated_keys(tables: Sequence[FoundTable], facts: Facts) -> Iterator[Question]:
    """Columns that are named like the key of their table, have a value on nearly every row, and repeat some."""
    for table in tables:
        known = facts_of(table, facts)
        rows = rows_of(table, known)
        if table.primary_key or table.unique_keys or known.error or "table" not in table.kind:
            continue
        if not rows or rows < LEAST_ROWS:
            continue
        for column in table.columns:
            distinct = known.columns.get(column.name, ColumnFacts()).distinct
            if distinct is not None and NEARLY_UNIQUE * rows <= distinct < rows and _is_own_key(table, column):
                message = f"Rows that have the {column.name} of another: it is named like a key, and none is declared."
                yield Question(_repeated_sql(table, column), "duplicate_keys", message, name_of(table), (column.name,))


def _is_own_key(table: FoundTable, column: FoundColumn) -> bool:
    own = {stem(word) for word in words_of(table.name)}
    return is_id_name(column.name) and set(base_of(column.name)) <= own


def _repeated_sql(table: FoundTable, column: FoundColumn) -> str:
    name = quote_all((column.name,))
    counted = (
        f"SELECT count(*) - 1 AS more FROM {quote_table(name_of(table))}"  # noqa: S608  its names are quoted
        f" WHERE {none_null((column.name,))} GROUP BY {name} HAVING count(*) > 1"
    )
    return f"SELECT coalesce(sum(more), 0)::bigint FROM ({counted}) AS repeated"  # noqa: S608  as above


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def _judge_table(table: FoundTable, known: TableFacts, detection: Detection) -> Iterator[Observation]:
    name, rows = ".".join(name_of(table)), None if known.error else known.rows
    if known.error and known.error != NO_TIME:
        yield Observation(QUALITY, "unreadable", WARNING, f"Its rows could not be read: {_cause(known.error)}.", name)
    elif rows == 0:
        yield Observation(QUALITY, "empty_table", NOTE, "It has no rows.", name, count=0)
    if (
        rows
        and "table" in table.kind
        and not any(k.kind != FOREIGN and k.table == name_of(table) for k in detection.keys)
    ):
        yield Observation(QUALITY, "no_key", NOTE, "No column or pair of columns is known to name its rows.", name)
    odd = quoting_needed([column.name for column in table.columns])
    yield from _named(name, "odd_names", NOTE, odd, "must be quoted in SQL: {}.")
    vague = [column.name for column in table.columns if MEANINGLESS.fullmatch(column.name.lower())]
    yield from _named(name, "meaningless_names", NOTE, vague, "say nothing by their names: {}.")
    if known.error:
        return
    if rows and rows >= LEAST_ROWS:
        yield from _judge_shares(table, known, name, rows)
    yield from _judge_weights(table, known, detection, name, rows)
    yield from _judge_months(table, known, detection, name)


def _cause(error: str) -> str:
    known = {"timeout": "it took too long", "42501": "the role lacks a right on it"}
    return known.get(error, f"SQLSTATE {error}")


def _judge_shares(table: FoundTable, known: TableFacts, name: str, rows: int) -> Iterator[Observation]:
    found = {column.name: known.columns[column.name] for column in table.columns if column.name in known.columns}
    found = {column: facts for column, facts in found.items() if facts.source != NOTHING}
    never = [column for column, facts in found.items() if facts.null_share == 1]
    yield from _apart(name, "never_filled", NOTE, never, "Always NULL.", lambda _: rows)
    mostly = [c for c, facts in found.items() if facts.null_share is not None and MOSTLY <= facts.null_share < 1]
    yield from _apart(
        name,
        "mostly_null",
        NOTE,
        mostly,
        f"NULL in {MOSTLY:.0%} of the rows or more.".replace("%", " %"),
        lambda column: round((found[column].null_share or 0) * rows),
    )
    constant = [column for column, facts in found.items() if facts.distinct == 1 and facts.null_share == 0]
    yield from _apart(name, "constant", NOTE, constant, "The same value on every row.", lambda _: rows)


def _judge_weights(
    table: FoundTable, known: TableFacts, detection: Detection, name: str, rows: int | None
) -> Iterator[Observation]:
    for column in detection.weights.get(name_of(table), ()):
        facts = known.columns.get(column, ColumnFacts())
        values = read_distribution(facts)
        zero = values.zero_share * (1 - values.null_share) if values else 0.0
        missing = (facts.null_share or 0) + zero
        if missing > 0:
            number = max(1, round(missing * rows)) if rows else None
            message = "Rows without a weight above 0: weighted answers leave them out."
            yield Observation(QUALITY, "missing_weight", WARNING, message, name, column, number)
        if values is not None and values.minimum < 0:
            message = "There are weights below 0, which no weighted answer can use."
            yield Observation(QUALITY, "negative_weight", WARNING, message, name, column)


def _judge_months(table: FoundTable, known: TableFacts, detection: Detection, name: str) -> Iterator[Observation]:
    role_of_dates = EVENT_DATE if detection.of_role(EVENT_DATE) else OTHER_DATE
    for role in detection.of_role(role_of_dates, table=name_of(table)):
        facts = known.columns.get(role.column, ColumnFacts())
        gaps = missing_months(facts.months) if facts.counted else []
        if gaps:
            listed = ", ".join(gaps[:NAMED_MOST]) + (
                f" and {len(gaps) - NAMED_MOST} more" if len(gaps) > NAMED_MOST else ""
            )
            message = f"Months without any row, between months that have some: {listed}."
            yield Observation(QUALITY, "missing_months", WARNING, message, name, role.column, len(gaps))


def missing_months(months: Mapping[str, int]) -> list[str]:
    """Those between the first and the last that have no rows; a few stray rows far off make no gap of decades."""
    filled = sorted(month for month, rows in months.items() if rows)
    if len(filled) < 2:
        return []
    first, last = (_ordinal(month) for month in (filled[0], filled[-1]))
    present = {_ordinal(month) for month in filled}
    gaps = [number for number in range(first, last) if number not in present]
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in gaps] if len(gaps) < len(filled) else []


def _ordinal(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


# ── one fault of several columns ─────────────────────────────────────────────────────────────────────────────
def _named(table: str, code: str, severity: str, columns: Sequence[str], message: str) -> Iterator[Observation]:
    if columns:
        subject = "1 column" if len(columns) == 1 else f"{len(columns):,} columns"
        text = message.format(_listed(columns))
        if len(columns) == 1:
            text = text.replace("say nothing", "says nothing").replace("their names", "its name")
        yield Observation(QUALITY, code, severity, f"{subject} {text}", table, count=len(columns))


def _apart(
    table: str, code: str, severity: str, columns: Sequence[str], message: str, rows_of_column: Callable[[str], int]
) -> Iterator[Observation]:
    if len(columns) > APART_MOST:
        text = f"{len(columns):,} columns: {message} {_listed(columns)}."
        yield Observation(QUALITY, code, severity, text, table, count=len(columns))
        return
    for column in columns:
        yield Observation(QUALITY, code, severity, message, table, column, rows_of_column(column))


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - NAMED_MOST:,} more" if len(columns) > NAMED_MOST else ""
    return f"{', '.join(columns[:NAMED_MOST])}{more}"
