"""One circuit breaker per database: whether its connections are worth a try, and when to probe again. No clock."""

from __future__ import annotations

import random

JITTER = 0.2


class Breaker:
    """Closed while connections succeed; open after failures; the owner probes while it is open.

    It opens after `failures` in a row, or after one that took longer than `slow_s` seconds. Waits are seconds.
    """

    def __init__(
        self, *, failures: int = 3, slow_s: float = 1.0, first_wait_s: float = 0.5, longest_wait_s: float = 30.0
    ) -> None:
        self._allowed = failures
        self._slow_s = slow_s
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._failed = 0
        self._wait_s = first_wait_s
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether callers are turned away at once."""
        return self._is_open

    def succeeded(self) -> None:
        """A connection was made: close, and forget the failures."""
        self._failed = 0
        self._is_open = False

    def failed(self, *, took_s: float) -> bool:
        """A connection failed after `took_s` seconds; whether this failure opened the breaker."""
        if self._is_open:
            # callers who were on their way as it opened tell nothing new
            return False
        self._failed += 1
        # no second caller pays for a connect timeout
        self._is_open = self._failed >= self._allowed or took_s > self._slow_s
        self._wait_s = self._first_wait_s
        return self._is_open

    def next_wait_s(self) -> float:
        """Seconds until the next probe: `first_wait_s`, doubled by each call up to `longest_wait_s`, give or take 20 %.

        Call it once before each probe: being asked again is how it knows that the last one failed.
        """
        wait_s = min(self._wait_s, self._longest_wait_s)
        self._wait_s = 2 * wait_s
        # so that many processes do not probe together
        return wait_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
