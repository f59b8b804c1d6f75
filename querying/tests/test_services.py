"""The pipeline against real databases, through the one service function of all doors."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connection

from config.errors import GatewayError
from conftest import SHOP
from datasets.access import Principal
from datasets.approval import approve_dataset
from datasets.models import Dataset
from datasets.registration import deactivate_dataset
from datasets.routines import approve_routines
from logs_analytics.models import QueryLog
from logs_analytics.records import moment_of
from querying import services
from querying.engine import Engine
from querying.results import QueryResult
from querying.services import Answer, Call, answer
from querying.sql.plan import QueryRequest
from tests.servers import SERVERS, MakeDatabase, ReadonlyDsn

OPERATOR = Call(principal=Principal(person="operator", datasets=None, operator=True), door="test", tool="execute_query")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture
async def shop(make_active: Callable[..., Dataset], engine: Engine, shop_dsn: str) -> AsyncIterator[Dataset]:
    dataset = await sync_to_async(make_active)("shop", shop_dsn)
    await engine.refresh()
    yield dataset


def metadata_url() -> str:
    part = connection.settings_dict
    return f"postgresql://{part['USER']}:{part['PASSWORD']}@{part['HOST']}:{part['PORT']}/{part['NAME']}"


@contextmanager
def rule_on_the_log(rule: str) -> Iterator[None]:
    """A constraint on the query log, taken away again."""
    with psycopg.connect(metadata_url(), autocommit=True) as metadata:
        metadata.execute(f"ALTER TABLE logs_analytics_querylog ADD CONSTRAINT rule {rule}".encode())
        try:
            yield
        finally:
            metadata.execute("ALTER TABLE logs_analytics_querylog DROP CONSTRAINT rule")


async def ask(
    engine: Engine, sql: str, *, call: Call = OPERATOR, dataset: str = "shop", **options: Any
) -> Answer[QueryResult]:
    (answered,) = await answer(call, [QueryRequest(dataset, sql, **options)], engine=engine)
    return answered


async def rows_of(engine: Engine, sql: str, **options: Any) -> tuple[tuple[Any, ...], ...]:
    answered = await ask(engine, sql, **options)
    assert answered.error is None, answered.error
    assert answered.value is not None
    return answered.value.rows


async def error_of(engine: Engine, sql: str, **options: Any) -> GatewayError:
    answered = await ask(engine, sql, **options)
    assert answered.error is not None
    assert answered.value is None
    assert answered.text == ""
    return answered.error


async def test_answers_and_records(shop: Dataset, engine: Engine) -> None:
    answered = await ask(engine, "SELECT gender, count(*) AS n FROM users GROUP BY 1 ORDER BY 1")

    assert answered.value is not None
    assert answered.value.rows == (("Female", 25), ("Male", 25))
    assert answered.text == "|gender|n|\n|---|---|\n|Female|25|\n|Male|25|"
    row = await QueryLog.objects.aget(pk=answered.id)
    assert (row.outcome, row.success, row.datasets, row.row_count) == ("answered", True, ["shop"], 2)
    assert (row.query_type, row.weighting, row.person, row.door) == (
        "aggregated",
        "design_not_confirmed",
        "operator",
        "test",
    )
    assert row.query_text.startswith("SELECT gender")
    assert row.fingerprint
    assert row.answer_bytes == len(answered.text)
    assert set(row.timings_ms) == {"plan", "execute", "render"}
    assert row.total_ms > 0
    assert abs((row.created_at - moment_of(answered.id)).total_seconds()) < 0.002


@pytest.mark.parametrize(
    ("sql", "code", "outcome"),
    [
        ("DELETE FROM users", "query_refused", "refused"),
        ("SELECT 1; SELECT 2", "query_refused", "refused"),
        ("SELECT pg_sleep(9)", "query_refused", "refused"),
        ("SELECT * FROM pg_catalog.pg_authid", "query_refused", "refused"),
        ("SELEKT 1", "sql_invalid", "refused"),
        ("SELECT * FROM nowhere", "name_not_found", "refused"),
        ("SELECT 1/0 AS x", "query_failed", "failed"),
        ("SELECT email::int FROM users", "query_failed", "failed"),
    ],
)
async def test_every_refusal_and_failure_has_a_code_a_hint_and_a_record(
    shop: Dataset, engine: Engine, sql: str, code: str, outcome: str
) -> None:
    answered = await ask(engine, sql)

    assert answered.error is not None
    assert (answered.error.code, answered.outcome.value) == (code, outcome)
    assert answered.error.hint
    row = await QueryLog.objects.aget(pk=answered.id)
    assert (row.outcome, row.error_code, row.success) == (outcome, code, False)


async def test_an_error_never_quotes_a_value(shop: Dataset, engine: Engine) -> None:
    error = await error_of(engine, "SELECT email::int FROM users")

    assert "example.org" not in error.message + error.hint + str(error.context)


async def test_absent_and_not_yours_look_the_same(shop: Dataset, engine: Engine) -> None:
    stranger = replace(OPERATOR, principal=Principal(person="bob", datasets=frozenset({"other"})))

    not_yours = await error_of(engine, "SELECT 1 AS one", call=stranger)
    absent = await error_of(engine, "SELECT 1 AS one", call=stranger, dataset="nowhere")

    assert (not_yours.code, not_yours.hint, not_yours.context) == (absent.code, absent.hint, absent.context)
    assert not_yours.message.replace("shop", "") == absent.message.replace("nowhere", "")
    listed = await services.list_datasets(stranger, engine=engine)
    assert listed.value == ()


async def test_one_failure_never_stops_another(shop: Dataset, engine: Engine) -> None:
    requests = [
        QueryRequest("shop", "SELECT count(*) AS n FROM users"),
        QueryRequest("shop", "SELECT 1/0 AS x"),
        QueryRequest("nowhere", "SELECT 1 AS one"),
        QueryRequest("shop", "SELECT count(*) AS n FROM events"),
    ]

    answers = await answer(OPERATOR, requests, engine=engine)

    assert [one.outcome.value for one in answers] == ["answered", "failed", "refused", "answered"]
    assert await QueryLog.objects.acount() == 4


async def test_raw_rows_are_few_and_truncation_is_said(shop: Dataset, engine: Engine) -> None:
    raw = await ask(engine, "SELECT id, gender FROM users ORDER BY id")
    exact = await ask(engine, "SELECT id FROM users WHERE id <= 5")
    lowered = await ask(engine, "SELECT day, sum(minutes) AS m FROM events GROUP BY day ORDER BY day", max_rows=3)
    own = await ask(engine, "SELECT day, sum(minutes) AS m FROM events GROUP BY day ORDER BY day LIMIT 2")
    revealed = await ask(engine, "SELECT id FROM users", reveal_all_rows=True)

    assert raw.value is not None
    assert (len(raw.value.rows), raw.value.truncated) == (5, True)
    assert exact.value is not None
    assert (len(exact.value.rows), exact.value.truncated) == (5, False)
    assert lowered.value is not None
    assert (len(lowered.value.rows), lowered.value.truncated) == (3, True)
    assert own.value is not None
    assert (len(own.value.rows), own.value.truncated) == (2, False)
    assert revealed.value is not None
    assert (len(revealed.value.rows), revealed.value.truncated) == (50, False)


async def test_a_hidden_column_and_a_left_out_table_are_not_there(shop: Dataset, engine: Engine) -> None:
    def hide() -> None:
        users = shop.tables.get(name="users")
        users.columns.filter(name="email").update(shown="hidden")
        shop.tables.filter(name="minutes_by_day").update(included=False)
        approve_dataset(shop.pk, actor="test")

    await sync_to_async(hide)()
    await engine.refresh()

    starred = await ask(engine, "SELECT * FROM users LIMIT 1")
    assert starred.value is not None
    assert [column.name for column in starred.value.columns] == ["id", "gender", "born", "weight"]
    assert (await error_of(engine, "SELECT email FROM users")).code in {"name_not_found", "query_failed"}
    assert (await error_of(engine, "SELECT u.email FROM users u")).code == "name_not_found"
    assert (await error_of(engine, "SELECT * FROM minutes_by_day")).code == "name_not_found"


async def test_odd_values_have_a_form(shop: Dataset, engine: Engine) -> None:
    sql = """SELECT 'NaN'::float8 AS nan, 'Infinity'::float8 AS inf, 'NaN'::numeric AS nnan, 1.10::numeric AS num,
      12345678901234567890.123456789::numeric AS big, 9007199254740993::bigint AS long,
      NULL::int AS nothing, true AS yes,
      date '0044-03-15 BC' AS bc, date '12345-01-01' AS far, date 'infinity' AS forever,
      timestamptz '2026-01-02 03:04:05+00' AS at,
      interval '1 day 02:03' AS span, ARRAY[1,NULL,3] AS list, ARRAY['a b','c"d',NULL] AS words,
      int4range(1,5) AS range,
      '{"a": [1, 2]}'::jsonb AS doc, '\\xdeadbeef'::bytea AS bytes, ROW(1,'x') AS pair,
      '0b1c5d3e-0000-4000-8000-000000000000'::uuid AS id, 1 AS twice, 2 AS twice"""

    answered = await ask(engine, sql)

    assert answered.value is not None, answered.error
    names = [column.name for column in answered.value.columns]
    assert names[-2:] == ["twice", "twice"]
    shown = [str(value) for value in answered.value.rows[0]]
    assert shown == [
        "NaN", "Infinity", "NaN", "1.10", "12345678901234567890.123456789", "9007199254740993", "None", "True",
        "0044-03-15 BC", "12345-01-01", "infinity", "2026-01-02 03:04:05+00", "1 day 02:03:00", "{1,NULL,3}",
        '{"a b","c\\"d",NULL}', "[1,5)", '{"a": [1, 2]}', "\\xdeadbeef", "(1,x)",
        "0b1c5d3e-0000-4000-8000-000000000000", "1", "2",
    ]  # fmt: skip


async def test_values_print_as_postgresql_prints_them(shop: Dataset, engine: Engine) -> None:
    """Also those that the driver cannot decode, or decodes to other digits."""
    values = {
        "daterange('2026-01-01', '2026-02-01')": "[2026-01-01,2026-02-01)",
        "tstzrange('2026-01-01', NULL)": '["2026-01-01 00:00:00+00",)',
        "range_agg(numrange(1.5, 2.5))": "{[1.5,2.5)}",
        "ARRAY[date '2026-01-01', NULL]": "{2026-01-01,NULL}",
        "ROW(date '2026-01-01', 1, NULL)": "(2026-01-01,1,)",
        "array_agg(ROW(1, interval '1 day'))": '{"(1,\\"1 day\\")"}',
        "B'101'": "101",
        "box(point(0, 0), point(1, 1))": "(1,1),(0,0)",
        "0.1::real": "0.1",
        "'NaN'::real": "NaN",
        "'{0.1,1}'::real[]": "{0.1,1}",
        "'x'::\"char\"": "x",
        "NULL::daterange": "None",
        "'192.168.0.0/24'::cidr": "192.168.0.0/24",
        "'{\"a\": 1}'::jsonb": '{"a": 1}',
    }

    answered = await ask(engine, f"SELECT {', '.join(values)} FROM generate_series(1, 1)")

    assert answered.value is not None, answered.error
    assert [str(value) for value in answered.value.rows[0]] == list(values.values())
    assert answered.value.columns[0].type == "daterange"
    assert answered.value.columns[2].name == "range_agg"


async def test_whole_rows_can_be_shown(shop: Dataset, engine: Engine) -> None:
    answered = await ask(engine, "SELECT u FROM users u ORDER BY id LIMIT 1")

    assert answered.value is not None, answered.error
    assert str(answered.value.rows[0][0]).startswith("(1,")


ADDED = """
CREATE EXTENSION citext;
CREATE TABLE people (id int PRIMARY KEY, name citext, email text, state text, nccs text);
INSERT INTO people VALUES (1, 'Ana', 'ana@example.org', 'Kerala', 'A1'), (2, 'ANA', 'bob@example.org', 'Delhi', 'C');
CREATE FUNCTION initials(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.left(value, 1) $$;
GRANT SELECT ON people TO PUBLIC;
"""


async def test_what_a_database_adds_is_used_as_approved(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    dataset = await sync_to_async(make_active)("people", readonly_dsn(make_database(ADDED)))
    await engine.refresh()
    sql = "SELECT count(*) AS n, max(initials(name::text)) AS first FROM people WHERE name = 'aNa'"

    refused = await ask(engine, sql, dataset="people")
    await sync_to_async(approve_initials)(dataset)
    await engine.refresh()
    answered = await ask(engine, sql, dataset="people")

    assert refused.error is not None
    assert "initials() is not allowed" in refused.error.message
    assert answered.value is not None, answered.error
    assert answered.value.rows == ((2, "A"),)


def approve_initials(dataset: Dataset) -> None:
    approve_routines(list(dataset.routines.filter(name="initials").values_list("pk", flat=True)), actor="test")
    approve_dataset(dataset.pk, actor="test")


async def test_policies_hold_for_answers_and_descriptions(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, make_active: Callable[..., Dataset], engine: Engine
) -> None:
    dataset = await sync_to_async(make_active)("people", readonly_dsn(make_database(ADDED)))
    await sync_to_async(set_policies)(dataset)
    await engine.refresh()
    call = Call(principal=Principal(person="ana", datasets=None, attributes={"state": "Kerala"}), door="test", tool="x")

    shown = (await answer(call, [QueryRequest("people", "SELECT email, nccs FROM people")], engine=engine))[0]
    described = await services.describe_dataset(call, "people", engine=engine)
    plan = (await answer(call, [QueryRequest("people", "EXPLAIN SELECT * FROM people")], engine=engine))[0]
    everything = await ask(engine, "SELECT email, state FROM people ORDER BY id", dataset="people")

    assert shown.value is not None, shown.error
    assert shown.value.rows == (("****.org", "A"),)
    assert shown.plan is not None
    assert shown.plan.warnings == ("nccs is shown in merged classes: A = A, A1; C/D/E = C, D, E.",)
    assert "|state|" not in described.text
    assert "|email|text|masked (last_four)|" in described.text
    assert "|nccs|text|A = A, A1; C/D/E = C, D, E|" in described.text
    assert plan.error is not None
    assert everything.value is not None, everything.error  # the operator is nobody's caller
    assert everything.value.rows == (("ana@example.org", "Kerala"), ("bob@example.org", "Delhi"))


def set_policies(dataset: Dataset) -> None:
    dataset.policies = {
        "columns": [
            {"column": "public.people.email", "show": "masked", "mask": {"kind": "last_four"}},
            {"column": "public.people.state", "show": "hidden"},
        ],
        "rows": [{"table": "public.people", "where": "state = caller('state')"}],
    }
    dataset.save(update_fields=["policies"])
    approve_dataset(dataset.pk, actor="test")


async def test_a_session_cannot_be_poisoned(shop: Dataset, engine: Engine) -> None:
    dataset = engine.catalog.datasets["shop"]
    async with engine.pools.session(dataset) as one:
        backend = one.connection.get_server_pid()
        assert await one.connection.fetchval("SELECT current_setting('default_transaction_read_only')") == "on"
        await one.connection.fetch("SELECT set_config('default_transaction_read_only', 'off', false)")
        await one.connection.execute("COMMIT; SET search_path = public; SELECT pg_advisory_lock(7)")
    await asyncio.sleep(0.1)
    async with engine.pools.session(dataset) as again:
        assert again.connection.get_server_pid() == backend
        assert await again.connection.fetchval("SELECT current_setting('default_transaction_read_only')") == "on"
        assert await again.connection.fetchval("SELECT current_setting('search_path')") == "pg_catalog"
        assert await again.connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_query_over_its_time_is_stopped(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Any, transactional_db: None
) -> None:
    settings.QUERY_TIMEOUT_MS = 300
    await sync_to_async(make_active)("shop", shop_dsn)
    engine = Engine()
    await engine.start(watching=False)

    error = await error_of(engine, "SELECT count(*) AS n FROM events a, events b, events c")
    await engine.stop()

    assert error.code == "query_timeout"


async def test_a_cancelled_question_is_recorded_and_leaves_the_database(shop: Dataset, engine: Engine) -> None:
    task = asyncio.create_task(ask(engine, "SELECT count(*) AS n FROM events a, events b, events c"))
    await backend_of(engine, "public.events")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.sleep(1)
    assert await statements_with("public.events") == []
    assert [row.outcome async for row in QueryLog.objects.all()] == ["cancelled"]
    assert await rows_of(engine, "SELECT count(*) AS n FROM users") == ((50,),)


async def test_an_answer_that_cannot_be_logged_is_withheld(shop: Dataset, engine: Engine) -> None:
    def rename(to: str, back: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {back} RENAME TO {to}")

    await sync_to_async(rename)("hidden_log", "logs_analytics_querylog")
    try:
        answered = await ask(engine, "SELECT count(*) AS n FROM users")
    finally:
        await sync_to_async(rename)("logs_analytics_querylog", "hidden_log")

    assert answered.error is not None
    assert (answered.error.code, answered.value, answered.text) == ("record_unavailable", None, "")


async def test_a_database_that_is_away_disturbs_no_other(
    shop: Dataset,
    engine: Engine,
    make_active: Callable[..., Dataset],
    make_database: MakeDatabase,
    readonly_dsn: ReadonlyDsn,
) -> None:
    database_url = make_database(SHOP)
    await sync_to_async(make_active)("other", readonly_dsn(database_url))
    await engine.refresh()
    assert await rows_of(engine, "SELECT 1 AS one", dataset="other") == ((1,),)
    with psycopg.connect(database_url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE "{database_url.rsplit("/", 1)[1]}" WITH (FORCE)'.encode())

    error = await error_of(engine, "SELECT 2 AS two", dataset="other")

    assert (error.code, error.retryable) == ("source_unavailable", True)
    assert await rows_of(engine, "SELECT 1 AS one") == ((1,),)


async def test_a_failing_load_keeps_the_last_good_catalog(shop: Dataset, engine: Engine) -> None:
    before = engine.catalog

    def rename(to: str, back: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {back} RENAME TO {to}")

    await sync_to_async(rename)("hidden_version", "datasets_catalogversion")
    try:
        await engine.refresh()
        assert engine.load_error
        assert engine.catalog is before
    finally:
        await sync_to_async(rename)("datasets_catalogversion", "hidden_version")
    await engine.refresh()
    assert engine.load_error == ""


async def test_one_bad_record_withholds_no_other_answer(shop: Dataset, engine: Engine) -> None:
    async def outcome_of(number: int) -> str:
        call = replace(OPERATOR, session="x" * number)
        return (await ask(engine, "SELECT 1 AS one", call=call)).outcome.value

    with rule_on_the_log("CHECK (session <> 'xx')"):
        outcomes = await asyncio.gather(*(outcome_of(number) for number in (0, 1, 2, 3, 4)))

    assert outcomes == ["answered", "answered", "failed", "answered", "answered"]


@contextmanager
def frozen(backend: int) -> Iterator[None]:
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


async def test_a_statement_in_a_frozen_database_is_left_at_the_time_limit(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Any, transactional_db: None
) -> None:
    settings.QUERY_TIMEOUT_MS = 500
    await sync_to_async(make_active)("shop", shop_dsn)
    engine = Engine()
    await engine.start(watching=False)
    asked = asyncio.create_task(error_of(engine, "SELECT count(*) AS n FROM events a, events b, events c"))
    backend = await backend_of(engine, "events")

    with frozen(backend):
        started = time.monotonic()
        error = await asked
        waited = time.monotonic() - started
        elsewhere = await rows_of(engine, "SELECT count(*) AS n FROM users")
    await engine.stop()

    assert error.code == "query_timeout"
    assert waited < 8
    assert elsewhere == ((50,),)


async def test_a_connection_that_froze_while_it_was_idle_is_replaced(shop: Dataset, engine: Engine) -> None:
    async with engine.pools.session(engine.catalog.datasets["shop"]) as one:
        backend = one.connection.get_server_pid()
    await asyncio.sleep(0.2)

    with frozen(backend):
        started = time.monotonic()
        rows = await rows_of(engine, "SELECT count(*) AS n FROM users")
        waited = time.monotonic() - started

    assert rows == ((50,),)
    assert waited < 3


async def test_a_connection_that_was_killed_while_it_was_idle_is_replaced(shop: Dataset, engine: Engine) -> None:
    async with engine.pools.session(engine.catalog.datasets["shop"]) as one:
        backend = one.connection.get_server_pid()
    await asyncio.sleep(0.2)
    await kill_backend(backend)

    assert await rows_of(engine, "SELECT count(*) AS n FROM users") == ((50,),)


async def test_a_statement_whose_backend_is_killed_is_never_run_again(shop: Dataset, engine: Engine) -> None:
    asked = asyncio.create_task(error_of(engine, "SELECT count(*) AS n FROM events a, events b, events c"))
    backend = await backend_of(engine, "events")

    await kill_backend(backend)
    error = await asked

    assert (error.code, error.retryable) == ("source_unavailable", True)
    assert await statements_with("events") == []


async def statements_with(text: str) -> list[tuple[int, str]]:
    """Process numbers and texts of the statements that run on the session's server, but for this one."""

    def look() -> list[tuple[int, str]]:
        with psycopg.connect(superuser_url(), autocommit=True) as server:
            return server.execute(
                "SELECT pid, query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
                "AND application_name = 'mcp-analytics' AND strpos(query, %s) > 0",
                [text],
            ).fetchall()

    return await asyncio.to_thread(look)


async def backend_of(engine: Engine, text: str) -> int:
    """The process that runs a statement with this text, once it runs."""
    async with asyncio.timeout(10):
        while not (found := await statements_with(text)):  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.02)
    return found[0][0]


async def kill_backend(backend: int) -> None:
    def kill() -> None:
        with psycopg.connect(superuser_url(), autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(%s)", [backend])

    await asyncio.to_thread(kill)


def superuser_url() -> str:
    return SERVERS.runtime.postgres_superuser_url


async def test_a_plan_shows_nothing_that_stands_behind_a_view(shop: Dataset, engine: Engine) -> None:
    analyst = replace(OPERATOR, principal=Principal(person="ana", datasets=None))

    refused = await error_of(engine, "EXPLAIN SELECT * FROM minutes_by_day", call=analyst)
    answered = await ask(engine, "EXPLAIN SELECT count(*) FROM users", call=analyst)

    assert refused.code == "query_refused"
    assert answered.error is None


async def test_a_broadcast_reaches_an_engine_at_once(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Any, transactional_db: None
) -> None:
    settings.CATALOG_POLL_MS = 60_000  # what is seen at once was broadcast
    engine = Engine()
    await engine.start()
    await asyncio.sleep(0.2)
    await sync_to_async(make_active)("shop", shop_dsn)

    async with asyncio.timeout(5):
        while "shop" not in engine.catalog.datasets:  # noqa: ASYNC110 - the engine has no event to wait for
            await asyncio.sleep(0.01)
    await engine.stop()


async def test_pools_close_when_their_dataset_goes(shop: Dataset, engine: Engine) -> None:
    await rows_of(engine, "SELECT 1 AS one")
    assert len(engine.pools._pools) == 1

    await sync_to_async(deactivate_dataset)(shop.pk, actor="test")
    await engine.refresh()

    assert engine.pools._pools == {}


async def test_describes_tables_and_names_the_nearest(shop: Dataset, engine: Engine) -> None:
    described = await services.describe_dataset(OPERATOR, "shop", tables=["users"], engine=engine)
    missing = await services.describe_dataset(OPERATOR, "shop", tables=["user"], engine=engine)

    assert "|gender|text|Self-reported gender|" in described.text
    assert "## public.events" not in described.text
    assert missing.error is not None
    assert missing.error.code == "table_not_found"
    assert "users" in missing.error.hint
    assert await QueryLog.objects.filter(query_type="execute_query").acount() == 2


async def test_a_log_that_does_not_answer_withholds_answers_within_one_time_limit(
    shop: Dataset, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("querying.engine.RECORD_TIMEOUT_S", 1)
    with psycopg.connect(metadata_url()) as holder:
        holder.execute("LOCK TABLE logs_analytics_querylog IN EXCLUSIVE MODE")
        started = time.monotonic()
        answers = await answer(OPERATOR, [QueryRequest("shop", "SELECT 1 AS one")] * 8, engine=engine)
        waited = time.monotonic() - started

    assert {one.error.code for one in answers if one.error} == {"record_unavailable"}
    assert all(one.value is None for one in answers)
    assert waited < 6
