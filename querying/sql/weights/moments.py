"""Moments that a statement writes out, the spans that comparisons with them leave, periods of the calendar. Pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from postgast import pg_query_pb2 as pg

from querying.sql.shown import fill, text_node
from querying.sql.walk import names, unwrap

LENGTHS: Final = ("day", "week", "month", "quarter", "year")
INTERVAL: Final = re.compile(r"\s*(\d+)\s*(day|week|month|quarter|year|mon)s?\s*", re.IGNORECASE)


class Span(NamedTuple):
    """From `low` on and before `high`; None where that is not said."""

    low: datetime | None = None
    high: datetime | None = None

    def within(self, other: Span) -> Span:
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Span(max(lows, default=None), min(highs, default=None))

    def around(self, other: Span) -> Span:
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Span(low, high)

    def is_one(self, every: str) -> bool:
        """Whether it lies within one period."""
        if self.low is None or self.high is None or self.low >= self.high:
            return False
        return self.high <= following(cut(self.low, every), every)


EVER: Final = Span()


def moved(moment: datetime, amount: int, length: str) -> datetime | None:
    try:
        if length in ("day", "week"):
            return moment + timedelta(days=amount * (7 if length == "week" else 1))
        months = moment.year * 12 + moment.month - 1 + amount * {"month": 1, "quarter": 3, "year": 12}[length]
        year, month = divmod(months, 12)
        return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError):
        return None


def cut(moment: datetime, length: str) -> datetime:
    day = date(moment.year, moment.month, moment.day)
    if length == "week":
        day -= timedelta(days=day.weekday())
    elif length == "month":
        day = day.replace(day=1)
    elif length == "quarter":
        day = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    elif length == "year":
        day = day.replace(month=1, day=1)
    return datetime.combine(day, datetime.min.time())


def following(moment: datetime, length: str) -> datetime:
    return moved(moment, 1, length) or datetime.max


def span_of(operator: str, moment: datetime, length: str) -> Span | None:
    """What `value operator moment` says of the moment itself, where value is it cut to `length`."""
    if not length:
        after = moment + timedelta(days=1) if moment.time() == datetime.min.time() else moment + timedelta(seconds=1)
    elif cut(moment, length) != moment:
        return None
    else:
        after = following(moment, length)
    return {
        "<": Span(None, moment),
        "<=": Span(None, after),
        "=": Span(moment, after),
        ">": Span(after if length else moment, None),
        ">=": Span(moment, None),
    }[operator]


def span_of_text(text: str) -> Span | None:
    """'2026', '2026-03' and '2026-03-15' as to_char gives them."""
    if not re.fullmatch(r"\d{4}(-\d{2}){0,2}", text):
        return None
    year, *rest = (int(part) for part in text.split("-"))
    names_ = ("month", "day")
    try:
        return span_of_parts({"year": year, **dict(zip(names_, rest, strict=False))})
    except ValueError:
        return None


def span_of_parts(parts: Mapping[str, int]) -> Span:
    """From `year = 2026 AND month = 3`."""
    try:
        if "month" in parts:
            low = datetime(parts["year"], parts["month"], parts.get("day", 1))
            return Span(low, following(low, "day" if "day" in parts else "month"))
        if "quarter" in parts:
            low = datetime(parts["year"], parts["quarter"] * 3 - 2, 1)
            return Span(low, following(low, "quarter"))
        low = datetime(parts["year"], 1, 1)
        return Span(low, following(low, "year"))
    except ValueError:
        return EVER


# ── constants ────────────────────────────────────────────────────────────────────────────────────────────────
def folded(node: pg.Node) -> datetime | None:
    """A moment that the statement writes out: a literal, literal + interval, make_date(), date_trunc of one."""
    value: Any = unwrap(node)  # Any: one of 270 message types
    if isinstance(value, pg.A_Const) and value.HasField("sval"):
        return moment_of(value.sval.sval)
    if isinstance(value, pg.TypeCast):
        moment = folded(value.arg)
        is_date = names(value.type_name.names)[-1] == "date"
        return datetime.combine(moment.date(), datetime.min.time()) if moment is not None and is_date else moment
    if isinstance(value, pg.A_Expr) and value.kind == pg.AEXPR_OP and names(value.name)[-1] in ("+", "-"):
        moment, step = folded(value.lexpr), interval_of(value.rexpr)
        if moment is None or step is None:
            return None
        amount, length = step
        return moved(moment, amount if names(value.name)[-1] == "+" else -amount, length)
    if isinstance(value, pg.FuncCall) and names(value.funcname)[-1] == "make_date" and len(value.args) == 3:
        numbers = [number for argument in value.args if (number := whole_number(argument)) is not None]
        return moment_of("{:04}-{:02}-{:02}".format(*numbers)) if len(numbers) == len(value.args) else None
    if isinstance(value, pg.FuncCall) and names(value.funcname)[-1] == "date_trunc" and len(value.args) == 2:
        moment, length = folded(value.args[1]), constant_text(value.args[0]).lower()
        return cut(moment, length) if moment is not None and length in LENGTHS else None
    return None


def moment_of(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def whole_number(node: pg.Node) -> int | None:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    if node.a_const.HasField("sval") and node.a_const.sval.sval.isdigit():
        return int(node.a_const.sval.sval)
    return node.a_const.ival.ival if node.a_const.HasField("ival") else None


def interval_of(node: pg.Node) -> tuple[int, str] | None:
    """INTERVAL '1 month'; a bare number is days, as date + 31."""
    if node.a_const.HasField("ival"):
        return node.a_const.ival.ival, "day"
    if not node.HasField("type_cast") or names(node.type_cast.type_name.names)[-1] != "interval":
        return None
    found = INTERVAL.fullmatch(constant_text(node))
    if found is None:
        return None
    length = found[2].lower()
    return int(found[1]), "month" if length == "mon" else length


def constant_text(node: pg.Node) -> str:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return str(node.a_const.sval.sval)


def moment_node(moment: datetime) -> pg.Node:
    return fill("$1::pg_catalog.timestamp", text_node(moment.isoformat(sep=" ")))
