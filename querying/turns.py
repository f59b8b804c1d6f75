"""Who gets the next connection: limits per database and caller, and a fair order among those who wait. Pure asyncio."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

Turn = asyncio.Future[None]
# running turns of the source and of the caller, then since when the caller and the source were not served
Rank = tuple[int, int, int, int]


@dataclass(slots=True)
class _Source:
    """One database while it has turns: those that run, and the queues of those who wait, by caller."""

    served_at: int
    running: int = 0
    running_of: Counter[str] = field(default_factory=Counter)
    # ordered dicts: who leaves in the middle of a long queue costs no scan
    queues: dict[str, OrderedDict[Turn, None]] = field(default_factory=dict)


@dataclass(slots=True)
class _Caller:
    """One caller while it has turns in any database."""

    served_at: int
    running: int = 0
    waiting: int = 0


class Turns:
    """At most `per_source` turns in one database, `per_caller` of one caller in one database, `total` in all.

    A free turn goes to the source with the fewest running turns, among such to the caller with the fewest over all
    sources, then to the caller served longest ago, in its source served longest ago, to who came first. Who is new
    counts as served on arrival, so that leaving and coming back overtakes nobody.

    The owner chooses `per_source < total`, or one slow database can hold every turn there is, and
    `per_caller < per_source`, or one caller can fill a database. Belongs to one event loop. Giving a turn back scans
    the sources and callers that wait, never their single questions.
    """

    def __init__(self, *, total: int, per_source: int, per_caller: int) -> None:
        self._total = total
        self._per_source = per_source
        self._per_caller = per_caller
        self._running = 0
        self._ticks = 0
        self._sources: dict[str, _Source] = {}
        self._callers: dict[str, _Caller] = {}

    async def take(self, source: str, caller: str, *, timeout_s: float) -> None:
        """Wait for a turn, which the caller gives back; `TimeoutError` where none came in time.

        Takes it without a pause where there is room, so the `try` of the caller begins right after it.
        """
        # overtakes nobody: between two calls, all who wait are at a limit
        if self._has_room(source, caller):
            self._start(source, caller)
            return
        turn = self._enqueue(source, caller)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except (asyncio.CancelledError, TimeoutError):
            self._leave(source, caller, turn)
            raise

    def give_back(self, source: str, caller: str) -> None:
        """End one turn and let the next waiter in; `ValueError` where this caller has none there."""
        state = self._sources.get(source)
        if state is None or state.running_of[caller] < 1:
            raise ValueError(f"{caller!r} has no turn in {source!r} to give back.")
        state.running_of[caller] -= 1
        if not state.running_of[caller]:
            del state.running_of[caller]
        state.running -= 1
        self._callers[caller].running -= 1
        self._running -= 1
        self._grant_next()
        self._forget_idle(source, caller)

    def fail_waiting(self, source: str, error: Exception) -> None:
        """Everyone who waits for that source gets this error at once; running turns go on."""
        queues = self._sources[source].queues if source in self._sources else {}
        for caller, turns in list(queues.items()):
            for turn in list(turns):
                self._dequeue(source, caller, turn)
                if not turn.done():
                    turn.set_exception(error)
            self._forget_idle(source, caller)

    def waiting(self, source: str) -> int:
        """How many wait for a turn in that source."""
        return sum(map(len, self._sources[source].queues.values())) if source in self._sources else 0

    def running(self, source: str) -> int:
        """How many turns of that source are taken."""
        return self._sources[source].running if source in self._sources else 0

    @property
    def total_running(self) -> int:
        """How many turns are taken in all sources."""
        return self._running

    def _has_room(self, source: str, caller: str) -> bool:
        state = self._sources.get(source)
        return self._running < self._total and (state is None or self._may_run(state, caller))

    def _may_run(self, state: _Source, caller: str) -> bool:
        return state.running < self._per_source and state.running_of.get(caller, 0) < self._per_caller

    def _start(self, source: str, caller: str) -> None:
        source_state, caller_state = self._states(source, caller)
        source_state.running += 1
        source_state.running_of[caller] += 1
        caller_state.running += 1
        self._running += 1
        source_state.served_at = caller_state.served_at = self._tick()

    def _enqueue(self, source: str, caller: str) -> Turn:
        source_state, caller_state = self._states(source, caller)
        turn: Turn = asyncio.get_running_loop().create_future()
        source_state.queues.setdefault(caller, OrderedDict())[turn] = None
        caller_state.waiting += 1
        return turn

    def _dequeue(self, source: str, caller: str, turn: Turn) -> None:
        queues = self._sources[source].queues
        del queues[caller][turn]
        if not queues[caller]:
            del queues[caller]
        self._callers[caller].waiting -= 1

    def _leave(self, source: str, caller: str, turn: Turn) -> None:
        if self._is_queued(source, caller, turn):
            self._dequeue(source, caller, turn)
            self._forget_idle(source, caller)
        elif not turn.cancelled() and turn.exception() is None:
            # granted in the same tick of the loop, but nobody is there any more to use it
            self.give_back(source, caller)

    def _is_queued(self, source: str, caller: str, turn: Turn) -> bool:
        return source in self._sources and turn in self._sources[source].queues.get(caller, ())

    def _grant_next(self) -> None:
        """Let one waiter in; one turn given back never makes room for two."""
        while first := min(self._candidates(), default=None):
            _, source, caller = first
            turn = next(iter(self._sources[source].queues[caller]))
            self._dequeue(source, caller, turn)
            # a turn that is done was cancelled in this tick, and its task has not left the queue yet
            if not turn.done():
                self._start(source, caller)
                turn.set_result(None)
                return
            self._forget_idle(source, caller)

    def _candidates(self) -> Iterator[tuple[Rank, str, str]]:
        """Whose first waiter may run, with its rank; sources busier than one already found are left out."""
        fewest = self._per_source
        for source, source_state in self._sources.items():
            if source_state.running > fewest:
                continue
            for caller in source_state.queues:
                if self._may_run(source_state, caller):
                    fewest = source_state.running
                    yield self._rank(source_state, caller), source, caller

    def _rank(self, source_state: _Source, caller: str) -> Rank:
        caller_state = self._callers[caller]
        return source_state.running, caller_state.running, caller_state.served_at, source_state.served_at

    def _states(self, source: str, caller: str) -> tuple[_Source, _Caller]:
        if source not in self._sources:
            self._sources[source] = _Source(served_at=self._tick())
        if caller not in self._callers:
            self._callers[caller] = _Caller(served_at=self._tick())
        return self._sources[source], self._callers[caller]

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks

    def _forget_idle(self, source: str, caller: str) -> None:
        source_state, caller_state = self._sources.get(source), self._callers.get(caller)
        if source_state and not source_state.running and not source_state.queues:
            del self._sources[source]
        if caller_state and not caller_state.running and not caller_state.waiting:
            del self._callers[caller]
