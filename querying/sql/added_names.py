"""Which names of functions, operators and types may be written, PostgreSQL's own and those that a database adds. Pure.

A name is followed by the schemas in which it may be meant; none of them means that it is refused. A function's
name that one nobody approved shares is not usable in that schema: PostgreSQL chooses among all of one name.
"""

from __future__ import annotations

from typing import Final

from datasets.additions import TypeSpec
from datasets.vocabulary import Vocabulary
from querying.sql.allowed_functions import ALLOWED_FUNCTIONS
from querying.sql.allowed_operators import ALLOWED_OPERATORS
from querying.sql.allowed_types import ALLOWED_TYPES

BUILT_IN: Final = "pg_catalog"
Parts = tuple[str, ...]
# current_setting has its own list of what it may read, which guard applies.
OWN_FUNCTIONS: Final = ALLOWED_FUNCTIONS | {"current_setting"}


def function_schemas(parts: Parts, vocabulary: Vocabulary) -> Parts:
    """Where a function of this name may be called, PostgreSQL's own first."""
    *qualifier, name = parts
    if BUILT_IN in vocabulary.refused_functions.get(name, ()) and qualifier in ([], [BUILT_IN]):
        return ()
    own = (BUILT_IN,) if name in OWN_FUNCTIONS else ()
    found = own + tuple(schema for schema in vocabulary.functions.get(name, ()) if schema != BUILT_IN)
    return found if not qualifier else tuple(schema for schema in found if [schema] == qualifier)


def operator_schemas(parts: Parts, vocabulary: Vocabulary) -> Parts:
    *qualifier, name = parts
    own = (BUILT_IN,) if name in ALLOWED_OPERATORS else ()
    # an operator that nobody approved may stand beside these: bind rules it out by its operands
    added = sorted({operator.schema for operator in vocabulary.operators.get(name, ())} - {BUILT_IN})
    found = own + tuple(added)
    return found if not qualifier else tuple(schema for schema in found if [schema] == qualifier)


def type_schemas(parts: Parts, vocabulary: Vocabulary) -> Parts:
    *qualifier, name = parts
    own = (BUILT_IN,) if name in ALLOWED_TYPES else ()
    found = own + tuple(kind.schema for kind in added_types(name, vocabulary) if kind.schema != BUILT_IN)
    return found if not qualifier else tuple(schema for schema in found if [schema] == qualifier)


def added_types(name: str, vocabulary: Vocabulary) -> tuple[TypeSpec, ...]:
    """The types of this name, save those whose values may run what nobody approved."""
    element = name[1:] if name.startswith("_") and name not in vocabulary.types else name
    return tuple(kind for kind in vocabulary.types.get(element, ()) if kind.written not in vocabulary.unusable_types)
