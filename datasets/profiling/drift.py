"""How a database differs from what was published of it: structure, volume, distributions, dates. Pure.

Messages name tables and columns and give counts and shares, never a value of a column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from datasets.design import SurveyDesign, TableName, Unit
from datasets.design_fit import plain_type
from datasets.design_published import parse_published_design
from datasets.profiling.distribution import Distribution, number_of, read_distribution
from datasets.profiling.facts import ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundTable
from datasets.profiling.keys import Facts, name_of
from datasets.profiling.names import is_id_name
from datasets.profiling.observations import ALARM, DRIFT, NOTE, WARNING, Observation
from datasets.profiling.values import MOMENTS, NUMBERS, base_type, is_text

FELL: Final = 0.5
GREW: Final = 3.0
FEW_ROWS: Final = 1_000  # of which a hundred more or less is no news
FEW_CHANGED: Final = 100
NULLS: Final = 0.2
WEIGHT_NULLS: Final = 0.02  # rows without a weight drop out of every weighted answer
WEIGHT_MEAN: Final = 0.1
MOST_CLASSES: Final = 60
CLASS_SHARE: Final = 0.01  # below it a sample may miss a class, or meet one for the first time
KNOWN_SHARE: Final = 0.98
UNIQUE: Final = 0.9  # distinct values a row: numbers that grow with the table
FRESH: Final = timedelta(days=7)
STALE: Final = timedelta(days=14)
NAMED_MOST: Final = 5
WAY_OUT: Final = "Look at what changed, then approve the dataset as it is now."
Document = Mapping[str, Any]  # Any: JSON of a catalog entry
Columns = Mapping[str, Document]


def find_drift(
    published: Document,
    before: Facts,
    tables: Sequence[FoundTable],
    now: Facts,
    *,
    published_on: date,
    today: date,
) -> tuple[Observation, ...]:
    """`before` are the facts of the profile that the reviewer had: of tables that it lacks only structure is compared.

    Facts of tables that could not be read count for nothing.
    """
    needed = _Needed.of(published)
    found = {name_of(table): table for table in tables}
    earlier = {(table["schema"], table["name"]): table for table in published["tables"]}
    observed: list[Observation] = []
    for name, document in earlier.items():
        if name not in found:
            observed.append(_table_dropped(name, needed))
            continue
        compare = _Comparison(name, document, found[name], needed, _read(before, name), _read(now, name))
        observed += [*compare.structure(), *compare.volume(), *compare.columns()]
        observed += compare.freshness(published_on, today)
    # one that the reviewer left out is not new
    return (*observed, *(_new_table(name) for name in found if name not in earlier and name not in before))


def _read(facts: Facts, name: TableName) -> TableFacts | None:
    known = facts.get(name)
    return None if known is None or known.error else known


def _table_dropped(name: TableName, needed: _Needed) -> Observation:
    table = ".".join(name)
    needs = name in needed.tables
    fails = "the survey design needs it, so weighted questions fail" if needs else "questions that name it fail"
    message = f"It is gone, or the role may not read it any more: {fails}. {WAY_OUT}"
    return Observation(DRIFT, "table_dropped", ALARM if needs else WARNING, message, table)


def _new_table(name: TableName) -> Observation:
    message = "A new table: clients see it once the dataset is approved again."
    return Observation(DRIFT, "new_table", NOTE, message, ".".join(name))


@dataclass(frozen=True, slots=True)
class _Needed:
    """Tables and columns without which the published survey design cannot weight."""

    tables: frozenset[TableName]
    columns: frozenset[tuple[TableName, str]]
    weights: frozenset[tuple[TableName, str]]
    keys: frozenset[tuple[TableName, frozenset[str]]]
    identifiers: frozenset[tuple[TableName, str]]

    @classmethod
    def of(cls, published: Document) -> _Needed:
        design = _read_design(published.get("survey_design"))
        columns = {pair for unit in design.units for pair in _columns_of(unit)}
        weights = {(unit.table, unit.weight) for unit in design.units if unit.weight}
        periods = [unit.period_weights for unit in design.units if unit.period_weights]
        weights |= {(period.table, period.weight) for period in periods}
        keys = {(unit.table, frozenset(unit.key)) for unit in design.units if unit.key and not unit.shares_table}
        keys |= {(period.table, frozenset((*period.key, period.period))) for period in periods}
        return cls(
            # a unit with weights by period only may name no column of its own table
            frozenset(table for table, _ in columns) | {unit.table for unit in design.units},
            frozenset(columns),
            frozenset(weights),
            frozenset(keys),
            frozenset(pair for unit in design.units for pair in _identifiers_of(unit)),
        )


def _identifiers_of(unit: Unit) -> Iterator[tuple[TableName, str]]:
    period = {unit.period_weights.table: unit.period_weights.key} if unit.period_weights else {}
    for keys in ({unit.table: unit.key}, unit.carried_by, period):
        yield from ((table, column) for table, columns in keys.items() for column in columns)


def _read_design(document: Document | None) -> SurveyDesign:
    """None of a version that cannot be read: processes do not load such an entry, and say so themselves."""
    try:
        return parse_published_design(dict(document)) if document else SurveyDesign(units=())
    except (KeyError, TypeError, ValueError):
        return SurveyDesign(units=())


def _columns_of(unit: Unit) -> Iterator[tuple[TableName, str]]:
    own = [unit.weight, unit.stratum, unit.psu]
    # attributes are bare names of columns of any table; those of the unit's own are what weighting reads
    yield from ((unit.table, column) for column in own if column)
    yield from _identifiers_of(unit)
    period = unit.period_weights
    if period is not None:
        yield from ((period.table, column) for column in (period.period, period.weight))
        yield from period.dates.items()


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One table, published and present. `before` and `now` are None where its rows were not read."""

    name: TableName
    published: Document
    table: FoundTable
    needed: _Needed
    before: TableFacts | None
    now: TableFacts | None

    def observe(
        self, code: str, severity: str, message: str, column: str = "", count: int | None = None
    ) -> Observation:
        return Observation(DRIFT, code, severity, message, ".".join(self.name), column, count)

    @property
    def earlier(self) -> Columns:
        return {column["name"]: column for column in self.published["columns"]}

    # ── structure ────────────────────────────────────────────────────────────────────────────────────────────
    def structure(self) -> Iterator[Observation]:
        present = {column.name: column for column in self.table.columns}
        for name, document in self.earlier.items():
            if name not in present:
                fails = "questions that name it fail"
                yield self.changed("column_dropped", "It is gone", fails, name, document["visible"])
            elif not _reads_alike(document["type"], present[name].data_type):
                told = f"Its type was {document['type']} and is {present[name].data_type}"
                yield self.changed("column_retyped", told, "questions about it may fail", name, document["visible"])
            elif _narrower(document["type"], present[name].data_type):
                told = f"Its type was {document['type']} and is {present[name].data_type}"
                message = f"{told}: values may have been cut or rounded. {WAY_OUT}"
                yield self.observe("column_retyped", WARNING, message, name)
        new = [name for name in present if name not in self.earlier]
        if new:
            more = f" and {len(new) - NAMED_MOST:,} more" if len(new) > NAMED_MOST else ""
            message = f"New: {', '.join(new[:NAMED_MOST])}{more}. Clients see them once the dataset is approved again."
            yield self.observe("new_columns", NOTE, message, count=len(new))
        yield from self.keys()

    def changed(self, code: str, told: str, fails: str, column: str, visible: bool) -> Observation:
        if (self.name, column) in self.needed.columns:
            message = f"{told}, and the survey design needs it: weighted questions may fail. {WAY_OUT}"
            return self.observe(code, ALARM, message, column)
        if visible:
            return self.observe(code, WARNING, f"{told}: {fails}. {WAY_OUT}", column)
        return self.observe(code, NOTE, f"{told}: clients did not see it. {WAY_OUT}", column)

    def keys(self) -> Iterator[Observation]:
        """Lost keys of several columns are told together: they have no column of their own."""
        held = [frozenset(key) for key in (self.table.primary_key, *self.table.unique_keys) if key]
        published = (self.published["primary_key"], *self.published["unique_keys"])
        keys = {frozenset(key): tuple(key) for key in published if key}
        # what is unique stays so beside further columns
        lost = [key for columns, key in keys.items() if not any(one <= columns for one in held)]
        yield from (self.key_lost([key], key[0]) for key in lost if len(key) == 1)
        several = [key for key in lost if len(key) > 1]
        if several:
            yield self.key_lost(several, "")

    def key_lost(self, keys: Sequence[tuple[str, ...]], column: str) -> Observation:
        needs = any((self.name, frozenset(key)) in self.needed.keys for key in keys)
        named = " or ".join(f"({', '.join(key)})" for key in keys)
        message = f"Nothing in the database keeps {named} unique any more: joins may count rows twice."
        return self.observe("key_lost", ALARM if needs else WARNING, message, column)

    # ── volume ───────────────────────────────────────────────────────────────────────────────────────────────
    def volume(self) -> Iterator[Observation]:
        if self.before is None or self.now is None or self.before.rows is None or self.now.rows is None:
            return
        earlier, rows = self.before.rows, self.now.rows
        if earlier < FEW_ROWS and abs(rows - earlier) < FEW_CHANGED and rows > 0:
            return
        told = f"There were about {earlier:,} rows and are about {rows:,}."
        if earlier > 0 and rows == 0:
            severity = ALARM if self.name in self.needed.tables else WARNING
            yield self.observe("rows_fell", severity, f"It is empty; there were about {earlier:,} rows.", count=0)
        elif rows < FELL * earlier:
            yield self.observe("rows_fell", WARNING, told, count=rows)
        elif rows > GREW * earlier:
            yield self.observe("rows_grew", NOTE, told, count=rows)

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────
    def columns(self) -> Iterator[Observation]:
        if self.before is None or self.now is None or not self.now.rows or not self.before.rows:
            return
        for column in self.table.columns:
            known, found = (facts.columns.get(column.name) for facts in (self.before, self.now))
            if column.name in self.earlier and known is not None and found is not None:
                yield from self.nulls(column.name, known, found)
                kind = base_type(column.data_type)
                if kind in NUMBERS:
                    yield from self.numbers(column.name, known, found)
                elif kind in MOMENTS:
                    yield from self.dates(column.name, known, found)
                elif is_text(column.data_type) or kind == "boolean":
                    yield from self.classes(column.name, known, found)

    def nulls(self, column: str, known: ColumnFacts, found: ColumnFacts) -> Iterator[Observation]:
        if known.null_share is None or found.null_share is None:
            return
        is_weight = (self.name, column) in self.needed.weights
        if found.null_share - known.null_share >= (WEIGHT_NULLS if is_weight else NULLS):
            told = f"NULL in {_percent(known.null_share)} of the rows before and in {_percent(found.null_share)} now."
            without = " Rows without a weight drop out of weighted answers." if is_weight else ""
            yield self.observe("nulls_rose", ALARM if is_weight else WARNING, told + without, column)

    def numbers(self, column: str, known: ColumnFacts, found: ColumnFacts) -> Iterator[Observation]:
        if (self.name, column) in self.needed.weights:
            yield from self.weights(column, known, found)
        elif not self.grows(column, known) and _moved(known, found):
            message = "Its values lie elsewhere than before: the middle one is outside of where nine tenths lay."
            yield self.observe("distribution_shifted", WARNING, message, column)

    def weights(self, column: str, known: ColumnFacts, found: ColumnFacts) -> Iterator[Observation]:
        earlier, later = _middle(known), _middle(found)
        if earlier is None or later is None or earlier.mean <= 0:
            return
        change = later.mean / earlier.mean - 1
        if abs(change) > WEIGHT_MEAN:
            message = f"The mean weight has changed by {change:+.0%}: totals are no longer those of the approved data."
            yield self.observe("weight_changed", ALARM, message.replace("%", " %"), column)

    def grows(self, column: str, known: ColumnFacts) -> bool:
        """Identifiers: higher ones come with each row."""
        rows = self.before.rows if self.before else None
        in_key = any(column in key for key in (self.published["primary_key"], *self.published["unique_keys"]))
        refers = any(column in key["columns"] for key in self.published["foreign_keys"])
        unique = bool(rows and known.distinct is not None and known.distinct >= UNIQUE * rows)
        # those that nobody declared
        of_design = (self.name, column) in self.needed.identifiers
        return in_key or refers or of_design or unique or is_id_name(column)

    def classes(self, column: str, known: ColumnFacts, found: ColumnFacts) -> Iterator[Observation]:
        if not _are_classes(known):
            return
        earlier, later = ({one.value for one in facts.common} for facts in (known, found))
        appeared = _frequent(found.common) - earlier
        if appeared:
            yield self.observe("classes_appeared", NOTE, "Values that it did not have before.", column, len(appeared))
        vanished = _frequent(known.common) - later if _are_classes(found) else set()
        if vanished:
            yield self.observe("classes_vanished", NOTE, "Values that it had before are gone.", column, len(vanished))

    # ── dates ────────────────────────────────────────────────────────────────────────────────────────────────
    def dates(self, column: str, known: ColumnFacts, found: ColumnFacts) -> Iterator[Observation]:
        """By months of which all rows were counted: extremes of statistics and samples come and go."""
        if not (known.counted and found.counted):
            return
        lost = sorted(month for month, rows in known.months.items() if rows and not found.months.get(month))
        if lost:
            more = f" and {len(lost) - NAMED_MOST:,} more" if len(lost) > NAMED_MOST else ""
            # a hidden date may be one of a person
            named = f": {', '.join(lost[:NAMED_MOST])}{more}" if self.earlier[column]["visible"] else ""
            message = f"Months that had rows have none{named}."
            before, now = (max((m for m, rows in facts.months.items() if rows), default="") for facts in (known, found))
            code = "dates_went_back" if now < before else "months_lost"
            yield self.observe(code, WARNING, message, column, len(lost))

    def freshness(self, published_on: date, today: date) -> Iterator[Observation]:
        """Of a table that was up to date when it was approved."""
        if self.before is None or self.now is None:
            return
        newest: dict[str, date] = {}
        for column in self.table.columns:
            facts = self.now.columns.get(column.name, ColumnFacts())
            day = _day(facts.maximum) if base_type(column.data_type) in MOMENTS else None
            if day is not None and day <= today:
                newest[column.name] = day
        if not newest or today - max(newest.values()) <= STALE:
            return
        earlier = {name: _day(self.before.columns.get(name, ColumnFacts()).maximum) for name in newest}
        ages = {name: published_on - then for name, then in earlier.items() if then is not None}
        fresh = [name for name, age in ages.items() if timedelta() <= age <= FRESH]
        column_name = max(fresh, key=lambda name: newest[name], default=None)
        if column_name is not None:
            # its age in days would tell the date itself
            told = f"Its newest date is more than {STALE.days} days old; it was at most {FRESH.days} when approved."
            yield self.observe("not_fresh", WARNING, told, column_name)


# ── what is compared ─────────────────────────────────────────────────────────────────────────────────────────
def _reads_alike(earlier: str, later: str) -> bool:
    """A longer varchar, or a numeric with another scale, answers the same questions."""
    return plain_type(earlier) == plain_type(later) and earlier.endswith("[]") == later.endswith("[]")


def _narrower(earlier: str, later: str) -> bool:
    """Of types that read alike: varchar(50) -> varchar(20), numeric(10,2) -> numeric(12,0), text of any length -> some.

    Of a numeric the digits before the point count, and those after it.
    """
    had, has = _room(earlier), _room(later)
    if has is None:
        return False
    return had is None or any(new < old for old, new in zip(had, has, strict=False))


def _room(data_type: str) -> tuple[int, ...] | None:
    found = re.search(r"\((\d+)(?:,(-?\d+))?\)", data_type)
    if found is None:
        return None
    size, scale = int(found[1]), int(found[2] or 0)
    return (size - scale, scale)


def _middle(facts: ColumnFacts) -> Distribution | None:
    """Of the middle nine tenths: the extremes of a sample come and go with single rows."""
    return read_distribution(replace(facts, minimum=None, maximum=None)) or read_distribution(facts)


def _moved(known: ColumnFacts, found: ColumnFacts) -> bool:
    low, high = (number_of(known.quantiles.get(share)) for share in (0.05, 0.95))
    middle = number_of(found.quantiles.get(0.5))
    if low is None or high is None or middle is None:
        return False
    return not low <= middle <= high


def _are_classes(facts: ColumnFacts) -> bool:
    if facts.distinct is None or facts.distinct > MOST_CLASSES:
        return False
    return sum(one.share for one in facts.common) + (facts.null_share or 0) >= KNOWN_SHARE


def _frequent(common: Sequence[CommonValue]) -> set[str]:
    return {one.value for one in common if one.share >= CLASS_SHARE}


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:  # BC, or after 9999
        return None


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
