"""Values as the texts that PostgreSQL prints (DateStyle ISO): types with an order, quantiles in that order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from datasets.profiling.facts import LONGEST_VALUE, QUANTILES

NUMBERS: Final = frozenset({"bigint", "double precision", "integer", "numeric", "real", "smallint"})
MOMENTS: Final = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
TEXTS: Final = frozenset({"character", "character varying", "name", "text"})
MOMENT: Final = re.compile(r"(\d{4,})(-\d\d-\d\d.*?)( BC)?")

# compared with keys of the same type only: numbers hold one Decimal, moments a year and the rest as text
OrderKey = tuple[Decimal | int, str]


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, the largest and the quantiles by fraction, all as texts."""

    minimum: str | None = None
    maximum: str | None = None
    quantiles: Mapping[float, str] = field(default_factory=dict)


def base_type(data_type: str) -> str:
    """numeric(10,4)  ->  numeric"""
    return re.sub(r"\([^)\"]*\)", "", data_type)


def is_text(data_type: str) -> bool:
    """Texts, and types of the database's own, whose names have a schema: domains, enums, citext."""
    name = base_type(data_type)
    return name in TEXTS or ("." in name and not name.endswith("[]"))


def order_of(data_type: str) -> Callable[[str], OrderKey | None] | None:
    """How values of a type are compared, None for a type of which no spread is kept."""
    name = base_type(data_type)
    if name in NUMBERS:
        return number_key
    return moment_key if name in MOMENTS else None


def number_key(text: str) -> OrderKey | None:
    """None for NaN, infinities and numbers that were cut."""
    if len(text) >= LONGEST_VALUE:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return (number, "") if number.is_finite() else None


def moment_key(text: str) -> OrderKey | None:
    """None for infinities. The rest after the year sorts as text, all offsets being those of one time zone."""
    found = MOMENT.fullmatch(text)
    if found is None:
        return None
    year, rest, before_christ = found.groups()
    return (1 - int(year) if before_christ else int(year)), rest


def month_of(text: str) -> str | None:
    """2026-01-31 10:00:00  ->  2026-01; None for infinities, BC dates and years over 9999."""
    key = moment_key(text)
    return text[:7] if key is not None and 0 < key[0] < 10_000 else None


def spread_of(weighted: Iterable[tuple[str, float]], key_of: Callable[[str], OrderKey | None]) -> Spread:
    """The spread of values with weights; a quantile is the first value that its share of the weight reaches."""
    ordered = sorted((key, text, weight) for text, weight in weighted if (key := key_of(text)) is not None)
    if not ordered:
        return Spread()
    total = sum(weight for _, _, weight in ordered)
    quantiles: dict[float, str] = {}
    reached, waiting = 0.0, list(QUANTILES)
    for _, text, weight in ordered:
        reached += weight
        # a sum of shares may end a little below the total
        while waiting and reached >= waiting[0] * total * (1 - 1e-9):
            quantiles[waiting.pop(0)] = text
    return Spread(ordered[0][1], ordered[-1][1], quantiles)
