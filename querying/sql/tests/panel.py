"""The dataset of these tests: schema.sql as a profiled and approved dataset."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from datasets.access import Principal
from datasets.additions import Additions, RoutineSpec
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.connections import parse_dsn
from datasets.profiling.additions import FoundAdditions
from datasets.profiling.introspection import FoundTable, fetch_profile
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from datasets.vocabulary import build_vocabulary
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
APPROVED_ROUTINES = frozenset({("public", "initials"), ("public", "longest")})


def load_dataset(url: str, approved: frozenset[str] = APPROVED) -> DatasetSpec:
    """As profiling finds it: the same reading of the catalogue as in production."""
    profile = asyncio.run(fetch_profile(parse_dsn(url, unix_sockets=False)))
    additions = load_additions(profile.additions)
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
        tables=tuple(
            load_table(table, build_vocabulary(additions).unusable_types)
            for table in profile.tables
            if f"{table.schema}.{table.name}" in approved
        ),
        additions=additions,
        design={"units": [{"table": "users", "key": "user_id", "weight": "weight"}]},
    )


def load_table(table: FoundTable, unusable: frozenset[str]) -> TableSpec:
    return TableSpec(
        schema=table.schema,
        name=table.name,
        kind=table.kind,
        columns=tuple(
            ColumnSpec(
                column.name,
                column.data_type,
                visible=(table.name, column.name) not in HIDDEN and column.data_type not in unusable,
            )
            for column in table.columns
        ),
        primary_key=table.primary_key,
        unique_keys=table.unique_keys,
        foreign_keys=table.foreign_keys,
        definitions=table.definitions,
        routines=table.routines,
    )


def load_additions(found: FoundAdditions) -> Additions:
    routines = (
        RoutineSpec(
            schema=item.schema,
            name=item.name,
            kind=item.kind,
            returns=item.returns,
            returns_set=item.returns_set,
            extension=item.extension,
            approved=(item.schema, item.name) in APPROVED_ROUTINES,
        )
        for item in found.routines
    )
    return replace(found.names, routines=tuple(routines))


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
