from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet, MultiFernet
from redis.asyncio import Redis

from config.errors import HoldingUnavailable, ResultNotFound
from querying.handles import PREFIX, SIZES_KEY, HeldResults
from tests.servers import RedisServer

PROJECT = Path(__file__).resolve().parents[2]
KEY = Fernet.generate_key()
OWNER, STRANGER = "key-of-ann", "key-of-bob"
HEAD = b'{"batch": "head of the batch"}'
UNKNOWN = "a" * 24

WORKER = """
import asyncio, sys
from cryptography.fernet import Fernet, MultiFernet
from querying.handles import HeldResults

async def work(url, key, owner, then):
    held = HeldResults(url, cipher=MultiFernet([Fernet(key)]))
    handle = await held.open(owner, b"head")
    await held.put(handle, "q1", b"from another process")
    if then == "finish":
        await held.finish(handle)
    print(handle, flush=True)
    while then == "beat":
        await held.beat(handle)
        await asyncio.sleep(0.1)

asyncio.run(work(*sys.stdin.read().split()))
"""

MakeHeld = Callable[..., HeldResults]


def cipher(*keys: bytes) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys or (KEY,)])


def incompressible(length: int) -> bytes:
    return os.urandom(length)


@pytest_asyncio.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """The server itself, with nothing held in it."""
    redis_server.start()
    client = Redis.from_url(redis_server.url)
    for key in [key async for key in client.scan_iter(f"{PREFIX}*")]:
        await client.delete(key)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def make_held(redis: Redis, redis_server: RedisServer) -> AsyncIterator[MakeHeld]:
    made: list[HeldResults] = []

    def make(**options: object) -> HeldResults:
        made.append(HeldResults(redis_server.url, **{"cipher": cipher(), **options}))  # type: ignore[arg-type]  # as given
        return made[-1]

    yield make
    for held in made:
        await held.close()


async def start_worker(url: str, *, then: str) -> tuple[asyncio.subprocess.Process, str]:
    """A real process that opened a batch and put one answer, and the handle that it printed."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        cwd=PROJECT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{url} {KEY.decode()} {OWNER} {then}".encode())
    worker.stdin.close()
    return worker, (await asyncio.wait_for(worker.stdout.readline(), 20)).decode().strip()


# ── keeping and reading ──────────────────────────────────────────────────────────────────────────────────────


async def test_what_was_put_is_read(make_held: MakeHeld) -> None:
    held = make_held()

    handle = await held.open(OWNER, HEAD)
    answers = {"q1": b"rows", "Umsatz \U0001f600\ud800": b"", "large": incompressible(500_000)}
    kept = [await held.put(handle, label, payload) for label, payload in answers.items()]
    batch = await held.read(handle, owner=OWNER)

    assert kept == [True, True, True]
    assert (batch.head, dict(batch.items), batch.lost) == (HEAD, answers, frozenset())
    assert (batch.finished, batch.abandoned) == (False, False)


async def test_a_finished_batch_says_so(make_held: MakeHeld) -> None:
    held = make_held(silence_s=0)

    handle = await held.open(OWNER, HEAD)
    await held.finish(handle)
    await asyncio.sleep(0.01)
    batch = await held.read(handle, owner=OWNER)

    assert (batch.finished, batch.abandoned) == (True, False)


async def test_handles_are_short_plain_and_never_the_same(make_held: MakeHeld) -> None:
    held = make_held()

    handles = {await held.open(OWNER, HEAD) for _ in range(50)}

    assert len(handles) == 50
    assert all(len(handle) == 24 and handle.isalnum() and handle == handle.lower() for handle in handles)


async def test_a_batch_prints_none_of_its_rows(make_held: MakeHeld) -> None:
    held = make_held()

    handle = await held.open(OWNER, b"the head")
    await held.put(handle, "q1", b"the rows")

    printed = repr(await held.read(handle, owner=OWNER))
    assert "the head" not in printed
    assert "the rows" not in printed


async def test_another_process_reads_what_a_process_put(make_held: MakeHeld, redis_server: RedisServer) -> None:
    worker, handle = await start_worker(redis_server.url, then="finish")

    batch = await make_held().read(handle, owner=OWNER)

    assert dict(batch.items) == {"q1": b"from another process"}
    assert batch.finished
    assert await worker.wait() == 0


# ── whose it is ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_strangers_unknown_malformed_and_expired_handles_look_the_same(make_held: MakeHeld) -> None:
    held, brief = make_held(), make_held(ttl_s=0.05)
    somebody_elses, expired = await held.open(STRANGER, HEAD), await brief.open(OWNER, HEAD)
    await asyncio.sleep(0.1)

    malformed = ["", " ", "*", f"{PREFIX}sizes", "\x00", "\ud800", "é" * 9, "a" * 100_000, somebody_elses.upper()]
    seen = []
    for handle in [somebody_elses, UNKNOWN, expired, *malformed]:
        for ask in (held.read(handle, owner=OWNER), held.wait(handle, owner=OWNER, timeout_s=5)):
            with pytest.raises(ResultNotFound) as refused:
                await ask
            seen.append(refused.value.as_dict())

    assert all(shown == seen[0] for shown in seen)
    assert (seen[0]["code"], refused.value.status, "context" in seen[0]) == ("result_not_found", 404, False)


async def test_a_batch_whose_key_is_no_longer_listed_is_not_found(make_held: MakeHeld) -> None:
    handle = await make_held().open(OWNER, HEAD)

    with pytest.raises(ResultNotFound):
        await make_held(cipher=cipher(Fernet.generate_key())).read(handle, owner=OWNER)


async def test_a_batch_outlives_the_rotation_of_keys(make_held: MakeHeld) -> None:
    handle = await make_held().open(OWNER, HEAD)

    batch = await make_held(cipher=cipher(Fernet.generate_key(), KEY)).read(handle, owner=OWNER)

    assert batch.head == HEAD


async def test_redis_shows_neither_payload_nor_names(make_held: MakeHeld, redis: Redis) -> None:
    held = make_held(max_bytes=2_000)
    handle = await held.open(OWNER, b"secret-head")
    await held.put(handle, "secret-label", b"secret-payload " * 10)
    await held.put(handle, "secret-lost", incompressible(5_000))

    keys = [key async for key in redis.scan_iter(f"{PREFIX}*")]
    dumped = []
    for key in keys:
        kind = await redis.type(key)
        content = await (redis.hgetall(key) if kind == b"hash" else redis.zrange(key, 0, -1, withscores=True))
        dumped.append(repr((key, content)))
    raw = " ".join(dumped)

    assert len(keys) == 3
    assert not [name for name in ("secret", OWNER, handle) if name in raw]


# ── room ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_is_too_large_for_its_batch_is_lost_and_the_others_stay(make_held: MakeHeld) -> None:
    held = make_held(max_bytes=20_000)
    handle = await held.open(OWNER, HEAD)

    kept = [await held.put(handle, label, incompressible(6_000)) for label in ("q1", "q2", "q3")]
    too_large_alone = await held.put(handle, "q4", incompressible(200_000))
    small = await held.put(handle, "q5", b"small")
    batch = await held.read(handle, owner=OWNER)

    assert (kept, too_large_alone, small) == ([True, True, False], False, True)
    assert set(batch.items) == {"q1", "q2", "q5"}
    assert batch.lost == {"q3", "q4"}


async def test_size_is_measured_as_stored(make_held: MakeHeld) -> None:
    held = make_held(max_bytes=20_000)
    handle = await held.open(OWNER, HEAD)

    assert await held.put(handle, "q1", b"the same row again\n" * 50_000)


async def test_an_answer_that_is_put_again_takes_the_place_of_the_first(make_held: MakeHeld) -> None:
    held = make_held(max_bytes=20_000)
    handle = await held.open(OWNER, HEAD)

    kept = [await held.put(handle, "q1", incompressible(size)) for size in (10_000, 12_000, 50_000, 12_000)]
    batch = await held.read(handle, owner=OWNER)

    assert kept == [True, True, False, True]
    assert [len(payload) for payload in batch.items.values()] == [12_000]
    assert batch.lost == frozenset()


async def test_a_batch_of_eight_megabytes_is_read_within_the_timeout(make_held: MakeHeld) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)

    kept = [await held.put(handle, f"q{i}", incompressible(700_000)) for i in range(8)]

    assert all(kept)
    assert len((await held.read(handle, owner=OWNER)).items) == 8


async def test_processes_together_never_exceed_the_total(make_held: MakeHeld, redis: Redis) -> None:
    both = [make_held(total_bytes=100_000), make_held(total_bytes=100_000)]
    handles = [await held.open(OWNER, HEAD) for held in both for _ in range(3)]

    kept = await asyncio.gather(*(both[i % 2].put(handles[i % 6], f"q{i}", incompressible(5_000)) for i in range(60)))
    stored = [await redis.hvals(key) async for key in redis.scan_iter(f"{PREFIX}batch:*")]
    batches = [await both[0].read(handle, owner=OWNER) for handle in handles]

    # 5 kB are 6.8 kB as stored: fourteen fit beside six heads
    assert sum(kept) == 14
    assert sum(len(value) for values in stored for value in values if len(value) > 5_000) <= 100_000
    assert sum(len(batch.items) for batch in batches) == 14
    assert sum(len(batch.lost) for batch in batches) == 46


async def test_a_full_store_opens_nothing_more(make_held: MakeHeld) -> None:
    held = make_held(total_bytes=10_000)
    handle = await held.open(OWNER, HEAD)
    await held.put(handle, "q1", incompressible(7_000))

    with pytest.raises(HoldingUnavailable, match="full") as refused:
        await held.open(OWNER, incompressible(1_000))

    assert refused.value.retryable


async def test_what_expires_gives_its_room_back(make_held: MakeHeld, redis: Redis) -> None:
    held = make_held(total_bytes=10_000, ttl_s=0.3)
    handle = await held.open(OWNER, HEAD)
    first = [await held.put(handle, label, incompressible(6_000)) for label in ("q1", "q2")]

    await asyncio.sleep(0.4)
    handle = await held.open(OWNER, HEAD)
    second = await held.put(handle, "q1", incompressible(6_000))

    assert (first, second) == ([True, False], True)
    sizes = await redis.hgetall(SIZES_KEY)
    assert len(sizes) == 2
    assert len(set(sizes.values())) == 1
    assert int(sizes[b"total"]) < 10_000


# ── how long it lives ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_that_is_worked_on_does_not_expire(make_held: MakeHeld) -> None:
    held = make_held(ttl_s=0.5)
    handle = await held.open(OWNER, HEAD)

    for _ in range(8):
        await asyncio.sleep(0.1)
        await held.beat(handle)

    assert (await held.read(handle, owner=OWNER)).head == HEAD


async def test_the_time_to_live_counts_from_the_finish(make_held: MakeHeld) -> None:
    held = make_held(ttl_s=0.5)
    handle = await held.open(OWNER, HEAD)
    await held.finish(handle)

    await asyncio.sleep(0.3)
    await held.beat(handle)
    await held.finish(handle)
    await asyncio.sleep(0.3)

    with pytest.raises(ResultNotFound):
        await held.read(handle, owner=OWNER)


async def test_an_expired_batch_does_not_come_back_by_late_work(make_held: MakeHeld, redis: Redis) -> None:
    held = make_held(ttl_s=0.05)
    handle = await held.open(OWNER, HEAD)
    await asyncio.sleep(0.1)

    for late in (held.put(handle, "q1", b"rows"), held.beat(handle), held.finish(handle)):
        with pytest.raises(ResultNotFound):
            await late

    assert [key async for key in redis.scan_iter(f"{PREFIX}*")] == []


async def test_a_batch_whose_worker_was_killed_is_abandoned(make_held: MakeHeld, redis_server: RedisServer) -> None:
    held = make_held(silence_s=0.5)
    worker, handle = await start_worker(redis_server.url, then="beat")
    await asyncio.sleep(0.8)
    alive = await held.read(handle, owner=OWNER)

    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    started = time.monotonic()
    batch = await held.wait(handle, owner=OWNER, timeout_s=10)

    assert not alive.abandoned
    assert (batch.finished, batch.abandoned) == (False, True)
    assert dict(batch.items) == {"q1": b"from another process"}
    assert time.monotonic() - started < 5


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_waiting_ends_soon_after_the_finish(make_held: MakeHeld) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)
    waiting = asyncio.create_task(make_held().wait(handle, owner=OWNER, timeout_s=30))

    await asyncio.sleep(0.3)
    await held.put(handle, "q1", b"rows")
    await held.finish(handle)
    started = time.monotonic()
    batch = await waiting

    assert time.monotonic() - started < 0.5
    assert batch.finished
    assert dict(batch.items) == {"q1": b"rows"}


async def test_waiting_ends_with_what_is_there_when_the_time_is_up(make_held: MakeHeld) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)
    await held.put(handle, "q1", b"rows")

    started = time.monotonic()
    batch = await held.wait(handle, owner=OWNER, timeout_s=0.3)

    assert 0.3 <= time.monotonic() - started < 0.6
    assert not batch.finished
    assert set(batch.items) == {"q1"}


async def test_waiting_is_cancelled_at_whatever_moment(make_held: MakeHeld) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)

    for turns in [0, 1, 2, 3, 5, 8, 13, 21, 34]:
        waiting = asyncio.create_task(held.wait(handle, owner=OWNER, timeout_s=30))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=0.5)
        assert waiting.cancelled(), turns

    assert await held.put(handle, "q1", b"rows")


# ── when Redis is away ───────────────────────────────────────────────────────────────────────────────────────


async def test_without_redis_every_call_says_so_at_once_and_works_again_later(
    make_held: MakeHeld, redis_server: RedisServer
) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)
    await held.put(handle, "q1", b"rows")

    redis_server.kill()
    for call in (
        held.open(OWNER, HEAD),
        held.put(handle, "q2", b"rows"),
        held.beat(handle),
        held.finish(handle),
        held.read(handle, owner=OWNER),
        held.wait(handle, owner=OWNER, timeout_s=10),
    ):
        started = time.monotonic()
        with pytest.raises(HoldingUnavailable):
            await call
        assert time.monotonic() - started < 3

    redis_server.start()
    assert await held.put(handle, "q3", b"rows")
    assert set((await held.read(handle, owner=OWNER)).items) == {"q1", "q3"}


async def test_a_restart_of_redis_between_two_calls_is_not_noticed(
    make_held: MakeHeld, redis_server: RedisServer
) -> None:
    held = make_held()
    handle = await held.open(OWNER, HEAD)

    redis_server.restart()

    assert await held.put(handle, "q1", b"rows")


async def test_a_redis_that_hangs_is_not_waited_for(make_held: MakeHeld, redis_server: RedisServer) -> None:
    held, fresh = make_held(), make_held()
    await held.open(OWNER, HEAD)
    assert redis_server.child is not None

    redis_server.child.process.send_signal(signal.SIGSTOP)
    try:
        for each in (held, fresh):
            started = time.monotonic()
            with pytest.raises(HoldingUnavailable):
                await each.open(OWNER, HEAD)
            assert time.monotonic() - started < 1.5
    finally:
        redis_server.child.process.send_signal(signal.SIGCONT)

    assert await held.open(OWNER, HEAD)
