"""The survey design of a dataset: which rows are units, what each of them weighs, which tables speak of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TableName = tuple[str, str]  # schema, table

PERSON: Final = "person"
HOUSEHOLD: Final = "household"
EVENT: Final = "event"
LEVELS: Final = (EVENT, PERSON, HOUSEHOLD)  # the finest first
PROJECTED: Final = "projected"
NORMALISED: Final = "normalised"
SUPPRESS: Final = "suppress"


@dataclass(frozen=True, slots=True)
class PeriodWeights:
    """Weights that hold for one period each: one row per key and period.

    `every` is the length of a period; `period` is the first day of it. `dates` says which column of a table tells
    the period of its rows. `rule` says what a person weighs in a question that spans several periods.
    """

    table: TableName
    key: tuple[str, ...]
    period: str
    weight: str
    every: str = "month"  # day | week | month | quarter | year
    rule: str = "refuse"  # refuse | mean | last
    dates: Mapping[TableName, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is sampled and weighted: one row of `table` (or several, where a finer unit shares the table).

    `key` is empty where each row is a unit and has no key. One unit of `weight` stands for `scale` of them.
    `attributes` are columns that say something of the unit, wherever they are stored; `carried_by` names the columns
    that hold the key in other tables. `units`, `excluded` (those without a valid weight) and `psus` are counts at
    confirmation: PSUs of each stratum, or its units where no PSU is named; empty where there are neither, or too many.
    """

    table: TableName
    key: tuple[str, ...] = ()
    weight: str = ""  # empty where there are weights by period only
    level: str = PERSON
    scale: float = 1.0
    kind: str = PROJECTED
    stratum: str = ""
    psu: str = ""
    attributes: frozenset[str] = frozenset()
    carried_by: Mapping[TableName, tuple[str, ...]] = field(default_factory=dict)
    period_weights: PeriodWeights | None = None
    shares_table: bool = False  # a finer unit has this table too, so its key stands on several rows
    units: int = 0
    excluded: int = 0
    psus: Mapping[str, int] = field(default_factory=dict)

    @property
    def qualified_table(self) -> str:
        return ".".join(self.table)


@dataclass(frozen=True, slots=True)
class LowBase:
    """What is done with estimates on few persons: flagged or suppressed, below which unweighted bases."""

    action: str = "flag"  # flag | suppress
    minimum: int = 30
    very_low: int = 50
    low: int = 100


@dataclass(frozen=True, slots=True)
class SurveyDesign:
    """A confirmed design. `merges` are classes shown as one, by column: column -> label -> members."""

    units: tuple[Unit, ...]
    merges: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    low_base: LowBase = LowBase()
