"""What may run at all: one SELECT, or EXPLAIN without ANALYZE, made of allowed nodes, functions, operators, types.

Every message of the tree is looked at, so it does not matter where something hides. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from datasets.vocabulary import Vocabulary
from querying.sql.added_names import BUILT_IN, added_types, function_schemas, operator_schemas, type_schemas
from querying.sql.allowed_functions import ALLOWED_FUNCTIONS, ALLOWED_SETTINGS
from querying.sql.allowed_nodes import ALLOWED_NODES
from querying.sql.allowed_types import ALLOWED_TYPES
from querying.sql.column_notation import REFUSED_AFTER_A_DOT
from querying.sql.draft import RESERVED, Draft
from querying.sql.hints import FUNCTION_HINTS, NODE_HINTS, NODE_NAMES
from querying.sql.information_schema import INFORMATION_COLUMNS, INFORMATION_TABLES
from querying.sql.information_schema import SCHEMA as INFORMATION_SCHEMA
from querying.sql.output_names import OUTPUT_NAMES
from querying.sql.parse import Statement
from querying.sql.refusals import not_found, refusal
from querying.sql.stored_sql import fault_of_domain
from querying.sql.tables import DESCRIBE, nearest
from querying.sql.walk import kind_of, names, unwrap, walk

SYSTEM_SCHEMAS: Final = frozenset({"information_schema", "pg_catalog", "pg_temp", "pg_toast"})
SAMPLING_METHODS: Final = frozenset({"bernoulli", "system"})
BOOLEANS: Final = frozenset({"", "0", "1", "false", "off", "on", "true"})
FALSE: Final = frozenset({"0", "false", "off"})
EXPLAIN_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "analyze": FALSE,
    "buffers": BOOLEANS,
    "costs": BOOLEANS,
    "format": frozenset({"json", "text", "xml", "yaml"}),
    "memory": BOOLEANS,
    "settings": FALSE,
    "summary": BOOLEANS,
    "timing": FALSE,
    "verbose": BOOLEANS,
    "wal": FALSE,
}
CATALOGUE_HINT: Final = f"{DESCRIBE} Or read information_schema.tables, columns, table_constraints or key_column_usage."
SETTINGS_HINT: Final = f"Settings that can be read: {', '.join(sorted(ALLOWED_SETTINGS))}."
ONE_SELECT: Final = "Write one SELECT over the dataset's tables; nothing can be changed."


@dataclass
class Inspection:
    """One statement under inspection: what its walk collects."""

    statement: Statement
    vocabulary: Vocabulary
    known: set[str]  # names that may stand after a dot
    printed: bool = False
    fields: list[tuple[Message, str]] = field(default_factory=list)  # the names that do

    def learn(self, message: Message, given: Iterable[str]) -> None:
        """Names that the statement gives itself."""
        self.check_reserved(message, given)
        self.known.update(given)

    def check_reserved(self, message: Message, given: Iterable[str]) -> None:
        """In the caller's own text; what we print may use our names."""
        if not self.printed and any(name.startswith(RESERVED) for name in given):
            raise self.refusal(f"Names that begin with {RESERVED} are reserved", message, hint="Choose another name.")

    def refusal(self, what: str, message: Message, *, hint: str = ONE_SELECT) -> QueryRefused:
        return refusal(self.statement, what, message, hint=hint)


def guard(draft: Draft) -> Draft:
    """Raise `QueryRefused`, by name and place, unless everything in the statement is on an allow-list."""
    statement = draft.statement
    show_as_select(statement.tree.stmts[0].stmt)
    root = unwrap(statement.tree.stmts[0].stmt)
    vocabulary = draft.dataset.vocabulary
    known = {*draft.dataset.visible_names, *vocabulary.attributes, *INFORMATION_COLUMNS}
    inspection = Inspection(statement, vocabulary, known, draft.printed)
    check_root(inspection, root)
    messages = walk(root)
    for message in messages:
        CHECKS.get(type(message), refuse_node)(inspection, message)
    for message, name in inspection.fields:
        check_field(inspection, message, name)
    return replace(draft, messages=tuple(messages))


def show_as_select(node: pg.Node) -> None:
    """SHOW timezone  ->  SELECT current_setting('timezone') AS timezone"""
    name = node.variable_show_stmt.name.lower()
    if name not in ALLOWED_SETTINGS:
        return
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    target = select.target_list.add().res_target
    target.name = name
    call = target.val.func_call
    call.funcname.add().string.sval = "current_setting"
    call.args.add().a_const.sval.sval = name
    call.funcformat = pg.COERCE_EXPLICIT_CALL
    node.select_stmt.CopyFrom(select)


def refuse_node(inspection: Inspection, message: Message) -> None:
    kind = kind_of(message)
    raise inspection.refusal(f"{node_name(kind)} is not allowed", message, hint=NODE_HINTS.get(kind, ONE_SELECT))


def allow(inspection: Inspection, message: Message) -> None:
    """Nothing but its type matters."""


def know_name(attribute: str) -> Check:
    """The statement gives this name itself, so `x.name` may use it."""

    def check(inspection: Inspection, message: Any) -> None:  # Any: one message type each
        inspection.learn(message, (getattr(message, attribute),))

    return check


def check_alias(inspection: Inspection, alias: pg.Alias) -> None:
    inspection.learn(alias, (alias.aliasname, *names(alias.colnames)))


def check_cycle(inspection: Inspection, clause: pg.CTECycleClause) -> None:
    inspection.learn(clause, (clause.cycle_mark_column, clause.cycle_path_column))


def check_root(inspection: Inspection, root: Any) -> None:  # Any: one of 270 message types
    kind = kind_of(root)
    if kind == "ExplainStmt":
        check_explain(inspection, root)
    elif kind == "VariableShowStmt":
        raise inspection.refusal(f"SHOW {root.name} is not allowed", root, hint=SETTINGS_HINT)
    elif kind != "SelectStmt":
        line, column = inspection.statement.place(-1)
        raise QueryRefused(
            f"{node_name(kind)} is not allowed (line {line}, column {column}).",
            hint=NODE_HINTS.get(kind, ONE_SELECT),
            line=line,
            column=column,
        )


def check_explain(inspection: Inspection, explain: pg.ExplainStmt) -> None:
    inner = unwrap(explain.query)
    if kind_of(inner) != "SelectStmt":
        raise inspection.refusal(f"EXPLAIN of {node_name(kind_of(inner))} is not allowed", inner)
    for option in (node.def_elem for node in explain.options):
        if option_value(option) not in EXPLAIN_OPTIONS.get(option.defname, ()):
            raise inspection.refusal(
                f"EXPLAIN option {option.defname.upper()} is not allowed",
                option,
                hint="Write EXPLAIN SELECT ..., or EXPLAIN (FORMAT json, VERBOSE, COSTS off) SELECT ...",
            )


def option_value(option: pg.DefElem) -> str:
    value = unwrap(option.arg)
    if isinstance(value, pg.Integer):
        return str(value.ival)
    return value.sval.lower() if isinstance(value, pg.String) else "" if value is None else "?"


def check_select(inspection: Inspection, select: pg.SelectStmt) -> None:
    if select.HasField("into_clause"):
        raise inspection.refusal(
            "SELECT INTO is not allowed", select.into_clause, hint="Leave out INTO; the rows come back as the answer."
        )
    if select.locking_clause:
        raise inspection.refusal(
            "A row lock (FOR UPDATE, FOR SHARE) is not allowed",
            select.locking_clause[0].locking_clause,
            hint="Leave out FOR UPDATE / FOR SHARE.",
        )


def check_function(inspection: Inspection, call: pg.FuncCall) -> None:
    parts = names(call.funcname)
    if parts[-1] == "current_setting" and parts[:-1] in ((), (BUILT_IN,)):
        check_setting(inspection, call)
    found = function_schemas(parts, inspection.vocabulary)
    if not found and parts[-1] in {*ALLOWED_FUNCTIONS, *inspection.vocabulary.shadowed}:
        what = f"{'.'.join(parts)}() is not allowed: a function that nobody approved shares its name"
        raise inspection.refusal(what, call, hint="Ask an administrator to approve that function for this dataset.")
    if not found:
        raise inspection.refusal(f"{'.'.join(parts)}() is not allowed", call, hint=function_hint(parts))
    if len(found) > 1 and BUILT_IN not in found:
        raise ambiguous(inspection, call, f"{parts[-1]}()", found)


def ambiguous(inspection: Inspection, message: Message, what: str, schemas: tuple[str, ...]) -> QueryRefused:
    return inspection.refusal(
        f"{what} stands in several schemas", message, hint=f"Write its schema, one of {', '.join(schemas)}."
    )


def check_setting(inspection: Inspection, call: pg.FuncCall) -> None:
    wanted = call.args[0].a_const.sval.sval.lower() if call.args else ""
    if len(call.args) > 2 or wanted not in ALLOWED_SETTINGS:
        raise inspection.refusal(f"current_setting('{wanted}') is not allowed", call, hint=SETTINGS_HINT)


def function_hint(parts: tuple[str, ...]) -> str:
    *schemas, name = parts
    if schemas not in ([], [BUILT_IN]):
        return (
            "Functions of the database itself run only when an administrator has approved them for the dataset. "
            f"Write one of PostgreSQL's own{such_as(name)}."
        )
    for pattern, hint in FUNCTION_HINTS:
        if re.fullmatch(pattern, name):
            return hint
    return f"Use PostgreSQL's built-in functions for numbers, text, dates, JSON, arrays and aggregation{such_as(name)}."


def such_as(name: str) -> str:
    near = nearest(name, ALLOWED_FUNCTIONS)
    return f", such as {', '.join(near)}" if near else ""


def domains_of(inspection: Inspection, parts: tuple[str, ...], schemas: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the domains of this name, '' for nothing."""
    for kind in added_types(parts[-1], inspection.vocabulary):
        if kind.kind == "domain" and kind.schema in schemas:
            yield fault_of_domain(kind, inspection.vocabulary)


def check_type(inspection: Inspection, type_name: pg.TypeName) -> None:
    parts = names(type_name.names)
    found = type_schemas(parts, inspection.vocabulary)
    fault = next(filter(None, domains_of(inspection, parts, found)), "")
    if not found or fault or type_name.setof or type_name.pct_type:
        raise inspection.refusal(
            f"Type {'.'.join(parts)} is not allowed" + (f": it {fault}" if fault else ""),
            type_name,
            hint="Use PostgreSQL's own data types, such as text, integer, numeric, date, timestamptz, jsonb. "
            "A column of another type can be compared as it is, or cast to text.",
        )
    if len(found) > 1 and BUILT_IN not in found:
        raise ambiguous(inspection, type_name, f"Type {parts[-1]}", found)


def check_operator_name(inspection: Inspection, message: Message, parts: tuple[str, ...]) -> None:
    if not operator_schemas(parts, inspection.vocabulary):
        raise inspection.refusal(
            f"Operator {'.'.join(parts)} is not allowed",
            message,
            hint="Use PostgreSQL's own operators, without a schema.",
        )


def check_expression(inspection: Inspection, expression: pg.A_Expr) -> None:
    # BETWEEN, IN, LIKE and the like carry their keyword or a built-in operator as their name.
    if expression.kind not in (pg.AEXPR_BETWEEN, pg.AEXPR_NOT_BETWEEN, pg.AEXPR_BETWEEN_SYM, pg.AEXPR_NOT_BETWEEN_SYM):
        check_operator_name(inspection, expression, names(expression.name))


def check_sublink(inspection: Inspection, link: pg.SubLink) -> None:
    if link.oper_name:
        check_operator_name(inspection, link, names(link.oper_name))


def check_sort(inspection: Inspection, sort: pg.SortBy) -> None:
    if sort.use_op:
        check_operator_name(inspection, sort, names(sort.use_op))


def check_collation(inspection: Inspection, clause: pg.CollateClause) -> None:
    parts = names(clause.collname)
    if parts[:-1] not in ((), (BUILT_IN,)):
        raise inspection.refusal(f"Collation {'.'.join(parts)} is not allowed", clause, hint='Write COLLATE "C".')


def check_column(inspection: Inspection, reference: pg.ColumnRef) -> None:
    inspection.check_reserved(reference, names(reference.fields))
    if len(reference.fields) > 1 and reference.fields[-1].HasField("string"):
        inspection.fields.append((reference, reference.fields[-1].string.sval))


def check_indirection(inspection: Inspection, indirection: pg.A_Indirection) -> None:
    inspection.fields += [
        (indirection, node.string.sval) for node in indirection.indirection if node.HasField("string")
    ]


def check_field(inspection: Inspection, message: Message, name: str) -> None:
    """`x.name` calls name(x) when x has no such column, so it is held to the same list as calls."""
    planted = BUILT_IN in inspection.vocabulary.refused_functions.get(name, ())
    if planted or name in REFUSED_AFTER_A_DOT or name.startswith("pg_"):
        hint = function_hint((name,))
        raise inspection.refusal(f".{name} is not allowed: it would call {name}()", message, hint=hint)
    if name in ALLOWED_FUNCTIONS or name in ALLOWED_TYPES or name in OUTPUT_NAMES:
        return
    if name not in inspection.known:
        near = nearest(name, inspection.known)
        hint = f"The nearest names are {', '.join(near)}." if near else DESCRIBE
        raise not_found(inspection.statement, f"There is no column {name}", message, hint=hint, nearest=near)


def check_table(inspection: Inspection, table: pg.RangeVar) -> None:
    schema = table.schemaname
    if schema == INFORMATION_SCHEMA and table.relname in INFORMATION_TABLES:
        return
    if schema in SYSTEM_SCHEMAS or schema.startswith("pg_") or (not schema and table.relname.startswith("pg_")):
        name = f"{schema}.{table.relname}" if schema else table.relname
        raise inspection.refusal(f"The system catalogue cannot be read: {name}", table, hint=CATALOGUE_HINT)


def check_common_table(inspection: Inspection, table: pg.CommonTableExpr) -> None:
    inspection.learn(table, (table.ctename, *names(table.aliascolnames)))
    if table.ctename.startswith("pg_"):
        # Were its scope ever misjudged, the name would fall through to the system catalogue.
        raise inspection.refusal(
            f"A WITH query cannot be named {table.ctename}", table, hint="Choose a name without pg_."
        )


def check_sample(inspection: Inspection, sample: pg.RangeTableSample) -> None:
    *schemas, name = names(sample.method)
    if schemas not in ([], [BUILT_IN]) or name not in SAMPLING_METHODS:
        raise inspection.refusal(
            f"TABLESAMPLE {name} is not allowed", sample, hint="Write TABLESAMPLE BERNOULLI (percent)."
        )


def check_definition(inspection: Inspection, option: pg.DefElem) -> None:
    root = unwrap(inspection.statement.tree.stmts[0].stmt)
    if not isinstance(root, pg.ExplainStmt) or not any(node.def_elem is option for node in root.options):
        raise inspection.refusal(f"Option {option.defname} is not allowed", option)


def node_name(kind: str) -> str:
    """How people call a node type: 'CreateTableAsStmt' is CREATE TABLE AS."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.removesuffix("Stmt")).upper()
    return NODE_NAMES.get(kind, words)


Check = Callable[[Inspection, Any], None]  # Any: one message type each
SPECIAL: Final[Mapping[str, Check]] = {
    "A_Expr": check_expression,
    "A_Indirection": check_indirection,
    "Alias": check_alias,
    "CTECycleClause": check_cycle,
    "CTESearchClause": know_name("search_seq_column"),
    "CollateClause": check_collation,
    "ColumnDef": know_name("colname"),
    "ColumnRef": check_column,
    "CommonTableExpr": check_common_table,
    "DefElem": check_definition,
    "FuncCall": check_function,
    "JsonTableColumn": know_name("name"),
    "RangeTableFuncCol": know_name("colname"),
    "RangeTableSample": check_sample,
    "RangeVar": check_table,
    "ResTarget": know_name("name"),
    "SelectStmt": check_select,
    "SortBy": check_sort,
    "SubLink": check_sublink,
    "TypeName": check_type,
}
CHECKS: Final[Mapping[type[Message], Check]] = {
    getattr(pg, kind): SPECIAL.get(kind, allow) for kind in sorted(ALLOWED_NODES)
}
