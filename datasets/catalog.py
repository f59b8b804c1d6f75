"""What can be asked, as one immutable value. Pure: no Django, no database.

A process holds one `Catalog` and swaps the whole of it when a newer version has been published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from datasets.access import KeySpec
from datasets.additions import NOTHING_ADDED, Additions, RoutineName
from datasets.conditions import Condition
from datasets.design import HOUSEHOLD, PERSON, SurveyDesign
from datasets.policies import NO_POLICIES, Mask, Policies
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from datasets.vocabulary import Vocabulary, build_vocabulary

ColumnName = tuple[str, str, str]  # schema, table, column
Classes = tuple[tuple[str, tuple[str, ...]], ...]  # label, members


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column as published: `type` as `format_type` spells it, `visible` as the reviewer decided.

    `mask` and `classes` (values shown as one) are those that `as_seen_by` found to apply to a caller.
    """

    name: str
    type: str
    nullable: bool = True
    description: str = ""
    visible: bool = True
    mask: Mask | None = None
    classes: Classes = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    columns: tuple[str, ...]
    references_schema: str
    references_table: str
    references_columns: tuple[str, ...]


@dataclass(frozen=True)
class TableSpec:
    """One approved table or view. `unique_keys` excludes the primary key; `row_estimate` is None if unknown.

    `definitions` are the queries of a view and of the views behind it, `routines` what they run beyond
    PostgreSQL's own functions. `row_rule` is the condition that `as_seen_by` found to apply to a caller.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[ColumnSpec, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    description: str = ""
    row_estimate: int | None = None
    definitions: tuple[str, ...] = ()
    routines: tuple[RoutineName, ...] = ()
    row_rule: str = ""

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @cached_property
    def key_columns(self) -> frozenset[str]:
        """What joins go by: columns of primary, unique and foreign keys."""
        keys = (self.primary_key, *self.unique_keys, *(key.columns for key in self.foreign_keys))
        return frozenset(column for key in keys for column in key)

    @cached_property
    def derived(self) -> dict[str, bytes]:
        """What the SQL passes build from this table once and use for every statement."""
        return {}

    @cached_property
    def shows_primary_key(self) -> bool:
        """Whether there is one, and a caller sees it as stored: a masked key is unique no more."""
        masked = {column.name for column in self.columns if column.mask}
        return bool(self.primary_key) and masked.isdisjoint(self.primary_key)

    @cached_property
    def has_policies(self) -> bool:
        """Whether more is done for the caller at hand than leaving out hidden columns."""
        return bool(self.row_rule) or any(column.mask or column.classes for column in self.visible_columns)

    @cached_property
    def visible_columns(self) -> tuple[ColumnSpec, ...]:
        return tuple(column for column in self.columns if column.visible)


@dataclass(frozen=True)
class DatasetSpec:
    """A published dataset: the document that a person approved, plus what opens its connection.

    `entry_id` changes with every publication and `connection_id` with the connection string, so caches are keyed
    by the one and pools by the other. `sealed_dsn` is ciphertext; only the pool's connector opens it. `design` is the
    survey design as a person wrote it, `survey_design` its value once it was confirmed. `personas` are named
    combinations of attributes; `as_seen_by` leaves those that a caller may use.
    """

    dataset_id: int
    entry_id: int
    version: int
    connection_id: str
    sealed_dsn: SealedText
    name: str
    title: str
    description: str
    dataset_type: str
    data_category: str
    tables: tuple[TableSpec, ...]
    use_cases: tuple[str, ...] = ()
    date_column: str = ""
    date_range: tuple[str, str] | None = None
    query_limits: Mapping[str, int] = field(default_factory=dict)
    design: Mapping[str, Any] | None = None  # Any: JSON as a person wrote it
    design_decision: str = "open"
    personal_data: str = "hidden"
    database: str = ""
    policies: Policies = NO_POLICIES
    merges: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None  # None: as the system setting says
    additions: Additions = NOTHING_ADDED
    survey_design: SurveyDesign | None = None
    personas: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)

    def find_persona(self, name: str) -> tuple[Condition, ...] | None:
        """What the persona of that name stands for, however its letters are written."""
        sought = " ".join(name.split()).casefold()
        return next((where for known, where in self.personas.items() if known.casefold() == sought), None)

    @cached_property
    def person_keys(self) -> tuple[frozenset[ColumnName], ...]:
        """Keys of persons and households that the survey design names, in each table that holds them."""
        if self.survey_design is not None:
            registered = set(confirmed_keys(self.survey_design))
        else:
            registered = set(registered_keys(self.design or {}, self.tables))
        referring = {
            frozenset((table.schema, table.name, column) for column in key.columns)
            for table in self.tables
            for key in table.foreign_keys
            if frozenset((key.references_schema, key.references_table, column) for column in key.references_columns)
            in registered
        }
        return tuple(registered | referring)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return build_vocabulary(self.additions)

    @property
    def mask_salt(self) -> str:
        """What hashes are made with, so that they match within a dataset and nowhere else."""
        return hashlib.sha256(f"mask {self.connection_id}".encode()).hexdigest()[:32]

    @cached_property
    def visible_names(self) -> frozenset[str]:
        """Names of all columns that may be seen."""
        return frozenset(column.name for table in self.tables for column in table.visible_columns)

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], TableSpec]:
        return MappingProxyType({(table.schema, table.name): table for table in self.tables})

    def find_tables(self, name: str, schema: str = "") -> tuple[TableSpec, ...]:
        """Tables of that name; several when two schemas hold one and `schema` is empty."""
        return tuple(table for table in self.tables if table.name == name and schema in ("", table.schema))


def confirmed_keys(design: SurveyDesign) -> Iterator[frozenset[ColumnName]]:
    for unit in design.units:
        if unit.level not in (PERSON, HOUSEHOLD) or not unit.key:
            continue
        holders = {**unit.carried_by, unit.table: unit.key}
        if unit.period_weights is not None:
            holders[unit.period_weights.table] = unit.period_weights.key
        for (schema, name), columns in holders.items():
            yield frozenset((schema, name, column) for column in columns)


def registered_keys(design: Mapping[str, Any], tables: tuple[TableSpec, ...]) -> Iterator[frozenset[ColumnName]]:
    """Person keys of a design's document, which nobody has checked yet: what does not fit is passed over."""
    units = design.get("units")
    for unit in units if isinstance(units, list) else ():
        if not isinstance(unit, dict) or unit.get("level", "person") != "person":
            continue
        carried = unit.get("carried_by")
        holders = [(unit.get("table"), unit.get("key")), *(carried.items() if isinstance(carried, dict) else ())]
        for name, key in holders:
            columns = [key] if isinstance(key, str) else key if isinstance(key, list) else []
            for table in tables:
                if name in (table.name, table.qualified_name) and columns:
                    yield frozenset((table.schema, table.name, str(column)) for column in columns)


@dataclass(frozen=True)
class Catalog:
    """Everything a process needs to answer: datasets by name, API keys by prefix, settings. Replaced whole."""

    version: int
    datasets: Mapping[str, DatasetSpec]
    keys: Mapping[str, KeySpec]
    settings: SystemSettings
    faults: tuple[str, ...] = ()  # what could not be read; the rest is served

    def __iter__(self) -> Iterator[DatasetSpec]:
        return iter(self.datasets.values())


EMPTY = Catalog(version=0, datasets={}, keys={}, settings=SystemSettings())
