"""Facts as JSON and back. Pure."""

from __future__ import annotations

from typing import Any

from datasets.profiling.facts import ColumnFacts, CommonValue, TableFacts

Document = dict[str, Any]  # Any: JSON


def document_of(facts: TableFacts) -> Document:
    """As `parse_facts` reads it; what is not known is left out."""
    return {
        "rows": facts.rows,
        "size_bytes": facts.size_bytes,
        "sampled": facts.sampled,
        "error": facts.error,
        "columns": {name: column_document(column) for name, column in facts.columns.items()},
    }


def column_document(facts: ColumnFacts) -> Document:
    found: Document = {
        "source": facts.source,
        "null_share": facts.null_share,
        "distinct": facts.distinct,
        "minimum": facts.minimum,
        "maximum": facts.maximum,
        "quantiles": {str(fraction): value for fraction, value in facts.quantiles.items()},
        "common": [[one.value, one.share] for one in facts.common],
        "lengths": list(facts.lengths) if facts.lengths else None,
        "formats": [[one.value, one.share] for one in facts.formats],
        "months": dict(facts.months),
        "counted": facts.counted or None,
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def parse_facts(document: Document) -> TableFacts:
    return TableFacts(
        rows=document["rows"],
        size_bytes=document["size_bytes"],
        sampled=document["sampled"],
        columns={name: parse_column(column) for name, column in document["columns"].items()},
        error=document["error"],
    )


def parse_column(document: Document) -> ColumnFacts:
    lengths = document.get("lengths")
    return ColumnFacts(
        source=document["source"],
        null_share=document.get("null_share"),
        distinct=document.get("distinct"),
        minimum=document.get("minimum"),
        maximum=document.get("maximum"),
        quantiles={float(fraction): value for fraction, value in document.get("quantiles", {}).items()},
        common=parse_values(document.get("common", [])),
        lengths=(lengths[0], lengths[1], lengths[2]) if lengths else None,
        formats=parse_values(document.get("formats", [])),
        months=document.get("months", {}),
        counted=document.get("counted", False),
    )


def parse_values(items: list[list[Any]]) -> tuple[CommonValue, ...]:  # Any: a text, then a number
    return tuple(CommonValue(value, share) for value, share in items)
