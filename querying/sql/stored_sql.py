"""What stands behind a view or a domain: SQL that the database's owner wrote and a caller's statement would run. Pure.

Functions that the database adds are known from its catalogue (`routines`), PostgreSQL's own only from the text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import SqlInvalid
from datasets.additions import TypeSpec
from datasets.catalog import TableSpec
from datasets.vocabulary import Vocabulary
from querying.sql.added_names import BUILT_IN
from querying.sql.allowed_functions import ALLOWED_IN_VIEWS, ALLOWED_SETTINGS
from querying.sql.parse import parse_tree
from querying.sql.walk import names, walk

CHECK: Final = "CHECK "
POPULATES: Final = "_populate_record"
NOT_VALID: Final = " NOT VALID"


def fault_of_view(table: TableSpec, vocabulary: Vocabulary) -> str:
    """'' when everything that the view runs may run, else what does not: 'runs public.leak()'."""
    unknown = sorted(set(table.routines) & vocabulary.unknown_routines)
    if unknown:
        return f"runs {'.'.join(unknown[0])}()"
    leaking = any(not vocabulary.unknown_routines.isdisjoint(kind.routines) for kind in vocabulary.by_spelling.values())
    for text in table.definitions:
        if leaking and POPULATES in text:  # it checks the domains in a row, whose type no cast names
            return f"fills rows by {POPULATES}"
        for kind in named_types(text):
            domain = next((item for item in vocabulary.types.get(kind[1], ()) if item.schema == kind[0]), None)
            fault = "" if domain is None else fault_of_domain(domain, vocabulary)
            if fault:
                return f"checks {'.'.join(kind)}, which {fault}"
    return next(filter(None, (fault_of_query(text) for text in table.definitions)), "")


@lru_cache(maxsize=4096)
def named_types(sql: str) -> frozenset[tuple[str, str]]:
    """Schema and name of the types that a stored query casts to, PostgreSQL's own left out."""
    try:
        found = {names(message.names) for message in walk(parse_tree(sql)) if isinstance(message, pg.TypeName)}
    except SqlInvalid:
        return frozenset()  # the query itself is refused then
    return frozenset((parts[0], parts[1]) for parts in found if len(parts) == 2 and parts[0] != BUILT_IN)


def fault_of_domain(kind: TypeSpec, vocabulary: Vocabulary) -> str:
    unknown = sorted(set(kind.routines) & vocabulary.unknown_routines)
    if unknown:
        return f"runs {'.'.join(unknown[0])}()"
    conditions = (text.removeprefix(CHECK).removesuffix(NOT_VALID) for text in kind.definitions if CHECK in text)
    return next(filter(None, (fault_of_query(f"SELECT {text}") for text in conditions)), "")


@lru_cache(maxsize=4096)
def fault_of_query(sql: str) -> str:
    """What a stored query runs or reads that it may not; one that this parser does not know is not trusted."""
    try:
        tree = parse_tree(sql)
    except SqlInvalid:
        return "cannot be read"
    return next(filter(None, (fault_of_message(message) for message in walk(tree))), "")


def fault_of_message(message: Message) -> str:
    if isinstance(message, pg.FuncCall):
        *schemas, name = names(message.funcname)
        own = schemas in ([], [BUILT_IN])
        if own and name == "current_setting":
            return fault_of_setting(message)
        return f"runs {name}()" if own and name not in ALLOWED_IN_VIEWS else ""
    if isinstance(message, pg.RangeVar) and (
        message.schemaname == BUILT_IN or (not message.schemaname and message.relname.startswith("pg_"))
    ):
        return f"reads {message.relname}"
    return ""


def fault_of_setting(call: pg.FuncCall) -> str:
    """A view may read what callers may, and settings that its owner made up (`app.tenant`)."""
    first = call.args[0] if call.args else pg.Node()
    wanted = (first.type_cast.arg if first.HasField("type_cast") else first).a_const.sval.sval.lower()
    return "" if wanted in ALLOWED_SETTINGS or "." in wanted else f"reads the setting {wanted or 'it computes'}"
