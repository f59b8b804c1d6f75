"""Keeps the children of `manage.py quickstart` running, and stops them together.

A child that dies is started again: on a laptop one crash (a worker out of memory, say) should not end everybody's
session. One that keeps dying has a cause that somebody has to read, so everything stops with the end of its log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import NoReturn

from config.embedded import EmbeddedError
from config.processes import Child

CHECK_EVERY_S = 0.2
DEATHS_ALLOWED = 3
DEATHS_WITHIN_S = 60.0
FIRST_PAUSE_S = 0.5


@dataclass
class Supervised:
    """A child, how to start it again, and when it died lately. Higher stages stop first."""

    name: str
    start: Callable[[], Child]
    stage: int
    child: Child | None
    deaths: list[float] = field(default_factory=list)
    restart_at: float = 0.0

    def note_death(self, now: float) -> None:
        self.deaths = [*(at for at in self.deaths if now - at < DEATHS_WITHIN_S), now]
        self.restart_at = now + FIRST_PAUSE_S * 2 ** (len(self.deaths) - 1)


class Supervisor:
    """`report` says what happened; `interrupt` raises where somebody asked for a stop, and is called often."""

    def __init__(self, report: Callable[[str], None], interrupt: Callable[[], None]) -> None:
        self._report = report
        self._interrupt = interrupt
        self._supervised: list[Supervised] = []

    def add(self, name: str, start: Callable[[], Child], *, stage: int) -> None:
        """Start a child and keep it running from now on."""
        self._supervised.append(Supervised(name, start, stage, start()))

    def check(self) -> None:
        """Start again what died, once its pause is over; raises `EmbeddedError` where one keeps dying."""
        self._interrupt()
        for supervised in self._supervised:
            if supervised.child is None:
                self._restart(supervised)
            elif not supervised.child.running:
                self._note_death(supervised, supervised.child.ending, supervised.child.last_words())
                # its own children would hold its port
                supervised.child.kill()
                supervised.child = None

    def watch(self) -> NoReturn:
        while True:
            self.check()
            time.sleep(CHECK_EVERY_S)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> bool:
        """Whether it became ready in time; the children are looked after meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > deadline:
                return False
            self.check()
            time.sleep(CHECK_EVERY_S)
        return True

    def last_words(self, name: str) -> str:
        children = [each.child for each in self._supervised if each.name == name and each.child]
        return children[0].last_words() if children else ""

    def stop(self) -> None:
        """Web and worker first, then the servers that they use; a stage's children stop side by side."""
        stages = sorted(self._supervised, key=lambda each: -each.stage)
        for _, stage in groupby(stages, key=lambda each: each.stage):
            children = [each.child for each in stage if each.child]
            for child in children:
                child.request_stop()
            for child in children:
                child.finish_stop()
        self._supervised.clear()

    def _restart(self, supervised: Supervised) -> None:
        if time.monotonic() < supervised.restart_at:
            return
        try:
            supervised.child = supervised.start()
        except EmbeddedError as error:
            self._note_death(supervised, f"did not start: {error.message}", error.hint)
        else:
            self._report(f"{supervised.name} runs again")

    def _note_death(self, supervised: Supervised, ending: str, last_words: str) -> None:
        supervised.note_death(time.monotonic())
        if len(supervised.deaths) >= DEATHS_ALLOWED:
            raise EmbeddedError(
                f"{supervised.name} {ending}, {len(supervised.deaths)} times within {DEATHS_WITHIN_S:.0f} s, "
                "so everything stops.",
                hint=last_words,
            )
        self._report(f"{supervised.name} {ending}; it is started again. {last_words}")
