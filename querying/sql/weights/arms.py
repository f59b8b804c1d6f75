"""Rows of set operations and of VALUES. Pure."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from querying.sql.scopes import Scope
from querying.sql.weights.grain import NO_UNITS, SINGLE, UNKNOWN, Fact, Kind, Rows


def combined_columns(left: Rows, right: Rows) -> tuple[tuple[tuple[str, Fact], ...], bool]:
    if not (left.exact and right.exact and len(left.columns) == len(right.columns)):
        return (), False
    return tuple(
        (name, either(fact, other)) for (name, fact), (_, other) in zip(left.columns, right.columns, strict=True)
    ), True


def either(left: Fact, right: Fact) -> Fact:
    """A constant of one arm is none of the whole."""
    both = left.key is not None and left.key == right.key
    return Fact(
        key=left.key if both else None,
        raw=both and left.raw and right.raw,
        doubtful=left.doubtful or right.doubtful,
        fixed=left.fixed & right.fixed if both else NO_UNITS,
        weight=left.weight or right.weight,
        date=left.date & right.date,
        pins=left.pins & right.pins,
    )


def listed(scope: Scope) -> Rows:
    """VALUES: unique in the columns that hold different constants."""
    lists = [list(item.list.items) for item in scope.select.values_lists]
    names_ = [f"column{place + 1}" for place in range(len(lists[0]))]
    unique = {
        frozenset({name})
        for place, name in enumerate(names_)
        if all(row[place].HasField("a_const") for row in lists)
        and len({row[place].a_const.WhichOneof("val") for row in lists}) == 1
        and len({constant_text(row[place]) for row in lists}) == len(lists)
    }
    return Rows(
        Kind.PLAIN, tuple((name, UNKNOWN) for name in names_), unique=frozenset(unique) if len(lists) > 1 else SINGLE
    )


def constant_text(node: pg.Node) -> str:
    return str(getattr(node.a_const, node.a_const.WhichOneof("val") or "isnull"))
