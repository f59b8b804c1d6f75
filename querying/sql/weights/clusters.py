"""Sums by PSU and by stratum between the rows and the groups, for errors of a stratified and clustered sample. Pure.

SELECT g, sum(w) FROM u GROUP BY g
SELECT b.g, sum(b.t) FROM (SELECT a.g, a.s, sum(a.t) AS t, sum(a.t * a.t) AS q
                           FROM (SELECT g, s, p, sum(w) AS t FROM u GROUP BY g, s, p) a
                           GROUP BY a.g, a.s) b GROUP BY b.g

The variance of total t is the sum over strata of n / (n - 1) * (q - t * t / n), n PSUs in the stratum (ultimate
cluster, with replacement: R's svydesign(~psu, strata = ~stratum, nest = TRUE)). PSUs without anybody of the group add 0
and are counted in n.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from postgast import pg_query_pb2 as pg

from querying.sql.govern import target_node
from querying.sql.shown import column_node, text_node
from querying.sql.stars import output_name
from querying.sql.weights.evidence import Sums, evidence_node, text_of, weighted_sum
from querying.sql.weights.nodes import all_of
from querying.sql.weights.pieces import name_of, sql
from querying.sql.weights.shapes import is_aggregate
from querying.sql.weights.sources import computed, own_nodes

# of one PSU, and of its sums: the same function, or another
ADDED: Final[Mapping[str, str]] = {
    "bit_and": "bit_and($1)",
    "bit_or": "bit_or($1)",
    "bool_and": "bool_and($1)",
    "bool_or": "bool_or($1)",
    "count": "COALESCE(sum($1), 0)",
    "every": "every($1)",
    "max": "max($1)",
    "min": "min($1)",
    "sum": "sum($1)",
}
# of rows that an outer join made for nobody there is no stratum; of a stratum that came later no number is known
PSUS: Final = "($1::jsonb ->> $2)::float8"
PART: Final = (
    "sum(CASE WHEN $2 IS NULL THEN 0 ELSE COALESCE({n} / ({n} - 1), 'NaN'::float8) "
    "* (COALESCE($3, 0) - COALESCE($4, 0) * COALESCE($5, 0) / {n}) END)"
).replace("{n}", PSUS)


@dataclass
class Groups:
    """What a SELECT is grouped by: `clause` as it stands there, `items` with their names inside.

    `places` are the nodes in its outputs that stand for an item or for another value of the group, by name. Where one
    of several grouping sets is empty, there is a row even if there are no rows: `of_nothing` are the values of
    GROUPING() in it, by name, the last of which tells the sets apart.
    """

    clause: Sequence[pg.Node]
    items: Mapping[str, pg.Node]
    places: list[tuple[pg.Node, str]] = field(default_factory=list)
    of_nothing: Mapping[str, int] = field(default_factory=dict)

    def within(self, alias: str) -> Groups:
        """The same groups, once the SELECT reads them from a sub-select."""
        for node, name in self.places:
            node.CopyFrom(column_node(alias, name))
        items = {name: column_node(alias, name) for name in self.items}
        return Groups(list(items.values()), items, self.places, self.of_nothing)

    def finish(self, select: pg.SelectStmt) -> None:
        """Let the SELECT, which reads its groups from a sub-select, give the row of the empty grouping set."""
        if not self.of_nothing:
            return
        for node, name in self.places:
            if name in self.of_nothing:
                node.CopyFrom(sql(f"COALESCE($1, {self.of_nothing[name]})", node))
        row = pg.RowExpr(args=list(self.items.values()), row_format=pg.COERCE_IMPLICIT_CAST, location=-1)
        sets = [
            pg.Node(row_expr=row),
            pg.Node(grouping_set=pg.GroupingSet(kind=pg.GROUPING_SET_EMPTY, location=-1)),
        ]
        del select.group_clause[:]
        select.group_clause.add().grouping_set.CopyFrom(
            pg.GroupingSet(kind=pg.GROUPING_SET_SETS, content=sets, location=-1)
        )
        which = self.items[list(self.of_nothing)[-1]]
        is_set = pg.Node(grouping_func=pg.GroupingFunc(args=[which], location=-1))
        wanted = sql("$1 = 0 OR count(*) = 0", is_set)
        having = all_of([select.having_clause, wanted]) if select.HasField("having_clause") else wanted
        select.having_clause.CopyFrom(pg.Node.FromString(having.SerializeToString()))


@dataclass(frozen=True)
class Clusters:
    """Of each row: its stratum and PSU as text, NULL where it is nobody's; `psus` are the numbers of PSUs."""

    stratum: pg.Node
    psu: pg.Node | None
    psus: Mapping[str, int]


def give_evidence(
    select: pg.SelectStmt,
    sums: Sums,
    weight: pg.Node,
    clusters: Clusters | None,
    groups: Groups | None,
    *,
    name: str,
    new_name: Callable[[], str],
) -> Groups | None:
    """The last output of a SELECT whose rows are a person each and whose estimates stand in their places.

    Gives the groups as the SELECT then has them.
    """
    nested = clusters is not None and groups is not None and sums.pairs
    select.target_list.append(target_node(evidence_node(sums, weight, with_pairs=not nested), name))
    if nested:
        assert clusters is not None
        assert groups is not None
        return add_clustered_pairs(select, sums, weight, clusters, groups, new_name=new_name)
    return groups


def own_aggregates(select: pg.SelectStmt) -> list[pg.Node]:
    return [node for node in own_nodes(*computed(select)) if is_aggregate(node)]


def half_of(node: pg.Node) -> str:
    """What adds up the aggregate's values of parts; '' where nothing does."""
    call = node.func_call
    is_plain = node.HasField("func_call") and not (call.agg_distinct or call.agg_order or call.agg_within_group)
    return ADDED.get(name_of(call), "") if is_plain else ""


def nest(
    select: pg.SelectStmt,
    groups: Groups,
    keys: Mapping[str, pg.Node],
    *,
    more: Mapping[str, pg.Node],
    new_name: Callable[[], str],
) -> tuple[str, Groups, dict[bytes, str]]:
    """Aggregate by groups and keys in a sub-select first; its alias, the groups, names of the aggregates in it.

    `more` are further outputs of the sub-select.
    """
    alias = new_name()
    inner = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    inner.from_clause.extend(select.from_clause)
    if select.HasField("where_clause"):
        inner.where_clause.CopyFrom(select.where_clause)
    inner.target_list.extend(target_node(node, name) for name, node in {**groups.items, **keys}.items())
    inner.group_clause.extend([*groups.clause, *keys.values()])
    made: dict[bytes, str] = {}
    for node in own_aggregates(select):
        text = text_of(node)
        if text not in made:
            made[text] = new_name()
            inner.target_list.append(target_node(node, made[text]))
        node.CopyFrom(sql(half_of(node), column_node(alias, made[text])))
    inner.target_list.extend(target_node(node, name) for name, node in more.items())
    select.ClearField("where_clause")
    del select.from_clause[:], select.group_clause[:]
    item = select.from_clause.add().range_subselect
    item.alias.aliasname = alias
    item.subquery.select_stmt.CopyFrom(inner)
    outer = groups.within(alias)
    select.group_clause.extend(outer.clause)
    return alias, outer, made


def add_clustered_pairs(
    select: pg.SelectStmt,
    sums: Sums,
    weight: pg.Node,
    clusters: Clusters,
    groups: Groups,
    *,
    new_name: Callable[[], str],
) -> Groups:
    """To the last output, which holds bases and totals, the covariances of the pairs of totals."""
    for target in select.target_list:
        target.res_target.name = target.res_target.name or output_name(target.res_target.val)[0]
    totals = [weighted_sum(weight, [total]) for total in sums.totals.values()]
    pairs = {pair: weighted_sum(weight, [list(sums.totals.values())[k] for k in pair]) for pair in sums.pairs}
    stratum = clusters.stratum
    if clusters.psu is not None:
        keys = {new_name(): stratum, new_name(): clusters.psu}
        alias, groups, names = nest(select, groups, keys, more={}, new_name=new_name)
        inner = [column_node(alias, names[text_of(total)]) for total in totals]
        totals = [sql(ADDED["sum"], column) for column in inner]
        pairs = {(k, m): sql("sum(COALESCE($1, 0) * COALESCE($2, 0))", inner[k], inner[m]) for k, m in sums.pairs}
        stratum = column_node(alias, next(iter(keys)))
    within = new_name()
    products = {new_name(): node for node in pairs.values()}
    alias, groups, names = nest(select, groups, {within: stratum}, more=products, new_name=new_name)
    counts = text_node(json.dumps(dict(clusters.psus), separators=(",", ":")))
    array = select.target_list[-1].res_target.val.type_cast.arg.a_array_expr.elements
    for (k, m), name in zip(pairs, products, strict=True):
        by_total = [column_node(alias, names[text_of(totals[one])]) for one in (k, m)]
        array.append(sql(PART, counts, column_node(alias, within), column_node(alias, name), *by_total))
    return groups
