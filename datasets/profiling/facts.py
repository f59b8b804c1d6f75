"""What is known of a table's contents: counts, distributions, examples of their form. Values, no I/O.

Facts come from the planner's statistics or from sampled rows. Texts of values are as PostgreSQL prints them, cut at
`LONGEST_VALUE` characters; facts of columns with personal data are kept without any value (`without_values`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

STATISTICS: Final = "statistics"  # the planner's, as old as the last ANALYZE
SAMPLE: Final = "sample"
NOTHING: Final = "nothing"  # neither statistics nor rows could be read
LONGEST_VALUE: Final = 100
MOST_COMMON: Final = 20
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class CommonValue:
    """A value and its share of all rows, NULL ones included."""

    value: str
    share: float


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Shares are between 0 and 1, of all rows; None means not known.

    `distinct` is estimated. `minimum`, `maximum` and `quantiles` (by fraction) are there for numbers and moments only,
    `lengths` (shortest, mean, longest, in characters) for texts. `formats` are forms of values, the commonest first,
    with digits as 9, letters as a or A: `aaaa9@aaaaaaa.aaa`. `months` are rows by month ("2026-01") of date columns,
    of all rows if `counted`, else estimated from the sampled ones.
    """

    source: str = NOTHING
    null_share: float | None = None
    distinct: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    quantiles: Mapping[float, str] = field(default_factory=dict)
    common: tuple[CommonValue, ...] = ()
    lengths: tuple[int, float, int] | None = None
    formats: tuple[CommonValue, ...] = ()
    months: Mapping[str, int] = field(default_factory=dict)
    counted: bool = False

    def without_values(self) -> ColumnFacts:
        """What may be kept of personal data: how much there is of it."""
        return replace(self, minimum=None, maximum=None, quantiles={}, common=(), formats=(), months={}, counted=False)


@dataclass(frozen=True, slots=True)
class TableFacts:
    """`rows` is estimated where the table is long. `sampled` rows were looked at, 0 where statistics sufficed.

    `error` is a SQLSTATE, or "timeout", where its rows could not be read.
    """

    rows: int | None = None
    size_bytes: int = 0
    sampled: int = 0
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    error: str = ""
