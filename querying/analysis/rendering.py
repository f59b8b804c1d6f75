"""An analysis as Markdown and as structured content: the table, then what it rests on and what to ask next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from datasets.conditions import Condition
from querying.analysis.answers import HIDDEN, LETTERS, Grid, Heading, Number, Row, last_values
from querying.analysis.compose import DIFFERENCE, Scene, Side, in_one_statement
from querying.analysis.periods import Timing
from querying.analysis.question import EVERYONE, Comparison, Metric, Period, Question
from querying.analysis.reading import Crowd, Filter, Measure, is_of_everyone
from querying.results import Form, Rendered, escape_cell, fit, shorten
from querying.sql.plan import QueryPlan
from querying.wording import WITHHELD, describe_flags, describe_weighting

Json = dict[str, Any]  # Any: JSON
MOST_BARS: Final = 30
WHOLE_FROM: Final = 1000.0  # numbers of people and events have no decimals from here on
TOTAL: Final = "total"


@dataclass(frozen=True)
class Analysis:
    """An answered question. `plan` is all that was sent, as one."""

    scene: Scene
    timing: Timing
    grid: Grid
    total: Grid | None
    plan: QueryPlan
    notes: tuple[str, ...] = ()

    @property
    def question(self) -> Question:
        return self.scene.asked.question

    @cached_property
    def letters(self) -> Mapping[str | None, str]:
        """Of the groups of the last column, where they are compared."""
        compare = self.question.compare
        if compare is None or compare.kind != "columns":
            return {}
        return dict(zip(last_values(self.grid), LETTERS, strict=False))


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────
def render_analysis(analysis: Analysis, *, max_tokens: int, digits: int) -> Rendered:
    """As many rows as fit; what is said about them always."""
    tail = "\n\n" + "\n".join(notes_of(analysis))
    names = [group.label for group in analysis.scene.groups] + [one.label for one in analysis.grid.headings] + ["n"]
    head = f"|{'|'.join(map(escape_cell, names))}|\n|{'|'.join('---' for _ in names)}|"
    lines = [line_of(analysis, row, digits) for row in analysis.grid.rows]
    if analysis.total is not None:
        lines = [line_of(analysis, row, digits, is_total=True) for row in analysis.total.rows] + lines
    count, text, tokens = fit(Form(head, lines, tail=tail), max_tokens)
    cut = "tokens" if count < len(lines) else "rows" if analysis.grid.is_cut else ""
    return Rendered(text, count, tokens, cut)


def line_of(analysis: Analysis, row: Row, digits: int, *, is_total: bool = False) -> str:
    groups = [shown_group(text) for text in row.groups]
    if is_total:
        groups.append(f"**{TOTAL}**")
    elif groups and analysis.letters:
        groups[-1] += f" ({analysis.letters[row.groups[-1]]})"
    cells = [
        shown_number(heading, number, digits)
        for heading, number in zip(analysis.grid.headings, row.numbers, strict=True)
    ]
    return "\n|" + "|".join([*groups, *cells, shown_base(row)]) + "|"


def shown_group(text: str | None) -> str:
    return "NULL" if text is None else escape_cell(text)


def shown_base(row: Row) -> str:
    weakest = row.weakest
    if row.is_withheld:
        return HIDDEN.flag
    return "" if weakest is None else f"{weakest.n} {weakest.flag}".strip()


def shown_number(heading: Heading, number: Number, digits: int) -> str:
    if number.value is None:
        return ""
    text = shown_value(heading, number.value, digits)
    if heading.part == DIFFERENCE:
        mark = " ▲" if number.value > 0 else " ▼"
        return f"{'+' if number.value > 0 else ''}{text}{mark if number.significant else ''}"
    return f"{text} {number.letters}".strip()


def shown_value(heading: Heading, value: float, digits: int) -> str:
    if heading.is_percent:
        return f"{100 * value:.1f}{' pp' if heading.part == DIFFERENCE else '%'}"
    if heading.kind in ("people", "events", "sum") and abs(value) >= WHOLE_FROM:
        return f"{value:.0f}"
    return shorten(repr(value), digits) if digits else repr(value)


# ── what is said of the numbers ──────────────────────────────────────────────────────────────────────────────
def notes_of(analysis: Analysis) -> list[str]:
    found = [
        escape_cell(describe_question(analysis)),
        weighting_of(analysis),
        *bases_of(analysis),
        *comparison_of(analysis),
    ]
    found += [f"Merged: {text}." for text in merges_of(analysis)]
    if analysis.timing.partial:
        found.append(f"Partial: {', '.join(analysis.timing.partial)}.")
    found += fractions_of(analysis)
    found += analysis.notes
    if not any(row.weakest is None or row.weakest.n for row in analysis.grid.rows):
        found.append("Nobody fits these conditions. To see the values there are, ask by the column without `where`.")
    if analysis.grid.is_cut:
        found.append(f"Cut at {len(analysis.grid.rows)} rows: sort and limit, filter, or group more coarsely.")
    return [*found, f"Next: {next_call(analysis)}"]


def describe_question(analysis: Analysis) -> str:
    """In words, as it was understood."""
    scene = analysis.scene
    parts = [", ".join(describe_measure(scene, one) for one in scene.asked.measures)]
    if scene.groups:
        parts.append("by " + ", ".join(group.label for group in scene.groups))
    parts.append(describe_side(scene.current))
    if scene.other is not None:
        parts.append(f"compared with {describe_other(scene, scene.other)}")
    sort = scene.asked.question.sort
    if sort is not None:
        parts.append(f"{'highest' if sort.descending else 'lowest'} {sort.metric} first")
    if scene.limit is not None:
        parts.append(f"{scene.limit} rows at most")
    said = "; ".join(part for part in parts if part)
    default = " (the period follows the data)" if analysis.timing.is_default else ""
    return f"Question: {said}{default}."


def describe_measure(scene: Scene, measure: Measure) -> str:
    metric, event = measure.metric, scene.asked.event
    whom = "people" if event is None else f"people reached ({event.spec.name})"
    if measure.kind == "people":
        return whom
    if measure.kind == "events":
        return f"events ({event.spec.name})" if event is not None else "events"
    if measure.kind == "penetration":
        return f"share of all people who were reached ({event.spec.name})" if event is not None else "penetration"
    if measure.kind == "frequency":
        return "events per person reached"
    if measure.kind == "share":
        values = ", ".join(map(str, metric.value or ()))
        return f"share of {whom} with {metric.column} = {values}"
    if measure.kind == "per_person":
        of = metric.column or "events"
        return f"{of} per person{', of all people' if metric.per == EVERYONE else ' reached'}"
    if measure.kind == "ratio":
        return f"{metric.column} / {metric.per}"
    name = f"{metric.q:g}-quantile" if metric.q is not None else measure.kind
    return f"{name} of {metric.column}"


def describe_other(scene: Scene, other: Side) -> str:
    if other.days != scene.current.days:
        return describe_side(other)
    return describe_side(Side(other.filters), nobody="everybody")


def describe_side(side: Side, *, nobody: str = "") -> str:
    said = " and ".join(map(describe_filter, side.filters)) or nobody
    days = str(side.days) if side.days is not None and side.days != (None, None) else ""
    return ", ".join(part for part in (said, days) if part)


def describe_filter(item: Filter) -> str:
    if isinstance(item, Crowd):
        return item.name
    name, values = item.field.column.name, [str(value) for value in item.values]
    if item.op == "is_null":
        return f"{name} is {'not known' if item.values[0] else 'known'}"
    if item.op == "between":
        return f"{name} {values[0]} to {values[1]}"
    return f"{name} {item.op} {', '.join(values)}"


def weighting_of(analysis: Analysis) -> str:
    return " ".join([describe_weighting(analysis.plan), *analysis.plan.warnings])


def bases_of(analysis: Analysis) -> list[str]:
    rows = [*analysis.grid.rows, *(analysis.total.rows if analysis.total is not None else ())]
    weakest = [one for one in (row.weakest for row in rows) if one is not None]
    if not weakest and not any(row.is_withheld for row in rows):
        return ["Bases are not known."] if rows else []
    flags = {one.flag for one in weakest}
    said = ["n: the smallest base of the row, in persons."]
    if any(row.is_withheld for row in rows):
        said.append(WITHHELD)
    return [" ".join([*said, *describe_flags(flags)])]


def comparison_of(analysis: Analysis) -> list[str]:
    if analysis.letters:
        return letters_of(analysis)
    numbers = [
        number
        for row in analysis.grid.rows
        for heading, number in zip(analysis.grid.headings, row.numbers, strict=True)
        if heading.part == DIFFERENCE and number.value is not None
    ]
    if not numbers:
        return []
    said = "▲ ▼: significantly different (95 %, two-sided)."
    untested = [number for number in numbers if number.significant is None]
    if not untested:
        return [said]
    small = any(number.se is not None for number in untested)
    why = "a base is too small" if small else "no standard error is known"
    if len(untested) == len(numbers):
        return [f"Differences are not tested, since {why}."]
    return [f"{said} Not tested: {len(untested)} of {len(numbers)}, since {why}."]


def letters_of(analysis: Analysis) -> list[str]:
    untested = analysis.grid.untested
    found = []
    if len(untested) < len(analysis.grid.headings):
        found.append("A letter: significantly higher than that group (95 %, two-sided).")
    if untested:
        found.append(f"Not tested: {', '.join(untested)}, since no standard error of the differences is known.")
    if any(is_too_small(row) for row in analysis.grid.rows):
        found.append("Groups marked ** are compared with none.")
    return found


def fractions_of(analysis: Analysis) -> list[str]:
    """Shares of everybody that two statements made."""
    scene = analysis.scene
    halves = [one for one in scene.asked.measures if is_of_everyone(one)] if scene.asked.event is not None else []
    if not halves or in_one_statement(scene):
        return []
    attributes = [group.label for group in scene.groups if group.of_person]
    whom = f"everybody of the same {', '.join(attributes)}" if attributes else "everybody"
    known = any(
        number.se is not None
        for row in analysis.grid.rows
        for heading, number in zip(analysis.grid.headings, row.numbers, strict=True)
        if is_of_everyone(scene.asked.measures[heading.measure])
    )
    return [f"Divided by {whom}{'' if known else '; no standard error, since two questions make the number'}."]


def merges_of(analysis: Analysis) -> list[str]:
    """Classes shown as one, of the columns that the question uses."""
    found = []
    for field in analysis.scene.asked.used_fields:
        classes = [f"{label} = {', '.join(members)}" for label, members in field.column.classes]
        found += [f"{field.column.name}: {'; '.join(classes)}"] if classes else []
    return found


def next_call(analysis: Analysis) -> str:
    """The question that helps most now."""
    question, scene = analysis.question, analysis.scene
    if scene.groups and any(is_too_small(row) for row in analysis.grid.rows):
        return "fewer groups or a longer period, so that more persons stand behind each number."
    if not scene.groups:
        used = {*scene.asked.used_fields, *(one.field for one in scene.asked.measures)}
        own = [one.column.name for one in scene.asked.fields.all if one.of_person and one not in used]
        names = [name for name in own if name in scene.asked.fields.unit.attributes] or own
        return f'by, for example "by": ["{names[0]}"].' if names else "execute_query for anything else, in SQL."
    if analysis.timing.by_month:
        return '"compare": "previous_period" says whether the last month differs from the one before.'
    if question.compare is None and len(analysis.grid.rows) > 1:
        return '"compare": "columns" says which groups differ.'
    return "execute_query for what this cannot say, in SQL; show_sql shows how."


def is_too_small(row: Row) -> bool:
    return row.is_withheld or (row.weakest is not None and row.weakest.flag == HIDDEN.flag)


# ── structure ────────────────────────────────────────────────────────────────────────────────────────────────
def structure_of(analysis: Analysis, *, shown: int | None = None) -> Json:
    """As JSON; with `shown` only that many rows, the total's first, as the text has them."""
    scene, timing = analysis.scene, analysis.timing
    totals = analysis.total.rows if analysis.total is not None else ()
    rows = analysis.grid.rows if shown is None else analysis.grid.rows[: max(0, shown - len(totals))]
    found: Json = {
        "dataset": analysis.question.dataset,
        "question": document_of(analysis.question),
        "understood": describe_question(analysis).removeprefix("Question: "),
        "columns": [{"name": group.label, "role": "group"} for group in scene.groups]
        + [column_of(one) for one in analysis.grid.headings],
        "rows": [row_of(row) for row in rows],
        "row_count": len(rows),
        "truncated": analysis.grid.is_cut or len(rows) < len(analysis.grid.rows),
        "period": period_of(timing),
        "merges": {
            field.column.name: {label: list(members) for label, members in field.column.classes}
            for field in scene.asked.used_fields
            if field.column.classes
        },
        "chart": chart_of(analysis),
        "weighting": analysis.plan.weighting,
        "warnings": [*analysis.plan.warnings, *analysis.notes],
        "next": next_call(analysis),
    }
    if analysis.plan.weight_column:
        found["weight"] = analysis.plan.weight_column
    if analysis.total is not None:
        found["total"] = [row_of(row) for row in totals]
    if analysis.grid.errors_by:
        found["standard_errors"] = analysis.grid.errors_by
    if analysis.letters:
        found["letters"] = {letter: value for value, letter in analysis.letters.items()}
    if scene.other is not None:
        found["comparison"] = {
            "current": describe_side(scene.current),
            "other": describe_other(scene, scene.other),
            "confidence": 0.95,
        }
    return found


def column_of(heading: Heading) -> Json:
    return {
        "name": heading.label,
        "role": heading.part,
        "metric": heading.kind,
        "unit": "share" if heading.is_percent else "number",
    }


def row_of(row: Row) -> Json:
    return {"groups": list(row.groups), "cells": [cell_of(one) for one in row.numbers]}


def cell_of(number: Number) -> Json:
    if number.withheld:
        return {"value": None, "withheld": True, "flag": number.flag}
    known = {
        name: value
        for name, value in asdict(number).items()
        if name not in ("value", "withheld") and value not in (None, "")
    }
    return {"value": number.value, **{name: short(value) for name, value in known.items()}}


def short(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def period_of(timing: Timing) -> Json | None:
    if timing.days is None:
        return None
    found: Json = {"from": iso(timing.days.first), "to": iso(timing.days.last), "follows_data": timing.is_default}
    if timing.previous is not None:
        found["previous"] = {"from": iso(timing.previous.first), "to": iso(timing.previous.last)}
    return {**found, "partial": list(timing.partial)}


def iso(day: Any) -> str | None:  # Any: a date or None
    return None if day is None else str(day.isoformat())


def chart_of(analysis: Analysis) -> str:
    groups = analysis.scene.groups
    if any(group.bucket for group in groups):
        return "line"
    return "bar" if 1 <= len(groups) <= 2 and len(analysis.grid.rows) <= MOST_BARS else "table"


# ── the question as JSON ─────────────────────────────────────────────────────────────────────────────────────
def document_of(question: Question) -> Json:
    """As `parse_question` reads it."""
    found: Json = {
        "dataset": question.dataset,
        "metrics": [metric_document(one) for one in question.metrics],
        "by": [
            f"{one.bucket}({one.name})" if one.bucket and one.name else one.bucket or one.name for one in question.by
        ],
        "where": filters_document(question.where),
        "period": period_document(question.period),
        "compare": comparison_document(question.compare),
        "sort": question.sort
        and {"metric": question.sort.metric, "order": "desc" if question.sort.descending else "asc"},
        "limit": question.limit,
        "total": question.total,
        "weighting": question.weighting,
    }
    return {name: value for name, value in found.items() if value not in (None, [], False, "auto")}


def metric_document(metric: Metric) -> Json:
    found = {**asdict(metric), "value": None if metric.value is None else list(metric.value)}
    return {name: value for name, value in found.items() if value not in (None, "")}


def filters_document(items: Iterable[Condition | str]) -> list[Any]:  # Any: JSON
    return [item if isinstance(item, str) else condition_document(item) for item in items]


def condition_document(one: Condition) -> Json:
    return {
        "column": one.column,
        "op": one.op,
        "value": list(one.values) if one.op in ("in", "between") else one.values[0],
    }


def period_document(period: Period | None) -> Any:  # Any: JSON
    if period is None or period.is_all:
        return None if period is None else "all"
    if period.count:
        return {"last": period.count, "unit": period.unit}
    return {name: iso(day) for name, day in (("from", period.first), ("to", period.last)) if day is not None}


def comparison_document(compare: Comparison | None) -> Any:  # Any: JSON
    if compare is None or compare.kind != "segment":
        return compare and compare.kind
    return {"segment": filters_document(compare.conditions), "label": compare.label}
