"""A survey design put forward for a person to decide, with what speaks for it and what to run before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datasets.design import EVENT, HOUSEHOLD, PROJECTED, LowBase, TableName
from datasets.design_checks import none_null, quote, quote_all, quote_table
from datasets.design_document import plain_number
from datasets.design_fit import plain_type
from datasets.policies import MOMENTS
from datasets.profiling.detection import (
    CATEGORY_ORDER,
    DIMENSION,
    EVENT_DATE,
    FLAG,
    HOUSEHOLD_KEY,
    PERSON_KEY,
    PSU_ROLE,
    STRATUM_ROLE,
    Detection,
    PeriodTable,
)
from datasets.profiling.distribution import read_distribution
from datasets.profiling.facts import QUANTILES, ColumnFacts
from datasets.profiling.introspection import FoundTable
from datasets.profiling.keys import FOREIGN, Facts, InferredKey, containment_sql, facts_of, name_of, rows_of
from datasets.profiling.weights import WeightReading

Document = dict[str, Any]  # Any: JSON
ATTRIBUTES: Final = (DIMENSION, CATEGORY_ORDER, FLAG)
LOW: Final = LowBase()
MOST_ATTRIBUTES: Final = 200  # of a wide survey: a person adds those that serve
UNSURE: Final = 0.8  # kind and scale were told from the distribution alone


@dataclass(frozen=True, slots=True)
class WeightEvidence:
    """A weight's distribution as far as facts tell. Shares are of all rows; `efficiency` is Kish's, in percent.

    `mean`, `total` and `efficiency` are worked out from quantiles; `total` is in units of the weight, without scale.
    """

    table: TableName
    column: str
    rows: int | None
    quantiles: Mapping[float, float]
    null_share: float | None
    zero_share: float | None
    mean: float | None
    total: float | None
    efficiency: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """A statement to run before the design is trusted, and what its answer should be."""

    name: str
    sql: str
    expected: str
    table: TableName  # that it reads


@dataclass(frozen=True, slots=True)
class Alternative:
    document: Document
    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A document as `datasets.design_fit.parse_design` reads it. `questions` is what only a person can answer."""

    document: Document
    confidence: float
    reasons: tuple[str, ...]
    evidence: tuple[WeightEvidence, ...]
    checks: tuple[Check, ...]
    questions: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


def propose_design(detection: Detection, tables: Sequence[FoundTable], facts: Facts) -> Proposal | None:
    """None where nothing looks like a weight."""
    if not detection.weights or detection.persons is None:
        return None
    writer = _Writer(detection, {name_of(table): table for table in tables}, facts)
    choices = sorted(writer.choices(), key=lambda choice: -choice.rank)
    best = choices[0]
    household = writer.household(best)
    placed = household and (household["table"], household["weight"])
    others = [each for each in choices[1:] if (".".join(each.table), each.weight) != placed]
    return Proposal(
        document=writer.document(best),
        confidence=best.confidence,
        reasons=tuple(writer.reasons(best)),
        evidence=tuple(writer.evidence(choice) for choice in choices),
        checks=tuple(writer.checks(best)),
        questions=tuple(writer.questions(best, others)),
        alternatives=tuple(Alternative(writer.document(each), each.confidence, each.why) for each in others),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One weight of the persons, or of the periods of which `period` tells."""

    table: TableName  # of the unit
    weight: str
    reading: WeightReading
    why: str
    rank: float
    period: PeriodTable | None = None

    @property
    def weighted(self) -> TableName:
        return self.period.table if self.period else self.table

    @property
    def confidence(self) -> float:
        """Of the whole design: what a weight counts may be wrong though it is one."""
        return round(self.reading.confidence * (1 if self.reading.certain else UNSURE), 2)


@dataclass(frozen=True, slots=True)
class _Writer:
    detection: Detection
    tables: Mapping[TableName, FoundTable]
    facts: Facts

    def choices(self) -> Iterator[_Choice]:
        persons = self.detection.persons
        periods = {each.table: each for each in self.detection.periods}
        for name, found in self.detection.weights.items():
            for column, reading in found.items():
                own = persons is not None and name == persons.table
                rank = reading.confidence + 0.5 * own - 0.3 * (reading.level == HOUSEHOLD)
                if name not in periods:
                    yield _Choice(name, column, reading, f"{name[1]}.{column} looks like a weight too.", rank)
                elif column == periods[name].weight:
                    why = f"{name[1]}.{column} has a weight for each period: questions of one period are better served."
                    yield _Choice(periods[name].unit, column, reading, why, rank - 0.2, period=periods[name])

    # ── the document ─────────────────────────────────────────────────────────────────────────────────────────
    def document(self, choice: _Choice) -> Document:
        units = [self.unit(choice)]
        household = self.household(choice)
        if household is not None:
            units.append(household)
        thresholds = {"action": LOW.action, "minimum": LOW.minimum, "very_low": LOW.very_low, "low": LOW.low}
        return {"units": units, "merges": {}, "low_base": thresholds}

    def unit(self, choice: _Choice) -> Document:
        key = self.key_of(choice.table)
        carried = self.carried_by(choice)
        return {
            "table": ".".join(choice.table),
            "key": list(key),
            "weight": self.own_weight(choice),
            "level": EVENT if self.repeats(choice.table) else choice.reading.level,
            "scale": plain_number(choice.reading.scale),
            "kind": choice.reading.kind,
            "strata": self.named(STRATUM_ROLE, choice.table),
            "psu": self.named(PSU_ROLE, choice.table),
            "attributes": self.attributes(choice.table),
            "carried_by": {".".join(table): list(columns) for table, columns in carried.items()},
            "period_weights": self.periods(choice.period, carried) if choice.period and key else None,
        }

    def own_weight(self, choice: _Choice) -> str | None:
        if choice.period is None:
            return choice.weight
        found = self.detection.weights.get(choice.table, {})
        return max(found, key=lambda column: found[column].confidence, default=None)

    def key_of(self, table: TableName) -> tuple[str, ...]:
        """Empty where rows of the table are units and nothing names them."""
        persons = self.detection.persons
        if persons is not None and persons.table == table:
            return persons.key
        return next(
            (k.columns for k in self.detection.keys if k.kind != FOREIGN and k.table == table and len(k.columns) == 1),
            (),
        )

    def repeats(self, table: TableName) -> bool:
        """Whether persons stand on several rows, each with a weight of its own."""
        return not self.key_of(table) and bool(self.detection.of_role(PERSON_KEY, table=table))

    def named(self, role: str, table: TableName) -> str | None:
        found = self.detection.of_role(role, table=table)
        return found[0].column if found else None

    def attributes(self, table: TableName) -> list[str]:
        found = [each.column for each in self.detection.columns if each.table == table and each.role in ATTRIBUTES]
        return found[:MOST_ATTRIBUTES]

    def carried_by(self, choice: _Choice) -> dict[TableName, tuple[str, ...]]:
        persons = self.detection.persons
        if not self.key_of(choice.table):
            return {}
        if persons is not None and persons.table == choice.table:
            found = dict(persons.carried_by)
        else:
            own = self.key_of(choice.table)
            found = {
                key.table: key.columns
                for key in self.detection.keys
                if key.kind == FOREIGN and key.target == choice.table and key.referenced == own
            }
        found.pop(choice.table, None)
        if choice.period is not None:
            # rows without a date belong to no period
            found.pop(choice.period.table, None)
            found = {table: columns for table, columns in found.items() if self.dates(table)}
        return found

    def dates(self, table: TableName) -> list[str]:
        return [each.name for each in self.tables[table].columns if plain_type(each.data_type) in MOMENTS]

    def periods(self, period: PeriodTable, carried: Mapping[TableName, tuple[str, ...]]) -> Document:
        dates = {
            ".".join(table): self.named(EVENT_DATE, table) or self.dates(table)[0]
            for table in carried
            if len(self.dates(table)) > 1
        }
        return {
            "table": ".".join(period.table),
            "key": list(period.key),
            "period": period.period,
            "weight": period.weight,
            "every": _length_of(period.period),
            "rule": "refuse",
            **({"dates": dates} if dates else {}),
        }

    def household(self, choice: _Choice) -> Document | None:
        """A second unit, where households have a weight of their own."""
        if choice.reading.level == HOUSEHOLD or not self.key_of(choice.table):
            return None
        for name, found in self.detection.weights.items():
            for column, reading in found.items():
                key = self.household_key(name)
                if reading.level == HOUSEHOLD and key:
                    held = _Choice(name, column, reading, "", 0.0)
                    carried = {} if name == choice.table else self.unit(held)["carried_by"]
                    return {**self.unit(held), "key": [key], "attributes": [], "carried_by": carried}
        return None

    def household_key(self, table: TableName) -> str | None:
        return self.named(HOUSEHOLD_KEY, table) or next(iter(self.key_of(table)), None)

    # ── what speaks for it ───────────────────────────────────────────────────────────────────────────────────
    def reasons(self, choice: _Choice) -> Iterator[str]:
        yield from choice.reading.reasons
        persons = self.detection.persons
        if persons is not None and persons.table == choice.table and persons.key:
            key = next(k for k in self.detection.keys if k.table == choice.table and k.columns == persons.key)
            yield key.reason
        elif self.repeats(choice.table):
            yield f"{choice.table[1]} has several rows a person, and each row its weight: a row is taken for an event."
        elif not self.key_of(choice.table):
            yield f"{choice.table[1]} has no key: each of its rows is taken for one {choice.reading.level}."
        for role in (STRATUM_ROLE, PSU_ROLE):
            for each in self.detection.of_role(role, table=choice.table)[:1]:
                yield from each.reasons

    def questions(self, choice: _Choice, others: Sequence[_Choice]) -> Iterator[str]:
        reading = choice.reading
        if self.repeats(choice.table):
            yield "Persons stand on several rows: is there a table, or could there be a view, with one row a person?"
        elif not self.key_of(choice.table):
            yield f"{choice.table[1]} has no key: is each of its rows one {reading.level}?"
        if not reading.certain and reading.kind == PROJECTED:
            yield "How many people does a weight of 1 stand for: one, a thousand? The scale is a guess from the sum."
        if not reading.certain and reading.kind != PROJECTED:
            yield "Were the weights scaled to a mean of one, or does one stand for a thousand people?"
        if any(other.table == choice.table and other.period is None for other in others):
            yield "Several columns look like weights: which of them was made for the questions that will be asked?"
        if any(other.period for other in others):
            yield "Are questions of one period asked by the weights of that period?"

    def evidence(self, choice: _Choice) -> WeightEvidence:
        table = self.tables[choice.weighted]
        known = facts_of(table, self.facts)
        found, rows = known.columns.get(choice.weight, ColumnFacts()), rows_of(table, known)
        values = read_distribution(found)
        total = values.mean * rows * (1 - values.null_share) if values and rows else None
        return WeightEvidence(
            table=choice.weighted,
            column=choice.weight,
            rows=rows,
            quantiles={share: values.at(share) for share in (0.0, *QUANTILES, 1.0)} if values else {},
            null_share=found.null_share,
            zero_share=values.zero_share * (1 - values.null_share) if values else None,
            mean=values.mean if values else None,
            total=total,
            efficiency=values.efficiency if values else None,
        )

    # ── what to run ──────────────────────────────────────────────────────────────────────────────────────────
    def checks(self, choice: _Choice) -> Iterator[Check]:
        key = self.key_of(choice.table)
        if key:
            yield Check(
                "one_row_per_unit",
                _repeated(choice.table, key),
                f"0: no {choice.reading.level} has more than one row.",
                choice.table,
            )
            yield Check(
                "no_unit_without_key",
                f"SELECT count(*) FROM {quote_table(choice.table)} WHERE NOT ({none_null(key)})",  # noqa: S608  names are quoted
                "0: every row has its key.",
                choice.table,
            )
        if choice.period is not None:
            by_period = (*choice.period.key, choice.period.period)
            sql = _repeated(choice.period.table, by_period)
            yield Check(
                "one_weight_per_unit_and_period", sql, "0: nobody weighs twice in one period.", choice.period.table
            )
        elif key:
            sql = _varying(choice.table, key, choice.weight)
            yield Check("one_weight_per_unit", sql, "0: nobody has two weights.", choice.table)
        yield Check(
            "weights",
            _weights(choice.weighted, choice.weight),
            "Few rows that are not valid; a total that you know; an efficiency (Kish, percent) far above 0.",
            choice.weighted,
        )
        for table, columns in self.carried_by(choice).items():
            name = f"orphans_of_{'.'.join(table)}"
            sql = containment_sql(_reference(table, columns, choice.table, key))
            yield Check(name, sql, "0: every row has a unit.", table)


def _length_of(period: str) -> str:
    lowered = period.lower()
    words = {
        "day": ("day", "tag", "jour"),
        "week": ("week", "woche", "semaine", "semana"),
        "quarter": ("quarter", "quartal", "trimest"),
        "year": ("year", "jahr", "annee", "année", "ano"),
    }
    return next((length for length, named in words.items() if any(word in lowered for word in named)), "month")


def _reference(
    table: TableName, columns: tuple[str, ...], target: TableName, referenced: tuple[str, ...]
) -> InferredKey:
    return InferredKey(FOREIGN, table, columns, 1.0, "", references=target, referenced=referenced)


def _repeated(table: TableName, columns: Sequence[str]) -> str:
    names = quote_all(columns)
    grouped = f"SELECT FROM {quote_table(table)} GROUP BY {names} HAVING count(*) > 1"
    return f"SELECT count(*) FROM ({grouped}) AS repeated"  # noqa: S608  names are quoted


def _varying(table: TableName, key: Sequence[str], weight: str) -> str:
    grouped = f"SELECT FROM {quote_table(table)} GROUP BY {quote_all(key)} HAVING count(DISTINCT {quote(weight)}) > 1"
    return f"SELECT count(*) FROM ({grouped}) AS varying"  # noqa: S608  names are quoted


def _weights(table: TableName, weight: str) -> str:
    w = f"{quote(weight)}::float8"
    valid = f"FILTER (WHERE {w} > 0 AND {w} < 'Infinity')"
    return (
        f"SELECT count(*) AS rows, count(*) {valid} AS valid, avg({w}) {valid} AS mean, sum({w}) {valid} AS total,"  # noqa: S608  names are quoted
        f" 100 * (sum({w}) {valid}) ^ 2 / nullif((count(*) {valid}) * sum({w} * {w}) {valid}, 0) AS efficiency"
        f" FROM {quote_table(table)}"
    )
