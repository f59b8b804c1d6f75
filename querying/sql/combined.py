"""SQL over the results of other questions: PostgreSQL's grammar and guard, DuckDB's dialect. Pure.

    SELECT k, a.n / b.n AS ratio FROM a JOIN b USING (k) ORDER BY ratio DESC

    SELECT "k" AS "k", (("a"."n") / ("b"."n")) AS "ratio"
    FROM (main."a" AS "a" INNER JOIN main."b" AS "b" USING ("k")) ORDER BY 2 DESC NULLS FIRST LIMIT 1001

PostgreSQL's deparser would not do: DuckDB has other keywords (FROM a anti JOIN b), folds the case of quoted names and
binds operators differently. So every name is quoted, every operation stands in brackets, every `*` is spelt out, every
name is looked up here by PostgreSQL's rules, and what is not known to give PostgreSQL's answer is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import InvalidRequest, NameNotFound, QueryRefused, SqlInvalid
from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from querying.results import QueryResult
from querying.sql.draft import Draft, QueryRequest
from querying.sql.guard import guard
from querying.sql.limit import cap_rows
from querying.sql.parse import Statement, parse_statement, parse_tree
from querying.sql.refusals import not_found, refusal
from querying.sql.scopes import (
    MAX_COLUMNS,
    Reading,
    Relation,
    Scope,
    output_columns,
    read_scopes,
)
from querying.sql.tables import nearest
from querying.sql.value_types import SPELLING, type_of
from querying.sql.walk import children, names, unwrap

LABEL: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_DEPTH: Final = 120  # of the tree: printing recurses
# DuckDB's memory limit does not count the texts that an expression makes, 2,048 rows at a time: x || x, again and
# again, took 10 GB. So these two bound them.
MAX_TEXT_BYTES: Final = 5_000
MAX_TEXT_CALLS: Final = 40  # and matches of patterns, whose time nothing interrupts within 2,048 rows
TOO_LONG: Final = "text too long for combine"
PLAINER: Final = "Do it in the labelled queries themselves, where all of PostgreSQL can be used, and combine the rest."

# What the printed SQL calls besides DuckDB's own functions. The lambdas name their argument once: a macro that
# repeats it would double the statement at each level.
MACROS: Final = (
    # whole doubles are written 1.0 by DuckDB and 1 by PostgreSQL
    "CREATE MACRO _mcpa_text(x) AS list_transform([x], lambda v: CASE WHEN typeof(v) = 'DOUBLE' "
    "THEN regexp_replace(CAST(v AS VARCHAR), '\\.0$', '') ELSE CAST(v AS VARCHAR) END)[1]",
    # concat() does not cast, it writes true as t
    "CREATE MACRO _mcpa_output(x) AS list_transform([x], lambda v: CASE typeof(v) "
    "WHEN 'DOUBLE' THEN regexp_replace(CAST(v AS VARCHAR), '\\.0$', '') "
    "WHEN 'BOOLEAN' THEN left(CAST(v AS VARCHAR), 1) ELSE CAST(v AS VARCHAR) END)[1]",
    f"CREATE MACRO _mcpa_short(x) AS list_transform([x], lambda v: CASE WHEN strlen(v) > {MAX_TEXT_BYTES} "
    f"THEN error('{TOO_LONG}') ELSE v END)[1]",
    # DuckDB rounds doubles as binary numbers and halves to even; their shortest text is what PostgreSQL rounds
    "CREATE MACRO _mcpa_exact(x) AS "
    "CAST(replace(replace(CAST(x AS VARCHAR), 'true', '1'), 'false', '0') AS DECIMAL(38, 15))",
)
MAX_DECIMALS: Final = 10

Arity = tuple[int, int]
# Functions that give what PostgreSQL gives, with the least and the most arguments, and DuckDB's name where it differs.
NUMBER_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "abs": (1, 1),
    "ascii": (1, 1),
    "ceil": (1, 1),
    "ceiling": (1, 1),
    "char_length": (1, 1),
    "character_length": (1, 1),
    "exp": (1, 1),
    "floor": (1, 1),
    "length": (1, 1),
    "ln": (1, 1),
    "log": (1, 2),
    "log10": (1, 1),
    "make_date": (3, 3),
    "mod": (2, 2),
    "pow": (2, 2),
    "power": (2, 2),
    "sign": (1, 1),
    "sqrt": (1, 1),
    "starts_with": (2, 2),
    "strpos": (2, 2),
}
TEXT_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "btrim": (1, 2),
    "left": (2, 2),
    "lower": (1, 1),
    "ltrim": (1, 2),
    "md5": (1, 1),
    "reverse": (1, 1),
    "right": (2, 2),
    "rtrim": (1, 2),
    "upper": (1, 1),
}
AGGREGATES: Final[Mapping[str, Arity]] = {
    "any_value": (1, 1),
    "avg": (1, 1),
    "bool_and": (1, 1),
    "bool_or": (1, 1),
    "corr": (2, 2),
    "count": (1, 1),
    "covar_pop": (2, 2),
    "covar_samp": (2, 2),
    "every": (1, 1),
    "max": (1, 1),
    "min": (1, 1),
    "regr_count": (2, 2),
    "regr_intercept": (2, 2),
    "regr_slope": (2, 2),
    "stddev": (1, 1),
    "stddev_pop": (1, 1),
    "stddev_samp": (1, 1),
    "string_agg": (2, 2),
    "sum": (1, 1),
    "var_pop": (1, 1),
    "var_samp": (1, 1),
    "variance": (1, 1),
}
WINDOW_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "cume_dist": (0, 0),
    "dense_rank": (0, 0),
    "first_value": (1, 1),
    "lag": (1, 3),
    "last_value": (1, 1),
    "lead": (1, 3),
    "nth_value": (2, 2),
    "ntile": (1, 1),
    "percent_rank": (0, 0),
    "rank": (0, 0),
    "row_number": (0, 0),
}
ORDERED_SETS: Final[Mapping[str, Arity]] = {"mode": (0, 0), "percentile_cont": (1, 1), "percentile_disc": (1, 1)}
DUCKDB_NAMES: Final[Mapping[str, str]] = {"btrim": "trim", "every": "bool_and"}
NAN_FOR_NULL: Final = frozenset({"corr", "regr_intercept", "regr_slope"})  # DuckDB's, where nothing varies
OPERATORS: Final = frozenset({"%", "*", "+", "-", "/", "<", "<=", "<>", "=", ">", ">="})
COMPARISONS: Final = frozenset({"<", "<=", "<>", "=", ">", ">="})
REGEX_OPTIONS: Final[Mapping[str, str]] = {"!~": "s", "!~*": "is", "~": "s", "~*": "is"}
# What means something else in RE2 than in PostgreSQL, or lets one of its matches take many seconds.
FOREIGN_REGEX: Final = re.compile(r"\\[^dDsS\W_]|\\_|\[\[|\[:|\(\?|\*\*\*|[*+?}][+]|\)\{|\{(?!\d{1,2}(,\d{0,2})?\})")
REGEX_PART: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(", re.DOTALL)
MAX_PATTERN: Final = 100  # characters
PARTS_OF_DATES: Final = frozenset(
    {
        "day",
        "dow",
        "doy",
        "epoch",
        "hour",
        "isodow",
        "isoyear",
        "minute",
        "month",
        "quarter",
        "week",
        "year",
    }
)
UNITS_OF_DATES: Final = frozenset({"day", "hour", "minute", "month", "quarter", "second", "week", "year"})
DATE_PATTERNS: Final[Mapping[str, str]] = {
    "DD": "%d",
    "Dy": "%a",
    "FMDay": "%A",
    "FMMonth": "%B",
    "HH24": "%H",
    "IW": "%V",
    "IYYY": "%G",
    "MI": "%M",
    "MM": "%m",
    "Mon": "%b",
    "SS": "%S",
    "YY": "%y",
    "YYYY": "%Y",
}
DATE_FORMAT: Final = re.compile(
    "(" + "|".join(sorted(DATE_PATTERNS, key=len, reverse=True)) + r"|[-/.:, ]|\"[A-Za-z]*\")"
)
CASTS: Final[Mapping[str, str]] = {
    "bool": "BOOLEAN",
    "date": "DATE",
    "float8": "DOUBLE",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "interval": "INTERVAL",
    "numeric": "DOUBLE",  # DuckDB's own would be DECIMAL(18,3)
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "varchar": "VARCHAR",
}
WHOLE: Final = frozenset({"int2", "int4", "int8"})
TEXTS: Final = frozenset({"text", "varchar"})
TEXT_TYPES: Final = frozenset({"character varying", "text"})
QUOTED_NUMBER: Final = re.compile(r"\s*[+-]?\d*(\.\d*|\d[eE]).*", re.DOTALL)
INTERVAL: Final = re.compile(r"\s*([+-]?\d+\s+(year|month|week|day|hour|minute|second)s?\s*)+", re.IGNORECASE)
# types whose text DuckDB writes as PostgreSQL does; of others it is asked when it runs
SAME_AS_TEXT: Final = frozenset(
    {"bigint", "boolean", "character varying", "date", "integer", "smallint", "text", "unknown"}
)
HINTS: Final[Mapping[str, str]] = {
    "age": "Subtract dates: a - b is the number of days.",
    "array_agg": "Write string_agg(x, ', ').",
    "clock_timestamp": "Put the day into a labelled query, or write it as date '2026-01-31'.",
    "div": "Write trunc(a / b).",
    "generate_series": "Make the series in a labelled query and give it a label.",
    "initcap": PLAINER,
    "now": "Put the day into a labelled query, or write it as date '2026-01-31'.",
    "regexp_replace": PLAINER,
    "unnest": "Write (VALUES (1), (2)) AS v(x).",
}
MISSING_PARTS: Final = "Text patterns are literals in a combine statement."


# ── labels and columns ───────────────────────────────────────────────────────────────────────────────────────
def check_label(label: str) -> None:
    """Raise `InvalidRequest` unless this can name a result in SQL as it stands, without quotes."""
    if not LABEL.fullmatch(label):
        raise InvalidRequest(
            f"The label {label[:60]!r} cannot name a result.",
            hint="A label is a lower-case letter, then letters, digits or _, 40 at most: sales_2025.",
        )
    if label.startswith("pg_") or not _stands_unquoted(label):
        raise InvalidRequest(f"The label {label} is a word of SQL itself.", hint=f"Write {label}_data, for example.")


def _stands_unquoted(label: str) -> bool:
    try:
        parse_tree(f"SELECT {label}.x FROM {label} JOIN t ON t.x = {label}.x")  # noqa: S608  # fits LABEL
    except SqlInvalid:
        return False
    return True


def column_names(result: QueryResult) -> tuple[str, ...]:
    """The columns' names in order; one that was there already gets a number: n, n_2."""
    taken = {column.name for column in result.columns}
    found: list[str] = []
    for column in result.columns:
        name, count = column.name, 1
        while name in found or (count > 1 and name in taken):
            count += 1
            name = f"{column.name}_{count}"
        found.append(name)
    return tuple(found)


def quote(name: str) -> str:
    """A name for DuckDB, which ignores the case of quoted names too: "A" -> "^a", so that it is not "a"."""
    spelt = re.sub(r"[A-Z^]", lambda found: "^" + found[0].lower(), name)
    return '"' + spelt.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────
def build_combined(sql: str, inputs: Mapping[str, QueryResult], *, max_rows: int) -> str:
    """DuckDB's SQL for this statement over labelled results, `max_rows` + 1 rows of it; else a `RequestError`.

    It names the tables `main."label"` with the columns of `column_names`, each as `quote` spells it, and calls MACROS.
    """
    if not inputs:
        raise InvalidRequest("There is nothing to combine.", hint="Give at least one query a label.")
    for label in inputs:
        check_label(label)
    dataset = describe(inputs)
    statement = parse_statement(sql)
    check_guarded(statement, dataset)
    select = statement.tree.stmts[0].stmt.select_stmt
    check_depth(statement, select)
    if select.limit_option == pg.LIMIT_OPTION_WITH_TIES:
        raise refusal(statement, "FETCH FIRST ... WITH TIES is not allowed here", select, hint="Write LIMIT.")
    cap_rows(select, max_rows)
    spell_out(statement, select, dataset)
    reading = read(statement, select, dataset)
    for scope in reversed(reading.scopes):
        scope.columns = output_columns(scope)
    printer = Printer(statement, dataset, reading)
    printer.resolve_names()
    return printer.query(select)


def describe(inputs: Mapping[str, QueryResult]) -> DatasetSpec:
    """The labels as tables of a dataset, for the guard and for finding names."""
    tables = tuple(
        TableSpec("public", label, "table", tuple(map(ColumnSpec, column_names(result), map(_type_of, result.columns))))
        for label, result in inputs.items()
    )
    return DatasetSpec(
        dataset_id=0,
        entry_id=0,
        version=0,
        connection_id="",
        sealed_dsn=SealedText(""),
        name="combine",
        title="",
        description="",
        dataset_type="",
        data_category="",
        tables=tables,
    )


def _type_of(column: Any) -> str:  # Any: results.Column
    return SPELLING.get(column.type, str(column.type))


def check_guarded(statement: Statement, dataset: DatasetSpec) -> None:
    """The guard of every question, and no EXPLAIN, SHOW or SELECT INTO."""
    root = unwrap(statement.tree.stmts[0].stmt)
    if isinstance(root, pg.ExplainStmt | pg.VariableShowStmt):
        raise refusal(statement, "Only a SELECT can combine results", root, hint="Write one SELECT over the labels.")
    try:
        guard(Draft(QueryRequest("combine", statement.sql), dataset, Principal(), SystemSettings(), statement))
    except NameNotFound as error:
        hint = error.hint if error.context.get("nearest") else columns_hint(dataset)
        raise NameNotFound(error.message, hint=hint, **error.context) from None


def columns_hint(dataset: DatasetSpec) -> str:
    shown = [f"{table.name} ({', '.join(column.name for column in table.columns)})" for table in dataset.tables[:5]]
    more = f" and {len(dataset.tables) - 5} more labels" if len(dataset.tables) > 5 else ""
    return f"The labels are {'; '.join(shown)[:600]}{more}."


def check_depth(statement: Statement, select: pg.SelectStmt) -> None:
    stack: list[tuple[Message, int]] = [(select, 0)]
    while stack:
        packed, depth = stack.pop()
        message = unwrap(packed)
        if message is None:
            continue
        if depth > MAX_DEPTH:
            raise refusal(statement, "The statement is nested too deeply", message, hint="Take it apart using WITH.")
        stack += [(child, depth + 1) for child in children(message)]


def read(statement: Statement, select: pg.SelectStmt, dataset: DatasetSpec) -> Reading:
    return read_scopes(select, find_table=partial(find_label, statement, dataset))


def find_label(statement: Statement, dataset: DatasetSpec, table: pg.RangeVar) -> TableSpec:
    found = dataset.find_tables(table.relname, table.schemaname or "public")
    if found and not table.catalogname:
        return found[0]
    written = ".".join(part for part in (table.catalogname, table.schemaname, table.relname) if part)
    near = nearest(table.relname, {spec.name for spec in dataset.tables})
    hint = f"The nearest labels are {', '.join(near)}." if near else columns_hint(dataset)
    raise not_found(statement, f"No query has the label {written}", table, hint=hint, nearest=near)


# ── stars and names of outputs, spelt out ────────────────────────────────────────────────────────────────────
class Source(NamedTuple):
    """A column of a FROM clause; the relation is '' where USING has merged two."""

    relation: str
    column: str


def spell_out(statement: Statement, select: pg.SelectStmt, dataset: DatasetSpec) -> None:
    """SELECT *, sum(x) FROM a  ->  SELECT a.k AS k, a.x AS x, sum(x) AS sum FROM a, in place, at every level."""
    reading = read(statement, select, dataset)
    for scope in reversed(reading.scopes):
        if scope.arms or scope.select.values_lists:
            scope.columns = output_columns(scope)
            continue
        sources = [source for item in scope.select.from_clause for source in sources_of(statement, scope, item)]
        targets = [made for node in scope.select.target_list for made in spelt(statement, scope, node, sources)]
        if not targets or len(targets) > MAX_COLUMNS:
            raise refusal(
                statement, f"A SELECT of {len(targets)} columns is not allowed", scope.select, hint="Name the columns."
            )
        del scope.select.target_list[:]
        scope.select.target_list.extend(targets)
        scope.columns = output_columns(scope)


def sources_of(statement: Statement, scope: Scope, item: pg.Node) -> list[Source]:
    """The columns of a FROM item in PostgreSQL's order: those of USING first, once."""
    join = unwrap(item)
    if not isinstance(join, pg.JoinExpr):
        relation = next(one for one in scope.relations if one.item is join)
        return [Source(relation.name, name) for name in shown_by(statement, relation)]
    left, right = sources_of(statement, scope, join.larg), sources_of(statement, scope, join.rarg)
    using = names(join.using_clause)
    for name in using:
        for side in (left, right):
            count = sum(source.column == name for source in side)
            if count != 1:
                what = f"USING ({name}) stands for {count} columns of one side"
                raise refusal(statement, what, join, hint="Write JOIN ... ON a.x = b.x.")
    rest = [source for source in (*left, *right) if source.column not in using]
    return [*(Source("", name) for name in using), *rest]


def shown_by(statement: Statement, relation: Relation) -> tuple[str, ...]:
    columns = relation.columns
    if not columns.exact or relation.hidden:
        what = "Only labels, WITH queries and sub-selects can stand in FROM, joined without an alias of the join"
        raise refusal(statement, what, relation.item or pg.RangeVar(), hint=PLAINER)
    return tuple(name for name, _ in columns.pairs)


def spelt(statement: Statement, scope: Scope, node: pg.Node, sources: Sequence[Source]) -> Iterator[pg.Node]:
    target = node.res_target
    parts = names(target.val.column_ref.fields) if target.val.HasField("column_ref") else ()
    if parts[-1:] != ("*",):
        made = pg.Node()
        made.CopyFrom(node)
        made.res_target.name = target.name or output_name(target.val)[0]
        yield made
        return
    for source in sources if len(parts) == 1 else starred(statement, scope, target.val.column_ref):
        yield plain_target(source, target.location)


def starred(statement: Statement, scope: Scope, reference: pg.ColumnRef) -> list[Source]:
    qualifier = names(reference.fields)[-2]
    relation = scope.find(qualifier)
    if relation is None:
        near = nearest(qualifier, {one.name for one in scope.relations})
        raise not_found(statement, f"There is no {qualifier} in FROM", reference, hint=PLAINER, nearest=near)
    return [Source(qualifier, name) for name in shown_by(statement, relation)]


def plain_target(source: Source, location: int) -> pg.Node:
    node = pg.Node()
    node.res_target.name, node.res_target.location = source.column, location
    reference = node.res_target.val.column_ref
    reference.location = location
    for part in filter(None, source):
        reference.fields.add().string.sval = part
    return node


def output_name(node: pg.Node) -> tuple[str, int]:
    """The name that PostgreSQL gives to an output without one, and how sure it is of it (FigureColname)."""
    value = unwrap(node)
    if isinstance(value, pg.ColumnRef):
        return names(value.fields)[-1], 2
    if isinstance(value, pg.FuncCall):
        return names(value.funcname)[-1], 2
    if isinstance(value, pg.CoalesceExpr):
        return "coalesce", 2
    if isinstance(value, pg.MinMaxExpr):
        return "greatest" if value.op == pg.IS_GREATEST else "least", 2
    if isinstance(value, pg.GroupingFunc):
        return "grouping", 2
    if isinstance(value, pg.A_Expr) and value.kind == pg.AEXPR_NULLIF:
        return "nullif", 2
    if isinstance(value, pg.SubLink):
        return _name_of_sublink(value)
    if isinstance(value, pg.TypeCast):
        inner = output_name(value.arg)
        return inner if inner[1] > 1 else (names(value.type_name.names)[-1], 1)
    if isinstance(value, pg.CaseExpr):
        inner = output_name(value.defresult)
        return inner if inner[1] > 1 else ("case", 1)
    return "?column?", 0


def _name_of_sublink(link: pg.SubLink) -> tuple[str, int]:
    if link.sub_link_type == pg.EXISTS_SUBLINK:
        return "exists", 2
    targets = link.subselect.select_stmt.target_list
    if link.sub_link_type == pg.EXPR_SUBLINK and link.subselect.select_stmt.values_lists:
        return "column1", 2
    if link.sub_link_type != pg.EXPR_SUBLINK or not targets:
        return "?column?", 0
    target = targets[0].res_target
    return target.name or output_name(target.val)[0], 2


# ── printing ─────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Printer:
    """One statement on its way to text. Messages are known by their identity, which `reading` keeps alive."""

    statement: Statement
    dataset: DatasetSpec
    reading: Reading
    positions: dict[int, int] = field(default_factory=dict)  # items of ORDER BY and GROUP BY that name an output
    scopes: dict[int, Scope] = field(default_factory=dict)  # of references and of what resolves types
    labels: set[int] = field(default_factory=set)  # FROM items that are labels, not WITH queries
    kept: list[Message] = field(default_factory=list)
    text_calls: int = 0

    def refusal(self, what: str, message: Message, *, hint: str = PLAINER) -> QueryRefused:
        return refusal(self.statement, what, message, hint=hint)

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────
    def resolve_names(self) -> None:
        """Every reference means a column of a label, a WITH query or a sub-select, by PostgreSQL's rules."""
        self.labels = {id(use.table) for use in self.reading.tables}
        self.scopes = {id(one): scope for one, scope in (*self.reading.expressions, *self.reading.references)}
        for scope in self.reading.scopes:
            for node in scope.select.sort_clause:
                self.name_output(scope, node.sort_by.node, before_inputs=True)
            for node in scope.select.distinct_clause:
                self.name_output(scope, node, before_inputs=True)
            for node in scope.select.group_clause:
                self.name_output(scope, node, before_inputs=False)
        for reference, scope in self.reading.references:
            if id(reference) not in self.positions:
                self.check_reference(reference, scope)

    def name_output(self, scope: Scope, node: pg.Node, *, before_inputs: bool) -> None:
        """ORDER BY looks for an output of that name first, GROUP BY for a column first."""
        reference = node.column_ref if node.HasField("column_ref") else None
        if reference is None or len(reference.fields) != 1:
            return
        name = names(reference.fields)[0]
        outputs = [index for index, (output, _) in enumerate(scope.columns.pairs, start=1) if output == name]
        if not outputs or (not before_inputs and find_column(scope, (name,))):
            return
        if len(outputs) > 1:
            raise self.refusal(f"{name} names {len(outputs)} outputs", reference, hint="Give each its own name by AS.")
        self.kept.append(reference)
        self.positions[id(reference)] = outputs[0]

    def check_reference(self, reference: pg.ColumnRef, scope: Scope) -> None:
        parts = names(reference.fields)
        if "*" in parts or len(parts) > 2:
            raise self.refusal(f"{'.'.join(parts)} is not allowed here", reference, hint="Name the column: label.x.")
        found = find_column(scope, parts)
        if found > 1:
            hint = f"Write which one is meant: label.{parts[-1]}."
            raise SqlInvalid(f"The column {'.'.join(parts)} is ambiguous.", hint=hint)
        if not found:
            known = {name for level in scope.chain() for one in level.relations for name, _ in one.columns.pairs}
            near = nearest(parts[-1], known)
            hint = f"The nearest names are {', '.join(near)}." if near else columns_hint(self.dataset)
            raise not_found(self.statement, f"There is no column {'.'.join(parts)}", reference, hint=hint, nearest=near)

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
        # materialized: one that is named twice, by one that is named twice ..., would be planned 2^n times
        return "WITH " + ", ".join(
            f"{quote(table.ctename)}{self.columns(table.aliascolnames)} AS MATERIALIZED "
            f"({self.query(table.ctequery.select_stmt)})"
            for table in (node.common_table_expr for node in clause.ctes)
            if self.allows_with(table)
        )

    def allows_with(self, table: pg.CommonTableExpr) -> bool:
        if table.HasField("search_clause") or table.HasField("cycle_clause"):
            raise self.refusal("SEARCH and CYCLE are not allowed here", table)
        return True

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
            schema = "main." if id(item) in self.labels else ""
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
        place = self.positions.get(id(node.column_ref)) if node.HasField("column_ref") else None
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
        form = VALUES.get(type(message))
        if form is None:
            kind = type(message).__name__ if message is not None else "an empty value"
            raise self.refusal(
                f"{kind} is not allowed in a combine statement", message or self.reading.scopes[0].select
            )
        return form(self, message)

    def type_of(self, node: pg.Node, parent: Message) -> str:
        scope = self.scopes.get(id(node.column_ref) if node.HasField("column_ref") else id(parent))
        return "" if scope is None else type_of(node, scope, self.dataset)

    def as_text(self, node: pg.Node, parent: Message) -> str:
        """As PostgreSQL casts it to text."""
        printed = self.value(node)
        if node.HasField("a_const") or self.type_of(node, parent) in SAME_AS_TEXT or makes_text(unwrap(node)):
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


def find_column(scope: Scope, parts: tuple[str, ...]) -> int:
    """How many columns a reference may mean: 1, or it is unknown or ambiguous."""
    *qualifier, column = parts
    for level in scope.chain():
        found = [one for one in level.relations if one.source and (not qualifier or one.name == qualifier[-1])]
        counts = [Counter(name for name, _ in one.columns.pairs)[column] for one in found]
        if qualifier and found:
            return max(counts)
        merged = any(column in names(join.using_clause) for join in level.joins)
        if any(counts):
            return 1 if merged and max(counts) == 1 else sum(counts)
    return 0


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
    texts = [node for node in others if makes_text(unwrap(node)) or printer.type_of(node, parent) in TEXT_TYPES]
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
    if name not in OPERATORS:
        raise printer.refusal(f"Operator {name} is not allowed in a combine statement", expression)
    return f"({left} {name} {right})"


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
    matched = f"regexp_matches({printer.value(expression.lexpr)}, {text_literal(regex)}, '{REGEX_OPTIONS[name]}')"
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
    matched = f"regexp_full_match({printer.value(expression.lexpr)}, {text_literal(regex)}, '{options}')"
    return printer.text_call(f"(NOT {matched})" if name.startswith("!") else matched, expression)


def check_length(printer: Printer, expression: pg.A_Expr, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        what = f"A pattern of {len(pattern)} characters is not allowed in a combine statement"
        raise printer.refusal(what, expression, hint=f"Write one of {MAX_PATTERN} at most.")


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
    return isinstance(value, tests) or printer.type_of(cast.arg, cast) == "boolean"


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────
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
        return names(value.funcname)[-1] in {"char_length", "character_length", "length", "position", "strpos"}
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
TEXT_MAKERS: Final = frozenset(
    {
        *TEXT_FUNCTIONS,
        "concat",
        "concat_ws",
        "lpad",
        "replace",
        "rpad",
        "split_part",
        "string_agg",
        "substr",
        "substring",
        "to_char",
    }
)
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
SET_OPERATIONS: Final[Mapping[int, str]] = {
    pg.SETOP_EXCEPT: "EXCEPT",
    pg.SETOP_INTERSECT: "INTERSECT",
    pg.SETOP_UNION: "UNION",
}
JOINS: Final[Mapping[int, str]] = {
    pg.JOIN_FULL: "FULL",
    pg.JOIN_INNER: "INNER",
    pg.JOIN_LEFT: "LEFT",
    pg.JOIN_RIGHT: "RIGHT",
}
GROUPING_SETS: Final[Mapping[int, str]] = {
    pg.GROUPING_SET_CUBE: "CUBE",
    pg.GROUPING_SET_ROLLUP: "ROLLUP",
    pg.GROUPING_SET_SETS: "GROUPING SETS",
}
BOOLEAN_TESTS: Final[Mapping[int, str]] = {
    pg.IS_FALSE: "IS NOT DISTINCT FROM FALSE",
    pg.IS_NOT_FALSE: "IS DISTINCT FROM FALSE",
    pg.IS_NOT_TRUE: "IS DISTINCT FROM TRUE",
    pg.IS_NOT_UNKNOWN: "IS NOT NULL",
    pg.IS_TRUE: "IS NOT DISTINCT FROM TRUE",
    pg.IS_UNKNOWN: "IS NULL",
}
# PostgreSQL's FRAMEOPTION bits (nodes/parsenodes.h)
FRAME_GIVEN: Final = 0x1
FRAME_MODES: Final = {0x2: "RANGE", 0x4: "ROWS", 0x8: "GROUPS"}
FRAME_STARTS: Final = {
    0x20: "UNBOUNDED PRECEDING",
    0x80: "UNBOUNDED FOLLOWING",
    0x200: "CURRENT ROW",
    0x800: "$ PRECEDING",
    0x2000: "$ FOLLOWING",
}
FRAME_ENDS: Final = {
    0x40: "UNBOUNDED PRECEDING",
    0x100: "UNBOUNDED FOLLOWING",
    0x400: "CURRENT ROW",
    0x1000: "$ PRECEDING",
    0x4000: "$ FOLLOWING",
}
FRAME_EXCLUDES: Final = {
    0x8000: " EXCLUDE CURRENT ROW",
    0x10000: " EXCLUDE GROUP",
    0x20000: " EXCLUDE TIES",
}
