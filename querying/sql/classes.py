"""Merged classes: filters on a class reach its members, joins go by the values themselves. Pure.

WHERE nccs = 'C/D/E'       a copy over the members goes inside: nccs IN ('C', 'D', 'E'), so that an index serves
WHERE nccs = 'A1'          refused: A1 is shown as A, so nothing would be found
ON u.nccs = d.nccs         compares what is stored, or each class would meet each of its members
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from datasets.catalog import ColumnSpec
from datasets.policies import NUMBERS
from datasets.vocabulary import without_modifier
from querying.sql.carry import carry
from querying.sql.draft import Draft
from querying.sql.refusals import refusal
from querying.sql.scopes import Reading, Relation, Scope, TableUse, origin_of, relation_of
from querying.sql.shown import column_node, in_list
from querying.sql.value_types import LITERAL, type_of_constant, written_type
from querying.sql.walk import names, unwrap

EQUALITIES: Final = frozenset({"<>", "="})
STRICT: Final = frozenset({"<", "<=", "<>", "=", ">", ">="})
# Integers and numerics compare with each other without loss.
EXACT: Final = frozenset({"bigint", "integer", "numeric", "smallint"})
NOTHING_SHOWN: Final = ""  # no label that the caller could mean stands for anything stored but this
PLAIN_TEXTS: Final = frozenset({"character varying", "text"})
BETWEEN: Final = frozenset({pg.AEXPR_BETWEEN, pg.AEXPR_NOT_BETWEEN})


def govern_classes(draft: Draft, reading: Reading) -> None:
    for message, scope in reading.expressions:
        if isinstance(message, pg.A_Expr) and names(message.name)[-1] in EQUALITIES:
            check_comparison(draft, message, scope)
        elif isinstance(message, pg.CaseExpr) and message.HasField("arg"):
            values = [value for when in message.args for value in texts_of(when.case_when.expr)]
            check_values(draft, message, column_of(draft, message.arg, scope), values)
    check_joins(draft, reading)


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────
def check_comparison(draft: Draft, expression: pg.A_Expr, scope: Scope) -> None:
    left, right = (column_of(draft, side, scope) for side in (expression.lexpr, expression.rexpr))
    check_values(draft, expression, left, texts_of(expression.rexpr))
    check_values(draft, expression, right, texts_of(expression.lexpr))
    both = expression.lexpr.HasField("column_ref") and expression.rexpr.HasField("column_ref")
    if not both or expression.kind != pg.AEXPR_OP:
        return
    for side in (expression.lexpr, expression.rexpr):
        check_covered(draft, side, scope)
    if any(column is not None and column.classes for column in (left, right)):
        for side in (expression.lexpr, expression.rexpr):
            compare_stored(draft, side, scope)


def check_covered(draft: Draft, side: pg.Node, scope: Scope) -> None:
    """Inside `(a JOIN b ON ...) AS j` a column is not told apart from the names that j covers."""
    name = names(side.column_ref.fields)[-1]
    for relation in scope.relations:
        use = relation.source
        if (
            relation.hidden
            and isinstance(use, TableUse)
            and any(column.name == name and column.classes for column in use.spec.visible_columns)
        ):
            raise not_by_class(draft, side, name)


def column_of(draft: Draft, node: pg.Node, scope: Scope) -> ColumnSpec | None:
    """The table column that this is a plain copy of."""
    origin = origin_of(scope, names(node.column_ref.fields)) if node.HasField("column_ref") else None
    table = None if origin is None else draft.dataset.by_name.get((origin.schema, origin.table))
    if origin is None or table is None:
        return None
    return next((column for column in table.visible_columns if column.name == origin.column), None)


def check_values(draft: Draft, message: Message, column: ColumnSpec | None, values: list[str]) -> None:
    if column is None or not column.classes:
        return
    labels = {label for label, _ in column.classes}
    for label, members in column.classes:
        for value in members:
            if value in values and value not in labels:
                what = f"{column.name} {value!r} is shown as part of {label!r} ({', '.join(members)})"
                raise refusal(draft.statement, what, message, hint=f"Write {column.name} = '{label}'.")


def texts_of(node: pg.Node) -> list[str]:
    """The text constants of `'a'`, `('a', 'b')`, `ARRAY['a', 'b']` and `'a'::text`."""
    value = unwrap(node)
    while isinstance(value, pg.TypeCast):
        value = unwrap(value.arg)
    if isinstance(value, pg.A_Const):
        return [value.sval.sval] if value.HasField("sval") else []
    items = value.items if isinstance(value, pg.List) else value.elements if isinstance(value, pg.A_ArrayExpr) else ()
    return [item.a_const.sval.sval for item in items if item.a_const.HasField("sval")]


def compare_stored(draft: Draft, side: pg.Node, scope: Scope) -> None:
    """Let this side of a join be the value as stored."""
    parts = names(side.column_ref.fields)
    relation = relation_of(scope, parts)
    column = column_of(draft, side, scope)
    if column is not None and not column.classes:
        return
    if relation is None or column is None or not isinstance(relation.source, TableUse) or relation.hidden:
        raise not_by_class(draft, side, parts[-1])
    if not is_plain_text(draft, column):
        raise not_by_class(draft, side, parts[-1])
    stored = stored_name(relation, parts[-1])
    side.column_ref.CopyFrom(column_node(relation.name, carry(relation.source, stored)).column_ref)


def is_plain_text(draft: Draft, column: ColumnSpec) -> bool:
    """Neither an enum, which knows its own labels only, nor padded with blanks."""
    return draft.dataset.vocabulary.base_type(column.type) in PLAIN_TEXTS


def stored_name(relation: Relation, name: str) -> str:
    origin = relation.columns.by_name[name]
    return name if origin is None else origin.column


def check_joins(draft: Draft, reading: Reading) -> None:
    """USING and NATURAL show one column for both sides, so they cannot compare what is stored."""
    for scope in reading.scopes:
        common = common_names(scope) if any(join.is_natural for join in scope.joins) else set()
        joined = {name for join in scope.joins for name in names(join.using_clause)} | common
        for join in scope.joins[:1]:
            for name in joined:
                for relation in scope.relations:
                    origin = relation.columns.by_name.get(name)
                    table = origin and draft.dataset.by_name.get((origin.schema, origin.table))
                    if table and origin and any(item.name == origin.column and item.classes for item in table.columns):
                        raise not_by_class(draft, join, name)


def common_names(scope: Scope) -> set[str]:
    count = Counter(name for relation in scope.relations for name in set(relation.columns.by_name))
    return {name for name, times in count.items() if times > 1}


def not_by_class(draft: Draft, message: Message, name: str) -> QueryRefused:
    return refusal(
        draft.statement,
        f"{name} is shown in merged classes, so it cannot be joined on here",
        message,
        hint=f"Join the tables themselves with ON a.{name} = b.{name}, or join on a key.",
    )


# ── filters that go inside ───────────────────────────────────────────────────────────────────────────────────
def push_filters(draft: Draft, reading: Reading) -> None:
    """Copies of plain conditions go into the sub-selects that would otherwise keep an index from serving them."""
    for scope in reading.scopes:
        for condition in conjuncts(scope.select.where_clause):
            for side, other in sides_of(condition):
                push_filter(draft, scope, condition, side, other)


def conjuncts(where: pg.Node) -> Iterator[pg.Node]:
    stack = [where]
    while stack:
        node = stack.pop()
        if node.HasField("bool_expr") and node.bool_expr.boolop == pg.AND_EXPR:
            stack.extend(node.bool_expr.args)
        elif node.WhichOneof("node"):
            yield node


def sides_of(condition: pg.Node) -> Iterator[tuple[pg.Node, pg.Node]]:
    """The column and the constant of `column < constant` and its kin; no other condition can do no harm."""
    expression = condition.a_expr
    if not condition.HasField("a_expr") or names(expression.name)[-1] not in STRICT | {"BETWEEN", "NOT BETWEEN"}:
        return
    if expression.kind not in BETWEEN | {pg.AEXPR_IN, pg.AEXPR_OP}:
        return
    for side, other in ((expression.lexpr, expression.rexpr), (expression.rexpr, expression.lexpr)):
        if side.HasField("column_ref") and is_constant(other):
            yield side, other


def is_constant(node: pg.Node) -> bool:
    value = unwrap(node)
    if isinstance(value, pg.TypeCast):
        value = unwrap(value.arg)
    return isinstance(value, pg.A_Const) or (isinstance(value, pg.List) and all(map(is_constant, value.items)))


def is_harmless(draft: Draft, node: pg.Node, base: str) -> bool:
    """Compared without changing the column's type: a conversion could fail on a row that the caller may not see."""
    value = unwrap(node)
    if isinstance(value, pg.List):
        return all(is_harmless(draft, item, base) for item in value.items)
    if isinstance(value, pg.TypeCast):
        return written_type(value.type_name, draft.dataset.vocabulary) == base
    kind = type_of_constant(value)
    return kind in (LITERAL, base) or (kind in NUMBERS and base in EXACT)


def plain_texts(node: pg.Node) -> list[str]:
    """The texts of `'a'` and `('a', 'b')`; none where anything else stands among them."""
    value = unwrap(node)
    items = list(value.items) if isinstance(value, pg.List) else [node]
    texts = [item.a_const.sval.sval for item in items if item.a_const.HasField("sval")]
    return texts if len(texts) == len(items) else []


def push_filter(draft: Draft, scope: Scope, condition: pg.Node, side: pg.Node, other: pg.Node) -> None:
    parts = names(side.column_ref.fields)
    relation = relation_of(scope, parts)
    if relation is None or relation.hidden or not isinstance(relation.source, TableUse):
        return
    use = relation.source
    if not any(item is relation for item in scope.relations):
        return  # an outer SELECT's
    stored = stored_name(relation, parts[-1])
    column = next((item for item in use.spec.visible_columns if item.name == stored), None)
    if column is None or column.mask is not None or not (column.classes or use.spec.row_rule):
        return
    base = draft.dataset.vocabulary.base_type(column.type)
    if column.classes:
        labels = plain_texts(other)
        if labels and base in PLAIN_TEXTS and is_equality(condition.a_expr):
            use.filters.append(in_list(column_node(stored), members_of(column, labels)))
        return
    if base != without_modifier(column.type) or not is_harmless(draft, other, base):
        return
    inside = pg.Node()
    inside.CopyFrom(condition)
    for kept in (inside.a_expr.lexpr, inside.a_expr.rexpr):
        if kept.HasField("column_ref"):
            kept.CopyFrom(column_node(stored))
    use.filters.append(inside)


def is_equality(expression: pg.A_Expr) -> bool:
    return expression.kind in (pg.AEXPR_IN, pg.AEXPR_OP) and names(expression.name)[-1] == "="


def members_of(column: ColumnSpec, labels: list[str]) -> tuple[str, ...]:
    """What is stored where these labels are shown: a label stands for itself too, unless another class has it."""
    found: list[str] = []
    for label in labels:
        taken = any(label in members for other, members in column.classes if other != label)
        found += [member for other, members in column.classes if other == label for member in members]
        found += [] if taken else [label]
    return tuple(dict.fromkeys(found)) or (NOTHING_SHOWN,)
