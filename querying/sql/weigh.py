"""The weighting pass: so far it only says why an answer is unweighted. Pure."""

from __future__ import annotations

from datasets.catalog import DatasetSpec


def weighting_status(wanted: str, *, dataset: DatasetSpec, uses_tables: bool) -> str:
    """off: the caller declined; none: nothing to weight; design_not_confirmed: nobody has said how to weight."""
    if wanted == "off":
        return "off"
    return "design_not_confirmed" if uses_tables and dataset.design_decision != "none" else "none"
