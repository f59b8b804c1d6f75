"""Prints calls of functions for DuckDB, each so that it gives what PostgreSQL gives, or refuses them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from postgast import pg_query_pb2 as pg

from config.errors import SqlInvalid
from querying.sql.duckdb_functions import (
    AGGREGATES,
    DATE_FORMAT,
    DATE_PATTERNS,
    DUCKDB_NAMES,
    HINTS,
    MAX_DECIMALS,
    MAX_TEXT_BYTES,
    NAN_FOR_NULL,
    NEVER_NEGATIVE,
    NUMBER_FUNCTIONS,
    ORDERED_SETS,
    PARTS_OF_DATES,
    PLAINER,
    TEXT_FUNCTIONS,
    UNITS_OF_DATES,
    WINDOW_FUNCTIONS,
    Arity,
)
from querying.sql.duckdb_printer import Form, Printer, is_text_literal, quote, text_literal
from querying.sql.tables import nearest
from querying.sql.walk import names, unwrap


def print_call(printer: Printer, call: pg.FuncCall) -> str:
    name = names(call.funcname)[-1]
    if call.func_variadic or any(argument.HasField("named_arg_expr") for argument in call.args):
        raise printer.refusal("Named and VARIADIC arguments are not allowed here", call)
    if name in ORDERED_SETS and call.agg_within_group:
        return print_ordered_set(printer, call, name)
    if call.agg_within_group:
        raise printer.refusal(f"{name}() WITHIN GROUP is not allowed here", call)
    if name in AGGREGATES:
        return print_aggregate(printer, call, name)
    if name in WINDOW_FUNCTIONS:
        return print_window_function(printer, call, name)
    if name not in SCALARS:
        raise printer.refusal(f"{name}() is not allowed in a combine statement", call, hint=hint_for(name))
    if call.HasField("over") or call.HasField("agg_filter") or call.agg_order or call.agg_distinct or call.agg_star:
        raise SqlInvalid(f"{name}() is neither an aggregate nor a window function.")
    return SCALARS[name](printer, call)


def hint_for(name: str) -> str:
    if name in HINTS:
        return HINTS[name]
    near = nearest(name, {*SCALARS, *AGGREGATES, *WINDOW_FUNCTIONS, *ORDERED_SETS})
    return f"There are {', '.join(near)}. {PLAINER}" if near else PLAINER


def check_arity(printer: Printer, call: pg.FuncCall, arity: Arity) -> None:
    if not arity[0] <= len(call.args) <= arity[1]:
        name = names(call.funcname)[-1]
        wanted = str(arity[0]) if arity[0] == arity[1] else f"{arity[0]} to {arity[1]}"
        raise printer.refusal(f"{name}() takes {wanted} arguments here", call, hint="Check the call.")


def print_aggregate(printer: Printer, call: pg.FuncCall, name: str) -> str:
    if call.agg_star:
        return f"count(*){print_tail(printer, call)}"
    check_arity(printer, call, AGGREGATES[name])
    if name == "count" and call.args[0].HasField("row_expr"):
        arguments = f"ROW({printer.listed(call.args[0].row_expr.args)})"
    elif name == "string_agg":
        separator = printer.literal(call.args[1], "The separator of string_agg", call)
        arguments = f"{printer.as_text(call.args[0], call)}, {text_literal(separator)}"
    else:
        arguments = printer.listed(call.args)
    order = f" {printer.order(call.agg_order)}" if call.agg_order else ""
    inside = f"{'DISTINCT ' * call.agg_distinct}{arguments}{order}"
    printed = f"{DUCKDB_NAMES.get(name, name)}({inside}){print_tail(printer, call)}"
    if name in NAN_FOR_NULL:
        return f"NULLIF({printed}, CAST('NaN' AS DOUBLE))"
    return printer.growing(printed, call) if name == "string_agg" else printed


def print_tail(printer: Printer, call: pg.FuncCall) -> str:
    """FILTER and OVER."""
    printed = f" FILTER (WHERE {printer.value(call.agg_filter)})" if call.HasField("agg_filter") else ""
    if not call.HasField("over"):
        return printed
    if call.over.name:
        return f"{printed} OVER {quote(call.over.name)}"
    return f"{printed} OVER ({printer.frame(call.over)})"


def print_window_function(printer: Printer, call: pg.FuncCall, name: str) -> str:
    check_arity(printer, call, WINDOW_FUNCTIONS[name])
    if not call.HasField("over") or call.agg_order or call.agg_distinct:
        raise SqlInvalid(f"{name}() needs OVER (...).")
    return f"{name}({printer.listed(call.args)}){print_tail(printer, call)}"


def print_ordered_set(printer: Printer, call: pg.FuncCall, name: str) -> str:
    check_arity(printer, call, ORDERED_SETS[name])
    if call.HasField("over") or len(call.agg_order) != 1:
        raise printer.refusal(f"{name}() is not allowed in this form", call)
    fraction = printer.value(call.args[0]) if call.args else ""
    if call.args and not re.fullmatch(r"0?\.\d+|[01](\.0*)?", fraction):
        raise printer.refusal(f"{name}() takes a number from 0 to 1 here", call, hint="Write 0.5 for the median.")
    sort = call.agg_order[0].sort_by
    ordered = f"{printer.value(sort.node)} {'DESC' if sort.sortby_dir == pg.SORTBY_DESC else 'ASC'}"
    return f"{name}({fraction}) WITHIN GROUP (ORDER BY {ordered}){print_tail(printer, call)}"


def print_plain(printer: Printer, call: pg.FuncCall) -> str:
    name = names(call.funcname)[-1]
    check_arity(printer, call, NUMBER_FUNCTIONS.get(name) or TEXT_FUNCTIONS[name])
    printed = f"{DUCKDB_NAMES.get(name, name)}({printer.listed(call.args)})"
    return printer.text_call(printed, call) if name in TEXT_FUNCTIONS else printed


def print_rounding(printer: Printer, call: pg.FuncCall) -> str:
    """round(x, 2)  ->  round(_mcpa_exact(x), 2); without decimals DuckDB's rounds halves away from zero too."""
    check_arity(printer, call, (1, 2))
    name, printed = names(call.funcname)[-1], printer.value(call.args[0])
    if len(call.args) == 1:
        return f"{name}({printed})"
    decimals = int(printer.whole(call.args[1], f"The second argument of {name}()"))
    if not -MAX_DECIMALS <= decimals <= MAX_DECIMALS:
        raise printer.refusal(f"{name}() to {decimals} decimals is not allowed here", call, hint="Write 10 at most.")
    return f"{name}(_mcpa_exact({printed}), {decimals})"


def print_position(printer: Printer, call: pg.FuncCall) -> str:
    check_arity(printer, call, (2, 2))
    return f"strpos({printer.listed(call.args)})"


def print_substring(printer: Printer, call: pg.FuncCall) -> str:
    """Places below 1 and negative lengths count from the end in DuckDB."""
    check_arity(printer, call, (2, 3))
    for argument in call.args[1:]:
        if not is_never_negative(argument):
            hint = "Write substring(x, 1, 4), substring(x, strpos(x, '-') + 1), left(), right() or split_part()."
            raise printer.refusal("substring() takes places that cannot be negative here", call, hint=hint)
    return printer.text_call(f"substr({printer.listed(call.args)})", call)


def is_never_negative(node: pg.Node) -> bool:
    value = unwrap(node)
    if isinstance(value, pg.A_Const):
        return bool(value.HasField("ival") and value.ival.ival >= 0)
    if isinstance(value, pg.FuncCall):
        return names(value.funcname)[-1] in NEVER_NEGATIVE
    if not isinstance(value, pg.A_Expr) or value.kind != pg.AEXPR_OP or names(value.name) != ("+",):
        return False
    return value.HasField("lexpr") and is_never_negative(value.lexpr) and is_never_negative(value.rexpr)


def print_split(printer: Printer, call: pg.FuncCall) -> str:
    check_arity(printer, call, (3, 3))
    separator = printer.literal(call.args[1], "The separator of split_part()", call)
    if not separator or printer.whole(call.args[2], "The place in split_part()") == "0":
        raise printer.refusal(
            "split_part() takes a separator and a place from 1 or -1 on", call, hint="Check the call."
        )
    return printer.text_call(f"split_part({printer.listed(call.args)})", call)


def print_pad(printer: Printer, call: pg.FuncCall) -> str:
    check_arity(printer, call, (2, 3))
    width = int(printer.whole(call.args[1], "The width"))
    if width > MAX_TEXT_BYTES // 4:
        raise printer.refusal(f"A width of {width} is not allowed here", call, hint="Write a smaller one.")
    filling = printer.value(call.args[2]) if len(call.args) > 2 else "' '"
    printed = f"{names(call.funcname)[-1]}({printer.value(call.args[0])}, {width}, {filling})"
    return printer.text_call(printed, call)


def print_replace(printer: Printer, call: pg.FuncCall) -> str:
    check_arity(printer, call, (3, 3))
    old, new = (printer.literal(node, "What replace() puts in place of what", call) for node in call.args[1:])
    if len(new.encode()) > 10 * max(1, len(old.encode())):
        raise printer.refusal("replace() by so long a text is not allowed here", call)
    return printer.growing(f"replace({printer.listed(call.args)})", call)


def print_concat(printer: Printer, call: pg.FuncCall) -> str:
    check_arity(printer, call, (1, 10))
    arguments = ", ".join(
        printer.value(node) if is_text_literal(node) else f"_mcpa_output({printer.value(node)})" for node in call.args
    )
    return printer.growing(f"{names(call.funcname)[-1]}({arguments})", call)


def print_date_part(printer: Printer, call: pg.FuncCall) -> str:
    return print_with_unit(printer, call, "date_part", PARTS_OF_DATES)


def print_date_trunc(printer: Printer, call: pg.FuncCall) -> str:
    return print_with_unit(printer, call, "date_trunc", UNITS_OF_DATES)


def print_with_unit(printer: Printer, call: pg.FuncCall, name: str, units: frozenset[str]) -> str:
    check_arity(printer, call, (2, 2))
    unit = printer.literal(call.args[0], f"The unit of {name}()", call).lower()
    if unit not in units:
        raise printer.refusal(
            f"The unit {unit[:40]} is not allowed here", call, hint=f"Write one of {', '.join(sorted(units))}."
        )
    return f"{name}('{unit}', {printer.value(call.args[1])})"


def print_to_char(printer: Printer, call: pg.FuncCall) -> str:
    """to_char(day, 'YYYY-MM')  ->  strftime(day, '%Y-%m')"""
    check_arity(printer, call, (2, 2))
    pattern = printer.literal(call.args[1], "The format of to_char()", call)
    parts = DATE_FORMAT.split(pattern)
    if any(parts[::2]):
        hint = f"Dates only, in patterns made of {', '.join(sorted(DATE_PATTERNS))}; round() numbers instead."
        raise printer.refusal(f"to_char() with the format {pattern[:40]!r} is not allowed here", call, hint=hint)
    spelling = "".join(DATE_PATTERNS.get(part, part.strip('"')) for part in parts[1::2])
    return f"strftime({printer.value(call.args[0])}, {text_literal(spelling)})"


SCALARS: Final[Mapping[str, Form]] = {
    **dict.fromkeys((*NUMBER_FUNCTIONS, *TEXT_FUNCTIONS), print_plain),
    "concat": print_concat,
    "concat_ws": print_concat,
    "date_part": print_date_part,
    "date_trunc": print_date_trunc,
    "extract": print_date_part,
    "lpad": print_pad,
    "position": print_position,
    "replace": print_replace,
    "round": print_rounding,
    "rpad": print_pad,
    "split_part": print_split,
    "substr": print_substring,
    "substring": print_substring,
    "to_char": print_to_char,
    "trunc": print_rounding,
}
