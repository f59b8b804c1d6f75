"""What is wrong with the values of one column, told in counts and forms. Pure.

It reads facts that still have their values, before those of personal columns are dropped; no message quotes one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from datasets.profiling.facts import ColumnFacts, CommonValue
from datasets.profiling.introspection import FoundColumn
from datasets.profiling.names import is_id_name
from datasets.profiling.observations import NOTE, QUALITY, WARNING, Observation
from datasets.profiling.values import MOMENTS, base_type, is_text, moment_key

OLDEST: Final = 1850  # nobody who is asked today was born before
LEAST_SHARE: Final = 0.02
PLACEHOLDER_SHARE: Final = 0.01
# what programs write where there is no date
PLACEHOLDERS: Final = ("0001-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "9999-12-31")
DATE_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "year-month-day": re.compile(r"9999[-/.]99?[-/.]99?([ Aa].*)?"),  # the T between day and hour is an A
    "day and month before the year": re.compile(r"99?[-/.]99?[-/.]9999( .*)?"),
    "a month's name": re.compile(r"99?[- ]?[Aa]{3,9}[-, ]+9999|[Aa]{3,9} 99?,? 9999"),
}
NUMBER_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    # 1,234 may be a thousand and more, or one and a bit
    "one or the other": re.compile(r"[-+]?9{1,3}((,999)+|(\.999)+)"),
    "a decimal point": re.compile(r"[-+]?9+(,999)*\.9+\+?"),
    "a decimal comma": re.compile(r"[-+]?9+(\.999)*,9+\+?"),
    "no decimals": re.compile(r"[-+]?9+\+?"),
}
ENOUGH_FORMS: Final = 0.95
MOST_ROWS: Final = 0.8  # of those with a value, for the commonest forms to speak of the column


def judge_column(
    column: FoundColumn, facts: ColumnFacts, *, table: str, rows: int | None, today: date
) -> tuple[Observation, ...]:
    """`table` is schema.table; counts of rows are estimated from `rows`."""
    judge = _Judge(column, facts, table, rows)
    return (*judge.dates(today), *judge.texts(), *judge.spellings())


class _Judge:
    def __init__(self, column: FoundColumn, facts: ColumnFacts, table: str, rows: int | None) -> None:
        self.column, self.facts, self.table, self.rows = column, facts, table, rows
        self.kind = base_type(column.data_type)

    def observe(self, code: str, severity: str, message: str, share: float | None = None) -> Observation:
        # at least one was seen, whatever rounding says
        count = None if share is None or self.rows is None else max(1, round(share * self.rows))
        return Observation(QUALITY, code, severity, message, self.table, self.column.name, count)

    def dates(self, today: date) -> Iterator[Observation]:
        if self.kind not in MOMENTS:
            return
        placeholders = sum(common.share for common in self.facts.common if common.value.startswith(PLACEHOLDERS))
        if placeholders >= PLACEHOLDER_SHARE:
            yield self.observe(
                "placeholder_dates", WARNING, "Dates that programs write where there is none.", placeholders
            )
        first, last = (moment_key(text) if text else None for text in (self.facts.minimum, self.facts.maximum))
        if first is not None and first[0] < OLDEST and not self._is_placeholder(self.facts.minimum):
            yield self.observe("impossible_dates", WARNING, f"There are dates before {OLDEST}.")
        if last is not None and last[0] > today.year + 1 and not self._is_placeholder(self.facts.maximum):
            yield self.observe("future_dates", WARNING, "There are dates more than a year from now.")

    @staticmethod
    def _is_placeholder(text: str | None) -> bool:
        return text is not None and text.startswith(PLACEHOLDERS)

    def texts(self) -> Iterator[Observation]:
        """Dates, numbers and blanks in texts: what no sum and no range of days can be asked of."""
        if not is_text(self.column.data_type) or not self.facts.formats:
            return
        padded = sum(form.share for form in self.facts.formats if form.value != form.value.strip())
        if padded > 0 and self.kind != "character":  # which PostgreSQL itself pads
            yield self.observe("padded_texts", NOTE, "Values have blanks before or after them.", padded)
        known = sum(form.share for form in self.facts.formats)
        if known < MOST_ROWS * (1 - (self.facts.null_share or 0)):
            return
        dates, numbers = (self._forms(patterns) for patterns in (DATE_FORMS, NUMBER_FORMS))
        if sum(dates.values()) >= ENOUGH_FORMS * known:
            written = [name for name, share in dates.items() if share >= LEAST_SHARE]
            if len(written) > 1:
                rest = sum(dates.values()) - max(dates.values())
                yield self.observe(
                    "mixed_formats", WARNING, f"Dates are written with {' and with '.join(written)}.", rest
                )
            yield self.observe("dates_as_text", NOTE, "Dates are kept as text, so days cannot be compared or grouped.")
        elif sum(numbers.values()) >= ENOUGH_FORMS * known and not is_id_name(self.column.name):
            written = [name for name in ("a decimal point", "a decimal comma") if numbers[name] >= LEAST_SHARE]
            if len(written) > 1:
                rest = min(numbers[name] for name in written)
                yield self.observe("mixed_formats", WARNING, "Numbers are written with a point and with a comma.", rest)
            if not self._is_code():
                yield self.observe("numbers_as_text", NOTE, "Numbers are kept as text, so nothing can be summed.")

    def _is_code(self) -> bool:
        """Digits of one length: postal codes, numbers of products."""
        lengths = self.facts.lengths
        whole = not any(set(form.value) & {".", ","} for form in self.facts.formats)
        return whole and lengths is not None and lengths[0] == lengths[2]

    def _forms(self, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, float]:
        shares: dict[str, float] = dict.fromkeys(patterns, 0.0)
        for form in self.facts.formats:
            name = next((name for name, pattern in patterns.items() if pattern.fullmatch(form.value)), None)
            if name is not None:
                shares[name] += form.share
        return shares

    def spellings(self) -> Iterator[Observation]:
        """Classes that are one but for capitals and blanks: Male, male."""
        if not is_text(self.column.data_type):
            return
        split = [group for group in _by_spelling(self.facts.common).values() if len(group) > 1]
        if split:
            rest = sum(sum(one.share for one in group) - max(one.share for one in group) for group in split)
            message = f"{_classes(len(split))} written in several ways (capitals, blanks), and counted apart."
            yield self.observe("spelled_differently", WARNING, message, rest)


def _by_spelling(common: Sequence[CommonValue]) -> dict[str, list[CommonValue]]:
    groups: dict[str, list[CommonValue]] = defaultdict(list)
    for value in common:
        groups[" ".join(value.value.split()).casefold()].append(value)
    return groups


def _classes(number: int) -> str:
    return "1 class is" if number == 1 else f"{number} classes are"


def quoting_needed(names: Sequence[str]) -> list[str]:
    """Names that must be quoted in SQL, or differ from another by capitals alone."""
    lowered = Counter(name.lower() for name in names)
    return [name for name in names if not re.fullmatch(r"[a-z_][a-z0-9_$]*", name) or lowered[name.lower()] > 1]
