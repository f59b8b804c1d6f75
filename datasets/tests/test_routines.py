"""From a database's functions to what callers may run: decisions, publishing, the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django.fixtures import DjangoAssertNumQueries

from config.errors import InvalidRequest
from datasets.additions import NOTHING_ADDED, RoutineSpec
from datasets.approval import approve_dataset
from datasets.catalog import EMPTY, DatasetSpec
from datasets.models import CatalogEntry, Dataset, DatasetRoutine
from datasets.profiling.additions import FoundRoutine
from datasets.profiling.routines import merge_routines
from datasets.profiling.service import request_profile
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import UNREAD, load_catalog, parse_entry, plain_type
from datasets.routines import approve_routines, decidable_routines, find_routines, withdraw_routines
from tests.servers import MakeDatabase, ReadonlyDsn

FUNCTIONS = """
CREATE EXTENSION citext; CREATE EXTENSION unaccent; CREATE EXTENSION tablefunc;
CREATE FUNCTION doubled(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 2';
CREATE FUNCTION doubled(a text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a || a';
CREATE FUNCTION series() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE OPERATOR |*| (RIGHTARG = int, FUNCTION = doubled);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE rank AS (place int);
CREATE FUNCTION rank_cmp(rank, rank) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).place - ($2).place';
CREATE OPERATOR CLASS rank_ops DEFAULT FOR TYPE rank USING btree AS FUNCTION 1 rank_cmp(rank, rank);
CREATE DOMAIN top AS rank CHECK ((VALUE).place < 4);
CREATE TABLE people (id int PRIMARY KEY, email citext, rank rank, ranks rank[], top top, mood mood);
CREATE VIEW twice AS SELECT doubled(id) AS id FROM people;
"""
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    return make_database(FUNCTIONS)


@pytest.fixture
def dataset(database_url: str, make_active: Callable[..., Dataset], readonly_dsn: ReadonlyDsn) -> Dataset:
    return make_active("shop", readonly_dsn(database_url))


def profile_after(change: str, *, dataset: Dataset, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(change.encode())
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)


def ids_of(dataset: Dataset, *names: str) -> list[int]:
    return find_routines(dataset, names)


def live(name: str = "shop") -> DatasetSpec:
    return load_catalog(EMPTY).datasets[name]


def approved_names(dataset: Dataset) -> list[str]:
    return [str(row) for row in dataset.routines.filter(approved=True)]


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────
def test_publishes_what_the_database_adds_with_nothing_approved(dataset: Dataset) -> None:
    spec = live()

    series = next(item for item in spec.additions.routines if item.name == "series")
    assert series == RoutineSpec("public", "series", kind="function", returns="integer", returns_set=True)
    assert not any(item.approved for item in spec.additions.routines)
    assert spec.additions.extensions["citext"] == "public"
    assert "|*|" in {item.name for item in spec.additions.operators}
    assert "public.mood" in {item.written for item in spec.additions.types}
    assert "public.citext" in {item.target for item in spec.additions.casts}
    (view,) = spec.find_tables("twice")
    assert (len(view.definitions), view.routines) == (1, (("public", "doubled"),))


def test_publishes_an_approval_only_once_the_dataset_is_approved_again(dataset: Dataset) -> None:
    approve_routines(ids_of(dataset, "doubled"), actor="asha")
    before = live()

    approve_dataset(dataset.pk, actor="asha")

    assert "doubled" not in before.vocabulary.functions
    assert live().vocabulary.functions["doubled"] == ("public",)


def test_hides_columns_whose_type_would_run_what_nobody_approved(dataset: Dataset) -> None:
    (table,) = live().find_tables("people")
    assert [column.name for column in table.visible_columns] == ["id", "email", "mood"]

    approve_routines(ids_of(dataset, "rank_cmp"), actor="asha")
    approve_dataset(dataset.pk, actor="asha")

    (table,) = live().find_tables("people")
    assert [column.name for column in table.visible_columns] == ["id", "email", "rank", "ranks", "top", "mood"]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("public.geometry(Point,4326)[]", "public.geometry"),
        ("numeric(10,4)", "numeric"),
        ("timestamp(3) with time zone[]", "timestamp with time zone"),
        ('"S (1)"."odd(type)"', '"S (1)"."odd(type)"'),
        ('"S"."a""(b"(3)', '"S"."a""(b"'),
        ("public.mood", "public.mood"),
    ],
)
def test_reads_a_type_without_modifier_and_brackets(written: str, plain: str) -> None:
    assert plain_type(written) == plain


def test_reads_documents_of_earlier_versions(dataset: Dataset) -> None:
    entry = CatalogEntry.objects.get()
    for key in ("additions", "policies", "merges"):
        del entry.document[key]
    for table in entry.document["tables"]:
        table.pop("definitions", None)
        table.pop("routines", None)

    spec = parse_entry(entry)

    assert (spec.additions, spec.merges) == (NOTHING_ADDED, None)
    # nobody has looked behind the views yet, so the guard must find them unreadable
    assert {table.kind for table in spec.tables if table.definitions == (UNREAD,)} <= {"view"}
    assert not any(table.definitions for table in spec.tables if table.kind != "view")
    assert [column.name for column in spec.find_tables("people")[0].visible_columns] == [
        "id",
        "email",
        "rank",
        "ranks",
        "top",
        "mood",
    ]


def test_publishes_merged_classes_and_tells_none_from_unsaid(dataset: Dataset) -> None:
    unsaid = live().merges
    Dataset.objects.update(merges={"nccs": {"A": ["A", "A1"]}})
    approve_dataset(dataset.pk, actor="test")
    said = live().merges
    Dataset.objects.update(merges={})
    approve_dataset(dataset.pk, actor="test")

    assert (unsaid, said, live().merges) == (None, {"nccs": {"A": ("A", "A1")}}, {})


# ── profiling again ──────────────────────────────────────────────────────────────────────────────────────────
def test_keeps_decisions_about_what_did_not_change(dataset: Dataset, database_url: str) -> None:
    approve_routines(ids_of(dataset, "doubled"), actor="asha")

    profile_after("COMMENT ON FUNCTION doubled(int) IS 'twice'", dataset=dataset, database_url=database_url)

    assert approved_names(dataset) == ["public.doubled(a integer)", "public.doubled(a text)"]
    assert dataset.routines.get(arguments="a integer").comment == "twice"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("CREATE OR REPLACE FUNCTION doubled(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 3'", "body"),
        ("ALTER FUNCTION doubled(int) VOLATILE", "volatility"),
        ("ALTER FUNCTION doubled(int) SECURITY DEFINER", "SECURITY DEFINER"),
        ("ALTER FUNCTION doubled(int) OWNER TO pg_monitor", "owner"),
        (
            "CREATE OR REPLACE FUNCTION doubled(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a; END'",
            "language, body",
        ),
    ],
)
def test_withdraws_the_approval_of_what_changed_and_says_why(
    dataset: Dataset, database_url: str, change: str, reason: str
) -> None:
    approve_routines(ids_of(dataset, "doubled"), actor="asha")

    profile_after(change, dataset=dataset, database_url=database_url)

    row = dataset.routines.get(arguments="a integer")
    assert (row.approved, row.approval_note) == (False, f"The approval by asha was withdrawn: {reason} changed.")
    assert approved_names(dataset) == ["public.doubled(a text)"]


def test_a_function_that_returns_unchanged_is_still_approved(dataset: Dataset, database_url: str) -> None:
    approve_routines(ids_of(dataset, "series"), actor="asha")

    profile_after("DROP FUNCTION series()", dataset=dataset, database_url=database_url)
    gone = dataset.routines.get(name="series")
    approve_dataset(dataset.pk, actor="test")
    published = live().vocabulary.functions
    again = "CREATE FUNCTION series() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 1'"
    profile_after(again, dataset=dataset, database_url=database_url)

    assert (gone.present, gone.approved, "series" in published) == (False, True, False)
    assert approved_names(dataset) == ["public.series()"]


def test_a_function_that_returns_changed_is_not(dataset: Dataset, database_url: str) -> None:
    approve_routines(ids_of(dataset, "series"), actor="asha")

    profile_after("DROP FUNCTION series()", dataset=dataset, database_url=database_url)
    other = "CREATE FUNCTION series() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 2'"
    profile_after(other, dataset=dataset, database_url=database_url)

    assert approved_names(dataset) == []


def test_keeps_many_functions_in_few_statements(
    dataset: Dataset, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    found = [
        FoundRoutine("gis", f"st_{n}", "", "function", "text", False, "stable", "c", "me", False, "gis", "", "hash")
        for n in range(1000)
    ]

    with transaction.atomic(), django_assert_max_num_queries(12):
        merge_routines(dataset, found)
    with transaction.atomic(), django_assert_max_num_queries(4):
        merge_routines(dataset, found)

    assert dataset.routines.filter(present=True).count() == 1000


# ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_finds_functions_by_name_with_all_their_overloads(dataset: Dataset) -> None:
    assert len(ids_of(dataset, "doubled")) == 2
    assert ids_of(dataset, "public.doubled") == ids_of(dataset, "doubled")
    assert len(ids_of(dataset, "doubled", "public.series")) == 3
    for names, extension in ((["absent"], ""), (["pg_catalog.doubled"], ""), ([], "postgis")):
        with pytest.raises(InvalidRequest):
            find_routines(dataset, names, extension=extension)


def test_says_who_decided(dataset: Dataset) -> None:
    approve_routines(ids_of(dataset, "series"), actor="asha")
    approved = dataset.routines.get(name="series")
    withdraw_routines([approved.pk], actor="ravi")

    withdrawn = dataset.routines.get(name="series")
    assert (approved.approved_by, approved.approved_at is not None) == ("asha", True)
    assert withdrawn.approval_note == "The approval by asha was withdrawn by ravi."
    assert not withdrawn.approved


def test_decides_nothing_twice_and_nothing_of_what_is_gone(dataset: Dataset) -> None:
    ids = ids_of(dataset, "series")

    assert len(approve_routines(ids, actor="asha")) == 1
    assert approve_routines(ids, actor="ravi") == []
    DatasetRoutine.objects.filter(pk__in=ids).update(present=False)
    assert withdraw_routines(ids, actor="ravi") == []


def test_what_the_list_of_an_extension_allows_needs_no_decision(dataset: Dataset) -> None:
    names = set(decidable_routines().values_list("name", flat=True))

    assert "unaccent" not in names
    assert {"doubled", "unaccent_init"} <= names


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────
def run_command(*arguments: str) -> str:
    out = StringIO()
    call_command("approve_routines", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_approves_and_says_what_comes_next(dataset: Dataset) -> None:
    said = run_command("shop", "doubled", "public.series")

    assert "public.doubled(a integer): approved." in said
    assert "3 of 3 changed. Live once it is approved again: `manage.py approve_dataset shop`." in said
    assert len(approved_names(dataset)) == 3


def test_the_command_takes_an_extension_and_withdraws(dataset: Dataset) -> None:
    made = json.loads(run_command("shop", "--all-of-extension", "tablefunc", "--json"))
    said = run_command("shop", "--all-of-extension", "tablefunc", "--withdraw")

    assert made["found"] == len(made["changed"]) > 5
    assert "no longer approved" in said
    assert approved_names(dataset) == []


@pytest.mark.parametrize("arguments", [[], ["absent"], ["--all-of-extension", "absent"]])
def test_the_command_refuses_what_names_no_function(dataset: Dataset, arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        run_command("shop", *arguments)
