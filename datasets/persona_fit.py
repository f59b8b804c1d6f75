"""Whether a persona fits a dataset: attributes of its people that are seen as stored, values of their types. Pure.

The dataset is one caller's (`as_seen_by`), so that what is hidden from them or masked fits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from config.errors import InvalidRequest
from datasets.conditions import Condition, Scalar
from datasets.design import HOUSEHOLD, PERSON, SurveyDesign
from datasets.policies import MOMENTS, NUMBERS, TEXTS

if TYPE_CHECKING:
    from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec

PLAIN_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_NAME: Final = 80
MOST_NAMED: Final = 40
ENUM, TEXT, NUMBER, MOMENT, BOOLEAN, OTHER = "enum", "text", "number", "date", "boolean", "other"
FAMILIES: Final = ((TEXTS, TEXT), (NUMBERS, NUMBER), (MOMENTS, MOMENT), (frozenset({"boolean"}), BOOLEAN))
OPERATORS_OF: Final = {
    TEXT: ("=", "!=", "in", "between", "is_null", "like"),
    ENUM: ("=", "!=", "in", "is_null"),
    NUMBER: ("=", "!=", "in", "between", "is_null"),
    MOMENT: ("=", "!=", "in", "between", "is_null"),
    BOOLEAN: ("=", "!=", "is_null"),
    OTHER: ("is_null",),
}
EXAMPLES: Final = {
    TEXT: 'a text, as in "Female"',
    ENUM: 'a text, as in "Female"',
    NUMBER: "a number, as in 25",
    MOMENT: 'a date, as in "2026-01-31"',
    BOOLEAN: "true or false",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that says something of a person or household."""

    table: TableSpec
    column: ColumnSpec

    @property
    def spellings(self) -> frozenset[str]:
        name = self.column.name
        return frozenset({name, f"{self.table.name}.{name}", f"{self.table.qualified_name}.{name}"})


def personas_that_fit(
    personas: Mapping[str, tuple[Condition, ...]], dataset: DatasetSpec
) -> dict[str, tuple[Condition, ...]]:
    return {name: where for name, where in personas.items() if not fault_of(where, dataset)}


def fault_of(where: tuple[Condition, ...], dataset: DatasetSpec) -> str:
    """Why a persona does not fit, "" where it does."""
    try:
        check_persona(where, dataset)
    except InvalidRequest as error:
        return error.message
    return ""


def check_persona(where: tuple[Condition, ...], dataset: DatasetSpec) -> None:
    """Raises `InvalidRequest`, which names what may stand in the place of what does not fit."""
    if dataset.survey_design is None:
        raise InvalidRequest(
            f"{dataset.name} has no confirmed survey design, which says what is an attribute of a person.",
            hint="Confirm one first, on the dataset's page in the admin or with `manage.py set_survey_design`.",
        )
    if not where:
        raise InvalidRequest(
            "A persona without a condition is everybody.", hint=f"Name one of {_listed(attribute_names(dataset))}."
        )
    for condition in where:
        check_values(condition, find_attribute(condition.column, dataset), dataset)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────
def attributes_of(dataset: DatasetSpec) -> tuple[Attribute, ...]:
    """The attributes of persons and households, wherever they stand, that this dataset shows as stored."""
    names = registered_names(dataset.survey_design) if dataset.survey_design else frozenset()
    return tuple(
        Attribute(table, column)
        for table in dataset.tables
        for column in table.visible_columns
        if column.name in names and column.mask is None
    )


def registered_names(design: SurveyDesign) -> frozenset[str]:
    people = (unit for unit in design.units if unit.level in (PERSON, HOUSEHOLD))
    return frozenset(name for unit in people for name in unit.attributes)


def attribute_names(dataset: DatasetSpec) -> list[str]:
    return list(dict.fromkeys(attribute.column.name for attribute in attributes_of(dataset)))


def find_attribute(written: str, dataset: DatasetSpec) -> Attribute:
    """The attribute of that name; a column of a unit's own table stands before its copies elsewhere, also if hidden."""
    found = [attribute for attribute in attributes_of(dataset) if written in attribute.spellings]
    homes = home_tables(dataset)
    is_at_home = any(column.name == written for table in homes for column in table.columns)
    chosen = [each for each in found if each.table in homes] if is_at_home else found
    if not chosen:
        raise _no_attribute(written, dataset)
    if len(chosen) > 1:
        places = [f"{each.table.qualified_name}.{each.column.name}" for each in chosen]
        raise InvalidRequest(f"{written} stands in several tables.", hint=f"Write {' or '.join(places)}.")
    return chosen[0]


def home_tables(dataset: DatasetSpec) -> list[TableSpec]:
    """The tables with a row for each person or household."""
    units = dataset.survey_design.units if dataset.survey_design else ()
    names = {unit.table for unit in units if unit.level in (PERSON, HOUSEHOLD)}
    return [table for table in dataset.tables if (table.schema, table.name) in names]


def _no_attribute(written: str, dataset: DatasetSpec) -> InvalidRequest:
    bare = written.rpartition(".")[2]
    columns = [column for table in dataset.tables for column in table.columns if column.name == bare]
    if not columns:
        what = f"No table of {dataset.name} has a column {written}."
    elif any(column.visible and column.mask is None for column in columns):
        what = f"{written} is not an attribute of a person in the confirmed survey design."
    else:
        what = f"{written} is hidden or masked, so no persona may tell its values."
    names = attribute_names(dataset)
    near = get_close_matches(bare, names, n=1)
    nearest = f"The nearest is {near[0]}. " if near else ""
    return InvalidRequest(what, hint=f"{nearest}A persona may name {_listed(names)}.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}" if names else "nothing: the design registers no attribute"


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────
def family_of(column: ColumnSpec, dataset: DatasetSpec) -> str:
    kind = dataset.vocabulary.base_type(column.type)
    if kind in dataset.vocabulary.enums:
        return ENUM
    return next((family for kinds, family in FAMILIES if kind in kinds), OTHER)


def check_values(condition: Condition, attribute: Attribute, dataset: DatasetSpec) -> None:
    column = attribute.column
    family = family_of(column, dataset)
    if condition.op not in OPERATORS_OF[family]:
        raise InvalidRequest(
            f"{condition.op} does not fit {condition.column}, which is {column.type}.",
            hint=f"Write one of {' '.join(OPERATORS_OF[family])}.",
        )
    if condition.op == "is_null":
        return
    for value in condition.values:
        if not fits(value, family):
            raise InvalidRequest(
                f"{value!r} does not fit {condition.column}, which is {column.type}.",
                hint=f"Write {EXAMPLES[family]}.",
            )
        check_class(value, condition, column)


def fits(value: Scalar, family: str) -> bool:
    if family == BOOLEAN:
        return isinstance(value, bool)
    if family == NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) and (family != MOMENT or is_moment(value))


def is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(PLAIN_DATE.match(text))  # Python reads weeks too (2026-W05), PostgreSQL does not


def check_class(value: Scalar, condition: Condition, column: ColumnSpec) -> None:
    """A class that is shown as part of another cannot be asked for by itself."""
    labels = {label for label, _ in column.classes}
    for label, members in column.classes:
        if value in members and value not in labels and condition.op in ("=", "!=", "in"):
            raise InvalidRequest(
                f"{condition.column} shows {value} as part of {label}.",
                hint=f"Write {label}, or change the merged classes of the dataset.",
            )


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────
def parse_name(written: str) -> str:
    """The name with single spaces; raises `InvalidRequest` for one that could not be told in a list."""
    name = " ".join(written.split())
    if not name or len(name) > LONGEST_NAME or "," in name or not name.isprintable():
        raise InvalidRequest(
            "This cannot be the name of a persona.", hint=f"Write 1 to {LONGEST_NAME} characters without a comma."
        )
    return name
