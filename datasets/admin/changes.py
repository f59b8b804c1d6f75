"""What a person would publish by approving now: the working copy against the live document. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Document = dict[str, Any]  # Any: JSON of a catalog entry

LABELS = {
    "title": "title",
    "description": "description",
    "dataset_type": "type",
    "data_category": "category",
    "use_cases": "use cases",
    "date_column": "date column",
    "date_range": "date range",
    "query_limits": "row limits",
    "design": "survey design",
    "design_decision": "survey design decision",
    "personal_data": "personal data",
}
# grows with every profile; alone it is nothing to approve
IGNORED = frozenset({"row_estimate"})


def describe_changes(published: Document, working: Document) -> list[str]:
    """One line for each thing that differs, in words."""
    changed = [label for key, label in LABELS.items() if published.get(key) != working.get(key)]
    lines = [f"Changed: {', '.join(changed)}."] if changed else []
    before, now = (_by_name(document["tables"]) for document in (published, working))
    lines += _listed("New tables", now.keys() - before.keys())
    lines += _listed("Tables taken away", before.keys() - now.keys())
    lines += _listed(
        "Changed tables",
        (name for name in now.keys() & before.keys() if _plain(now[name]) != _plain(before[name])),
    )
    return lines


def _by_name(tables: list[Document]) -> dict[str, Document]:
    return {f"{table['schema']}.{table['name']}": table for table in tables}


def _plain(table: Document) -> Document:
    return {key: value for key, value in table.items() if key not in IGNORED}


def _listed(label: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return [f"{label}: {', '.join(found[:8])}{more}."] if found else []
