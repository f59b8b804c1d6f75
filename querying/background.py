"""The engine of a worker: one per process, on an event loop of its own, made when it is first needed.

Actors run in threads; the engine's pools belong to one loop. What they ask is done there, and waited for here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Final, TypeVar

from dramatiq.middleware import Interrupt

from config.errors import GatewayBusy, NotConfigured, QueryTimeout
from querying.engine import Engine
from querying.worker import at_worker_end

T = TypeVar("T")
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
# an exception that dramatiq raises in a waiting thread comes through between two looks
LOOK_EVERY_S: Final = 0.5
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """An engine that starts or has started, and what it lives on."""

    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    engine: Engine
    start: Future[None]
    until: float  # when its start has taken too long, on the monotonic clock


class BackgroundEngine:
    """`run` may be called from any thread, by several at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Running | None = None

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def run(self, work: Callable[[Engine], Awaitable[T]], *, timeout_s: float) -> T:
        """What `work` returns or raises; it is cancelled where the time is over or the waiting thread is interrupted.

        Raises `QueryTimeout`, or `NotConfigured` while no catalog could ever be loaded.
        """
        running = self._started()
        engine, loop = running.engine, running.loop
        if engine.load_error and not engine.catalog.version:
            _finish(asyncio.run_coroutine_threadsafe(engine.refresh(), loop), START_TIMEOUT_S)
        if engine.load_error and not engine.catalog.version:
            raise NotConfigured("The catalog could not be loaded.", hint="Run `manage.py doctor`.")

        async def bounded() -> T:
            # what was approved a moment ago may not have been heard of yet
            await engine.refresh()
            return await work(engine)

        return _finish(asyncio.run_coroutine_threadsafe(bounded(), loop), timeout_s)

    def _started(self) -> Running:
        # the lock is never held while anything is waited for: threads wait for one start side by side
        with self._lock:
            if self._running is None:
                self._running = _begin()
            running = self._running
        try:
            _wait(running.start, START_TIMEOUT_S, until=running.until)
        except Interrupt:
            raise  # this thread's end; others may still wait for the start
        except BaseException:
            self._drop(running)
            raise
        return running

    def _drop(self, running: Running) -> None:
        """A start that failed, so that the next use tries another; the first thread to notice cleans up."""
        with self._lock:
            if self._running is not running:
                return
            self._running = None
        _end(running)

    def stop(self) -> None:
        """Close its pools; the next use starts another."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            _end(running)


def _begin() -> Running:
    # never before the first use: dramatiq forks its worker processes
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run_loop, args=[loop], name="engine", daemon=True)
    thread.start()
    # its work asks how things are now, not how they were a minute ago
    engine = Engine(keeps_results=False)
    start = asyncio.run_coroutine_threadsafe(engine.start(), loop)
    return Running(loop, thread, engine, start, time.monotonic() + START_TIMEOUT_S)


def _end(running: Running) -> None:
    running.start.cancel()
    try:
        with contextlib.suppress(NotYet):
            asyncio.run_coroutine_threadsafe(running.engine.stop(), running.loop).result(STOP_TIMEOUT_S)
    finally:
        _stop_loop(running.loop, running.thread)


def _finish(future: Future[T], timeout_s: float) -> T:
    """Its result; nobody else waits for it, so it ends with the wait."""
    try:
        return _wait(future, timeout_s, until=time.monotonic() + timeout_s)
    finally:
        future.cancel()


def _wait(future: Future[T], timeout_s: float, *, until: float) -> T:
    while True:
        try:
            return future.result(LOOK_EVERY_S)
        except CancelledError:  # another thread gave the start up, or the worker stops
            raise GatewayBusy("The worker's engine stopped meanwhile.", hint="Try again.") from None
        except NotYet:
            if future.done():  # the work itself ran into a time limit
                raise
            if time.monotonic() > until:
                raise QueryTimeout(f"The worker's work took longer than {timeout_s:.0f} s.") from None


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop_loop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(STOP_TIMEOUT_S)


ENGINE: Final = BackgroundEngine()


def run_in_engine(work: Callable[[Engine], Awaitable[T]], *, timeout_s: float) -> T:
    """On this worker process's engine; see `BackgroundEngine.run`."""
    return ENGINE.run(work, timeout_s=timeout_s)


at_worker_end(ENGINE.stop)
