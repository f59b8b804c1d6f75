"""The type of a value, where the tree tells it without resolving functions: columns, literals, casts, tests. Pure.

Types are spelt as `format_type` does, without modifiers. It serves safety, not planning: where it says nothing, every
type is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec
from datasets.policies import MOMENTS, NUMBERS
from datasets.vocabulary import Vocabulary
from querying.sql.scopes import Origin, Scope, origin_of
from querying.sql.walk import names, unwrap

CANNOT_TELL: Final = ""
LITERAL: Final = "unknown"  # what PostgreSQL calls a literal that has no type yet
SPELLING: Final[Mapping[str, str]] = {
    "bool": "boolean",
    "bpchar": "character",
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "varchar": "character varying",
}
COMPARISONS: Final = frozenset({"!~", "!~*", "!~~", "!~~*", "<", "<=", "<>", "=", ">", ">=", "~", "~*", "~~", "~~*"})
TESTS: Final = (pg.BoolExpr, pg.BooleanTest, pg.NullTest)
MOMENT_RESULTS: Final = MOMENTS | {"interval", "time with time zone", "time without time zone"}
COMPUTED: Final = (
    NUMBERS
    | MOMENT_RESULTS
    | {
        "box",
        "circle",
        "inet",
        "jsonb",
        "macaddr",
        "macaddr8",
        "money",
        "path",
        "pg_lsn",
        "point",
    }
)
ARITHMETIC: Final = frozenset({"%", "*", "+", "-", "/", "^"})
SAME_TYPE_FUNCTIONS: Final = frozenset({"any_value", "first_value", "lag", "last_value", "lead", "max", "min"})
MOMENT_FUNCTIONS: Final = frozenset(
    {"age", "clock_timestamp", "date_bin", "date_trunc", "make_date", "make_interval", "make_timestamp", "now"}
)
NUMBER_FUNCTIONS: Final = frozenset(
    {
        "abs",
        "avg",
        "ceil",
        "ceiling",
        "corr",
        "count",
        "cume_dist",
        "date_part",
        "dense_rank",
        "div",
        "exp",
        "extract",
        "floor",
        "length",
        "ln",
        "log",
        "mod",
        "ntile",
        "percent_rank",
        "percentile_cont",
        "power",
        "random",
        "rank",
        "round",
        "row_number",
        "sign",
        "sqrt",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "sum",
        "trunc",
        "var_pop",
        "var_samp",
        "variance",
        "width_bucket",
    }
)
RESULTS: Final[Mapping[str, str]] = {
    "char_length": "integer",
    "concat": "text",
    "concat_ws": "text",
    "count": "bigint",
    "date_part": "double precision",
    "dense_rank": "bigint",
    "extract": "numeric",
    "initcap": "text",
    "left": "text",
    "lower": "text",
    "md5": "text",
    "now": "timestamp with time zone",
    "ntile": "integer",
    "rank": "bigint",
    "regexp_replace": "text",
    "replace": "text",
    "right": "text",
    "row_number": "bigint",
    "split_part": "text",
    "string_agg": "text",
    "to_char": "text",
    "to_date": "date",
    "to_jsonb": "jsonb",
    "upper": "text",
}


def type_of(node: pg.Node, scope: Scope, dataset: DatasetSpec) -> str:
    value = unwrap(node)
    if isinstance(value, pg.CoalesceExpr | pg.MinMaxExpr):
        return common_type([simple_type(argument, scope, dataset) for argument in value.args])
    if isinstance(value, pg.CaseExpr):
        results = [when.case_when.result for when in value.args] + [value.defresult]
        return common_type([simple_type(result, scope, dataset) for result in results if result.WhichOneof("node")])
    return simple_type(node, scope, dataset)


def common_type(found: list[str]) -> str:
    """The one type of all that are not literals."""
    kinds = set(found) - {LITERAL}
    return kinds.pop() if len(kinds) == 1 else CANNOT_TELL


def simple_type(node: pg.Node, scope: Scope, dataset: DatasetSpec) -> str:
    """Without looking further inside: a type that takes recursion to tell is not told."""
    value = unwrap(node)
    while isinstance(value, pg.CollateClause):
        value = unwrap(value.arg)
    if isinstance(value, pg.A_Const):
        return type_of_constant(value)
    if isinstance(value, pg.TypeCast):
        return written_type(value.type_name, dataset.vocabulary)
    if isinstance(value, pg.ColumnRef):
        return type_of_column(origin_of(scope, names(value.fields)), dataset)
    if isinstance(value, pg.FuncCall):
        return type_of_call(value, dataset.vocabulary)
    if isinstance(value, TESTS) or (isinstance(value, pg.A_Expr) and value.name[-1].string.sval in COMPARISONS):
        return "boolean"
    return CANNOT_TELL


def possible_types(node: pg.Node) -> frozenset[str]:
    """The only types that a computed value may have among PostgreSQL's own; none where every type is possible."""
    value = unwrap(node)
    while isinstance(value, pg.FuncCall) and value.args and value.funcname[-1].string.sval in SAME_TYPE_FUNCTIONS:
        value = unwrap(value.args[0])
    if isinstance(value, pg.A_Expr):
        if value.kind != pg.AEXPR_OP or value.name[-1].string.sval not in ARITHMETIC:
            return frozenset()
        return MOMENT_RESULTS if is_moment(value.lexpr) or is_moment(value.rexpr) else COMPUTED
    name = value.funcname[-1].string.sval if isinstance(value, pg.FuncCall) else ""
    if name in MOMENT_FUNCTIONS:
        return MOMENT_RESULTS
    return COMPUTED if name in NUMBER_FUNCTIONS else frozenset()


def is_moment(node: pg.Node) -> bool:
    return node.HasField("type_cast") and node.type_cast.type_name.names[-1].string.sval in {"interval", "timestamptz"}


def type_of_constant(constant: pg.A_Const) -> str:
    if constant.HasField("ival"):
        return "integer"
    if constant.HasField("fval"):
        return "numeric"
    return "boolean" if constant.HasField("boolval") else LITERAL


def type_of_column(origin: Origin | None, dataset: DatasetSpec) -> str:
    """The type of a column that is a plain copy of a table's."""
    table = None if origin is None else dataset.by_name.get((origin.schema, origin.table))
    if origin is None or table is None:
        return CANNOT_TELL
    return next((dataset.vocabulary.base_type(item.type) for item in table.columns if item.name == origin.column), "")


def type_of_call(call: pg.FuncCall, vocabulary: Vocabulary) -> str:
    """An added function of the same name might have been meant, so such a name tells nothing."""
    name = call.funcname[-1].string.sval
    return CANNOT_TELL if name in vocabulary.functions else RESULTS.get(name, CANNOT_TELL)


def written_type(type_name: pg.TypeName, vocabulary: Vocabulary) -> str:
    *schemas, name = names(type_name.names)
    own = SPELLING.get(name, name)
    kinds = [item for item in vocabulary.types.get(name, ()) if schemas in ([], [item.schema])]
    return (kinds[0].written if kinds else own) + ("[]" if type_name.array_bounds else "")


def element_of(written: str) -> str:
    return written.removesuffix("[]")
