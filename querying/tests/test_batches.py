"""Many questions at once, through the services that every door calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from config.errors import BatchTooLarge, InvalidRequest
from datasets.access import Principal
from datasets.models import Dataset
from datasets.registration import deactivate_dataset
from logs_analytics.models import QueryLog
from logs_analytics.records import Outcome, new_id
from querying.batches import Batch, BatchAnswer, answer_batch, build_batch, fair_share, fetch_rest, weakest_base
from querying.engine import Engine
from querying.evidence import Base
from querying.results import QueryResult
from querying.services import Answer
from querying.sql.plan import QueryRequest
from querying.suppression import WITHHELD
from querying.tests.test_services import OPERATOR, frozen, shop, statements_with
from tests.servers import MakeDatabase, ReadonlyDsn, RedisServer

__all__ = ["shop"]
pytestmark = pytest.mark.django_db(transaction=True)
SLOW = "SELECT count(*) AS slow FROM generate_series(1, 6000000)"
ENDLESS = "SELECT count(*) AS endless FROM events a, events b, events c, events d"
OTHER = replace(OPERATOR, principal=Principal(person="somebody else", datasets=None))


def ask(*statements: str, combine: str = "", dataset: str = "shop") -> Batch:
    return build_batch([QueryRequest(dataset, sql) for sql in statements], combine=combine)


def by_label(made: BatchAnswer) -> dict[str, Answer[Any]]:
    return {answer.label: answer for answer in made.answers}


def rows(answer: Answer[Any]) -> Sequence[Sequence[Any]]:
    assert answer.value is not None, answer.error
    found: Sequence[Sequence[Any]] = answer.value.rows
    return found


async def gone(text: str, *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while await statements_with(text):  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.05)


# ── what a batch is ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_batch_holds_one_to_thirty_queries() -> None:
    assert len(ask(*["SELECT 1"] * 30).requests) == 30
    with pytest.raises(InvalidRequest, match="no query"):
        ask()
    with pytest.raises(BatchTooLarge, match="31 queries"):
        ask(*["SELECT 1"] * 31)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(("a", "a"), "stands for more than one"), (("combine",), "combined result"), (("q2", ""), "more than one")],
)
def test_labels_are_their_queries_own(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        build_batch([QueryRequest("shop", "SELECT 1", label=label) for label in labels])


@pytest.mark.parametrize(
    ("sizes", "budget", "share"), [([1, 5, 9], 10, 4), ([5, 5], 10, 10), ([], 10, 10), ([30, 30, 30], 10, 3)]
)
def test_a_share_is_what_is_left_over_for_the_large(sizes: list[int], budget: int, share: int) -> None:
    assert fair_share(sizes, budget) == share


@given(st.lists(st.integers(0, 10_000), max_size=30), st.integers(200, 20_000))
def test_shares_fit_the_budget_and_cut_nobody_without_need(sizes: list[int], budget: int) -> None:
    share = fair_share(sizes, budget)

    assert sum(min(size, share) for size in sizes) <= budget
    if sum(sizes) > budget:
        assert sum(min(size, share + 1) for size in sizes) + len(sizes) >= budget


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_each_query_is_answered_in_its_place_whatever_becomes_of_the_others(
    shop: Dataset, engine: Engine
) -> None:
    reported: list[tuple[int, int]] = []

    async def report(done: int, total: int) -> None:
        reported.append((done, total))

    batch = build_batch(
        [
            QueryRequest("shop", "SELECT count(*) AS n FROM users", label="people"),
            QueryRequest("shop", "DELETE FROM users", label="harm"),
            QueryRequest("nowhere", "SELECT 1"),
            QueryRequest("shop", "SELECT 1/0 AS x"),
        ]
    )
    made = await answer_batch(OPERATOR, batch, engine=engine, report=report)

    assert [answer.label for answer in made.answers] == ["people", "harm", "q3", "q4"]
    codes = [answer.error and answer.error.code for answer in made.answers]
    assert codes == [None, "query_refused", "dataset_not_found", "query_failed"]
    assert rows(made.answers[0]) == ((50,),)
    assert (made.pending, made.handle) == ((), "")
    assert sorted(reported) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    outcomes = [row.outcome async for row in QueryLog.objects.order_by("outcome")]
    assert outcomes == ["answered", "failed", "refused", "refused"]


async def test_one_token_budget_holds_for_all_answers_together(shop: Dataset, engine: Engine) -> None:
    long = "SELECT i, md5(i::text) AS text, count(*) AS n FROM generate_series(1, 900) i GROUP BY 1, 2"
    call = replace(OPERATOR, max_tokens=3000)

    made = await answer_batch(call, ask("SELECT 1 AS one", long, f"{long} ORDER BY 1"), engine=engine)

    small, first, second = (answer.shown for answer in made.answers)
    assert (small.rows, small.truncated_by) == (1, "")
    assert first.truncated_by == second.truncated_by == "tokens"
    assert abs(first.rows - second.rows) < 5
    assert 2500 < sum(shown.tokens for shown in (small, first, second)) <= 3000
    logged = [row.answer_tokens async for row in QueryLog.objects.all()]
    assert sum(logged) == made.tokens


async def test_thirty_queries_over_one_dataset_wait_for_each_other_not_for_the_deadline(
    make_active: Callable[..., Dataset], shop_dsn: str, settings: Any, transactional_db: None
) -> None:
    settings.POOL_ACQUIRE_TIMEOUT_MS = 100
    await sync_to_async(make_active)("shop", shop_dsn)
    engine = Engine()
    await engine.start(watching=False)

    statements = [f"SELECT {number} AS one, count(*) AS n FROM generate_series(1, 300000)" for number in range(30)]
    made = await answer_batch(OPERATOR, ask(*statements), engine=engine)
    await engine.stop()

    assert [answer.error for answer in made.answers] == [None] * 30


# ── what takes longer ────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_not_done_in_time_is_fetched_later(shop: Dataset, engine: Engine, settings: Any) -> None:
    settings.BATCH_ANSWER_MS = 300

    made = await answer_batch(OPERATOR, ask("SELECT 1 AS one", SLOW), engine=engine)
    settings.BATCH_ANSWER_MS = 20_000
    rest = await fetch_rest(OPERATOR, made.handle, engine=engine)

    assert [answer.label for answer in made.answers] == ["q1"]
    assert made.pending == ("q2",)
    assert rest.value is not None, rest.error
    assert rest.value.pending == ()
    (slow,) = rest.value.answers
    assert (slow.label, slow.text) == ("q2", "|slow|\n|---|\n|6000000|")
    assert slow.plan is not None
    assert slow.plan.weighting == "none"
    assert await QueryLog.objects.filter(outcome="answered").acount() == 3


async def test_a_handle_works_only_for_the_caller_who_got_it(shop: Dataset, engine: Engine, settings: Any) -> None:
    settings.BATCH_ANSWER_MS = 200
    made = await answer_batch(OPERATOR, ask(SLOW), engine=engine)

    stolen = await fetch_rest(OTHER, made.handle, engine=engine)
    invented = await fetch_rest(OTHER, "a" * 24, engine=engine)

    assert stolen.error is not None
    assert invented.error is not None
    assert stolen.error.code == "result_not_found"
    assert stolen.error.as_dict() == invented.error.as_dict()
    assert await QueryLog.objects.filter(error_code="result_not_found").acount() == 2


async def test_a_handle_may_be_asked_while_some_remain(shop: Dataset, engine: Engine, settings: Any) -> None:
    settings.BATCH_ANSWER_MS = 200
    made = await answer_batch(OPERATOR, ask(SLOW, ENDLESS), engine=engine)
    settings.BATCH_ANSWER_MS = 3_000

    rest = await fetch_rest(OPERATOR, made.handle, engine=engine)

    assert rest.value is not None, rest.error
    assert [answer.label for answer in rest.value.answers] == ["q1"]
    assert (rest.value.pending, rest.value.handle) == (("q2",), made.handle)


async def test_results_of_a_dataset_that_was_taken_away_are_not_handed_out(
    shop: Dataset, engine: Engine, settings: Any
) -> None:
    settings.BATCH_ANSWER_MS = 200
    made = await answer_batch(OPERATOR, ask(SLOW), engine=engine)
    settings.BATCH_ANSWER_MS = 20_000
    first = await fetch_rest(OPERATOR, made.handle, engine=engine)

    await sync_to_async(deactivate_dataset)(shop.pk, actor="test")
    await engine.refresh()
    second = await fetch_rest(OPERATOR, made.handle, engine=engine)

    assert first.value is not None
    assert first.value.answers[0].error is None
    assert second.value is not None
    assert second.value.answers[0].error is not None
    assert second.value.answers[0].error.code == "dataset_not_found"
    assert second.value.answers[0].value is None


async def test_without_redis_the_answer_is_partial_and_says_so(
    shop: Dataset, engine: Engine, settings: Any, redis_server: RedisServer
) -> None:
    settings.BATCH_ANSWER_MS = 500
    redis_server.kill()

    made = await answer_batch(OPERATOR, ask("SELECT 1 AS one", ENDLESS), engine=engine)

    assert [answer.label for answer in made.answers] == ["q1"]
    assert (made.pending, made.handle) == (("q2",), "")
    assert "ask it again" in made.note
    await gone("endless", within_s=10)
    assert await QueryLog.objects.filter(outcome="cancelled").acount() == 1


async def test_who_leaves_before_the_deadline_takes_the_statements_along(shop: Dataset, engine: Engine) -> None:
    asking = asyncio.create_task(
        answer_batch(OPERATOR, ask(*[f"{ENDLESS} WHERE {n} > 0" for n in range(1, 9)]), engine=engine)
    )
    async with asyncio.timeout(10):
        while len(await statements_with("endless")) < engine.pools.caller_size:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    await gone("endless", within_s=10)
    await asyncio.sleep(0.5)
    assert await QueryLog.objects.filter(outcome="cancelled").acount() == 8
    assert engine.pools._turns.total_running == 0


async def test_what_was_done_for_who_left_is_on_the_record(shop: Dataset, engine: Engine) -> None:
    asking = asyncio.create_task(answer_batch(OPERATOR, ask("SELECT 1 AS one", ENDLESS), engine=engine))
    async with asyncio.timeout(10):
        while not await statements_with("endless"):  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await gone("endless", within_s=10)
    await asyncio.sleep(0.5)

    rows = [(row.outcome, row.row_count) async for row in QueryLog.objects.all()]
    assert rows == [("cancelled", 0), ("cancelled", 0)]


async def test_who_leaves_while_the_rest_is_being_put_aside_leaves_nothing_behind(
    shop: Dataset, engine: Engine, settings: Any, redis_server: RedisServer
) -> None:
    settings.BATCH_ANSWER_MS = 500
    assert redis_server.child is not None
    asking = asyncio.create_task(answer_batch(OPERATOR, ask("SELECT 1 AS one", ENDLESS), engine=engine))
    with frozen(redis_server.child.process.pid):
        await asyncio.sleep(0.9)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await gone("endless", within_s=10)
    await asyncio.sleep(0.5)

    outcomes = [row.outcome async for row in QueryLog.objects.all()]
    assert outcomes == ["cancelled", "cancelled"]
    assert engine.pools._turns.total_running == 0


async def test_the_whole_batch_ends_at_its_limit(shop: Dataset, engine: Engine, settings: Any) -> None:
    settings.BATCH_ANSWER_MS, settings.BATCH_TIMEOUT_MS = 300, 1_500
    started = time.monotonic()

    made = await answer_batch(OPERATOR, ask(ENDLESS), engine=engine)
    settings.BATCH_ANSWER_MS = 20_000
    rest = await fetch_rest(OPERATOR, made.handle, engine=engine)

    assert time.monotonic() - started < 8
    assert rest.value is not None
    error = rest.value.answers[0].error
    assert error is not None
    assert (error.code, "whole batch" in error.message) == ("query_timeout", True)
    await gone("endless", within_s=10)


async def test_answers_of_a_process_that_stops_are_said_to_be_lost(
    shop: Dataset, engine: Engine, settings: Any, transactional_db: None
) -> None:
    settings.BATCH_ANSWER_MS = 300
    stopping = Engine()
    await stopping.start(watching=False)
    made = await answer_batch(OPERATOR, ask(ENDLESS), engine=stopping)

    await stopping.stop()
    settings.BATCH_ANSWER_MS = 30_000
    rest = await fetch_rest(OPERATOR, made.handle, engine=engine)

    assert rest.value is not None, rest.error
    error = rest.value.answers[0].error
    assert error is not None
    assert (error.code, error.retryable) == ("result_lost", True)
    assert await QueryLog.objects.filter(outcome="cancelled").acount() == 1


# ── what is made of the results ──────────────────────────────────────────────────────────────────────────────
async def test_results_of_two_databases_are_combined(
    shop: Dataset,
    engine: Engine,
    make_active: Callable[..., Dataset],
    make_database: MakeDatabase,
    readonly_dsn: ReadonlyDsn,
) -> None:
    census = (
        "CREATE TABLE census (gender text, people bigint); INSERT INTO census VALUES ('Female', 200), ('Male', 100)"
    )
    await sync_to_async(make_active)("census", readonly_dsn(make_database(census)))
    await engine.refresh()
    batch = build_batch(
        [
            QueryRequest("shop", "SELECT gender, count(*) AS n FROM users GROUP BY 1", label="panel"),
            QueryRequest("census", "SELECT gender, sum(people) AS n FROM census GROUP BY 1", label="census"),
        ],
        combine="SELECT panel.gender, panel.n / census.n AS share FROM panel JOIN census USING (gender) ORDER BY 1",
    )

    made = await answer_batch(OPERATOR, batch, engine=engine)

    found = by_label(made)
    assert rows(found["combine"]) == (("Female", 0.125), ("Male", 0.25))
    assert found["combine"].plan is not None
    assert found["combine"].plan.weighting == "design_not_confirmed"
    assert found["panel"].text == ""
    row = await QueryLog.objects.aget(pk=found["combine"].id)
    assert (row.outcome, row.datasets, row.query_text[:12]) == ("answered", ["census", "shop"], "SELECT panel")


async def test_nothing_is_combined_where_an_input_is_missing(shop: Dataset, engine: Engine) -> None:
    batch = ask("SELECT count(*) AS n FROM users", "SELECT 1/0 AS n", combine="SELECT q1.n / q2.n AS share FROM q1, q2")

    made = await answer_batch(OPERATOR, batch, engine=engine)

    found = by_label(made)
    error = found["combine"].error
    assert error is not None
    assert "q2 (query_failed)" in error.message
    assert found["q1"].text == "|n|\n|---|\n|50|"


@pytest.mark.parametrize(
    ("bases", "said"),
    [
        ((Base(40, 40, 40, 1, "*"), Base(16, 16, 16, 1, "**")), ["The smallest base of its inputs: 16 ** (q2)."]),
        ((Base(1400, 1400, 900, 1.5), None), ["The smallest base of its inputs: 1,400 (q1)."]),
        ((Base(1400, 1400, 900, 1.5), WITHHELD), ["Numbers of q2 are withheld (NULL): too few persons."]),
        ((None, None), []),
    ],
)
def test_a_combined_result_says_how_few_persons_are_behind_it(
    bases: tuple[Base | None, Base | None], said: list[str]
) -> None:
    identifier, _ = new_id()
    results = {
        label: Answer(identifier, Outcome.ANSWERED, 1, value=QueryResult((), (("1",),), bases=((None, base),)))
        for label, base in zip(("q1", "q2"), bases, strict=True)
    }

    assert weakest_base(results) == said


async def test_a_combined_result_says_what_was_cut_before(shop: Dataset, engine: Engine) -> None:
    batch = ask("SELECT id FROM users", "SELECT 2 AS n", combine="SELECT count(*) AS people FROM q1")

    made = await answer_batch(OPERATOR, batch, engine=engine)

    combined = by_label(made)["combine"]
    assert rows(combined) == ((5,),)
    assert combined.plan is not None
    assert combined.plan.warnings == ("q1 was cut at its limit before it was combined.",)
    assert combined.plan.weighting == "mixed"
