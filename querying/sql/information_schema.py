"""information_schema as one caller may see it: constants from the published catalog. Pure.

PostgreSQL's own views are never read, since they show every table and column of the role. A reference to one becomes

    SELECT 'panel'::pg_catalog.text AS table_catalog, t.table_name, NULL::pg_catalog.text AS commit_action ...
    FROM ROWS FROM (pg_catalog.unnest('{users,events}'::pg_catalog.text[]), ...) AS t (table_name, ...)

Types are taken as `format_type` spells them with pg_catalog alone in the search path, so a bare name is PostgreSQL's
own. What the catalog does not hold is NULL, or what an ordinary table has; a domain is shown as a type of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final

from postgast import pg_query_pb2 as pg

from datasets.catalog import ColumnSpec, ForeignKey, TableSpec

SCHEMA: Final = "information_schema"
CATALOGUE: Final = "catalogue"  # the kind of these tables
Cell = str | int | None
Row = Mapping[str, Cell]
# All four tables have it. It is always an array, so that there are as many rows as its elements, or none.
CARRIER: Final = "table_name"
ROWS: Final = "t"
NAME_BYTES: Final = 63  # NAMEDATALEN - 1
BUILT_IN: Final = "pg_catalog"
UNLIMITED: Final = 2**30
UTF8_BYTES: Final = 4
TYPE_TEXT: Final = re.compile(
    r"""(?P<base> (?: "(?:[^"]|"")*" | [^"(] )+ ) (?: \( (?P<modifier> [^)]* ) \) )? (?P<rest> .*)""",
    re.VERBOSE | re.DOTALL,
)
NAME_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
# format_type with a modifier of -1 spells these otherwise than without one.
DATA_TYPES: Final[Mapping[str, str]] = {'"bit"': "bit", "bpchar": "character"}
TYPE_NAMES: Final[Mapping[str, str]] = {
    '"char"': "char",
    "bigint": "int8",
    "bit varying": "varbit",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "double precision": "float8",
    "integer": "int4",
    "real": "float4",
    "smallint": "int2",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
CHARACTERS: Final = frozenset({"bpchar", "text", "varchar"})
# Precision in bits, and scale.
BINARY_NUMBERS: Final[Mapping[str, tuple[int, int | None]]] = {
    "float4": (24, None),
    "float8": (53, None),
    "int2": (16, 0),
    "int4": (32, 0),
    "int8": (64, 0),
}
# Digits of the second, where the type does not say.
TIMES: Final[Mapping[str, int]] = {"date": 0, "interval": 6, "time": 6, "timestamp": 6, "timestamptz": 6, "timetz": 6}
INTERNAL_NAMES: Final[Mapping[str, str]] = {"integer": "int4", "text": "text"}
TABLE_TYPES: Final[Mapping[str, str]] = {"foreign table": "FOREIGN", "view": "VIEW"}


@dataclass(frozen=True)
class Shown:
    """What a caller sees of one table."""

    table: TableSpec
    columns: tuple[ColumnSpec, ...]


@dataclass(frozen=True)
class Constraint:
    """A key of a shown table; `positions` are those of a foreign key's columns in the key that it refers to."""

    name: str
    kind: str
    shown: Shown
    columns: tuple[str, ...]
    positions: tuple[int | None, ...]


def build_rows(name: str, *, shown: Sequence[Shown], database: str) -> list[tuple[Cell, ...]]:
    """The rows of one table of information_schema, in the order of its columns. About 5 µs a row."""
    table = INFORMATION_TABLES[name]
    pick = itemgetter(*(column.name for column in table.columns))
    blank: Row = {column.name: None for column in table.columns} | {
        column.name: database for column in table.columns if column.name in CATALOGS
    }
    return [pick({**blank, **row}) for row in ROW_MAKERS[name](shown)]


def information_select(name: str, *, shown: Sequence[Shown], database: str) -> pg.SelectStmt:
    """A SELECT that gives those rows: what varies comes from arrays, what does not from the target list."""
    rows = build_rows(name, shown=shown, database=database)
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    source = select.from_clause.add().range_function
    source.is_rowsfrom = True
    source.alias.aliasname = ROWS
    for index, column in enumerate(INFORMATION_TABLES[name].columns):
        values = [row[index] for row in rows]
        target = select.target_list.add().res_target
        target.location = -1
        if column.name != CARRIER and len(set(values)) <= 1:
            target.name = column.name
            target.val.CopyFrom(constant(values[0] if values else None, column.type))
        else:
            target.val.CopyFrom(reference(column.name))
            add_array(source, column, values)
    return select


# --- rows ---


def table_rows(shown: Sequence[Shown]) -> Iterator[Row]:
    for item in shown:
        yield {
            **place_of(item),
            "table_type": TABLE_TYPES.get(item.table.kind, "BASE TABLE"),
            "is_insertable_into": "NO",
            "is_typed": "NO",
        }


def column_rows(shown: Sequence[Shown]) -> Iterator[Row]:
    for item in shown:
        place = {**place_of(item), **EVERY_COLUMN}
        for position, column in enumerate(item.columns, 1):
            yield {
                **place,
                **type_cells(column.type),
                "column_name": column.name,
                "ordinal_position": position,
                "dtd_identifier": str(position),
                "is_nullable": "YES" if column.nullable else "NO",
            }


def constraint_rows(shown: Sequence[Shown]) -> Iterator[Row]:
    for constraint in find_constraints(shown):
        yield {
            **place_of(constraint.shown),
            **name_cells(constraint),
            "constraint_type": constraint.kind,
            "is_deferrable": "NO",
            "initially_deferred": "NO",
            "enforced": "YES",
            "nulls_distinct": "YES" if constraint.kind == "UNIQUE" else None,
        }


def key_rows(shown: Sequence[Shown]) -> Iterator[Row]:
    for constraint in find_constraints(shown):
        pairs = zip(constraint.columns, constraint.positions, strict=True)
        for place, (column, position) in enumerate(pairs, 1):
            yield {
                **place_of(constraint.shown),
                **name_cells(constraint),
                "column_name": column,
                "ordinal_position": place,
                "position_in_unique_constraint": position,
            }


def place_of(item: Shown) -> Row:
    return {"table_schema": item.table.schema, "table_name": item.table.name}


def name_cells(constraint: Constraint) -> Row:
    return {"constraint_schema": constraint.shown.table.schema, "constraint_name": constraint.name}


# --- types ---


@lru_cache(maxsize=4096)
def type_cells(written: str) -> Row:
    """What the columns table says of a type; `written` is as `format_type` spells it."""
    element = written.removesuffix("[]")
    kind = read_type(element)
    cells: Row = {"udt_schema": kind.schema, "udt_name": kind.name, "data_type": kind.data_type}
    if element != written:
        # PostgreSQL puts a _ before the element's name and cuts at 63 bytes; NULL elsewhere, whatever the elements are
        return {**cells, "udt_name": clip(f"_{kind.name}", NAME_BYTES), "data_type": "ARRAY"}
    return {**cells, **modifier_cells(kind)}


@dataclass(frozen=True)
class TypeText:
    """'timestamp(3) with time zone' is PostgreSQL's timestamptz with the modifier 3."""

    schema: str
    name: str
    data_type: str
    modifiers: tuple[int, ...]
    fields: str  # of an interval: 'day to second'


def read_type(written: str) -> TypeText:
    found = TYPE_TEXT.fullmatch(written)
    base, modifier, rest = found.group("base", "modifier", "rest") if found else (written, None, "")
    modifiers = tuple(map(int, re.findall(r"-?\d+", modifier or "")))
    parts = [(quoted or plain).replace('""', '"') for quoted, plain in NAME_PART.findall(base)]
    if len(parts) == 2:
        return TypeText(parts[0], parts[1], "USER-DEFINED", modifiers, "")
    if base.startswith("interval"):
        return TypeText(BUILT_IN, "interval", "interval", modifiers, base.removeprefix("interval").strip())
    data_type = DATA_TYPES.get(base + rest, base + rest)
    return TypeText(BUILT_IN, TYPE_NAMES.get(data_type, data_type), data_type, modifiers, "")


def modifier_cells(kind: TypeText) -> Row:
    """Lengths, precisions and scales, of PostgreSQL's own types only."""
    first = kind.modifiers[0] if kind.modifiers else None
    if kind.schema != BUILT_IN:
        return {}
    if kind.name in CHARACTERS:
        octets = UNLIMITED if first is None else first * UTF8_BYTES
        return {"character_maximum_length": first, "character_octet_length": octets}
    if kind.name in ("bit", "varbit"):
        return {"character_maximum_length": first}
    if kind.name in BINARY_NUMBERS:
        precision, scale = BINARY_NUMBERS[kind.name]
        return {"numeric_precision": precision, "numeric_precision_radix": 2, "numeric_scale": scale}
    if kind.name == "numeric":
        scale = kind.modifiers[1] if len(kind.modifiers) > 1 else None
        return {"numeric_precision": first, "numeric_precision_radix": 10, "numeric_scale": scale}
    if kind.name in TIMES:
        return {
            "datetime_precision": TIMES[kind.name] if first is None else first,
            "interval_type": interval_type(kind),
        }
    return {}


def interval_type(kind: TypeText) -> str | None:
    precision = f"({kind.modifiers[0]})" if kind.modifiers else ""
    return f"{kind.fields.upper()}{precision}" if kind.fields else None


# --- keys ---


def find_constraints(shown: Sequence[Shown]) -> Iterator[Constraint]:
    """Keys of which every column is seen, on both sides of a foreign key; named as PostgreSQL would name them.

    Names are unique in their schema, as PostgreSQL chooses them: many queries join on schema and name alone.
    """
    by_name = {(item.table.schema, item.table.name): item for item in shown}
    taken: set[tuple[str, str]] = set()
    for item in shown:
        table = item.table
        if table.primary_key and sees(item, table.primary_key):
            name = choose_name(item, (), "pkey", taken)
            yield Constraint(name, "PRIMARY KEY", item, table.primary_key, nowhere(table.primary_key))
        for columns in filter(None, table.unique_keys):
            if sees(item, columns):
                yield Constraint(choose_name(item, columns, "key", taken), "UNIQUE", item, columns, nowhere(columns))
        for key in table.foreign_keys:
            target = by_name.get((key.references_schema, key.references_table))
            if target and sees(item, key.columns) and sees(target, key.references_columns):
                name = choose_name(item, key.columns, "fkey", taken)
                yield Constraint(name, "FOREIGN KEY", item, key.columns, positions_of(key, target.table))


def sees(item: Shown, columns: Sequence[str]) -> bool:
    return {column.name for column in item.columns}.issuperset(columns)


def nowhere(columns: Sequence[str]) -> tuple[None, ...]:
    return (None,) * len(columns)


def positions_of(key: ForeignKey, target: TableSpec) -> tuple[int, ...]:
    """Places of the referenced columns in the key that holds just them; in their own order if none is known."""
    keys = (target.primary_key, *target.unique_keys)
    wanted = key.references_columns
    found = next((columns for columns in keys if sorted(columns) == sorted(wanted)), wanted)
    return tuple(found.index(column) + 1 for column in wanted)


def choose_name(item: Shown, columns: Sequence[str], label: str, taken: set[tuple[str, str]]) -> str:
    """users_email_key; users_email_key1 if that is taken (PostgreSQL's ChooseConstraintName)."""
    number = 0
    while True:
        name = fit_name(item.table.name, "_".join(columns), f"{label}{number or ''}")
        if (item.table.schema, name) not in taken:
            taken.add((item.table.schema, name))
            return name
        number += 1


def fit_name(table: str, columns: str, label: str) -> str:
    """Joined by _, in 63 bytes: the longer of table and columns gives way first (PostgreSQL's makeObjectName)."""
    one, two = len(table.encode()), len(columns.encode())
    room = NAME_BYTES - len(label) - (2 if columns else 1)
    while one + two > room:
        one, two = (one - 1, two) if one > two else (one, two - 1)
    return "_".join(part for part in (clip(table, one), clip(columns, two), label) if part)


def clip(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore")


# --- the tree ---


def constant(value: Cell, kind: str) -> pg.Node:
    """`'NO'::pg_catalog.text`, `NULL::pg_catalog.int4`."""
    literal = pg.A_Const(location=-1)
    if value is None:
        literal.isnull = True
    else:
        literal.sval.sval = str(value)
    return typed(literal, type_name(kind))


def add_array(source: pg.RangeFunction, column: ColumnSpec, values: Sequence[Cell]) -> None:
    """One more function of ROWS FROM: `pg_catalog.unnest(a, b)` would not do, PostgreSQL knows it unqualified only."""
    kind = type_name(column.type)
    kind.array_bounds.add().integer.ival = -1
    literal = pg.A_Const(location=-1)
    literal.sval.sval = array_text(values)
    call = pg.FuncCall(
        funcname=[text("pg_catalog"), text("unnest")],
        args=[typed(literal, kind)],
        funcformat=pg.COERCE_EXPLICIT_CALL,
        location=-1,
    )
    source.functions.add().list.items.extend([pg.Node(func_call=call), pg.Node()])
    source.alias.colnames.append(text(column.name))


def typed(literal: pg.A_Const, kind: pg.TypeName) -> pg.Node:
    return pg.Node(type_cast=pg.TypeCast(arg=pg.Node(a_const=literal), type_name=kind, location=-1))


def type_name(kind: str) -> pg.TypeName:
    return pg.TypeName(names=[text("pg_catalog"), text(INTERNAL_NAMES[kind])], typemod=-1, location=-1)


def reference(column: str) -> pg.Node:
    return pg.Node(column_ref=pg.ColumnRef(fields=[text(ROWS), text(column)], location=-1))


def text(value: str) -> pg.Node:
    return pg.Node(string=pg.String(sval=value))


def array_text(values: Sequence[Cell]) -> str:
    """PostgreSQL's array literal: `{users,"Order Items",NULL}`."""
    return "{" + ",".join(map(element_text, values)) + "}"


def element_text(value: Cell) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if value.isascii() and value.replace("_", "a").isalnum() and value.upper() != "NULL":
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- the tables ---

# The database is named in these. PostgreSQL knows one catalog a database; here it is the dataset.
CATALOGS: Final = frozenset({"constraint_catalog", "table_catalog", "udt_catalog"})
EVERY_COLUMN: Final[Row] = {
    "identity_cycle": "NO",
    "is_generated": "NEVER",
    "is_identity": "NO",
    "is_self_referencing": "NO",
    "is_updatable": "NO",
}
INTEGERS: Final = frozenset(
    {
        "character_maximum_length",
        "character_octet_length",
        "datetime_precision",
        "interval_precision",
        "maximum_cardinality",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "ordinal_position",
        "position_in_unique_constraint",
    }
)
# Their columns in PostgreSQL 18's order.
COLUMN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "columns": (
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "interval_type",
        "interval_precision",
        "character_set_catalog",
        "character_set_schema",
        "character_set_name",
        "collation_catalog",
        "collation_schema",
        "collation_name",
        "domain_catalog",
        "domain_schema",
        "domain_name",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "scope_catalog",
        "scope_schema",
        "scope_name",
        "maximum_cardinality",
        "dtd_identifier",
        "is_self_referencing",
        "is_identity",
        "identity_generation",
        "identity_start",
        "identity_increment",
        "identity_maximum",
        "identity_minimum",
        "identity_cycle",
        "is_generated",
        "generation_expression",
        "is_updatable",
    ),
    "key_column_usage": (
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "position_in_unique_constraint",
    ),
    "table_constraints": (
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_type",
        "is_deferrable",
        "initially_deferred",
        "enforced",
        "nulls_distinct",
    ),
    "tables": (
        "table_catalog",
        "table_schema",
        "table_name",
        "table_type",
        "self_referencing_column_name",
        "reference_generation",
        "user_defined_type_catalog",
        "user_defined_type_schema",
        "user_defined_type_name",
        "is_insertable_into",
        "is_typed",
        "commit_action",
    ),
}
INFORMATION_TABLES: Final[Mapping[str, TableSpec]] = {
    name: TableSpec(
        schema=SCHEMA,
        name=name,
        kind=CATALOGUE,
        columns=tuple(ColumnSpec(column, "integer" if column in INTEGERS else "text") for column in columns),
    )
    for name, columns in COLUMN_NAMES.items()
}
INFORMATION_COLUMNS: Final = frozenset(name for names in COLUMN_NAMES.values() for name in names)
ROW_MAKERS: Final[Mapping[str, Callable[[Sequence[Shown]], Iterator[Row]]]] = {
    "columns": column_rows,
    "key_column_usage": key_rows,
    "table_constraints": constraint_rows,
    "tables": table_rows,
}
