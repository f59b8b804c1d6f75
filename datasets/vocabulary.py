"""Which of the names that a database adds may be used, decided once per published dataset. Pure.

What belongs to an extension on the list may be used; of the rest, what runs a function that a person approved.
Whatever shares its name with something that may not run is refused too: PostgreSQL could choose either.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from datasets.additions import Additions, CastSpec, OperatorSpec, RoutineName, RoutineSpec, TypeSpec
from datasets.allowed_extensions import ALLOWED_EXTENSIONS

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")
Test = Callable[[RoutineSpec], bool]
# to_json() and its kin run a type's cast to json by themselves.
NO_ROUTINE: Final = ("", "")
JSON_TYPES: Final = frozenset({"json", "jsonb"})


@dataclass(frozen=True)
class Vocabulary:
    """Names beyond PostgreSQL's own. Types are spelt as `format_type` does."""

    functions: Mapping[str, tuple[str, ...]]  # a name and the schemas in which all functions of it may run
    refused_functions: Mapping[str, tuple[str, ...]]  # a name and the schemas in which one of it may not
    returns: Mapping[RoutineName, frozenset[str]]  # result types of what may run
    aggregates: frozenset[str]
    row_sources: frozenset[str]
    operators: Mapping[str, tuple[OperatorSpec, ...]]
    refused_operators: Mapping[str, tuple[OperatorSpec, ...]]
    types: Mapping[str, tuple[TypeSpec, ...]]  # all, by bare name
    unusable_types: frozenset[str]  # a value of theirs may run what nobody approved
    refused_casts: tuple[CastSpec, ...]
    implicit_casts: frozenset[tuple[str, str]]  # source and target, of all that the database adds
    unknown_routines: frozenset[RoutineName]  # what a view or a domain may not run either
    attributes: frozenset[str]  # of composite types
    by_spelling: Mapping[str, TypeSpec]
    shadowed: frozenset[str]  # functions that may run, had they not their name in common with one that may not
    is_empty: bool  # nothing is added that a value could meet

    def knows_operator(self, name: str) -> bool:
        return name in self.operators or name in self.refused_operators

    def base_type(self, written: str) -> str:
        """A type as `format_type` spells it, without modifier; a domain's base type."""
        plain = without_modifier(written)
        element = plain.removesuffix("[]")
        kind = self.by_spelling.get(element)
        base = without_modifier(kind.base) if kind is not None and kind.kind == "domain" else element
        return base + plain[len(element) :]

    def has_refused_cast(self, source: str) -> bool:
        return any(cast.source == source for cast in self.refused_casts)

    @cached_property
    def enums(self) -> frozenset[str]:
        """Types whose operators are PostgreSQL's own."""
        return frozenset(written for written, item in self.by_spelling.items() if item.kind == "enum")


def build_vocabulary(additions: Additions) -> Vocabulary:
    uncallable = names_failing(additions.routines, is_callable)
    unknown = names_failing(additions.routines, is_trusted)
    casts = tuple(item for item in additions.casts if not may_run(item, additions, unknown))
    unusable = unusable_types(additions, casts, unknown)
    # nor may a function make a value that may not be used
    uncallable |= names_failing(additions.routines, lambda routine: plain_element(routine.returns) not in unusable)
    callable_routines = [routine for routine in additions.routines if name_of(routine) not in uncallable]
    operators = [item for item in additions.operators if may_run(item, additions, unknown)]
    return Vocabulary(
        functions=grouped((name, schema) for schema, name in {name_of(routine) for routine in callable_routines}),
        refused_functions=grouped((name, schema) for schema, name in uncallable),
        returns={
            key: frozenset(found)
            for key, found in grouped((name_of(item), item.returns) for item in callable_routines).items()
        },
        aggregates=frozenset(item.name for item in callable_routines if item.kind == "aggregate"),
        row_sources=frozenset(item.name for item in callable_routines if item.returns_set),
        operators=grouped((item.name, item) for item in operators),
        refused_operators=grouped((item.name, item) for item in additions.operators if item not in operators),
        types=grouped((item.name, item) for item in additions.types),
        unusable_types=unusable,
        refused_casts=casts,
        implicit_casts=frozenset((item.source, item.target) for item in additions.casts if item.context == "implicit"),
        unknown_routines=unknown,
        shadowed=frozenset(
            item.name for item in additions.routines if is_callable(item) and name_of(item) in uncallable
        ),
        is_empty=not (additions.types or additions.operators or additions.casts),
        by_spelling={item.written: item for item in additions.types},
        attributes=frozenset(name for item in additions.types for name in item.attributes),
    )


def plain_element(written: str) -> str:
    return without_modifier(written).removesuffix("[]")


def name_of(routine: RoutineSpec) -> RoutineName:
    return routine.schema, routine.name


def is_callable(routine: RoutineSpec) -> bool:
    """A caller may write it: approved, or on the list of its extension."""
    return routine.approved or routine.name in ALLOWED_EXTENSIONS.get(routine.extension, ())


def is_trusted(routine: RoutineSpec) -> bool:
    """An operator, a cast, a view may run it: approved, or of an extension on the list."""
    return routine.approved or routine.extension in ALLOWED_EXTENSIONS


def names_failing(routines: Iterable[RoutineSpec], test: Test) -> frozenset[RoutineName]:
    return frozenset(name_of(routine) for routine in routines if not test(routine))


def may_run(item: OperatorSpec | CastSpec, additions: Additions, unknown: frozenset[RoutineName]) -> bool:
    """A built-in function behind a new operator or cast is not enough: `pg_read_file` is one."""
    if item.extension in ALLOWED_EXTENSIONS or item.routine == NO_ROUTINE:
        return True
    return item.routine not in unknown and any(name_of(routine) == item.routine for routine in additions.routines)


def unusable_types(additions: Additions, casts: Iterable[CastSpec], unknown: frozenset[RoutineName]) -> frozenset[str]:
    """A domain is not among them: its values are shown as its base type, without its checks."""
    plain = [kind for kind in additions.types if kind.kind != "domain"]
    found = {kind.written for kind in plain if not unknown.isdisjoint(kind.routines)}
    own = {kind.written for kind in plain}
    found |= {
        cast.source
        for cast in casts
        if cast.source in own and (cast.context == "implicit" or cast.target in JSON_TYPES)
    }
    domains = {
        kind.written
        for kind in additions.types
        if kind.kind == "domain" and without_modifier(kind.base).removesuffix("[]") in found
    }
    return frozenset(found | domains)


def grouped(pairs: Iterable[tuple[S, T]]) -> Mapping[S, tuple[T, ...]]:
    found: dict[S, list[T]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return {key: tuple(values) for key, values in found.items()}


def without_modifier(written: str) -> str:
    """'character varying(20)' is 'character varying'."""
    return re.sub(r"\([^)]*\)", "", written) if "(" in written else written
