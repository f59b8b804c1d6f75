"""Additions as JSON: what the working copy keeps and what an entry publishes. Pure.

What stands at its default is left out: PostGIS alone brings 750 functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from datasets.additions import Additions, CastSpec, OperatorSpec, RoutineSpec, TypeSpec

Document = dict[str, Any]  # Any: JSON
Spec = TypeVar("Spec", RoutineSpec, OperatorSpec, TypeSpec, CastSpec)


def build_additions_document(additions: Additions) -> Document:
    """The inverse of `parse_additions`; empty where the database adds nothing."""
    document = {
        "extensions": dict(additions.extensions),
        "routines": _listed(additions.routines),
        "operators": _listed(additions.operators),
        "types": _listed(additions.types),
        "casts": _listed(additions.casts),
    }
    return {key: value for key, value in document.items() if value}


def parse_additions(document: Document) -> Additions:
    """Raises KeyError or TypeError for what this version cannot read."""
    return Additions(
        extensions=dict(document.get("extensions", {})),
        routines=_values(RoutineSpec, document.get("routines", ())),
        operators=_values(OperatorSpec, document.get("operators", ())),
        types=_values(TypeSpec, document.get("types", ())),
        casts=_values(CastSpec, document.get("casts", ())),
    )


def _listed(items: Iterable[Spec]) -> list[Document]:
    return [_shown(item) for item in items]


def _shown(item: Spec) -> Document:
    values = {field.name: (getattr(item, field.name), field.default) for field in fields(item)}
    return {name: _plain(value) for name, (value, default) in values.items() if default is MISSING or value != default}


def _plain(value: Any) -> Any:  # Any: JSON, equal to what a database gives back
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _values(kind: type[Spec], documents: Iterable[Document]) -> tuple[Spec, ...]:
    return tuple(kind(**{name: _frozen(value) for name, value in document.items()}) for document in documents)


def _frozen(value: Any) -> Any:  # Any: JSON
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
