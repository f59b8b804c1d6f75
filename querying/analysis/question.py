"""A question without SQL: JSON in, values out. Pure: what the names mean is said where a dataset is at hand.

{"dataset": "panel_in", "metrics": [{"kind": "people"}], "by": ["app"], "where": [{"column": "age", "value": 30}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Final, Protocol, TypeVar

from config.errors import InvalidRequest
from datasets.conditions import (
    MOST_CONDITIONS,
    MOST_VALUES,
    Condition,
    Scalar,
    parse_condition,
    parse_conditions,
    parse_scalar,
)

FIELDS: Final = (
    "dataset", "metrics", "by", "where", "period", "compare", "sort", "limit", "total", "weighting",
)  # fmt: skip
METRIC_FIELDS: Final = ("kind", "column", "per", "q", "value", "label")
MEANINGS: Final[Mapping[str, str]] = {
    "people": "how many people; of event tables: how many were reached",
    "events": "how many events",
    "sum": "total of a column",
    "mean": "mean of a column",
    "share": "share of people for whom a column has a value",
    "per_person": "a column, or events, per person reached",
    "frequency": "events per person reached",
    "median": "median of a column",
    "quantile": "q-quantile of a column",
    "ratio": "sum of a column over the sum of another",
    "penetration": "people reached among all people of the segment",
}
KINDS: Final = tuple(MEANINGS)
NEEDS_COLUMN: Final = frozenset({"sum", "mean", "share", "median", "quantile", "ratio"})
PERCENT: Final = frozenset({"share", "penetration"})
BUCKETS: Final = ("day", "week", "month", "quarter")
UNITS: Final = (*BUCKETS, "year")
EVERYONE: Final = "everyone"
WEIGHTINGS: Final = ("auto", "off")
MOST_METRICS: Final = 10
MOST_GROUPS: Final = 4
MOST_ROWS: Final = 1000
LONGEST_LABEL: Final = 60
LONGEST_NAME: Final = 130
BUCKETED: Final = re.compile(rf"({'|'.join(BUCKETS)})\((.+)\)")

T = TypeVar("T", covariant=True)


class Parse(Protocol[T]):
    def __call__(self, value: object, *, where: str) -> T: ...


@dataclass(frozen=True, slots=True)
class Metric:
    """`column` names a column, or for events a table; `per` is a column of a ratio, or everyone."""

    kind: str
    column: str = ""
    per: str = ""
    q: float | None = None
    value: tuple[Scalar, ...] | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class By:
    """A column or a persona by its `name`; with `bucket` a date column cut to it, the dataset's own without a name."""

    name: str
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """`all` of the data; from `first` to `last`, both included; or the last `count` full `unit`s of the data."""

    first: date | None = None
    last: date | None = None
    count: int = 0
    unit: str = ""

    @property
    def is_all(self) -> bool:
        return self == Period()


@dataclass(frozen=True, slots=True)
class Comparison:
    """`kind` is previous_period, segment or columns. A segment's conditions replace those on the same columns."""

    kind: str
    conditions: tuple[Condition | str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Sort:
    metric: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """`where` holds conditions and names of personas. Without a `period` the data decide."""

    dataset: str
    metrics: tuple[Metric, ...]
    by: tuple[By, ...] = ()
    where: tuple[Condition | str, ...] = ()
    period: Period | None = None
    compare: Comparison | None = None
    limit: int | None = None
    sort: Sort | None = None
    total: bool = False
    weighting: str = "auto"


def parse_question(document: Mapping[str, object]) -> Question:
    """Raises `InvalidRequest`, which names the place (`metrics[0].kind`) and what may stand there."""
    if not isinstance(document, Mapping):
        raise invalid("The question is no object", 'Write {"dataset": "...", "metrics": [{"kind": "people"}]}.')
    check_fields(document, FIELDS, "the question")
    metrics = parse_metrics(document.get("metrics"))
    return Question(
        dataset=parse_name(document.get("dataset"), where="dataset"),
        metrics=metrics,
        by=parse_list(document.get("by"), parse_by, where="by", most=MOST_GROUPS),
        where=parse_where(document.get("where"), where="where"),
        period=parse_period(document.get("period")),
        compare=parse_comparison(document.get("compare")),
        limit=parse_limit(document.get("limit")),
        sort=parse_sort(document.get("sort"), metrics),
        total=parse_flag(document.get("total"), where="total"),
        weighting=choose(document.get("weighting") or "auto", WEIGHTINGS, where="weighting"),
    )


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────
def parse_metrics(value: object) -> tuple[Metric, ...]:
    if isinstance(value, str | Mapping):
        value = [value]
    if not value:
        raise invalid("`metrics` is missing", f'Write [{{"kind": "people"}}]. Kinds: {described_kinds()}.')
    metrics = parse_list(value, parse_metric, where="metrics", most=MOST_METRICS)
    labels = [metric.label for metric in metrics]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise invalid(f"Two of the `metrics` are labelled {twice!r}", 'Give each a "label" of its own.')
    return metrics


def parse_metric(value: object, *, where: str) -> Metric:
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        raise invalid(f"`{where}` is no metric", 'Write {"kind": "mean", "column": "duration_min"}.')
    check_fields(value, METRIC_FIELDS, f"`{where}`")
    kind = choose(value.get("kind"), KINDS, where=f"{where}.kind")
    column = parse_text(value.get("column"), where=f"{where}.column")
    per = parse_text(value.get("per"), where=f"{where}.per")
    metric = Metric(
        kind,
        column,
        per,
        parse_quantile(value.get("q"), kind, where=f"{where}.q"),
        parse_values(value.get("value"), kind, where=f"{where}.value"),
        parse_text(value.get("label"), where=f"{where}.label", longest=LONGEST_LABEL),
    )
    check_metric(metric, where)
    return metric if metric.label else replace(metric, label=label_of(metric))


def check_metric(metric: Metric, where: str) -> None:
    """Which fields a kind needs, and which say nothing for it."""
    if metric.kind in NEEDS_COLUMN and not metric.column:
        raise invalid(f"`{where}.column` is missing", f"{metric.kind} is of a column: {MEANINGS[metric.kind]}.")
    if metric.kind == "ratio" and (not metric.per or metric.per == EVERYONE):
        raise invalid(f"`{where}.per` is missing", "A ratio is the sum of `column` over the sum of the column `per`.")
    if metric.kind == "per_person" and metric.per not in ("", EVERYONE):
        hint = 'Leave it out for those reached, or write "everyone"; over another column it is a ratio.'
        raise invalid(f"`{where}.per` of per_person is {metric.per!r}", hint)
    if metric.per and metric.kind not in ("ratio", "per_person"):
        raise invalid(f"`{where}.per` says nothing of {metric.kind}", "It belongs to ratio and per_person.")


def parse_quantile(value: object, kind: str, *, where: str) -> float | None:
    if kind != "quantile":
        if value is not None:
            raise invalid(f"`{where}` says nothing of {kind}", 'Write {"kind": "quantile", "q": 0.9}.')
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise invalid(f"`{where}` is not between 0 and 1", "Write 0.9 for the value that nine of ten do not exceed.")
    return float(value)


def parse_values(value: object, kind: str, *, where: str) -> tuple[Scalar, ...] | None:
    if value is None:
        return None
    if kind != "share":
        raise invalid(f"`{where}` says nothing of {kind}", "It belongs to share; other conditions belong to `where`.")
    items = list(value) if isinstance(value, list | tuple) else [value]
    if not items or len(items) > MOST_VALUES:
        raise invalid(f"`{where}` has {len(items)} values", f"Write 1 to {MOST_VALUES}.")
    return tuple(parse_scalar(item, where=where) for item in items)


def label_of(metric: Metric) -> str:
    """people, mean_duration_min, q90_duration_min, share_nccs_A1_A2"""
    column, per = (name.replace(".", "_") for name in (metric.column, metric.per))
    head = f"q{round(metric.q * 100, 2):g}" if metric.q is not None else metric.kind
    values = [str(value) for value in metric.value or ()]
    parts = [head, column, *(values if len(values) <= 3 else []), "per" if metric.kind == "ratio" else "", per]
    return "_".join(part for part in parts if part)[:LONGEST_LABEL]


# ── groups, conditions, period ───────────────────────────────────────────────────────────────────────────────
def parse_by(value: object, *, where: str) -> By:
    name = parse_name(value, where=where)
    if name in BUCKETS:
        return By("", name)
    bucketed = BUCKETED.fullmatch(name)
    return By(bucketed[2].strip(), bucketed[1]) if bucketed else By(name)


def parse_where(value: object, *, where: str) -> tuple[Condition | str, ...]:
    """Conditions and names of personas, which are strings."""
    if value is None:
        return ()
    if isinstance(value, str | Mapping):
        value = [value]
    if not isinstance(value, list | tuple) or not any(isinstance(item, str) for item in value):
        return parse_conditions(value, where=where)
    if len(value) > MOST_CONDITIONS:
        raise invalid(f"`{where}` has {len(value)} conditions", f"Write {MOST_CONDITIONS} at most.")
    return tuple(
        parse_name(item, where=f"{where}[{place}]")
        if isinstance(item, str)
        else parse_condition(item, where=f"{where}[{place}]")
        for place, item in enumerate(value)
    )


PERIODS: Final = (
    'Write {"from": "2026-01-01", "to": "2026-03-31"} (both included), "all", "last_month" or '
    '{"last": 3, "unit": "month"}.'
)


def parse_period(value: object) -> Period | None:
    if value is None:
        return None
    if value == "all":
        return Period()
    if value == "last_month":
        return Period(count=1, unit="month")
    if not isinstance(value, Mapping):
        raise invalid(f"`period` is {str(value)[:40]!r}", PERIODS)
    if "last" in value:
        check_fields(value, ("last", "unit"), "`period`")
        count = value["last"]
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
            raise invalid("`period.last` is no number of periods", PERIODS)
        return Period(count=count, unit=choose(value.get("unit", "month"), UNITS, where="period.unit"))
    check_fields(value, ("from", "to"), "`period`")
    first, last = parse_day(value.get("from"), where="period.from"), parse_day(value.get("to"), where="period.to")
    if first is None and last is None:
        raise invalid("`period` says neither from nor to", PERIODS)
    if first is not None and last is not None and first > last:
        raise invalid(f"`period` ends ({last}) before it begins ({first})", PERIODS)
    return Period(first, last)


def parse_day(value: object, *, where: str) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise invalid(f"`{where}` is no day", "Write it as 2026-01-31.") from None


COMPARISONS: Final = (
    'Write "previous_period", "columns" (which groups differ), or '
    '{"segment": [{"column": "gender", "value": "Male"}], "label": "men"}.'
)


def parse_comparison(value: object) -> Comparison | None:
    if value is None:
        return None
    if value in ("previous_period", "columns"):
        return Comparison(str(value))
    if not isinstance(value, Mapping) or "segment" not in value:
        raise invalid(f"`compare` is {str(value)[:40]!r}", COMPARISONS)
    check_fields(value, ("segment", "label"), "`compare`")
    segment = value["segment"]
    label = parse_text(value.get("label"), where="compare.label", longest=LONGEST_LABEL)
    named = segment if isinstance(segment, str) else ""
    return Comparison("segment", parse_where(segment, where="compare.segment"), label or named or "other")


def parse_sort(value: object, metrics: Sequence[Metric]) -> Sort | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = {"metric": value}
    if not isinstance(value, Mapping):
        raise invalid("`sort` is no object", 'Write {"metric": "people", "order": "desc"}.')
    check_fields(value, ("metric", "order"), "`sort`")
    label = choose(value.get("metric"), [metric.label for metric in metrics], where="sort.metric")
    return Sort(label, choose(value.get("order") or "desc", ("desc", "asc"), where="sort.order") == "desc")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────
def parse_limit(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROWS:
        raise invalid(f"`limit` is {str(value)[:20]!r}", f"Write a whole number from 1 to {MOST_ROWS}.")
    return value


def parse_flag(value: object, *, where: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise invalid(f"`{where}` is {str(value)[:20]!r}", "Write true or false.")


def parse_list(value: object, parse: Parse[T], *, where: str, most: int) -> tuple[T, ...]:
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise invalid(f"`{where}` is no list", f"Write {where} as a list.")
    if len(items) > most:
        raise invalid(f"`{where}` has {len(items)} entries", f"Write {most} at most.")
    return tuple(parse(item, where=f"{where}[{place}]") for place, item in enumerate(items))


def parse_name(value: object, *, where: str) -> str:
    text = parse_text(value, where=where)
    if not text:
        raise invalid(f"`{where}` is missing", "Write a name.")
    return text


def parse_text(value: object, *, where: str, longest: int = LONGEST_NAME) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise invalid(f"`{where}` is no short text", f"Write a text of {longest} characters at most.")
    return value.strip()


def choose(value: object, among: Sequence[str], *, where: str) -> str:
    if isinstance(value, str) and value in among:
        return value
    what = f"`{where}` is missing" if value is None else f"`{where}` {str(value)[:40]!r} is unknown"
    listed = f" ({described_kinds()})" if among is KINDS else ""
    raise invalid(what, f"Write one of {', '.join(among)}{listed}{nearest(str(value), among)}.")


def check_fields(document: Mapping[str, object], known: Sequence[str], what: str) -> None:
    unknown = [str(key) for key in document if key not in known]
    if unknown:
        near = nearest(unknown[0], known)
        raise invalid(f"{what} has no field {unknown[0][:40]!r}", f"Fields are {', '.join(known)}{near}.")


def nearest(value: str, among: Sequence[str]) -> str:
    near = get_close_matches(value, among, n=1)
    return f"; the nearest is {near[0]}" if near else ""


def described_kinds() -> str:
    return "; ".join(f"{kind}: {meaning}" for kind, meaning in MEANINGS.items())


def invalid(what: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"{what[:1].upper()}{what[1:]}.", hint=hint)
