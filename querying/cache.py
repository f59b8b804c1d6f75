"""Results kept for a while, and questions in flight that several callers ask at once. Pure asyncio, one event loop.

Both go by a key of all that an answer depends on: the published entry and its connection, the caller's policies, the
statement and its limits. So nothing is ever invalidated, and nobody gets an answer made for other eyes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from querying.results import QueryResult, Rendered, render

T = TypeVar("T")
Key = tuple[Hashable, ...]
LARGEST_SHARE: Final = 8  # a result above this part of the budget would push out everybody else's
TEXTS: Final = 2
LONGEST_TEXT: Final = 200_000
ENTRY_BYTES: Final = 2_000
COLUMN_BYTES: Final = 150


@dataclass(frozen=True, slots=True)
class Kept:
    """A result, and the texts that were made of it: the same question is mostly asked in the same form."""

    result: QueryResult
    size_bytes: int = 0  # with what it is kept by
    made_at: float = field(default_factory=time.monotonic)
    texts: dict[Hashable, Rendered] = field(default_factory=dict)

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.made_at

    def render(self, form: str, *, max_tokens: int, digits: int) -> Rendered:
        key = form, max_tokens, digits
        made = self.texts.get(key) or render(self.result, form, max_tokens=max_tokens, digits=digits)
        if len(self.texts) < TEXTS and len(made.text) <= LONGEST_TEXT:
            self.texts[key] = made
        return made


class ResultCache:
    """The results used last, within `max_bytes`; each is as young as its reader asks for."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: LRUCache[Key, Kept] = LRUCache(max_bytes, getsizeof=attrgetter("size_bytes"))

    def find(self, key: Key, *, ttl_s: float) -> Kept | None:
        kept = self._kept.get(key)
        return kept if kept is not None and kept.age_s < ttl_s else None

    def keep(self, key: Key, result: QueryResult) -> Kept:
        kept = Kept(result, size_of(key, result))
        if kept.size_bytes * LARGEST_SHARE <= self._kept.maxsize:
            self._kept[key] = kept
        return kept


def size_of(key: Key, result: QueryResult) -> int:
    """Bytes, with room for a text or two. A statement and the names of its columns may outweigh its rows."""
    statement = sum(len(part) for part in key if isinstance(part, str))
    head = sum(COLUMN_BYTES + 3 * len(column.name) for column in result.columns)
    return ENTRY_BYTES + statement + head + 3 * result.size_bytes


@dataclass(eq=False, slots=True)
class Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class Flights(Generic[T]):
    """Work that several callers wait for, done once; it is cancelled when the last of them has gone."""

    def __init__(self) -> None:
        self._flights: dict[Key, Flight[T]] = {}

    async def join(self, key: Key, start: Callable[[], Awaitable[T]]) -> T:
        """The result of the work that runs under this key, begun by the first who asks; its error is everybody's."""
        flight = self._flights.get(key)
        if flight is None:
            flight = Flight(asyncio.create_task(_run(start), name="query"))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._land(key, flight)  # who comes now begins anew
                flight.task.cancel()

    def _land(self, key: Key, flight: Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # seen, also where nobody waits any more


async def _run(start: Callable[[], Awaitable[T]]) -> T:
    return await start()
