"""What is known of rows: whose they are, how many of a person's there may be, what their columns say. Pure values.

panel_users                                  person rows of unit 0
panel_events                                 event rows of unit 0
SELECT user_id FROM a UNION SELECT ...       person rows: unique on the key
SELECT app, count(*) ... GROUP BY app        cells: weighted already, nothing above weights them again
categories                                   plain rows: no unit in them
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Final

from querying.sql.weights.moments import Span

Unique = frozenset[frozenset[str]]
Spans = Mapping[int, Span]
NO_UNITS: Final[frozenset[int]] = frozenset()
SINGLE: Final[Unique] = frozenset({frozenset()})  # one row at most


class Kind(Enum):
    PERSON = "person"  # one row per unit
    EVENT = "event"  # the unit's key is known, and there may be many rows per unit
    CELL = "cell"  # results of a weighted aggregation
    VALUES = "values"  # distinct values seen in the sample
    PLAIN = "plain"  # no registered unit in it

    @property
    def has_unit(self) -> bool:
        return self in (Kind.PERSON, Kind.EVENT)


@dataclass(frozen=True, slots=True)
class Fact:
    """One column: a part of a unit's key, `fixed` by the keys of these units, made from a weight, a row's date.

    `pins` are units for whose weighting period the value tells which it is; `date` those whose period can be computed
    from it. A `constant` is the same in all rows.
    """

    key: tuple[int, int] | None = None  # unit, part
    raw: bool = False  # a key as stored, not masked
    doubtful: bool = False  # a key that may be NULL where the row has one elsewhere
    fixed: frozenset[int] = NO_UNITS
    weight: bool = False
    constant: bool = False
    date: frozenset[int] = NO_UNITS
    pins: frozenset[int] = NO_UNITS


UNKNOWN: Final = Fact()
CONSTANT: Final = Fact(constant=True)


@dataclass(frozen=True)
class Rows:
    """The rows of a FROM item or of a SELECT. `columns` in order; `exact` when there are no others.

    `units` are those whose key every row has, shown or not. `cut` rows were chosen by their place in the sample (LIMIT,
    rank), `opaque` ones in a way that is not modelled: no estimate can be made of either.
    """

    kind: Kind
    columns: tuple[tuple[str, Fact], ...] = ()
    exact: bool = True
    unit: int | None = None
    units: frozenset[int] = NO_UNITS
    unique: Unique = frozenset()
    cut: str = ""
    opaque: str = ""
    dated: frozenset[int] = NO_UNITS  # units for which each row has one weighting period, that can be carried out
    spread: frozenset[int] = NO_UNITS  # units for which a row may stand for several weighting periods
    spans: Spans = field(default_factory=dict)  # the time that the rows lie in, by unit with weights by period

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        return dict(self.columns)

    def renamed(self, aliases: tuple[str, ...]) -> Rows:
        """Under `AS x(a, b)`: the first columns take those names."""
        if not aliases:
            return self
        old = [name for name, _ in self.columns]
        if not self.exact or len(aliases) > len(old):
            return replace(self, columns=(), exact=False, unique=frozenset())
        names = [*aliases, *old[len(aliases) :]]
        columns = tuple((name, fact) for name, (_, fact) in zip(names, self.columns, strict=True))
        new = dict(zip(old, names, strict=True))
        is_plain = len(set(old)) == len(old) and len(set(names)) == len(names)
        unique = frozenset(frozenset(new.get(name, name) for name in one) for one in self.unique)
        return replace(self, columns=columns, unique=unique if is_plain else self.unique_keys)

    @property
    def unique_keys(self) -> Unique:
        """What of `unique` names units' keys, which no alias can change."""
        return frozenset(one for one in self.unique if all(name.startswith("\0") for name in one))


PLAIN: Final = Rows(Kind.PLAIN, exact=False)


def key_name(unit: int, part: int) -> str:
    """How a part of the key is called among a relation's columns, whether it is shown or not: no column's name."""
    return f"\0{unit}.{part}"


def key_names(unit: int, parts: int) -> frozenset[str]:
    return frozenset(key_name(unit, part) for part in range(parts))


def combine_facts(facts: Iterable[Fact]) -> Fact:
    """Of a value computed from these."""
    found = [fact for fact in facts if not fact.constant]
    if not found:
        return CONSTANT
    fixed = frozenset.intersection(*(fact.fixed for fact in found))
    return Fact(fixed=fixed, weight=any(fact.weight for fact in found))
