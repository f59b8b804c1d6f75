"""One FROM clause: whose its rows are once everything is joined, how often a person stands in them, what is fixed.

A relation is a look-up when it is unique on columns that the others give it: it adds columns, not rows. What is left
are the drivers. One driver of persons gives person rows, one of events gives event rows; two of them give pairs, of
which nobody can say what they weigh. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from postgast import pg_query_pb2 as pg

from datasets.design import LEVELS, SurveyDesign
from querying.sql.classes import conjuncts
from querying.sql.scopes import Relation, Scope
from querying.sql.walk import names, unwrap
from querying.sql.weights.grain import UNKNOWN, Fact, Kind, Rows, key_name
from querying.sql.weights.sources import NOT_KNOWN, Sources

MAX_RELATIONS: Final = 60
NO_KEY: Final = "the join may repeat rows, and they have no key by which each could be counted once"
FULL: Final = "a FULL JOIN of events is not modelled"
PAIRS: Final = "a row is a pair of rows of the same kind of unit"


class Term(NamedTuple):
    """A column of the relation at this place of the FROM clause."""

    place: int
    column: str


@dataclass(frozen=True)
class Join:
    """One JOIN with the places of its sides."""

    join: pg.JoinExpr
    left: range
    right: range

    @property
    def is_full(self) -> bool:
        return bool(self.join.jointype == pg.JOIN_FULL)

    @property
    def nullable(self) -> tuple[int, ...]:
        """Places that may give no row."""
        left = self.left if self.join.jointype in (pg.JOIN_RIGHT, pg.JOIN_FULL) else ()
        right = self.right if self.join.jointype in (pg.JOIN_LEFT, pg.JOIN_FULL) else ()
        return (*left, *right)

    @property
    def filtered(self) -> frozenset[int] | None:
        """Places whose rows its condition chooses; None for all: an outer join keeps its other side whatever holds."""
        return None if self.join.jointype == pg.JOIN_INNER else frozenset(self.nullable)


@dataclass
class Joined:
    """`conflict` says why no estimate can be made of these rows; `nullable` relations may give no row at all."""

    scope: Scope
    rows: list[Rows]
    nullable: frozenset[int]
    kind: Kind = Kind.PLAIN
    unit: int | None = None
    units: frozenset[int] = frozenset()
    conflict: str = ""
    linked: bool = True  # each row is about one unit of each kind
    drivers: frozenset[int] = frozenset()
    widths: tuple[int, ...] = ()  # columns of each unit's key
    parent: dict[Term, Term] = field(default_factory=dict)
    joins: list[Join] = field(default_factory=list)
    edges: dict[Term, list[frozenset[Term]]] = field(default_factory=dict)  # columns, and what gives them a value
    fixed_roots: dict[int, set[Term]] = field(default_factory=dict)
    unsteady: set[int] = field(default_factory=set)  # places that are there for some rows of a unit, not for others

    def place_of(self, relation: Relation) -> int:
        return next(place for place, item in enumerate(self.scope.relations) if item is relation)

    def root(self, term: Term) -> Term:
        while term in self.parent:
            term = self.parent[term]
        return term

    def equate(self, left: Term, right: Term) -> None:
        left, right = self.root(left), self.root(right)
        if left != right:
            self.parent[left] = right

    def same(self, left: Term, right: Term) -> bool:
        return self.root(left) == self.root(right)

    def holders(self, unit: int) -> list[int]:
        """Places of the relations whose rows have this unit's key."""
        return [place for place, rows in enumerate(self.rows) if unit in rows.units]

    def is_key(self, term: Term, unit: int, part: int) -> bool:
        return any(self.same(term, Term(place, key_name(unit, part))) for place in self.holders(unit))

    def fact(self, term: Term) -> Fact:
        """Of a column as it stands in the joined rows: a look-up by something fixed is fixed too."""
        own = self.rows[term.place].facts.get(term.column, UNKNOWN)
        root = self.root(term)
        fixed = own.fixed | {unit for unit, roots in self.fixed_roots.items() if root in roots}
        if term.place in self.unsteady and self.kind is not Kind.PERSON:
            fixed = frozenset()
        key = own.key or next(
            ((unit, part) for unit in self.units for part in range(self.widths[unit]) if self.is_key(term, unit, part)),
            None,
        )
        return replace(own, fixed=frozenset(fixed), key=key)


def join(scope: Scope, rows: list[Rows], *, design: SurveyDesign, sources: Sources) -> Joined:
    """`rows` of each relation of the scope, in order."""
    if len(rows) > MAX_RELATIONS:
        return Joined(scope, rows, frozenset(), conflict=f"it joins more than {MAX_RELATIONS} relations")
    joins = read_tree(scope)
    nullable = frozenset(place for one in joins for place in one.nullable)
    joined = Joined(scope, rows, nullable, widths=tuple(len(unit.key) for unit in design.units))
    link_keys(joined)
    for one in joins:
        for name in joined_names(scope, one):
            equate_named(joined, name, one.left, one.right)
        for left, right in equalities_in(one.join.quals):
            equate_sides(joined, left, right, sources, within=one.filtered)
    for left, right in equalities_in(scope.select.where_clause):
        equate_sides(joined, left, right, sources)
    joined.joins = joins
    if any(rows[place].kind is Kind.EVENT for one in joins if one.is_full for place in (*one.left, *one.right)):
        joined.conflict = FULL
    decide(joined, design)
    find_unsteady(joined, sources)
    return joined


def find_unsteady(joined: Joined, sources: Sources) -> None:
    """`e LEFT JOIN u ON u.id = e.user_id AND e.app = 'x'`: the person's columns are NULL in other rows of e."""
    roots = joined.fixed_roots.get(joined.unit, set()) if joined.unit is not None else set()
    for one in joined.joins:
        if one.join.jointype == pg.JOIN_INNER:
            continue
        terms = terms_within(joined, one.join.quals, sources)
        kept = [term for term in terms or () if term.place not in one.nullable]
        if terms is None or any(joined.root(term) not in roots for term in kept):
            joined.unsteady.update(one.nullable)


# ── what is equal to what ────────────────────────────────────────────────────────────────────────────────────
def link_keys(joined: Joined) -> None:
    """Columns that show a part of the key stand for it."""
    for place, rows in enumerate(joined.rows):
        for name, fact in rows.columns:
            if fact.key is not None:
                joined.equate(Term(place, name), Term(place, key_name(*fact.key)))


def read_tree(scope: Scope) -> list[Join]:
    """The joins of a FROM clause; places count relations as `scope.relations` does, aliases of joins among them."""
    found: list[Join] = []
    place = 0

    def visit(node: pg.Node) -> range:
        nonlocal place
        item = unwrap(node)
        if not isinstance(item, pg.JoinExpr):
            place += 1
            return range(place - 1, place)
        place += sum(1 for alias in (item.alias, item.join_using_alias) if alias.aliasname)
        left, right = visit(item.larg), visit(item.rarg)
        found.append(Join(item, left, right))
        return range(left.start, right.stop)

    for root in scope.select.from_clause:
        visit(root)
    return found


def joined_names(scope: Scope, one: Join) -> Iterator[str]:
    if one.join.is_natural:
        yield from shown(scope, one.left) & shown(scope, one.right)
    yield from names(one.join.using_clause)


def shown(scope: Scope, places: range) -> set[str]:
    return {name for place in places for name in scope.relations[place].columns.by_name}


def equate_named(joined: Joined, name: str, left: range, right: range) -> None:
    found = [
        [place for place in side if name in joined.scope.relations[place].columns.by_name] for side in (left, right)
    ]
    if found[0] and found[1]:
        for place in found[0][1:] + found[1]:
            joined.equate(Term(found[0][0], name), Term(place, name))


def equalities(scope: Scope) -> Iterator[tuple[pg.Node, pg.Node]]:
    """Both sides of each `a = b` that holds for the rows, or for those that an outer join has found."""
    for condition in (*(item.quals for item in scope.joins), scope.select.where_clause):
        yield from equalities_in(condition)


def equalities_in(condition: pg.Node) -> Iterator[tuple[pg.Node, pg.Node]]:
    for node in conjuncts(condition):
        expression = node.a_expr
        is_binary = node.HasField("a_expr") and expression.kind == pg.AEXPR_OP and expression.HasField("lexpr")
        if is_binary and names(expression.name)[-1] == "=":
            yield expression.lexpr, expression.rexpr


def equate_sides(
    joined: Joined, left: pg.Node, right: pg.Node, sources: Sources, *, within: frozenset[int] | None = None
) -> None:
    """`within`: the places for which this holds; None for all."""
    if left.HasField("row_expr") and right.HasField("row_expr") and len(left.row_expr.args) == len(right.row_expr.args):
        for one, other in zip(left.row_expr.args, right.row_expr.args, strict=True):
            equate_sides(joined, one, other, sources, within=within)
        return
    found = [term_of(joined, side, sources) for side in (left, right)]
    if found[0] and found[1]:
        if within is None or found[0].place in within or found[1].place in within:
            joined.equate(found[0], found[1])
        return
    for term, other in ((found[0], right), (found[1], left)):
        terms = terms_within(joined, other, sources)
        if term is None or terms is None or (within is not None and term.place not in within):
            continue
        if all(one.place != term.place for one in terms):
            joined.edges.setdefault(term, []).append(frozenset(terms))


def term_of(joined: Joined, node: pg.Node, sources: Sources) -> Term | None:
    """The plain column that this is; a cast is looked through where it shows a part of a key."""
    plain = node
    while plain.HasField("type_cast"):
        plain = plain.type_cast.arg
    if not plain.HasField("column_ref"):
        return None
    source = sources.of(plain.column_ref)
    if source.relation is None or source.scope is not joined.scope:
        return None
    term = Term(joined.place_of(source.relation), source.column)
    if plain is not node and joined.rows[term.place].facts.get(term.column, UNKNOWN).key is None:
        return None
    return term


def terms_within(joined: Joined, node: pg.Node, sources: Sources) -> set[Term] | None:
    """Columns of this FROM clause in an expression, None where one is not known. Outer ones are as constants."""
    found: set[Term] = set()
    for source in sources.within(node):
        if source == NOT_KNOWN or source.relation is None:
            return None
        if source.scope is joined.scope:
            found.add(Term(joined.place_of(source.relation), source.column))
    return found


# ── look-ups and drivers ─────────────────────────────────────────────────────────────────────────────────────
def decide(joined: Joined, design: SurveyDesign) -> None:
    places = [
        place for place, item in enumerate(joined.scope.relations) if item.item is not None or item.source is not None
    ]
    joined.drivers = find_drivers(joined, places)
    joined.units = frozenset(unit for rows in joined.rows for unit in rows.units)
    joined.linked = all(is_linked(joined, unit) for unit in joined.units)
    with_unit = [place for place in joined.drivers if joined.rows[place].kind.has_unit]
    joined.conflict = joined.conflict or find_conflict(joined, with_unit)
    joined.kind, joined.unit = kind_of(joined, design, with_unit)
    if joined.kind is Kind.EVENT and joined.unit is not None and not joined.widths[joined.unit]:
        joined.conflict = joined.conflict or NO_KEY
    for unit in joined.units:
        joined.fixed_roots[unit] = fixed_by(joined, unit, joined.widths[unit])


def find_conflict(joined: Joined, with_unit: list[int]) -> str:
    for place, relation in enumerate(joined.scope.relations):
        if relation.hidden and joined.rows[place].units:
            return "an aliased join hides whose its rows are"
    for rows in joined.rows:
        if rows.opaque and (rows.units or rows.kind.has_unit):
            return rows.opaque
    return "" if joined.linked and len(with_unit) < 2 else PAIRS


def is_linked(joined: Joined, unit: int) -> bool:
    """Whether all relations that hold the unit's key hold the same one."""
    first, *others = joined.holders(unit)
    return not others or (
        joined.widths[unit] > 0
        and all(
            joined.same(Term(first, key_name(unit, part)), Term(other, key_name(unit, part)))
            for other in others
            for part in range(joined.widths[unit])
        )
    )


def kind_of(joined: Joined, design: SurveyDesign, with_unit: list[int]) -> tuple[Kind, int | None]:
    if with_unit:
        driver = joined.rows[with_unit[0]]
        return (driver.kind if len(joined.drivers) == 1 else Kind.EVENT), driver.unit
    if joined.units:
        return Kind.EVENT, finest(joined.units, design)
    kinds = {rows.kind for rows in joined.rows}
    return next((kind for kind in (Kind.VALUES, Kind.CELL) if kind in kinds), Kind.PLAIN), None


def finest(units: Iterable[int], design: SurveyDesign) -> int:
    return min(units, key=lambda unit: level_of(unit, design))


def level_of(unit: int, design: SurveyDesign) -> tuple[int, int]:
    return LEVELS.index(design.units[unit].level), unit


def find_drivers(joined: Joined, places: Sequence[int]) -> frozenset[int]:
    """As few relations as tell all others' rows; those without a unit are tried first as look-ups."""
    drivers = set(places)
    order = sorted(places, key=lambda place: (joined.rows[place].kind.has_unit, joined.rows[place].kind is Kind.EVENT))
    for place in order:
        rest = drivers - {place}
        if place in reachable(joined, rest, places):
            drivers = rest
    return frozenset(drivers)


def reachable(joined: Joined, start: Collection[int], places: Sequence[int]) -> set[int]:
    """Relations of which each row of `start` meets one row at most."""
    found = set(start)
    members = places_by_root(joined)
    edges = edges_by_root(joined)

    def is_given(term: Term) -> bool:
        root = joined.root(term)
        return not found.isdisjoint(members.get(root, set()) - {term.place}) or any(
            all(one.place in found for one in terms) for terms in edges.get(root, ())
        )

    return grow(joined, found, places, is_given)


def places_by_root(joined: Joined) -> dict[Term, set[int]]:
    members: dict[Term, set[int]] = {}
    for term in {*joined.parent, *joined.parent.values()}:
        members.setdefault(joined.root(term), set()).add(term.place)
    return members


def edges_by_root(joined: Joined) -> dict[Term, list[frozenset[Term]]]:
    edges: dict[Term, list[frozenset[Term]]] = {}
    for term, found in joined.edges.items():
        edges.setdefault(joined.root(term), []).extend(found)
    return edges


def grow(joined: Joined, found: set[int], places: Sequence[int], is_given: Callable[[Term], bool]) -> set[int]:
    size = -1
    while size != len(found):
        size = len(found)
        for place in places:
            if place not in found and any(
                all(is_given(Term(place, column)) for column in columns) for columns in joined.rows[place].unique
            ):
                found.add(place)
    return found


def fixed_by(joined: Joined, unit: int, width: int) -> set[Term]:
    """Roots of the columns that are the same in all rows of one unit."""
    rows = joined.rows
    if joined.kind is Kind.PERSON and joined.unit == unit:
        return {joined.root(Term(place, name)) for place, item in enumerate(rows) for name in (*item.facts, "*")}
    roots = {joined.root(Term(place, key_name(unit, part))) for place in joined.holders(unit) for part in range(width)}
    if not roots:
        return set()
    for place, item in enumerate(rows):
        roots |= {joined.root(Term(place, name)) for name, fact in item.columns if unit in fact.fixed}
    done: set[int] = set()
    edges = edges_by_root(joined)

    def is_given(term: Term) -> bool:
        root = joined.root(term)
        return root in roots or any(all(joined.root(one) in roots for one in terms) for terms in edges.get(root, ()))

    size = -1
    while size != len(done):
        size = len(done)
        for place in grow(joined, set(done), range(len(rows)), is_given) - done:
            done.add(place)
            roots |= {joined.root(Term(place, name)) for name in (*rows[place].facts, "*")}
    return roots
