"""What callers see of information_schema equals PostgreSQL's own, for what they may see and no more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any

import postgast
import psycopg
import pytest
from postgast import pg_query_pb2 as pg

from datasets.catalog import ColumnSpec, ForeignKey, TableSpec
from datasets.connections import parse_dsn
from datasets.profiling.introspection import FoundTable, fetch_profile
from querying.sql.information_schema import INFORMATION_TABLES, SCHEMA, Cell, Shown, build_rows, information_select
from querying.sql.tests.panel import APPROVED, HIDDEN
from querying.sql.walk import names, walk
from tests.servers import MakeDatabase

Sees = Callable[[str, str], bool]
Rows = list[tuple[Any, ...]]  # Any: values as psycopg reads them

TYPES = """
CREATE TYPE public."Odd Type" AS ENUM ('a');
CREATE TYPE public.pair AS (a int, b text);
CREATE TABLE types (
    a smallint, b integer NOT NULL, c bigint, d real, e double precision, f numeric, g numeric(10, 2), h numeric(5),
    i text, j varchar, k varchar(20), l char(3), m char, n bpchar, o "char", p name, q bytea, r bit(8), s bit varying,
    t bit varying(5), u date, v time, w time(2), x timetz, y time(0) with time zone, z timestamp, aa timestamp(3),
    ab timestamptz, ac timestamp(3) with time zone, ad interval, ae interval(2), af interval year to month,
    ag interval day to second(3), ah interval hour, ai boolean, aj uuid, ak json, al jsonb, am xml, an inet, ao oid,
    ap money, aq integer[], ar varchar(20)[], "at" "Odd Type", au "Odd Type"[], av pair, aw daterange, ax tsvector,
    ay int4multirange[], az numeric(3, 1)[], ba point, bb timestamptz(2)[]
);
"""
LONG = "a_name_of_some_length_for_a_table_or_a_column"
KEYS = f"""
CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, a int, b int, UNIQUE (b, a));
CREATE TABLE events (
    id bigint PRIMARY KEY, user_id int REFERENCES users, other_id int REFERENCES users,
    email text REFERENCES users (email),
    x int, y int, FOREIGN KEY (x, y) REFERENCES users (a, b));
CREATE TABLE {LONG} ({LONG} int, "{"ü" * 30}" int, PRIMARY KEY ({LONG}, "{"ü" * 30}"), UNIQUE ({LONG}),
    UNIQUE ({LONG}, "{"ü" * 30}"), FOREIGN KEY ({LONG}) REFERENCES users);
CREATE TABLE "{"n" * 62}" (id int PRIMARY KEY);
CREATE SCHEMA "Other";
CREATE TABLE "Other"."Order Items" ("Item Id" int, n int, up int REFERENCES "Other"."Order Items" (n), UNIQUE (n));
"""
ODD = (
    "it's",
    'a "quoted" one',
    "back\\slash",
    "comma,{brace}",
    "NULL",
    "null",
    " ",
    "Größe",
    "日本 語",
    "%s $1 ;--",
    "'",
)
SAME_COLUMNS = (
    "table_schema",
    "table_name",
    "column_name",
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
    "character_set_name",
    "domain_schema",
    "domain_name",
    "udt_schema",
    "udt_name",
    "scope_name",
    "maximum_cardinality",
    "is_self_referencing",
    "is_identity",
    "identity_cycle",
    "is_generated",
)
SAME_KEYS = (
    "constraint_schema",
    "constraint_name",
    "table_schema",
    "table_name",
    "column_name",
    "ordinal_position",
    "position_in_unique_constraint",
)
SAME_CONSTRAINTS = (
    "constraint_schema",
    "constraint_name",
    "table_schema",
    "table_name",
    "constraint_type",
    "is_deferrable",
    "initially_deferred",
    "enforced",
    "nulls_distinct",
)


def everything(table: str, column: str) -> bool:
    return True


def panel_sees(table: str, column: str) -> bool:
    return table in APPROVED and (table.partition(".")[2], column) not in HIDDEN


def load_shown(url: str, sees: Sees = everything) -> list[Shown]:
    """The database as it is profiled, and of that what `sees` lets through."""
    found = asyncio.run(fetch_profile(parse_dsn(url, unix_sockets=False))).tables
    return [show(spec_of(table), sees) for table in found if sees(f"{table.schema}.{table.name}", "")]


def spec_of(found: FoundTable) -> TableSpec:
    columns = tuple(ColumnSpec(column.name, column.data_type, nullable=column.nullable) for column in found.columns)
    return TableSpec(
        found.schema, found.name, found.kind, columns, found.primary_key, found.unique_keys, found.foreign_keys
    )


def show(table: TableSpec, sees: Sees = everything) -> Shown:
    return Shown(table, tuple(column for column in table.columns if sees(table.qualified_name, column.name)))


def table_of(
    *columns: str,
    name: str = "users",
    key: tuple[str, ...] = (),
    unique: tuple[tuple[str, ...], ...] = (),
    foreign: tuple[ForeignKey, ...] = (),
) -> TableSpec:
    return TableSpec(
        "public", name, "table", tuple(ColumnSpec(column, "text") for column in columns), key, unique, foreign
    )


def dicts(name: str, shown: Iterable[Shown]) -> list[dict[str, Cell]]:
    names = [column.name for column in INFORMATION_TABLES[name].columns]
    return [dict(zip(names, row, strict=True)) for row in build_rows(name, shown=list(shown), database="panel")]


def tree_of(name: str, shown: list[Shown]) -> pg.ParseResult:
    tree = pg.ParseResult(version=180004)
    tree.stmts.add().stmt.select_stmt.CopyFrom(information_select(name, shown=shown, database="panel"))
    return tree


def statement(name: str, shown: list[Shown]) -> str:
    return postgast.deparse(tree_of(name, shown))


def source(name: str, shown: list[Shown]) -> str:
    """What govern puts in the place of the table, but for its alias."""
    return f"({statement(name, shown)})"


def ask(url: str, sql: str) -> Rows:
    """Asked as the executor asks: pg_catalog is the search path."""
    with psycopg.connect(url, options="-c search_path=pg_catalog") as session:
        return psycopg.RawCursor(session).execute(sql.encode()).fetchall()


def own_rows(url: str, name: str, columns: tuple[str, ...], sees: Sees = everything) -> Rows:
    """PostgreSQL's own answer, of which `sees` leaves what the caller may see."""
    where = "table_schema !~ '^(pg_|information_schema)'"
    if name == "table_constraints":
        where += " AND constraint_type <> 'CHECK'"
    found = [
        dict(zip(columns, row, strict=True)) for row in ask(url, f"{listing(columns)} {SCHEMA}.{name} WHERE {where}")
    ]
    kept = [row for row in found if sees(f"{row['table_schema']}.{row['table_name']}", row.get("column_name", ""))]
    return ordered(tuple(row.values()) for row in kept)


def our_rows(url: str, name: str, columns: tuple[str, ...], shown: list[Shown]) -> Rows:
    return ordered(ask(url, f"{listing(columns)} {source(name, shown)} AS x"))


def listing(columns: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(columns)} FROM"


def ordered(rows: Iterable[tuple[Any, ...]]) -> Rows:  # Any: as in Rows
    return sorted(rows, key=lambda row: [*map(str, row)])


@pytest.fixture(scope="module")
def panel_shown(panel_url: str) -> list[Shown]:
    return load_shown(panel_url, panel_sees)


@pytest.mark.parametrize("name", INFORMATION_TABLES)
def test_has_the_columns_of_postgresqls_own(name: str, panel_url: str, panel_shown: list[Shown]) -> None:
    with psycopg.connect(panel_url) as session:
        own = session.execute(f"SELECT * FROM information_schema.{name} LIMIT 0").description
        ours = session.execute(statement(name, panel_shown).encode()).description

    assert own
    assert ours
    assert [column.name for column in ours] == [column.name for column in own]
    assert [{25: "text", 23: "integer"}[column.type_code] for column in ours] == [
        column.type for column in INFORMATION_TABLES[name].columns
    ]


def test_lists_what_is_approved(panel_url: str, panel_shown: list[Shown]) -> None:
    columns = ("table_schema", "table_name", "table_type", "is_typed")

    ours = our_rows(panel_url, "tables", columns, panel_shown)

    assert {f"{schema}.{table}" for schema, table, *_ in ours} == APPROVED
    assert ours == own_rows(panel_url, "tables", columns, panel_sees)


def test_describes_visible_columns_as_postgresql_does(panel_url: str, panel_shown: list[Shown]) -> None:
    ours = our_rows(panel_url, "columns", SAME_COLUMNS, panel_shown)

    assert ours == own_rows(panel_url, "columns", SAME_COLUMNS, panel_sees)
    assert not {"email", "phone"} & {row[2] for row in ours}


def test_describes_every_type_as_postgresql_does(make_database: MakeDatabase) -> None:
    url = make_database(TYPES)
    columns = (*SAME_COLUMNS, "ordinal_position", "dtd_identifier")

    assert our_rows(url, "columns", columns, load_shown(url)) == own_rows(url, "columns", columns)


@pytest.mark.parametrize(
    ("name", "columns"), [("key_column_usage", SAME_KEYS), ("table_constraints", SAME_CONSTRAINTS)], ids=str
)
def test_names_and_places_keys_as_postgresql_does(
    name: str, columns: tuple[str, ...], make_database: MakeDatabase
) -> None:
    url = make_database(KEYS)

    ours = our_rows(url, name, columns, load_shown(url))

    assert len(ours) > 10
    assert ours == own_rows(url, name, columns)


def test_counts_visible_columns_only(panel_shown: list[Shown]) -> None:
    positions = [row["ordinal_position"] for row in dicts("columns", panel_shown) if row["table_name"] == "users"]

    assert positions == list(range(1, 17))


def test_hides_keys_of_which_a_column_is_hidden(panel_shown: list[Shown]) -> None:
    names = {row["constraint_name"] for row in dicts("table_constraints", panel_shown)}

    assert {"users_pkey", "events_user_id_fkey"} <= names
    assert "users_email_key" not in names


def test_hides_foreign_keys_to_what_is_hidden() -> None:
    users = table_of("id", "code", key=("id",), unique=(("code",),))
    events = table_of("user_id", "code", name="events", foreign=(to_users("user_id", "id"), to_users("code", "code")))

    without_users = dicts("table_constraints", [show(events)])
    without_code = dicts("key_column_usage", [show(events), show(users, lambda table, column: column != "code")])

    assert without_users == []
    assert [row["constraint_name"] for row in without_code] == ["events_user_id_fkey", "users_pkey"]


def to_users(column: str, referenced: str) -> ForeignKey:
    return ForeignKey((column,), "public", "users", (referenced,))


def test_gives_every_key_of_a_schema_a_name_of_its_own() -> None:
    tables = (
        table_of("b_c", "b", "c", name="a", unique=(("b_c",), ("b", "c"))),
        table_of("c", name="a_b", unique=(("c",),)),
    )

    names = [row["constraint_name"] for row in dicts("table_constraints", map(show, tables))]

    assert names == ["a_b_c_key", "a_b_c_key1", "a_b_c_key2"]


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        ("foreign table", "FOREIGN"),
        ("materialized view", "BASE TABLE"),
        ("partitioned table", "BASE TABLE"),
        ("table", "BASE TABLE"),
        ("view", "VIEW"),
    ],
)
def test_lists_a_materialized_view_too_which_postgresql_leaves_out(kind: str, listed: str) -> None:
    rows = dicts("tables", [show(TableSpec("public", "x", kind, ()))])

    assert [row["table_type"] for row in rows] == [listed]


def test_names_the_dataset_as_the_catalog(panel_shown: list[Shown]) -> None:
    for name in INFORMATION_TABLES:
        catalogs = {row[key] for row in dicts(name, panel_shown) for key in row if key.endswith("_catalog")}

        assert catalogs <= {"panel", None}
        assert "panel" in catalogs


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", INFORMATION_TABLES)
def test_odd_names_come_back_as_they_are(name: str, odd: str, panel_url: str) -> None:
    columns = (ColumnSpec(odd, "text"), ColumnSpec("other", "integer"))
    shown = [show(TableSpec(schema, odd, "table", columns, (odd,), ((odd, "other"),))) for schema in (odd, "b")]
    expected = build_rows(name, shown=shown, database="panel")

    assert sum(row.count(odd) for row in expected) >= 3
    assert ask(panel_url, statement(name, shown)) == expected


def test_an_odd_dataset_name_comes_back_as_it_is(panel_url: str) -> None:
    tree = pg.ParseResult(version=180004)
    tree.stmts.add().stmt.select_stmt.CopyFrom(
        information_select("tables", shown=[show(table_of("id"))], database="it's \\")
    )

    assert ask(panel_url, postgast.deparse(tree))[0][0] == "it's \\"


def test_joins_as_clients_write_them(panel_url: str, panel_shown: list[Shown]) -> None:
    joined = f"""
        SELECT c.table_name, c.column_name, c.data_type, tc.constraint_type
        FROM {source("columns", panel_shown)} AS c
        JOIN {source("key_column_usage", panel_shown)} AS k USING (table_schema, table_name, column_name)
        JOIN {source("table_constraints", panel_shown)} AS tc USING (constraint_schema, constraint_name)
        WHERE c.table_name = 'weights_monthly' ORDER BY tc.constraint_type, c.ordinal_position
    """

    assert ask(panel_url, joined) == [
        ("weights_monthly", "user_id", "integer", "FOREIGN KEY"),
        ("weights_monthly", "user_id", "integer", "PRIMARY KEY"),
        ("weights_monthly", "month", "date", "PRIMARY KEY"),
    ]


@pytest.mark.parametrize("name", INFORMATION_TABLES)
def test_gives_no_row_where_nothing_is_seen(name: str, panel_url: str) -> None:
    assert ask(panel_url, statement(name, [])) == []


@pytest.mark.parametrize("name", INFORMATION_TABLES)
def test_is_printed_and_parsed_again_unchanged(name: str, panel_shown: list[Shown]) -> None:
    for shown in (panel_shown, panel_shown[:1], []):
        printed = statement(name, shown)

        assert without_places(postgast.parse(printed)) == without_places(tree_of(name, shown))


def without_places(tree: pg.ParseResult) -> str:
    return re.sub(r" (?:location|stmt_len): -?\d+\n", "", str(tree))


@pytest.mark.parametrize("name", INFORMATION_TABLES)
def test_reads_nothing_but_constants(name: str, panel_shown: list[Shown]) -> None:
    """Whatever a database adds to its search path, nothing else is called."""
    messages = walk(tree_of(name, panel_shown))

    assert not [message for message in messages if isinstance(message, pg.RangeVar)]
    called = {names(message.funcname) for message in messages if isinstance(message, pg.FuncCall)}
    assert called == {("pg_catalog", "unnest")}
    types = {names(message.names)[0] for message in messages if isinstance(message, pg.TypeName)}
    assert types == {"pg_catalog"}
