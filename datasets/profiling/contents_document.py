"""What was found in one table as JSON and back. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from datasets.profiling.contents import TableContents
from datasets.profiling.facts_document import document_of, parse_facts
from datasets.profiling.observations import Observation
from datasets.profiling.personal import Personal

Document = dict[str, Any]  # Any: JSON


def contents_document(contents: TableContents) -> Document:
    """As `parse_contents` reads it."""
    return {
        "facts": document_of(contents.facts),
        "personal": {column: asdict(found) for column, found in contents.personal.items()},
        "observed": [asdict(observation) for observation in contents.observed],
    }


def parse_contents(document: Document) -> TableContents:
    return TableContents(
        facts=parse_facts(document["facts"]),
        personal={column: Personal(**found) for column, found in document["personal"].items()},
        observed=tuple(Observation(**observation) for observation in document["observed"]),
    )
