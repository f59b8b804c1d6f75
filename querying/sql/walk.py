"""Walking libpg_query's trees without recursion: 4,000 tokens can nest deeper than Python's stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

NODE: Final = pg.Node
# What these hold are parts of a name and constants, so a walk ends here.
LEAVES: Final = frozenset({pg.A_Const, pg.A_Star, pg.ColumnRef, pg.Float, pg.Integer, pg.String})
# Fields that hold the parts of a name, as String nodes; whoever cares reads them by `names`.
NAMES: Final = frozenset(
    {
        "A_Expr.name",
        "Alias.colnames",
        "CollateClause.collname",
        "CommonTableExpr.aliascolnames",
        "FuncCall.funcname",
        "JoinExpr.using_clause",
        "RangeTableSample.method",
        "SortBy.use_op",
        "SubLink.oper_name",
        "TypeName.names",
    }
)
SCALAR, SINGLE, REPEATED = range(3)
_FIELD_KINDS: Final[dict[FieldDescriptor, int]] = {}


def unwrap(message: Message) -> Any:  # Any: one of 270 message types
    """The message inside a `Node`, None when it is empty; any other message as it is."""
    if type(message) is not NODE:
        return message
    kind = message.WhichOneof("node")
    return getattr(message, kind) if kind else None


def kind_of(message: Message) -> str:
    name: str = message.DESCRIPTOR.name
    return name


def children(message: Message) -> list[Message]:
    """Messages directly inside, last first, `Node` wrappers kept: what a walk pushes on its stack."""
    found: list[Message] = []
    if type(message) in LEAVES:
        return found
    for field, value in reversed(message.ListFields()):
        kind = _FIELD_KINDS.get(field)
        if kind is None:
            kind = _FIELD_KINDS[field] = field_kind(field)
        if kind == REPEATED:
            found.extend(reversed(value))
        elif kind == SINGLE:
            found.append(value)
    return found


def field_kind(field: FieldDescriptor) -> int:
    if field.message_type is None or field.full_name.removeprefix("pg_query.") in NAMES:
        return SCALAR
    return REPEATED if field.is_repeated else SINGLE


def walk(root: Message) -> list[Any]:  # Any: one of 270 message types
    """Every message from the root down, a parent before its children, `Node` wrappers taken off. About 1 µs each."""
    found: list[Any] = []
    stack = [root]
    while stack:
        message: Any = stack.pop()
        if type(message) is NODE:  # as in unwrap, without the price of a call for each message
            kind = message.WhichOneof("node")
            if kind is None:
                continue
            message = getattr(message, kind)
        found.append(message)
        stack.extend(children(message))
    return found


def locate(root: Message, wanted: Message) -> int:
    """Offset in bytes of a message: its own, else its nearest parent's, else its first child's; -1 if unknown."""
    stack = [(root, -1)]
    while stack:
        packed, outer = stack.pop()
        message = unwrap(packed)
        if message is None:
            continue
        offset = getattr(message, "location", -1)
        offset = outer if offset < 0 else offset
        if message is wanted:
            return offset if offset >= 0 else first_location(message)
        stack.extend((child, offset) for child in children(message))
    return -1


def first_location(message: Message) -> int:
    return min((at for inner in walk(message) if (at := getattr(inner, "location", -1)) >= 0), default=-1)


def names(nodes: Iterable[pg.Node]) -> tuple[str, ...]:
    """The parts of a dotted name; a star is '*' (a name is never empty)."""
    return tuple([node.string.sval or "*" for node in nodes])
