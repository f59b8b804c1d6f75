"""What can be asked, as one immutable value. Pure: no Django, no database.

A process holds one `Catalog` and swaps the whole of it when a newer version has been published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from datasets.access import KeySpec
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column as published: `type` as `format_type` spells it, `visible` as the reviewer decided."""

    name: str
    type: str
    nullable: bool = True
    description: str = ""
    visible: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    columns: tuple[str, ...]
    references_schema: str
    references_table: str
    references_columns: tuple[str, ...]


@dataclass(frozen=True)
class TableSpec:
    """One approved table or view. `unique_keys` excludes the primary key; `row_estimate` is None if unknown."""

    schema: str
    name: str
    kind: str
    columns: tuple[ColumnSpec, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    description: str = ""
    row_estimate: int | None = None

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @cached_property
    def visible_columns(self) -> tuple[ColumnSpec, ...]:
        return tuple(column for column in self.columns if column.visible)


@dataclass(frozen=True)
class DatasetSpec:
    """A published dataset: the document that a person approved, plus what opens its connection.

    `entry_id` changes with every publication and `connection_id` with the connection string, so caches are keyed
    by the one and pools by the other. `sealed_dsn` is ciphertext; only the pool's connector opens it.
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
    design: Mapping[str, Any] | None = None  # Any: the design's document, modelled when weighting reads it
    design_decision: str = "open"
    personal_data: str = "hidden"

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], TableSpec]:
        return MappingProxyType({(table.schema, table.name): table for table in self.tables})

    def find_tables(self, name: str, schema: str = "") -> tuple[TableSpec, ...]:
        """Tables of that name; several when two schemas hold one and `schema` is empty."""
        return tuple(table for table in self.tables if table.name == name and schema in ("", table.schema))


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
