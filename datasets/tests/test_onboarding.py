"""Register, profile, approve: the services, with a real worker on a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from dramatiq import Worker
from pytest_django.fixtures import Settings

from config.errors import (
    CredentialsUnreadable,
    GatewayError,
    InvalidRequest,
    NameTaken,
    RoleUnsafe,
    SourcePasswordRejected,
    TransitionRefused,
)
from conftest import SHOP
from datasets.approval import activate_dataset, approve_dataset
from datasets.catalog import EMPTY
from datasets.health import State, check_catalog
from datasets.keys import create_api_key
from datasets.lifecycle import Status
from datasets.models import CatalogEntry, Dataset, ProfilingRun, SystemConfig
from datasets.profiling.service import request_profile, run_profile
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import load_catalog, read_version
from datasets.registration import deactivate_dataset, delete_dataset, register_dataset, update_connection
from tests.servers import MakeDatabase, ReadonlyDsn, RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


def register(name: str, dsn: str) -> Dataset:
    registration = register_dataset(name, dsn, actor="test")
    wait_for_run(registration.profiling_run_id, wait_s=20)
    return Dataset.objects.get(pk=registration.dataset_id)


# ── registering ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_registration_stores_no_readable_password(worker: Worker, shop_dsn: str) -> None:
    dataset = register("shop", shop_dsn)

    password = shop_dsn.split(":")[2].split("@")[0]
    stored = json.dumps(list(Dataset.objects.filter(pk=dataset.pk).values()), default=repr)
    with connection.cursor() as cursor:
        cursor.execute("SELECT connection FROM datasets_dataset")
        raw = bytes(cursor.fetchone()[0])
    assert password not in stored
    assert password.encode() not in raw
    assert password not in str(dataset.connection) + repr(dataset.connection) + repr(dataset.__dict__)
    assert (dataset.host, dataset.username) == ("127.0.0.1", shop_dsn.split("//")[1].split(":")[0])


def test_a_failing_connection_stores_nothing(worker: Worker, shop_dsn: str) -> None:
    wrong = shop_dsn.replace(":" + shop_dsn.split(":")[2].split("@")[0], ":wrong")

    with pytest.raises(SourcePasswordRejected):
        register_dataset("shop", wrong, actor="test")

    assert not Dataset.objects.exists()


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "a b", "x" * 64, "shop;drop", "ümlaut"])
def test_a_name_has_to_be_a_slug(name: str, shop_dsn: str) -> None:
    with pytest.raises(InvalidRequest):
        register_dataset(name, shop_dsn, actor="test")


def test_a_name_is_taken_until_its_dataset_is_deleted(worker: Worker, shop_dsn: str) -> None:
    dataset = register("shop", shop_dsn)
    with pytest.raises(NameTaken):
        register_dataset("shop", shop_dsn, actor="test")

    delete_dataset(dataset.pk, actor="test")

    assert register("shop", shop_dsn).pk != dataset.pk


def test_profiling_ends_in_human_review_with_tables_and_facts(worker: Worker, shop_dsn: str) -> None:
    dataset = register("shop", shop_dsn)

    assert dataset.status == Status.HUMAN_REVIEW
    assert dataset.estimated_row_count == 1050
    assert (dataset.date_column, str(dataset.date_range_start)) == ("public.events.day", "2026-01-01")
    assert sorted(table.name for table in dataset.tables.all()) == ["events", "minutes_by_day", "users"]


def test_a_run_done_twice_changes_nothing(worker: Worker, shop_dsn: str) -> None:
    dataset = register("shop", shop_dsn)
    run = dataset.profiling_runs.get()

    run_profile(run.pk)

    run.refresh_from_db()
    assert (run.state, run.attempts) == (ProfilingRun.State.SUCCEEDED, 1)


def test_a_profile_that_gives_up_says_why_on_the_dataset(
    worker: Worker, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dsn = readonly_dsn(database_url)
    registration = register_dataset("shop", dsn, actor="test")
    wait_for_run(registration.profiling_run_id, wait_s=20)
    role = dsn.split("//")[1].split(":")[0]
    with psycopg.connect(database_url, autocommit=True) as source:
        source.execute(f"ALTER ROLE {role} PASSWORD 'changed'".encode())

    run = request_profile(registration.dataset_id, actor="test")
    with pytest.raises(GatewayError):
        wait_for_run(run.pk, wait_s=20)

    dataset = Dataset.objects.get(pk=registration.dataset_id)
    assert dataset.status == Status.ERROR
    assert "rejected the password" in dataset.status_reason
    run.refresh_from_db()
    assert (run.state, run.attempts) == (ProfilingRun.State.FAILED, 1)


def test_a_broker_that_is_away_shows_in_the_run_and_the_dataset(
    transactional_db: None, shop_dsn: str, redis_server: RedisServer
) -> None:
    redis_server.stop()

    registration = register_dataset("shop", shop_dsn, actor="test")

    run = ProfilingRun.objects.get(pk=registration.profiling_run_id)
    assert (run.state, run.error_code) == (ProfilingRun.State.FAILED, "queue_unavailable")
    assert Dataset.objects.get(pk=registration.dataset_id).status == Status.ERROR


# ── approving ────────────────────────────────────────────────────────────────────────────────────────────────
def test_approval_publishes_an_entry_and_grows_the_version(worker: Worker, shop_dsn: str) -> None:
    dataset = register("shop", shop_dsn)
    before = read_version()

    entry = approve_dataset(dataset.pk, actor="ana")

    dataset.refresh_from_db()
    assert (dataset.status, dataset.approved_by, dataset.live_entry) == (Status.ACTIVE, "ana", entry)
    assert entry.version == read_version() == before + 1
    spec = load_catalog(EMPTY).datasets["shop"]
    assert [table.qualified_name for table in spec.tables] == [
        "public.events",
        "public.minutes_by_day",
        "public.users",
    ]
    assert spec.find_tables("users")[0].primary_key == ("id",)


def test_nothing_can_be_approved_before_it_is_profiled(transactional_db: None, shop_dsn: str) -> None:
    registration = register_dataset("shop", shop_dsn, actor="test")

    with pytest.raises(TransitionRefused) as caught:
        approve_dataset(registration.dataset_id, actor="test")

    assert caught.value.hint


def test_a_role_that_may_write_is_registered_but_never_activated(worker: Worker, make_database: MakeDatabase) -> None:
    dataset = register("shop", make_database(SHOP))

    with pytest.raises(RoleUnsafe) as caught:
        approve_dataset(dataset.pk, actor="test")

    assert caught.value.context["checks"] == ["role_attributes"]
    dataset.refresh_from_db()
    assert dataset.status == Status.HUMAN_REVIEW
    assert any(check["state"] == "blocked" for check in dataset.preflight)


def test_the_override_is_recorded_and_refused_in_production(
    worker: Worker, make_database: MakeDatabase, settings: Settings
) -> None:
    dsn = make_database(SHOP)
    registration = register_dataset("shop", dsn, allow_unsafe_role=True, actor="ana")
    wait_for_run(registration.profiling_run_id, wait_s=20)
    approve_dataset(registration.dataset_id, actor="ana")
    assert Dataset.objects.get(name="shop").unsafe_role_allowed_by == "ana"

    settings.ALLOW_UNSAFE_ROLES = False
    with pytest.raises(RoleUnsafe):
        register_dataset("other", dsn, allow_unsafe_role=True, actor="ana")


def test_an_unsafe_role_allowed_on_a_laptop_is_not_activated_in_production(
    worker: Worker, make_database: MakeDatabase, settings: Settings
) -> None:
    registration = register_dataset("shop", make_database(SHOP), allow_unsafe_role=True, actor="ana")
    wait_for_run(registration.profiling_run_id, wait_s=20)
    settings.ALLOW_UNSAFE_ROLES = False

    with pytest.raises(RoleUnsafe):
        approve_dataset(registration.dataset_id, actor="ana")


def test_a_connection_that_fails_at_approval_leaves_it_approved_and_not_active(
    worker: Worker, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dsn = readonly_dsn(database_url)
    dataset = register("shop", dsn)
    role = dsn.split("//")[1].split(":")[0]
    with psycopg.connect(database_url, autocommit=True) as source:
        source.execute(f"ALTER ROLE {role} NOLOGIN".encode())

    with pytest.raises(GatewayError):
        approve_dataset(dataset.pk, actor="test")
    dataset.refresh_from_db()
    assert (dataset.status, bool(dataset.status_reason)) == (Status.APPROVED, True)

    with psycopg.connect(database_url, autocommit=True) as source:
        source.execute(f"ALTER ROLE {role} LOGIN".encode())
    approve_dataset(dataset.pk, actor="test")
    dataset.refresh_from_db()
    assert (dataset.status, dataset.status_reason) == (Status.ACTIVE, "")


def test_edits_and_new_profiles_are_live_only_after_approval(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dataset = make_active("shop", readonly_dsn(database_url))
    dataset.tables.filter(name="users").update(description="Edited by a person")
    with psycopg.connect(database_url, autocommit=True) as source:
        source.execute("CREATE TABLE added (id int PRIMARY KEY); DROP VIEW minutes_by_day")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)
    live = load_catalog(EMPTY).datasets["shop"]
    dataset.refresh_from_db()

    approve_dataset(dataset.pk, actor="test")

    assert dataset.status == Status.ACTIVE  # a live dataset never flickers
    assert {table.name for table in live.tables} == {"users", "events", "minutes_by_day"}
    published = {table.name: table for table in load_catalog(EMPTY).datasets["shop"].tables}
    assert set(published) == {"users", "events", "added"}
    assert published["users"].description == "Edited by a person"


def test_a_deactivated_dataset_is_gone_until_it_returns(make_active: Callable[..., Dataset], shop_dsn: str) -> None:
    dataset = make_active("shop", shop_dsn)

    deactivate_dataset(dataset.pk, actor="test")
    assert "shop" not in load_catalog(EMPTY).datasets
    with pytest.raises(TransitionRefused):
        deactivate_dataset(dataset.pk, actor="test")

    activate_dataset(dataset.pk, actor="test")
    assert "shop" in load_catalog(EMPTY).datasets


def test_a_new_connection_string_goes_live_with_the_same_document(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    dataset = make_active("shop", readonly_dsn(make_database(SHOP)))
    first = load_catalog(EMPTY)

    update_connection(dataset.pk, readonly_dsn(make_database(SHOP)), actor="test")

    second = load_catalog(first)
    assert second.version > first.version
    assert second.datasets["shop"].connection_id != first.datasets["shop"].connection_id
    assert second.datasets["shop"].tables == first.datasets["shop"].tables


def test_an_active_dataset_keeps_its_safe_role(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dataset = make_active("shop", readonly_dsn(database_url))

    with pytest.raises(RoleUnsafe):
        update_connection(dataset.pk, database_url, actor="test")

    assert CatalogEntry.objects.count() == 1


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_only_changed_entries_are_read_again(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    first_dataset = make_active("first", readonly_dsn(make_database(SHOP)))
    before = load_catalog(EMPTY)

    make_active("second", readonly_dsn(make_database(SHOP)))
    after = load_catalog(before)

    assert after.datasets["first"] is before.datasets["first"]
    assert after.datasets["first"].dataset_id == first_dataset.pk
    assert set(after.datasets) == {"first", "second"}


def test_a_wrong_encryption_key_is_an_error_with_a_way_out(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Settings
) -> None:
    dataset = make_active("shop", shop_dsn)
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)

    with pytest.raises(CredentialsUnreadable) as caught:
        approve_dataset(dataset.pk, actor="test")

    assert "ENCRYPTION_KEY" in caught.value.hint
    assert "shop" in load_catalog(EMPTY).datasets


def test_an_older_key_among_several_still_decrypts(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Settings
) -> None:
    dataset = make_active("shop", shop_dsn)
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS)

    approve_dataset(dataset.pk, actor="test")


def test_decisions_hold_for_what_was_away_for_a_while(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dsn = readonly_dsn(database_url)
    dataset = make_active("shop", dsn)
    dataset.tables.get(name="users").columns.filter(name="email").update(shown="hidden")
    dataset.tables.filter(name="events").update(included=False)
    role = dsn.split("//")[1].split(":")[0]
    for statement in (f"REVOKE SELECT ON users, events FROM {role}", f"GRANT SELECT ON users, events TO {role}"):
        with psycopg.connect(database_url, autocommit=True) as source:
            source.execute(statement.encode())
        wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)
        approve_dataset(dataset.pk, actor="test")

    published = {table.name: table for table in load_catalog(EMPTY).datasets["shop"].tables}

    assert set(published) == {"users", "minutes_by_day"}
    assert "email" not in {column.name for column in published["users"].visible_columns}


def test_what_is_gone_is_not_published(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    database_url = make_database(SHOP)
    dataset = make_active("shop", readonly_dsn(database_url))
    with psycopg.connect(database_url, autocommit=True) as source:
        source.execute("ALTER TABLE users DROP COLUMN email; DROP VIEW minutes_by_day")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)
    approve_dataset(dataset.pk, actor="test")

    published = {table.name: table for table in load_catalog(EMPTY).datasets["shop"].tables}

    assert set(published) == {"users", "events"}
    assert "email" not in {column.name for column in published["users"].columns}


def test_one_unreadable_entry_or_setting_leaves_the_rest_as_it_is(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    make_active("good", readonly_dsn(make_database(SHOP)))
    bad = make_active("bad", readonly_dsn(make_database(SHOP)))
    bad.entries.update(document={"format": 99})
    SystemConfig.objects.update_or_create(key="query_limits", defaults={"value": {"raw_rows": 5, "new_limit": 3}})

    catalog = load_catalog(EMPTY)

    assert set(catalog.datasets) == {"good"}
    assert len(catalog.faults) == 2
    assert "bad" in catalog.faults[0]
    assert "new_limit" in catalog.faults[1]
    assert check_catalog(catalog, "").state is State.DEGRADED


def test_a_grant_ends_with_its_dataset(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    first = make_active("shop", readonly_dsn(make_database(SHOP)))
    create_api_key("chat", all_datasets=False, datasets=["shop"])
    delete_dataset(first.pk, actor="test")
    make_active("shop", readonly_dsn(make_database(SHOP)))

    (key,) = load_catalog(EMPTY).keys.values()

    assert key.datasets == frozenset()


def test_commands_say_that_nothing_could_be_queued(
    transactional_db: None, shop_dsn: str, redis_server: RedisServer
) -> None:
    redis_server.stop()

    with pytest.raises(SystemExit):
        call_command("register_dataset", "shop", shop_dsn, "--json")
