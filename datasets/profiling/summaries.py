"""Facts of a column from sampled values, and how they and the planner's statistics complete each other. Pure."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from datasets.profiling.facts import MOST_COMMON, NOTHING, SAMPLE, ColumnFacts, CommonValue, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.sampling import Sample
from datasets.profiling.statistics import TableStatistics
from datasets.profiling.values import MOMENTS, Spread, base_type, is_text, month_of, order_of, spread_of

MOST_FORMATS: Final = 10
LONGEST_RUN: Final = 12
LONG_RUN: Final = re.compile(rf"(.)\1{{{LONGEST_RUN},}}", re.DOTALL)
ASCII_SIGNS: Final = str.maketrans(
    string.ascii_uppercase + string.ascii_lowercase + string.digits, "A" * 26 + "a" * 26 + "9" * 10
)
ENOUGH: Final = 200  # sampled rows to speak against statistics
FAR: Final = 0.2  # shares that chance alone does not part


def summarise(column: FoundColumn, values: Sequence[str | None], rows: int | None) -> ColumnFacts:
    """Facts of a column from sampled texts of a table with `rows` rows, None if nobody knows how many."""
    if not values:
        return ColumnFacts()
    present = [value for value in values if value is not None]
    counts = Counter(present)
    null_share = 1 - len(present) / len(values)
    key_of = order_of(column.data_type)
    spread = spread_of(counts.items(), key_of) if key_of else Spread()
    texts = present if is_text(column.data_type) else []
    moments = present if base_type(column.data_type) in MOMENTS else []
    return ColumnFacts(
        source=SAMPLE,
        null_share=null_share,
        distinct=estimate_distinct(counts, None if rows is None else max(rows, len(values)) * (1 - null_share)),
        minimum=spread.minimum,
        maximum=spread.maximum,
        quantiles=spread.quantiles,
        common=_most_common(_repeated(counts), len(values), MOST_COMMON),
        lengths=_lengths(texts),
        formats=_most_common(_formats(counts) if texts else Counter(), len(values), MOST_FORMATS),
        months={} if rows is None else _months(moments, rows / len(values)),
        counted=rows == len(values),
    )


def table_facts(table: FoundTable, statistics: TableStatistics | None, sample: Sample) -> TableFacts:
    """Counted rows before the planner's fresh number, before those estimated from the sample, before a stale number."""
    sampled = {
        column.name: summarise(column, sample.values.get(column.name, ()), sample.rows) for column in table.columns
    }
    fresh = statistics.rows if statistics is not None and not statistics.stale else None
    stale = statistics.rows if statistics is not None else None
    numbers = (sample.rows if sample.complete else None, fresh, sample.rows, stale, table.row_estimate)
    return TableFacts(
        rows=next((number for number in numbers if number is not None), None),
        size_bytes=table.size_bytes,
        sampled=sample.read,
        columns=sampled if sample.complete else merge_facts(statistics, sampled, seen=sample.read),
        error=sample.error,
    )


def merge_facts(
    statistics: TableStatistics | None, sampled: Mapping[str, ColumnFacts], *, seen: int
) -> dict[str, ColumnFacts]:
    """By column: what fresh statistics know, with what only rows tell; of other columns what the `seen` rows tell.

    Stale statistics count where no row could be read, and fresh ones not where the rows contradict them.
    """
    known = statistics.columns if statistics is not None and (not statistics.stale or not seen) else {}
    names = dict.fromkeys([*sampled, *known])
    return {name: _merge(known.get(name), sampled.get(name, ColumnFacts()), seen) for name in names}


def _merge(known: ColumnFacts | None, sampled: ColumnFacts, seen: int) -> ColumnFacts:
    if known is None or (seen >= ENOUGH and _contradicts(sampled, known)):
        return sampled
    if sampled.source == NOTHING:
        return known
    return replace(
        known,
        distinct=sampled.distinct if known.distinct is None else known.distinct,
        common=known.common or sampled.common,
        lengths=sampled.lengths,
        formats=sampled.formats,
        months=sampled.months,
        counted=sampled.counted,
    )


def _contradicts(sampled: ColumnFacts, known: ColumnFacts) -> bool:
    """Statistics may lie: rows were replaced while nobody counted, or somebody wrote the statistics."""
    if abs((sampled.null_share or 0) - (known.null_share or 0)) > FAR:
        return True
    ours, theirs = ({one.value: one.share for one in facts.common} for facts in (sampled, known))
    return any(abs(ours.get(value, 0) - theirs.get(value, 0)) > FAR for value in ours.keys() | theirs.keys())


def estimate_distinct(counts: Mapping[str, int], rows: float | None) -> int | None:
    """How many values `rows` rows have, none of them NULL, if a sample of them has these; None if it cannot be told.

    Duj1 = n d / (n - f1 + f1 n / N) of P. J. Haas and L. Stokes, "Estimating the number of classes in a finite
    population", IBM Research Report RJ 10025 (1996), with the limits of PostgreSQL's commands/analyze.c: if no value
    comes once there are no others, if each comes once the column is unique.
    """
    sampled, found = sum(counts.values()), len(counts)
    once = sum(1 for count in counts.values() if count == 1)
    if once == 0:
        return found
    if rows is None:
        return None
    rows = max(rows, sampled)
    if once == found:
        return round(rows)
    estimate = sampled * found / (sampled - once + once * sampled / rows)
    return round(min(max(estimate, found), rows))


def format_of(value: str) -> str:
    """anna7@example.org  ->  aaaa9@aaaaaaa.aaa; of more than 12 equal signs the first 12 and a +."""
    signs = value.translate(ASCII_SIGNS) if value.isascii() else "".join(map(_sign, value))
    return LONG_RUN.sub(lambda run: run[1] * LONGEST_RUN + "+", signs)


def _sign(character: str) -> str:
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "9" if character.isdigit() else character


def _formats(counts: Counter[str]) -> Counter[str]:
    """By form, each value's being worked out once."""
    formats: Counter[str] = Counter()
    for value, count in counts.items():
        formats[format_of(value)] += count
    return formats


def _repeated(counts: Counter[str]) -> Counter[str]:
    """A value that came once among many says nothing of its share; of few values all are worth knowing."""
    if len(counts) <= MOST_COMMON:
        return counts
    return Counter({value: count for value, count in counts.items() if count > 1})


def _most_common(counts: Counter[str], total: int, limit: int) -> tuple[CommonValue, ...]:
    return tuple(CommonValue(value, count / total) for value, count in counts.most_common(limit))


def _lengths(texts: Sequence[str]) -> tuple[int, float, int] | None:
    lengths = [len(text) for text in texts]
    return (min(lengths), sum(lengths) / len(lengths), max(lengths)) if lengths else None


def _months(moments: Sequence[str], factor: float) -> dict[str, int]:
    counts = Counter(month for moment in moments if (month := month_of(moment)) is not None)
    return {month: round(count * factor) for month, count in sorted(counts.items())}
