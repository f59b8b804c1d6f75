"""Prints LIKE and `~` as regular expressions in RE2's syntax. Pure.

RE2 is fast where its automaton has few states, as for words and %; else it follows every position of the pattern at
every byte, about 20 ns each, and nothing interrupts it within 2,048 rows: '%a' and 98 times _ took 10 s for 1,000
texts of 5,000 bytes. So all patterns of the second kind together have MAX_POSITIONS, for texts of MAX_MATCHED_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.duckdb_functions import MAX_POSITIONS, PLAINER
from querying.sql.duckdb_printer import Printer, text_literal
from querying.sql.walk import names

REGEX_OPTIONS: Final[Mapping[str, str]] = {
    "!~": "s",
    "!~*": "is",
    "~": "s",
    "~*": "is",
}
# What means something else in RE2 than in PostgreSQL, and repetitions of groups a given number of times.
FOREIGN_REGEX: Final = re.compile(r"\\[^dDsS\W_]|\\_|\[\[|\[:|\(\?|\*\*\*|[*+?}][+]|\)\{|\{(?!\d{1,2}(,\d{0,2})?\})")
REGEX_PART: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(", re.DOTALL)
MAX_PATTERN: Final = 100  # characters
LETTER: Final = r"(?:\\[^dDsS]|[^\\.*+?()|\[\]{}^$])"
POSITION: Final = re.compile(r"(\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[^()])(\{(\d+)(?:,(\d*))?\})?", re.DOTALL)
# Of the first kind, whose automata have a state or two for each position: words (a|b), words with anything between
# (a.*b), and what stands at fixed places from the beginning on (^[A-Z]{2}\d).
PLAIN_REGEX: Final = re.compile(
    rf"\^?{LETTER}*\$?(?:\|\^?{LETTER}*\$?)*|\^?{LETTER}*(?:\.\*{LETTER}*)*\$?"
    rf"|\^(?:(?:{LETTER}|\.|\\[dDsS]|\[\^?\]?(?:\\.|[^\]\\])*\])(?:\{{\d+\}})?)*\$?",
    re.DOTALL,
)
PLAIN_LIKE: Final = re.compile(rf"(?:{LETTER}|\.(?!\*))*(?:\.\*|{LETTER})*", re.DOTALL)  # no _ after a %


def print_regex(printer: Printer, expression: pg.A_Expr, name: str) -> str:
    """`~` searches, and its dot is any character, line ends too. DuckDB's expressions are RE2's."""
    pattern = printer.literal(expression.rexpr, "A regular expression", expression)
    check_length(printer, expression, pattern)
    found = FOREIGN_REGEX.search(pattern)
    if found:
        what = f"{found[0]!r} in a regular expression is not allowed in a combine statement"
        raise printer.refusal(
            what, expression, hint="Use LIKE, or characters, [a-z], \\d, \\s, |, (), *, +, ?, {2}, ^, $."
        )
    # groups that capture nothing are ten times as fast
    regex = REGEX_PART.sub(lambda part: "(?:" if part[0] == "(" else part[0], pattern)
    text = print_matched(printer, expression, pattern, plain=PLAIN_REGEX.fullmatch(pattern) is not None)
    matched = f"regexp_matches({text}, {text_literal(regex)}, '{REGEX_OPTIONS[name]}')"
    return printer.text_call(f"(NOT {matched})" if name.startswith("!") else matched, expression)


def print_like(printer: Printer, expression: pg.A_Expr) -> str:
    """As a regular expression, which takes linear time; DuckDB's own LIKE knows no escape and may take for ever."""
    pattern, escape = expression.rexpr, "\\"
    if pattern.HasField("func_call"):  # LIKE x ESCAPE y
        pattern, given = pattern.func_call.args
        escape = printer.literal(given, "The escape character", expression)
    literal = printer.literal(pattern, "A LIKE pattern", expression)
    check_length(printer, expression, literal)
    regex = like_to_regex(literal, escape)
    name = names(expression.name)[-1]
    options = "is" if name.endswith("*") else "s"
    text = print_matched(printer, expression, regex, plain=PLAIN_LIKE.fullmatch(regex) is not None)
    matched = f"regexp_full_match({text}, {text_literal(regex)}, '{options}')"
    return printer.text_call(f"(NOT {matched})" if name.startswith("!") else matched, expression)


def print_matched(printer: Printer, expression: pg.A_Expr, regex: str, *, plain: bool) -> str:
    """The text in which a pattern is sought; short if it could take long."""
    text = printer.value(expression.lexpr)
    if plain:
        return text
    printer.positions += count_positions(regex)
    if printer.positions > MAX_POSITIONS:
        what = f"Patterns of more than {MAX_POSITIONS} characters, {{2}} written out, are not allowed here"
        hint = f"Words alone, and words joined by |, % or .*, do not count. {PLAINER}"
        raise printer.refusal(what, expression, hint=hint)
    return f"_mcpa_brief({text})"


def check_length(printer: Printer, expression: pg.A_Expr, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        what = f"A pattern of {len(pattern)} characters is not allowed in a combine statement"
        raise printer.refusal(what, expression, hint=f"Write one of {MAX_PATTERN} at most.")


def count_positions(regex: str) -> int:
    """How many letters, classes and signs it has, repetitions written out: a[bc]{3}|d has 6."""
    return sum(
        int(most or least) + count.endswith(",}") if count else 1 for _, count, least, most in POSITION.findall(regex)
    )


def like_to_regex(pattern: str, escape: str) -> str:
    """'50\\% _%'  ->  '50% ..*', every other character as itself."""
    found: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == escape:
            found.append(literal_in_regex(next(letters, escape)))
        else:
            found.append({"%": ".*", "_": "."}.get(letter) or literal_in_regex(letter))
    return "".join(found)


def literal_in_regex(letter: str) -> str:
    return "\\" + letter if letter in r"\.+*?()|[]{}^$" else letter
