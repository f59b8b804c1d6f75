"""The dataset of these tests: schema.sql as a profiled and approved dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from querying.sql.plan import QueryPlan, QueryRequest, build_plan

OPERATOR = Principal(person="operator", datasets=None, operator=True)
ANALYST = Principal(person="ana", key="ana", datasets=None)
HIDDEN = frozenset({("users", "email"), ("users", "phone")})
APPROVED = frozenset(
    {
        "archive.categories_old",
        "archive.old_events",
        "archive.stores",
        "public.Order Items",
        "public.android_events",
        "public.categories",
        "public.documents",
        "public.events",
        "public.measures",
        "public.stores",
        "public.users",
        "public.weights_monthly",
    }
)
COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'p') AND a.attnum > 0 AND n.nspname IN ('public', 'archive')
    ORDER BY 1, 2, a.attnum
"""
KEYS = """
    SELECT n.nspname, c.relname, k.contype::text, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
    WHERE k.contype IN ('p', 'u') GROUP BY k.oid, 1, 2, 3
"""


def load_dataset(url: str) -> DatasetSpec:
    with psycopg.connect(url) as connection:
        columns, keys = connection.execute(COLUMNS).fetchall(), connection.execute(KEYS).fetchall()
    tables = sorted({(schema, name) for schema, name, *_ in columns if f"{schema}.{name}" in APPROVED})
    return DatasetSpec(
        dataset_id=1,
        entry_id=1,
        version=1,
        connection_id="1",
        sealed_dsn=SealedText(""),
        name="panel",
        title="Panel",
        description="",
        dataset_type="mixed",
        data_category="mixed",
        tables=tuple(load_table(schema, name, columns, keys) for schema, name in tables),
    )


def load_table(schema: str, name: str, columns: Sequence[Any], keys: Sequence[Any]) -> TableSpec:
    own = [row[2:] for row in keys if row[:2] == (schema, name)]
    return TableSpec(
        schema=schema,
        name=name,
        kind="table",
        columns=tuple(
            ColumnSpec(column, kind, visible=(table, column) not in HIDDEN)
            for space, table, column, kind in columns
            if (space, table) == (schema, name)
        ),
        primary_key=next((tuple(names) for kind, names in own if kind == "p"), ()),
        unique_keys=tuple(tuple(names) for kind, names in own if kind == "u"),
    )


def show_everything(dataset: DatasetSpec) -> DatasetSpec:
    """The same dataset without a hidden column."""
    tables = (
        replace(table, columns=tuple(replace(column, visible=True) for column in table.columns))
        for table in dataset.tables
    )
    return replace(dataset, tables=tuple(tables))


def plan(sql: str, dataset: DatasetSpec, *, principal: Principal = OPERATOR, **wanted: Any) -> QueryPlan:
    return build_plan(
        QueryRequest("panel", sql, **wanted), dataset=dataset, principal=principal, settings=SystemSettings()
    )
