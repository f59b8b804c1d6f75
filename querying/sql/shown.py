"""What a governed sub-select shows in a column's place: its value, a class, a mask. Built from templates. Pure.

email     ->  left(encode(sha256(...), 'hex'), 16) AS email
nccs      ->  CASE WHEN nccs IN ('A', 'A1') THEN 'A' ... ELSE nccs END AS nccs
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import ColumnSpec
from datasets.policies import Mask
from datasets.vocabulary import Vocabulary, without_modifier
from querying.sql.parse import parse_tree
from querying.sql.walk import children, unwrap, walk

# $1 is the column, $2 the mask's parameter.
TEMPLATES: Final[Mapping[str, str]] = {
    "bucket_date": "pg_catalog.date_trunc($2, $1)",
    "bucket_number": "pg_catalog.floor($1::pg_catalog.numeric OPERATOR(pg_catalog./) $2::pg_catalog.numeric)"
    " OPERATOR(pg_catalog.*) $2::pg_catalog.numeric",
    "hash": """pg_catalog."left"(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        $2 OPERATOR(pg_catalog.||) $1::pg_catalog.text, 'UTF8')), 'hex'), 16)""",
    "last_four": """CASE WHEN pg_catalog.length($1::pg_catalog.text) OPERATOR(pg_catalog.>) 4
        THEN '****' OPERATOR(pg_catalog.||) pg_catalog."right"($1::pg_catalog.text, 4)
        WHEN $1 IS NOT NULL THEN '****' END""",
    "null": "NULL",
    "year": "EXTRACT(year FROM $1)::pg_catalog.int4",
}


def shown_value(column: ColumnSpec, vocabulary: Vocabulary, salt: str) -> pg.Node:
    """The expression over the table's own column; a plain column where nothing is to be done."""
    own = column_node(column.name)
    base = vocabulary.base_type(column.type)
    if column.mask is not None:
        return masked(own, column.mask, base, salt)
    if column.classes:
        return merged(own, column)
    # without its domain a value cannot bring the domain's checks along, and an index still serves
    return own if base == without_modifier(column.type) else cast(own, base)


def masked(own: pg.Node, mask: Mask, base: str, salt: str) -> pg.Node:
    if mask.kind == "hash":
        return fill(TEMPLATES["hash"], own, text_node(salt))
    if mask.kind != "bucket":
        filled = fill(TEMPLATES[mask.kind], own)
        return cast(filled, base) if mask.kind == "null" else filled
    if mask.unit is not None:
        return cast(fill(TEMPLATES["bucket_date"], own, text_node(mask.unit)), base)
    return cast(fill(TEMPLATES["bucket_number"], own, text_node(f"{mask.width:.17g}")), base)


def merged(own: pg.Node, column: ColumnSpec) -> pg.Node:
    case = pg.CaseExpr(location=-1)
    plain = cast(own, "text")
    for label, members in column.classes:
        if not members:
            continue
        when = case.args.add().case_when
        when.expr.CopyFrom(in_list(plain, members))
        when.result.CopyFrom(text_node(label))
    case.defresult.CopyFrom(plain)
    return pg.Node(case_expr=case)


def in_list(own: pg.Node, values: tuple[str, ...]) -> pg.Node:
    if not values:
        raise ValueError("IN takes one value or more")  # the printer would read past the end of an empty list
    items = pg.Node(list=pg.List(items=[text_node(value) for value in values]))
    name = [pg.Node(string=pg.String(sval="="))]
    return pg.Node(a_expr=pg.A_Expr(kind=pg.AEXPR_IN, name=name, lexpr=own, rexpr=items, location=-1))


def fill(template: str, *values: pg.Node) -> pg.Node:
    """The template with its parameters replaced by these nodes."""
    node = pg.Node()
    node.ParseFromString(template_bytes(template))
    for parent in (node, *walk(node)):
        for child in (parent, *children(parent)):
            if isinstance(child, pg.Node) and child.HasField("param_ref"):
                child.CopyFrom(values[child.param_ref.number - 1])
    return node


@lru_cache(maxsize=256)
def template_bytes(template: str) -> bytes:
    return bytes(expression_of(f"SELECT {template}").SerializeToString())


def expression_of(sql: str) -> pg.Node:
    """The first output of a SELECT that we wrote ourselves, without places."""
    select: Any = unwrap(parse_tree(sql).stmts[0].stmt)  # Any: one of 270 message types
    for message in walk(select):
        if hasattr(message, "location"):
            message.location = -1
    value: pg.Node = select.target_list[0].res_target.val
    return value


def cast(node: pg.Node, written: str) -> pg.Node:
    """`written` is a type as `format_type` spells it: valid SQL, quoted where it must be."""
    return fill(f"$1::{qualified(written)}", node)


def qualified(written: str) -> str:
    """`text` is any schema's; `pg_catalog.text` is PostgreSQL's own. Types of the grammar are so already."""
    element = written.removesuffix("[]")
    own = element.strip('"').isidentifier() and element not in GRAMMAR_TYPES
    return f"pg_catalog.{WITHOUT_LENGTH.get(written, written)}" if own else written


GRAMMAR_TYPES: Final = frozenset({"bigint", "boolean", "integer", "interval", "numeric", "real", "smallint"})
# In the grammar `character` is character(1).
WITHOUT_LENGTH: Final[Mapping[str, str]] = {"character": "bpchar", "character[]": "bpchar[]"}


def column_node(*parts: str) -> pg.Node:
    fields = [pg.Node(string=pg.String(sval=part)) for part in parts]
    return pg.Node(column_ref=pg.ColumnRef(fields=fields, location=-1))


def text_node(value: str) -> pg.Node:
    return pg.Node(a_const=pg.A_Const(sval=pg.String(sval=value), location=-1))
