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
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Final, TypeVar

from config.errors import NotConfigured, QueryTimeout
from querying.engine import Engine
from querying.worker import at_worker_end

T = TypeVar("T")
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
# an exception that dramatiq raises in a waiting thread comes through between two looks
LOOK_EVERY_S: Final = 0.5
log = logging.getLogger(__name__)


class BackgroundEngine:
    """`run` may be called from any thread, by several at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None

    def run(self, work: Callable[[Engine], Awaitable[T]], *, timeout_s: float) -> T:
        """What `work` returns or raises; it is cancelled where the time is over or the waiting thread is interrupted.

        Raises `QueryTimeout`, or `NotConfigured` while no catalog could ever be loaded.
        """
        loop, engine = self._started()
        if engine.load_error and not engine.catalog.version:
            self._wait(asyncio.run_coroutine_threadsafe(engine.refresh(), loop), START_TIMEOUT_S)
        if engine.load_error and not engine.catalog.version:
            raise NotConfigured("The catalog could not be loaded.", hint="Run `manage.py doctor`.")

        async def bounded() -> T:
            # what was approved a moment ago may not have been heard of yet
            await engine.refresh()
            return await work(engine)

        return self._wait(asyncio.run_coroutine_threadsafe(bounded(), loop), timeout_s)

    def _wait(self, future: Future[T], timeout_s: float) -> T:
        until = time.monotonic() + timeout_s
        try:
            while True:
                try:
                    return future.result(LOOK_EVERY_S)
                except NotYet:
                    if future.done():  # the work itself ran into a time limit
                        raise
                    if time.monotonic() > until:
                        raise QueryTimeout(f"The worker's work took longer than {timeout_s:.0f} s.") from None
        finally:
            future.cancel()

    def _started(self) -> tuple[asyncio.AbstractEventLoop, Engine]:
        with self._lock:
            if self._loop is None or self._engine is None:
                # never before the first use: dramatiq forks its worker processes
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run_loop, args=[loop], name="engine", daemon=True)
                thread.start()
                # its work asks how things are now, not how they were a minute ago
                engine = Engine(keeps_results=False)
                try:
                    self._wait(asyncio.run_coroutine_threadsafe(engine.start(), loop), START_TIMEOUT_S)
                except BaseException:
                    _stop_loop(loop, thread)
                    raise
                self._loop, self._thread, self._engine = loop, thread, engine
            return self._loop, self._engine

    def stop(self) -> None:
        """Close its pools; the next use starts another."""
        with self._lock:
            loop, thread, engine = self._loop, self._thread, self._engine
            self._loop = self._thread = self._engine = None
        if loop is None or thread is None or engine is None:
            return
        try:
            with contextlib.suppress(NotYet):
                asyncio.run_coroutine_threadsafe(engine.stop(), loop).result(STOP_TIMEOUT_S)
        finally:
            _stop_loop(loop, thread)


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
