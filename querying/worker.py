"""What ends with a worker. Loaded with the settings, before any model: it imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dramatiq

_ends: list[Callable[[], None]] = []


def at_worker_end(end: Callable[[], None]) -> None:
    """Call it once the worker's last job is done; again for each worker that this process runs."""
    _ends.append(end)


class EndMiddleware(dramatiq.Middleware):
    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:  # Any: dramatiq.Worker, untyped
        for end in _ends:
            end()
