"""Finding a dataset's tables by the names that callers write. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from postgast import pg_query_pb2 as pg

from config.errors import NameNotFound
from datasets.catalog import TableSpec
from querying.sql.draft import Draft
from querying.sql.information_schema import INFORMATION_TABLES
from querying.sql.information_schema import SCHEMA as INFORMATION_SCHEMA
from querying.sql.refusals import not_found

DESCRIBE = "Call describe_dataset for the tables and columns of this dataset."


def find_table(draft: Draft, table: pg.RangeVar) -> TableSpec:
    """The approved table of that name, or `NameNotFound` with the nearest names."""
    written = ".".join(part for part in (table.catalogname, table.schemaname, table.relname) if part)
    if table.catalogname not in ("", draft.dataset.database):
        hint = f"Write {table.schemaname}.{table.relname}; datasets do not mix."
        raise not_found(draft.statement, f"{written} names another database", table, hint=hint)
    if table.schemaname == INFORMATION_SCHEMA and table.relname in INFORMATION_TABLES:
        return INFORMATION_TABLES[table.relname]
    found = draft.dataset.find_tables(table.relname, table.schemaname)
    if len(found) > 1:
        choices = " or ".join(spec.qualified_name for spec in found)
        raise not_found(draft.statement, f"{written} stands in several schemas", table, hint=f"Write {choices}.")
    if not found:
        raise table_not_found(draft, written, table)
    return found[0]


def table_not_found(draft: Draft, written: str, table: pg.RangeVar) -> NameNotFound:
    near = nearest(table.relname, {spec.name for spec in draft.dataset.tables})
    shown = [spec.qualified_name for match in near for spec in draft.dataset.tables if spec.name == match]
    hint = f"The nearest tables are {', '.join(shown)}." if shown else DESCRIBE
    what = f"Dataset {draft.dataset.name} has no table {written}"
    return not_found(draft.statement, what, table, hint=hint, nearest=shown)


def nearest(name: str, choices: Iterable[str], *, count: int = 3) -> list[str]:
    """The most similar names, the best first."""
    by_lower = {choice.lower(): choice for choice in choices}
    asked = name.lower()
    matches = get_close_matches(asked, by_lower, n=count, cutoff=0.6)
    # gender_code is near to gender, age_group to age
    containing = [
        known for known in by_lower if len(asked) > 2 and (known.startswith(asked) or asked.startswith(known))
    ]
    return [by_lower[match] for match in dict.fromkeys([*matches, *sorted(containing)])][:count]
