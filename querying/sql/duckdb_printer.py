"""Prints a checked SELECT for DuckDB: its clauses, FROM items, lists and windows. Pure.

Every name is quoted, every operation stands in brackets, and what the tree holds besides is refused. Which values can
be printed, and how, comes from above, as `forms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from querying.sql.combined_names import Names
from querying.sql.duckdb_functions import (
    FRAME_ENDS,
    FRAME_EXCLUDES,
    FRAME_GIVEN,
    FRAME_MODES,
    FRAME_STARTS,
    GROUPING_SETS,
    JOINS,
    MAX_TEXT_CALLS,
    MISSING_PARTS,
    PLAINER,
    SAME_AS_TEXT,
    SET_OPERATIONS,
    TEXT_MAKERS,
    TEXTS,
)
from querying.sql.refusals import refusal
from querying.sql.walk import names, unwrap


def quote(name: str) -> str:
    """A name for DuckDB, which ignores the case of quoted names too: "A" -> "^a", so that it is not "a"."""
    spelt = re.sub(r"[A-Z^]", lambda found: "^" + found[0].lower(), name)
    return '"' + spelt.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass
class Printer:
    """One statement on its way to text."""

    names: Names
    forms: Mapping[type[Message], Form]
    text_calls: int = 0
    positions: int = 0  # of patterns that could take long

    def refusal(self, what: str, message: Message, *, hint: str = PLAINER) -> QueryRefused:
        return refusal(self.names.statement, what, message, hint=hint)

    # ── queries ──────────────────────────────────────────────────────────────────────────────────────────────
    def query(self, select: pg.SelectStmt) -> str:
        parts = [self.with_clause(select.with_clause) if select.HasField("with_clause") else "", self.body(select)]
        if select.sort_clause:
            parts.append(self.order(select.sort_clause))
        if select.HasField("limit_count") and not select.limit_count.a_const.isnull:
            parts.append(f"LIMIT {self.whole(select.limit_count, 'LIMIT')}")
        if select.HasField("limit_offset"):
            parts.append(f"OFFSET {self.whole(select.limit_offset, 'OFFSET')}")
        return " ".join(filter(None, parts))

    def with_clause(self, clause: pg.WithClause) -> str:
        if clause.recursive:
            raise self.refusal("WITH RECURSIVE is not allowed here", clause)
        return "WITH " + ", ".join(self.with_query(node.common_table_expr) for node in clause.ctes)

    def with_query(self, table: pg.CommonTableExpr) -> str:
        if table.HasField("search_clause") or table.HasField("cycle_clause"):
            raise self.refusal("SEARCH and CYCLE are not allowed here", table)
        # materialized: one that is named twice, by one that is named twice ..., would be planned 2^n times
        head = f"{quote(table.ctename)}{self.columns(table.aliascolnames)} AS MATERIALIZED"
        return f"{head} ({self.query(table.ctequery.select_stmt)})"

    def body(self, select: pg.SelectStmt) -> str:
        if select.op != pg.SETOP_NONE:
            word = f"{SET_OPERATIONS[select.op]}{' ALL' * select.all}"
            return f"({self.query(select.larg)}) {word} ({self.query(select.rarg)})"
        if select.values_lists:
            return self.values(select)
        parts = [f"SELECT {self.distinct(select)}" + ", ".join(map(self.target, select.target_list))]
        if select.from_clause:
            parts.append("FROM " + ", ".join(map(self.source, select.from_clause)))
        if select.HasField("where_clause"):
            parts.append(f"WHERE {self.value(select.where_clause)}")
        if select.group_distinct:
            raise self.refusal("GROUP BY DISTINCT is not allowed here", select)
        if select.group_clause:
            parts.append("GROUP BY " + ", ".join(map(self.group, select.group_clause)))
        if select.HasField("having_clause"):
            parts.append(f"HAVING {self.value(select.having_clause)}")
        if select.window_clause:
            windows = (node.window_def for node in select.window_clause)
            parts.append("WINDOW " + ", ".join(f"{quote(window.name)} AS ({self.frame(window)})" for window in windows))
        return " ".join(parts)

    def values(self, select: pg.SelectStmt) -> str:
        rows = ", ".join(f"({self.listed(node.list.items)})" for node in select.values_lists)
        width = len(select.values_lists[0].list.items)
        named = ", ".join(quote(f"column{index}") for index in range(1, width + 1))
        return f"SELECT {named} FROM (VALUES {rows}) AS v({named})"  # noqa: S608  # printed from the approved tree

    def distinct(self, select: pg.SelectStmt) -> str:
        if not select.distinct_clause:
            return ""
        given = [node for node in select.distinct_clause if node.WhichOneof("node")]
        return f"DISTINCT ON ({', '.join(map(self.item, given))}) " if given else "DISTINCT "

    def target(self, node: pg.Node) -> str:
        return f"{self.value(node.res_target.val)} AS {quote(node.res_target.name)}"

    def columns(self, nodes: Iterable[pg.Node]) -> str:
        named = ", ".join(map(quote, names(nodes)))
        return f"({named})" if named else ""

    def source(self, node: pg.Node) -> str:
        item = unwrap(node)
        if isinstance(item, pg.JoinExpr):
            return self.join(item)
        if isinstance(item, pg.RangeVar):
            schema = "main." if id(item) in self.names.labels else ""
            alias = quote(item.alias.aliasname or item.relname)
            return f"{schema}{quote(item.relname)} AS {alias}{self.columns(item.alias.colnames)}"
        if not isinstance(item, pg.RangeSubselect):
            raise self.refusal("Only labels, WITH queries and sub-selects can stand in FROM", item)
        alias = item.alias.aliasname
        named = f" AS {quote(alias)}{self.columns(item.alias.colnames)}" if alias else ""
        return f"{'LATERAL ' * item.lateral}({self.query(item.subquery.select_stmt)}){named}"

    def join(self, join: pg.JoinExpr) -> str:
        if join.is_natural or join.HasField("alias") or join.HasField("join_using_alias"):
            raise self.refusal("NATURAL and aliased joins are not allowed here", join, hint="Write JOIN ... USING (x).")
        sides = self.source(join.larg), self.source(join.rarg)
        kind = JOINS[join.jointype]
        if join.using_clause:
            return f"({sides[0]} {kind} JOIN {sides[1]} USING {self.columns(join.using_clause)})"
        if not join.HasField("quals"):
            return f"({sides[0]} CROSS JOIN {sides[1]})"
        return f"({sides[0]} {kind} JOIN {sides[1]} ON {self.value(join.quals)})"

    # ── lists of items ───────────────────────────────────────────────────────────────────────────────────────
    def item(self, node: pg.Node) -> str:
        """Of GROUP BY, ORDER BY or DISTINCT ON: the place of an output, or a value."""
        place = self.names.place_of(node)
        if place is None and node.HasField("a_const"):
            return self.whole(node, "A constant here")
        return self.value(node) if place is None else str(place)

    def group(self, node: pg.Node) -> str:
        item = unwrap(node)
        if not isinstance(item, pg.GroupingSet):
            return self.item(node)
        if item.kind == pg.GROUPING_SET_EMPTY:
            return "()"
        return f"{GROUPING_SETS[item.kind]} ({', '.join(map(self.grouping_item, item.content))})"

    def grouping_item(self, node: pg.Node) -> str:
        item = unwrap(node)
        if isinstance(item, pg.RowExpr):
            return f"({self.listed(item.args)})"
        return self.group(node) if isinstance(item, pg.GroupingSet) else self.value(node)

    def order(self, nodes: Iterable[pg.Node]) -> str:
        return "ORDER BY " + ", ".join(self.sort(node.sort_by) for node in nodes)

    def sort(self, sort: pg.SortBy) -> str:
        """PostgreSQL's NULLs are last, and first where it is descending; DuckDB's are always last."""
        if sort.sortby_dir == pg.SORTBY_USING:
            raise self.refusal("ORDER BY ... USING is not allowed here", sort, hint="Write ASC or DESC.")
        descending = sort.sortby_dir == pg.SORTBY_DESC
        first = sort.sortby_nulls == pg.SORTBY_NULLS_FIRST or (descending and sort.sortby_nulls != pg.SORTBY_NULLS_LAST)
        return f"{self.item(sort.node)} {'DESC' if descending else 'ASC'} NULLS {'FIRST' if first else 'LAST'}"

    def frame(self, window: pg.WindowDef) -> str:
        parts = [quote(window.refname)] if window.refname else []
        if window.partition_clause:
            parts.append(f"PARTITION BY {self.listed(window.partition_clause)}")
        if window.order_clause:
            parts.append(self.order(window.order_clause))
        if window.frame_options & FRAME_GIVEN:
            parts.append(self.bounds(window))
        return " ".join(parts)

    def bounds(self, window: pg.WindowDef) -> str:
        options = window.frame_options
        mode, exclude = pick(FRAME_MODES, options), pick(FRAME_EXCLUDES, options)
        start = self.bound(pick(FRAME_STARTS, options), window.start_offset)
        end = self.bound(pick(FRAME_ENDS, options), window.end_offset)
        return f"{mode} BETWEEN {start} AND {end}{exclude}"

    def bound(self, form: str, offset: pg.Node) -> str:
        return form if "$" not in form else form.replace("$", self.value(offset))

    def listed(self, nodes: Iterable[pg.Node]) -> str:
        return ", ".join(map(self.value, nodes))

    def whole(self, node: pg.Node, what: str) -> str:
        if not node.a_const.HasField("ival"):
            raise self.refusal(f"{what} takes a whole number here", unwrap(node), hint="Write the number itself.")
        return str(node.a_const.ival.ival)

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────
    def value(self, node: pg.Node) -> str:
        message = unwrap(node)
        form = self.forms.get(type(message))
        if form is None:
            kind = type(message).__name__ if message is not None else "an empty value"
            raise self.refusal(
                f"{kind} is not allowed in a combine statement", message or self.names.reading.scopes[0].select
            )
        return form(self, message)

    def as_text(self, node: pg.Node, parent: Message) -> str:
        """As PostgreSQL casts it to text."""
        printed = self.value(node)
        if node.HasField("a_const") or self.names.type_of(node, parent) in SAME_AS_TEXT or makes_text(unwrap(node)):
            return printed if is_text_literal(node) else f"CAST({printed} AS VARCHAR)"
        return f"_mcpa_text({printed})"

    def text_call(self, printed: str, message: Message) -> str:
        """A call that makes texts, of which there may be so many."""
        self.text_calls += 1
        if self.text_calls > MAX_TEXT_CALLS:
            raise self.refusal(f"More than {MAX_TEXT_CALLS} text functions are not allowed here", message)
        return printed

    def growing(self, printed: str, message: Message) -> str:
        return self.text_call(f"_mcpa_short({printed})", message)

    def literal(self, node: pg.Node, what: str, parent: Message) -> str:
        if not is_text_literal(node):
            raise self.refusal(f"{what} has to be a literal here", parent, hint=MISSING_PARTS)
        return str(node.a_const.sval.sval)


Form = Callable[[Printer, Any], str]  # Any: one message type each


def pick(choices: Mapping[int, str], options: int) -> str:
    return next((form for bit, form in choices.items() if options & bit), "")


def is_text_literal(node: pg.Node) -> bool:
    return bool(node.HasField("a_const") and node.a_const.HasField("sval"))


def makes_text(message: Any) -> bool:  # Any: one message type each
    """Whether this prints as a VARCHAR, whatever its arguments."""
    if isinstance(message, pg.TypeCast):
        return names(message.type_name.names)[-1] in TEXTS
    if isinstance(message, pg.FuncCall):
        return names(message.funcname)[-1] in TEXT_MAKERS
    return isinstance(message, pg.A_Expr) and message.kind == pg.AEXPR_OP and names(message.name) == ("||",)
