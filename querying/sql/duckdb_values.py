"""Prints values for DuckDB: constants, tests, sub-selects, operators and casts. Pure.

Each is printed so that DuckDB gives what PostgreSQL gives; a message that `VALUES` does not list is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from querying.sql.duckdb_calls import print_call
from querying.sql.duckdb_functions import (
    ARITHMETIC,
    BOOLEAN_TESTS,
    CASTS,
    COMPARISONS,
    MAX_DECIMALS,
    TEXT_TYPES,
    TEXTS,
    WHOLE,
)
from querying.sql.duckdb_patterns import REGEX_OPTIONS, print_like, print_regex
from querying.sql.duckdb_printer import Form, Printer, is_text_literal, makes_text, quote, text_literal
from querying.sql.walk import names, unwrap

QUOTED_NUMBER: Final = re.compile(r"\s*[+-]?\d*(\.\d*|\d[eE]).*", re.DOTALL)
INTERVAL: Final = re.compile(r"\s*([+-]?\d+\s+(year|month|week|day|hour|minute|second)s?\s*)+", re.IGNORECASE)


def print_constant(printer: Printer, constant: pg.A_Const) -> str:
    if constant.isnull:
        return "NULL"
    if constant.HasField("sval"):
        return text_literal(constant.sval.sval)
    if constant.HasField("boolval"):
        return "TRUE" if constant.boolval.boolval else "FALSE"
    if constant.HasField("bsval"):
        raise printer.refusal("Bit strings are not allowed here", constant)
    number = constant.fval.fval if constant.HasField("fval") else str(constant.ival.ival)
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", number):
        raise printer.refusal(f"The number {number[:40]} is not allowed here", constant, hint="Write it in decimals.")
    return f"({number})" if number.startswith("-") else number


def print_reference(printer: Printer, reference: pg.ColumnRef) -> str:
    del printer
    return ".".join(map(quote, names(reference.fields)))


def print_boolean(printer: Printer, expression: pg.BoolExpr) -> str:
    if expression.boolop == pg.NOT_EXPR:
        return f"(NOT {printer.value(expression.args[0])})"
    word = " AND " if expression.boolop == pg.AND_EXPR else " OR "
    return f"({word.join(map(printer.value, expression.args))})"


def print_boolean_test(printer: Printer, test: pg.BooleanTest) -> str:
    return f"({printer.value(test.arg)} {BOOLEAN_TESTS[test.booltesttype]})"


def print_null_test(printer: Printer, test: pg.NullTest) -> str:
    return f"({printer.value(test.arg)} IS {'NOT ' * (test.nulltesttype == pg.IS_NOT_NULL)}NULL)"


def print_case(printer: Printer, case: pg.CaseExpr) -> str:
    head = f"CASE {printer.value(case.arg)}" if case.HasField("arg") else "CASE"
    whens = (
        f" WHEN {printer.value(node.case_when.expr)} THEN {printer.value(node.case_when.result)}" for node in case.args
    )
    otherwise = f" ELSE {printer.value(case.defresult)}" if case.HasField("defresult") else ""
    return f"({head}{''.join(whens)}{otherwise} END)"


def print_coalesce(printer: Printer, expression: pg.CoalesceExpr) -> str:
    check_quoted_numbers(printer, expression, expression.args)
    return f"COALESCE({printer.listed(expression.args)})"


def print_extreme(printer: Printer, expression: pg.MinMaxExpr) -> str:
    check_quoted_numbers(printer, expression, expression.args)
    return f"{'GREATEST' if expression.op == pg.IS_GREATEST else 'LEAST'}({printer.listed(expression.args)})"


def print_grouping(printer: Printer, grouping: pg.GroupingFunc) -> str:
    return f"GROUPING({printer.listed(grouping.args)})"


def print_sublink(printer: Printer, link: pg.SubLink) -> str:
    query = f"({printer.query(link.subselect.select_stmt)})"
    kind = link.sub_link_type
    if kind == pg.EXISTS_SUBLINK:
        return f"(EXISTS {query})"
    if kind == pg.EXPR_SUBLINK:
        return query
    operator = names(link.oper_name)[-1] if link.oper_name else "="
    if kind not in (pg.ALL_SUBLINK, pg.ANY_SUBLINK) or operator not in COMPARISONS:
        raise printer.refusal("ARRAY(SELECT ...) is not allowed here", link)
    word = "ANY" if kind == pg.ANY_SUBLINK else "ALL"
    return f"({printer.value(link.testexpr)} {operator} {word} {query})"


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────
def print_expression(printer: Printer, expression: pg.A_Expr) -> str:
    form = EXPRESSIONS.get(expression.kind)
    if form is None:
        what = f"{names(expression.name)[-1]} in this form is not allowed in a combine statement"
        raise printer.refusal(what, expression, hint="Write IN (...), LIKE, or a comparison.")
    if form is not print_like and names(expression.name)[-1] not in {"||", *REGEX_OPTIONS}:
        right = expression.rexpr
        check_quoted_numbers(
            printer, expression, [expression.lexpr, *(right.list.items if right.HasField("list") else (right,))]
        )
    return form(printer, expression)


def check_quoted_numbers(printer: Printer, parent: Message, operands: Iterable[pg.Node]) -> None:
    """Beside whole numbers DuckDB reads '5.4' as 5; beside texts it is a text."""
    nodes = [node for node in operands if node.WhichOneof("node")]
    quoted = [node for node in nodes if is_text_literal(node) and QUOTED_NUMBER.fullmatch(node.a_const.sval.sval)]
    others = [node for node in nodes if not is_text_literal(node)]
    texts = [node for node in others if makes_text(unwrap(node)) or printer.names.type_of(node, parent) in TEXT_TYPES]
    if quoted and len(texts) < len(others):
        what = f"The number '{quoted[0].a_const.sval.sval[:40]}' stands in quotes"
        raise printer.refusal(what, parent, hint="Write it without quotes, or cast the other side to text.")


def print_operator(printer: Printer, expression: pg.A_Expr) -> str:
    name = names(expression.name)[-1]
    if name in REGEX_OPTIONS:
        return print_regex(printer, expression, name)
    if not expression.HasField("lexpr"):
        if name not in ("+", "-"):
            raise printer.refusal(f"Operator {name} is not allowed in a combine statement", expression)
        return f"({name} {printer.value(expression.rexpr)})"
    if name == "||":
        sides = (printer.as_text(side, expression) for side in (expression.lexpr, expression.rexpr))
        return printer.growing(" || ".join(sides), expression)
    left, right = printer.value(expression.lexpr), printer.value(expression.rexpr)
    if name == "^":
        return f"power({left}, {right})"
    if name not in {*ARITHMETIC, *COMPARISONS}:
        raise printer.refusal(f"Operator {name} is not allowed in a combine statement", expression)
    return f"({left} {name} {right})"


def print_between(printer: Printer, expression: pg.A_Expr) -> str:
    low, high = expression.rexpr.list.items
    word = "NOT BETWEEN" if expression.kind == pg.AEXPR_NOT_BETWEEN else "BETWEEN"
    return f"({printer.value(expression.lexpr)} {word} {printer.value(low)} AND {printer.value(high)})"


def print_in(printer: Printer, expression: pg.A_Expr) -> str:
    word = "NOT IN" if names(expression.name)[-1] == "<>" else "IN"
    return f"({printer.value(expression.lexpr)} {word} ({printer.listed(expression.rexpr.list.items)}))"


def print_distinct(printer: Printer, expression: pg.A_Expr) -> str:
    word = "IS DISTINCT FROM" if expression.kind == pg.AEXPR_DISTINCT else "IS NOT DISTINCT FROM"
    return f"({printer.value(expression.lexpr)} {word} {printer.value(expression.rexpr)})"


def print_nullif(printer: Printer, expression: pg.A_Expr) -> str:
    return f"NULLIF({printer.value(expression.lexpr)}, {printer.value(expression.rexpr)})"


# ── casts ────────────────────────────────────────────────────────────────────────────────────────────────────
def print_cast(printer: Printer, cast: pg.TypeCast) -> str:
    name = names(cast.type_name.names)[-1]
    if name not in CASTS or cast.type_name.array_bounds:
        hint = f"Cast to one of {', '.join(sorted(CASTS))}."
        raise printer.refusal(f"A cast to {name} is not allowed in a combine statement", cast, hint=hint)
    modifiers = [printer.whole(node, "A type") for node in cast.type_name.typmods]
    if name == "numeric" and modifiers:
        return print_decimal(printer, cast, [int(one) for one in modifiers])
    if modifiers:
        raise printer.refusal(f"{name} with a length is not allowed in a combine statement", cast, hint="Leave it out.")
    if name == "interval" and not INTERVAL.fullmatch(printer.literal(cast.arg, "An interval", cast)):
        raise printer.refusal("An interval is not allowed in this form", cast, hint="Write interval '1 month 2 days'.")
    if name in TEXTS:
        return printer.as_text(cast.arg, cast)
    printed = printer.value(cast.arg)
    if name in WHOLE and not is_text_literal(cast.arg) and not is_truth(printer, cast):
        printed = f"_mcpa_exact({printed})"
    return f"CAST({printed} AS {CASTS[name]})"


def print_decimal(printer: Printer, cast: pg.TypeCast, modifiers: Sequence[int]) -> str:
    precision, scale = modifiers[0], modifiers[1] if len(modifiers) > 1 else 0
    if not (0 < precision <= 38 and 0 <= scale <= min(precision, MAX_DECIMALS)):
        hint = f"Write numeric(p, s) with p up to 38 and s up to {MAX_DECIMALS}, or numeric."
        raise printer.refusal(f"numeric({precision}, {scale}) is not allowed here", cast, hint=hint)
    return f"CAST(_mcpa_exact({printer.value(cast.arg)}) AS DECIMAL({precision}, {scale}))"


def is_truth(printer: Printer, cast: pg.TypeCast) -> bool:
    value = unwrap(cast.arg)
    tests = (pg.BoolExpr, pg.BooleanTest, pg.NullTest)
    if isinstance(value, pg.A_Expr) and value.kind not in (pg.AEXPR_NULLIF, pg.AEXPR_OP):
        return True
    return isinstance(value, tests) or printer.names.type_of(cast.arg, cast) == "boolean"


EXPRESSIONS: Final[Mapping[int, Form]] = {
    pg.AEXPR_BETWEEN: print_between,
    pg.AEXPR_DISTINCT: print_distinct,
    pg.AEXPR_ILIKE: print_like,
    pg.AEXPR_IN: print_in,
    pg.AEXPR_LIKE: print_like,
    pg.AEXPR_NOT_BETWEEN: print_between,
    pg.AEXPR_NOT_DISTINCT: print_distinct,
    pg.AEXPR_NULLIF: print_nullif,
    pg.AEXPR_OP: print_operator,
}
VALUES: Final[Mapping[type[Message], Form]] = {
    pg.A_Const: print_constant,
    pg.A_Expr: print_expression,
    pg.BoolExpr: print_boolean,
    pg.BooleanTest: print_boolean_test,
    pg.CaseExpr: print_case,
    pg.CoalesceExpr: print_coalesce,
    pg.ColumnRef: print_reference,
    pg.FuncCall: print_call,
    pg.GroupingFunc: print_grouping,
    pg.MinMaxExpr: print_extreme,
    pg.NullTest: print_null_test,
    pg.SubLink: print_sublink,
    pg.TypeCast: print_cast,
}
