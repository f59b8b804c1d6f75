"""What is kept, for whom and how long; and questions in flight that several callers share."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from config.errors import GatewayError, QueryFailed
from datasets.access import Principal
from datasets.additions import Additions, OperatorSpec, RoutineSpec
from datasets.catalog import DatasetSpec, TableSpec
from datasets.models import Dataset
from datasets.policies import Policies
from datasets.system_config import QueryLimits, SystemSettings
from logs_analytics.models import QueryLog
from querying.cache import TEXTS, Flights, Kept, ResultCache
from querying.engine import Engine
from querying.executor import execute
from querying.results import Column, QueryResult
from querying.sql.plan import QueryRequest, build_plan
from querying.tests.one_dataset import OPERATOR, database_made, one_dataset, table
from querying.tests.test_services import OPERATOR as CALL
from querying.tests.test_services import ask, statements_with

SCRIPT: Final = """
CREATE TABLE people (id integer PRIMARY KEY, email text, state text, nccs text);
INSERT INTO people VALUES (1, 'ana@example.org', 'Kerala', 'A1'), (2, 'bob@example.org', 'Delhi', 'C');
CREATE TABLE events AS SELECT i AS id FROM generate_series(1, 1000) AS i;
CREATE VIEW fresh AS SELECT now() AS at;
"""
PEOPLE: Final = "SELECT email, state FROM people ORDER BY id"
FOREVER: Final = "SELECT count(*) AS n FROM events a, events b, events c"
A_SECOND: Final = "SELECT count(*) AS n FROM events a, events b, events c WHERE c.id <= 20"
POLICIES: Final = Policies.model_validate(
    {
        "columns": [
            {"column": "public.people.email", "show": "masked", "mask": {"kind": "last_four"}},
            {"column": "public.people.email", "show": "visible", "groups": ["privacy"]},
        ],
        "rows": [{"table": "public.people", "where": "state = caller('state')"}],
    }
)
ANA: Final = Principal(person="ana", datasets=None, attributes={"state": "Kerala"})
BOB: Final = Principal(person="bob", datasets=None, attributes={"state": "Delhi"})
TRUSTED: Final = replace(ANA, person="eve", groups=frozenset({"privacy"}))
SEEN: Final = (
    (OPERATOR, (("ana@example.org", "Kerala"), ("bob@example.org", "Delhi"))),
    (ANA, (("****.org", "Kerala"),)),
    (BOB, (("****.org", "Delhi"),)),
    (TRUSTED, (("ana@example.org", "Kerala"),)),
)


@pytest.fixture(scope="module")
def urls(postgres_superuser_dsn: str) -> Iterator[tuple[str, str]]:
    with database_made(postgres_superuser_dsn, SCRIPT) as made:
        yield made


@pytest.fixture
def dataset(urls: tuple[str, str]) -> DatasetSpec:
    return one_dataset(
        urls[1], table("people", id="integer", email="text", state="text", nccs="text"), table("events", id="integer")
    )


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Engine]:
    """An engine without a catalogue."""
    made = Engine()
    yield made
    await made.stop()


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that were run, in order."""
    found: list[str] = []

    async def counting(plan: Any, **options: Any) -> QueryResult:  # Any: as execute's own
        found.append(plan.sql)
        return await execute(plan, **options)

    monkeypatch.setattr("querying.engine.execute", counting)
    return found


async def run(
    engine: Engine,
    dataset: DatasetSpec,
    sql: str = PEOPLE,
    *,
    principal: Principal = OPERATOR,
    settings: SystemSettings | None = None,
    **options: Any,  # of the request
) -> tuple[Kept, float | None]:
    settings = settings or SystemSettings()
    request = QueryRequest("one", sql, **options)
    plan = await engine.plan(request, dataset=dataset, principal=principal, settings=settings)
    return await engine.run(plan, dataset=dataset, principal=principal, settings=settings)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - PostgreSQL has no event to wait for
            await asyncio.sleep(0.01)


async def until_running(text: str) -> None:
    async with asyncio.timeout(10):
        while not await statements_with(text):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


# ── through the service ──────────────────────────────────────────────────────────────────────────────────────
@pytest_asyncio.fixture
async def shop(make_active: Callable[..., Dataset], engine: Engine, shop_dsn: str) -> Dataset:
    dataset = await sync_to_async(make_active)("shop", shop_dsn)
    await engine.refresh()
    return dataset


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["markdown", "json"])
async def test_the_second_asking_is_answered_from_what_was_kept(
    form: str, shop: Dataset, engine: Engine, executed: list[str]
) -> None:
    """Also in another form; it has its age and its own entry in the log."""
    sql = "SELECT gender, count(*) AS n FROM users GROUP BY 1 ORDER BY 1"

    first = await ask(engine, sql)
    again = await ask(engine, sql, call=replace(CALL, response_format=form))

    assert (first.age_s, len(executed)) == (None, 1)
    assert again.age_s is not None
    assert 0 <= again.age_s < 30
    assert again.value == first.value
    rows = {row.pk: (row.cached, row.row_count, row.outcome) async for row in QueryLog.objects.all()}
    assert rows == {first.id: (False, 2, "answered"), again.id: (True, 2, "answered")}


@pytest.mark.django_db(transaction=True)
async def test_twenty_who_ask_the_same_at_once_share_one_statement(shop: Dataset, engine: Engine) -> None:
    asking = [
        asyncio.create_task(ask(engine, A_SECOND, call=replace(CALL, principal=replace(OPERATOR, person=f"p{number}"))))
        for number in range(20)
    ]
    await until_running("public.events")
    running = await statements_with("public.events")

    answers = await asyncio.gather(*asking)

    assert len(running) == 1
    assert {answer.value.rows for answer in answers if answer.value} == {((20_000_000,),)}
    assert await QueryLog.objects.filter(outcome="answered", cached=False).acount() == 20
    assert await QueryLog.objects.values("person").distinct().acount() == 20


# ── how long ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("own", "of_system", "kept"), [(None, 60, True), (None, 0, False), (0, 60, False), (60, 0, True), (1, 60, False)]
)
async def test_the_datasets_time_comes_before_the_systems(
    own: int | None, of_system: int, kept: bool, alone: Engine, dataset: DatasetSpec
) -> None:
    """0 switches it off; the last case waits longer than a result may live."""
    dataset = replace(dataset, query_limits={} if own is None else {"result_ttl_s": own})
    settings = SystemSettings(query_limits=QueryLimits(result_ttl_s=of_system))

    await run(alone, dataset, settings=settings)
    await asyncio.sleep(1.1 if own == 1 else 0)
    _, age_s = await run(alone, dataset, settings=settings)

    assert (age_s is not None) == kept


# ── for whom ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "changed",
    [
        {"entry_id": 2},
        {"entry_id": 2, "policies": POLICIES},
        {"sql": f"{PEOPLE} LIMIT 1"},
        {"max_rows": 1},
        {"principal": replace(OPERATOR, operator=False)},
    ],
)
async def test_what_differs_for_the_asker_is_not_shared(
    changed: dict[str, Any], alone: Engine, dataset: DatasetSpec, executed: list[str]
) -> None:
    await run(alone, dataset)

    fields = {name: changed.pop(name) for name in ("entry_id", "policies") if name in changed}
    _, age_s = await run(alone, replace(dataset, **fields), **changed)

    assert (age_s, len(executed)) == (None, 2)


async def test_callers_who_see_the_same_share(alone: Engine, dataset: DatasetSpec) -> None:
    dataset = replace(dataset, policies=POLICIES)

    await run(alone, dataset, principal=ANA)
    kept, age_s = await run(alone, dataset, principal=replace(ANA, person="amy", key="k", organisation="o"))

    assert age_s is not None
    assert kept.result.rows == (("****.org", "Kerala"),)


async def test_callers_who_see_different_things_get_their_own_one_after_another(
    alone: Engine, dataset: DatasetSpec
) -> None:
    dataset = replace(dataset, policies=POLICIES)

    found = [await run(alone, dataset, principal=principal) for _ in range(2) for principal, _ in SEEN]

    assert [kept.result.rows for kept, _ in found] == [rows for _, rows in SEEN] * 2
    assert [age_s is not None for _, age_s in found] == [False] * 4 + [True] * 4


async def test_callers_who_see_different_things_get_their_own_at_once(
    alone: Engine, dataset: DatasetSpec, executed: list[str]
) -> None:
    dataset = replace(dataset, policies=POLICIES)

    found = await asyncio.gather(*(run(alone, dataset, principal=principal) for principal, _ in SEEN * 5))

    assert [kept.result.rows for kept, _ in found] == [rows for _, rows in SEEN] * 5
    assert len(executed) == len(SEEN)


# ── what never ───────────────────────────────────────────────────────────────────────────────────────────────
VOLATILE: Final = Additions(
    routines=(RoutineSpec("public", "dice", "function", "integer", approved=True),),
    operators=(OperatorSpec("public", "<~>", "integer", "integer", ("public", "dice")),),
)
OF_EXTENSION: Final = Additions(
    extensions={"cube": "public"},
    routines=(RoutineSpec("public", "cube_distance", "function", "double precision", extension="cube"),),
    operators=(OperatorSpec("public", "<~>", "integer", "integer", ("public", "cube_distance"), "cube"),),
)


def is_repeatable(sql: str, dataset: DatasetSpec) -> bool:
    request = QueryRequest("one", sql)
    return build_plan(request, dataset=dataset, principal=OPERATOR, settings=SystemSettings()).repeatable


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now() AS x",
        "SELECT CURRENT_DATE AS x",
        "SELECT LOCALTIMESTAMP(0) AS x",
        "SELECT clock_timestamp()::date AS x",
        "SELECT random() AS x",
        "SELECT random(1, 6) AS x",
        "SELECT gen_random_uuid() AS x",
        "SELECT uuidv7() AS x",
        "SELECT array_shuffle(ARRAY[1, 2]) AS x",
        "SELECT array_sample(ARRAY[1, 2], 1) AS x",
        "SELECT id FROM people TABLESAMPLE BERNOULLI (50)",
        "SELECT 'today'::date AS x",
        "SELECT date 'Yesterday' AS x",
        "SELECT ' NOW '::timestamptz AS x",
        "SELECT timestamp 'today 08:00' AS x",
        "SELECT '[today,)'::daterange AS x",
        "SELECT '{now,tomorrow}'::date[] AS x",
        "SELECT age(timestamp '2000-01-01') AS x",
        "SELECT id FROM people WHERE email IN (SELECT now()::text)",
        "SELECT id FROM people ORDER BY random()",
        "SELECT current_user AS x",
        "WITH t AS (SELECT statement_timestamp() AS x) SELECT x FROM t",
        "EXPLAIN SELECT id FROM people",
    ],
)
def test_what_asks_the_clock_or_chance_is_not_repeatable(sql: str, dataset: DatasetSpec) -> None:
    assert not is_repeatable(sql, dataset)


@pytest.mark.parametrize(
    "sql",
    [
        PEOPLE,
        "SELECT count(*) FROM people WHERE state = 'Knowledge'",
        "SELECT date '2026-01-01' + 1 AS x",
        "SELECT date_trunc('month', timestamptz '2026-01-01') AS x",
        "SELECT table_name FROM information_schema.tables",
    ],
)
def test_what_asks_only_the_data_is_repeatable(sql: str, dataset: DatasetSpec) -> None:
    assert is_repeatable(sql, dataset)


@pytest.mark.parametrize(
    "definition",
    [
        "SELECT now() AS at",
        "SELECT CURRENT_TIMESTAMP AS at",
        "SELECT id FROM people ORDER BY random()",
        "SELECT ('now'::text)::date AS at",
        "SELECT array_shuffle(ids) AS ids FROM lists",
        "SELECT id FROM people TABLESAMPLE system (10)",
    ],
)
def test_a_view_that_asks_the_clock_or_chance_is_not_repeatable(definition: str, dataset: DatasetSpec) -> None:
    view = replace(table("fresh", at="timestamp with time zone"), kind="view", definitions=(definition,))
    dataset = replace(dataset, tables=(*dataset.tables, view))

    assert not is_repeatable("SELECT at FROM fresh", dataset)
    assert is_repeatable(PEOPLE, dataset)


@pytest.mark.parametrize(
    ("sql", "additions", "repeatable"),
    [
        ("SELECT dice() AS x", VOLATILE, False),
        ("SELECT 1 <~> 2 AS x", VOLATILE, False),
        ("SELECT id FROM people WHERE 1 <~> ANY (SELECT 2) > 0", VOLATILE, False),
        ("SELECT 1 <~> 2 AS x", OF_EXTENSION, True),
        (PEOPLE, VOLATILE, True),
    ],
)
def test_what_a_person_approved_may_be_volatile(
    sql: str, additions: Additions, repeatable: bool, dataset: DatasetSpec
) -> None:
    assert is_repeatable(sql.replace(" > 0", ""), replace(dataset, additions=additions)) == repeatable


def with_view(dataset: DatasetSpec) -> DatasetSpec:
    view: TableSpec = replace(
        table("fresh", at="timestamp with time zone"), kind="view", definitions=(" SELECT now() AS at;",)
    )
    return replace(dataset, tables=(*dataset.tables, view))


@pytest.mark.parametrize("sql", ["SELECT now() AS at", "SELECT at FROM fresh"])
async def test_the_time_is_asked_anew_and_by_each(sql: str, alone: Engine, dataset: DatasetSpec) -> None:
    dataset = with_view(dataset)

    at_once = await asyncio.gather(run(alone, dataset, sql), run(alone, dataset, sql))
    later = await run(alone, dataset, sql)

    assert len({kept.result.cells for kept, _ in (*at_once, later)}) == 3
    assert later[1] is None


async def test_a_failure_is_not_kept(alone: Engine, dataset: DatasetSpec, executed: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(QueryFailed):
            await run(alone, dataset, "SELECT 1 / 0 AS x")

    assert len(executed) == 2


async def test_a_cut_result_is_kept_with_its_mark(alone: Engine, dataset: DatasetSpec) -> None:
    await run(alone, dataset, "SELECT id FROM events")
    kept, age_s = await run(alone, dataset, "SELECT id FROM events")

    assert age_s is not None
    assert kept.result.truncated_by == "rows"
    assert kept.render("markdown", max_tokens=10_000, digits=5).truncated_by == "rows"


async def test_who_asks_again_for_what_was_too_large_gets_the_rows_that_fit(
    alone: Engine, dataset: DatasetSpec, settings: Any
) -> None:
    settings.QUERY_MAX_BYTES = 200_000
    sql = "SELECT g, repeat('x', 1000) AS x, count(*) AS n FROM generate_series(1, 900) AS g GROUP BY 1 ORDER BY 1"

    first, _ = await run(alone, dataset, sql)
    second, age_s = await run(alone, dataset, sql)

    assert (first.result.truncated_by, first.result.cells) == ("bytes", ())
    assert age_s is None
    assert second.result.truncated_by == "bytes"
    assert 100 <= len(second.result.cells) < 200


# ── how much ─────────────────────────────────────────────────────────────────────────────────────────────────
def result_of(size_bytes: int) -> QueryResult:
    return QueryResult((Column("x", "text"),), (("x" * size_bytes,),))


def test_the_results_used_last_are_kept_within_the_budget() -> None:
    cache = ResultCache(1_000_000)
    for number in range(500):
        cache.keep((number,), result_of(5_000))
        assert cache.find((0,), ttl_s=60)  # used again and again

    found = [kept for number in range(500) if (kept := cache.find((number,), ttl_s=60))]

    assert 20 < len(found) < 70
    assert sum(kept.size_bytes for kept in found) <= 1_000_000
    assert cache.find((0,), ttl_s=60)
    assert cache.find((499,), ttl_s=60)
    assert cache.find((1,), ttl_s=60) is None


def test_a_result_above_its_share_is_not_kept() -> None:
    cache = ResultCache(1_000_000)
    cache.keep(("small",), result_of(10_000))

    kept = cache.keep(("large",), result_of(100_000))

    assert kept.result.cells
    assert cache.find(("large",), ttl_s=60) is None
    assert cache.find(("small",), ttl_s=60)


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = ResultCache(0)

    cache.keep(("x",), result_of(1))

    assert cache.find(("x",), ttl_s=60) is None


@pytest.mark.parametrize("what", ["statements", "columns", "rows", "texts"])
def test_the_budget_holds_in_memory(what: str) -> None:
    """Whatever a result is heavy with."""
    cache = ResultCache(4_000_000)
    tracemalloc.start()
    try:
        for number in range(400):
            columns = 500 if what == "columns" else 1
            names = tuple(Column(f"{position} of {number} {'n' * 40}", "text") for position in range(columns))
            count = 200 if what in ("rows", "texts") else 0
            cells = tuple((f"{number} and {row} {'é' * 50}",) for row in range(count))
            kept = cache.keep((number, "s" * (30_000 if what == "statements" else 10) + str(number)),
                              QueryResult(names, cells))  # fmt: skip
            if what == "texts":
                for form in ("markdown", "csv", "json"):
                    kept.render(form, max_tokens=100_000, digits=5)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(cache._kept) > 20
    assert used < 4_500_000


def test_a_kept_result_keeps_few_texts() -> None:
    kept = Kept(result_of(10))

    for digits in range(10):
        assert kept.render("markdown", max_tokens=1000, digits=digits).text.endswith("|xxxxxxxxxx|")

    assert len(kept.texts) == TEXTS


# ── in flight ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_one_who_leaves_does_not_disturb_the_others(
    alone: Engine, dataset: DatasetSpec, executed: list[str]
) -> None:
    """Nor does the one who began it."""
    asking = [asyncio.create_task(run(alone, dataset, A_SECOND)) for _ in range(4)]
    await until_running("public.events")

    for left in (asking[0], asking[2]):
        left.cancel()
    done = await asyncio.gather(*asking, return_exceptions=True)

    assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, False, True, False]
    assert [one[0].result.rows for one in done if not isinstance(one, BaseException)] == [((20_000_000,),)] * 2
    assert len(executed) == 1


async def test_the_last_one_to_leave_cancels_the_statement(alone: Engine, dataset: DatasetSpec) -> None:
    asking = [asyncio.create_task(run(alone, dataset, FOREVER)) for _ in range(3)]
    await until_running("public.events")

    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    left = time.monotonic()
    while await statements_with("public.events") and time.monotonic() - left < 10:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)

    assert time.monotonic() - left < 5
    assert alone.flights._flights == {}


async def test_an_error_is_everybodys(alone: Engine, dataset: DatasetSpec, executed: list[str]) -> None:
    sql = "SELECT 1 / (count(*) - 5000000) AS x FROM events a, events b, events c WHERE c.id <= 5"

    done = await asyncio.gather(*(run(alone, dataset, sql) for _ in range(5)), return_exceptions=True)

    assert [one.message for one in done if isinstance(one, GatewayError)] == ["Division by zero."] * 5
    assert len(executed) == 1


async def test_who_comes_while_a_cancelled_flight_winds_down_gets_a_fresh_one(
    alone: Engine, dataset: DatasetSpec, executed: list[str]
) -> None:
    first = asyncio.create_task(run(alone, dataset, A_SECOND))
    await until_running("public.events")

    first.cancel()
    await asyncio.sleep(0)
    kept, age_s = await run(alone, dataset, A_SECOND)

    assert first.cancelled()
    assert (kept.result.rows, age_s) == (((20_000_000,),), None)
    assert len(executed) == 2


async def test_a_flight_whose_work_ends_slowly_is_not_joined() -> None:
    """The work of the cancelled flight goes on for a while, as a connection's reset does."""
    flights: Flights[int] = Flights()
    begun, may_end = [], asyncio.Event()

    async def work() -> int:
        begun.append(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await may_end.wait()
            raise
        return 0

    async def quick() -> int:
        return 7

    first = asyncio.create_task(flights.join(("key",), work))
    await until(lambda: begun)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    assert await flights.join(("key",), quick) == 7
    may_end.set()
    assert flights._flights == {}


async def test_what_ends_as_everybody_leaves_is_not_left_behind() -> None:
    flights: Flights[int] = Flights()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise QueryFailed("too late")

    for pause in range(6):
        joined = asyncio.create_task(flights.join(("key",), fail))
        for _ in range(pause):
            await asyncio.sleep(0)
        joined.cancel()
        await asyncio.gather(joined, return_exceptions=True)
    await asyncio.sleep(0)

    assert flights._flights == {}
