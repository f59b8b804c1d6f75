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
    "policies": "masks, hidden columns and row rules",
    "merges": "merged classes",
    "personas": "personas (those that do not fit the tables are not answered)",
}
# what a document of an earlier version means by saying nothing
ABSENT: Document = {"policies": {}, "personas": {}}
ADDED = {"extensions": "extensions", "operators": "operators", "types": "types", "casts": "casts"}
# grows with every profile; alone it is nothing to approve
IGNORED = frozenset({"row_estimate"})


def describe_changes(published: Document, working: Document) -> list[str]:
    """One line for each thing that differs, in words."""
    changed = [label for key, label in LABELS.items() if _value(published, key) != _value(working, key)]
    earlier, later = (document.get("additions", {}) for document in (published, working))
    changed += [f"{label} of the database" for key, label in ADDED.items() if earlier.get(key) != later.get(key)]
    lines = [f"Changed: {', '.join(changed)}."] if changed else []
    before, now = (_by_name(document["tables"]) for document in (published, working))
    lines += _listed("New tables", now.keys() - before.keys())
    lines += _listed("Tables taken away", before.keys() - now.keys())
    lines += _listed(
        "Changed tables",
        (name for name in now.keys() & before.keys() if _plain(now[name]) != _plain(before[name])),
    )
    return lines + _describe_functions(earlier.get("routines", []), later.get("routines", []))


def _describe_functions(before: list[Document], now: list[Document]) -> list[str]:
    """A name may stand for several functions; it is said once."""
    earlier, later = _names(before), _names(now)
    approved, still_approved = (_names(item for item in items if item.get("approved")) for items in (before, now))
    return [
        *_listed("Functions approved", still_approved - approved),
        *_listed("Functions no longer approved", (approved - still_approved) & later),
        *_listed("New functions, not approved", later - earlier - still_approved),
        *_listed("Functions gone", earlier - later),
    ]


def _names(routines: Iterable[Document]) -> set[str]:
    return {f"{routine['schema']}.{routine['name']}" for routine in routines}


def _value(document: Document, key: str) -> Any:  # Any: JSON
    return document.get(key, ABSENT.get(key))


def _by_name(tables: list[Document]) -> dict[str, Document]:
    return {f"{table['schema']}.{table['name']}": table for table in tables}


def _plain(table: Document) -> Document:
    return {key: value for key, value in table.items() if key not in IGNORED}


def _listed(label: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return [f"{label}: {', '.join(found[:8])}{more}."] if found else []
