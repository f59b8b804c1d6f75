from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from querying.turns import Turns

LONG_S = 60.0
SOURCES = ("s0", "s1", "s2")
CALLERS = ("ann", "bob", "cas")

Key = tuple[str, str]
Op = tuple[str, str, str, int]

operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "take", "take", "take in no time", "give back", "give back", "cancel", "pause", "fail"]
        ),
        st.sampled_from(SOURCES),
        st.sampled_from(CALLERS),
        st.integers(0, 1_000),
    ),
    max_size=80,
)


class Room:
    """Takes turns in tasks of their own, and counts what is held without asking `Turns`."""

    def __init__(self, *, total: int = 100, per_source: int = 100, per_caller: int = 100) -> None:
        self.total, self.per_source, self.per_caller = total, per_source, per_caller
        self.turns = Turns(total=total, per_source=per_source, per_caller=per_caller)
        self.held: list[Key] = []
        self.tasks: list[tuple[Key, asyncio.Task[None]]] = []

    async def _take(self, source: str, caller: str, timeout_s: float) -> None:
        await self.turns.take(source, caller, timeout_s=timeout_s)
        self.held.append((source, caller))

    def ask(self, source: str, caller: str, *, timeout_s: float = LONG_S) -> asyncio.Task[None]:
        task = asyncio.create_task(self._take(source, caller, timeout_s))
        task.add_done_callback(look_at)
        self.tasks.append(((source, caller), task))
        return task

    def give_back(self, index: int = 0) -> None:
        self.turns.give_back(*self.held.pop(index))

    def unserved(self) -> list[Key]:
        return [key for key, task in self.tasks if not task.done()]

    async def drain(self) -> None:
        """Give everything back, until nobody holds a turn."""
        await settle()
        while self.held:
            self.give_back()
            await settle()

    def assert_within_limits(self) -> None:
        held = Counter(self.held)
        by_source = Counter(source for source, _ in self.held)
        assert len(self.held) <= self.turns.total_running <= self.total
        assert all(count <= self.per_caller for count in held.values())
        assert all(by_source[source] <= self.turns.running(source) <= self.per_source for source in SOURCES)

    def assert_no_turn_is_lost(self) -> None:
        assert self.turns.total_running == len(self.held)
        held = Counter(self.held)
        by_source = Counter(source for source, _ in self.held)
        for source, caller in self.unserved():
            full = len(self.held) == self.total or by_source[source] == self.per_source
            assert full or held[source, caller] == self.per_caller

    def assert_forgotten(self) -> None:
        assert self.turns.total_running == 0
        assert not self.turns._sources
        assert not self.turns._callers


def look_at(task: asyncio.Task[None]) -> None:
    """Nobody awaits these tasks, and asyncio would complain of errors that nobody looked at."""
    if not task.cancelled():
        task.exception()


async def settle() -> None:
    """Long enough for a cancelled task to give its turn back, and for the next one to wake up."""
    for _ in range(6):
        await asyncio.sleep(0)


async def waiting_room(room: Room, *keys: Key) -> list[asyncio.Task[None]]:
    """Who asks one after the other, in this order."""
    tasks = []
    for source, caller in keys:
        tasks.append(room.ask(source, caller))
        await settle()
    return tasks


async def order_of_service(room: Room) -> list[Key]:
    """In which order turns are taken while the oldest is given back first."""
    served: list[Key] = []
    while room.held:
        before = len(room.held)
        room.give_back()
        await settle()
        served += room.held[before - 1 :]
    return served


async def test_takes_a_free_turn_without_a_pause() -> None:
    turns = Turns(total=1, per_source=1, per_caller=1)

    taking = turns.take("s0", "ann", timeout_s=0)

    with pytest.raises(StopIteration):
        taking.send(None)
    assert turns.running("s0") == 1


@pytest.mark.parametrize(
    ("limits", "second"),
    [
        ({"total": 1}, ("s1", "bob")),
        ({"per_source": 1}, ("s0", "bob")),
        ({"per_caller": 1}, ("s0", "ann")),
    ],
)
async def test_waits_at_each_limit(limits: dict[str, int], second: Key) -> None:
    room = Room(**limits)

    await waiting_room(room, ("s0", "ann"), second)

    assert room.held == [("s0", "ann")]
    assert room.turns.waiting(second[0]) == 1
    await room.drain()


async def test_a_caller_who_has_enough_in_one_source_may_run_in_another() -> None:
    room = Room(per_caller=1)

    await waiting_room(room, ("s0", "ann"), ("s0", "ann"), ("s1", "ann"))

    assert room.held == [("s0", "ann"), ("s1", "ann")]
    await room.drain()


async def test_a_waiter_who_may_not_run_does_not_hold_up_one_who_may() -> None:
    room = Room(per_source=2, per_caller=1)

    await waiting_room(room, ("s0", "ann"), ("s0", "ann"), ("s0", "bob"))

    assert room.held == [("s0", "ann"), ("s0", "bob")]
    await room.drain()


async def test_the_source_with_the_fewest_running_turns_comes_first() -> None:
    room = Room(total=3)
    await waiting_room(room, ("s0", "ann"), ("s0", "ann"), ("s1", "ann"), ("s0", "bob"), ("s2", "ann"))

    room.give_back(2)
    await settle()

    assert room.held[-1] == ("s2", "ann")
    await room.drain()


async def test_then_the_caller_with_the_fewest_running_turns_over_all_sources() -> None:
    room = Room(total=3, per_source=1)
    await waiting_room(room, ("s0", "ann"), ("s1", "cas"), ("s2", "bob"), ("s2", "ann"), ("s2", "bob"))

    room.give_back(2)
    await settle()

    assert room.held[-1] == ("s2", "bob")
    await room.drain()


async def test_then_the_caller_served_longest_ago() -> None:
    room = Room(total=1)
    await waiting_room(room, *[("s0", "ann")] * 4, *[("s0", "bob")] * 2)

    served = [caller for _, caller in await order_of_service(room)]

    assert served == ["ann", "bob", "ann", "bob", "ann"]


async def test_then_the_callers_source_served_longest_ago() -> None:
    room = Room(total=1)
    await waiting_room(room, *[("s0", "ann")] * 4, *[("s1", "ann")] * 2)

    served = [source for source, _ in await order_of_service(room)]

    assert served == ["s0", "s1", "s0", "s1", "s0"]


async def test_then_who_came_first() -> None:
    room = Room(total=1)
    _, first, second = await waiting_room(room, *[("s0", "ann")] * 3)

    room.give_back()
    await settle()

    assert first.done()
    assert not second.done()
    await room.drain()


async def test_leaving_and_coming_back_overtakes_nobody() -> None:
    room = Room(total=1)
    await waiting_room(room, ("s0", "bob"), ("s0", "ann"), ("s0", "ann"), ("s0", "cas"))
    assert [caller for _, caller in room.held] == ["bob"]

    served = []
    for _ in range(8):
        leaver = room.held[0]
        room.give_back()
        await waiting_room(room, leaver)
        served.append(room.held[0][1])

    assert served.count("ann") >= 2
    assert served.count("bob") >= 2
    assert served.count("cas") >= 2
    for _, task in room.tasks:
        task.cancel()
    await room.drain()


async def test_nobody_in_time_is_a_timeout_and_leaves_no_trace() -> None:
    room = Room(total=1)
    await waiting_room(room, ("s0", "ann"))

    with pytest.raises(TimeoutError):
        await room.turns.take("s1", "bob", timeout_s=0.01)

    assert room.turns.waiting("s1") == 0
    await room.drain()
    room.assert_forgotten()


async def test_a_waiter_cancelled_as_it_is_granted_passes_the_turn_on() -> None:
    room = Room(total=1)
    _, leaving, _ = await waiting_room(room, ("s0", "ann"), ("s0", "bob"), ("s0", "cas"))

    room.give_back()
    leaving.cancel()
    await settle()

    assert leaving.cancelled()
    assert room.held == [("s0", "cas")]
    await room.drain()
    room.assert_forgotten()


async def test_a_waiter_cancelled_just_before_is_passed_over() -> None:
    room = Room(total=1)
    _, leaving, _ = await waiting_room(room, ("s0", "ann"), ("s0", "bob"), ("s0", "cas"))

    leaving.cancel()
    room.give_back()
    await settle()

    assert room.held == [("s0", "cas")]
    await room.drain()
    room.assert_forgotten()


async def test_a_turn_that_comes_as_time_runs_out_is_passed_on() -> None:
    room = Room(total=1)
    await waiting_room(room, ("s0", "ann"))
    hasty = room.ask("s0", "bob", timeout_s=0)
    room.ask("s0", "cas")

    # one tick: bob waits, and the loop has yet to tell him that his time is over
    await asyncio.sleep(0)
    room.give_back()
    await settle()

    assert isinstance(hasty.exception(), TimeoutError)
    assert room.held == [("s0", "cas")]
    await room.drain()
    room.assert_forgotten()


async def test_all_who_wait_for_a_failed_source_hear_of_it_at_once() -> None:
    room = Room(per_source=1)
    running, *waiting, elsewhere = await waiting_room(
        room, ("s0", "ann"), ("s0", "ann"), ("s0", "bob"), ("s1", "bob"), ("s1", "bob")
    )

    room.turns.fail_waiting("s0", ConnectionError("away"))
    await settle()

    assert [repr(task.exception()) for task in waiting[:2]] == ["ConnectionError('away')"] * 2
    assert running.exception() is None
    assert not elsewhere.done()
    assert room.turns.waiting("s0") == 0
    assert room.turns.running("s0") == 1
    await room.drain()
    room.assert_forgotten()


async def test_a_waiter_that_fails_and_is_cancelled_at_once_has_no_turn_to_give_back() -> None:
    room = Room(per_source=1)
    _, waiting = await waiting_room(room, ("s0", "ann"), ("s0", "bob"))

    room.turns.fail_waiting("s0", ConnectionError("away"))
    waiting.cancel()
    await settle()

    assert waiting.cancelled()
    assert room.turns.total_running == 1
    await room.drain()
    room.assert_forgotten()


async def test_a_source_that_nobody_waits_for_can_fail() -> None:
    room = Room()

    room.turns.fail_waiting("s0", ConnectionError("away"))

    room.assert_forgotten()


async def test_refuses_to_give_back_what_nobody_took() -> None:
    room = Room()
    await waiting_room(room, ("s0", "ann"))

    with pytest.raises(ValueError, match="'bob' has no turn in 's0'"):
        room.turns.give_back("s0", "bob")

    assert room.turns.total_running == 1
    await room.drain()
    room.assert_forgotten()


async def given_back_until_served(room: Room, asked: asyncio.Task[None]) -> int:
    """How many turns end, the oldest first, before this one begins."""
    await settle()
    count = 0
    while not asked.done():
        room.give_back()
        await settle()
        count += 1
    return count


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), operations)
async def test_limits_hold_no_turn_is_lost_and_all_who_wait_are_served(
    total: int, per_source: int, per_caller: int, ops: list[Op]
) -> None:
    room = Room(total=total, per_source=per_source, per_caller=per_caller)

    for op in ops:
        await perform(room, op)
        room.assert_within_limits()
    await settle()
    room.assert_no_turn_is_lost()

    await room.drain()
    assert not room.unserved()
    room.assert_forgotten()


async def perform(room: Room, op: Op) -> None:
    """One step; only "pause" lets the loop run, so the others meet within one tick."""
    name, source, caller, index = op
    match name:
        case "take":
            room.ask(source, caller)
        case "take in no time":
            room.ask(source, caller, timeout_s=0)
        case "give back" if room.held:
            room.give_back(index % len(room.held))
        case "cancel" if waiting := [task for _, task in room.tasks if not task.done()]:
            waiting[index % len(waiting)].cancel()
        case "fail":
            room.turns.fail_waiting(source, ConnectionError("away"))
        case "pause":
            for _ in range(index % 4):
                await asyncio.sleep(0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.data())
async def test_one_question_is_not_starved_by_a_thousand_of_another_caller(
    total: int, per_source: int, per_caller: int, sources: int, data: st.DataObject
) -> None:
    room = Room(total=total, per_source=per_source, per_caller=per_caller)
    for index in range(1_000):
        room.ask(f"s{index % sources}", "ann")
    await settle()

    asked = room.ask(f"s{data.draw(st.integers(0, sources - 1))}", "bob")

    # every turn that ran as he asked has ended, and one round more
    assert await given_back_until_served(room, asked) <= total + 1
    await leave(room)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 4), st.data())
async def test_one_question_is_not_starved_by_a_thousand_of_another_source(
    total: int, per_source: int, per_caller: int, data: st.DataObject
) -> None:
    room = Room(total=total, per_source=per_source, per_caller=per_caller)
    for index in range(1_000):
        room.ask("s0", CALLERS[index % 3])
    await settle()

    asked = room.ask("s1", data.draw(st.sampled_from(CALLERS)))

    # one round of the callers, and a second where his own turn of the first went to the other source
    assert await given_back_until_served(room, asked) <= 2 * len(CALLERS)
    await leave(room)


async def leave(room: Room) -> None:
    """Everyone who still waits gives up."""
    for _, task in room.tasks:
        task.cancel()
    await room.drain()
    room.assert_forgotten()


async def test_giving_back_is_quick_while_a_thousand_wait_for_a_hundred_sources() -> None:
    room = Room(total=50, per_source=4, per_caller=2)
    for index in range(1_050):
        room.ask(f"s{index % 100}", f"caller {index % 7}")
    await settle()

    before = perf_counter()
    for _ in range(50):
        room.give_back()
    took_s = perf_counter() - before

    # about 0.1 ms each; the limit leaves room for a busy machine
    assert took_s / 50 < 0.005
    await leave(room)
