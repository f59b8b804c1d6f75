"""docs/sql-allowed.md, rendered from the lists that the guard reads: `python -m tests.allowed_lists` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from datasets.allowed_extensions import ALLOWED_EXTENSIONS
from querying.sql.allowed_functions import (
    AGGREGATES,
    ALLOWED_FUNCTIONS,
    ALLOWED_IN_VIEWS,
    ALLOWED_SETTINGS,
    ROW_SOURCES,
    SCALAR_FUNCTIONS,
    WINDOW_FUNCTIONS,
)
from querying.sql.allowed_nodes import ALLOWED_NODES
from querying.sql.allowed_operators import ALLOWED_OPERATORS
from querying.sql.allowed_types import ALLOWED_TYPES
from querying.sql.guard import EXPLAIN_OPTIONS, SAMPLING_METHODS
from querying.sql.information_schema import INFORMATION_TABLES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sql-allowed.md"
HEAD = """# What SQL may hold
This page is written from the lists that the guard reads (`python -m tests.allowed_lists`). What is on none of them is
refused by name, wherever it stands. How the lists are used, and why, is in [security](security.md).
"""


def render() -> str:
    return HEAD + "".join(f"\n## {title}\n{text}\n" for title, text in sections())


def sections() -> Iterator[tuple[str, str]]:
    yield "Parts of a statement", f"Node types of libpg_query's tree: {listed(ALLOWED_NODES)}."
    yield "Aggregates", listed(AGGREGATES)
    yield "Window functions", listed(WINDOW_FUNCTIONS)
    yield "Functions that give rows", listed(ROW_SOURCES)
    yield "Other functions", listed(SCALAR_FUNCTIONS)
    yield "Operators", listed(ALLOWED_OPERATORS)
    yield "Types", f"For casts and column definitions: {listed(ALLOWED_TYPES)}."
    yield "Settings", f"For `SHOW` and `current_setting`: {listed(ALLOWED_SETTINGS)}."
    yield "EXPLAIN", "Options and their values: " + "; ".join(options()) + "."
    yield "TABLESAMPLE", listed(SAMPLING_METHODS)
    yield "information_schema", listed(INFORMATION_TABLES)
    yield "In views besides", f"What a view's own query may call: {listed(ALLOWED_IN_VIEWS - ALLOWED_FUNCTIONS)}."
    yield (
        "Extensions",
        "Their types, operators and casts, and these functions, where the database has them.\n\n"
        + "\n".join(f"- **{name}**: {listed(found) or 'operators only'}" for name, found in sorted(extensions())),
    )


def options() -> Iterator[str]:
    for name, values in sorted(EXPLAIN_OPTIONS.items()):
        yield f"`{name}` {listed(value or '(none)' for value in values)}"


def extensions() -> Iterable[tuple[str, frozenset[str]]]:
    return ALLOWED_EXTENSIONS.items()


def listed(names: Iterable[str]) -> str:
    """In Markdown's code marks; no name holds a backquote."""
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
