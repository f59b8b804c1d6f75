"""Finding a dataset's tables by the names that callers write. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from postgast import pg_query_pb2 as pg

from config.errors import NameNotFound
from datasets.catalog import DatasetSpec, TableSpec

DESCRIBE = "Call describe_dataset for the tables and columns of this dataset."


def find_table(dataset: DatasetSpec, table: pg.RangeVar) -> TableSpec:
    """The approved table of that name, or `NameNotFound` with the nearest names."""
    written = ".".join(part for part in (table.catalogname, table.schemaname, table.relname) if part)
    if table.catalogname:
        raise NameNotFound(
            f"{written} names another database.", hint=f"Write {table.schemaname}.{table.relname}; datasets do not mix."
        )
    found = dataset.find_tables(table.relname, table.schemaname)
    if len(found) > 1:
        choices = " or ".join(spec.qualified_name for spec in found)
        raise NameNotFound(f"{written} stands in several schemas.", hint=f"Write {choices}.")
    if not found:
        raise table_not_found(dataset, written, table.relname)
    return found[0]


def table_not_found(dataset: DatasetSpec, written: str, name: str) -> NameNotFound:
    near = nearest(name, {spec.name for spec in dataset.tables})
    shown = [spec.qualified_name for match in near for spec in dataset.tables if spec.name == match]
    hint = f"The nearest tables are {', '.join(shown)}." if shown else DESCRIBE
    return NameNotFound(f"Dataset {dataset.name} has no table {written}.", hint=hint, nearest=shown)


def nearest(name: str, choices: Iterable[str], *, count: int = 3) -> list[str]:
    """The most similar names, the best first."""
    by_lower = {choice.lower(): choice for choice in choices}
    return [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)]
