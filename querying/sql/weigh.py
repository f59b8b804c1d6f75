"""The weighting pass: aggregates over registered units become estimates of the population, or are refused. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import BaseUnknown, WeightingUnsupported
from datasets.design import NORMALISED, SUPPRESS, SurveyDesign
from querying.evidence import EvidencePlan
from querying.sql.draft import Draft
from querying.sql.limit import limit_of
from querying.sql.raw_rows import RAW
from querying.sql.scopes import Reading, Scope, TableUse, WithQuery
from querying.sql.walk import locate, names, walk
from querying.sql.weights.carrying import Carrier
from querying.sql.weights.estimators import ESTIMATED
from querying.sql.weights.grain import Kind
from querying.sql.weights.numeric_only import cast_numeric_only
from querying.sql.weights.passing import givers
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.resolve import Level, Resolved, Resolver
from querying.sql.weights.rewrite import VALUES_SEEN, Rewriting
from querying.sql.weights.shapes import is_aggregate
from querying.sql.weights.sources import computed, own_nodes
from querying.sql.weights.stars import spell_stars
from querying.sql.weights.treatment import Treatment, Way, treatments
from querying.sql.weights.unions import arms_of, unite
from querying.suppression import SuppressionPlan

MIXED: Final = "Some aggregates use the weight column and others do not"
ONE_FORM: Final = (
    "Leave the weight column out of the SQL: COUNT, SUM, AVG and the like are weighted for you. Or weight every "
    "aggregate yourself."
)


def weigh(draft: Draft) -> Draft:
    """`weighting` says what was done; see docs/weighting.md for the labels."""
    return check_bases(with_weights(draft))


def check_bases(draft: Draft) -> Draft:
    """Where few persons are not to be seen, an answer whose bases are not known is none."""
    design = draft.dataset.survey_design
    if design is None or design.low_base.action != SUPPRESS or draft.is_explain or draft.evidence is not None:
        return draft
    of_units = {".".join(name) for unit in design.units for name in (unit.table, *unit.carried_by)}
    is_shown_raw = draft.query_type == RAW and draft.weighting != "weighted"
    if is_shown_raw or of_units.isdisjoint(draft.tables):
        return draft
    raise base_unknown(draft)


def check_known(draft: Draft, rewriting: Rewriting, selects: list[Resolved], treated: list[list[Treatment]]) -> None:
    """Where few persons are not to be seen, every estimate of the statement is one whose base is looked at."""
    design = draft.dataset.survey_design
    if design is None or design.low_base.action != SUPPRESS or draft.is_explain:
        return
    for one, found in zip(selects, treated, strict=True):
        kind = one.joined.kind if one.joined is not None else Kind.PLAIN
        of_estimates = kind is Kind.CELL or (one.level is Level.POPULATION and found)
        if of_estimates and one.scope not in rewriting.given:
            raise base_unknown(draft)


def base_unknown(draft: Draft) -> BaseUnknown:
    return BaseUnknown(f"{draft.dataset.name} withholds estimates on few persons; of these they cannot be counted.")


def with_weights(draft: Draft) -> Draft:
    design = draft.dataset.survey_design
    if draft.request.weighting == "off":
        return replace(draft, weighting="off")
    if design is None:
        undecided = draft.tables and draft.dataset.design_decision != "none"
        return replace(draft, weighting="design_not_confirmed" if undecided else "none")
    assert draft.reading is not None
    try:
        return weighted(draft, draft.reading, design)
    except Unsupported as fault:
        raise unsupported(draft, fault) from fault


def unsupported(draft: Draft, fault: Unsupported) -> WeightingUnsupported:
    message = getattr(fault, "message", None)
    what = fault.what[:1].upper() + fault.what[1:]
    place = locate(draft.statement.tree, message) if isinstance(message, Message) else -1
    line, column = draft.statement.place(place)
    return WeightingUnsupported(f"{what} (line {line}, column {column}).", hint=fault.hint, line=line, column=column)


def weighted(draft: Draft, reading: Reading, design: SurveyDesign) -> Draft:
    resolver = Resolver(reading, draft.dataset, design)
    check_recursion(draft, design)
    selects = [resolver.resolve(scope) for scope in reversed(reading.scopes)]
    rewriting = Rewriting(
        resolver,
        Carrier(draft, resolver),
        with_errors=draft.request.uncertainty != "off",
        error_rows=limit_of("error_rows", draft.dataset, draft.settings),
    )
    rewriting.outermost = outermost_of(reading, design)
    if not draft.is_explain:
        rewriting.givers = givers(resolver, reading, rewriting.outermost)
    treated = [treatments(resolver, one) if one.level is Level.POPULATION else [] for one in selects]
    windows = [rewriting.windows(one) for one in selects]
    if uses_weights(resolver, selects, treated, windows):
        return replace(draft, weighting="by_query")
    if any(one.way.weighs for found in treated for one in found):
        treated = [[one.as_estimate() for one in found] for found in treated]
    for one in selects:
        check_own_level(resolver, one)
    for one, found, windowed in zip(selects, treated, windows, strict=True):
        check_values(rewriting, one)
        if one.level is Level.POPULATION:
            rewriting.population(one, found)
        rewriting.rows(one, windowed)
        rewriting.pass_on(one)
    check_known(draft, rewriting, selects, treated)
    spell_stars(draft, reading, resolver, rewriting.carrier)
    if not rewriting.estimated:
        has_units = any(one.joined is not None and one.joined.kind.has_unit for one in selects)
        return with_warnings(draft, rewriting, "sample" if has_units else "none")
    cast_numeric_only(draft.select, may_be_weighted=lambda node: not is_stored(resolver, node))
    say_what_was_left(rewriting, selects, design)
    return with_warnings(draft, rewriting, "weighted")


def outermost_of(reading: Reading, design: SurveyDesign) -> list[Scope]:
    """The SELECTs whose rows are the answer's; where few persons are withheld only one, as arms may tell of others."""
    arms = arms_of(reading.scopes[0])
    return arms if len(arms) > 1 and design.low_base.action != SUPPRESS else [reading.scopes[0]]


def with_warnings(draft: Draft, rewriting: Rewriting, label: str) -> Draft:
    evidence, suppression = evidence_of(rewriting)
    return replace(
        draft,
        weighting=label,
        weight_column=", ".join(rewriting.weights) if label == "weighted" else "",
        warnings=(*draft.warnings, *rewriting.warnings),
        evidence=evidence,
        suppression=suppression,
    )


def evidence_of(rewriting: Rewriting) -> tuple[EvidencePlan | None, SuppressionPlan | None]:
    """Of the whole statement."""
    if len(rewriting.outermost) > 1:
        return unite(rewriting.outermost, rewriting.given), None
    given = rewriting.given.get(rewriting.outermost[0])
    return (given.plan, given.suppression) if given else (None, None)


def uses_weights(
    resolver: Resolver, selects: list[Resolved], treated: list[list[Treatment]], windows: list[list[pg.Node]]
) -> bool:
    """Whether the statement weights by itself; raises `Unsupported` where it does so in part."""
    own = [one.node for found in treated for one in found if one.way is Way.BY_QUERY]
    plain = [one.node for found in treated for one in found if one.way.weighs]
    for one, windowed in zip(selects, windows, strict=True):
        for node in windowed:
            assert one.joined is not None
            weighs = any(resolver.has_weight(argument, one.joined) for argument in node.func_call.args)
            (plain if not weighs else own).append(node)
    if own and plain:
        raise Unsupported(MIXED, ONE_FORM, plain[0].func_call)
    return bool(own)


def check_own_level(resolver: Resolver, resolved: Resolved) -> None:
    """An aggregate that names columns of an outer SELECT only belongs to that one, whatever stands around it."""
    for node in own_nodes(*computed(resolved.scope.select)):
        if not is_aggregate(node):
            continue
        scopes = [source.scope for source in resolver.sources.within(node)]
        if (
            scopes
            and not any(scope is resolved.scope for scope in scopes)
            and any(scope is not None and any(scope is level for level in resolved.scope.chain()) for scope in scopes)
        ):
            what = "an aggregate over columns of an outer query is not modelled"
            raise Unsupported(what, "Write it in the query whose rows it is about.", node.func_call)


def check_values(rewriting: Rewriting, resolved: Resolved) -> None:
    """Distinct values of the sample can be counted, which says nothing of the population; not averaged."""
    if resolved.level is not Level.CELLS or resolved.joined is None or resolved.joined.kind is not Kind.VALUES:
        return
    for node in own_nodes(*computed(resolved.scope.select)):
        name = names(node.func_call.funcname)[-1] if is_aggregate(node) and node.HasField("func_call") else ""
        if name == "count":
            rewriting.warn(VALUES_SEEN)
        elif name in ESTIMATED:
            what = f"{name}() of distinct values treats each value alike, however many people have it"
            raise Unsupported(what, "Aggregate the rows themselves, without DISTINCT.", node.func_call)


def is_stored(resolver: Resolver, node: pg.Node) -> bool:
    """A table's own column, which weighting leaves as it is."""
    relation = resolver.sources.of(node.column_ref).relation if node.HasField("column_ref") else None
    return relation is not None and isinstance(relation.source, TableUse)


def check_recursion(draft: Draft, design: SurveyDesign) -> None:
    tables = {unit.table for unit in design.units} | {name for unit in design.units for name in unit.carried_by}
    tables |= {unit.period_weights.table for unit in design.units if unit.period_weights}
    for message in walk(draft.select):
        if isinstance(message, pg.WithClause) and message.recursive:
            for node in message.ctes:
                query = node.common_table_expr
                read = [one for one in walk(query.ctequery) if isinstance(one, pg.RangeVar)]
                own = any(one.relname == query.ctename and not one.schemaname for one in read)
                if own and any((one.schemaname, one.relname) in tables for one in read):
                    what = "a recursive WITH query over units is not modelled"
                    raise Unsupported(what, "Write it without recursion.", query)


def say_what_was_left(rewriting: Rewriting, selects: list[Resolved], design: SurveyDesign) -> None:
    for one in selects:
        if one.level is Level.CELLS and one.joined is not None and one.joined.kind is Kind.PLAIN:
            for name in sorted(tables_behind(one.scope)):
                rewriting.warn(f"What is computed from {name} alone is not weighted: it has no weights.")
    for unit in design.units:
        used = any(name.startswith(f"{unit.qualified_table}.") for name in rewriting.weights)
        if used and unit.excluded:
            rewriting.warn(f"{unit.excluded:,} of {unit.units:,} {unit.level}s have no valid weight and are left out.")
        if used and unit.kind == NORMALISED:
            rewriting.warn("Weights are normalised to the sample: counts are weighted counts, not populations.")
    having = [one for one in selects if one.level is Level.POPULATION and one.scope.select.HasField("having_clause")]
    if any(names_count(one.scope.select.having_clause) for one in having):
        rewriting.warn("HAVING compares with estimates of the population, not with sizes of the sample.")


def tables_behind(scope: Scope) -> set[str]:
    """Stored tables that a SELECT reads, through sub-selects, too."""
    found: set[str] = set()
    seen: set[int] = set()
    stack = [scope]
    while stack:
        inner = stack.pop()
        seen.add(id(inner))
        sources = [item.source.query if isinstance(item.source, WithQuery) else item.source for item in inner.relations]
        found |= {source.spec.qualified_name for source in sources if isinstance(source, TableUse)}
        stack += [one for one in (*inner.arms, *sources) if isinstance(one, Scope) and id(one) not in seen]
    return found


def names_count(node: pg.Node) -> bool:
    """Rewritten by now: a count is a sum of weights."""
    return any(isinstance(message, pg.FuncCall) and names(message.funcname)[-1] == "sum" for message in walk(node))
