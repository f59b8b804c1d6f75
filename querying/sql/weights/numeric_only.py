"""Calls that exist for numeric only, over what is double precision once it is weighted. Pure.

round(avg(x), 1)  ->  round((sum(w * x) / ...)::numeric, 1)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.walk import names, unwrap, walk
from querying.sql.weights.pieces import BUILT_IN, sql

# Functions, how many arguments they have then, and how many of these are to be numeric.
CALLS: Final = {
    ("div", 2): 2,
    ("gcd", 2): 2,
    ("lcm", 2): 2,
    ("log", 2): 2,
    ("min_scale", 1): 1,
    ("mod", 2): 2,
    ("round", 2): 1,
    ("scale", 1): 1,
    ("trim_scale", 1): 1,
    ("trunc", 2): 1,
}


def cast_numeric_only(root: Message, *, may_be_weighted: Callable[[pg.Node], bool] = lambda _: True) -> None:
    """In place, in what is bound to PostgreSQL's own functions, wherever an argument may be weighted."""
    for node in list(arguments(root)):
        value = unwrap(node)
        is_number = isinstance(value, pg.TypeCast) and names(value.type_name.names)[-1] != "float8"
        if not isinstance(value, pg.A_Const) and not is_number and may_be_weighted(node):
            node.CopyFrom(sql("$1::numeric", node))


def arguments(root: Message) -> Iterator[pg.Node]:
    for message in reversed(walk(root)):  # inner ones first: an outer one is copied whole
        if isinstance(message, pg.FuncCall) and names(message.funcname)[:-1] == (BUILT_IN,):
            count = CALLS.get((names(message.funcname)[-1], len(message.args)), 0)
            yield from list(message.args)[:count]
        elif isinstance(message, pg.A_Expr) and names(message.name) == (BUILT_IN, "%"):
            yield message.lexpr
            yield message.rexpr
