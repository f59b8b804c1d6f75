"""Services of personas: save one, delete one, say which are live, suggest those that the sample carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from asgiref.sync import async_to_sync
from django.db import transaction

from config.errors import DatasetNotFound, InvalidRequest, NameTaken
from datasets.catalog import ColumnSpec, DatasetSpec
from datasets.conditions import Condition, document_of, parse_conditions
from datasets.credentials import open_target
from datasets.design import HOUSEHOLD, PERSON, SurveyDesign, Unit
from datasets.models import Dataset, Persona
from datasets.persona_counts import Combination, count_combinations
from datasets.persona_fit import ENUM, TEXT, attributes_of, check_persona, family_of, fault_of, parse_name
from datasets.publishing import Document, build_document, republish, seen_by_anybody

MOST_PERSONAS: Final = 200
MOST_SUGGESTED: Final = 20


@dataclass(frozen=True, slots=True)
class SavedPersona:
    """`catalog_version` is None where the persona goes live with the dataset's first approval."""

    persona_id: int
    name: str
    catalog_version: int | None


@dataclass(frozen=True, slots=True)
class PersonaFacts:
    """`fault` says why questions cannot use it although it is kept, "" where nothing is wrong with it."""

    name: str
    where: tuple[Condition, ...]
    description: str
    live: bool
    fault: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`base` is unweighted: the persons with a valid weight."""

    name: str
    where: tuple[Condition, ...]
    base: int


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def save_persona(
    dataset_id: int, name: str, where: object, *, description: str = "", replaces: int | None = None, actor: str
) -> SavedPersona:
    """Keep a persona and publish it at once; `replaces` is the id of the one that it takes the place of.

    Raises `InvalidRequest` where it does not fit what is live (before the first approval: the working copy), and
    `NameTaken` where another persona of the dataset has the name.
    """
    dataset = _lock(dataset_id)
    cleaned, conditions = check_written(dataset, name, where, replaces=replaces)
    persona = dataset.personas.filter(pk=replaces or 0).first() or Persona(dataset=dataset, created_by=actor)
    persona.name, persona.where = cleaned, document_of(conditions)
    persona.description, persona.updated_by = description, actor
    persona.save()
    return SavedPersona(persona.pk, persona.name, _publish(dataset, actor=actor))


@transaction.atomic
def delete_persona(persona_id: int, *, actor: str) -> int | None:
    """Take a persona out of every process; the catalog version, or None where the dataset is not live."""
    persona = Persona.objects.filter(pk=persona_id).first()
    if persona is None:
        raise InvalidRequest("That persona does not exist.", hint="`manage.py list_personas DATASET` shows them.")
    dataset = _lock(persona.dataset_id)
    persona.delete()
    return _publish(dataset, actor=actor)


def check_written(
    dataset: Dataset, name: str, where: object, *, replaces: int | None = None
) -> tuple[str, tuple[Condition, ...]]:
    """Name and conditions as they would be kept; raises what `save_persona` raises."""
    conditions = parse_conditions(where)
    check_persona(conditions, _seen(dataset))
    cleaned = parse_name(name)
    others = dataset.personas.exclude(pk=replaces or 0)
    if others.filter(name__iexact=cleaned).exists():
        raise NameTaken(f"{dataset.name} has a persona {cleaned} already.", hint="Choose another name.")
    if others.count() >= MOST_PERSONAS:
        raise InvalidRequest(f"{dataset.name} has {MOST_PERSONAS} personas.", hint="Delete one first.")
    return cleaned, conditions


def find_persona(dataset: Dataset, name: str) -> Persona:
    """The kept persona of that name, however its letters are written."""
    persona = dataset.personas.filter(name__iexact=" ".join(name.split())).first()
    if persona is None:
        known = ", ".join(dataset.personas.values_list("name", flat=True)) or "none yet"
        raise InvalidRequest(f"{dataset.name} has no persona named {name!r}.", hint=f"Its personas: {known}.")
    return persona


def _lock(dataset_id: int) -> Dataset:
    dataset = Dataset.objects.select_for_update(of=("self",)).select_related("live_entry").filter(pk=dataset_id).first()
    if dataset is None or dataset.deleted_at is not None:
        raise DatasetNotFound("That dataset does not exist.")
    return dataset


def _publish(dataset: Dataset, *, actor: str) -> int | None:
    entry = republish(dataset, actor=actor)
    return entry.version if entry else None


def _document(dataset: Dataset) -> Document:
    return dataset.live_entry.document if dataset.live_entry else build_document(dataset)


def _seen(dataset: Dataset) -> DatasetSpec:
    return seen_by_anybody(dataset, _document(dataset))


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────
def list_personas(dataset: Dataset) -> tuple[PersonaFacts, ...]:
    """All that are kept, by name."""
    kept = list(dataset.personas.all())
    if not kept:
        return ()
    seen = _seen(dataset)
    published = dataset.live_entry.document.get("personas", {}) if dataset.live_entry else {}
    return tuple(_facts(persona, seen, live=published.get(persona.name) == persona.where) for persona in kept)


def _facts(persona: Persona, seen: DatasetSpec, *, live: bool) -> PersonaFacts:
    where = parse_conditions(persona.where)
    return PersonaFacts(persona.name, where, persona.description, live=live, fault=fault_of(where, seen))


# ── suggesting ───────────────────────────────────────────────────────────────────────────────────────────────
def suggest_personas(dataset: Dataset) -> tuple[Suggestion, ...]:
    """Combinations of two or three attributes that the sample carries and that are not kept yet, the largest first.

    One statement on the dataset's database: unweighted persons with a valid weight, at least `low_base.low` of them.
    Attributes are the text columns of the persons' own table. Raises `InvalidRequest` without a confirmed design, and
    what a check of a design raises.
    """
    seen = _seen(dataset)
    unit, design = _unit_of(seen)
    columns = categorical_columns(seen, unit)
    kept = [parse_conditions(where) for where in dataset.personas.values_list("where", flat=True)]
    found = async_to_sync(count_combinations)(
        open_target(dataset.connection),
        unit,
        columns,
        at_least=max(design.low_base.low, 1),
        most=MOST_SUGGESTED + len(kept),
    )
    names = {name.casefold() for name in dataset.personas.values_list("name", flat=True)}
    fresh = [each for each in found if set(_where(each)) not in [set(where) for where in kept]]
    return tuple(_named(fresh[:MOST_SUGGESTED], names))


def _unit_of(seen: DatasetSpec) -> tuple[Unit, SurveyDesign]:
    units = seen.survey_design.units if seen.survey_design else ()
    people = [unit for level in (PERSON, HOUSEHOLD) for unit in units if unit.level == level]
    if seen.survey_design is None or not people:
        raise InvalidRequest(
            f"{seen.name} has no confirmed survey design with persons or households.",
            hint=f"Confirm one first: `manage.py set_survey_design {seen.name} FILE`.",
        )
    return people[0], seen.survey_design


def categorical_columns(seen: DatasetSpec, unit: Unit) -> tuple[ColumnSpec, ...]:
    """The attributes in the unit's own table whose values are words."""
    return tuple(
        each.column
        for each in attributes_of(seen)
        if (each.table.schema, each.table.name) == unit.table and family_of(each.column, seen) in (TEXT, ENUM)
    )


def _where(found: Combination) -> tuple[Condition, ...]:
    return tuple(Condition(column, "=", (value,)) for column, value in found.values)


def _named(found: list[Combination], taken: set[str]) -> Iterator[Suggestion]:
    """Made of the values; of columns too where two combinations would share a name. Unnameable ones are left out."""
    for each in found:
        short = " ".join(value for _, value in each.values)
        long = " ".join(f"{column} {value}" for column, value in each.values)
        name = next((name for name in map(_cleaned, (short, long)) if name and name.casefold() not in taken), "")
        if name:
            taken.add(name.casefold())
            yield Suggestion(name, _where(each), each.base)


def _cleaned(text: str) -> str:
    try:
        return parse_name(text.replace(",", " "))
    except InvalidRequest:
        return ""
