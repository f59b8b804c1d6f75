from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from datasets import allowed_extensions
from datasets.allowed_extensions import ALLOWED_EXTENSIONS
from querying.sql.allowed_functions import ALLOWED_FUNCTIONS
from tests.servers import MakeDatabase

# functions without side effects that SQL can call are not volatile; these change a setting, so they are not listed
SETTERS = {("isn", "isn_weak"), ("pg_trgm", "set_limit")}
# what the server alone passes to a function, and what only a type's own functions take
NOT_FOR_CALLERS = {"internal", "cstring", "cstring[]", "trigger", "event_trigger", "index_am_handler", "tsm_handler"}

ROUTINES = """
SELECT e.extname, p.proname, p.provolatile = 'v',
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes || p.prorettype) AS t)
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
"""


@dataclass(frozen=True)
class Routine:
    extension: str
    name: str
    volatile: bool
    types: frozenset[str]

    @property
    def listed(self) -> bool:
        return self.name in ALLOWED_EXTENSIONS[self.extension]


@pytest.fixture
def routines(make_database: MakeDatabase) -> list[Routine]:
    """All functions of the listed extensions that this server can install."""
    with psycopg.connect(make_database(), autocommit=True) as connection:
        available = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")}
        for extension in sorted(available.intersection(ALLOWED_EXTENSIONS)):
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(sql.Identifier(extension)))
        return [
            Routine(extension, name, volatile, frozenset(types))
            for extension, name, volatile, types in connection.execute(ROUTINES)
            if extension in ALLOWED_EXTENSIONS
        ]


def named(routines: Iterable[Routine]) -> set[tuple[str, str]]:
    return {(routine.extension, routine.name) for routine in routines}


def test_each_listed_name_is_a_function_of_its_extension(routines: list[Routine]) -> None:
    owned: dict[str, set[str]] = defaultdict(set)
    for routine in routines:
        owned[routine.extension].add(routine.name)

    assert len(owned) >= 15
    assert {name: sorted(ALLOWED_EXTENSIONS[name] - functions) for name, functions in owned.items()} == {
        name: [] for name in owned
    }


def test_no_listed_name_serves_a_type_or_an_index(routines: list[Routine]) -> None:
    assert not named(item for item in routines if item.listed and not item.types.isdisjoint(NOT_FOR_CALLERS))


def test_what_callers_could_write_of_a_listed_extension_is_not_volatile(routines: list[Routine]) -> None:
    """A view or an operator may run all functions of a listed extension, so those that are not listed count too."""
    volatile = named(item for item in routines if item.volatile and item.types.isdisjoint(NOT_FOR_CALLERS))

    assert volatile == SETTERS
    assert not volatile & named(item for item in routines if item.listed)


def test_no_listed_extension_takes_away_a_built_in_name(routines: list[Routine]) -> None:
    """A function that is not listed makes its name refused, in its schema, beside the built-in of that name."""
    assert not named(item for item in routines if item.name in ALLOWED_FUNCTIONS and not item.listed)


def test_no_listed_name_is_that_of_a_refused_built_in(postgres_superuser_dsn: str) -> None:
    with psycopg.connect(postgres_superuser_dsn) as connection:
        rows = connection.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace")
        built_in = {name for (name,) in rows}

    assert not (built_in & frozenset().union(*ALLOWED_EXTENSIONS.values())) - ALLOWED_FUNCTIONS


def test_the_source_is_sorted_with_one_entry_a_line() -> None:
    source = Path(allowed_extensions.__file__).read_text()
    entries: dict[str, list[str]] = {}
    for line in source.splitlines():
        if key := re.fullmatch(r' {4}"([^"]+)": frozenset\((?:\),)?', line):
            entries[key[1]] = []
        elif name := re.fullmatch(r' {12}"([^"]+)",', line):
            entries[list(entries)[-1]].append(name[1])

    assert {key: frozenset(names) for key, names in entries.items()} == ALLOWED_EXTENSIONS
    assert list(entries) == sorted(entries)
    assert [key for key, names in entries.items() if names != sorted(set(names))] == []
