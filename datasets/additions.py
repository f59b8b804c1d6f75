"""What a database adds to PostgreSQL's own names: functions, operators, types, casts. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

RoutineName = tuple[str, str]  # schema, name


@dataclass(frozen=True, slots=True)
class RoutineSpec:
    """A function that the database adds to PostgreSQL's own; `kind` is function, aggregate or window."""

    schema: str
    name: str
    kind: str
    returns: str
    returns_set: bool = False
    extension: str = ""
    approved: bool = False


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """An operator that the database adds; `left` is empty for a prefix operator, `routine` is what it runs."""

    schema: str
    name: str
    left: str
    right: str
    routine: RoutineName
    extension: str = ""


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """A type that the database adds; `kind` is enum, domain, composite, range, multirange or base.

    `base` is a domain's base type. `routines` run when values are compared (operator classes) or checked,
    `definitions` are the CHECK conditions of a domain, `attributes` the names in a composite type. `written` is how
    `format_type` spells it with pg_catalog alone in the search path.
    """

    schema: str
    name: str
    kind: str
    base: str = ""
    routines: tuple[RoutineName, ...] = ()
    definitions: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    extension: str = ""
    written: str = ""


@dataclass(frozen=True, slots=True)
class CastSpec:
    """A cast that the database adds; `context` is implicit, assignment or explicit, `routine` empty if nothing runs.

    `source` and `target` are spelt as `TypeSpec.written`.
    """

    source: str
    target: str
    context: str
    routine: RoutineName
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Additions:
    """What a database adds to PostgreSQL's own names, as profiled, with what a person approved."""

    extensions: Mapping[str, str] = field(default_factory=dict)  # name -> schema
    routines: tuple[RoutineSpec, ...] = ()
    operators: tuple[OperatorSpec, ...] = ()
    types: tuple[TypeSpec, ...] = ()
    casts: tuple[CastSpec, ...] = ()


NOTHING_ADDED: Final = Additions()
