"""What quantiles tell of a number's distribution: means and what follows from them, none of it exact. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from datasets.profiling.facts import ColumnFacts


@dataclass(frozen=True, slots=True)
class Distribution:
    """Points of a number's distribution: shares of the rows that are not NULL, and the value that they reach."""

    points: tuple[tuple[float, float], ...]
    null_share: float
    zero_share: float
    distinct: int | None
    whole: bool  # no value is known to have a fraction

    @property
    def minimum(self) -> float:
        return self.points[0][1]

    @property
    def maximum(self) -> float:
        return self.points[-1][1]

    def at(self, share: float) -> float:
        """The value that this share reaches, between the points by a straight line."""
        for (low, first), (high, last) in pairwise(self.points):
            if share <= high:
                return first + (last - first) * (share - low) / (high - low) if high > low else last
        return self.maximum

    @property
    def mean(self) -> float:
        return self._integrate(_mean_between)

    @property
    def efficiency(self) -> float | None:
        """Kish's (mean w)² / mean w², in percent, of values above 0."""
        squares = self._integrate(_square_between)
        if squares <= 0 or self.minimum < 0:
            return None
        return min(100.0, 100 * self.mean**2 / squares / (1 - self.zero_share))

    def _integrate(self, between: Callable[[float, float], float]) -> float:
        steps = pairwise(self.points)
        return sum((high - low) * between(first, last) for (low, first), (high, last) in steps)


def read_distribution(facts: ColumnFacts) -> Distribution | None:
    """None where nothing is known of the values, or they are no numbers."""
    ends = {0.0: facts.minimum, 1.0: facts.maximum}
    known = {
        share: value for share, text in {**ends, **facts.quantiles}.items() if (value := number_of(text)) is not None
    }
    if len(known) < 2:
        return None
    points = sorted(known.items())
    values = [number for common in facts.common if (number := number_of(common.value)) is not None]
    nulls = facts.null_share or 0.0
    zero = sum(common.share for common in facts.common if number_of(common.value) == 0)
    return Distribution(
        points=tuple(points),
        null_share=nulls,
        zero_share=min(1.0, zero / (1 - nulls)) if nulls < 1 else 0.0,
        distinct=facts.distinct,
        whole=all(value.is_integer() for value in [*known.values(), *values]),
    )


def number_of(text: str | None) -> float | None:
    """None for what is no finite number."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


# between two points values are taken to be spread evenly on a logarithmic scale: weights have long tails
def _mean_between(first: float, last: float) -> float:
    if first <= 0 or last < first * 1.001:
        return (first + last) / 2
    return (last - first) / math.log(last / first)


def _square_between(first: float, last: float) -> float:
    if first <= 0 or last < first * 1.001:
        return (first * first + first * last + last * last) / 3
    return (last * last - first * first) / (2 * math.log(last / first))
