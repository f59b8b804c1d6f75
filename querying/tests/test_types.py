"""Every type has a text form, and it is PostgreSQL's own: what it sends to a client that asks for text."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio

from config.errors import QueryFailed, QueryRefused
from datasets.catalog import DatasetSpec
from querying.engine import Engine
from querying.results import FRACTIONAL, WHOLE, Cell, QueryResult, escape_cell, render
from querying.tests.one_dataset import database_made, fetch, one_dataset, table

FORMATS: Final = "-c datestyle=ISO -c timezone=UTC -c search_path=pg_catalog"
NO_NUMBER: Final = {"NaN", "Infinity", "-Infinity"}
ODD_TEXTS: Final = (
    "''",
    "' '",
    "'NULL'",
    "'a|b\\c`d<e>,\"f\"''g'",
    "E'tab\\tnew\\nline\\r\\ncr\\rend'",
    "E'\\x01\\x02\\x07\\x08\\x0b\\x0c\\x1b\\x1f\\x7f'",
    "U&'\\0085\\2028\\2029\\00a0\\feff\\200b'",
    "U&'\\202e\\0627\\0644\\0639\\0631\\0628\\064a\\0629'",  # right to left
    "U&'e\\0301 \\0915\\094d\\0937'",  # combining
    "U&'\\+01F468\\200d\\+01F469 \\D83D\\DE00 \\+10FFFF \\FFFF \\E000'",  # above the surrogates, and a pair of them
    "repeat('long ', 2000)",
)
# type: values; every one of them also becomes an element of an array
SCALARS: Final[dict[str, Sequence[str]]] = {
    "boolean": ("true", "false"),
    "smallint": ("-32768", "0", "32767"),
    "integer": ("-2147483648", "0", "2147483647"),
    "bigint": ("-9223372036854775808", "9007199254740993", "9223372036854775807"),
    "oid": ("0", "4294967295"),
    "real": ("0.1", "1e-45", "3.4028235e38", "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "16777216"),
    "double precision": (
        *("0.1", "1e-320", "1e300", "5e-324", "1.7976931348623157e308", "1.0/3", "1e15", "1e16", "100"),
        *("'NaN'", "'Infinity'", "'-Infinity'", "'-0'"),
    ),
    "numeric": (
        *("0", "0.00", "1e1000", "1e-1000", "123456789012345678901234567890.123456789012345678901234567890"),
        *("'NaN'", "'Infinity'", "'-Infinity'", "round(2.0/3, 100)", "-1e-7", "1.50", "1e20000"),
    ),
    "numeric(12, 4)": ("1", "-99999999.9999"),
    "money": ("0", "-92233720368547758.08::numeric", "1234567.89::numeric"),
    "text": ODD_TEXTS,
    "character varying(20)": ("''", "'a|b'", "U&'\\00e9'"),
    "character(8)": ("''", "'ab'", "'  a b'"),
    "name": ("'a'", "repeat('n', 63)"),
    '"char"': ("''", "'x'", "'\\200'"),
    "bytea": ("''", "'\\x00ff5c7c0a'", "decode(repeat('00', 500), 'hex')"),
    "uuid": ("'0b1c5d3e-0000-4000-8000-00000000000f'",),
    "date": ("'2026-02-28'", "'0044-03-15 BC'", "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'"),
    "timestamp": (
        *("'2026-01-02 03:04:05.678901'", "'2016-12-31 23:59:60'", "'294276-12-31 23:59:59.999999'"),
        *("'4713-01-01 00:00 BC'", "'infinity'", "'-infinity'", "'2026-01-02'", "'10000-01-01'"),
    ),
    "timestamp(0)": ("'2026-01-02 03:04:05.678901'",),
    "timestamptz": (
        "'2026-01-02 03:04:05+05:30'",
        "'294276-12-31 23:59:59.999999+00'",
        "'infinity'",
        "'0001-01-01 BC'",
    ),
    "time": ("'00:00'", "'24:00'", "'23:59:59.999999'"),
    "timetz": ("'00:00+00'", "'24:00-15:59:59'", "'12:00+05:30'"),
    "interval": (
        *("'0'", "'-1 day -00:00:01.5'", "'1 year 2 mons -3 days 04:05:06.789'", "'-178000000 years'", "'1000 hours'"),
        *("'infinity'", "'-infinity'"),
    ),
    "json": ("'{\"a\" : [1, 2.50, null]}'", "'\"x|y\"'", "'null'", "'1e400'"),
    "jsonb": ('\'{"b": 1, "a": [1, 2.50, null], "c": "x\\n|"}\'', "'\"x\"'", "'null'", "'[]'"),
    "jsonpath": ("'$.a[*] ? (@ > 1)'",),
    "xml": (),  # the embedded server is built without it
    "int4range": ("'empty'", "'[1,5)'", "'(,)'", "'[1,]'"),
    "numrange": ("'(1.50,2.5]'", "'(,1]'"),
    "daterange": ("'empty'", "'[2026-01-01,2026-02-01]'", "'[infinity,)'", "'(,)'"),
    "tsrange": ("'[2026-01-01 00:00,2026-01-02 12:00]'",),
    "tstzrange": ("'[2026-01-01 00:00+05:30,)'",),
    "int4multirange": ("'{}'", "'{[1,3),[5,8)}'", "'{(,)}'"),
    "datemultirange": ("'{}'", "'{[2026-01-01,2026-02-01),[2026-03-01,)}'"),
    "bit(4)": ("B'1010'",),
    "bit varying": ("B''", "B'10101'"),
    "inet": ("'10.0.0.1'", "'10.0.0.1/24'", "'::ffff:1.2.3.4/96'"),
    "cidr": ("'10.0.0.0/8'", "'2001:db8::/32'"),
    "macaddr": ("'08:00:2b:01:02:03'",),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'",),
    "point": ("'(1.5,-0)'", "'(NaN,Infinity)'"),
    "line": ("'{1,2,3}'",),
    "lseg": ("'[(0,0),(1,1)]'",),
    "box": ("'(1,1),(0,0)'",),
    "path": ("'((0,0),(1,1))'", "'[(0,0),(1,1)]'"),
    "polygon": ("'((0,0),(1,1),(1,0))'",),
    "circle": ("'<(0,0),1e300>'",),
    "tsvector": ("''", "'a:1A fat:2 ''it''''s'':3'"),
    "tsquery": ("''", "'a & !b:*A | (c <-> d)'"),
    "pg_lsn": ("'16/B374D848'", "'0/0'"),
    # a caller cannot name the types from here on, in casts: he meets them as columns
    "txid_snapshot": ("'10:20:10,14,15'",),
    "pg_snapshot": ("'10:20:10,14,15'",),
    "xid": ("'4294967295'",),
    "xid8": ("'18446744073709551615'",),
    "tid": ("'(1,2)'",),
    "regclass": ("'public.pair'", "'pg_class'", "0"),
    "regtype": ("'public.mood'", "'integer'"),
    "regproc": ("'pg_catalog.now'",),
    "regprocedure": ("'lower(text)'",),
    "regnamespace": ("'public'",),
    "regrole": ("'pg_read_all_data'",),
    "regcollation": ("'\"C\"'",),
    "regconfig": ("'english'",),
    "regdictionary": ("'simple'",),
    "regoperator": ("'+(integer,integer)'",),
    "refcursor": ("'c'",),
    "aclitem": ("'=r/postgres'",),
    "public.mood": ("'sad'", "'very \"happy\"'", "'a,b'"),
    "public.whole": ("7",),
    "public.positive": ("7",),
    "public.answer": ("true", "false"),
    "public.padded": ("'ab'",),
    "public.doc": ("'{\"a\":  1}'",),
    "public.pair": ("ROW(1, 'a,b \"c\"')", "ROW(NULL, NULL)", "ROW(NULL, '')"),
    "public.nest": ("ROW(ROW(1, 'x'), ARRAY[ROW(2, 'y')::public.pair], '2026-01-01')",),
    "public.moodrange": ('\'[sad,"very \\"happy\\""]\'',),
    "public.citext": ("'AbC'", "U&'\\00c9|'"),
    "public.hstore": ('\'a=>1, "b c"=>NULL, d=>"x\\"y"\'', "''"),
    "public.ltree": ("'a.b.c'",),
    "public.lquery": ("'a.*{1,2}.b'",),
    "public.vector": ("'[1,2.5,-3e-10]'",),
    "public.halfvec": ("'[1,2.5]'",),
    "public.sparsevec": ("'{1:1.5,3:2}/5'",),
}
ARRAYS: Final[dict[str, Sequence[str]]] = {
    "integer[]": ("'{}'", "'{{1,2},{3,NULL}}'", "'[0:2]={1,2,3}'", "'[-1:0][2:3]={{1,2},{3,4}}'"),
    "text[]": ("ARRAY['', 'NULL', 'null', 'a\"b', 'c\\d', 'e,f', '{g}', ' h ', NULL]",),
    "public.pair[]": ("ARRAY[ROW(1, 'a \"b\"')::public.pair, NULL]",),
    "int4range[]": ("'{\"[1,2)\",empty,NULL}'",),
    "public.list": ("'{1,NULL,3}'",),
    "public.words": ("'{\"a b\",NULL}'",),
    "int2vector": ("'1 2 3'",),
    "oidvector": ("'1 4294967295'",),
}
TYPES: Final = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION vector;
CREATE TYPE mood AS ENUM ('sad', 'a,b', 'very "happy"');
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE DOMAIN whole AS integer; CREATE DOMAIN positive AS whole CHECK (VALUE > 0);
CREATE DOMAIN list AS integer[]; CREATE DOMAIN words AS text[]; CREATE DOMAIN answer AS boolean;
CREATE DOMAIN padded AS character(5); CREATE DOMAIN doc AS json;
CREATE TABLE pair (a integer, b text);
CREATE TYPE nest AS (inner_pair pair, pairs pair[], day date);
"""
COLUMNS: Final = {**SCALARS, **ARRAYS}
NAMES: Final = {kind: f"t{number}" for number, kind in enumerate(COLUMNS)}


def build_script() -> str:
    parts = [TYPES]
    for kind, values in COLUMNS.items():
        rows = ", ".join(f"({number}, ({value})::{kind})" for number, value in enumerate([*values, "NULL"]))
        parts.append(f"CREATE TABLE {NAMES[kind]} (id integer, v {kind}); INSERT INTO {NAMES[kind]} VALUES {rows};")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def urls(postgres_superuser_dsn: str) -> Iterator[tuple[str, str]]:
    with database_made(postgres_superuser_dsn, build_script()) as made:
        yield made


@pytest.fixture
def database_url(urls: tuple[str, str]) -> str:
    return urls[0]


@pytest.fixture
def reader_dsn(urls: tuple[str, str]) -> str:
    return urls[1]


@pytest.fixture
def dataset(reader_dsn: str) -> DatasetSpec:
    return one_dataset(reader_dsn, *(table(NAMES[kind], id="integer", v=kind) for kind in COLUMNS))


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    yield made
    await made.stop()


def printed(database_url: str, sql: str) -> list[list[Cell]]:
    """What PostgreSQL prints, asked for as text by another client; truth values as words."""
    with psycopg.connect(database_url, options=FORMATS) as database, psycopg.RawCursor(database) as cursor:
        cursor.execute(sql.encode())
        assert cursor.pgresult is not None
        truths = [column.type_code == 16 for column in cursor.description or ()]
        return [
            [as_cell(cursor.pgresult.get_value(row, place), is_truth) for place, is_truth in enumerate(truths)]
            for row in range(cursor.pgresult.ntuples)
        ]


def as_cell(value: bytes | None, is_truth: bool) -> Cell:
    if value is None:
        return None
    return {"t": "true", "f": "false"}[value.decode()] if is_truth else value.decode()


def check_forms(result: QueryResult, expected: list[list[Cell]]) -> None:
    """The cells, and what stands in each form."""
    assert [list(row) for row in result.cells] == expected
    kinds = [column.type for column in result.columns]
    shown = render(result, "markdown", max_tokens=10_000_000).text.split("\n")[2:]
    assert shown == [f"|{'|'.join('NULL' if cell is None else escape_cell(cell) for cell in row)}|" for row in expected]
    names, *rows = csv.reader(io.StringIO(render(result, "csv", max_tokens=10_000_000).text, newline=""))
    assert names == [column.name for column in result.columns]
    assert rows == [["" if cell is None else cell for cell in row] for row in expected]
    text = render(result, "json", max_tokens=10_000_000).text
    read = json.loads(text, parse_int=Decimal, parse_float=Decimal)["rows"]
    assert read == [[as_json(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in expected]


def as_json(cell: Cell, kind: str) -> Decimal | bool | str | None:
    if cell is None or cell in NO_NUMBER:
        return cell
    if kind == "bool":
        return cell == "true"
    return Decimal(cell) if kind in WHOLE | FRACTIONAL else cell


@pytest.mark.parametrize("kind", COLUMNS)
async def test_a_type_prints_as_postgresql_prints_it(
    kind: str, engine: Engine, dataset: DatasetSpec, database_url: str
) -> None:
    result = await fetch(engine, dataset, f"SELECT id, v FROM {NAMES[kind]} ORDER BY id")

    check_forms(result, printed(database_url, f"SELECT id, v FROM public.{NAMES[kind]} ORDER BY id"))


@pytest.mark.parametrize("kind", SCALARS)
async def test_an_array_of_a_type_prints_as_postgresql_prints_it(
    kind: str, engine: Engine, dataset: DatasetSpec, database_url: str
) -> None:
    """NULL among the elements."""
    result = await fetch(engine, dataset, f"SELECT array_agg(v ORDER BY id) AS list FROM {NAMES[kind]}")

    check_forms(result, printed(database_url, f"SELECT array_agg(v ORDER BY id) AS list FROM public.{NAMES[kind]}"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ROW(1, NULL, 'a,b', ARRAY[1, NULL], ROW(true, date '2026-01-01')) AS r",
        "SELECT ROW() AS r",
        "SELECT ROW(NULL) AS r",
        "SELECT ROW(NULL, NULL) AS r, NULL AS n",
        "SELECT array_agg(ROW(g, g::text)) AS r FROM generate_series(1, 3) AS g",
        "SELECT g FROM (SELECT 1 AS a, NULL AS b) AS g",
        "SELECT 1, 2, 'x', sum(1), 1 AS twice, 2 AS twice",
        'SELECT 1 AS "a""b", 2 AS "q", 3 AS "c1", 4 AS "é日本 ☃", 5 AS "|`<a>,", 6 AS "SELECT"',
        f'SELECT 1 AS "{"n" * 63}", 2 AS "{"é" * 31}"',
        f'SELECT 1 AS "{"é" * 40}"',  # cut by PostgreSQL, at a character
        "SELECT",
        "SELECT FROM generate_series(1, 3)",
        "SELECT 1 AS a WHERE false",
        "SELECT a, 1 AS b FROM (VALUES (1.0), (2.50), (NULL)) AS v (a)",
        f"SELECT {', '.join(f'{number} AS c{number}' for number in range(800))}",
    ],
)
async def test_results_of_any_shape_are_as_postgresql_gives_them(
    sql: str, engine: Engine, dataset: DatasetSpec, database_url: str
) -> None:
    result = await fetch(engine, dataset, sql)

    with psycopg.connect(database_url, options=FORMATS) as database:
        described = database.execute(sql.encode()).description or []
    assert [column.name for column in result.columns] == [column.name for column in described]
    expected = printed(database_url, sql)
    assert [list(row) for row in result.cells] == expected
    if described:
        check_forms(result, expected)


async def test_a_row_of_1600_columns_can_be_read(engine: Engine, reader_dsn: str, database_url: str) -> None:
    columns = {f"c{number}": "integer" for number in range(1600)}
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(f"CREATE TABLE widest ({', '.join(f'{name} integer' for name in columns)})".encode())
        database.execute(f"INSERT INTO widest VALUES ({', '.join(map(str, range(1600)))})".encode())

    result = await fetch(engine, one_dataset(reader_dsn, table("widest", **columns)), "SELECT * FROM widest")

    check_forms(result, [[str(number) for number in range(1600)]])
    assert [column.name for column in result.columns] == list(columns)


async def test_columns_have_postgresql_s_own_names_of_types(
    engine: Engine, dataset: DatasetSpec, database_url: str
) -> None:
    sql = "SELECT 1 AS a, '{1}'::int4[] AS b, NULL::numeric AS c, true AS d, 'x' AS e, ROW(1) AS f, 1::int8 AS g"

    result = await fetch(engine, dataset, sql)

    assert [column.type for column in result.columns] == [
        *("int4", "int4[]", "numeric", "bool", "text", "record", "int8"),
    ]


@pytest.mark.parametrize("kind", ["regclass", "regtype", "regrole", "pg_snapshot", "xid", "aclitem", "tid"])
async def test_a_cast_to_a_system_type_is_refused(kind: str, engine: Engine, dataset: DatasetSpec) -> None:
    """By design: a cast to regclass tells whether a name exists."""
    with pytest.raises(QueryRefused, match="not allowed"):
        await fetch(engine, dataset, f"SELECT '1'::{kind} AS x")


@pytest.mark.parametrize("owner", ["ROLE", "DATABASE"])
@pytest.mark.parametrize(
    "setting",
    [
        "datestyle = 'SQL, DMY'",
        "intervalstyle = 'sql_standard'",
        "bytea_output = 'escape'",
        "extra_float_digits = -3",
        "timezone = 'Asia/Kolkata'",
        "xmlbinary = 'hex'",
    ],
)
async def test_formats_that_a_role_or_database_sets_change_nothing(
    setting: str, owner: str, engine: Engine, dataset: DatasetSpec, reader_dsn: str, database_url: str
) -> None:
    parts = urlsplit(reader_dsn)
    name = parts.username if owner == "ROLE" else parts.path.lstrip("/")
    sql = (
        "SELECT date '2026-02-03' AS a, timestamptz '2026-02-03 04:05+00' AS b, interval '1 year -2 days' AS c, "
        "'\\xff00'::bytea AS d, 0.1::float8 + 0.2::float8 AS e, 1.0::real / 3 AS f, ARRAY[time '04:05'] AS g, "
        "daterange('2026-02-03', NULL) AS h, ROW(timestamptz '2026-02-03 04:05+00') AS i, "
        "to_json(date '2026-02-03') AS j"
    )
    expected = printed(database_url, sql)
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(f"ALTER {owner} {name} SET {setting}".encode())
        try:
            result = await fetch(engine, dataset, sql)
        finally:
            database.execute(f"ALTER {owner} {name} RESET ALL".encode())

    check_forms(result, expected)


async def test_money_is_in_the_currency_of_the_database(
    engine: Engine, dataset: DatasetSpec, database_url: str
) -> None:
    """lc_monetary stays as the database has it: with another one its yen would become dollars and cents."""
    sql = "SELECT current_setting('lc_monetary') AS a, 1234.5::numeric::money AS b"

    result = await fetch(engine, dataset, sql)

    check_forms(result, printed(database_url, sql))


async def test_a_table_altered_under_a_description_breaks_nothing(
    engine: Engine, reader_dsn: str, database_url: str
) -> None:
    changing = table("changing", a="text", b="boolean", c="character(3)", d="character varying(5)", e="jsonb")
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("CREATE TABLE changing (a text, b boolean, c character(3), d varchar(5), e jsonb)")
        database.execute("INSERT INTO changing VALUES ('1', true, '2', '3', '4')")
        before = await fetch(engine, one_dataset(reader_dsn, changing), "SELECT * FROM changing")
        engine.results._kept.clear()
        database.execute("UPDATE changing SET b = NULL")
        database.execute(
            "ALTER TABLE changing ALTER a TYPE integer USING a::integer, ALTER b TYPE integer USING 7, "
            "ALTER c TYPE integer USING c::integer, ALTER d TYPE varchar(9), ALTER e TYPE integer USING 4"
        )

        after = await fetch(engine, one_dataset(reader_dsn, changing), "SELECT * FROM changing")

    assert before.rows == (("1", True, "2  ", "3", "4"),)
    assert after.rows == (("1", "7", "2", "3", "4"),)


async def test_a_text_that_is_not_unicode_fails_with_a_reason(engine: Engine, postgres_superuser_dsn: str) -> None:
    """A database in SQL_ASCII holds bytes of any encoding."""
    name = f"ascii_{secrets.token_hex(4)}"
    url = urlsplit(postgres_superuser_dsn)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_superuser_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0".encode())
        try:
            with psycopg.connect(url, autocommit=True) as database:
                database.execute("CREATE TABLE names AS SELECT convert_from('\\xe9'::bytea, 'SQL_ASCII') AS called")
            spec = one_dataset(url, table("names", called="text"))
            with pytest.raises(QueryFailed, match="does not fit"):
                await fetch(engine, spec, "SELECT called FROM names")
            assert (await fetch(engine, spec, "SELECT 1 AS one")).rows == ((1,),)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_a_number_too_small_for_a_double_is_not_shown_as_nothing(engine: Engine, dataset: DatasetSpec) -> None:
    result = await fetch(engine, dataset, "SELECT 1.2345678e-400::numeric AS tiny, 0.00000000::numeric AS zero")

    assert render(result, "markdown", max_tokens=1_000, digits=5).text.splitlines()[2] == "|1.2346e-400|0|"
