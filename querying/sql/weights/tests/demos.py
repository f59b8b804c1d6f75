"""Datasets over the demo databases, with a survey design confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from datasets.catalog import DatasetSpec
from datasets.design_fit import parse_design
from querying.sql.tests.panel import load_dataset


def confirm(url: str, tables: Iterable[str], design: str) -> DatasetSpec:
    dataset = load_dataset(url, frozenset(f"public.{table}" for table in tables))
    return replace(
        dataset,
        design=None,
        design_decision="confirmed",
        merges={},
        survey_design=parse_design(design, dataset.tables),
    )
