"""Stars and outputs without a name, spelt out by PostgreSQL's rules, which are not DuckDB's. Pure.

SELECT *, sum(x) FROM a  ->  SELECT a.k AS k, a.x AS x, sum(x) AS sum FROM a
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from postgast import pg_query_pb2 as pg

from datasets.catalog import DatasetSpec
from querying.sql.duckdb_functions import PLAINER
from querying.sql.labels import read_over
from querying.sql.parse import Statement
from querying.sql.refusals import not_found, refusal
from querying.sql.scopes import MAX_COLUMNS, Relation, Scope, output_columns
from querying.sql.tables import nearest
from querying.sql.walk import names, unwrap


class Source(NamedTuple):
    """A column of a FROM clause; the relation is '' where USING has merged two."""

    relation: str
    column: str


def spell_out(statement: Statement, select: pg.SelectStmt, dataset: DatasetSpec) -> None:
    """SELECT *, sum(x) FROM a  ->  SELECT a.k AS k, a.x AS x, sum(x) AS sum FROM a, in place, at every level."""
    reading = read_over(statement, select, dataset)
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
