"""Which days a question is about, told by the question or else by the data. Pure.

Data from 2026-01-01 to 2026-04-10, nothing said:     2026-01-01 to 2026-03-31, by month
the same, {"last": 2, "unit": "month"}:               2026-02-01 to 2026-03-31
the same, compared with the previous period:          2026-03-01 to 2026-03-31 and 2026-02-01 to 2026-02-28
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from querying.analysis.question import Period, invalid
from querying.analysis.reading import PREVIOUS, Asked, Group, Term
from querying.sql.weights.moments import cut, moved

MONTHS_SHOWN: Final = 4
DAY: Final = timedelta(days=1)
LENGTH_OF_DAY: Final = len("2026-01-31")


class Days(NamedTuple):
    """Both included; None where it is open."""

    first: date | None
    last: date | None

    def within(self, other: Days) -> Days:
        firsts = [day for day in (self.first, other.first) if day is not None]
        lasts = [day for day in (self.last, other.last) if day is not None]
        return Days(max(firsts, default=None), min(lasts, default=None))

    def __str__(self) -> str:
        return f"{self.first or 'the beginning'} to {self.last or 'the end'}"


@dataclass(frozen=True)
class Timing:
    """`days` are those of the question, `previous` those compared with them, `data` those that there are at all.

    With `by_month` the answer is grouped by month, which the question has not said. `partial` names buckets of which
    days are missing.
    """

    days: Days | None = None
    previous: Days | None = None
    data: Days | None = None
    by_month: bool = False
    partial: tuple[str, ...] = ()
    is_default: bool = False


def tells_time(asked: Asked) -> bool:
    return asked.event is not None and asked.event.date is not None


def resolve_timing(asked: Asked, data: Days | None) -> Timing:
    """`data` are the first and last day of the table of events; None where it is empty or nobody asked."""
    question = asked.question
    if asked.event is None:
        return Timing()
    if asked.event.date is None:
        if question.period is not None and not question.period.is_all:
            raise invalid(
                f"The table {asked.event.spec.name} has no date column that is known", 'Leave out `period`, or "all".'
            )
        if compares_periods(asked):
            raise invalid(
                f"The table {asked.event.spec.name} has no date column that is known", "Compare segments instead."
            )
        return Timing()
    if question.period is None:
        return default_timing(asked, data)
    days = chosen_days(question.period, data)
    return complete(asked, Timing(days, data=data))


def compares_periods(asked: Asked) -> bool:
    return asked.question.compare is not None and asked.question.compare.kind == PREVIOUS


def default_timing(asked: Asked, data: Days | None) -> Timing:
    question = asked.question
    if asked.event is None or data is None or names_date(asked):
        if compares_periods(asked):
            raise invalid("`period` is missing", "Say which period is compared with the one before.")
        return complete(asked, Timing(named_days(asked), data=data))
    buckets = buckets_of(asked)
    one_number = not buckets and bool(question.compare or question.sort or question.limit)
    unit = "quarter" if buckets == ["quarter"] else "month"
    days = full_days(data, 1 if one_number else MONTHS_SHOWN, unit).within(data)
    timing = Timing(days, data=data, by_month=not buckets and not one_number, is_default=True)
    return complete(asked, timing)


def names_date(asked: Asked) -> bool:
    """Whether conditions say the days already."""
    return bool(terms_of_date(asked))


def terms_of_date(asked: Asked) -> list[Term]:
    event = asked.event
    assert event is not None
    terms = [item for item in asked.where if isinstance(item, Term)]
    return [one for one in terms if one.field.table is event.spec and one.field.column.name == event.date_column]


def named_days(asked: Asked) -> Days | None:
    """The days to which conditions on the date come down, None where they leave both ends open."""
    found = Days(None, None)
    for term in terms_of_date(asked):
        if term.op in ("=", "between"):
            first, last = (
                date.fromisoformat(str(value)[:LENGTH_OF_DAY]) for value in (term.values[0], term.values[-1])
            )
            found = found.within(Days(first, last))
    return None if found == Days(None, None) else found


def chosen_days(period: Period, data: Days | None) -> Days:
    if not period.count:
        return Days(period.first, period.last)
    if data is None:
        raise invalid("The data have no dates, so there are no last ones", 'Write "all" as `period`.')
    return full_days(data, period.count, period.unit)


def full_days(data: Days, count: int, unit: str) -> Days:
    """The last `count` units of which the data reach the last day; all of the data where there is none."""
    assert data.first is not None
    assert data.last is not None
    start = start_of(data.last, unit)
    if following(start, unit) - DAY > data.last:
        start = start_of(start - DAY, unit)
    if following(start, unit) <= data.first:
        return data
    return Days(shifted(start, 1 - count, unit), following(start, unit) - DAY)


def complete(asked: Asked, timing: Timing) -> Timing:
    previous = previous_days(timing.days) if compares_periods(asked) else None
    with_previous = Timing(timing.days, previous, timing.data, timing.by_month, (), timing.is_default)
    return Timing(
        timing.days,
        previous,
        timing.data,
        timing.by_month,
        tuple(partial_buckets(asked, with_previous)),
        timing.is_default,
    )


def previous_days(days: Days | None) -> Days:
    """As long, just before: months before whole months, else days before days."""
    if days is None or days.first is None or days.last is None:
        raise invalid("`period` is open, so there is none before it", "Write from and to.")
    for unit in ("year", "quarter", "month"):
        if start_of(days.first, unit) == days.first and start_of(days.last + DAY, unit) == days.last + DAY:
            months = (days.last + DAY).year * 12 + (days.last + DAY).month - days.first.year * 12 - days.first.month
            return Days(shifted(days.first, -months, "month"), days.first - DAY)
    length = (days.last - days.first).days + 1
    return Days(days.first - timedelta(days=length), days.first - DAY)


def partial_buckets(asked: Asked, timing: Timing) -> list[str]:
    """Of the answer's groups by date, those of which days are missing; without such groups, the period itself."""
    data, days = timing.data, timing.days
    if data is None or data.first is None or data.last is None:
        return []
    seen = data if days is None else days.within(data)
    if seen.first is None or seen.last is None or seen.first > seen.last:
        return []
    bucket = "month" if timing.by_month else next(iter(buckets_of(asked)), "")
    found = []
    if bucket and bucket != "day":
        if start_of(seen.first, bucket) < seen.first:
            found.append(name_of(seen.first, bucket, f"from {seen.first}"))
        if following(start_of(seen.last, bucket), bucket) - DAY > seen.last:
            found.append(name_of(seen.last, bucket, f"to {seen.last}"))
    return found + [f"{span} (data: {data})" for span in (days, timing.previous) if reaches_beyond(span, data)]


def reaches_beyond(days: Days | None, data: Days) -> bool:
    return days is not None and None not in days and days.within(data) != days


def buckets_of(asked: Asked) -> list[str]:
    return [bucket for group in asked.groups if (bucket := bucket_of(asked, group))]


def bucket_of(asked: Asked, group: Group) -> str:
    """To what a group cuts the date of the events, a day where it is the date itself; empty for other groups."""
    field, event = group.field, asked.event
    if event is None or field is None or field.table is not event.spec or field.column.name != event.date_column:
        return ""
    return group.bucket or "day"


def name_of(day: date, bucket: str, reach: str) -> str:
    start = start_of(day, bucket)
    return f"{start:%Y-%m} ({reach})" if bucket == "month" else f"{bucket} of {start} ({reach})"


# ── the calendar ─────────────────────────────────────────────────────────────────────────────────────────────
def start_of(day: date, unit: str) -> date:
    return cut(datetime.combine(day, time()), unit).date()


def shifted(day: date, amount: int, unit: str) -> date:
    found = moved(datetime.combine(day, time()), amount, unit)
    return found.date() if found is not None else date.min


def following(day: date, unit: str) -> date:
    return shifted(day, 1, unit)
