"""Labels name results, and stand as the tables of a dataset of their own. Pure.

A label needs no quotes in SQL; columns of one name are told apart by numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from postgast import pg_query_pb2 as pg

from config.errors import InvalidRequest, SqlInvalid
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.sealing import SealedText
from querying.results import Column, QueryResult
from querying.sql.parse import Statement, parse_tree
from querying.sql.refusals import not_found
from querying.sql.scopes import Reading, read_scopes
from querying.sql.tables import nearest
from querying.sql.value_types import SPELLING

LABEL: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check_label(label: str) -> None:
    """Raise `InvalidRequest` unless this can name a result in SQL as it stands, without quotes."""
    if not LABEL.fullmatch(label):
        raise InvalidRequest(
            f"The label {label[:60]!r} cannot name a result.",
            hint="A label is a lower-case letter, then letters, digits or _, 40 at most: sales_2025.",
        )
    if label.startswith("pg_") or not _stands_unquoted(label):
        raise InvalidRequest(f"The label {label} is a word of SQL itself.", hint=f"Write {label}_data, for example.")


def _stands_unquoted(label: str) -> bool:
    try:
        parse_tree(f"SELECT {label}.x FROM {label} JOIN t ON t.x = {label}.x")  # noqa: S608  # fits LABEL
    except SqlInvalid:
        return False
    return True


def column_names(result: QueryResult) -> tuple[str, ...]:
    """The columns' names in order; one that was there already gets a number: n, n_2."""
    taken = {column.name for column in result.columns}
    found: list[str] = []
    for column in result.columns:
        name, count = column.name, 1
        while name in found or (count > 1 and name in taken):
            count += 1
            name = f"{column.name}_{count}"
        found.append(name)
    return tuple(found)


def as_dataset(inputs: Mapping[str, QueryResult]) -> DatasetSpec:
    """For the guard and for finding names."""
    tables = tuple(
        TableSpec("public", label, "table", tuple(map(ColumnSpec, column_names(result), map(_type_of, result.columns))))
        for label, result in inputs.items()
    )
    return DatasetSpec(
        dataset_id=0,
        entry_id=0,
        version=0,
        connection_id="",
        sealed_dsn=SealedText(""),
        name="combine",
        title="",
        description="",
        dataset_type="",
        data_category="",
        tables=tables,
    )


def _type_of(column: Column) -> str:
    return SPELLING.get(column.type, column.type)


def columns_hint(dataset: DatasetSpec) -> str:
    shown = [f"{table.name} ({', '.join(column.name for column in table.columns)})" for table in dataset.tables[:5]]
    more = f" and {len(dataset.tables) - 5} more labels" if len(dataset.tables) > 5 else ""
    return f"The labels are {'; '.join(shown)[:600]}{more}."


def read_over(statement: Statement, select: pg.SelectStmt, dataset: DatasetSpec) -> Reading:
    return read_scopes(select, find_table=partial(find_label, statement, dataset))


def find_label(statement: Statement, dataset: DatasetSpec, table: pg.RangeVar) -> TableSpec:
    found = dataset.find_tables(table.relname, table.schemaname or "public")
    if found and not table.catalogname:
        return found[0]
    written = ".".join(part for part in (table.catalogname, table.schemaname, table.relname) if part)
    near = nearest(table.relname, {spec.name for spec in dataset.tables})
    hint = f"The nearest labels are {', '.join(near)}." if near else columns_hint(dataset)
    raise not_found(statement, f"No query has the label {written}", table, hint=hint, nearest=near)
