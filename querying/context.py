"""What a model reads before it asks: lists and descriptions as compact Markdown. Pure.

Names, types and comments come from registered databases, so they are escaped: text there stays data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from querying.results import escape_cell

MOST_PERSONAS: Final = 10
WEIGHTING_NOTES = {
    "open": "Results are unweighted: no survey design has been confirmed.",
    "recorded": "Results are unweighted: a survey design is recorded but not confirmed.",
    "none": "This dataset has no weights.",
    "confirmed": "Results are weighted to the population by the survey design.",
}


def render_dataset_list(datasets: Sequence[DatasetSpec]) -> str:
    if not datasets:
        return "No dataset is available to you yet. A data engineer registers and approves them."
    rows = [
        f"|{dataset.name}|{escape_cell(dataset.title)}|{dataset.data_category}|{_dates(dataset)}|"
        f"{len(dataset.tables)}|{escape_cell(_first_sentence(dataset.description))}|"
        for dataset in datasets
    ]
    return "\n".join(["|dataset|title|category|dates|tables|about|", "|---|---|---|---|---|---|", *rows])


def render_description(dataset: DatasetSpec, tables: Sequence[TableSpec]) -> str:
    head = f"# {dataset.name}: {escape_cell(dataset.title)}"
    facts = [f"{dataset.data_category}, {dataset.dataset_type}"]
    if dataset.date_range:
        facts.append(f"{escape_cell(dataset.date_column)} from {_dates(dataset)}")
    parts = [head, "; ".join(facts) + "."]
    if dataset.description:
        parts.append(escape_cell(dataset.description))
    parts.append(WEIGHTING_NOTES[dataset.design_decision])
    if dataset.personas:
        parts.append(f"Personas: {_personas(list(dataset.personas))}.")
    return "\n".join([*parts, *(_table(table) for table in tables)])


def _personas(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_PERSONAS} more" if len(names) > MOST_PERSONAS else ""
    return ", ".join(map(escape_cell, names[:MOST_PERSONAS])) + more


def _table(table: TableSpec) -> str:
    rows = "" if table.row_estimate is None else f", about {table.row_estimate:,} rows"
    lines = [f"\n## {escape_cell(table.qualified_name)} ({table.kind}{rows})"]
    if table.description:
        lines.append(escape_cell(table.description))
    lines += ["|column|type|about|", "|---|---|---|"]
    lines += [_column(table, column) for column in table.visible_columns]
    return "\n".join(lines)


def _column(table: TableSpec, column: ColumnSpec) -> str:
    marks = [
        *(["key"] if (column.name,) == table.primary_key else ["key part"] if column.name in table.primary_key else []),
        *(
            f"-> {key.references_table}.{key.references_columns[key.columns.index(column.name)]}"
            for key in table.foreign_keys
            if column.name in key.columns
        ),
    ]
    if column.mask is not None:
        marks.append(f"masked ({column.mask.kind})")
    marks += [f"{label} = {', '.join(members)}" for label, members in column.classes]
    about = "; ".join([*marks, *([column.description] if column.description else [])])
    return f"|{escape_cell(column.name)}|{escape_cell(column.type)}|{escape_cell(about)}|"


def _dates(dataset: DatasetSpec) -> str:
    return " to ".join(dataset.date_range) if dataset.date_range else ""


def _first_sentence(text: str, limit: int = 160) -> str:
    sentence = text.split(". ")[0].strip()
    return sentence if len(sentence) <= limit else sentence[: limit - 1].rstrip() + "…"
