"""What can be asked of a dataset as its caller sees it: persons, tables of their events, columns by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from config.errors import InvalidRequest
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.design import PERSON, Unit
from datasets.persona_fit import ENUM, TEXT, family_of
from datasets.policies import MOMENTS
from querying.analysis.question import invalid

MOST_LISTED: Final = 40


@dataclass(frozen=True)
class Field:
    """A column that may be asked about, of a `kind` of `family_of`, where enums count as text. `of_person` where it
    stands in the persons' own table."""

    table: TableSpec
    column: ColumnSpec
    kind: str
    of_person: bool
    is_enum: bool = False

    @property
    def spelling(self) -> str:
        return f"{self.table.name}.{self.column.name}"


@dataclass(frozen=True)
class EventTable:
    """A table with rows of persons: `key` are its columns with their key. Without `has_events` it has one row for each
    person and date, so its rows are no events of their own."""

    spec: TableSpec
    key: tuple[str, ...]
    date_column: str = ""
    has_events: bool = True

    @property
    def date(self) -> ColumnSpec | None:
        return next((one for one in usable(self.spec) if one.name == self.date_column), None)


@dataclass(frozen=True)
class Fields:
    """`people` is the table of `unit`, the persons; `events` are the tables that hold their key."""

    dataset: DatasetSpec
    unit: Unit
    people: TableSpec
    events: tuple[EventTable, ...]

    @cached_property
    def all(self) -> tuple[Field, ...]:
        """The persons' own first."""
        return tuple(self._read())

    def _read(self) -> Iterator[Field]:
        for column in usable(self.people):
            if column.name not in weight_columns(self.unit):
                yield build_field(self.dataset, self.people, column, of_person=True)
        for event in self.events:
            for column in usable(event.spec):
                yield build_field(self.dataset, event.spec, column, of_person=False)

    def event_of(self, table: TableSpec) -> EventTable:
        return next(event for event in self.events if event.spec is table)


def fields_of(dataset: DatasetSpec) -> Fields:
    """Raises `InvalidRequest` where nobody has said who the persons are."""
    unit = person_unit(dataset)
    people = dataset.by_name.get(unit.table)
    if people is None or not people.visible_columns:
        raise invalid(f"The table of persons of {dataset.name} is not open to you", USE_SQL)
    return Fields(dataset, unit, people, tuple(event_tables(dataset, unit)))


USE_SQL: Final = "Ask with execute_query, in SQL; describe_dataset shows the tables."


def person_unit(dataset: DatasetSpec) -> Unit:
    design = dataset.survey_design
    if design is None:
        raise InvalidRequest(
            f"Who the persons of {dataset.name} are is not known: it has no confirmed survey design.",
            hint="Ask with execute_query, in SQL, or let an administrator confirm a design (`set_survey_design`).",
        )
    persons = [unit for unit in design.units if unit.level == PERSON]
    if not persons:
        raise invalid(f"The dataset {dataset.name} has no persons, only units of other levels", USE_SQL)
    return min(persons, key=lambda unit: unit.shares_table)


def event_tables(dataset: DatasetSpec, unit: Unit) -> Iterator[EventTable]:
    """Tables in which the key of persons may be seen as it is stored."""
    weights = unit.period_weights.table if unit.period_weights is not None else None
    for name, key in unit.carried_by.items():
        table = dataset.by_name.get(name)
        if table is None or name in (unit.table, weights):
            continue
        seen = {column.name for column in usable(table)}
        if not set(key) <= seen or not set(unit.key) <= {column.name for column in usable_of(dataset, unit)}:
            continue
        date_column = find_date_column(dataset, unit, table)
        beside = set(table.primary_key) - set(key)
        is_state = bool(table.primary_key) and set(key) <= set(table.primary_key) and beside <= {date_column}
        yield EventTable(table, key, date_column, has_events=not is_state)


def usable_of(dataset: DatasetSpec, unit: Unit) -> tuple[ColumnSpec, ...]:
    table = dataset.by_name.get(unit.table)
    return usable(table) if table is not None else ()


def find_date_column(dataset: DatasetSpec, unit: Unit, table: TableSpec) -> str:
    """That of the design, then of the dataset, then the only one there is; empty where that is not clear."""
    moments = [one.name for one in usable(table) if dataset.vocabulary.base_type(one.type) in MOMENTS]
    dates = unit.period_weights.dates if unit.period_weights is not None else {}
    of_design = dates.get((table.schema, table.name), "")
    of_dataset = dataset.date_column.rpartition(".")[2]
    chosen = next((name for name in (of_design, of_dataset) if name in moments), "")
    return chosen or (moments[0] if len(moments) == 1 else "")


def usable(table: TableSpec) -> tuple[ColumnSpec, ...]:
    """What is masked for this caller is not what is asked about."""
    return tuple(column for column in table.visible_columns if column.mask is None)


def weight_columns(unit: Unit) -> frozenset[str]:
    """They are applied to every answer and are no answer themselves."""
    return frozenset({unit.weight, unit.stratum, unit.psu} - {""})


def build_field(dataset: DatasetSpec, table: TableSpec, column: ColumnSpec, *, of_person: bool) -> Field:
    family = family_of(column, dataset)
    return Field(table, column, TEXT if family == ENUM else family, of_person, is_enum=family == ENUM)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────
def find_field(fields: Fields, name: str, *, where: str) -> Field:
    """The column of that name (`column`, `table.column` or `schema.table.column`); raises `InvalidRequest`."""
    named = [field for field in fields.all if is_named(field, name)]
    found = named if "." in name else [field for field in named if is_plain(fields, field)]
    if len(found) == 1:
        return found[0]
    if named and not found:
        raise invalid(f"`{where}` {name!r} stands in {named[0].table.name}", f"Write {named[0].spelling} to mean that.")
    if not found:
        raise unknown_column(fields, name, where=where)
    key = set(fields.unit.key)
    own = [field for field in found if field.of_person and field.column.name in fields.unit.attributes | key]
    if own:
        return own[0]
    spellings = ", ".join(field.spelling for field in found)
    raise invalid(f"`{where}` {name!r} stands in several tables", f"Write one of {spellings}.")


def is_plain(fields: Fields, field: Field) -> bool:
    """Whether its own name is enough: columns of tables without events are spelt out."""
    return field.of_person or fields.event_of(field.table).has_events


def is_named(field: Field, name: str) -> bool:
    return name in (field.column.name, field.spelling, f"{field.table.schema}.{field.spelling}")


def unknown_column(fields: Fields, name: str, *, where: str) -> InvalidRequest:
    if name.rpartition(".")[2] in weight_columns(fields.unit):
        what = f"`{where}` {name!r} is a column of the survey design, which is applied by itself"
        return invalid(what, "Leave it out; to look at it, use execute_query.")
    known = list(dict.fromkeys(field.column.name for field in fields.all if is_plain(fields, field)))
    near = get_close_matches(name.rpartition(".")[2], known, n=3)
    elsewhere = [
        f"{table.name}.{column.name}"
        for table in fields.dataset.tables
        for column in usable(table)
        if column.name == name.rpartition(".")[2]
    ]
    if elsewhere and not near:
        what = f"`{where}` {name!r} stands in {elsewhere[0].split('.')[0]}, which does not tell whose its rows are"
        return invalid(what, USE_SQL)
    nearest = f"Nearest: {', '.join(near)}. " if near else ""
    listed = ", ".join(known[:MOST_LISTED])
    return invalid(f"`{where}` {name!r} is no column of {fields.dataset.name}", f"{nearest}Columns: {listed}.")


def find_event(fields: Fields, name: str, *, where: str) -> EventTable | None:
    """The table of events that is named, or in which a column of that name stands."""
    for event in fields.events:
        if name in (event.spec.name, event.spec.qualified_name):
            return event
    if name in (fields.people.name, fields.people.qualified_name):
        return None
    field = find_field(fields, name, where=where)
    return None if field.of_person else fields.event_of(field.table)


def the_event(fields: Fields, *, what: str) -> EventTable:
    """The table of events where none is named; raises `InvalidRequest` where there are several or none."""
    events = [event for event in fields.events if event.has_events]
    if len(events) == 1:
        return events[0]
    if not events:
        raise invalid(f"The dataset {fields.dataset.name} has no table of events, so {what} is not known", USE_SQL)
    table = fields.dataset.date_column.rpartition(".")[0].rpartition(".")[2]
    named = [event for event in events if table and event.spec.name == table]
    if named:
        return named[0]
    listed = ", ".join(event.spec.name for event in events)
    raise invalid(
        f"The dataset {fields.dataset.name} has several tables of events",
        f'Name one as "column" of the metric: {listed}.',
    )
