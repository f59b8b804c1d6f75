"""Whether a statement answers the same until its data change: what asks the clock or chance does not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec
from querying.sql.walk import names

UNREPEATABLE: Final = frozenset(
    {
        "age",  # of one argument it counts from today
        "array_sample",
        "array_shuffle",
        "clock_timestamp",
        "gen_random_bytes",
        "gen_random_uuid",
        "gen_salt",
        "now",
        "random",
        "random_normal",
        "statement_timestamp",
        "timeofday",
        "transaction_timestamp",
        "uuid_generate_v1",
        "uuid_generate_v1mc",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
    }
)
CLOCK_WORDS: Final = frozenset({"now", "today", "tomorrow", "yesterday"})  # in literals of dates
IN_A_LITERAL: Final = re.compile(rf"\b({'|'.join(sorted(CLOCK_WORDS))})\b", re.I)  # also of '[today,)' and '{now}'
IN_A_VIEW: Final = re.compile(
    rf"\b({'|'.join(sorted(UNREPEATABLE | CLOCK_WORDS))}|current_\w+|local\w+|tablesample)\b", re.I
)


def is_repeatable(messages: Iterable[Message], tables: Iterable[str], dataset: DatasetSpec) -> bool:
    """`messages` are all of the statement's tree, `tables` the qualified names that it reads."""
    read = set(tables)
    added = {name for name, items in dataset.vocabulary.operators.items() if not all(item.extension for item in items)}
    return not any(is_unrepeatable(message) or runs_added(message, added) for message in messages) and not any(
        table.routines or any(IN_A_VIEW.search(text) for text in table.definitions)
        for table in dataset.tables
        if table.qualified_name in read
    )


def is_unrepeatable(message: Message) -> bool:
    if isinstance(message, pg.FuncCall):
        name = names(message.funcname)
        return name[-1] in UNREPEATABLE or name[0] != "pg_catalog"  # what is added may be volatile
    if isinstance(message, pg.A_Const):
        return message.HasField("sval") and IN_A_LITERAL.search(message.sval.sval) is not None
    return isinstance(message, pg.SQLValueFunction | pg.RangeTableSample | pg.ExplainStmt)


def runs_added(message: Message, operators: set[str]) -> bool:
    """An operator whose function a person approved may be volatile; those of extensions are not."""
    if not operators:
        return False
    if isinstance(message, pg.A_Expr):
        name = names(message.name)
    elif isinstance(message, pg.SubLink):
        name = names(message.oper_name)
    else:
        return False
    return bool(name) and name[0] != "pg_catalog" and name[-1] in operators
