"""Errors that say where: line and column, both from 1. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from config.errors import NameNotFound, QueryRefused
from querying.sql.parse import Statement
from querying.sql.walk import locate


def refusal(statement: Statement, what: str, message: Message, *, hint: str) -> QueryRefused:
    line, column = statement.place(locate(statement.tree, message))
    return QueryRefused(f"{what} (line {line}, column {column}).", hint=hint, line=line, column=column)


def not_found(
    statement: Statement, what: str, message: Message, *, hint: str, nearest: Sequence[str] = ()
) -> NameNotFound:
    line, column = statement.place(locate(statement.tree, message))
    where = f"{what} (line {line}, column {column})."
    return NameNotFound(where, hint=hint, nearest=list(nearest), line=line, column=column)
