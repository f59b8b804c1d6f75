"""Keys that a database has without saying so: by names, types, and what the facts tell of containment. Pure.

Rows are not looked at here: `containment_sql` is the statement that does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from datasets.design import TableName
from datasets.design_checks import equal, none_null, quote_all, quote_table
from datasets.design_fit import plain_type
from datasets.policies import TEXTS
from datasets.profiling.facts import ColumnFacts, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.names import base_of, is_id_name, stem, words_of

PRIMARY: Final = "primary"
FOREIGN: Final = "foreign"
INTEGERS: Final = frozenset({"bigint", "integer", "numeric", "smallint"})
KEY_FAMILIES: Final = (INTEGERS, TEXTS, frozenset({"uuid"}))
SAMPLED_ROWS: Final = 10_000
MOSTLY_INSIDE: Final = 0.8  # of the span of values: a reference with orphans
ORPHANED: Final = -0.1
ESTIMATE_SLACK: Final = 1.1  # distinct values are estimated

Facts = Mapping[TableName, TableFacts]
NO_FACTS: Final = TableFacts()
NO_COLUMN: Final = ColumnFacts()


@dataclass(frozen=True, slots=True)
class InferredKey:
    """A key that was declared (confidence 1) or looks like one. `references` is empty unless `kind` is foreign."""

    kind: str
    table: TableName
    columns: tuple[str, ...]
    confidence: float
    reason: str
    declared: bool = False
    references: tuple[str, ...] = ()  # schema, table
    referenced: tuple[str, ...] = ()

    @property
    def target(self) -> TableName:
        schema, table = self.references
        return schema, table


def infer_keys(tables: Sequence[FoundTable], facts: Facts) -> tuple[InferredKey, ...]:
    """Primary keys, at most one a table, then foreign keys; cost grows with columns times targets named alike."""
    primary = tuple(key for table in tables if (key := _primary_key(table, facts_of(table, facts))))
    targets = _Targets.of(tables, primary)
    foreign = [key for table in tables for key in _foreign_keys(table, targets, facts)]
    return (*primary, *foreign)


def containment_sql(key: InferredKey, *, rows: int = SAMPLED_ROWS) -> str:
    """A statement whose one number, `orphans`, counts rows without their target among at most `rows` of the table.

    It reads `rows` rows of the one table, and finds each in the other: slow where the target has no index.
    """
    sampled = (
        f"SELECT {quote_all(key.columns)} FROM {quote_table(key.table)}"  # noqa: S608  its names are quoted
        f" WHERE {none_null(key.columns)} LIMIT {int(rows)}"
    )
    found = f"SELECT FROM {quote_table(key.target)} AS t WHERE {equal('t', key.referenced, 's', key.columns)}"
    return f"SELECT count(*) AS orphans FROM ({sampled}) AS s WHERE NOT EXISTS ({found})"  # noqa: S608  as above


def name_of(table: FoundTable) -> TableName:
    return table.schema, table.name


def facts_of(table: FoundTable, facts: Facts) -> TableFacts:
    return facts.get(name_of(table), NO_FACTS)


def rows_of(table: FoundTable, known: TableFacts) -> int | None:
    return table.row_estimate if known.rows is None else known.rows


# ── primary keys ─────────────────────────────────────────────────────────────────────────────────────────────
def _primary_key(table: FoundTable, known: TableFacts) -> InferredKey | None:
    if table.primary_key:
        reason = f"{table.name} declares it as its primary key."
        return InferredKey(PRIMARY, name_of(table), table.primary_key, 1.0, reason, declared=True)
    filled = {column.name for column in table.columns if not column.nullable}
    for columns in table.unique_keys:
        if filled.issuperset(columns):
            reason = f"{table.name} declares it unique and not NULL."
            return InferredKey(PRIMARY, name_of(table), columns, 1.0, reason, declared=True)
    guesses = [guess for column in table.columns if (guess := _unique_column(table, column, known))]
    return max(guesses, key=lambda key: key.confidence, default=None)


def _unique_column(table: FoundTable, column: FoundColumn, known: TableFacts) -> InferredKey | None:
    found, rows = known.columns.get(column.name, NO_COLUMN), rows_of(table, known)
    if not rows or found.distinct is None or found.null_share != 0 or not _may_be_key(column):
        return None
    # the planner's own number of distinct values is exact where it says that there is no repetition
    if found.distinct < rows * 0.99 or not is_id_name(column.name):
        return None
    own = set(base_of(column.name)) <= {stem(word) for word in words_of(table.name)}
    exact = found.distinct >= rows
    confidence = 0.75 + 0.1 * own + 0.1 * exact - 0.001 * min(column.position, 40)
    reason = f"{column.name} is never NULL, has a value of its own on every row, and is named like an identifier."
    return InferredKey(PRIMARY, name_of(table), (column.name,), round(confidence, 2), reason)


def _may_be_key(column: FoundColumn) -> bool:
    return any(plain_type(column.data_type) in family for family in KEY_FAMILIES)


# ── foreign keys ─────────────────────────────────────────────────────────────────────────────────────────────
Target = tuple[FoundTable, InferredKey]


@dataclass(frozen=True, slots=True)
class _Targets:
    """Tables with a key of one column, by the words of their names and by the key's."""

    by_word: Mapping[str, Sequence[Target]]
    by_key: Mapping[str, Sequence[Target]]

    @classmethod
    def of(cls, tables: Sequence[FoundTable], primary: Sequence[InferredKey]) -> _Targets:
        by_name = {name_of(table): table for table in tables}
        by_word, by_key = defaultdict(list), defaultdict(list)
        for key in primary:
            if len(key.columns) == 1:
                table = by_name[key.table]
                by_key[key.columns[0].lower()].append((table, key))
                for word in {stem(word) for word in words_of(table.name)}:
                    by_word[word].append((table, key))
        return cls(by_word, by_key)

    def near(self, column: str) -> Iterable[Target]:
        words = base_of(column) if is_id_name(column) else ()
        found = [target for word in words for target in self.by_word.get(word, ())]
        return {key.table: (table, key) for table, key in (*found, *self.by_key.get(column.lower(), ()))}.values()


def _foreign_keys(table: FoundTable, targets: _Targets, facts: Facts) -> Iterator[InferredKey]:
    declared = {key.columns for key in table.foreign_keys}
    for key in table.foreign_keys:
        reason = f"{table.name} declares that it refers to {key.references_table}."
        yield InferredKey(
            FOREIGN,
            name_of(table),
            key.columns,
            1.0,
            reason,
            declared=True,
            references=(key.references_schema, key.references_table),
            referenced=key.references_columns,
        )
    taken = {column for columns in declared if len(columns) == 1 for column in columns}
    for column in table.columns:
        if column.name in taken or not _may_be_key(column):
            continue
        near = [target for target in targets.near(column.name) if target[1].table != name_of(table)]
        guesses = [guess for other, key in near if (guess := _reference(table, column, other, key, facts))]
        best = max(guesses, key=lambda guess: guess.confidence, default=None)
        # two targets that are as likely are none
        if best is not None and [guess.confidence for guess in guesses].count(best.confidence) == 1:
            yield best


def _reference(
    table: FoundTable, column: FoundColumn, other: FoundTable, key: InferredKey, facts: Facts
) -> InferredKey | None:
    (own,) = key.columns
    target = next((found for found in other.columns if found.name == own), None)
    if target is None or not _same_family(column, target):
        return None
    by_name = _likeness(column.name, other.name, own)
    if by_name is None or _points_back(table, column.name, other, facts):
        return None
    contained = _containment(
        facts_of(table, facts).columns.get(column.name, NO_COLUMN), facts_of(other, facts).columns.get(own, NO_COLUMN)
    )
    if contained is None:
        return None
    confidence, reason = by_name
    told = "and the facts agree with it." if contained else "and nothing is known that speaks against it."
    if contained < 0:
        told = "but some of its values are not among them."
    return InferredKey(
        FOREIGN,
        name_of(table),
        (column.name,),
        round(min(0.95, confidence * key.confidence + contained), 2),
        f"{reason}, the types agree, {told}",
        references=name_of(other),
        referenced=(own,),
    )


def _likeness(column: str, table: str, key: str) -> tuple[float, str] | None:
    """How much a name speaks for a reference to this key of that table, and why."""
    base, words = base_of(column), tuple(stem(word) for word in words_of(table))
    if not base:
        return None
    named = words[-len(base) :] == base or (len(base) == 1 and base[0] in words)
    plain = not base_of(key) or base_of(key) == base
    if column.lower() == key.lower():
        return (0.8 if named else 0.7), f"{column} has the name of the key of {table}"
    if named and plain:
        return 0.75, f"{column} is named after {table}"
    if not base_of(key) or is_id_name(key):
        # parent_user_id, buyer_customer_id: a role before the name
        tail = base[-len(words) :] == words or (len(base) > 1 and base[-1] == words[-1])
        if tail and plain | (base_of(key) == base[-1:]):
            return 0.65, f"the end of {column} is named after {table}"
    return None


def _points_back(table: FoundTable, column: str, other: FoundTable, facts: Facts) -> bool:
    """Of two tables with the same key the smaller refers to the larger, and by names the longer to the shorter."""
    primary = table.primary_key or next((key for key in table.unique_keys if key == (column,)), ())
    known = facts_of(table, facts)
    found = known.columns.get(column, NO_COLUMN)
    rows = rows_of(table, known)
    unique = primary == (column,) or bool(rows and found.distinct is not None and found.distinct >= rows)
    if not unique:
        return False
    theirs = rows_of(other, facts_of(other, facts))
    if rows and theirs and rows != theirs:
        return rows > theirs
    base = base_of(column)
    mine, others = (tuple(map(stem, words_of(each.name))) for each in (table, other))
    if (mine == base) != (others == base):
        return mine == base
    return (len(mine), table.name) < (len(others), other.name)


def _same_family(one: FoundColumn, other: FoundColumn) -> bool:
    kinds = {plain_type(one.data_type), plain_type(other.data_type)}
    return any(kinds <= family for family in KEY_FAMILIES)


def _containment(held: ColumnFacts, key: ColumnFacts) -> float | None:
    """What the facts add to the confidence, or take from it; None where many values are missing in the target."""
    told = 0.0
    if held.distinct is not None and key.distinct is not None:
        if held.distinct > key.distinct * ESTIMATE_SLACK:
            return None
        told += 0.1
    spans = [_number(value) for value in (key.minimum, held.minimum, held.maximum, key.maximum)]
    low, first, last, high = spans
    if low is not None and first is not None and last is not None and high is not None:
        # extremes of statistics are those of a sample, so that the target's may be a little too narrow
        slack = (high - low) * 0.01 + 1
        if first < low - slack or last > high + slack:
            inside = (min(last, high) - max(first, low)) / (last - first)
            return ORPHANED if inside >= MOSTLY_INSIDE else None
        told += 0.1
    return told


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
