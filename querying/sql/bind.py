"""Every name is bound to what it means and printed with its schema, so that nothing else can be chosen. Pure.

    lower(name) || 'x'  ->  pg_catalog.lower(name) OPERATOR(pg_catalog.||) 'x'

IN, LIKE, BETWEEN and their kin cannot be qualified: PostgreSQL looks their operator up in the search path, which is
pg_catalog. Only where an operator of an approved extension may be meant (`citext = citext`) is the name left open and
the extension's schema put into the statement's search path; then every operator that nobody approved in that schema
must be out of the question, or the statement is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pg

from config.errors import QueryRefused
from datasets.additions import CastSpec, OperatorSpec
from datasets.catalog import DatasetSpec
from datasets.policies import MOMENTS, NUMBERS, TEXTS
from datasets.vocabulary import without_modifier
from querying.sql.added_names import BUILT_IN, function_schemas, operator_schemas, type_schemas
from querying.sql.column_notation import REFUSED_TYPES_AFTER_A_DOT
from querying.sql.draft import Draft
from querying.sql.refusals import refusal
from querying.sql.scopes import Reading, Scope, name_columns, read_scopes, relation_of
from querying.sql.stored_sql import fault_of_view
from querying.sql.tables import find_table
from querying.sql.value_types import (
    CANNOT_TELL,
    LITERAL,
    common_type,
    element_of,
    possible_types,
    type_of,
    type_of_column,
    written_type,
)
from querying.sql.walk import children, names, walk

NAMED: Final = frozenset({pg.AEXPR_OP, pg.AEXPR_OP_ALL, pg.AEXPR_OP_ANY})
ARRAYS: Final = frozenset({pg.AEXPR_IN, pg.AEXPR_OP_ALL, pg.AEXPR_OP_ANY})
BETWEEN: Final = frozenset({pg.AEXPR_BETWEEN, pg.AEXPR_BETWEEN_SYM, pg.AEXPR_NOT_BETWEEN, pg.AEXPR_NOT_BETWEEN_SYM})
# Functions and literals give these without a column or a cast that says so.
EVERYDAY_TYPES: Final = (
    TEXTS
    | NUMBERS
    | {
        "boolean",
        "bytea",
        "date",
        "interval",
        "json",
        "jsonb",
        "record",
        "timestamp with time zone",
        "timestamp without time zone",
    }
)
MADE_OF_OTHERS: Final = frozenset({"composite", "multirange", "range"})
# Functions that give values of less common types; a type's own function has its name.
MAKERS: Final[Mapping[str, frozenset[str]]] = {
    "tsquery": frozenset(
        {"phraseto_tsquery", "plainto_tsquery", "to_tsquery", "tsquery_phrase", "websearch_to_tsquery"}
    ),
    "tsvector": frozenset({"array_to_tsvector", "json_to_tsvector", "jsonb_to_tsvector", "to_tsvector"}),
    "uuid": frozenset({"gen_random_uuid", "uuidv4", "uuidv7"}),
}
FAMILIES: Final = (
    TEXTS,
    NUMBERS,
    MOMENTS | {"interval", "time with time zone", "time without time zone"},
    frozenset({"boolean"}),
    frozenset({"bytea"}),
    frozenset({"json"}),
    frozenset({"jsonb"}),
    frozenset({"uuid"}),
)
WHOLE_NUMBERS: Final = frozenset({"bigint", "integer"})
TEXT: Final = pg.TypeName(
    names=[pg.Node(string=pg.String(sval=BUILT_IN)), pg.Node(string=pg.String(sval="text"))], typemod=-1, location=-1
)
ASK_FOR_APPROVAL: Final = "Ask an administrator to approve the function for this dataset."


class Use(NamedTuple):
    """One look-up of an operator; `left` is None for a prefix operator. `named` can be qualified in the tree."""

    message: Message
    name: str
    left: str | None
    right: str
    named: Any = None  # Any: the repeated field that holds the name, of one of three message types


@dataclass
class Binding:
    draft: Draft
    reading: Reading
    types: frozenset[str]  # that a value of this statement may have
    added: frozenset[str]  # those of them that are not PostgreSQL's own
    path: set[str] = field(default_factory=set)
    open_uses: list[Use] = field(default_factory=list)
    open_names: set[str] = field(default_factory=set)

    @property
    def dataset(self) -> DatasetSpec:
        return self.draft.dataset

    def type_of(self, node: pg.Node, scope: Scope) -> str:
        return type_of(node, scope, self.dataset)

    def refusal(self, what: str, message: Message, *, hint: str) -> QueryRefused:
        return refusal(self.draft.statement, what, message, hint=hint)


def bind(draft: Draft) -> Draft:
    """Names resolved and qualified; `reading` tells the later passes what the caller's names mean."""
    if spread_unnest(draft.messages):
        draft = replace(draft, messages=tuple(walk(draft.select)))
    reading = read_scopes(draft.select, find_table=partial(find_table, draft))
    name_columns(reading)
    found = types_in(draft.dataset, reading, draft.messages)
    binding = Binding(draft, reading, found, found & draft.dataset.vocabulary.by_spelling.keys())
    check_views(binding)
    check_casts(binding)
    check_hidden_casts(binding)
    for message, scope in reading.expressions:
        BINDERS[type(message)](binding, message, scope)
    for use in joined_columns(binding):
        resolve(binding, use)
    for message in draft.messages:
        qualify = QUALIFIERS.get(type(message))
        if qualify is not None:
            qualify(binding, message)
    if any(isinstance(message, pg.FuncCall) and is_type_test(message) for message, _ in reading.expressions):
        show_types_as_text(draft.select)
    check_open_uses(binding)
    return replace(
        draft, reading=reading, search_path=tuple(sorted(binding.path)), open_names=frozenset(binding.open_names)
    )


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────
def bind_call(binding: Binding, call: pg.FuncCall, scope: Scope) -> None:
    parts = names(call.funcname)
    if len(parts) > 1:
        return
    own, *others = function_schemas(parts, binding.dataset.vocabulary)
    if parts[0] in binding.dataset.vocabulary.shadowed:
        check_shadowed(binding, call, scope)
    if others and any(may_be_added(binding, argument, scope) for argument in arguments_of(call)):
        leave_open(binding, parts[0], others)
        binding.open_uses.append(Use(call, parts[0], None, CANNOT_TELL))
    else:
        prefix(call.funcname, own)


def check_shadowed(binding: Binding, call: pg.FuncCall, scope: Scope) -> None:
    """An extension's function that cannot be called must not make way for PostgreSQL's own of that name."""
    name = names(call.funcname)[-1]
    if any(may_be_added(binding, argument, scope) for argument in arguments_of(call)):
        what = f"{name}() is not allowed here: a function that nobody approved shares its name"
        raise binding.refusal(what, call, hint=f"Cast its arguments to PostgreSQL's own types. {ASK_FOR_APPROVAL}")


def arguments_of(call: pg.FuncCall) -> Iterator[pg.Node]:
    yield from call.args
    for node in call.agg_order:  # WITHIN GROUP (ORDER BY x)
        yield node.sort_by.node


def may_be_added(binding: Binding, node: pg.Node, scope: Scope) -> bool:
    found = binding.type_of(node, scope)
    added = binding.added - binding.dataset.vocabulary.enums
    return bool(added) if found == CANNOT_TELL else element_of(found) in added


def spread_unnest(messages: Iterable[Message]) -> bool:
    """FROM unnest(a, b)  ->  FROM ROWS FROM (unnest(a), unnest(b)); several arguments work for the bare name only.

    Whether there was one: then the tree holds new messages.
    """
    found = [
        item
        for item in messages
        if isinstance(item, pg.RangeFunction) and any(len(arrays_of(function)) > 1 for function in item.functions)
    ]
    for item in found:
        spread = [single for function in item.functions for single in split(function)]
        del item.functions[:]
        item.functions.extend(spread)
        item.is_rowsfrom = True
    return bool(found)


def arrays_of(function: pg.Node) -> list[pg.Node]:
    call = function.list.items[0].func_call
    return list(call.args) if names(call.funcname) == ("unnest",) else []


def split(function: pg.Node) -> Iterator[pg.Node]:
    arrays = arrays_of(function)
    if len(arrays) < 2:
        yield function
        return
    for array in arrays:
        single = pg.Node()
        single.CopyFrom(function)
        call = single.list.items[0].func_call
        del call.args[:]
        call.args.add().CopyFrom(array)
        yield single


def is_type_test(call: pg.FuncCall) -> bool:
    return names(call.funcname)[-1] == "pg_typeof"


def show_types_as_text(select: pg.SelectStmt) -> None:
    """pg_typeof(x)  ->  pg_typeof(x)::text; a regtype compared with a literal tells whether a name exists."""
    for message in walk(select):
        for child in children(message):
            if isinstance(child, pg.Node) and child.HasField("func_call") and is_type_test(child.func_call):
                inner = pg.Node()
                inner.CopyFrom(child)
                child.type_cast.arg.CopyFrom(inner)
                child.type_cast.type_name.CopyFrom(TEXT)


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────
def bind_expression(binding: Binding, expression: pg.A_Expr, scope: Scope) -> None:
    if expression.kind in NAMED and not binding.dataset.vocabulary.knows_operator(names(expression.name)[-1]):
        if len(expression.name) == 1:  # types need not be told
            prefix(expression.name, BUILT_IN)
        return
    left = binding.type_of(expression.lexpr, scope) if expression.HasField("lexpr") else None
    if expression.kind in BETWEEN:
        for name, bound in zip((">=", "<="), expression.rexpr.list.items, strict=False):
            resolve(binding, Use(expression, name, left, binding.type_of(bound, scope)))
        return
    right = element_of(binding.type_of(expression.rexpr, scope)) if expression.kind in ARRAYS else ""
    right = right or binding.type_of(expression.rexpr, scope)
    named = expression.name if expression.kind in NAMED else None
    resolve(binding, Use(expression, expression.name[-1].string.sval, left, right, named))


def bind_sublink(binding: Binding, link: pg.SubLink, scope: Scope) -> None:
    if link.HasField("testexpr"):
        name = link.oper_name[-1].string.sval if link.oper_name else "="
        left = binding.type_of(link.testexpr, scope)
        resolve(binding, Use(link, name, left, type_of_rows(binding, link), link.oper_name or None))


def type_of_rows(binding: Binding, link: pg.SubLink) -> str:
    """The type of a sub-select's only column."""
    select = link.subselect.select_stmt
    inner = next((scope for scope in binding.reading.scopes if scope.select is select), None)
    return (
        CANNOT_TELL
        if inner is None or len(inner.columns.pairs) != 1
        else type_of_column(inner.columns.pairs[0][1], binding.dataset)
    )


def bind_case(binding: Binding, case: pg.CaseExpr, scope: Scope) -> None:
    if case.HasField("arg"):
        left = binding.type_of(case.arg, scope)
        for when in case.args:
            resolve(binding, Use(when.case_when, "=", left, binding.type_of(when.case_when.expr, scope)))


def bind_sort(binding: Binding, sort: pg.SortBy) -> None:
    if sort.use_op:
        resolve(binding, Use(sort, sort.use_op[-1].string.sval, CANNOT_TELL, CANNOT_TELL, sort.use_op))


def joined_columns(binding: Binding) -> Iterator[Use]:
    """USING and NATURAL compare with `=`."""
    if not binding.dataset.vocabulary.knows_operator("="):
        return
    for scope in binding.reading.scopes:
        for join in scope.joins:
            if join.is_natural:
                yield Use(join, "=", CANNOT_TELL, CANNOT_TELL)
            for name in names(join.using_clause):
                kind = common_type(
                    [
                        type_of_column(item.columns.by_name.get(name), binding.dataset)
                        for item in scope.relations
                        if name in item.columns.by_name or not item.columns.exact
                    ]
                )
                yield Use(join, "=", kind, kind)


def resolve(binding: Binding, use: Use) -> None:
    """Qualify the operator with pg_catalog unless one of an extension may be meant."""
    if use.named and len(use.named) > 1:
        schema = use.named[0].string.sval
        check_use(binding, use, {schema})
        return
    vocabulary = binding.dataset.vocabulary
    if not vocabulary.knows_operator(use.name):
        prefix(use.named, BUILT_IN)
        return
    meant = [item for item in vocabulary.operators.get(use.name, ()) if may_mean(binding, use, item)]
    own, *others = operator_schemas((use.name,), vocabulary) or (BUILT_IN,)
    if own != BUILT_IN:
        leave_open(binding, use.name, (own, *others))
    elif meant:
        leave_open(binding, use.name, [item.schema for item in meant])
    else:
        prefix(use.named, BUILT_IN)
        if use.named:
            check_use(binding, use, {BUILT_IN})
            return
    binding.open_uses.append(use)


def may_mean(binding: Binding, use: Use, operator: OperatorSpec) -> bool:
    """Whether PostgreSQL could choose this operator; any doubt is a yes."""
    if (use.left is None) != (operator.left == ""):
        return False
    sides = [(operator.right, use.right)] + ([] if use.left is None else [(operator.left, use.left)])
    own_types = binding.dataset.vocabulary.by_spelling.keys()
    added = [(declared, found) for declared, found in sides if element_of(declared) in own_types]
    # a value of an added type comes from a column, a cast or a function that has it; a literal follows the other side
    met = all(found == LITERAL or element_of(declared) in binding.added for declared, found in added)
    return (
        met
        and (not added or any(found != LITERAL for _, found in sides))
        and all(may_take(binding, declared, found) for declared, found in sides)
    )


def may_take(binding: Binding, declared: str, found: str) -> bool:
    if found in (CANNOT_TELL, LITERAL, declared) or declared.startswith("any"):
        return True
    own_types = binding.dataset.vocabulary.by_spelling.keys()
    if element_of(found) in own_types or element_of(declared) in own_types:
        return (found, declared) in binding.dataset.vocabulary.implicit_casts
    # two of PostgreSQL's own: it has implicit casts within these families only, and elsewhere who knows
    families = [
        next((number for number, family in enumerate(FAMILIES) if kind in family), None) for kind in (found, declared)
    ]
    return None in families or families[0] == families[1]


def check_open_uses(binding: Binding) -> None:
    """What the search path decides must not decide for something that nobody approved."""
    for use in binding.open_uses:
        check_use(binding, use, {BUILT_IN, *binding.path})
    check_fields(binding)


def check_fields(binding: Binding) -> None:
    """`x.name` and `(x).name` call a function or cast to a type of that name where x has no such column."""
    for reference, scope in binding.reading.references:
        parts = names(reference.fields)
        if len(parts) > 1 and not is_column(scope, parts):
            check_field(binding, reference, parts[-1])
    for message in binding.draft.messages:
        if isinstance(message, pg.A_Indirection):
            for node in message.indirection:
                if node.HasField("string"):
                    check_field(binding, message, node.string.sval)


def is_column(scope: Scope, parts: tuple[str, ...]) -> bool:
    relation = relation_of(scope, parts)
    return relation is not None and parts[-1] in relation.columns.by_name


def check_field(binding: Binding, message: Message, name: str) -> None:
    vocabulary = binding.dataset.vocabulary
    kind = name.lstrip("_")  # an array's type
    schemas = {*vocabulary.functions.get(name, ()), *vocabulary.refused_functions.get(name, ())}
    schemas |= {item.schema for item in vocabulary.types.get(kind, ())}
    if kind in REFUSED_TYPES_AFTER_A_DOT or not schemas.isdisjoint({BUILT_IN, *binding.path}):
        what = f".{name} is not allowed here: PostgreSQL could take it for a function or a type"
        raise binding.refusal(what, message, hint=f"Give the column another name in a sub-select. {ASK_FOR_APPROVAL}")


def check_use(binding: Binding, use: Use, schemas: set[str]) -> None:
    vocabulary = binding.dataset.vocabulary
    refused = [
        f"{item.schema}.{item.name}"
        for item in vocabulary.refused_operators.get(use.name, ())
        if item.schema in schemas and may_mean(binding, use, item)
    ]
    if isinstance(use.message, pg.FuncCall):
        refused = [f"{item}.{use.name}()" for item in vocabulary.refused_functions.get(use.name, ()) if item in schemas]
    if refused:
        what = f"{use.name} is not allowed here: PostgreSQL could take it for {refused[0]}, which nobody approved"
        hint = f"Write OPERATOR(pg_catalog.{use.name}) or cast both sides. {ASK_FOR_APPROVAL}"
        raise binding.refusal(what, use.message, hint=hint)


def leave_open(binding: Binding, name: str, schemas: Iterable[str]) -> None:
    binding.path.update(schema for schema in schemas if schema != BUILT_IN)
    binding.open_names.add(name)


# ── casts ────────────────────────────────────────────────────────────────────────────────────────────────────
def check_casts(binding: Binding) -> None:
    """An implicit cast could be applied wherever the statement may have a value of its source type."""
    for cast in binding.dataset.vocabulary.refused_casts:
        everywhere = cast.source in EVERYDAY_TYPES and cast.target not in binding.dataset.vocabulary.by_spelling
        met = everywhere and bool(binding.reading.tables or binding.reading.expressions)
        met = met or cast.target in binding.added or cast.source in binding.types or may_make(binding, cast.source)
        if cast.context == "implicit" and met:
            raise QueryRefused(
                f"The database turns {cast.source} into {cast.target} by {'.'.join(cast.routine)}(), which nobody "
                "approved, wherever it sees fit.",
                hint=ASK_FOR_APPROVAL,
            )


def may_make(binding: Binding, kind: str) -> bool:
    """Whether a function of the statement gives this type of PostgreSQL's own without being given one."""
    ranges = kind.endswith("range") and any(found.endswith("range") for found in binding.types)
    return ranges or not MAKERS.get(kind, frozenset()).isdisjoint(binding.types)


def check_hidden_casts(binding: Binding) -> None:
    """Casts that stand in no `::`: of JSON's and XML's columns, into composites, to what a clause asks for."""
    vocabulary = binding.dataset.vocabulary
    own = vocabulary.by_spelling.keys()
    met = (cast for cast in vocabulary.refused_casts if cast.source not in own or cast.source in binding.added)
    targets = {cast.target for cast in met}
    if not targets:
        return
    # a `::` is looked at by its operand; rows made from JSON are read, not cast
    casts = (pg.TypeCast, pg.ColumnDef)
    written = [message.type_name for message in binding.draft.messages if isinstance(message, casts)]
    literal = [
        message.type_name
        for message in binding.draft.messages
        if isinstance(message, pg.TypeCast) and message.arg.HasField("a_const")
    ]
    for message in binding.draft.messages:
        if isinstance(message, pg.TypeName):
            kind = element_of(written_type(message, vocabulary))
            within = vocabulary.by_spelling.get(kind)
            elsewhere = kind in targets and not any(message is one for one in written)
            made_of_parts = within is not None and within.kind == "composite"
            if elsewhere or (made_of_parts and not any(message is one for one in literal)):
                what = f"{kind} is not allowed here: casts to it may run what nobody approved"
                raise binding.refusal(what, message, hint=ASK_FOR_APPROVAL)
        elif isinstance(message, pg.A_Indices) and not targets.isdisjoint(WHOLE_NUMBERS):
            check_number(binding, message.lidx)
            check_number(binding, message.uidx)
    for scope in binding.reading.scopes:
        check_clauses(binding, scope, targets)


def check_clauses(binding: Binding, scope: Scope, targets: set[str]) -> None:
    """WHERE turns its condition into boolean, LIMIT its number into bigint, as an assignment would."""
    if not targets.isdisjoint(WHOLE_NUMBERS):
        check_number(binding, scope.select.limit_count)
        check_number(binding, scope.select.limit_offset)
    if "boolean" in targets:
        conditions = [scope.select.where_clause, scope.select.having_clause, *(join.quals for join in scope.joins)]
        for message in binding.draft.messages:
            if isinstance(message, pg.BoolExpr):
                conditions.extend(message.args)
            elif isinstance(message, pg.BooleanTest):
                conditions.append(message.arg)
            elif isinstance(message, pg.CaseExpr) and not message.HasField("arg"):
                conditions.extend(when.case_when.expr for when in message.args)
            elif isinstance(message, pg.FuncCall):
                conditions.append(message.agg_filter)
        for condition in conditions:
            if condition.WhichOneof("node") and binding.type_of(condition, scope) not in ("boolean", LITERAL):
                what = "Only a comparison is allowed here: a cast to boolean may run what nobody approved"
                raise binding.refusal(what, condition, hint="Write a comparison, such as x = 'true'.")


def check_number(binding: Binding, node: pg.Node) -> None:
    if node.WhichOneof("node") not in (None, "a_const"):
        what = "Only a plain number is allowed here: a cast to a number may run what nobody approved"
        raise binding.refusal(what, node, hint="Write the number itself.")


def bind_cast(binding: Binding, cast: pg.TypeCast, scope: Scope) -> None:
    vocabulary = binding.dataset.vocabulary
    if not vocabulary.refused_casts:
        return
    target = element_of(written_type(cast.type_name, vocabulary))
    source = element_of(binding.type_of(cast.arg, scope))
    for refused in vocabulary.refused_casts:
        if refused.target == target and may_be_source(binding, refused, source, possible_types(cast.arg)):
            what = f"A cast to {target} is not allowed here: it may run {'.'.join(refused.routine)}()"
            raise binding.refusal(what, cast, hint=f"Leave out the cast. {ASK_FOR_APPROVAL}")


def may_be_source(binding: Binding, cast: CastSpec, found: str, possible: frozenset[str]) -> bool:
    if found == LITERAL or (possible and cast.source not in possible):
        return False
    if found == CANNOT_TELL:
        return cast.source in binding.added or cast.source not in binding.dataset.vocabulary.by_spelling
    return found == cast.source


# ── what the statement meets ─────────────────────────────────────────────────────────────────────────────────
def types_in(dataset: DatasetSpec, reading: Reading, messages: Iterable[Message]) -> frozenset[str]:
    """Types that values of this statement may have beyond everyday ones: of columns it names, casts, functions."""
    vocabulary = dataset.vocabulary
    if vocabulary.is_empty:
        return frozenset()
    written = {names(reference.fields)[-1] for reference, _ in reading.references}
    everything = "*" in written or any(scope.merges_columns for scope in reading.scopes)
    everything = everything or any(
        not written.isdisjoint((use.table.relname, use.table.alias.aliasname)) for use in reading.tables
    )
    # under other names a column cannot be told by its own
    everything = everything or any(
        relation.aliases or relation.hidden for scope in reading.scopes for relation in scope.relations
    )
    found = {
        element_of(vocabulary.base_type(column.type))
        for use in reading.tables
        for column in use.spec.visible_columns
        if everything or column.name in written
    }
    for message in messages:
        if isinstance(message, pg.TypeName):
            found.add(element_of(written_type(message, vocabulary)))
        elif isinstance(message, pg.FuncCall):
            *_, name = names(message.funcname)
            found.add(name)
            for schema in vocabulary.functions.get(name, ()):
                found.update(element_of(without_modifier(kind)) for kind in vocabulary.returns[schema, name])
    if any(kind in vocabulary.by_spelling and vocabulary.by_spelling[kind].kind in MADE_OF_OTHERS for kind in found):
        found |= vocabulary.by_spelling.keys() - vocabulary.unusable_types
    return frozenset(found)


def check_views(binding: Binding) -> None:
    for use in binding.reading.tables:
        fault = fault_of_view(use.spec, binding.dataset.vocabulary)
        if fault:
            what = f"View {use.spec.qualified_name} cannot be read: it {fault}, which nobody approved"
            raise binding.refusal(what, use.table, hint=f"Query the tables behind it. {ASK_FOR_APPROVAL}")


# ── what has one meaning only ────────────────────────────────────────────────────────────────────────────────
def qualify_type(binding: Binding, type_name: pg.TypeName) -> None:
    parts = names(type_name.names)
    if len(parts) == 1:
        prefix(type_name.names, type_schemas(parts, binding.dataset.vocabulary)[0])


def qualify_sample(_: Binding, sample: pg.RangeTableSample) -> None:
    if len(sample.method) == 1:
        prefix(sample.method, BUILT_IN)


def qualify_collation(_: Binding, clause: pg.CollateClause) -> None:
    if len(clause.collname) == 1:
        prefix(clause.collname, BUILT_IN)


def prefix(parts: Any, schema: str) -> None:  # Any: a repeated field of Nodes, or None where there is no name
    if parts:
        parts.insert(0, pg.Node(string=pg.String(sval=schema)))


Bind = Callable[[Binding, Any, Scope], None]  # Any: one message type each
BINDERS: Final[Mapping[type[Message], Bind]] = {
    pg.A_Expr: bind_expression,
    pg.CaseExpr: bind_case,
    pg.FuncCall: bind_call,
    pg.SubLink: bind_sublink,
    pg.TypeCast: bind_cast,
}


def print_plainly(_: Binding, source: pg.RangeTableFunc) -> None:
    """PASSING ('<a/>'::xml)  ->  PASSING xml('<a/>'); the printer leaves the brackets out."""
    while source.docexpr.HasField("type_cast") and names(source.docexpr.type_cast.type_name.names)[-1] == "xml":
        inner = pg.Node()
        inner.CopyFrom(source.docexpr.type_cast.arg)
        name = [pg.Node(string=pg.String(sval=part)) for part in (BUILT_IN, "xml")]
        call = pg.FuncCall(funcname=name, args=[inner], funcformat=pg.COERCE_EXPLICIT_CALL, location=-1)
        source.docexpr.CopyFrom(pg.Node(func_call=call))


def call_plainly(_: Binding, call: pg.FuncCall) -> None:
    """xmlexists(a PASSING b)  ->  xmlexists(a, b), for the same reason."""
    if call.funcformat == pg.COERCE_SQL_SYNTAX and names(call.funcname)[-1] == "xmlexists":
        call.funcformat = pg.COERCE_EXPLICIT_CALL


Qualify = Callable[[Binding, Any], None]  # Any: one message type each
QUALIFIERS: Final[Mapping[type[Message], Qualify]] = {
    pg.CollateClause: qualify_collation,
    pg.FuncCall: call_plainly,
    pg.RangeTableFunc: print_plainly,
    pg.RangeTableSample: qualify_sample,
    pg.SortBy: bind_sort,
    pg.TypeName: qualify_type,
}


# ── the printed statement ────────────────────────────────────────────────────────────────────────────────────
def check_bound(draft: Draft) -> None:
    """Every name of the printed statement has its schema, save those that bind left open."""
    messages = draft.messages
    as_text = [message.arg.func_call for message in messages if is_cast_to_text(message)]
    for message in messages:
        if isinstance(message, pg.FuncCall) and is_type_test(message) and not any(message is one for one in as_text):
            raise refusal(
                draft.statement, "pg_typeof() is allowed only as text", message, hint="Write pg_typeof(x)::text."
            )
        for parts in names_in(message):
            if len(parts) == 1 and parts[0] not in draft.open_names:
                raise refusal(
                    draft.statement,
                    f"{parts[0]} could not be bound to one meaning",
                    message,
                    hint="Write the query in a plainer form.",
                )


def is_cast_to_text(message: Any) -> bool:  # Any: one of 270 message types
    return (
        isinstance(message, pg.TypeCast)
        and message.arg.HasField("func_call")
        and names(message.type_name.names) == (BUILT_IN, "text")
    )


def names_in(message: Any) -> Iterator[tuple[str, ...]]:  # Any: one of 270 message types
    if isinstance(message, pg.FuncCall):
        yield names(message.funcname)
    elif isinstance(message, pg.TypeName):
        yield names(message.names)
    elif isinstance(message, pg.A_Expr) and message.kind in NAMED:
        yield names(message.name)
    elif isinstance(message, pg.SubLink) and message.oper_name:
        yield names(message.oper_name)
    elif isinstance(message, pg.SortBy) and message.use_op:
        yield names(message.use_op)
