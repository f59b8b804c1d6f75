"""Sums that a SELECT over the population gives beside its estimates, in one further output. Pure.

Written before the aggregates are replaced (`plan_cells`), and filled in after it, when it is known in what the weight
and each aggregate's value of a person stand (`evidence_node`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Final, TypeVar

from postgast import pg_query_pb2 as pg

from datasets.design import LowBase
from querying.evidence import CellPlan, Estimated, EvidencePlan, Formula, Number, Operation
from querying.sql.draft import RESERVED
from querying.sql.scopes import Scope, TableUse, WithQuery
from querying.sql.stars import output_name
from querying.sql.walk import LEAVES, children, names, unwrap
from querying.sql.weights.estimators import of_somebody
from querying.sql.weights.pieces import every, filter_of, is_known, name_of, part, sql
from querying.sql.weights.resolve import Resolver
from querying.sql.weights.sources import Source, own_nodes

OUTPUT: Final = f"{RESERVED}evidence"
SIGNS: Final = frozenset("+-*/")
SAME_VALUE: Final = frozenset({"round", "trunc", "coalesce"})
NUMBER_TYPES: Final = frozenset(
    {"bigint", "double precision", "integer", "numeric", "real", "smallint"}
    | {"float4", "float8", "int2", "int4", "int8"}
)
NUMBER_IF_GIVEN: Final = frozenset({"abs", "avg", "ceil", "floor", "ln", "max", "min", "round", "sqrt", "sum"})
# of a window's frame_options (nodes/parsenodes.h): from UNBOUNDED PRECEDING to CURRENT ROW is what none is written as,
# which without an order is all of the partition
NOT_DEFAULT_FRAME: Final = 0x1
MOST_SUMS: Final = 120  # of one row: thirty aggregates
T = TypeVar("T")
Leaf = Formula | None


@dataclass(frozen=True)
class Whole:
    """Everybody, out of a sub-select: sum(w), and sum(w * w)."""

    weights: pg.Node
    squares: pg.Node
    scale: float


@dataclass(frozen=True)
class Total:
    """sum(w * value) over persons who pass `where`; of no value it is sum(w). With a window `over` groups of different
    persons it is the sum of theirs; of the `whole` it is sum(w) of everybody, whoever is in the group."""

    value: pg.Node | None = None
    where: pg.Node | None = None
    over: pg.WindowDef | None = None
    whole: Whole | None = None

    @property
    def text(self) -> bytes:
        whole = self.whole.weights if self.whole is not None else None
        return b"|".join(map(text_of, (self.value, self.where, self.over, whole)))

    @property
    def is_of_group(self) -> bool:
        return self.over is None and self.whole is None

    @property
    def of_group(self) -> Total:
        return replace(self, over=None)


@dataclass(frozen=True)
class Piece:
    """An aggregate: `total`, over `among` where it is a mean. Without a total only its base is known."""

    base: pg.Node | None  # the condition for persons of its base
    total: Total | None = None
    among: Total | None = None
    is_scaled: bool = False


@dataclass
class Sums:
    """Bases, totals and pairs, each once."""

    bases: dict[bytes, pg.Node | None] = field(default_factory=dict)
    totals: dict[bytes, Total] = field(default_factory=dict)
    pairs: dict[tuple[int, int], None] = field(default_factory=dict)

    def base(self, where: pg.Node | None) -> int:
        text = text_of(where)
        self.bases.setdefault(text, where)
        return list(self.bases).index(text)

    def total(self, total: Total) -> int:
        self.totals.setdefault(total.text, total)
        return list(self.totals).index(total.text)

    def pair_up(self, totals: Iterable[int]) -> None:
        for pair in combinations_with_replacement(sorted(totals), 2):
            self.pairs.setdefault(pair)

    @property
    def size(self) -> int:
        return 3 * len(self.bases) + len(self.totals) + len(self.pairs)


def piece_of_units(call: pg.FuncCall, keys: Sequence[pg.Node]) -> Piece:
    """COUNT(DISTINCT key) where each row is one person."""
    among = of_somebody(call, keys)
    return Piece(among, Total(where=among), is_scaled=True)


def piece_of_call(call: pg.FuncCall, *, is_number: bool) -> Piece:
    """The aggregate of a SELECT in which each row is one person."""
    name, where = name_of(call), filter_of(call)
    values = [*call.args, *(item.sort_by.node for item in call.agg_order)]
    known = every(where, is_known([] if call.agg_within_group else call.args), is_known(ordered_values(call)))
    if name == "count":
        return Piece(known, Total(where=known), is_scaled=True)
    if name not in ("avg", "sum") or not is_number:
        return Piece(known)
    total = Total(sql("$1::float8", values[0]), known)
    return Piece(known, total, Total(where=known) if name == "avg" else None, is_scaled=name == "sum")


def ordered_values(call: pg.FuncCall) -> list[pg.Node]:
    return [item.sort_by.node for item in call.agg_order] if call.agg_within_group else []


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────
def is_number(resolver: Resolver, node: pg.Node) -> bool:
    """Whether a value is sure to be a number, which can be cast to float8; an interval or money cannot."""
    if node.HasField("a_const"):
        return number_of(node.a_const) is not None
    if node.HasField("column_ref"):
        return is_number_column(resolver, resolver.sources.of(node.column_ref))
    if node.HasField("type_cast"):
        return names(node.type_cast.type_name.names)[-1] in NUMBER_TYPES and not node.type_cast.type_name.array_bounds
    if node.HasField("coalesce_expr"):
        return all(is_number(resolver, value) for value in node.coalesce_expr.args)
    if node.HasField("case_expr"):
        case = node.case_expr
        results = [when.case_when.result for when in case.args]
        results += [case.defresult] if case.HasField("defresult") else []
        return all(is_number(resolver, value) or is_null_constant(value) for value in results)
    if node.HasField("a_expr") and names(node.a_expr.name)[-1] in SIGNS:
        sides = [node.a_expr.rexpr, *([node.a_expr.lexpr] if node.a_expr.HasField("lexpr") else [])]
        return node.a_expr.kind == pg.AEXPR_OP and all(is_number(resolver, side) for side in sides)
    if node.HasField("func_call") and not node.func_call.HasField("over"):
        name = name_of(node.func_call)
        return name == "count" or (
            name in NUMBER_IF_GIVEN
            and bool(node.func_call.args)
            and all(is_number(resolver, value) for value in node.func_call.args)
        )
    return False


def is_null_constant(node: pg.Node) -> bool:
    return bool(node.HasField("a_const") and node.a_const.isnull)


def is_number_column(resolver: Resolver, source: Source) -> bool:
    relation = source.relation
    if relation is None or relation.aliases:
        return False
    if isinstance(relation.source, TableUse):
        column = next((one for one in relation.source.spec.columns if one.name == source.column), None)
        return column is not None and column.type.split("(")[0] in NUMBER_TYPES and not (column.mask or column.classes)
    scope = relation.source.query if isinstance(relation.source, WithQuery) else relation.source
    if not isinstance(scope, Scope) or scope.arms:
        return False
    targets = [target.res_target for target in scope.select.target_list]
    found = [one.val for one in targets if (one.name or output_name(one.val)[0]) == source.column]
    return len(found) == 1 and is_number(resolver, found[0])


# ── formulas ─────────────────────────────────────────────────────────────────────────────────────────────────
def formula_over(node: pg.Node, leaves: Mapping[int, Leaf]) -> Formula | None:
    """What an output computes of its estimates, given theirs by node; None where that is more than arithmetic."""
    if id(node) in leaves:
        return leaves[id(node)]
    if node.HasField("a_const"):
        return number_of(node.a_const)
    if node.HasField("type_cast"):
        return formula_over(node.type_cast.arg, leaves)
    if node.HasField("coalesce_expr"):
        return formula_over(node.coalesce_expr.args[0], leaves)
    if node.HasField("func_call") and names(node.func_call.funcname)[-1] in SAME_VALUE and node.func_call.args:
        return formula_over(node.func_call.args[0], leaves)
    if not node.HasField("a_expr"):
        return None
    expression = node.a_expr
    if expression.kind == pg.AEXPR_NULLIF:
        return formula_over(expression.lexpr, leaves)
    sign = names(expression.name)[-1]
    if expression.kind != pg.AEXPR_OP or sign not in SIGNS or not expression.HasField("lexpr"):
        return None
    left, right = formula_over(expression.lexpr, leaves), formula_over(expression.rexpr, leaves)
    return Operation(sign, left, right) if left is not None and right is not None else None


def formula_of_piece(piece: Piece, sums: Sums, scale: float) -> Formula | None:
    if piece.total is None:
        return None
    total = Estimated(sums.total(piece.total), scale if piece.is_scaled else 1.0)
    return total if piece.among is None else Operation("/", total, Estimated(sums.total(piece.among)))


def sums_of_groups(
    node: pg.Node, pieces: Mapping[int, Piece], sums: Sums, scale: float
) -> list[tuple[pg.Node, Formula]]:
    """sum(count(*)) OVER (PARTITION BY ...): what groups add up to; none where windows differ."""
    windows = [one for one in own_nodes(node) if one.HasField("func_call") and is_sum_of_partition(one.func_call)]
    if len({text_of(one.func_call.over) for one in windows}) != 1:
        return []
    found: list[tuple[pg.Node, Formula]] = []
    for one in windows:
        piece = pieces.get(id(without_cast(one.func_call.args[0])))
        if piece is not None and piece.total is not None and piece.among is None:
            total = replace(piece.total, over=one.func_call.over)
            found.append((one, Estimated(sums.total(total), scale if piece.is_scaled else 1.0)))
    return found


def is_sum_of_partition(call: pg.FuncCall) -> bool:
    """Without an order or a frame of its own."""
    if not call.HasField("over") or name_of(call) != "sum" or call.HasField("agg_filter") or len(call.args) != 1:
        return False
    own = call.over
    is_named = own.name or own.refname
    return not (is_named or own.order_clause or own.frame_options & NOT_DEFAULT_FRAME)


def without_cast(node: pg.Node) -> pg.Node:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return node


def number_of(constant: pg.A_Const) -> Number | None:
    if constant.HasField("ival"):
        return Number(float(constant.ival.ival))
    return Number(float(constant.fval.fval)) if constant.HasField("fval") else None


def totals_of(formula: Formula | None) -> set[int]:
    if isinstance(formula, Estimated):
        return {formula.total}
    return totals_of(formula.left) | totals_of(formula.right) if isinstance(formula, Operation) else set()


def cells_within(node: pg.Node, cells: Mapping[int, T]) -> list[T]:
    """Of an output, the denominator's first."""
    if id(node) in cells:
        return [cells[id(node)]]
    if node.HasField("a_expr") and names(node.a_expr.name)[-1:] == ("/",):
        return cells_within(node.a_expr.rexpr, cells) + cells_within(node.a_expr.lexpr, cells)
    message = unwrap(node)
    if message is None or type(message) in LEAVES or isinstance(message, pg.SelectStmt):
        return []
    found: list[T] = []
    stack = list(children(message))
    while stack:
        child = stack.pop(0)
        if isinstance(child, pg.Node):
            found += cells_within(child, cells)
        elif type(child) not in LEAVES and not isinstance(child, pg.SelectStmt):
            stack = [*children(child), *stack]
    return found


# ── the output ───────────────────────────────────────────────────────────────────────────────────────────────
def plan_evidence(
    outputs: Sequence[pg.Node],
    pieces: Mapping[int, Piece],
    *,
    persons: int,
    scale: float,
    thresholds: LowBase,
    with_errors: bool,
    clustered: bool = False,
    all_pairs: bool = False,
    are_apart: bool = False,
    wholes: Sequence[tuple[pg.Node, Whole]] = (),
) -> tuple[EvidencePlan, Sums] | None:
    """None where no output is an estimate, or there would be too many sums.

    `all_pairs` of totals are wanted where another SELECT computes with the outputs. `are_apart` says that nobody is in
    two groups, so that what groups add up to is known from each. `wholes` are nodes in the outputs, kept by the caller,
    that stand for everybody.
    """
    sums = Sums()
    cells: list[CellPlan | None] = []
    for node in outputs:
        found = cells_within(node, pieces)
        if not found:
            cells.append(None)
            continue
        formula = None
        if with_errors and persons > 1:
            own = {key: piece for key, piece in pieces.items() if any(piece is one for one in found)}
            leaves = {key: formula_of_piece(piece, sums, scale) for key, piece in own.items()}
            # nodes are kept as long as they are known by their id
            whole = sums_of_groups(node, own, sums, scale) if are_apart and not clustered else []
            leaves |= {id(window): one for window, one in whole}
            within = {id(inner) for inner in own_nodes(node)}
            here = [(link, one) for link, one in wholes if id(link) in within]
            leaves |= {id(link): Estimated(sums.total(Total(whole=one)), one.scale) for link, one in here}
            formula = formula_over(node, leaves)
        sums.pair_up(totals_of(formula))
        cells.append(CellPlan(sums.base(found[0].base), formula))
    if not any(cells) or sums.size > MOST_SUMS:
        return None
    plain = [number for number, total in enumerate(sums.totals.values()) if total.is_of_group]
    if all_pairs and sums.size + len(plain) * (len(plain) + 1) // 2 <= MOST_SUMS:
        sums.pair_up(plain)
    limits = thresholds.minimum, thresholds.very_low, thresholds.low
    plan = EvidencePlan(
        tuple(cells), len(sums.bases), len(sums.totals), tuple(sums.pairs), persons, scale, limits, clustered
    )
    return plan, sums


def evidence_node(sums: Sums, weight: pg.Node, *, with_pairs: bool = True) -> pg.Node:
    """float8[], over rows that are a person each."""
    totals = list(sums.totals.values())
    moments = moments_of([total for total in totals if total.is_of_group], weight) if with_pairs else {}
    values: list[pg.Node] = []
    for where in sums.bases.values():
        known = moments.get(text_of(where))
        values += known.of_base if known else base_of(weight, where)
    values += [total_node(total, moments, weight) for total in totals]
    if with_pairs:
        values += [pair_node(totals[k], totals[m], moments, weight) for k, m in sums.pairs]
    array = pg.Node(a_array_expr=pg.A_ArrayExpr(elements=values, location=-1))
    return sql("$1::float8[]", array)


def total_node(total: Total, moments: Mapping[bytes, Moments], weight: pg.Node) -> pg.Node:
    if total.whole is not None:
        return total.whole.weights
    own = total.of_group
    value = known_total(own, moments) or weighted_sum(weight, [own])
    return value if total.over is None else part("sum($1)", value, over=total.over)


def pair_node(one: Total, other: Total, moments: Mapping[bytes, Moments], weight: pg.Node) -> pg.Node:
    """Of a group and of all together, or of everybody: the persons of the group are in both."""
    if one.whole is not None and other.whole is not None:
        return one.whole.squares
    if one.whole is not None or other.whole is not None:
        group = one if one.whole is None else other
        return pair_node(group, Total(where=group.where, over=group.over), moments, weight)
    own = one.of_group, other.of_group
    value = known_pair(*own, moments) or weighted_sum(weight, own)
    return value if one.over is None or other.over is None else part("sum($1)", value, over=one.over)


def base_of(weight: pg.Node, where: pg.Node | None) -> list[pg.Node]:
    count = sql("$1::float8", part("count($1)", weight, where=where))
    return [count, part("sum($1)", weight, where=where), part("sum($1 * $1)", weight, where=where)]


@dataclass(frozen=True)
class Moments:
    """Sums of w, of z = w * value, and of their products, out of one pass of regr_...(w, z), whose state is shared.

    Half as many computations for each row as six sums take, and a value is cast once.
    """

    total: Total
    weight: pg.Node

    def of(self, name: str) -> pg.Node:
        assert self.total.value is not None
        z = sql("$1 * $2", self.weight, self.total.value)
        return part(f"regr_{name}($1, $2)", self.weight, z, where=self.total.where)

    @property
    def of_base(self) -> list[pg.Node]:
        return [sql("$1::float8", self.of("count")), self.sum("avgy"), self.products("syy", "avgy", "avgy")]

    def sum(self, mean: str) -> pg.Node:
        return sql("$1 * $2", self.of("count"), self.of(mean))

    def products(self, centred: str, one: str, other: str) -> pg.Node:
        return sql("$1 + $2 * $3 * $4", self.of(centred), self.of("count"), self.of(one), self.of(other))


def moments_of(totals: Sequence[Total], weight: pg.Node) -> dict[bytes, Moments]:
    """Of the first value among those with the same condition."""
    found: dict[bytes, Moments] = {}
    for total in totals:
        if total.value is not None:
            found.setdefault(text_of(total.where), Moments(total, weight))
    return found


def known_total(total: Total, moments: Mapping[bytes, Moments]) -> pg.Node | None:
    known = moments.get(text_of(total.where))
    if known is None or (total.value is not None and total.text != known.total.text):
        return None
    return known.sum("avgy" if total.value is None else "avgx")


def known_pair(one: Total, other: Total, moments: Mapping[bytes, Moments]) -> pg.Node | None:
    known = moments.get(text_of(one.where))
    if known is None or text_of(other.where) != text_of(one.where):
        return None
    values = [total for total in (one, other) if total.value is not None]
    if any(total.text != known.total.text for total in values):
        return None
    names_ = (("syy", "avgy", "avgy"), ("sxy", "avgx", "avgy"), ("sxx", "avgx", "avgx"))
    return known.products(*names_[len(values)])


def text_of(node: pg.Node | pg.WindowDef | None) -> bytes:
    return bytes(node.SerializeToString(deterministic=True)) if node is not None else b""


def weighted_sum(weight: pg.Node, totals: Sequence[Total]) -> pg.Node:
    """sum(w * v), or of two sum(w * w * v * u)."""
    where = every(*{total.text: total.where for total in totals}.values())
    product = weight if len(totals) == 1 else sql("$1 * $1", weight)
    for total in totals:
        if total.value is not None:
            product = sql("$1 * $2", product, total.value)
    return part("sum($1)", product, where=where)
