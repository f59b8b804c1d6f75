"""Text to tree and back, through libpg_query (PostgreSQL's own grammar). Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import postgast
from google._upb import _message
from google.protobuf.message import DecodeError
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused, SqlInvalid

MAX_SIZE_BYTES: Final = 32 * 1024
MAX_TOKENS: Final = 4_000
WRITE_LESS: Final = "Write a shorter statement; a list of many values is better written as a range or a join."
NOT_PRINTABLE: Final = "This statement cannot be printed from its tree, so it is not run."
PLAINER: Final = "Write it in a plainer form."
UNSAID: Final = frozenset({pg.ASCII_59, pg.C_COMMENT, pg.SQL_COMMENT})

# protobuf's default stops at depth 100: a sum of 50 terms. Depth is bounded by MAX_TOKENS instead.
_message.SetAllowOversizeProtos(True)


@dataclass(frozen=True)
class Statement:
    """One statement as text and as tree."""

    sql: str
    tree: pg.ParseResult

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """Offsets in bytes at which lines begin."""
        text = self.sql.encode()
        return (0, *(index + 1 for index, byte in enumerate(text) if byte == 0x0A))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, the column in characters; an unknown offset is the statement's start."""
        at = first_token(self.sql) if offset < 0 else offset
        line = bisect_right(self.lines, at)
        return line, len(self.sql.encode()[self.lines[line - 1] : at].decode(errors="replace")) + 1


def parse_statement(sql: str) -> Statement:
    """The one statement in this text; `SqlInvalid` when it is not SQL, `QueryRefused` when it is too much."""
    check_text(sql)
    check_tokens(sql)
    tree = parse_tree(sql)
    if not tree.stmts:
        raise SqlInvalid("The SQL is empty.", hint="Send one SELECT.")
    statement = Statement(sql, tree)
    if len(tree.stmts) > 1:
        line, column = statement.place(first_token(sql, after=tree.stmts[1].stmt_location))
        raise QueryRefused(
            f"{len(tree.stmts)} statements were sent, one is allowed (the second: line {line}, column {column}).",
            hint="Send each SELECT as a query of its own, or join them with WITH.",
        )
    return statement


def parse_printed(sql: str) -> Statement:
    """What `print_tree` gave, as a tree again; longer than a caller's own text may be."""
    try:
        return Statement(sql, parse_tree(sql))
    except SqlInvalid as error:
        raise QueryRefused(NOT_PRINTABLE, hint=PLAINER) from error


def print_tree(tree: pg.ParseResult) -> str:
    """SQL text of a tree, by libpg_query's deparser."""
    try:
        return postgast.deparse(tree)
    except (postgast.PgQueryError, UnicodeDecodeError) as error:
        raise QueryRefused(NOT_PRINTABLE, hint=PLAINER) from error


def fingerprint(sql: str) -> str:
    """The same hex for statements that differ in constants only."""
    return postgast.fingerprint(sql).hex


def check_text(sql: str) -> None:
    try:
        size_bytes = len(sql.encode())
    except UnicodeEncodeError as error:
        raise SqlInvalid("The SQL holds characters that are not valid Unicode.") from error
    if "\0" in sql:
        raise SqlInvalid("The SQL holds a NUL character.")
    if size_bytes > MAX_SIZE_BYTES:
        raise QueryRefused(f"The SQL has {size_bytes:,} bytes; {MAX_SIZE_BYTES:,} are allowed.", hint=WRITE_LESS)


def check_tokens(sql: str) -> None:
    """Refuse what would overflow the parser's stack; the lexer does not recurse."""
    try:
        count = len(postgast.scan(sql).tokens)
    except (postgast.PgQueryError, UnicodeDecodeError, DecodeError) as error:
        raise syntax_error(sql, error) from error
    if count > MAX_TOKENS:
        raise QueryRefused(f"The SQL has {count:,} tokens; {MAX_TOKENS:,} are allowed.", hint=WRITE_LESS)


def first_token(sql: str, *, after: int = 0) -> int:
    """Offset in bytes of the first token that is neither a comment nor a semicolon."""
    tokens = postgast.scan(sql).tokens
    return next((token.start for token in tokens if token.start >= after and token.token not in UNSAID), after)


def parse_tree(sql: str) -> pg.ParseResult:
    try:
        return cast(pg.ParseResult, postgast.parse(sql))
    except (postgast.PgQueryError, UnicodeDecodeError, DecodeError) as error:
        raise syntax_error(sql, error) from error


def syntax_error(sql: str, error: Exception) -> SqlInvalid:
    """The parser's short message with line and column; nothing of its internals."""
    if not isinstance(error, postgast.PgQueryError):
        return SqlInvalid("The SQL holds text that is not valid UTF-8.")
    message = error.message.rstrip(".")
    if error.cursorpos < 1:
        return SqlInvalid(f"{message[:1].upper()}{message[1:]}.")
    before = sql[: error.cursorpos - 1]  # counted in characters, whatever postgast's documentation says
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return SqlInvalid(f"{message[:1].upper()}{message[1:]} (line {line}, column {column}).", line=line, column=column)
