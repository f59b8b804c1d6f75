"""A question over the columns of a dataset: every name found, every value of its column's type, or refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from config.errors import InvalidRequest
from datasets.conditions import Condition, Scalar
from datasets.persona_fit import (
    BOOLEAN,
    ENUM,
    EXAMPLES,
    MOMENT,
    NUMBER,
    OPERATORS_OF,
    OTHER,
    TEXT,
    check_class,
    find_attribute,
    fits,
)
from querying.analysis.fields import (
    EventTable,
    Field,
    Fields,
    find_event,
    find_field,
    the_event,
)
from querying.analysis.question import EVERYONE, By, Metric, Question, invalid

OF_EVENTS: Final = frozenset({"events", "frequency", "penetration"})
OF_NUMBERS: Final = frozenset({"sum", "mean", "median", "quantile", "ratio", "per_person"})
TWO_CALLS: Final = "Ask about one table of events in a call, and about the other in a second one."


@dataclass(frozen=True)
class Term:
    """A condition on a field."""

    field: Field
    op: str
    values: tuple[Scalar, ...]

    @property
    def of_person(self) -> bool:
        return self.field.of_person


@dataclass(frozen=True)
class Crowd:
    """A persona: persons, by their `key`, for whom `tests` hold, and who have a row of `event` for which `event_tests`
    do."""

    name: str
    key: tuple[str, ...]
    tests: tuple[Term, ...]
    event: EventTable | None = None
    event_tests: tuple[Term, ...] = ()

    @property
    def of_person(self) -> bool:
        return True


Filter = Term | Crowd


@dataclass(frozen=True)
class Group:
    """What rows are grouped by: a field, a date cut to `bucket`, or whether somebody is of a persona."""

    label: str
    field: Field | None = None
    bucket: str = ""
    crowd: Crowd | None = None

    @property
    def of_person(self) -> bool:
        return self.crowd is not None or (self.field is not None and self.field.of_person)


@dataclass(frozen=True)
class Measure:
    """A metric, with its columns found."""

    metric: Metric
    field: Field | None = None
    per: Field | None = None

    @property
    def label(self) -> str:
        return self.metric.label

    @property
    def kind(self) -> str:
        return self.metric.kind


@dataclass(frozen=True)
class Asked:
    """The question over a dataset. It reads `event` where it speaks of events; `other` is the segment to compare."""

    question: Question
    fields: Fields
    measures: tuple[Measure, ...]
    groups: tuple[Group, ...]
    where: tuple[Filter, ...]
    other: tuple[Filter, ...] | None = None
    event: EventTable | None = None

    @property
    def used_fields(self) -> tuple[Field, ...]:
        """Columns of groups and conditions, each once."""
        found = [group.field for group in self.groups if group.field is not None]
        for item in (*self.where, *(self.other or ())):
            found += [item.field] if isinstance(item, Term) else [test.field for test in item.tests]
        return tuple(dict.fromkeys(found))


def read_question(question: Question, fields: Fields) -> Asked:
    """Raises `InvalidRequest`, which names the place and what may stand there."""
    measures = tuple(
        read_measure(metric, fields, where=f"metrics[{place}]") for place, metric in enumerate(question.metrics)
    )
    where = read_filters(question.where, fields, where="where")
    other = read_other(question, where, fields)
    event = find_event_table(question, measures, where, other, fields)
    check_people(measures, event, fields)
    groups = tuple(read_group(by, fields, event, where=f"by[{place}]") for place, by in enumerate(question.by))
    check_labels(groups, question)
    return Asked(question, fields, measures, groups, where, other, event)


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────
def read_measure(metric: Metric, fields: Fields, *, where: str) -> Measure:
    if not metric.column or metric.kind in ("people", "events", "frequency", "penetration"):
        return Measure(metric)
    field = find_field(fields, metric.column, where=f"{where}.column")
    if metric.kind == "share":
        return Measure(read_share(metric, field, fields, where=where), field)
    check_number(field, metric.kind, where=f"{where}.column")
    if metric.kind == "per_person" and field.of_person:
        raise invalid(f"`{where}.column` {metric.column!r} is one of the person", "Its mean over people is kind mean.")
    if metric.kind != "ratio":
        return Measure(metric, field)
    per = find_field(fields, metric.per, where=f"{where}.per")
    check_number(per, metric.kind, where=f"{where}.per")
    if per.table is not field.table:
        raise invalid(f"`{where}` divides columns of two tables", "Both sides of a ratio stand in one table.")
    return Measure(metric, field, per)


def read_share(metric: Metric, field: Field, fields: Fields, *, where: str) -> Metric:
    if not field.of_person and field.column.name not in fields.unit.attributes:
        hint = "Count them with events; or ask for penetration with it in `where`, of all people."
        raise invalid(f"`{where}.column` {metric.column!r} is of events, and share is of people", hint)
    if metric.value is None and field.kind != BOOLEAN:
        hint = f'Write {{"kind": "share", "column": "{metric.column}", "value": ...}}; a list is any of them.'
        raise invalid(f"`{where}.value` is missing", hint)
    values = metric.value or (True,)
    check_values(field, Condition(metric.column, "in", values), where=f"{where}.value")
    return Metric(metric.kind, metric.column, "", None, values, metric.label)


def check_number(field: Field, kind: str, *, where: str) -> None:
    if field.kind != NUMBER:
        way = "share" if field.kind in (BOOLEAN, TEXT) else "people"
        hint = f"{kind} takes a column of numbers; of this one ask {way}, or group by it."
        raise invalid(f"`{where}` {field.column.name!r} is of type {field.kind}", hint)


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────
def read_filters(items: Iterable[Condition | str], fields: Fields, *, where: str) -> tuple[Filter, ...]:
    return tuple(
        read_crowd(item, fields, where=f"{where}[{place}]")
        if isinstance(item, str)
        else read_term(item, fields, where=f"{where}[{place}]")
        for place, item in enumerate(items)
    )


def read_term(condition: Condition, fields: Fields, *, where: str) -> Term:
    field = find_field(fields, condition.column, where=f"{where}.column")
    allowed = OPERATORS_OF[ENUM if field.is_enum else field.kind]
    if condition.op not in allowed:
        what = f"`{where}.op` {condition.op} does not fit {condition.column!r}, which is of type {field.kind}"
        raise invalid(what, f"Write one of {' '.join(allowed)}.")
    if condition.op != "is_null":
        check_values(field, condition, where=f"{where}.value")
    return Term(field, condition.op, condition.values)


def check_values(field: Field, condition: Condition, *, where: str) -> None:
    wrong = next((value for value in condition.values if not fits(value, field.kind)), None)
    if wrong is not None:
        what = f"`{where}` {str(wrong)[:40]!r} does not fit {field.column.name!r}, which is of type {field.kind}"
        raise invalid(what, f"Write {EXAMPLES[field.kind]}." if field.kind in EXAMPLES else "Compare another column.")
    for value in condition.values:
        check_class(value, condition, field.column)


def read_crowd(name: str, fields: Fields, *, where: str) -> Crowd:
    conditions = fields.dataset.find_persona(name)
    if conditions is None:
        raise unknown_persona(name, fields, where=where)
    name = next(known for known, kept in fields.dataset.personas.items() if kept is conditions)
    tests = [read_attribute(condition, fields, name) for condition in conditions]
    of_events = tuple(test for test in tests if not test.of_person)
    event = one_table((fields.event_of(test.field.table) for test in of_events), what=f"The persona {name!r}")
    return Crowd(name, fields.unit.key, tuple(test for test in tests if test.of_person), event, of_events)


def read_attribute(condition: Condition, fields: Fields, persona: str) -> Term:
    """A condition of a persona, whose column is an attribute of persons or households."""
    attribute = find_attribute(condition.column, fields.dataset)
    for field in fields.all:
        if field.table is attribute.table and field.column is attribute.column:
            return Term(field, condition.op, condition.values)
    what = f"The persona {persona!r} speaks of {attribute.table.name}, which does not tell whose its rows are"
    raise invalid(what, "Ask with execute_query, in SQL, or write the conditions themselves.")


def unknown_persona(name: str, fields: Fields, *, where: str) -> InvalidRequest:
    personas = sorted(fields.dataset.personas)
    near = get_close_matches(name, personas, n=1)
    listed = f"Personas: {', '.join(personas)}." if personas else "It has none."
    nearest = f" The nearest is {near[0]}." if near else ""
    hint = f'{listed}{nearest} A condition is {{"column": "gender", "value": "Female"}}.'
    return invalid(f"`{where}` {name!r} is no persona of {fields.dataset.name}", hint)


def read_other(question: Question, where: tuple[Filter, ...], fields: Fields) -> tuple[Filter, ...] | None:
    """The segment's conditions in the place of those on the same columns; without any, everybody."""
    if question.compare is None or question.compare.kind != "segment":
        return None
    own = read_filters(question.compare.conditions, fields, where="compare.segment")
    named = {field for item in own for field in columns_of(item)}
    kept = [item for item in where if (not item.of_person if not own else named.isdisjoint(columns_of(item)))]
    other = (*kept, *own)
    if set(other) == set(where):
        hint = "Write other conditions, or [] for everybody."
        raise invalid("`compare.segment` is the same as `where`", hint)
    return other


def columns_of(item: Filter) -> set[Field]:
    tests = [item] if isinstance(item, Term) else [*item.tests, *item.event_tests]
    return {test.field for test in tests}


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────
def read_group(by: By, fields: Fields, event: EventTable | None, *, where: str) -> Group:
    if not by.bucket and fields.dataset.find_persona(by.name) is not None:
        crowd = read_crowd(by.name, fields, where=where)
        return Group(crowd.name, crowd=crowd)
    if by.bucket and not by.name:
        return Group(by.bucket, field=date_field(fields, event, where=where), bucket=by.bucket)
    field = find_field(fields, by.name, where=where)
    if by.bucket and field.kind != MOMENT:
        raise invalid(f"`{where}` {by.name!r} is no date", f"{by.bucket} cuts a column of dates.")
    if field.kind == OTHER:
        what = f"`{where}` {by.name!r} is of type {field.column.type}, by which nothing is grouped"
        raise invalid(what, "Group by text, numbers, dates or truth values.")
    if is_key(field, fields):
        raise invalid(f"`{where}` {by.name!r} tells single persons apart", "Group by something they have in common.")
    label = f"{by.bucket}_{field.column.name}" if by.bucket else by.name
    return Group(label.replace(".", "_"), field=field, bucket=by.bucket)


def is_key(field: Field, fields: Fields) -> bool:
    key = fields.unit.key if field.of_person else fields.event_of(field.table).key
    return len(key) == 1 and field.column.name in key


def date_field(fields: Fields, event: EventTable | None, *, where: str) -> Field:
    column = event.date if event is not None else None
    if event is None or column is None:
        hint = "Name a column of dates: month(column)."
        raise invalid(f"`{where}` cuts dates, and which column tells the date is not clear", hint)
    return find_field(fields, f"{event.spec.qualified_name}.{column.name}", where=where)


def check_labels(groups: Sequence[Group], question: Question) -> None:
    labels = [*(group.label for group in groups), *(metric.label for metric in question.metrics)]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise invalid(f"Two columns of the answer are named {twice!r}", "Leave one out, or label the metric.")


# ── the table of events ──────────────────────────────────────────────────────────────────────────────────────
def find_event_table(
    question: Question,
    measures: Sequence[Measure],
    where: Sequence[Filter],
    other: Sequence[Filter] | None,
    fields: Fields,
) -> EventTable | None:
    """The one table of events that the question speaks of, None where it is about persons only."""
    found = [*of_metrics(measures, fields), *of_filters([*where, *(other or ())], fields)]
    found += [fields.event_of(field.table) for field in grouped_fields(question.by, fields) if not field.of_person]
    event = one_table(found, what="The question")
    return (
        the_event(fields, what="when something happened") if event is None and needs_event(question, fields) else event
    )


def needs_event(question: Question, fields: Fields) -> bool:
    """Whether it speaks of events without naming a column of theirs."""
    by_date = any(by.bucket and not by.name for by in question.by)
    in_time = question.period is not None and not question.period.is_all
    in_time = in_time or (question.compare is not None and question.compare.kind == PREVIOUS)
    of_events = any(one.kind in OF_EVENTS or (one.kind == "per_person" and not one.column) for one in question.metrics)
    return by_date or of_events or in_time


PREVIOUS: Final = "previous_period"


def of_metrics(measures: Iterable[Measure], fields: Fields) -> list[EventTable]:
    found = []
    for place, measure in enumerate(measures):
        metric = measure.metric
        if metric.kind in ("people", *OF_EVENTS) and metric.column:
            event = find_event(fields, metric.column, where=f"metrics[{place}].column")
            if event is None and metric.kind in OF_EVENTS:
                what = f"`metrics[{place}].column` {metric.column!r} is of persons, and {metric.kind} is of events"
                raise invalid(what, f"Tables of events: {', '.join(one.spec.name for one in fields.events)}.")
            found += [event] if event is not None else []
        elif measure.field is not None and not measure.field.of_person:
            found.append(fields.event_of(measure.field.table))
    return found


def of_filters(items: Iterable[Filter], fields: Fields) -> list[EventTable]:
    return [fields.event_of(item.field.table) for item in items if isinstance(item, Term) and not item.of_person]


def grouped_fields(by: Iterable[By], fields: Fields) -> list[Field]:
    return [
        find_field(fields, one.name, where=f"by[{place}]")
        for place, one in enumerate(by)
        if one.name and fields.dataset.find_persona(one.name) is None
    ]


def one_table(found: Iterable[EventTable], *, what: str) -> EventTable | None:
    tables = {event.spec.qualified_name: event for event in found}
    if len(tables) > 1:
        raise invalid(f"{what} speaks of two tables of events: {', '.join(sorted(tables))}", TWO_CALLS)
    return next(iter(tables.values()), None)


def check_people(measures: Sequence[Measure], event: EventTable | None, fields: Fields) -> None:
    """Beside events people are those reached; who names the table of persons wants another number."""
    for place, measure in enumerate(measures):
        name = measure.metric.column
        if event is None or measure.kind != "people" or not name:
            continue
        if find_event(fields, name, where=f"metrics[{place}].column") is None:
            what = f"`metrics[{place}].column` {name!r} is of persons, and the question is about {event.spec.name}"
            raise invalid(what, "Leave it out to count those reached, or count all people in a call of its own.")


def is_of_everyone(measure: Measure) -> bool:
    return measure.kind == "penetration" or measure.metric.per == EVERYONE
