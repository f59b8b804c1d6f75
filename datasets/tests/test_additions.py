"""What a profile finds of a database's own functions, operators, types and casts."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from datasets.additions import Additions, CastSpec, OperatorSpec, TypeSpec
from datasets.additions_document import build_additions_document, parse_additions
from datasets.connections import parse_dsn
from datasets.profiling.additions import FoundRoutine
from datasets.profiling.introspection import FoundTable, Profile, fetch_profile
from tests.servers import MakeDatabase, ReadonlyDsn

ADDING = """
CREATE EXTENSION citext; CREATE EXTENSION pg_trgm;
CREATE SCHEMA hidden;
CREATE FUNCTION plain(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql STABLE AS 'SELECT a';
CREATE FUNCTION plain(a text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a';
COMMENT ON FUNCTION plain(int, text) IS 'as it is';
CREATE FUNCTION atomic(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a + 1;
CREATE FUNCTION looping(a int) RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN; END';
CREATE FUNCTION hidden.secret() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::text';
CREATE FUNCTION pg_catalog.planted(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE PROCEDURE proceeding() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE total(int) (SFUNC = plus, STYPE = int, INITCOND = '0');
CREATE OPERATOR |+| (LEFTARG = int, RIGHTARG = int, FUNCTION = plus);
CREATE OPERATOR !!! (RIGHTARG = text, FUNCTION = pg_read_file);
CREATE FUNCTION is_code(text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT $1 ~ '^x'$$;
CREATE DOMAIN code AS varchar(10) CHECK (is_code(VALUE));
CREATE DOMAIN long_code AS code CHECK (length(VALUE) > 3);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, "B" int);
CREATE FUNCTION pair_cmp(pair, pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a - ($2).a';
CREATE FUNCTION pair_lt(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a < ($2).a';
CREATE OPERATOR <<< (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_lt);
CREATE OPERATOR CLASS pair_ops DEFAULT FOR TYPE pair USING btree AS OPERATOR 1 <<<, FUNCTION 1 pair_cmp(pair, pair);
CREATE TYPE holder AS (pairs pair[], code code);
CREATE FUNCTION gap(double precision, double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE span AS RANGE (subtype = double precision, subtype_diff = gap);
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT ($1).a::text$$;
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
CREATE CAST (mood AS text) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION json_cmp(json, json) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION json_lt(json, json) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR <<< (LEFTARG = json, RIGHTARG = json, FUNCTION = json_lt);
CREATE OPERATOR CLASS json_ops DEFAULT FOR TYPE json USING btree AS OPERATOR 1 <<<, FUNCTION 1 json_cmp(json, json);
CREATE TABLE t (id int, p pair, c long_code, e citext);
CREATE TABLE holds (rows t[]);
CREATE VIEW hidden.inner_view AS SELECT id, plain(id) AS n, id |+| 1 AS next, hidden.secret() AS s FROM t;
CREATE VIEW middle AS SELECT n, s FROM hidden.inner_view;
CREATE VIEW outer_view AS SELECT n, lower(s) AS s FROM middle;
CREATE VIEW over_activity AS SELECT datname FROM pg_stat_activity;
CREATE MATERIALIZED VIEW kept AS SELECT n FROM middle;
CREATE VIEW over_kept AS SELECT n FROM kept;
"""


@pytest.fixture(params=["superuser", "reader"])
def profile(request: pytest.FixtureRequest, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> Profile:
    """As the superuser, and as a role without USAGE on `hidden`: both have to find the same."""
    url = make_database(ADDING)
    return profile_of(url if request.param == "superuser" else readonly_dsn(url))


def profile_of(dsn: str) -> Profile:
    return asyncio.run(fetch_profile(parse_dsn(dsn, unix_sockets=False)))


def own_routines(profile: Profile) -> dict[str, FoundRoutine]:
    return {f"{item.schema}.{item.name}({item.arguments})": item for item in profile.additions.routines}


def types_of(profile: Profile) -> dict[str, TypeSpec]:
    return {item.written: item for item in profile.additions.names.types}


def tables_of(profile: Profile) -> dict[str, FoundTable]:
    return {table.name: table for table in profile.tables}


# ── functions, operators, casts ──────────────────────────────────────────────────────────────────────────────
def test_finds_extensions_with_their_schemas(profile: Profile) -> None:
    assert profile.additions.names.extensions == {"citext": "public", "pg_trgm": "public", "plpgsql": "pg_catalog"}


def test_finds_functions_in_every_schema_with_what_a_person_judges(profile: Profile) -> None:
    found = own_routines(profile)

    plain, secret = found["public.plain(a integer, b text)"], found["hidden.secret()"]
    assert (plain.kind, plain.returns, plain.volatility, plain.language) == ("function", "integer", "stable", "sql")
    assert (plain.comment, plain.owner, plain.security_definer) == ("as it is", "postgres", False)
    assert (secret.volatility, secret.security_definer) == ("volatile", True)
    assert (found["public.looping(a integer)"].returns_set, found["public.looping(a integer)"].returns) == (
        True,
        "text",
    )
    assert found["public.total(integer)"].kind == "aggregate"
    assert "public.plain(a text)" in found
    assert found["public.pair_text(public.pair)"].returns == "text"


def test_finds_a_function_planted_among_the_built_in(profile: Profile) -> None:
    planted = [name for name in own_routines(profile) if name.startswith("pg_catalog.")]

    assert planted == ["pg_catalog.planted(integer)"]


def test_leaves_out_what_no_query_can_call(profile: Profile) -> None:
    names = {item.name for item in profile.additions.routines}

    assert names.isdisjoint({"touched", "proceeding", "plpgsql_call_handler", "lower"})


def test_names_the_extension_of_its_members(profile: Profile) -> None:
    extensions = {item.name: item.extension for item in profile.additions.routines}
    casts = {(item.source, item.target): item.extension for item in profile.additions.names.casts}
    operators = {(item.name, item.left): item.extension for item in profile.additions.names.operators}

    assert (extensions["similarity"], extensions["citext_eq"], extensions["plain"]) == ("pg_trgm", "citext", "")
    assert casts["boolean", "public.citext"] == "citext"
    assert operators["=", "public.citext"] == "citext"
    assert types_of(profile)["public.citext"].extension == "citext"


def test_finds_operators_and_what_they_run(profile: Profile) -> None:
    own = [item for item in profile.additions.names.operators if not item.extension]

    assert own == [
        OperatorSpec("public", "!!!", left="", right="text", routine=("pg_catalog", "pg_read_file")),
        OperatorSpec("public", "<<<", left="json", right="json", routine=("public", "json_lt")),
        OperatorSpec("public", "<<<", left="public.pair", right="public.pair", routine=("public", "pair_lt")),
        OperatorSpec("public", "|+|", left="integer", right="integer", routine=("public", "plus")),
    ]


def test_finds_casts_and_what_they_run(profile: Profile) -> None:
    own = {item.source: item for item in profile.additions.names.casts if not item.extension}

    assert own["public.pair"] == CastSpec("public.pair", "text", context="implicit", routine=("public", "pair_text"))
    assert own["public.mood"] == CastSpec("public.mood", "text", context="assignment", routine=("", ""))


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_follows_a_domain_over_a_domain_to_its_base_and_all_its_checks(profile: Profile) -> None:
    found = types_of(profile)["public.long_code"]

    assert (found.kind, found.base) == ("domain", "character varying(10)")
    assert found.definitions == ("CHECK ((length((VALUE)::text) > 3))", "CHECK (public.is_code((VALUE)::text))")
    assert found.routines == (("public", "is_code"),)


def test_finds_what_comparing_values_of_a_type_runs(profile: Profile) -> None:
    found = types_of(profile)

    assert (found["public.pair"].kind, found["public.pair"].attributes) == ("composite", ("a", "B"))
    assert found["public.pair"].routines == (("public", "pair_cmp"), ("public", "pair_lt"))
    assert (found["public.mood"].kind, found["public.mood"].routines) == ("enum", ())
    assert (found["public.span"].kind, found["public.span"].routines) == ("range", (("public", "gap"),))
    assert found["public.span_multirange"].routines == (("public", "gap"),)
    assert ("public", "citext_cmp") in found["public.citext"].routines


def test_a_type_runs_what_the_types_in_it_run(profile: Profile) -> None:
    found = types_of(profile)

    assert found["public.holder"].routines == (("public", "pair_cmp"), ("public", "pair_lt"), ("public", "is_code"))
    assert found["public.holder"].definitions == ("CHECK (public.is_code((VALUE)::text))",)


def test_writing_out_a_value_of_a_base_type_runs_functions_too(profile: Profile) -> None:
    assert {("public", "citextout"), ("public", "citextsend")} <= set(types_of(profile)["public.citext"].routines)


def test_the_row_type_of_a_table_counts_where_values_of_it_are_kept(profile: Profile) -> None:
    found = types_of(profile)

    assert "public.holds" not in found
    assert {("public", "pair_cmp"), ("public", "citext_cmp")} <= set(found["public.t"].routines)


def test_an_order_given_to_a_built_in_type_makes_it_one_to_approve(profile: Profile) -> None:
    found = types_of(profile)["json"]

    assert (found.schema, found.routines) == ("pg_catalog", (("public", "json_cmp"), ("public", "json_lt")))
    assert [name for name, item in types_of(profile).items() if item.schema == "pg_catalog"] == ["json"]


# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_view_comes_with_the_views_behind_it_also_those_that_the_role_may_not_read(profile: Profile) -> None:
    view = tables_of(profile)["outer_view"]

    first, *behind = (" ".join(text.split()) for text in view.definitions)
    assert first == "SELECT n, lower(s) AS s FROM public.middle;"
    assert len(behind) == 2
    assert "SELECT n, s FROM hidden.inner_view;" in behind
    assert view.routines == (("hidden", "secret"), ("public", "plain"), ("public", "plus"))


def test_a_view_over_a_system_view_comes_with_its_query(profile: Profile) -> None:
    view = tables_of(profile)["over_activity"]

    assert len(view.definitions) == 2
    assert "pg_stat_get_activity" in view.definitions[1]


def test_a_materialized_view_ends_the_way_and_tables_have_none(profile: Profile) -> None:
    tables = tables_of(profile)

    assert [len(tables["over_kept"].definitions), len(tables["t"].definitions)] == [1, 0]
    assert (tables["over_kept"].routines, tables["t"].routines) == ((), ())


# ── what a change shows ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("SELECT 1", set()),
        (
            "CREATE OR REPLACE FUNCTION plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 7'",
            {"public.plus(integer, integer)", "public.total(integer)"},
        ),
        ("CREATE OR REPLACE FUNCTION atomic(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a", {"atomic"}),
        ("ALTER FUNCTION plain(text) SET search_path = hidden", {"public.plain(a text)"}),
        (
            "CREATE OR REPLACE FUNCTION plain(a int, b text DEFAULT 'y') RETURNS int LANGUAGE sql STABLE AS 'SELECT a'",
            {"public.plain(a integer, b text)"},
        ),
        ("ALTER FUNCTION plain(text) STABLE; COMMENT ON FUNCTION plain(text) IS 'x'", set()),
    ],
)
def test_the_hash_of_a_body_changes_with_what_a_call_runs(
    make_database: MakeDatabase, change: str, changed: set[str]
) -> None:
    url = make_database(ADDING)
    before = own_routines(profile_of(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(change.encode())
    after = own_routines(profile_of(url))

    differing = {name for name in before if before[name].body_hash != after[name].body_hash}
    assert differing == {"public.atomic(a integer)" if name == "atomic" else name for name in changed}


# ── as a document ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_document_gives_the_same_additions_back(profile: Profile) -> None:
    names = profile.additions.names

    document = build_additions_document(names)

    assert parse_additions(document) == names
    assert document["operators"][0] == {
        "schema": "public",
        "name": "!!!",
        "left": "",
        "right": "text",
        "routine": ["pg_catalog", "pg_read_file"],
    }
    assert build_additions_document(Additions()) == {}
